import NexaProtocol
import Synchronization
public import NexaValue

/// The result of a pipeline: a value to iterate or collect. Nothing is sent before that.
///
/// Iterating fetches pages as they are needed, so memory holds one page, whatever the size of the result. While there
/// is more to fetch, the pipeline stands on a connection of its own; it is closed when the iteration ends in any way.
public struct NexaAggregation<Element: NexaModel>: AsyncSequence, Sendable {
    /// What iterating throws.
    public typealias Failure = NexaError

    let core: ClientCore
    let namespace: Request.Namespace
    let stages: [Stage]
    private var callOptions = CallOptions.standard
    private let coding: ModelCoding

    init(core: ClientCore, namespace: Request.Namespace, stages: [Stage], coding: ModelCoding) {
        self.core = core
        self.namespace = namespace
        self.stages = stages
        self.coding = coding
    }

    /// How each of the requests is made.
    public func options(_ options: CallOptions) -> Self {
        var copy = self
        copy.callOptions = options
        return copy
    }

    /// The same result, read as a model.
    public func of<Model: NexaModel>(_ model: Model.Type, coding: ModelCoding = .standard) -> NexaAggregation<Model> {
        NexaAggregation<Model>(core: core, namespace: namespace, stages: stages, coding: coding).options(callOptions)
    }

    /// The first document, or `nil` when there is none.
    ///
    /// - Throws: `NexaError` when the call fails or the document does not fit the model.
    public func first() async throws(NexaError) -> Element? {
        var iterator = makeAsyncIterator()
        return try await iterator.next()
    }

    /// All documents in an array.
    ///
    /// - Parameter bound: more documents than this are an error.
    /// - Throws: `NexaError`: `.limitExceeded` when there are more than `bound`.
    public func collect(upTo bound: Int = 10_000) async throws(NexaError) -> [Element] {
        var result: [Element] = []
        var iterator = makeAsyncIterator()
        while let element = try await iterator.next() {
            guard result.count < bound else {
                throw NexaError(
                    .limitExceeded,
                    "The pipeline gives more than \(bound) documents; add a limit, or collect(upTo:) more",
                    delivery: .answered, operation: "aggregate")
            }
            result.append(element)
        }
        return result
    }

    /// Carries the pipeline out and passes over what it returns, as for one that ends in `Stage.merge`.
    ///
    /// - Throws: `NexaError` when the call fails.
    public func run() async throws(NexaError) {
        var iterator = makeAsyncIterator()
        while try await iterator.next() != nil {}
    }

    /// Carries out what feeds the pipeline on the server, and returns how in place of documents: the query that its first
    /// `$match`, `$sort`, `$skip` and `$limit` are, or its `$vectorSearch`. Nothing behind that is carried out or written.
    ///
    /// - Throws: `NexaError` as the pipeline itself; `.unsupported` when the server does not explain pipelines.
    public func explain() async throws(NexaError) -> QueryExplanation {
        var request = Request.Aggregate(
            namespace: namespace, step: .begin(.array(stages.map { .document($0.document) })))
        request.isExplained = true
        let reply = try await core.reply(
            to: .aggregate(request), operation: "explain", options: callOptions,
            requiring: [.aggregation, .aggregateExplain])
        return QueryExplanation(try reply.fields()["plan"]?.document ?? [:])
    }

    /// Starts the pipeline anew.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(aggregation: self) }

    /// Fetches pages as they are needed.
    public struct AsyncIterator: AsyncIteratorProtocol {
        /// What `next` throws.
        public typealias Failure = NexaError

        private let aggregation: NexaAggregation
        private var page: NexaQuery<Element>.Page = .init()
        private var cursor: RemoteCursor?
        private var isStarted = false

        fileprivate init(aggregation: NexaAggregation) { self.aggregation = aggregation }

        /// The next document, or `nil` at the end.
        ///
        /// - Throws: `NexaError` when a request fails or a document does not fit the model.
        public mutating func next() async throws(NexaError) -> Element? {
            try await next(isolation: nil)
        }

        /// The next document, or `nil` at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(NexaError) -> Element? {
            while true {
                if let element = try page.next(Element.self, aggregation.coding) { return element }
                if !isStarted {
                    isStarted = true
                    cursor = try await RemoteCursor(
                        aggregation.core, aggregation.namespace, aggregation.stages, aggregation.callOptions)
                }
                guard let reply = try await cursor?.fetch() else {
                    cursor = nil
                    return nil
                }
                page = try .init(reply)
            }
        }
    }
}

