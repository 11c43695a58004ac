import NexaQuery
import NexaValue

/// How an aggregation is carried out.
public struct AggregationOptions: Sendable {
    /// Reads what this transaction sees.
    public var transaction: Transaction?
    /// Bytes that one stage may keep: a sort beyond goes to the disk, other stages fail. Default 100 MiB.
    public var maximumStageBytes = 100 << 20
    /// Asked now and then by stages that take long; throws to end the work.
    public var check: @Sendable () throws(EngineError) -> Void = {}

    /// Creates the defaults.
    public init() {}
}

/// An aggregation on its way: a source of documents and stages behind it, moved on in steps like a `QueryExecution`.
///
/// `@unchecked Sendable`: it is used by one thread at a time, which may change between two steps; whoever hands it over
/// provides the order.
public final class AggregationExecution: @unchecked Sendable {
    private let source: QueryExecution
    private let chain: PipelineChain
    private let collector: CollectorStage
    /// Where the documents come from in place of the query.
    let vectorSearch: PendingVectorSearch?
    /// The stages behind the source.
    let laterStages: [Document]
    private var isSourceDone = false
    private var isDone = false

    /// The query that the front of the pipeline became.
    public var query: QueryExecution { source }
    /// Bytes of the result that were collected and not taken.
    public var collectedBytes: Int { collector.writer.count }
    /// Documents of the result that were collected and not taken.
    public var collectedCount: Int { collector.count }

    init(
        _ environment: PipelineEnvironment, collection: String, stages: [Document], isInner: Bool = false
    ) throws(EngineError) {
        var stages = stages
        let front: PipelineFront
        let rest: [Document]
        if !isInner, let search = try VectorSearchSource.split(stages) {
            vectorSearch = PendingVectorSearch(
                source: search.source, environment: environment, collection: collection)
            stages = search.rest
            front = PipelineFront.nothing
            rest = search.rest
        } else {
            vectorSearch = nil
            (front, rest) = try PipelineFront.split(stages, environment)
        }
        laterStages = rest
        let compiler = PipelineCompiler(environment: environment, depth: isInner ? 1 : 0)
        // The front as well, so that its mistakes are told by the number of the stage; an inner one was compiled before.
        if !isInner { _ = try compiler.stages(stages) }
        let collector = CollectorStage(environment)
        self.collector = collector
        let chain = PipelineChain(try compiler.stages(rest), last: collector)
        self.chain = chain
        source = try environment.engine.query(
            database: environment.database, collection: collection, filter: front.filter, options: front.options)
        source.sink = { (document) throws(EngineError) in
            try chain.first.push(encoded: document)
            return !chain.first.isFull
        }
        if let stage = chain.first as? GroupStage, stage.canBeShared {
            source.groups = (stage, { () throws(EngineError) in try Self.part(of: stage, rest.first, compiler.depth) })
        }
    }

    /// The stage once more, with an environment of its own, for another thread.
    private static func part(
        of stage: GroupStage, _ definition: Document?, _ depth: Int
    ) throws(EngineError) -> GroupStage? {
        guard let definition else { return nil }
        let compiler = PipelineCompiler(environment: stage.environment.adding([:]), depth: depth)
        let part = try compiler.stages([definition]).first as? GroupStage
        if let part { stage.share(with: part) }
        return part
    }

    /// Looks at about `budget` documents.
    ///
    /// - Throws: `.badRequest` for a value that an operator cannot work with, `.limit`, `.storage`, and what the
    ///   options' `check` throws.
    public func step(budget: Int) throws(EngineError) -> QueryExecution.Progress {
        guard !isDone else { return .done }
        do throws(EngineError) {
            if !isSourceDone {
                try vectorSearch?.run(into: chain)
                if !chain.first.isFull, try source.step(budget: budget) == .more { return .more }
                isSourceDone = true
                try chain.first.end()
            } else if try !chain.drainSome(budget) {
                isDone = true
            }
        } catch {
            isDone = true
            throw error
        }
        return isDone ? .done : .more
    }

    /// The encoded documents that were collected, one behind the other.
    public func take() -> (documents: [UInt8], count: Int) { collector.take() }
}

/// The stages at the front of a pipeline that are a query: it can use indexes.
struct PipelineFront {
    var filter: Document = [:]
    var options = QueryOptions()

    /// Finds nothing.
    static var nothing: PipelineFront { PipelineFront(filter: ["_id": ["$in": []]]) }

    static func split(
        _ stages: [Document], _ environment: PipelineEnvironment
    ) throws(EngineError) -> (PipelineFront, rest: [Document]) {
        var front = PipelineFront()
        front.options.transaction = environment.transaction
        front.options.maximumSortBytes = environment.maximumStageBytes
        var rest = stages[...]
        var filters: [Value] = []
        // A condition with variables of a pipeline around belongs to a stage.
        while let filter = rest.first?["$match"]?.document,
            filter["$expr"] == nil || environment.variableNames.isEmpty
        {
            filters.append(.document(filter))
            rest.removeFirst()
        }
        if filters.count == 1 { front.filter = filters[0].document ?? [:] }
        if filters.count > 1 { front.filter = ["$and": .array(filters)] }
        if let sort: Value = rest.first?["$sort"] {
            front.options.sort = sort
            rest.removeFirst()
        }
        if let skip = rest.first?["$skip"]?.int, skip >= 0 {
            front.options.skip = Int(clamping: skip)
            rest.removeFirst()
        }
        if let limit = rest.first?["$limit"]?.int, limit > 0 {
            front.options.limit = Int(clamping: limit)
            rest.removeFirst()
        }
        return (front, Array(rest))
    }
}

extension Engine {
    /// Begins an aggregation. Nothing is looked at before the first `step`.
    ///
    /// What the pipeline begins with of `$match`, `$sort`, `$skip` and `$limit` is a query, and uses indexes.
    /// - Throws: `.badRequest` for a pipeline that makes no sense, naming the stage; `.limit` for one that is too large.
    public func aggregate(
        database: String, collection: String, pipeline: Value, options: AggregationOptions = AggregationOptions()
    ) throws(EngineError) -> AggregationExecution {
        let now = WallClock.now()
        let environment = PipelineEnvironment(
            self, database: database, transaction: options.transaction, maximumStageBytes: options.maximumStageBytes,
            context: ExpressionContext(
                now: Timestamp(seconds: Int64(now.seconds), nanoseconds: UInt32(now.nanoseconds))),
            check: options.check)
        return try AggregationExecution(
            environment, collection: collection, stages: try PipelineCompiler.documents(pipeline))
    }

    /// Runs a pipeline to its end on the calling thread and decodes the result.
    public func aggregate(
        _ pipeline: [Document], database: String = "default", collection: String,
        options: AggregationOptions = AggregationOptions()
    ) throws(EngineError) -> [Document] {
        let execution = try aggregate(
            database: database, collection: collection, pipeline: .array(pipeline.map { .document($0) }),
            options: options)
        while try execution.step(budget: 4096) == .more {}
        return try AggregationExecution.decode(execution.take().documents)
    }
}

extension AggregationExecution {
    /// The documents that lie one behind the other.
    static func decode(_ bytes: [UInt8]) throws(EngineError) -> [Document] {
        do throws(MessagePackError) {
            var reader = MessagePackReader(bytes.span.bytes)
            var documents: [Document] = []
            while !reader.isAtEnd { documents.append(try reader.readDocument()) }
            return documents
        } catch {
            throw EngineError(.storage, "A stored document is damaged: \(error)")
        }
    }
}
