import NexaQuery
import NexaValue

/// A pipeline over a collection, carried out for a stage of another pipeline.
struct InnerPipeline {
    let collection: String
    let stages: [Document]

    /// Pushes every document of the result.
    func run(
        in environment: PipelineEnvironment, filter: Document = [:], _ body: (Document) throws(EngineError) -> Void
    ) throws(EngineError) {
        let all = filter.isEmpty ? stages : [["$match": .document(filter)]] + stages
        let execution = try AggregationExecution(environment, collection: collection, stages: all, isInner: true)
        var progress = QueryExecution.Progress.more
        while progress == .more {
            try environment.check()
            progress = try execution.step(budget: 1024)
            let (bytes, _) = execution.take()
            for document in try AggregationExecution.decode(bytes) { try body(document) }
        }
    }
}

/// `$lookup`: the documents of another collection that belong to each document, as an array.
final class LookupStage: PipelineStage {
    private let inner: InnerPipeline
    private let field: [String]
    /// Equality of a field here and one there.
    private let match: (local: Expression, foreign: String)?
    private let variables: [(name: String, value: Expression)]

    init(
        _ environment: PipelineEnvironment, _ inner: InnerPipeline, as field: [String],
        match: (local: Expression, foreign: String)?, variables: [(name: String, value: Expression)]
    ) {
        self.inner = inner
        self.field = field
        self.match = match
        self.variables = variables
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) {
        var values: [String: Value] = [:]
        for (name, expression) in variables { values[name] = try environment.evaluate(expression, document) ?? .null }
        var filter: Document = [:]
        if let match {
            let value = try environment.evaluate(match.local, document) ?? .null
            // Each element of an array is looked for, as in MongoDB.
            if case .array(let elements) = value {
                filter = [match.foreign: ["$in": .array(elements)]]
            } else {
                filter = [match.foreign: ["$eq": value]]
            }
        }
        var found: [Value] = []
        var bytes = 0
        let scope = values.isEmpty ? environment : environment.adding(values)
        try inner.run(in: scope, filter: filter) { (other) throws(EngineError) in
            bytes += Value.document(other).estimatedBytes
            guard bytes <= self.environment.maximumStageBytes else { throw self.environment.tooLarge("$lookup") }
            found.append(.document(other))
        }
        var result = document
        result.setNested(.array(found), at: field[...])
        try next?.push(result)
    }
}

/// `$unionWith`: the documents of another collection behind those of this one.
final class UnionStage: PipelineStage {
    private let inner: InnerPipeline

    init(_ environment: PipelineEnvironment, _ inner: InnerPipeline) {
        self.inner = inner
        super.init(environment)
    }

    override func push(encoded document: RawSpan) throws(EngineError) { try next?.push(encoded: document) }

    override func end() throws(EngineError) {
        try inner.run(in: environment) { (document) throws(EngineError) in
            if !self.isFull { try self.next?.push(document) }
        }
        try next?.end()
    }
}

/// `$facet`: several pipelines over the same documents; one document with an array for each.
final class FacetStage: PipelineStage {
    private let facets: [(name: String, chain: PipelineChain, list: ListStage)]

    init(_ environment: PipelineEnvironment, _ facets: [(name: String, stages: [PipelineStage])]) {
        self.facets = facets.map { name, stages in
            let list = ListStage(environment, of: "$facet")
            return (name, PipelineChain(stages, last: list), list)
        }
        super.init(environment)
    }

    override var isFull: Bool { facets.allSatisfy { $0.chain.first.isFull } }

    override func push(_ document: Document) throws(EngineError) {
        for facet in facets where !facet.chain.first.isFull { try facet.chain.first.push(document) }
    }

    override func push(encoded document: RawSpan) throws(EngineError) {
        for facet in facets where !facet.chain.first.isFull { try facet.chain.first.push(encoded: document) }
    }

    override func end() throws(EngineError) {
        var result = Document()
        for (name, chain, list) in facets {
            try chain.first.end()
            while try chain.drainSome(1024) { try environment.check() }
            result[name] = .array(list.take())
        }
        try next?.push(result)
        try next?.end()
    }
}

/// `$merge`: writes the documents into a collection, by their `_id`.
final class MergeStage: PipelineStage {
    enum Matched: String { case replace, merge, keepExisting, fail }
    enum Unmatched: String { case insert, discard, fail }

    private let target: String
    private let matched: Matched
    private let unmatched: Unmatched
    private var waiting: [Document] = []

    init(_ environment: PipelineEnvironment, into target: String, matched: Matched, unmatched: Unmatched) {
        self.target = target
        self.matched = matched
        self.unmatched = unmatched
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) {
        waiting.append(document)
        if waiting.count >= 256 { try write() }
    }

    override func end() throws(EngineError) {
        try write()
        try next?.end()
    }

    private func write() throws(EngineError) {
        let documents = waiting
        waiting = []
        guard !documents.isEmpty else { return }
        try environment.check()
        let engine = environment.engine
        let (matched, unmatched) = (matched, unmatched)
        try engine.merge(
            documents, database: environment.database, collection: target, transaction: environment.transaction
        ) { (stamped, old) throws(EngineError) -> [UInt8]? in
            guard let old else {
                switch unmatched {
                case .insert: return stamped.bytes
                case .discard: return nil
                case .fail:
                    throw EngineError(.notFound, "$merge found no document with the _id '\(stamped.id.idText)'")
                }
            }
            switch matched {
            case .keepExisting: return nil
            case .fail:
                throw EngineError(.duplicateID, "$merge found a document with the _id '\(stamped.id.idText)' already")
            case .replace, .merge:
                let stamping = engine.stamping(0)
                return try matched == .merge
                    ? stamping.merge(stamped.bytes.span.bytes, into: old.span.bytes, id: stamped.id)
                    : stamping.replace(old.span.bytes, by: stamped.bytes.span.bytes, id: stamped.id)?.bytes
            }
        }
    }
}
