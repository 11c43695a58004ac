import NexaProtocol
import NexaValue

extension NexaCollection {
    /// Makes an index, and returns its name when queries can use it.
    ///
    /// Writes go on meanwhile. The building goes on in the server even if this task is cancelled or the server is
    /// started again; `indexes()` tells how far it is. An index that is there already with the same definition is fine.
    /// - Parameters:
    ///   - keys: the fields, the first one deciding: `[.ascending("city"), .descending("age")]`. An array has an entry
    ///     for each of its elements; at most one of the fields of a document may be in an array.
    ///   - name: the name; of the fields and directions, such as `city_1_age_-1`, when there is none.
    ///   - unique: refuses a second document with the same values; a missing field counts as null.
    ///   - sparse: leaves out documents that have none of the fields.
    ///   - partial: leaves out documents that this filter does not mean. It may use equality, `$in`, `$gt`, `$gte`,
    ///     `$lt`, `$lte`, `$exists: true` and `$and`, and serves queries whose filter implies it.
    ///   - expireAfter: deletes documents so long after the time in the only field, a timestamp or a text such as
    ///     `_created_at`; within about a minute.
    ///   - waits: whether to return only when the index is built.
    ///   - progress: called with how far the building is, now and then.
    ///   - options: how each of the requests is made.
    /// - Throws: `NexaError`: `.duplicateKey` when a unique index finds documents with the same values (it is not made
    ///   then), `.invalidRequest` for a definition without meaning, or one whose name or fields another index has,
    ///   `.unsupported` before anything is sent when the server has no indexes.
    @discardableResult
    public func createIndex(
        _ keys: [Sort], name: String? = nil, unique: Bool = false, sparse: Bool = false, partial: Filter? = nil,
        expireAfter: Duration? = nil, waits: Bool = true, options: CallOptions = .standard,
        progress: (@Sendable (_ scanned: Int, _ total: Int) -> Void)? = nil
    ) async throws(NexaError) -> String {
        var definition: Document = [
            "keys": .array(keys.map { [.string($0.path), .int(Int64($0.direction.rawValue))] })
        ]
        if let name { definition["name"] = .string(name) }
        if unique { definition["unique"] = true }
        if sparse { definition["sparse"] = true }
        if let partial { definition["partial"] = .document(partial.document) }
        if let expireAfter { definition["expire_after"] = .int(expireAfter.components.seconds) }
        return try await createIndex(
            definition, requiring: [.indexes], waits: waits, options: options, progress: progress)
    }

    func createIndex(
        _ definition: Document, requiring required: RequiredCapabilities, waits: Bool, options: CallOptions,
        progress: (@Sendable (_ scanned: Int, _ total: Int) -> Void)?
    ) async throws(NexaError) -> String {
        let reply = try await core.reply(
            to: .createIndex(.init(namespace: namespace, definition: definition)), operation: "createIndex",
            options: options, requiring: required, isIdempotent: true)
        guard let made = try reply.fields()["index"]?.document.flatMap({ NexaIndex($0) }) else {
            throw reply.malformed("it lacks 'index'")
        }
        if waits { try await wait(until: made.name, reply.endpoint, options, progress) }
        return made.name
    }

    /// Asks how far an index is until it is ready: at least so often that the answer comes late by an eighth of the time,
    /// or of a second at most, and more often when the end is near.
    private func wait(
        until name: String, _ endpoint: String?, _ options: CallOptions,
        _ progress: (@Sendable (Int, Int) -> Void)?
    ) async throws(NexaError) {
        let began = ContinuousClock.now
        while true {
            guard let index = try await indexes(options: options).first(where: { $0.name == name }) else {
                throw NexaError(
                    .notFound, "The index was dropped while it was being built", delivery: .answered,
                    operation: "createIndex", endpoint: endpoint)
            }
            let share: Double
            switch index.state {
            case .ready: return
            case .failed(let reason):
                throw NexaError(reply: reason, code: index.failure, operation: "createIndex", endpoint: endpoint)
            case .building(let scanned, let total):
                progress?(scanned, total)
                share = Double(scanned) / Double(max(total, 1))
            }
            let pause = NexaIndex.pause(elapsed: began.duration(to: .now), share: share)
            do {
                try await Task.sleep(for: pause)
            } catch {
                throw .cancelled(delivery: .maybeExecuted)
            }
        }
    }

    /// Drops an index, in constant time.
    ///
    /// - Throws: `NexaError`: `.notFound` when there is none, `.unsupported`.
    public func dropIndex(_ name: String, options: CallOptions = .standard) async throws(NexaError) {
        _ = try await core.reply(
            to: .dropIndex(.init(namespace: namespace, name: name)), operation: "dropIndex", options: options,
            requiring: [.indexes])
    }

    /// The indexes, in the order in which they were made, with how far those are that are being built, and those that
    /// could not be built lately. (Every collection is also ordered by `_id`, which is no index of its own.)
    ///
    /// - Throws: `NexaError` when the call fails; `.unsupported` when the server has no indexes.
    public func indexes(options: CallOptions = .standard) async throws(NexaError) -> [NexaIndex] {
        let reply = try await core.reply(
            to: .listIndexes(namespace), operation: "indexes", options: options, requiring: [.indexes])
        guard let list = try reply.fields()["indexes"]?.array else { throw reply.malformed("it lacks 'indexes'") }
        return list.compactMap { $0.document.flatMap { NexaIndex($0) } }
    }

    /// How much the collection holds; nothing when there is none.
    ///
    /// - Throws: `NexaError` when the call fails; `.unsupported` when the server does not count.
    public func statistics(options: CallOptions = .standard) async throws(NexaError) -> CollectionStatistics {
        let reply = try await core.reply(
            to: .collectionStats(namespace), operation: "statistics", options: options, requiring: [.indexes])
        return CollectionStatistics(try reply.fields()["statistics"]?.document ?? [:])
    }
}

extension NexaDatabase {
    /// How much the database holds.
    ///
    /// - Throws: `NexaError` when the call fails; `.unsupported` when the server does not count.
    public func statistics(options: CallOptions = .standard) async throws(NexaError) -> DatabaseStatistics {
        let reply = try await core.reply(
            to: .databaseStats(name), operation: "statistics", options: options, requiring: [.indexes])
        return DatabaseStatistics(try reply.fields()["statistics"]?.document ?? [:])
    }
}

extension NexaQuery {
    /// Carries out the query on the server, and returns how in place of the documents.
    ///
    /// - Throws: `NexaError` as the query itself; `.unsupported` when the server does not explain.
    public func explain() async throws(NexaError) -> QueryExplanation {
        let reply = try await core.reply(
            to: .explain(request(remaining: limitCount, after: nil)), operation: "explain", options: callOptions,
            requiring: [.indexes])
        return QueryExplanation(try reply.fields()["plan"]?.document ?? [:])
    }
}

extension NexaIndex {
    /// How long to wait before asking again how far an index is.
    ///
    /// Half of the time that looking at the rest of the documents takes, if that goes on as until now, but no more than an
    /// eighth of the time until now and a quarter of a second; when all are looked at, a 32nd.
    /// - Parameter share: of the documents that were looked at.
    static func pause(elapsed: Duration, share: Double) -> Duration {
        let rest = share > 0 ? elapsed * (max(0, 1 / share - 1) / 2) : elapsed
        let pause = min(max(rest, elapsed / 32), elapsed / 8)
        return min(max(pause, .microseconds(300)), .milliseconds(250))
    }
}
