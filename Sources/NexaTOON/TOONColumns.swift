public import NexaValue

/// The columns of a table: the fields that all of its documents have, each with one value or with columns of its own.
///
/// Documents fit together if they have the same fields, in whatever order, and under each of them either all a value
/// that takes one cell or all a document whose fields fit together (9.3).
public struct TOONColumns: Sendable, Hashable {
    /// One column, or the group of columns under one field.
    public struct Column: Sendable, Hashable {
        /// The name of the field.
        public var key: String
        /// The columns of the documents under the field; `nil` for a column of values.
        public var group: [Column]?

        /// Creates a column of values, or a group of columns.
        public init(_ key: String, group: [Column]? = nil) {
            self.key = key
            self.group = group
        }
    }

    /// The columns, in the order of the first document's fields.
    public var columns: [Column]

    /// Creates columns for fields whose values take one cell each.
    public init(_ keys: [String]) { columns = keys.map { Column($0) } }

    /// Creates columns, some of which are groups.
    public init(groups columns: [Column]) { self.columns = columns }

    /// The columns that a document alone would have; `nil` when it is empty or a field is a list, a vector or empty.
    public init?(of document: Document) {
        guard let columns = Self.columns(of: document, second: nil, depth: 0) else { return nil }
        self.columns = columns
    }

    init?(of first: Document, and second: Document) {
        guard let columns = Self.columns(of: first, second: second, depth: 0) else { return nil }
        self.columns = columns
    }

    /// How many cells a row has.
    public var cellCount: Int { Self.cellCount(columns) }

    private static func cellCount(_ columns: [Column]) -> Int {
        columns.reduce(0) { $0 + ($1.group.map(cellCount) ?? 1) }
    }

    /// How deep groups nest in groups; 0 if no column is a group.
    var nesting: Int { Self.nesting(columns) }

    private static func nesting(_ columns: [Column]) -> Int {
        columns.reduce(0) { max($0, $1.group.map { nesting($0) + 1 } ?? 0) }
    }

    /// Whether a document can be a row.
    public func fits(_ document: Document) -> Bool { Self.fits(document, columns) }

    private static func fits(_ document: Document, _ columns: [Column]) -> Bool {
        guard document.count == columns.count else { return false }
        for index in columns.indices {
            guard let value = document.value(of: columns[index].key, near: index) else { return false }
            if let group = columns[index].group {
                guard let inner = value.documentForm, fits(inner, group) else { return false }
            } else if !value.isScalar {
                return false
            }
        }
        return true
    }

    /// Two documents are looked at together: what only the first of them has is never looked at twice.
    private static func columns(of first: Document, second: Document?, depth: Int) -> [Column]? {
        guard !first.isEmpty, depth < JSON.Limits.depthCeiling, second.map({ $0.count == first.count }) ?? true else {
            return nil
        }
        var columns: [Column] = []
        columns.reserveCapacity(first.count)
        for index in first.indices {
            let (key, value) = first[index]
            var other: Value?
            if let second {
                guard let found = second.value(of: key, near: index) else { return nil }
                other = .some(found)
            }
            if value.isScalar {
                if let other, !other.isScalar { return nil }
                columns.append(Column(key))
            } else {
                guard let inner = value.documentForm else { return nil }
                var innerOther: Document?
                if let other {
                    guard let form = other.documentForm else { return nil }
                    innerOther = form
                }
                guard let group = Self.columns(of: inner, second: innerOther, depth: depth + 1) else { return nil }
                columns.append(Column(key, group: group))
            }
        }
        return columns
    }
}

extension Value {
    /// Whether the value takes one cell.
    @inline(__always) var isScalar: Bool {
        switch self {
        case .null, .bool, .int, .uint, .double, .string, .timestamp: true
        case .bytes, .array, .document, .vector, .extended: false
        }
    }

    /// The document that stands for the value: itself, or the form of binary data and extensions.
    @inline(__always) var documentForm: Document? {
        if case .document(let document) = self { return document }
        return specialForm
    }

    /// The document that stands for binary data or an extension, as in `JSON.encode`.
    @inline(never) private var specialForm: Document? {
        switch self {
        case .bytes(let bytes):
            return ["$binary": ["base64": .string(Self.base64(bytes)), "subType": "00"]]
        case .extended(let value):
            return ["$extension": ["base64": .string(Self.base64(value.bytes)), "type": .int(Int64(value.type))]]
        default: return nil
        }
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        JSON.appendBase64(bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

extension Document {
    /// The value of a field that likely stands at a position.
    @inline(__always) func value(of key: String, near position: Int) -> Value? {
        if position < count {
            let field = self[position]
            if field.key.isSame(key) { return .some(field.value) }
        }
        return self[key]
    }
}

extension String {
    /// Whether two keys have the same bytes.
    @inline(__always) func isSame(_ other: String) -> Bool {
        utf8.count == other.utf8.count && self == other
            && (utf8Span.isKnownASCII || utf8.elementsEqual(other.utf8))
    }
}
