public import NexaValue

/// An update with operators, compiled once and applied to documents.
///
/// The operators are `$set $unset $inc $mul $min $max $rename $push $addToSet $pull $pullAll $pop $currentDate
/// $setOnInsert $bit` with MongoDB's meaning; paths are dotted, go by number into arrays, and know the positional
/// `$`, `$[]` and `$[name]`. All of an update is checked when it is compiled; what depends on the document is
/// checked while it is applied, and then nothing of it happens. A program may be used by many threads at once.
public struct UpdateProgram: Sendable {
    /// A `$rename`.
    struct Rename: Sendable {
        let source: [String]
        let target: [String]
    }

    /// How many fields an update may name.
    public static let maximumPaths = 10_000
    /// How deep a document may nest.
    public static let maximumDepth = 100
    /// How many elements one update may add to the arrays of a document, those that fill a gap included.
    public static let maximumAddedElements = 1_000_000
    /// How far behind the end of an array an index may lie; the gap is filled with null.
    public static let maximumGap = 100_000
    /// How many values the fields of a document that an update touches may have.
    public static let maximumValues = 2_000_000
    /// How many steps one update of one document may take.
    public static let maximumSteps = 10_000_000
    /// How many bytes the fields may have that an update of a document changes.
    public static let maximumBytes = 16 << 20

    let root: UpdateNode
    let renames: [Rename]
    let filters: [UpdateArrayFilter]
    /// The top-level fields that the program looks at.
    let touched: [FieldPath.Part]
    private let touchedTable: Set<[UInt8]>

    /// Whether the update has a positional `$`, so that applying it needs to know which element the filter matched.
    public let usesMatchedIndex: Bool

    /// Whether a document is an update with operators, and not fields to be merged or a document to be stored.
    public static func hasOperators(_ update: Document) -> Bool { update.first?.key.utf8.first == 0x24 }

    /// Compiles an update.
    ///
    /// - Parameters:
    ///   - update: operators with their fields: `{$set: {a: 1}, $inc: {"b.c": 2}}`.
    ///   - arrayFilters: the conditions of the elements that `$[name]` means: `{"name.field": …}` each.
    /// - Throws: `QueryError` for an unknown operator, an operand that is not acceptable, a path that is none, two
    ///   updates of one field, or an update beyond the limits; the message names the operator or the path.
    public init(compiling update: Document, arrayFilters: [Document] = []) throws(QueryError) {
        var compiler = try UpdateCompiler(arrayFilters: arrayFilters)
        root = try compiler.compile(update)
        renames = compiler.renames
        filters = compiler.filters
        usesMatchedIndex = compiler.usesMatchedIndex
        guard case .fields(let children, _) = root else {
            // The root of a tree is a document; the empty update has no fields.
            touched = []
            touchedTable = []
            return
        }
        touched = children.map { FieldPath.Part($0.name) }
        touchedTable = touched.count > 16 ? Set(touched.map(\.name)) : []
    }

    /// Whether the field whose name lies in encoded bytes is touched.
    func touches(_ span: RawSpan, nameAt start: Int, count: Int) -> Bool {
        if touched.count > 16 {
            return touchedTable.contains(span.extracting(start..<start + count).withUnsafeBytes { Array($0) })
        }
        let prefix = span.prefixWord(at: start, count: count)
        return touched.contains { $0.equals(span, at: start, count: count, prefix: prefix) }
    }

    /// Refuses values that nest deeper than a document may.
    static func checkNesting(_ value: Value, depth: Int) throws(QueryError) {
        switch value {
        case .array(let values):
            guard depth < maximumDepth else { throw tooDeep }
            for value in values { try checkNesting(value, depth: depth + 1) }
        case .document(let document):
            guard depth < maximumDepth else { throw tooDeep }
            for (_, value) in document { try checkNesting(value, depth: depth + 1) }
        default: break
        }
    }

    static var tooDeep: QueryError { .limit("the update nests values deeper than \(maximumDepth) levels") }
}

