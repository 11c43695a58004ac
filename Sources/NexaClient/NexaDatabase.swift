import NexaProtocol
public import NexaValue

/// A database of a client. Making the value sends nothing.
public struct NexaDatabase: Sendable {
    /// The name.
    public let name: String
    let core: ClientCore

    /// A collection of free documents.
    public func collection(_ name: String) -> NexaCollection<Document> {
        NexaCollection(namespace: .init(database: self.name, collection: name), core: core)
    }

    /// A collection of documents that are read and written as a model.
    ///
    /// - Parameters:
    ///   - name: the name of the collection.
    ///   - model: the type to read and write.
    ///   - coding: how properties become fields; `Date`, `UUID` and `Data` included.
    public func collection<Model: NexaModel>(
        _ name: String, of model: Model.Type, coding: ModelCoding = .standard
    ) -> NexaCollection<Model> {
        NexaCollection(namespace: .init(database: self.name, collection: name), core: core, coding: coding)
    }

    /// A collection of free documents.
    public subscript(name: String) -> NexaCollection<Document> { collection(name) }

    /// The names of the collections, in order; none for a database that does not exist.
    ///
    /// - Throws: `NexaError` when the call fails.
    public func collectionNames(_ options: CallOptions = .standard) async throws(NexaError) -> [String] {
        let reply = try await core.reply(
            to: .listCollections(database: name), operation: "collectionNames", options: options)
        return try reply.names("collections")
    }

    /// Creates the database. It is no error when it exists; the first insert creates it as well.
    ///
    /// - Throws: `NexaError` when the user is no admin or the name is not allowed.
    public func create(_ options: CallOptions = .standard) async throws(NexaError) {
        _ = try await core.reply(to: .createDatabase(name), operation: "createDatabase", options: options)
    }

    /// Creates an empty collection. It is no error when it exists; the first insert creates it as well.
    ///
    /// - Throws: `NexaError` when the user may not write or the name is not allowed.
    public func createCollection(
        _ name: String, options: CallOptions = .standard
    ) async throws(NexaError) {
        // The document by which every client of NexaDB 3.0 creates a collection.
        let marker: Document = [
            "_nexadb_collection_marker": true, "price": -999_999, "name": "_collection_marker", "value": -999_999,
            "type": "_marker"
        ]
        let request = Request.insert(
            .init(namespace: .init(database: self.name, collection: name), document: MessagePack.encode(marker)))
        _ = try await core.reply(to: request, operation: "createCollection", options: options)
    }

    /// Drops the database with everything in it.
    ///
    /// - Throws: `NexaError` with `.notFound` when there is none; the database `default` cannot be dropped.
    public func drop(_ options: CallOptions = .standard) async throws(NexaError) {
        _ = try await core.reply(
            to: .dropDatabase(name, viaCollection: false), operation: "dropDatabase", options: options)
    }
}
