import NexaValue

/// The write calls for programs that embed the engine.
extension Engine {
    /// Inserts a document and returns its `_id`. See `insert(database:collection:document:durability:isDeferred:completion:)`.
    @discardableResult
    public func insert(
        _ document: Document, database: String = "default", collection: String, durability: Durability = .sync,
        transaction: Transaction? = nil
    ) async throws(EngineError) -> Value {
        try await answer { done in
            self.insert(
                database: database, collection: collection, document: MessagePack.encode(document),
                durability: durability, transaction: transaction, completion: done)
        }
    }

    /// Inserts documents, all or none, and returns their `_id`s.
    @discardableResult
    public func insert(
        contentsOf documents: [Document], database: String = "default", collection: String,
        durability: Durability = .sync, transaction: Transaction? = nil
    ) async throws(EngineError) -> [Value] {
        let bytes = MessagePack.encode(.array(documents.map { .document($0) }))
        return try await answer { done in
            self.insertMany(
                database: database, collection: collection, documents: bytes,
                durability: durability, transaction: transaction, completion: done)
        }
    }

    /// Merges fields into a document; false when there is no such document.
    @discardableResult
    public func update(
        id: Value, _ updates: Document, database: String = "default", collection: String,
        durability: Durability = .sync, transaction: Transaction? = nil
    ) async throws(EngineError) -> Bool {
        try await answer { done in
            self.update(
                database: database, collection: collection, id: id, updates: MessagePack.encode(updates),
                durability: durability, transaction: transaction, completion: done)
        }
    }

    /// Deletes a document; false when there is no such document.
    @discardableResult
    public func delete(
        id: Value, database: String = "default", collection: String, durability: Durability = .sync,
        transaction: Transaction? = nil
    ) async throws(EngineError) -> Bool {
        try await answer { done in
            self.delete(
                database: database, collection: collection, id: id, durability: durability, transaction: transaction,
                completion: done)
        }
    }

    /// A document by its `_id`, decoded; `nil` when there is none.
    public func document(
        id: Value, database: String = "default", collection: String
    ) throws(EngineError) -> Document? {
        var document: Document?
        var failure: MessagePackError?
        _ = try read(database: database, collection: collection, id: id) { bytes in
            do throws(MessagePackError) { document = try MessagePack.decodeDocument(bytes) } catch { failure = error }
        }
        if let failure { throw EngineError(.storage, "A stored document is damaged: \(failure)") }
        return document
    }

    /// Makes a database; succeeds when it is there already.
    public func createDatabase(_ name: String) async throws(EngineError) {
        try await answer { self.createDatabase(name, completion: $0) }
    }

    /// Makes a collection; succeeds when it is there already.
    public func createCollection(
        database: String = "default", name: String, vectorDimensions: Int? = nil
    ) async throws(EngineError) {
        try await answer { done in
            self.createCollection(
                database: database, name: name, vectorDimensions: vectorDimensions, completion: done)
        }
    }

    /// Drops a collection.
    public func dropCollection(database: String = "default", name: String) async throws(EngineError) {
        try await answer { self.dropCollection(database: database, name: name, completion: $0) }
    }

    /// Drops a database.
    public func dropDatabase(_ name: String) async throws(EngineError) {
        try await answer { self.dropDatabase(name, completion: $0) }
    }

    private func answer<Success: Sendable>(
        _ start: (@escaping @Sendable (Result<Success, EngineError>) -> Void) -> Void
    ) async throws(EngineError) -> Success {
        let result = await withCheckedContinuation { continuation in
            start { continuation.resume(returning: $0) }
        }
        return try result.get()
    }
}

extension Transaction {
    /// Makes all writes one commit; see `commit(durability:isDeferred:completion:)`.
    public func commit(durability: Durability = .sync) async throws(EngineError) {
        let result = await withCheckedContinuation { continuation in
            commit(durability: durability) { continuation.resume(returning: $0) }
        }
        try result.get()
    }
}

extension Engine {
    /// Runs a query to its end on the calling thread and decodes the result.
    public func find(
        _ filter: Document = [:], database: String = "default", collection: String,
        options: QueryOptions = QueryOptions()
    ) throws(EngineError) -> [Document] {
        let execution = try query(database: database, collection: collection, filter: filter, options: options)
        while try execution.step(budget: 4096) == .more {}
        let bytes = execution.takeDocuments()
        do throws(MessagePackError) {
            var reader = MessagePackReader(bytes.span.bytes)
            var documents: [Document] = []
            documents.reserveCapacity(execution.documentCount)
            while !reader.isAtEnd { documents.append(try reader.readDocument()) }
            return documents
        } catch {
            throw EngineError(.storage, "A stored document is damaged: \(error)")
        }
    }
}
