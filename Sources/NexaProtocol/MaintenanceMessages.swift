import NexaValue

extension Request {
    /// IMPORT_MONGODB_DB, and with a collection IMPORT_MONGODB_COLLECTION: reads an export that lies on the server.
    public struct ImportMongo: Sendable, Hashable {
        /// Where the export is: `file:///directory`, or a path. A `mongodb://` address is not read.
        public var uri: String
        /// The database in the export.
        public var sourceDatabase: String
        /// The collection in the export; `nil` for all.
        public var sourceCollection: String?
        /// Where the documents go.
        public var database: String
        /// The collection where they go; that of the export when all are imported.
        public var collection: String?
        /// Whether collections of the same names are dropped before.
        public var dropsExisting: Bool

        /// Creates the message.
        public init(
            uri: String, sourceDatabase: String, sourceCollection: String? = nil, database: String? = nil,
            collection: String? = nil, dropsExisting: Bool = false
        ) {
            self.uri = uri
            self.sourceDatabase = sourceDatabase
            self.sourceCollection = sourceCollection
            self.database = database ?? (sourceCollection == nil ? sourceDatabase : "default")
            self.collection = collection ?? sourceCollection
            self.dropsExisting = dropsExisting
        }
    }
}

extension Request.ImportMongo {
    init(_ fields: borrowing RequestFields, isCollection: Bool) throws(RequestError) {
        let missing = RequestError(
            isCollection
                ? "Missing required fields: 'mongodb_uri', 'mongodb_database', or 'mongodb_collection'"
                : "Missing 'mongodb_uri' or 'mongodb_database' field")
        guard fields.isPresent("mongodb_uri"), fields.isPresent("mongodb_database"),
            let uri = try fields.string("mongodb_uri"), let source = try fields.string("mongodb_database")
        else { throw missing }
        var sourceCollection: String?
        if isCollection {
            guard fields.isPresent("mongodb_collection") else { throw missing }
            sourceCollection = try fields.string("mongodb_collection")
        }
        self.init(
            uri: uri, sourceDatabase: source, sourceCollection: sourceCollection,
            database: fields.isPresent("nexadb_database") ? try fields.string("nexadb_database") : nil,
            collection: isCollection && fields.isPresent("nexadb_collection")
                ? try fields.string("nexadb_collection") : nil,
            dropsExisting: fields.isTrue("drop_existing"))
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields: Document = [
            "mongodb_uri": .string(uri), "mongodb_database": .string(sourceDatabase),
            "nexadb_database": .string(database), "drop_existing": .bool(dropsExisting)
        ]
        if let sourceCollection { fields["mongodb_collection"] = .string(sourceCollection) }
        if let collection { fields["nexadb_collection"] = .string(collection) }
        writer.write(fields)
    }
}

extension RequestFields {
    /// Where a backup goes.
    func backupDirectory() throws(RequestError) -> String {
        guard isPresent("directory"), let directory = try string("directory") else {
            throw RequestError("Missing 'directory' field")
        }
        return directory
    }
}
