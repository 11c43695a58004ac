import NexaProtocol
public import NexaValue

/// What an update or a replacement did.
public struct UpdateResult: Sendable, Hashable {
    /// How many documents the filter meant.
    public var matched: Int
    /// How many of them are different now.
    public var modified: Int
    /// The id of the document that was inserted, because there was none.
    public var upsertedID: DocumentID?

    /// Creates a result.
    public init(matched: Int, modified: Int, upsertedID: DocumentID? = nil) {
        self.matched = matched
        self.modified = modified
        self.upsertedID = upsertedID
    }

    init(_ written: Reply.Written) {
        self.init(
            matched: written.matched, modified: written.modified,
            upsertedID: written.insertedID.flatMap(DocumentID.init))
    }
}

extension NexaCollection {
    /// Applies update operators to a document; returns false when there is no such document.
    ///
    /// The whole update is one atomic step, whoever else updates the document. Like all updates it is sent once: unless
    /// the options say that it is idempotent, a lost connection leaves open whether it was executed.
    /// - Throws: `NexaError`: `.invalidRequest` for operators that are none or do not fit the document, `.unsupported`
    ///   before anything is sent when the server has no update operators.
    @discardableResult
    public func update(
        _ id: DocumentID, _ update: Update, options: CallOptions = .standard
    ) async throws(NexaError) -> Bool {
        guard update.arrayFilters.isEmpty else {
            let write = Request.Write(.id(id.wireValue), try update.action(), arrayFilters: update.encodedFilters)
            return try await written(.updateMany, write, "update", options).matched > 0
        }
        let request = Request.update(
            .init(
                namespace: namespace, id: id.wireValue, updates: try update.encoded(),
                durability: options.wireDurability))
        return try await core.reply(
            to: request, operation: "update", options: options, requiring: [.updateOperators], wantsPayload: false
        ).isFound
    }

    /// Applies update operators to one document that a filter means.
    ///
    /// - Parameters:
    ///   - filter: which document; of several, any one.
    ///   - update: the operators.
    ///   - upsert: when there is none, inserts a document: what the filter demands to be equal, with the update applied.
    ///   - options: how the call is made.
    /// - Throws: `NexaError` as `update(_:_:options:)`.
    @discardableResult
    public func updateOne(
        _ filter: Filter, _ update: Update, upsert: Bool = false, options: CallOptions = .standard
    ) async throws(NexaError) -> UpdateResult {
        let write = Request.Write(
            filter.target, try update.action(), isUpsert: upsert, arrayFilters: update.encodedFilters)
        return UpdateResult(try await written(.updateMany, write, "updateOne", options))
    }

    /// Applies update operators to all documents that a filter means.
    ///
    /// Each document is updated atomically, all of them are not; use a transaction or an atomic `bulk` for that. When
    /// a document does not fit the update, those before it stay updated, and the error says how many.
    /// - Parameters:
    ///   - filter: which documents.
    ///   - update: the operators.
    ///   - upsert: when there is none, inserts a document.
    ///   - options: how the call is made.
    /// - Throws: `NexaError` as `update(_:_:options:)`.
    @discardableResult
    public func updateMany(
        _ filter: Filter, _ update: Update, upsert: Bool = false, options: CallOptions = .standard
    ) async throws(NexaError) -> UpdateResult {
        let write = Request.Write(
            filter.target, try update.action(), isMany: true, isUpsert: upsert, arrayFilters: update.encodedFilters)
        return UpdateResult(try await written(.updateMany, write, "updateMany", options))
    }

    /// Puts a document in the place of the one with an id. Its `_id` and the time of its creation stay.
    ///
    /// - Parameters:
    ///   - id: the document that goes.
    ///   - model: the document that comes; an `_id` in it has to be the same.
    ///   - upsert: when there is none, inserts the document.
    ///   - options: how the call is made.
    /// - Throws: `NexaError`: `.encoding` when the model is no document, `.unsupported`.
    @discardableResult
    public func replace(
        _ id: DocumentID, with model: Model, upsert: Bool = false, options: CallOptions = .standard
    ) async throws(NexaError) -> UpdateResult {
        let write = Request.Write(.id(id.wireValue), try replacement(model), isUpsert: upsert)
        return UpdateResult(try await written(.updateMany, write, "replace", options))
    }

    /// Puts a document in the place of one that a filter means.
    ///
    /// - Throws: `NexaError` as `replace(_:with:upsert:options:)`.
    @discardableResult
    public func replaceOne(
        _ filter: Filter, with model: Model, upsert: Bool = false, options: CallOptions = .standard
    ) async throws(NexaError) -> UpdateResult {
        let write = Request.Write(filter.target, try replacement(model), isUpsert: upsert)
        return UpdateResult(try await written(.updateMany, write, "replaceOne", options))
    }

    /// Deletes one document that a filter means; returns false when there is none.
    ///
    /// - Throws: `NexaError` when the call fails; `.unsupported` before anything is sent.
    @discardableResult
    public func deleteOne(_ filter: Filter, options: CallOptions = .standard) async throws(NexaError) -> Bool {
        try await written(.deleteMany, Request.Write(filter.target, .delete), "deleteOne", options).deleted > 0
    }

    /// Deletes all documents that a filter means, and returns how many. `.all` empties the collection.
    ///
    /// - Throws: `NexaError` when the call fails; `.unsupported` before anything is sent.
    @discardableResult
    public func deleteMany(_ filter: Filter, options: CallOptions = .standard) async throws(NexaError) -> Int {
        try await written(
            .deleteMany, Request.Write(filter.target, .delete, isMany: true), "deleteMany", options
        ).deleted
    }

    // MARK: Sending

    func replacement(_ model: Model) throws(NexaError) -> Request.Write.Action {
        .replace(MessagePack.encode(try Document.encode(model, coding: coding)))
    }

    private func written(
        _ type: MessageType, _ write: Request.Write, _ operation: StaticString, _ options: CallOptions
    ) async throws(NexaError) -> Reply.Written {
        let one = Request.WriteOne(namespace: namespace, write: write, durability: options.wireDurability)
        let reply = try await core.reply(
            to: type == .deleteMany ? .deleteMany(one) : .updateMany(one), operation: operation, options: options,
            requiring: [.updateOperators])
        return Reply.Written(try reply.fields())
    }
}

extension Filter {
    var target: Request.Write.Target { .filter(MessagePack.encode(document)) }
}

extension Update {
    /// The operators as they are sent.
    ///
    /// - Throws: `.invalidRequest` for a document without operators, which would be taken for fields.
    func encoded() throws(NexaError) -> [UInt8] {
        guard let first = document.first?.key, first.utf8.first == UInt8(ascii: "$") else {
            throw NexaError(
                .invalidRequest,
                document.isEmpty
                    ? "An update has at least one operator"
                    : "An update has operators, such as $set; '\(document[0].key)' is none", operation: "update")
        }
        return MessagePack.encode(document)
    }

    func action() throws(NexaError) -> Request.Write.Action { .update(try encoded()) }

    var encodedFilters: [UInt8] {
        arrayFilters.isEmpty ? [] : MessagePack.encode(.array(arrayFilters.map { .document($0) }))
    }
}
