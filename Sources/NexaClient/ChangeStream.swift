import NexaProtocol
public import NexaValue

/// The changes of a collection, as they are committed.
///
/// Each change comes once and in the order of the commits, also when connections break and servers restart: the
/// stream then goes on behind the last change by itself. What cannot be had is said: a `.gap`, or an error with
/// `.changeHistoryLost`. A consumer that is slow slows its own connection down; nothing piles up.
///
/// The stream has a connection of the pool for itself, from the first change that is asked for until the iterator goes
/// or the task is cancelled. Each iterator is a subscription of its own.
public struct ChangeStream<Model: NexaModel>: AsyncSequence, Sendable {
    /// A change, and the place behind it, to be stored; `nil` from servers that have no such places.
    public typealias Element = (change: Change<Model>, token: ResumeToken?)
    /// What iterating throws.
    public typealias Failure = NexaError

    let core: ClientCore
    let request: Request.Subscribe
    let start: ChangeStart
    let callOptions: CallOptions
    let coding: ModelCoding

    /// Starts a subscription of its own.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(feed: ChangeFeed(core, request, from: start, options: callOptions), coding: coding)
    }

    /// Takes changes one by one. Not to be used by two tasks at a time.
    public struct AsyncIterator: AsyncIteratorProtocol {
        /// What `next` throws.
        public typealias Failure = NexaError

        let feed: ChangeFeed
        fileprivate let coding: ModelCoding

        /// Subscribes now instead of with the first `next`, and returns where the stream begins.
        ///
        /// What is committed after this returns is in the stream.
        /// - Throws: as `next`.
        @discardableResult
        public nonisolated(nonsending) mutating func begin() async throws(NexaError) -> ResumeToken? {
            try await feed.begin(isolation: #isolation)
            return feed.token
        }

        /// The next change; waits until there is one. Never `nil`.
        ///
        /// - Throws: `NexaError`: `.decoding` when a document does not fit the model (the next call goes on behind it);
        ///   `.changeHistoryLost`; `.cancelled`; `.permissionDenied`; `.unsupported` for what the connected server
        ///   would ignore; whatever keeps the first subscription from coming about.
        public nonisolated(nonsending) mutating func next() async throws(NexaError) -> Element? {
            try await next(isolation: #isolation)
        }

        /// The next change; waits until there is one. Never `nil`.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(NexaError) -> Element? {
            if let change = try feed.waiting() {
                return (try ChangeFeed.decode(change, as: Model.self, coding), feed.token)
            }
            return switch try await feed.next(isolation: actor) {
            case .gap(let since): (.gap(since: since), feed.token)
            case .change(let change): (try ChangeFeed.decode(change, as: Model.self, coding), feed.token)
            }
        }
    }
}

@available(*, unavailable)
extension ChangeStream.AsyncIterator: Sendable {}

/// The changes of a database or of all databases, as they are committed. Behaves as `ChangeStream` does.
public struct DatabaseChangeStream: AsyncSequence, Sendable {
    /// A change, where it happened, and the place behind it, to be stored.
    public typealias Element = (change: Change<Document>, source: ChangeSource, token: ResumeToken?)
    /// What iterating throws.
    public typealias Failure = NexaError

    let core: ClientCore
    let request: Request.Subscribe
    let start: ChangeStart
    let callOptions: CallOptions

    /// Starts a subscription of its own.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(feed: ChangeFeed(core, request, from: start, options: callOptions))
    }

    /// Takes changes one by one. Not to be used by two tasks at a time.
    public struct AsyncIterator: AsyncIteratorProtocol {
        /// What `next` throws.
        public typealias Failure = NexaError

        let feed: ChangeFeed

        /// Subscribes now instead of with the first `next`, and returns where the stream begins.
        ///
        /// - Throws: as `next`.
        @discardableResult
        public nonisolated(nonsending) mutating func begin() async throws(NexaError) -> ResumeToken? {
            try await feed.begin(isolation: #isolation)
            return feed.token
        }

        /// The next change; waits until there is one. Never `nil`.
        ///
        /// - Throws: `NexaError` as `ChangeStream` does, but for `.decoding`.
        public nonisolated(nonsending) mutating func next() async throws(NexaError) -> Element? {
            try await next(isolation: #isolation)
        }

        /// The next change; waits until there is one. Never `nil`.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(NexaError) -> Element? {
            switch try await feed.next(isolation: actor) {
            case .gap(let since): (.gap(since: since), ChangeSource(database: nil, collection: nil), feed.token)
            case .change(let change):
                (
                    try ChangeFeed.decode(change, as: Document.self, .standard),
                    ChangeSource(
                        database: change.database, collection: change.collection.isEmpty ? nil : change.collection),
                    feed.token
                )
            }
        }
    }
}

@available(*, unavailable)
extension DatabaseChangeStream.AsyncIterator: Sendable {}

// MARK: - Watching

extension NexaCollection {
    /// The changes of this collection. Nothing is sent before the stream is iterated.
    ///
    /// ```swift
    /// for try await (change, token) in users.watch([.insert], from: .now) {
    ///     if case .inserted(let id, let user) = change { print(id, user.name) }
    /// }
    /// ```
    /// An original server names no database in its events: its streams carry the changes of all collections of
    /// this name.
    /// - Parameters:
    ///   - operations: what to be told of. `dropDatabase` says nothing here: a database's end is the end of its
    ///     collections, which `dropCollection` tells.
    ///   - filter: what a document must be like after an insert or an update. Deletions and drops always come: they
    ///     leave no document to look at. Needs `resume-token`.
    ///   - start: `.after` a stored token, or now. Needs `resume-token` for a token.
    ///   - options: how long to wait for a connection and for the subscription; changes may take as long as they like.
    public func watch(
        _ operations: Set<ChangeKind> = [.insert, .update, .delete], where filter: Filter = .all,
        from start: ChangeStart = .now, options: CallOptions = .standard
    ) -> ChangeStream<Model> {
        ChangeStream(
            core: core,
            request: .init(
                collection: namespace.collection, database: namespace.database, operations: operations.wireValue,
                filter: filter.document),
            start: start, callOptions: options, coding: coding)
    }
}

extension NexaDatabase {
    /// The changes of all collections of this database, present and future. Needs `resume-token`.
    public func watch(
        _ operations: Set<ChangeKind> = [.insert, .update, .delete], where filter: Filter = .all,
        from start: ChangeStart = .now, options: CallOptions = .standard
    ) -> DatabaseChangeStream {
        DatabaseChangeStream(
            core: core,
            request: .init(database: name, operations: operations.wireValue, filter: filter.document),
            start: start, callOptions: options)
    }
}

extension NexaClient {
    /// The changes of all databases that the user may read.
    public func watch(
        _ operations: Set<ChangeKind> = [.insert, .update, .delete], where filter: Filter = .all,
        from start: ChangeStart = .now, options: CallOptions = .standard
    ) -> DatabaseChangeStream {
        DatabaseChangeStream(
            core: core, request: .init(operations: operations.wireValue, filter: filter.document), start: start,
            callOptions: options)
    }
}

extension Set<ChangeKind> {
    fileprivate var wireValue: Value { .array(map(\.rawValue).sorted().map { .string($0) }) }
}
