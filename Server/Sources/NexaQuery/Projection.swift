public import NexaValue

/// Which fields of the found documents are returned, and which are made from them.
///
/// As in MongoDB a projection names either the fields to include or those to leave out; only `_id` may be named
/// the other way: it is included unless it is left out explicitly. Dotted paths and nested documents reach
/// into sub-documents, and into every document of an array. Fields keep the order of the stored document.
///
/// - `{a: {$slice: 3}}`, `-3` or `[skip, count]` keeps some elements of an array. By itself it leaves out nothing else.
/// - `{a: {$elemMatch: {b: 1}}}` keeps the first element that fulfils the conditions. By itself it is an inclusion.
/// - `{a: {$add: ["$b", 1]}}`, `{a: "$b"}`: any other operator or value is an expression. It needs an inclusion, and is one.
public struct Projection: Sendable {
    /// How many fields a projection may name.
    public static let maximumFields = 1000

    private let level: ProjectionLevel
    private let isInclusion: Bool
    private let elements: [ProjectedElement]
    /// What an inclusion adds to the fields that it keeps, in this order.
    private let additions: [ProjectedAddition]
    private let computes: Bool
    /// Whether it has expressions or filters: one document may take a second.
    public var isCostly: Bool { computes || !elements.isEmpty }
    /// A computed field lies within another.
    private let hasNestedFields: Bool
    /// `$$NOW`.
    private let now: Timestamp

    /// Compiles `{field: 1, "other.inner": 1}`, `{field: 0}`, and operators. An empty projection returns whole documents.
    ///
    /// `$$NOW` in an expression is the moment of the compilation.
    /// - Throws: `QueryError` when inclusion and exclusion are mixed, an operator is unknown or its operands make no
    ///   sense, one path lies within another, or there are too many.
    public init(compiling projection: Document) throws(QueryError) {
        try self.init(compiling: projection, reserving: [])
    }

    /// The same for an inclusion whose computed fields somebody else adds.
    package init(compiling projection: Document, reserving paths: [[String]]) throws(QueryError) {
        var compiler = ProjectionCompiler()
        try compiler.reserve(paths)
        try compiler.add(projection)
        try compiler.finish()
        isInclusion = compiler.isInclusion
        level = compiler.tree.level(isInclusion: isInclusion)
        elements = compiler.elements
        additions = isInclusion ? compiler.additions : []
        computes = additions.contains { if case .computed = $0 { true } else { false } }
        hasNestedFields = additions.contains { if case .computed(let path, _) = $0 { path.count > 1 } else { false } }
        now = computes ? ExpressionContext().now : Timestamp(seconds: 0)
    }

    /// True when documents are returned as they are.
    public var returnsWholeDocuments: Bool { !isInclusion && level.fields.isEmpty }

    /// Appends the projected document to a writer.
    ///
    /// - Throws: `QueryError` when the bytes are not a well-formed map, or when an expression cannot work with the values
    ///   of the document; what was written then is to be discarded.
    public func apply(_ document: RawSpan, to writer: inout MessagePackWriter) throws(QueryError) {
        var found: [Range<Int>?] = []
        for element in elements { found.append(try element.range(in: document)) }
        guard !computes else { return try compute(document, found, to: &writer) }
        do throws(MessagePackError) {
            var reader = MessagePackReader(document)
            let count = try reader.readMapHead()
            if returnsWholeDocuments {
                var end = reader.position
                for _ in 0..<count * 2 { end = try document.endOfValue(at: end) }
                writer.writeRaw(document.extracting(0..<end))
            } else {
                let walk = ProjectionWalk(document, isInclusion: isInclusion, elements, found)
                try walk.apply(level, at: reader.position, count: count, additions, &writer)
            }
        } catch {
            throw QueryError(corrupt: error)
        }
    }

    /// The way for expressions: they work on values, and add to a decoded document.
    private func compute(
        _ document: RawSpan, _ found: [Range<Int>?], to writer: inout MessagePackWriter
    ) throws(QueryError) {
        var kept = MessagePackWriter(capacity: 256)
        var result: Document
        do throws(MessagePackError) {
            var reader = MessagePackReader(document)
            let count = try reader.readMapHead()
            let walk = ProjectionWalk(document, isInclusion: isInclusion, elements, found)
            try walk.apply(level, at: reader.position, count: count, [], &kept)
            result = try MessagePack.decodeDocument(kept.span)
        } catch {
            throw QueryError(corrupt: error)
        }
        // The limits are for all expressions together.
        var context = ExpressionContext(now: now)
        context.begin()
        var evaluator = ExpressionEvaluator(document)
        for addition in additions {
            switch addition {
            case .element(let number):
                guard let range = found[number] else { continue }
                do throws(MessagePackError) {
                    let element = try MessagePack.decode(document.extracting(range))
                    result[String(decoding: elements[number].name.name, as: UTF8.self)] = .some(.array([element]))
                } catch {
                    throw QueryError(corrupt: error)
                }
            case .computed(let path, let expression):
                let value = try evaluator.evaluate(expression.node, &context)
                try context.charge(value)
                result.setComputed(value, at: path[...])
            }
        }
        // One value may have come to many elements of an array.
        if hasNestedFields {
            context.begin()
            try context.charge(.document(result))
        }
        writer.write(result)
    }
}

extension Document {
    /// Sets a computed field below documents, and below each element of an array on the way; a missing value removes
    /// the field.
    package mutating func setComputed(_ value: Value?, at path: ArraySlice<String>) {
        guard let name = path.first else { return }
        let rest = path.dropFirst()
        if rest.isEmpty {
            self[name] = value
        } else if let inner = Self.setting(value, at: rest, in: self[name]) {
            self[name] = .some(inner)
        }
    }

    private static func setting(_ value: Value?, at path: ArraySlice<String>, in old: Value?) -> Value? {
        if case .array(let elements)? = old {
            return .array(elements.map { setting(value, at: path, in: $0) ?? $0 })
        }
        if value == nil, old?.document == nil { return old }
        var document = old?.document ?? [:]
        document.setComputed(value, at: path)
        return .document(document)
    }
}
