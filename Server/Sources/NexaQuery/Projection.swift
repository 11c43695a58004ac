public import NexaValue

/// Which fields of the found documents are returned.
///
/// As in MongoDB a projection names either the fields to include or those to leave out; only `_id` may be named
/// the other way: it is included unless it is left out explicitly. Dotted paths and nested documents reach
/// into sub-documents, and into every document of an array. Fields keep the order of the stored document.
public struct Projection: Sendable {
    /// What happens to the fields of one document.
    fileprivate final class Level: Sendable {
        let fields: [Field]

        init(_ fields: [Field]) { self.fields = fields }
    }

    fileprivate struct Field: Sendable {
        let name: FieldPath.Part
        /// Deeper fields that are named; `nil` when the whole field is.
        let inner: Level?
    }

    /// How many fields a projection may name.
    public static let maximumFields = 1000

    private let level: Level
    private let isInclusion: Bool

    /// Compiles `{field: 1, "other.inner": 1}` or `{field: 0}`. An empty projection returns whole documents.
    ///
    /// - Throws: `QueryError` when inclusion and exclusion are mixed, a value is neither a boolean nor a number, one
    ///   path lies within another, or there are too many.
    public init(compiling projection: Document) throws(QueryError) {
        var builder = ProjectionBuilder()
        try builder.add(projection, below: [], depth: 0)
        isInclusion = builder.isInclusion ?? (builder.includesID == true)
        if isInclusion ? builder.includesID != false && !builder.reachesIntoID : builder.includesID == false {
            try builder.root.insert(FieldPath("_id").parts[...], path: "_id")
        }
        level = builder.root.level()
    }

    /// True when documents are returned as they are.
    public var returnsWholeDocuments: Bool { !isInclusion && level.fields.isEmpty }

    /// Appends the projected document to a writer.
    ///
    /// - Throws: `QueryError` when the bytes are not a well-formed map; what was written then is to be discarded.
    public func apply(_ document: RawSpan, to writer: inout MessagePackWriter) throws(QueryError) {
        do throws(MessagePackError) {
            var reader = MessagePackReader(document)
            let count = try reader.readMapHead()
            if returnsWholeDocuments {
                var end = reader.position
                for _ in 0..<count * 2 { end = try document.endOfValue(at: end) }
                writer.writeRaw(document.extracting(0..<end))
            } else {
                _ = try applyToMap(level, document, at: reader.position, count: count, depth: 0, &writer)
            }
        } catch {
            throw QueryError(corrupt: error)
        }
    }

    /// Writes what is left of the fields of a map, which begin at an offset, and returns the offset behind them.
    ///
    /// The map is walked twice, because its length stands before its fields.
    private func applyToMap(
        _ level: Level, _ span: RawSpan, at first: Int, count: Int, depth: Int, _ writer: inout MessagePackWriter
    ) throws(MessagePackError) -> Int {
        var kept = 0
        var position = first
        for _ in 0..<count {
            let field = try Self.field(of: level, span, &position)
            if try keeps(field, span, at: position) { kept += 1 }
            position = try span.endOfValue(at: position)
        }
        writer.writeMapHead(count: kept)
        position = first
        for _ in 0..<count {
            let start = position
            let field = try Self.field(of: level, span, &position)
            guard try keeps(field, span, at: position) else {
                position = try span.endOfValue(at: position)
                continue
            }
            if let inner = field?.inner {
                writer.writeRaw(span.extracting(start..<position))
                position = try applyToValue(inner, span, at: position, depth: depth + 1, &writer)
            } else {
                position = try span.endOfValue(at: position)
                writer.writeRaw(span.extracting(start..<position))
            }
        }
        return position
    }

    /// Moves behind a field name and finds what the projection says about it.
    private static func field(
        of level: Level, _ span: RawSpan, _ position: inout Int
    ) throws(MessagePackError) -> Field? {
        var length = 0
        position = try span.endOfKey(at: position, length: &length)
        let start = position - length
        let prefix = span.prefixWord(at: start, count: length)
        return level.fields.first { $0.name.equals(span, at: start, count: length, prefix: prefix) }
    }

    /// Whether a field stays; its value is at an offset.
    private func keeps(_ field: Field?, _ span: RawSpan, at value: Int) throws(MessagePackError) -> Bool {
        guard let field else { return !isInclusion }
        guard field.inner != nil else { return isInclusion }
        return isInclusion ? try Self.isContainer(span, at: value) : true
    }

