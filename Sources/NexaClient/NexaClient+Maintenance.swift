import NexaProtocol
import NexaValue

/// A backup that a server has made.
public struct Backup: Sendable, Hashable {
    /// Where it is, on the machine of the server.
    public var directory: String
    /// The last commit in it.
    public var sequence: Int
    /// The number of its files.
    public var fileCount: Int
    /// The size of all of them, in bytes.
    public var byteCount: Int
}

extension NexaClient {
    /// The time of a call that does something with all the data: an hour, unless the options say otherwise.
    static func patient(_ options: CallOptions) -> CallOptions {
        var options = options
        if options.timeout == nil { options.timeout = .seconds(3600) }
        return options
    }

    /// Has the server make a backup on its own machine, while it goes on serving; for administrators.
    ///
    /// - Parameters:
    ///   - directory: not there yet, or empty; below the server's `--backup-directory`, where a path that is not absolute
    ///     begins. Over a Unix socket the server's own user may name any absolute path.
    ///   - options: how the call is made.
    /// - Throws: `NexaError` with `.invalidRequest` for a directory that cannot be used; `serverMessage` says why.
    @discardableResult
    public func backUp(
        to directory: String, options: CallOptions = .standard
    ) async throws(NexaError) -> Backup {
        let reply = try await core.reply(
            to: .backup(directory: directory), operation: "backUp", options: Self.patient(options),
            requiring: [.maintenance])
        let fields = try reply.fields()
        return Backup(
            directory: fields["directory"]?.string ?? directory, sequence: Int(fields["sequence"]?.int ?? 0),
            fileCount: Int(fields["files"]?.int ?? 0), byteCount: Int(fields["bytes"]?.int ?? 0))
    }

    /// Has the server rewrite its tables without what was deleted or overwritten; for administrators.
    ///
    /// - Returns: the bytes of the tables before and after.
    /// - Throws: `NexaError`.
    @discardableResult
    public func compact(_ options: CallOptions = .standard) async throws(NexaError) -> (before: Int, after: Int) {
        let reply = try await core.reply(
            to: .compact, operation: "compact", options: Self.patient(options), requiring: [.maintenance])
        let fields = try reply.fields()
        return (Int(fields["bytes_before"]?.int ?? 0), Int(fields["bytes_after"]?.int ?? 0))
    }

    /// Has the server import an export of MongoDB that lies on its own machine; for administrators.
    ///
    /// The server reads what `mongodump` and `mongoexport` write, below its `--import-directory`: `.bson` files with the
    /// indexes of their `.metadata.json`, and `.json` files with Extended JSON. ObjectIds become their text.
    /// - Parameters:
    ///   - directory: the directory of the export, such as `dump`; a path that is not absolute begins at the server's
    ///     `--import-directory`.
    ///   - source: the database in the export.
    ///   - database: where its collections go; that of the same name without one.
    ///   - dropExisting: whether collections of the same names are dropped before.
    ///   - options: how the call is made.
    /// - Throws: `NexaError` with `.invalidRequest` for an export that cannot be read; what was inserted until then stays.
    public func importMongoDatabase(
        from directory: String, database source: String, into database: String? = nil, dropExisting: Bool = false,
        options: CallOptions = .standard
    ) async throws(NexaError) -> MongoImportResult {
        let request = Request.ImportMongo(
            uri: directory, sourceDatabase: source, database: database, dropsExisting: dropExisting)
        let reply = try await core.reply(
            to: .importMongo(request), operation: "importMongoDatabase", options: Self.patient(options),
            requiring: [.maintenance])
        let fields = try reply.fields()
        return MongoImportResult(
            collections: (fields["collections"]?.array ?? []).compactMap { entry in
                guard let name = entry.document?["name"]?.string else { return nil }
                return .init(name: name, documents: Int(entry.document?["count"]?.int ?? 0))
            }, warnings: (fields["warnings"]?.array ?? []).compactMap(\.string))
    }
}

extension NexaCollection {
    /// Has the server import a collection of an export of MongoDB; see `NexaClient.importMongoDatabase`.
    ///
    /// - Parameters:
    ///   - directory: the directory of the export.
    ///   - source: the database in the export.
    ///   - collection: the collection in the export; that of the same name without one.
    ///   - dropExisting: whether this collection is dropped before.
    ///   - options: how the call is made.
    /// - Throws: `NexaError` with `.invalidRequest` for an export that cannot be read; what was inserted until then stays.
    @discardableResult
    public func importMongo(
        from directory: String, database source: String, collection: String? = nil, dropExisting: Bool = false,
        options: CallOptions = .standard
    ) async throws(NexaError) -> MongoImportResult {
        let request = Request.ImportMongo(
            uri: directory, sourceDatabase: source, sourceCollection: collection ?? name,
            database: namespace.database, collection: name, dropsExisting: dropExisting)
        let reply = try await core.reply(
            to: .importMongo(request), operation: "importMongo", options: NexaClient.patient(options),
            requiring: [.maintenance])
        let fields = try reply.fields()
        return MongoImportResult(
            collections: [.init(name: name, documents: Int(fields["documents_imported"]?.int ?? 0))],
            warnings: (fields["warnings"]?.array ?? []).compactMap(\.string))
    }
}

/// What a server has imported.
public struct MongoImportResult: Sendable, Hashable {
    /// One collection.
    public struct Collection: Sendable, Hashable {
        /// Its name.
        public var name: String
        /// The number of its documents.
        public var documents: Int
    }

    /// The collections, by name.
    public var collections: [Collection]
    /// What is not as it was in MongoDB, such as an index of a kind that there is not.
    public var warnings: [String]
}
