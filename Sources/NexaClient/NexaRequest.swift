import NexaProtocol
public import NexaValue

/// A request that has not been sent, for `pipeline`. Collections make them: `users.requests.read(id)`.
public struct NexaRequest<Reply: Sendable>: Sendable {
    /// What is sent to a server, which depends on what that server grants.
    struct Draft {
        var request: Request
        var required: RequiredCapabilities = []
        var isIdempotent = false
        /// The id that the client made for an insert.
        var madeID: DocumentID?
    }

    let operation: StaticString
    let draft: @Sendable (Negotiated) throws(NexaError) -> Draft
    let read: @Sendable (Answer, Draft) throws(NexaError) -> Reply

    init(
        _ operation: StaticString, draft: @escaping @Sendable (Negotiated) throws(NexaError) -> Draft,
        read: @escaping @Sendable (Answer, Draft) throws(NexaError) -> Reply
    ) {
        self.operation = operation
        self.draft = draft
        self.read = read
    }

    init(
        _ operation: StaticString, _ request: Request,
        read: @escaping @Sendable (Answer) throws(NexaError) -> Reply
    ) {
        self.init(
            operation, draft: { (_) throws(NexaError) in Draft(request: request) },
            read: { (answer, _) throws(NexaError) in try read(answer) })
    }
}

extension NexaRequest<Bool> {
    /// A sign of life; its reply is always true.
    public static var ping: NexaRequest<Bool> { NexaRequest("ping", .ping) { _ in true } }
}

extension NexaCollection {
    /// Requests to this collection, for `pipeline`.
    public var requests: NexaCollectionRequests<Model> { NexaCollectionRequests(collection: self) }
}

/// The requests that a collection can make.
public struct NexaCollectionRequests<Model: NexaModel>: Sendable {
    let collection: NexaCollection<Model>

    /// The document with an id, or `nil` when there is none.
    public func read(_ id: DocumentID) -> NexaRequest<Model?> {
        NexaRequest("read", .read(.init(namespace: collection.namespace, id: id.wireValue))) {
            (answer) throws(NexaError) -> Model? in
            guard answer.isFound else { return nil }
            guard let offset = try answer.offset("document") else { throw answer.malformed("it lacks 'document'") }
            return try answer.model(Model.self, at: offset, collection.coding)
        }
    }

    /// Inserts a document; the reply is its id.
    public func insert(_ model: Model) -> NexaRequest<DocumentID> {
        NexaRequest("insert") { (server) throws(NexaError) in
            let document = try NexaCollection<Model>.Prepared(Document.encode(model, coding: collection.coding), server)
            return .init(
                request: .insert(.init(namespace: collection.namespace, document: document.encoded)),
                required: document.required, isIdempotent: document.madeID != nil, madeID: document.madeID)
        } read: { (answer, _) throws(NexaError) in
            try answer.id("document_id")
        }
    }

    /// Sets fields of a document; the reply is false when there is no such document.
    public func update(_ id: DocumentID, set fields: Document) -> NexaRequest<Bool> {
        NexaRequest("update") { (_) throws(NexaError) in
            guard !fields.isEmpty else {
                throw NexaError(.invalidRequest, "An update sets at least one field", operation: "update")
            }
            // An original server would store operators as fields.
            let hasOperators = fields.first?.key.utf8.first == UInt8(ascii: "$")
            return .init(
                request: .update(
                    .init(namespace: collection.namespace, id: id.wireValue, updates: MessagePack.encode(fields))),
                required: hasOperators ? [.updateOperators] : [])
        } read: { (answer, _) throws(NexaError) in
            answer.isFound
        }
    }

    /// Applies update operators to a document; the reply is false when there is no such document.
    public func update(_ id: DocumentID, _ update: Update) -> NexaRequest<Bool> {
        NexaRequest("update") { (_) throws(NexaError) in
            let operators = try update.encoded()
            guard !update.arrayFilters.isEmpty else {
                return .init(
                    request: .update(.init(namespace: collection.namespace, id: id.wireValue, updates: operators)),
                    required: [.updateOperators])
            }
            let write = Request.Write(.id(id.wireValue), .update(operators), arrayFilters: update.encodedFilters)
            return .init(
                request: .updateMany(.init(namespace: collection.namespace, write: write)),
                required: [.updateOperators])
        } read: { (answer, draft) throws(NexaError) in
            guard answer.isFound, case .updateMany = draft.request else { return answer.isFound }
            return Reply.Written(try answer.fields()).matched > 0
        }
    }

    /// Applies update operators to all documents that a filter means; see `updateMany` of the collection.
    public func updateMany(_ filter: Filter, _ update: Update, upsert: Bool = false) -> NexaRequest<UpdateResult> {
        NexaRequest("updateMany") { (_) throws(NexaError) in
            .init(
                request: .updateMany(
                    .init(
                        namespace: collection.namespace,
                        write: .init(
                            filter.target, try update.action(), isMany: true, isUpsert: upsert,
                            arrayFilters: update.encodedFilters))),
                required: [.updateOperators])
        } read: { (answer, _) throws(NexaError) in
            UpdateResult(Reply.Written(try answer.fields()))
        }
    }

    /// Deletes all documents that a filter means; the reply is how many.
    public func deleteMany(_ filter: Filter) -> NexaRequest<Int> {
        NexaRequest("deleteMany") { (_) throws(NexaError) in
            .init(
                request: .deleteMany(
                    .init(namespace: collection.namespace, write: .init(filter.target, .delete, isMany: true))),
                required: [.updateOperators])
        } read: { (answer, _) throws(NexaError) in
            Reply.Written(try answer.fields()).deleted
        }
    }

    /// Deletes a document; the reply is false when there is no such document.
    public func delete(_ id: DocumentID) -> NexaRequest<Bool> {
        NexaRequest("delete", .delete(.init(namespace: collection.namespace, id: id.wireValue))) { $0.isFound }
    }

    /// How many documents a filter means. Needs a server that can count.
    public func count(_ filter: Filter = .all) -> NexaRequest<Int> {
        var query = Request.Query(namespace: collection.namespace, filter: filter.document)
        query.limit = 0
        query.isCountOnly = true
        return NexaRequest("count", .query(query)) { (answer) throws(NexaError) in
            guard let count = try answer.fields()["count"]?.int else { throw answer.malformed("it lacks 'count'") }
            return Int(count)
        }
    }
}
