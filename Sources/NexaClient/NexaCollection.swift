import NexaProtocol
public import NexaValue

/// A collection of documents, read and written as `Model`. Making the value sends nothing.
public struct NexaCollection<Model: NexaModel>: Sendable {
    let namespace: Request.Namespace
    let core: ClientCore

    /// The name.
    public var name: String { namespace.collection }

    /// The same collection, read and written as another model.
    public func of<Other: NexaModel>(_ model: Other.Type) -> NexaCollection<Other> {
        NexaCollection<Other>(namespace: namespace, core: core)
    }

    // MARK: Insert

    /// Inserts a document and returns its id: its `_id` field, or one that is made.
    ///
    /// - Throws: `NexaError`: `.duplicateID` when a document with this `_id` is there, `.encoding` when the model is
    ///   no document, `.unsupported` for an `_id` on an original server, which would store it under another key.
    @discardableResult
    public func insert(
        _ model: Model, options: CallOptions = .standard
    ) async throws(NexaError) -> DocumentID {
        let document = try Document.encode(model)
        if document["_id"] != nil {
            try await core.require(.clientIDs, for: "an _id of your own", operation: "insert", options: options)
        }
        try await requireDurability(options, operation: "insert")
        let request = Request.insert(
            .init(
                namespace: namespace, document: MessagePack.encode(document), durability: options.wireDurability))
        return try await core.reply(to: request, operation: "insert", options: options).id("document_id")
    }

    /// The largest batch that is sent as one request, in documents and bytes.
    private static var batchDocuments: Int { 1000 }
    private static var batchBytes: Int { 4 << 20 }

    /// Inserts many documents, in batches of at most 1000 documents or 4 MiB.
    ///
    /// Each batch is written whole or not at all (an original server may keep the part before a bad document).
    /// After a failed batch the following ones are sent all the same; the result says what became of each document.
    /// - Throws: `NexaError` with `.encoding`, before anything is sent, when a model is no document.
    @discardableResult
    public func insert(
        contentsOf models: some Swift.Collection<Model> & Sendable, options: CallOptions = .standard
    ) async throws(NexaError) -> BulkResult {
        var documents: [[UInt8]] = []
        documents.reserveCapacity(models.count)
        var hasID = false
        for model in models {
            let document = try Document.encode(model)
            hasID = hasID || document["_id"] != nil
            documents.append(MessagePack.encode(document))
        }
        if hasID { try await core.require(.clientIDs, for: "an _id of your own", operation: "insert", options: options) }
        try await requireDurability(options, operation: "insert")
        var outcomes: [Result<DocumentID, NexaError>] = []
        outcomes.reserveCapacity(documents.count)
        var start = 0
        while start < documents.count {
            var end = start
            var bytes = 0
            repeat {
                bytes += documents[end].count
                end += 1
            } while end < documents.count && end - start < Self.batchDocuments
                && bytes + documents[end].count <= Self.batchBytes
            outcomes += await insertBatch(documents[start..<end], options: options)
            start = end
        }
        return BulkResult(outcomes: outcomes)
    }

    private func insertBatch(
        _ documents: ArraySlice<[UInt8]>, options: CallOptions
    ) async -> [Result<DocumentID, NexaError>] {
        var writer = MessagePackWriter(capacity: documents.reduce(8) { $0 + $1.count })
        writer.writeArrayHead(count: documents.count)
        for document in documents { writer.writeRaw(document) }
        let request = Request.insertMany(
            .init(namespace: namespace, documents: writer.bytes, durability: options.wireDurability))
        do throws(NexaError) {
            let reply = try await core.reply(to: request, operation: "insert", options: options)
            let ids = (try reply.fields()["document_ids"]?.array ?? []).compactMap(DocumentID.init)
            guard ids.count == documents.count else {
                throw reply.malformed("\(ids.count) ids for \(documents.count) documents")
            }
            return ids.map { .success($0) }
        } catch {
            return documents.map { _ in .failure(error) }
        }
    }

    // MARK: Read

