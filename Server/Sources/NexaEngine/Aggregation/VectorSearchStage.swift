import NexaQuery
import NexaValue

/// `$vectorSearch`, the first stage of a pipeline: its documents come from a vector search, best first.
///
/// `{path, queryVector, limit, numCandidates, filter, exact, index, scoreField}`, as in MongoDB Atlas but for the last, which
/// names a field that is set to the score. `{$meta: "vectorSearchScore"}` in later stages is the score too.
struct VectorSearchSource {
    static let name = "$vectorSearch"
    /// Carries the score to the stages that ask for it by `$meta`.
    private static let hiddenScore = "_vectorSearchScore"
    private static let required = ["queryVector", "limit"]
    private static let optional = [
        "path", "numCandidates", "filter", "exact", "index", "scoreField"
    ]

    let query: VectorQuery
    /// The name of the index to use, when one was given.
    let index: String?
    let scoreField: String?

    /// Reads the stage.
    init(_ operand: Value) throws(EngineError) {
        guard case .document(let fields) = operand else {
            throw PipelineCompiler.error("it needs a document, found \(operand.kindName)")
        }
        for name in fields.keys where !Self.required.contains(name) && !Self.optional.contains(name) {
            throw PipelineCompiler.error(
                "it has no field '\(name)'; it takes \((Self.required + Self.optional).joined(separator: ", "))")
        }
        guard let vector = fields["queryVector"].flatMap(Self.floats) else {
            throw PipelineCompiler.error("it needs 'queryVector', a list of numbers")
        }
        guard let limit = fields["limit"]?.int, limit > 0 else {
            throw PipelineCompiler.error("it needs 'limit', a whole number from 1 up")
        }
        var query = VectorQuery(vector, limit: Int(clamping: limit))
        if let path = fields["path"]?.string { query.path = path }
        query.filter = fields["filter"]?.document ?? [:]
        query.ef = fields["numCandidates"]?.int.map { Int(clamping: $0) }
        query.isExact = fields["exact"]?.bool ?? false
        // Later stages see whole documents.
        query.includesVector = true
        try query.check()
        self.query = query
        index = fields["index"]?.string
        scoreField = fields["scoreField"]?.string
    }

    private init(_ query: VectorQuery, index: String?, scoreField: String?) {
        self.query = query
        self.index = index
        self.scoreField = scoreField
    }

    private static func floats(_ value: Value) -> [Float]? {
        switch value {
        case .vector(let vector): return vector
        case .array(let values):
            let numbers = values.compactMap(\.double)
            return numbers.count == values.count ? numbers.map(Float.init) : nil
        default: return nil
        }
    }

    /// Takes the stage off the front of a pipeline; `nil` when it does not begin with it.
    static func split(
        _ stages: [Document]
    ) throws(EngineError) -> (source: VectorSearchSource, rest: [Document])? {
        guard let first = stages.first, first.count == 1, let operand: Value = first[name] else { return nil }
        let source: VectorSearchSource
        do throws(EngineError) {
            source = try VectorSearchSource(operand)
        } catch {
            throw EngineError(error.code, "Stage 0 (\(name)): \(error.message)", advice: error.advice)
        }
        var rest = Array(stages.dropFirst())
        guard let last = rest.lastIndex(where: { asksForScore(.document($0)) }) else { return (source, rest) }
        let field = source.scoreField ?? hiddenScore
        rest = rest.map { stage in
            guard case .document(let replaced) = replacing(.document(stage), by: .string("$" + field)) else {
                return stage
            }
            return replaced
        }
        if source.scoreField == nil { rest.insert(["$unset": .string(field)], at: last + 1) }
        return (VectorSearchSource(source.query, index: source.index, scoreField: field), rest)
    }

    private static func isScore(_ value: Value) -> Bool {
        guard case .document(let fields) = value, fields.count == 1 else { return false }
        return fields["$meta"] == "vectorSearchScore"
    }

    private static func asksForScore(_ value: Value) -> Bool {
        if isScore(value) { return true }
        switch value {
        case .document(let fields): return fields.contains { asksForScore($0.value) }
        case .array(let values): return values.contains { asksForScore($0) }
        default: return false
        }
    }

    private static func replacing(_ value: Value, by score: Value) -> Value {
        if isScore(value) { return score }
        switch value {
        case .document(let fields): return .document(Document(fields.map { ($0.key, replacing($0.value, by: score)) }))
        case .array(let values): return .array(values.map { replacing($0, by: score) })
        default: return value
        }
    }

    /// Searches.
    func run(_ environment: PipelineEnvironment, collection name: String) throws(EngineError) -> VectorSearchResult {
        var query = query
        query.transaction = environment.transaction
        query.maximumResultBytes = environment.maximumStageBytes
        query.checkpoint = environment.check
        if let index {
            let known = environment.engine.catalog.collection(environment.database, name)?.queryIndexes ?? []
            guard let found = known.first(where: { $0.name == index }), let field = found.vectors else {
                throw EngineError(.notFound, "Collection '\(name)' has no vector index '\(index)'")
            }
            query.path = field.path
        }
        return try environment.engine.vectorSearch(
            database: environment.database, collection: name, query)
    }

    /// The document as the next stage gets it.
    func document(_ hit: VectorSearchResult.Hit) throws(EngineError) -> [UInt8] {
        guard let scoreField else { return hit.document }
        do throws(MessagePackError) {
            var document = try MessagePack.decodeDocument(hit.document)
            document[scoreField] = .double(hit.score)
            return MessagePack.encode(document)
        } catch {
            throw EngineError(.storage, "A stored document is damaged: \(error)")
        }
    }
}

/// A vector search that a pipeline begins with.
struct PendingVectorSearch {
    let source: VectorSearchSource
    let environment: PipelineEnvironment
    let collection: String

    /// Passes what is found to the first stage.
    func run(into chain: PipelineChain) throws(EngineError) {
        let result = try source.run(environment, collection: collection)
        for hit in result.hits where !chain.first.isFull {
            let document = try source.document(hit)
            try chain.first.push(encoded: document.span.bytes)
        }
    }
}
