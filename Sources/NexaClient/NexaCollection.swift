import NexaProtocol
public import NexaValue

/// A collection of documents, read and written as `Model`. Making the value sends nothing.
public struct NexaCollection<Model: NexaModel>: Sendable {
    let namespace: Request.Namespace
    let core: ClientCore
    /// How models are written and read.
    let coding: ModelCoding

    init(namespace: Request.Namespace, core: ClientCore, coding: ModelCoding = .standard) {
        self.namespace = namespace
        self.core = core
        self.coding = coding
    }

    /// The name.
    public var name: String { namespace.collection }

    /// The same collection, read and written as another model.
    public func of<Other: NexaModel>(
        _ model: Other.Type, coding: ModelCoding = .standard
    ) -> NexaCollection<Other> {
        NexaCollection<Other>(namespace: namespace, core: core, coding: coding)
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
        guard let offset = try reply.offset("document") else { throw reply.malformed("it lacks 'document'") }
        return try reply.model(Model.self, at: offset, coding)
    }

    /// The documents that a filter means. Nothing is sent before the result is iterated or collected.
    public func find(_ filter: Filter = .all) -> NexaQuery<Model> {
        NexaQuery(core: core, namespace: namespace, filter: filter, coding: coding)
    }

    /// The documents that a filter over the model's fields means: `users.find(where: { $0.age >= 18 })`.
    public func find(where build: (Model.Fields.Type) -> Filter) -> NexaQuery<Model> {
        find(build(Model.Fields.self))
    }

    /// How many documents a filter means.
    ///
    /// An original server cannot count: it is made to send all of them.
    /// - Throws: `NexaError`: `.unsupported` for a filter that the connected server would misunderstand.
    public func count(
        _ filter: Filter = .all, options: CallOptions = .standard
    ) async throws(NexaError) -> Int {
        let server = try await core.negotiated(options: options)
        var query = Request.Query(namespace: namespace, filter: filter.document)
        if server.granted.contains(.queryOptions) {
            query.limit = 0
            query.isCountOnly = true
        } else {
            query.limit = Request.Query.originalMaximumLimit
        }
        let reply = try await core.reply(to: .query(query), operation: "count", options: options)
        guard let count = try reply.fields()["count"]?.int else { throw reply.malformed("it lacks 'count'") }
        return Int(count)
    }

    /// How many documents a filter over the model's fields means: `users.count(where: { $0.age >= 18 })`.
    ///
    /// - Throws: `NexaError` when the call fails.
    public func count(where build: (Model.Fields.Type) -> Filter) async throws(NexaError) -> Int {
        try await count(build(Model.Fields.self))
    }

    // MARK: Change

    /// Sets fields of a document, others stay; returns false when there is no such document.
    ///
    /// Fields are replaced whole at the top level, atomically for the document.
    /// - Throws: `NexaError`: `.invalidRequest` when there is no field to set.
    @discardableResult
    public func update(
        _ id: DocumentID, set fields: Document, options: CallOptions = .standard
    ) async throws(NexaError) -> Bool {
        guard !fields.isEmpty else {
            throw NexaError(.invalidRequest, "An update sets at least one field", operation: "update")
        }
        let request = Request.update(
            .init(
                namespace: namespace, id: id.wireValue, updates: MessagePack.encode(fields),
                durability: options.wireDurability))
        // An original server would store operators as fields.
        let hasOperators = fields.first?.key.utf8.first == UInt8(ascii: "$")
        return try await core.reply(
            to: request, operation: "update", options: options, requiring: hasOperators ? [.updateOperators] : [],
            wantsPayload: false
        ).isFound
    }

    /// Deletes a document; returns false when there is no such document.
    ///
    /// - Throws: `NexaError` when the call fails.
    @discardableResult
    public func delete(_ id: DocumentID, options: CallOptions = .standard) async throws(NexaError) -> Bool {
        let request = Request.delete(
            .init(namespace: namespace, id: id.wireValue, durability: options.wireDurability))
        return try await core.reply(to: request, operation: "delete", options: options, wantsPayload: false).isFound
    }

    /// Drops the collection with everything in it.
    ///
    /// - Throws: `NexaError` with `.notFound` when there is none.
    public func drop(_ options: CallOptions = .standard) async throws(NexaError) {
        _ = try await core.reply(to: .dropCollection(namespace), operation: "dropCollection", options: options)
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