/// A pipeline that stands on a server between two pages. Closed there when the last reference goes.
private final class RemoteCursor: Sendable {
    private struct State {
        var next: [UInt8]?
        var isDone = false
    }

    private let lease: ConnectionLease
    /// Whether the lease is the caller's own, as in a transaction, and stays.
    private let isBorrowed: Bool
    private let namespace: Request.Namespace
    private let stages: [Stage]
    private let options: CallOptions
    private let state = Mutex(State())

    init(
        _ core: ClientCore, _ namespace: Request.Namespace, _ stages: [Stage], _ options: CallOptions
    ) async throws(NexaError) {
        let server = try await core.negotiated(options: options)
        guard server.granted.contains(.aggregation) else {
            throw NexaError.lacking([.aggregation], server).during("aggregate")
        }
        isBorrowed = core.lease != nil
        lease = try await core.lease(operation: "aggregate", options: options)
        self.namespace = namespace
        self.stages = stages
        self.options = options
    }

    deinit {
        guard let next = state.withLock({ $0.isDone ? nil : $0.next }) else {
            if !isBorrowed { lease.release() }
            return
        }
        let (lease, namespace, isBorrowed) = (lease, namespace, isBorrowed)
        Task {
            let close = Request.aggregate(.init(namespace: namespace, step: .close(next)))
            do throws(NexaError) {
                _ = try await lease.core.reply(to: close, operation: "aggregate", options: .init(timeout: .seconds(5)))
            } catch {
                // What stands on the connection goes with it.
                if !isBorrowed { lease.discard() }
            }
            if !isBorrowed { lease.release() }
        }
    }

    /// The next page, or `nil` behind the last one.
    func fetch() async throws(NexaError) -> Answer? {
        let (next, isDone) = state.withLock { ($0.next, $0.isDone) }
        if isDone { return nil }
        let step: Request.Aggregate.Step =
            next.map { .goOn($0) } ?? .begin(.array(stages.map { .document($0.document) }))
        let request = Request.aggregate(.init(namespace: namespace, step: step, page: .init()))
        let reply: Answer
        do throws(NexaError) {
            reply = try await lease.core.reply(to: request, operation: "aggregate", options: options)
        } catch {
            // The server has dropped it, or is about to.
            state.withLock { $0.isDone = true }
            if error.delivery != .answered, !isBorrowed { lease.discard() }
            throw error
        }
        let following = try reply.encoded("next").flatMap { (try? MessagePack.decode($0))?.bytes }
        state.withLock { state in
            state.next = following
            state.isDone = following == nil
        }
        return reply
    }
}

extension NexaCollection {
    /// Runs a pipeline over the collection; nothing is sent before the result is iterated or collected.
    ///
    /// ```swift
    /// let towns = users.aggregate {
    ///     Stage.match(Field<Int>("age") >= 18)
    ///     Stage.group(by: "city", ["people": .count, "age": .average("age")])
    ///     Stage.sort(Sort("people", .descending))
    /// }
    /// for try await town in towns { print(town["_id"] ?? .null, town["people"] ?? .null) }
    /// ```
    public func aggregate(@PipelineBuilder _ stages: () -> [Stage]) -> NexaAggregation<Document> {
        NexaAggregation(core: core, namespace: namespace, stages: stages(), coding: .standard)
    }

    /// Runs a pipeline that is written in MongoDB's language.
    public func aggregate(_ pipeline: [Document]) -> NexaAggregation<Document> {
        NexaAggregation(core: core, namespace: namespace, stages: pipeline.map { .raw($0) }, coding: .standard)
    }

    /// The distinct values of a field; of an array each element counts.
    ///
    /// - Throws: `NexaError`: `.limitExceeded` when they take more than 16 MiB.
    public func distinct(
        _ path: String, _ filter: Filter = .all, options: CallOptions = .standard
    ) async throws(NexaError) -> [Value] {
        let request = Request.distinct(.init(namespace: namespace, field: path, filter: filter.document))
        let reply = try await core.reply(to: request, operation: "distinct", options: options)
        guard let values = try reply.fields()["values"]?.array else { throw reply.malformed("it lacks 'values'") }
        return values
    }
}
