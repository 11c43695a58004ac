import NexaProtocol
public import NexaValue

/// A list of writes to a collection, to be sent together: `users.bulk { … }`.
public struct BulkWrite<Model: NexaModel>: Sendable {
    private let coding: ModelCoding
    private let server: Negotiated
    private(set) var writes: [Request.Write] = []
    private(set) var failure: NexaError?

    init(_ coding: ModelCoding, _ server: Negotiated) {
        self.coding = coding
        self.server = server
    }

    /// The number of writes.
    public var count: Int { writes.count }

    /// Inserts a document.
    public mutating func insert(_ model: Model) {
        add { (bulk) throws(NexaError) in
            let document = try NexaCollection<Model>.Prepared(
                Document.encode(model, coding: bulk.coding), bulk.server)
            return Request.Write(.filter([]), .insert(document.encoded))
        }
    }

    /// Applies update operators to the document with an id.
    public mutating func update(_ id: DocumentID, _ update: Update, upsert: Bool = false) {
        self.update(.id(id.wireValue), update, upsert, isMany: false)
    }

    /// Applies update operators to one document that a filter means.
    public mutating func updateOne(_ filter: Filter, _ update: Update, upsert: Bool = false) {
        self.update(filter.target, update, upsert, isMany: false)
    }

    /// Applies update operators to all documents that a filter means.
    public mutating func updateMany(_ filter: Filter, _ update: Update, upsert: Bool = false) {
        self.update(filter.target, update, upsert, isMany: true)
    }

    /// Puts a document in the place of the one with an id.
    public mutating func replace(_ id: DocumentID, with model: Model, upsert: Bool = false) {
        replace(.id(id.wireValue), model, upsert)
    }

    /// Puts a document in the place of one that a filter means.
    public mutating func replaceOne(_ filter: Filter, with model: Model, upsert: Bool = false) {
        replace(filter.target, model, upsert)
    }

    /// Deletes the document with an id.
    public mutating func delete(_ id: DocumentID) { writes.append(Request.Write(.id(id.wireValue), .delete)) }

    /// Deletes one document that a filter means.
    public mutating func deleteOne(_ filter: Filter) { writes.append(Request.Write(filter.target, .delete)) }

    /// Deletes all documents that a filter means.
    public mutating func deleteMany(_ filter: Filter) {
        writes.append(Request.Write(filter.target, .delete, isMany: true))
    }

    private mutating func update(_ target: Request.Write.Target, _ update: Update, _ upsert: Bool, isMany: Bool) {
        add { (_) throws(NexaError) in
            Request.Write(
                target, try update.action(), isMany: isMany, isUpsert: upsert, arrayFilters: update.encodedFilters)
        }
    }

    private mutating func replace(_ target: Request.Write.Target, _ model: Model, _ upsert: Bool) {
        add { (bulk) throws(NexaError) in
            let document = MessagePack.encode(try Document.encode(model, coding: bulk.coding))
            return Request.Write(target, .replace(document), isUpsert: upsert)
        }
    }

    /// Adds a write; of those that cannot be made, the first one fails the whole bulk before anything is sent.
    private mutating func add(_ make: (BulkWrite) throws(NexaError) -> Request.Write) {
        do throws(NexaError) {
            writes.append(try make(self))
        } catch {
            if failure == nil { failure = error }
        }
    }
}

/// What one write of a bulk did.
public struct WriteResult: Sendable, Hashable {
    /// The id of the document that an insert or an upsert inserted.
    public var insertedID: DocumentID?
    /// How many documents were found.
    public var matched: Int
    /// How many of them are different now.
    public var modified: Int
    /// How many documents were deleted.
    public var deleted: Int

    init(_ written: Reply.Written) {
        insertedID = written.insertedID.flatMap(DocumentID.init)
        matched = written.matched
        modified = written.modified
        deleted = written.deleted
    }
}

/// What became of each write of a bulk, in the order given.
public struct BulkWriteResult: Sendable {
    /// What each write did, or why it was not made.
    public var outcomes: [Result<WriteResult, NexaError>]

    private var results: [WriteResult] { outcomes.compactMap { try? $0.get() } }

    /// The ids of the documents that inserts and upserts inserted.
    public var insertedIDs: [DocumentID] { results.compactMap(\.insertedID) }
    /// How many documents were found by updates and replacements, and deleted.
    public var matched: Int { results.reduce(0) { $0 + $1.matched } }
    /// How many documents updates and replacements changed.
    public var modified: Int { results.reduce(0) { $0 + $1.modified } }
    /// How many documents were deleted.
    public var deleted: Int { results.reduce(0) { $0 + $1.deleted } }
    /// How many writes were made.
    public var succeeded: Int { results.count }

    /// The first failure, if any.
    public var firstError: NexaError? {
        for case .failure(let error) in outcomes { return error }
        return nil
    }
}