    /// The document with an id, or `nil` when there is none.
    public subscript(id: DocumentID) -> Model? {
        get async throws(NexaError) { try await read(id) }
    }

    /// The document with an id, or `nil` when there is none.
    ///
    /// - Throws: `NexaError`: `.decoding` when the document does not fit the model.
    public func read(_ id: DocumentID, options: CallOptions = .standard) async throws(NexaError) -> Model? {
        let reply = try await core.reply(
            to: .read(.init(namespace: namespace, id: id.wireValue)), operation: "read", options: options)
        guard reply.isFound else { return nil }
        guard let bytes = try reply.encoded("document") else { throw reply.malformed("it lacks 'document'") }
        return try decodeModel(bytes, reply)
    }

    private func decodeModel(_ bytes: [UInt8], _ reply: Answer) throws(NexaError) -> Model {
        let document: Document
        do throws(MessagePackError) {
            document = try MessagePack.decodeDocument(bytes)
        } catch {
            throw reply.malformed("\(error)")
        }
        return try document.decode(Model.self)
    }

    /// The documents that a filter means. Nothing is sent before the result is iterated or collected.
    public func find(_ filter: Filter = .all) -> NexaQuery<Model> {
        NexaQuery(core: core, namespace: namespace, filter: filter)
    }

    /// The documents that a filter over the model's fields means: `users.find(where: { $0.age >= 18 })`.
    public func find(where build: (Model.Fields.Type) -> Filter) -> NexaQuery<Model> {
        find(build(Model.Fields.self))
    }

    /// How many documents a filter means.
    ///
    /// - Throws: `NexaError`: `.unsupported` on an original server, which cannot count.
    public func count(
        _ filter: Filter = .all, options: CallOptions = .standard
    ) async throws(NexaError) -> Int {
        try await core.require(.queryOptions, for: "count", operation: "count", options: options)
        let query = Request.Query(namespace: namespace, filter: filter.document, limit: 0, isCountOnly: true)
        let reply = try await core.reply(to: .query(query), operation: "count", options: options)
        guard let count = try reply.fields()["count"]?.int else { throw reply.malformed("it lacks 'count'") }
        return Int(count)
    }

    // MARK: Change

    /// Sets fields of a document, others stay; returns false when there is no such document.
    ///
    /// Fields are replaced whole at the top level, atomically for the document.
    /// - Throws: `NexaError` when the call fails.
    @discardableResult
    public func update(
        _ id: DocumentID, set fields: Document, options: CallOptions = .standard
    ) async throws(NexaError) -> Bool {
        try await requireDurability(options, operation: "update")
        let request = Request.update(
            .init(
                namespace: namespace, id: id.wireValue, updates: MessagePack.encode(fields),
                durability: options.wireDurability))
        return try await core.reply(to: request, operation: "update", options: options).isFound
    }

    /// Deletes a document; returns false when there is no such document.
    ///
    /// - Throws: `NexaError` when the call fails.
    @discardableResult
    public func delete(_ id: DocumentID, options: CallOptions = .standard) async throws(NexaError) -> Bool {
        try await requireDurability(options, operation: "delete")
        let request = Request.delete(
            .init(namespace: namespace, id: id.wireValue, durability: options.wireDurability))
        return try await core.reply(to: request, operation: "delete", options: options).isFound
    }

    /// Drops the collection with everything in it.
    ///
    /// - Throws: `NexaError` with `.notFound` when there is none.
    public func drop(_ options: CallOptions = .standard) async throws(NexaError) {
        _ = try await core.reply(to: .dropCollection(namespace), operation: "dropCollection", options: options)
    }

    private func requireDurability(_ options: CallOptions, operation: StaticString) async throws(NexaError) {
        guard options.durability != nil else { return }
        try await core.require(.durability, for: "a durability of its own", operation: operation, options: options)
    }
}

extension CallOptions {
    var wireDurability: Request.Durability? {
        switch durability {
        case .sync: .sync
        case .os: .os
        case nil: nil
        }
    }
}
