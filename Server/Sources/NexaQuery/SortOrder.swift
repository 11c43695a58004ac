public import NexaValue

/// A sort order: field paths, each ascending or descending, the first one deciding.
///
/// Values compare as `ValueOrder` says; a missing field counts as null. Of an array, the smallest element counts when
/// ascending and the largest when descending; an empty array comes before null.
public struct SortOrder: Sendable {
    private struct Field: Sendable {
        let path: FieldPath
        let isDescending: Bool
        /// The name of a field at the top level.
        let name: FieldPath.Part?
    }

    /// The number of fields an order may have, as in MongoDB.
    public static let maximumFields = 32

    private let fields: [Field]

    /// Compiles `{field: 1, other: -1}`, or `[["field", 1], ["other", -1]]` for clients whose maps lose their order.
    ///
    /// - Throws: `QueryError` when it is neither, a direction is not 1 or -1, a field occurs twice, or there
    ///   are too many.
    public init(compiling order: Value) throws(QueryError) {
        var fields: [Field] = []
        for (name, direction) in try Self.pairs(order) {
            guard name.utf8.first != 0x24 else {
                throw QueryError(.invalidPath, "a sort field cannot begin with $: \(name)")
            }
            guard let direction = direction.int, direction == 1 || direction == -1 else {
                throw QueryError(.invalidOperand, "the sort direction of \"\(name)\" must be 1 or -1")
            }
            let path = try FieldPath(name)
            guard !fields.contains(where: { $0.path == path }) else {
                throw QueryError(.invalidPath, "the sort order has \"\(name)\" twice")
            }
            fields.append(
                Field(path: path, isDescending: direction == -1, name: path.parts.count == 1 ? path.parts[0] : nil))
            guard fields.count <= Self.maximumFields else {
                throw .limit("the sort order has more than \(Self.maximumFields) fields")
            }
        }
        self.fields = fields
    }

    private static func pairs(_ order: Value) throws(QueryError) -> [(String, Value)] {
        switch order {
        case .document(let document): return document.map { ($0.key, $0.value) }
        case .array(let values):
            var pairs: [(String, Value)] = []
            for value in values {
                guard case .array(let pair) = value, pair.count == 2, case .string(let name) = pair[0] else {
                    throw QueryError(.invalidOperand, "a sort order in an array needs pairs [\"field\", 1 or -1]")
                }
                pairs.append((name, pair[1]))
            }
            return pairs
        default: throw .operand("sort", needs: "a document {field: 1 or -1, …}", found: order)
        }
    }

    /// The fields, as those of an index that has the order.
    public var terms: [IndexKeyPattern.Field] {
        fields.map { field in
            let path = Array(field.path.parts.map(\.name).joined(separator: [0x2E]))
            return IndexKeyPattern.Field(String(decoding: path, as: UTF8.self), isDescending: field.isDescending)
        }
    }

    /// True when there is nothing to sort by.
    public var isEmpty: Bool { fields.isEmpty }

    /// The key by which an encoded document takes its place.
    ///
    /// - Throws: `QueryError` when the bytes are not a well-formed map.
    public func key(of document: RawSpan) throws(QueryError) -> SortKey {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16 * fields.count)
        try appendKey(of: document, to: &bytes)
        return SortKey(bytes: bytes)
    }

    /// Appends the bytes of the key of an encoded document, for callers that look at many and keep few.
    ///
    /// - Throws: `QueryError` when the bytes are not a well-formed map.
    public func appendKey(of document: RawSpan, to bytes: inout [UInt8]) throws(QueryError) {
        do throws(MessagePackError) {
            for field in fields {
                if try appendPlain(field, of: document, to: &bytes) { continue }
                var extraction = KeyExtraction(document, path: field.path, isDescending: field.isDescending)
                try extraction.visit(0, at: 0)
                bytes += extraction.best ?? [OrderedEncoding.null ^ (field.isDescending ? 0xFF : 0)]
            }
        } catch {
            throw QueryError(corrupt: error)
        }
    }

    /// The short way for a value at the top level that is no array; false when there is none.
    private func appendPlain(
        _ field: Field, of document: RawSpan, to bytes: inout [UInt8]
    ) throws(MessagePackError) -> Bool {
        guard let name = field.name else { return false }
        var reader = MessagePackReader(document)
        guard case .map(let count) = try reader.readHead() else { return false }
        guard let offset = try document.value(of: name, at: reader.position, count: count) else {
            return false
        }
        var value = MessagePackReader(document, at: offset)
        if case .array = try value.readHead() { return false }
        value.position = offset
        let start = bytes.count
        try OrderedEncoding.append(&value, depth: 0, to: &bytes)
        if field.isDescending { OrderedEncoding.invert(&bytes, from: start) }
        return true
    }
}

/// The place of a document in a sort order. Keys of one order compare bytewise, which is fast; the bytes of
/// several keys say nothing about the values they came from.
public struct SortKey: Sendable, Hashable, Comparable {
    /// The fields in `OrderedEncoding`, one behind the other; those of descending fields are inverted.
    public let bytes: [UInt8]

    /// Compares the places of two documents.
    public static func < (left: SortKey, right: SortKey) -> Bool {
        left.bytes.span.bytes.compare(right.bytes.span.bytes) < 0
    }
}

/// Finds, among the values that a path leads to, the one that comes first.
private struct KeyExtraction: ~Escapable {
    let span: RawSpan
    let path: FieldPath
    let isDescending: Bool
    /// The smallest key so far; already inverted when descending, so that smallest is right for both.
    var best: [UInt8]?
    private var forks = 10_000

    @_lifetime(copy span)
    init(_ span: RawSpan, path: FieldPath, isDescending: Bool) {
        self.span = span
        self.path = path
        self.isDescending = isDescending
    }

    @_lifetime(self: copy self)
    mutating func visit(_ part: Int, at offset: Int) throws(MessagePackError) {
        var reader = MessagePackReader(span, at: offset)
        let head = try reader.readHead()
        guard part < path.parts.count else {
            guard case .array(let count) = head else { return try offer(at: offset) }
            if count == 0 { return offer([OrderedEncoding.emptyArray]) }
            for _ in 0..<count {
                try offer(at: reader.position)
                try reader.skip()
            }
            return
        }
        switch head {
        case .map(let count):
            if let value = try span.value(of: path.parts[part], at: reader.position, count: count) {
                return try visit(part + 1, at: value)
            }
            offer([OrderedEncoding.null])
        case .array(let count):
            for index in 0..<count {
                var element = MessagePackReader(span, at: reader.position)
                let isIndexed = index == path.parts[part].arrayIndex
                if case .map = try element.readHead(), !isIndexed || part + 1 < path.parts.count {
                    try visit(part, at: reader.position)
                }
                if isIndexed, forks > 0 {
                    forks -= 1
                    try visit(part + 1, at: reader.position)
                }
                try reader.skip()
            }
        default: offer([OrderedEncoding.null])
        }
    }

    @_lifetime(self: copy self)
    private mutating func offer(at offset: Int) throws(MessagePackError) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        var reader = MessagePackReader(span, at: offset)
        try OrderedEncoding.append(&reader, depth: 0, to: &bytes)
        offer(bytes)
    }

    @_lifetime(self: copy self)
    private mutating func offer(_ bytes: [UInt8]) {
        var bytes = bytes
        if isDescending { OrderedEncoding.invert(&bytes, from: 0) }
        if let best, best.span.bytes.compare(bytes.span.bytes) <= 0 { return }
        best = bytes
    }
}