/// What an update changes in one document.
public struct FieldChanges: Sendable {
    /// The changed and the new top-level fields as they are now, as an encoded map.
    public var fields: [UInt8]
    /// The top-level fields that are gone.
    public var removed: [String]
}

extension UpdateProgram {
    /// Applies the update to an encoded document and returns what changes; `nil` when nothing does.
    ///
    /// `_created_at` is never changed, and `_updated_at` is left to the engine: both are left out of the result.
    /// - Parameters:
    ///   - matchedIndex: the array index that `$` stands for.
    ///   - now: the time of `$currentDate`.
    /// - Throws: `QueryError`: `.notApplicable` when the document does not fit the update (such as `$inc` of a text),
    ///   or when `_id` would change; `.limitExceeded`; `.corruptDocument`.
    public func changes(
        to document: RawSpan, matchedIndex: Int? = nil, now: Timestamp
    ) throws(QueryError) -> FieldChanges? {
        var working = Document()
        var id: Value?
        do throws(MessagePackError) {
            var reader = MessagePackReader(document)
            let count = try reader.readMapHead()
            for _ in 0..<count {
                let key = try reader.readKey()
                let (end, length) = (reader.position, key.byteCount)
                let isTouched = touches(document, nameAt: end - length, count: length)
                let isID = length == 3 && key.elementsEqual(Self.idName.span.bytes)
                guard isTouched || isID else {
                    try reader.skip()
                    continue
                }
                if isTouched, try !Self.holdsFewValues(document, at: end) {
                    throw MessagePackError(.truncated, at: -1)
                }
                let name = key.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
                let value = try reader.readValue()
                if isID { id = value }
                if isTouched { working[name] = .some(value) }
            }
        } catch {
            // Too many values are no error of MessagePack; its position says so.
            if error.offset < 0 {
                throw .limit("the fields of the update have more than \(Self.maximumValues) values in one document")
            }
            throw QueryError(corrupt: error)
        }
        var application = UpdateApplication(self, matchedIndex: matchedIndex, now: now, id: id)
        try application.apply(to: &working)
        return try application.changes(in: working)
    }

    /// Applies the update to a document that is about to be inserted by an upsert; `$setOnInsert` counts.
    ///
    /// - Throws: as `changes(to:matchedIndex:now:)`.
    public func apply(toNew document: inout Document, now: Timestamp) throws(QueryError) {
        let id = document["_id"]
        var application = UpdateApplication(self, matchedIndex: nil, now: now, id: id, isInsert: true)
        try application.apply(to: &document)
        if let id, document["_id"]?.isIdentical(to: id) != true { throw UpdateApplication.immutableID }
        var size = UpdateSize()
        for (_, value) in document { try size.add(value, depth: 1) }
    }

    private static let idName = Array("_id".utf8)

    /// Refuses an encoded value that would take too much memory decoded.
    ///
    /// - Throws: `.limitExceeded` for more than `maximumValues` values, `.corruptDocument`.
    public static func checkValueCount(_ value: RawSpan) throws(QueryError) {
        do throws(MessagePackError) {
            guard try holdsFewValues(value, at: 0) else {
                throw MessagePackError(.truncated, at: -1)
            }
        } catch {
            throw error.offset < 0
                ? .limit("the update has more than \(maximumValues) values") : QueryError(corrupt: error)
        }
    }

    private static func holdsFewValues(_ span: RawSpan, at offset: Int) throws(MessagePackError) -> Bool {
        let end = try span.endOfValue(at: offset)
        guard end - offset > maximumValues else { return true }  // every value has a byte at least
        var reader = MessagePackReader(span, at: offset)
        var count = 0
        while reader.position < end {
            switch try reader.readHead() {
            case .string(let length), .bytes(let length), .extended(_, let length): reader.position += length
            default: break
            }
            count += 1
            guard count <= maximumValues else { return false }
        }
        return true
    }
}