    /// An inclusion of inner fields drops what has none.
    private static func isContainer(_ span: RawSpan, at offset: Int) throws(MessagePackError) -> Bool {
        var reader = MessagePackReader(span, at: offset)
        switch try reader.readHead() {
        case .map, .array: return true
        default: return false
        }
    }

    /// Writes what is left of a value and returns the offset behind it.
    private func applyToValue(
        _ level: Level, _ span: RawSpan, at start: Int, depth: Int, _ writer: inout MessagePackWriter
    ) throws(MessagePackError) -> Int {
        var reader = MessagePackReader(span, at: start)
        switch try reader.readHead() {
        case .map(let count):
            return try applyToMap(level, span, at: reader.position, count: count, depth: depth, &writer)
        case .array(let count):
            guard depth < reader.limits.maximumDepth else {
                throw MessagePackError(.tooDeep(limit: reader.limits.maximumDepth), at: start)
            }
            var kept = count
            var position = reader.position
            if isInclusion {
                for _ in 0..<count {
                    if try !Self.isContainer(span, at: position) { kept -= 1 }
                    position = try span.endOfValue(at: position)
                }
            }
            writer.writeArrayHead(count: kept)
            position = reader.position
            for _ in 0..<count {
                let stays = isInclusion ? try Self.isContainer(span, at: position) : true
                position =
                    stays
                    ? try applyToValue(level, span, at: position, depth: depth + 1, &writer)
                    : try span.endOfValue(at: position)
            }
            return position
        default:
            let end = try span.endOfValue(at: start)
            writer.writeRaw(span.extracting(start..<end))
            return end
        }
    }
}

/// Collects the paths of a projection as a tree.
private struct ProjectionBuilder {
    struct Tree {
        var children: [(name: FieldPath.Part, tree: Tree)] = []
        var isWhole = false

        mutating func insert(_ parts: ArraySlice<FieldPath.Part>, path: String) throws(QueryError) {
            guard let first = parts.first else {
                if isWhole || !children.isEmpty { throw Self.collision(path) }
                isWhole = true
                return
            }
            if isWhole { throw Self.collision(path) }
            if let index = children.firstIndex(where: { $0.name == first }) {
                try children[index].tree.insert(parts.dropFirst(), path: path)
            } else {
                var tree = Tree()
                try tree.insert(parts.dropFirst(), path: path)
                children.append((first, tree))
            }
        }

        static func collision(_ path: String) -> QueryError {
            QueryError(.invalidPath, "the projection names \"\(path)\" and a part of it, or twice the same")
        }

        func level() -> Projection.Level {
            Projection.Level(
                children.map { Projection.Field(name: $0.name, inner: $0.tree.isWhole ? nil : $0.tree.level()) })
        }
    }

    var root = Tree()
    /// `nil` until a field other than `_id` decides.
    var isInclusion: Bool?
    var includesID: Bool?
    private var count = 0

    /// True when a path goes into a document that serves as `_id`.
    var reachesIntoID: Bool { root.children.contains { $0.name == FieldPath.Part("_id") } }

    mutating func add(_ projection: Document, below prefix: [FieldPath.Part], depth: Int) throws(QueryError) {
        guard depth < FieldPath.maximumParts else {
            throw .limit("the projection nests deeper than \(FieldPath.maximumParts) levels")
        }
        for (name, value) in projection {
            guard name.utf8.first != 0x24 else {
                throw QueryError(.unknownOperator, "a projection has no operators; found \(name)")
            }
            let parts = prefix + (try FieldPath(name).parts)
            if case .document(let inner) = value, !inner.isEmpty {
                try add(inner, below: parts, depth: depth + 1)
                continue
            }
            let includes: Bool
            switch value {
            case .bool(let flag): includes = flag
            case .int, .uint, .double: includes = value.double != 0
            default: throw .operand("the projection of \"\(name)\"", needs: "1 or 0, true or false", found: value)
            }
            count += 1
            guard count <= Projection.maximumFields else {
                throw .limit("the projection names more than \(Projection.maximumFields) fields")
            }
            if prefix.isEmpty, name == "_id" {
                includesID = includes
                continue
            }
            guard isInclusion == nil || isInclusion == includes else {
                throw QueryError(
                    .invalidOperand,
                    "a projection either includes fields or leaves them out; \"\(name)\" does the other thing")
            }
            isInclusion = includes
            try root.insert(parts[...], path: name)
        }
    }
}