extension NexaCollection {
    /// Makes many writes and tells what became of each.
    ///
    /// ```swift
    /// let result = try await users.bulk { bulk in
    ///     bulk.insert(ada)
    ///     bulk.update("bob", .inc("visits", 1))
    ///     bulk.deleteMany(["visits": 0])
    /// }
    /// ```
    ///
    /// Unless it is atomic, a bulk is sent in requests of at most 1000 writes or 4 MiB, one after the other.
    /// - Parameters:
    ///   - ordered: true to stop at the first write that fails. Those behind it are not made; their outcome is that
    ///     failure with the delivery `.notSent`.
    ///   - atomic: all of the writes are made, visible and durable together, or none: then the call throws.
    ///   - options: how each of the requests is made.
    ///   - build: adds the writes.
    /// - Throws: `NexaError`: `.encoding` or `.unsupported` before anything is sent; for an atomic bulk whatever failed.
    ///   What becomes of each write otherwise is in the result.
    @discardableResult
    public nonisolated(nonsending) func bulk(
        ordered: Bool = true, atomic: Bool = false, options: CallOptions = .standard,
        _ build: (inout BulkWrite<Model>) -> Void
    ) async throws(NexaError) -> BulkWriteResult {
        let server = try await core.negotiated(options: options)
        guard server.granted.contains(.updateOperators) else {
            throw NexaError.lacking([.updateOperators], server).during("bulk")
        }
        var bulk = BulkWrite<Model>(coding, server)
        build(&bulk)
        if let failure = bulk.failure { throw failure }
        let message = Request.BulkWrite(
            namespace: namespace, writes: bulk.writes, isOrdered: ordered, isAtomic: atomic,
            durability: options.wireDurability)
        guard !message.writes.isEmpty else { return BulkWriteResult(outcomes: []) }
        if atomic { return BulkWriteResult(outcomes: try await send(message, options)) }
        var outcomes: [Result<WriteResult, NexaError>] = []
        while outcomes.count < message.writes.count {
            var part = message
            part.writes = Array(message.nextPart(from: outcomes.count))
            do throws(NexaError) {
                outcomes += try await send(part, options)
            } catch {
                outcomes += Array(repeating: .failure(error), count: part.writes.count)
                if !error.isAboutItsRequest { break }
            }
            if ordered, case .failure? = outcomes.last { break }
        }
        if case .failure(let error)? = outcomes.last {
            let rest = message.writes.count - outcomes.count
            outcomes += Array(repeating: .failure(error.asNotMade), count: rest)
        }
        return BulkWriteResult(outcomes: outcomes)
    }

    private func send(
        _ message: Request.BulkWrite, _ options: CallOptions
    ) async throws(NexaError) -> [Result<WriteResult, NexaError>] {
        let reply = try await core.reply(
            to: .bulkWrite(message), operation: "bulk", options: options, requiring: [.updateOperators])
        guard let list = try reply.fields()["outcomes"]?.array, list.count == message.writes.count else {
            throw reply.malformed("it has not one outcome for each write")
        }
        var failed: NexaError?
        return list.map { outcome in
            switch Reply.WriteOutcome(outcome.document ?? [:]) {
            case .done(let written): return .success(WriteResult(written))
            case .failed(let error):
                let failure = NexaError(
                    reply: error.message, code: error.code, operation: "bulk", endpoint: reply.endpoint)
                failed = failed ?? failure
                return .failure(failure)
            case .skipped:
                let reason = failed ?? NexaError(.invalidRequest, "The write was not made", operation: "bulk")
                return .failure(reason.asNotMade)
            }
        }
    }
}

extension Request.BulkWrite {
    /// As many writes as make one request.
    fileprivate func nextPart(from start: Int) -> ArraySlice<Request.Write> {
        var end = start
        var bytes = 0
        while end < writes.count, end - start < 1000 {
            bytes += writes[end].byteCount
            if bytes > 4 << 20, end > start { break }
            end += 1
        }
        return writes[start..<end]
    }
}

extension Request.Write {
    fileprivate var byteCount: Int {
        var count = 64 + arrayFilters.count
        if case .filter(let filter) = target { count += filter.count }
        switch action {
        case .insert(let bytes), .update(let bytes), .replace(let bytes): count += bytes.count
        case .delete: break
        }
        return count
    }
}

extension NexaError {
    /// Whether another request might not meet the error.
    fileprivate var isAboutItsRequest: Bool { code == .invalidRequest || code == .limitExceeded }

    fileprivate var asNotMade: NexaError {
        NexaError(
            code, "Not made, because an earlier write failed: \(message)", delivery: .notSent, operation: operation,
            endpoint: endpoint, serverMessage: serverMessage, underlying: underlying)
    }
}
