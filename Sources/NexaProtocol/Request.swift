public import NexaValue

/// What a client asks of a server: one typed case for each message, with its encoder and decoder.
///
/// Documents stay encoded: their bytes go from the socket to the disk without becoming values.
public enum Request: Sendable, Hashable {
    case connect(Connect)
    case createDatabase(String)
    case insert(Insert)
    case read(Read)
    case update(Update)
    case delete(Delete)
    case query(Query)
    case insertMany(InsertMany)
    case ping
    case disconnect
    case listCollections(database: String)
    /// `viaCollections`: asked in the old form, LIST_COLLECTIONS with `database: true`.
    case listDatabases(viaCollections: Bool)
    case dropCollection(Namespace)
    /// `viaCollection`: asked in the old form, DROP_COLLECTION with `drop_database: true`.
    case dropDatabase(String, viaCollection: Bool)
    case subscribe(Subscribe)
    case unsubscribe
    case createIndex(CreateIndex)
    case dropIndex(DropIndex)
    case listIndexes(Namespace)
    /// Carries out the query, and returns how in place of the documents.
    case explain(Query)
    case collectionStats(Namespace)
    case vectorSearch(VectorSearch)
    case buildVectorIndex(BuildVectorIndex)
    /// GET_VECTORS of a database.
    case getVectors(String)
    case databaseStats(String)
    case beginTransaction(BeginTransaction)
    case commitTransaction(CommitTransaction)
    case abortTransaction
    case aggregate(Aggregate)
    case distinct(Distinct)
    /// UPDATE_MANY.
    case updateMany(WriteOne)
    /// DELETE_MANY.
    case deleteMany(WriteOne)
    case findAndModify(FindAndModify)
    case bulkWrite(BulkWrite)
    case createUser(CreateUser)
    case deleteUser(String)
    case listUsers
    case changePassword(ChangePassword)
    case updateUser(UpdateUser)
    case apiKeys(APIKeys)
    case backup(directory: String)
    case compact
    case importMongo(ImportMongo)
    case queryTOON(QueryTOON)
    case exportTOON(ExportTOON)
    case importTOON(ImportTOON)

    /// A collection in a database.
    public struct Namespace: Sendable, Hashable {
        /// The database; `default` when the client names none.
        public var database: String
        /// The collection.
        public var collection: String

        /// Names a collection.
        public init(database: String = "default", collection: String) {
            self.database = database
            self.collection = collection
        }
    }

    /// How safe a write must be before it is acknowledged.
    public enum Durability: String, Sendable, Hashable {
        /// On the disk: it survives a loss of power. The default.
        case sync
        /// With the operating system: it survives the end of the server process.
        case os
    }

    /// CONNECT.
    public struct Connect: Sendable, Hashable {
        /// The user; a server trusts some Unix sockets without a password.
        public var username: String
        /// The password, `nil` where the server trusts the socket.
        public var password: String?
        /// What the client would like beyond the 3.0 protocol.
        public var capabilities: [Capability]
        /// The name of the program, for the server's log.
        public var applicationName: String?
        /// A message of a SCRAM-SHA-256 exchange, in place of the password. The server answers the first one with
        /// `Reply.Challenge`, and the second one as it answers the password.
        public var scram: String?

        /// Creates the message.
        public init(
            username: String, password: String?, capabilities: [Capability] = Capability.all,
            applicationName: String? = nil, scram: String? = nil
        ) {
            self.scram = scram
            self.username = username
            self.password = password
            self.capabilities = capabilities
            self.applicationName = applicationName
        }
    }

    /// CREATE of a document.
    public struct Insert: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// The document as a MessagePack map.
        public var document: [UInt8]
        /// How safe before the reply; `nil` for the server's default.
        public var durability: Durability?

        /// Creates the message.
        public init(namespace: Namespace, document: [UInt8], durability: Durability? = nil) {
            self.namespace = namespace
            self.document = document
            self.durability = durability
        }
    }

    /// READ of a document.
    public struct Read: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// The `_id`: a string or an integer.
        public var id: Value

        /// Creates the message.
        public init(namespace: Namespace, id: Value) {
            self.namespace = namespace
            self.id = id
        }
    }

    /// UPDATE of a document: a shallow merge of fields, or update operators.
    public struct Update: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// The `_id`: a string or an integer.
        public var id: Value
        /// The fields to set, or operators (`$set`, …), as a MessagePack map.
        public var updates: [UInt8]
        /// How safe before the reply; `nil` for the server's default.
        public var durability: Durability?

        /// Creates the message.
        public init(namespace: Namespace, id: Value, updates: [UInt8], durability: Durability? = nil) {
            self.namespace = namespace
            self.id = id
            self.updates = updates
            self.durability = durability
        }
    }

    /// DELETE of a document.
    public struct Delete: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// The `_id`: a string or an integer.
        public var id: Value
        /// How safe before the reply; `nil` for the server's default.
        public var durability: Durability?

        /// Creates the message.
        public init(namespace: Namespace, id: Value, durability: Durability? = nil) {
            self.namespace = namespace
            self.id = id
            self.durability = durability
        }
    }

    /// QUERY.
    public struct Query: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// The filter; empty for every document.
        public var filter: Document
        /// At most so many documents; 0 for all of them.
        public var limit: Int
        /// Passes over so many documents first.
        public var skip: Int
        /// Path and direction (1 or -1) pairs, or a document of them; `.null` for the order of ids.
        public var sort: Value
        /// Which fields to return; empty for all.
        public var projection: Document
        /// Only the number of documents is wanted.
        public var isCountOnly: Bool
        /// Stop after so many documents or bytes and say where to go on.
        public var page: Page?
        /// Where the last page ended: the `next` of its reply.
        public var after: [UInt8]?
        /// The name of the index to use. With `indexes`.
        public var hint: String?

        /// The size of one page.
        public struct Page: Sendable, Hashable {
            /// At most so many documents.
            public var documents: Int
            /// Ends behind the document that reaches so many bytes.
            public var bytes: Int

            /// Creates a page size.
            public init(documents: Int = 1000, bytes: Int = 1 << 20) {
                self.documents = documents
                self.bytes = bytes
            }
        }

        /// The limit of a request that names none, as in 3.0.
        public static let defaultLimit = 100

        /// Creates the message.
        public init(
            namespace: Namespace, filter: Document = [:], limit: Int = Query.defaultLimit, skip: Int = 0,
            sort: Value = .null, projection: Document = [:], isCountOnly: Bool = false, page: Page? = nil,
            after: [UInt8]? = nil
        ) {
            self.namespace = namespace
            self.filter = filter
            self.limit = limit
            self.skip = skip
            self.sort = sort
            self.projection = projection
            self.isCountOnly = isCountOnly
            self.page = page
            self.after = after
        }
    }

    /// BATCH_WRITE: many inserts, all or none.
    public struct InsertMany: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// The documents as a MessagePack array of maps.
        public var documents: [UInt8]
        /// How safe before the reply; `nil` for the server's default.
        public var durability: Durability?

        /// Creates the message.
        public init(namespace: Namespace, documents: [UInt8], durability: Durability? = nil) {
            self.namespace = namespace
            self.documents = documents
            self.durability = durability
        }
    }

    /// The type of the frame that carries the request.
    public var type: MessageType {
        switch self {
        case .connect: .connect
        case .createDatabase, .insert: .create
        case .read: .read
        case .update: .update
        case .delete: .delete
        case .query: .query
        case .insertMany: .batchWrite
        case .ping: .ping
        case .disconnect: .disconnect
        case .listCollections, .listDatabases(viaCollections: true): .listCollections
        case .listDatabases: .listDatabases
        case .dropCollection, .dropDatabase(_, viaCollection: true): .dropCollection
        case .dropDatabase: .dropDatabase
        case .subscribe: .subscribeChanges
        case .unsubscribe: .unsubscribeChanges
        case .beginTransaction: .beginTransaction
        case .commitTransaction: .commitTransaction
        case .abortTransaction: .abortTransaction
        case .aggregate: .aggregate
        case .distinct: .distinct
        case .updateMany: .updateMany
        case .deleteMany: .deleteMany
        case .findAndModify: .findAndModify
        case .bulkWrite: .bulkWrite
        case .createUser: .createUser
        case .deleteUser: .deleteUser
        case .listUsers: .listUsers
        case .changePassword: .changePassword
        case .updateUser: .updateUser
        case .apiKeys: .apiKeys
        case .backup: .backup
        case .compact: .compact
        case .importMongo(let request):
            request.sourceCollection == nil ? .importMongoDatabase : .importMongoCollection
        case .queryTOON: .queryTOON
        case .exportTOON: .exportTOON
        case .importTOON: .importTOON
        case .createIndex: .createIndex
        case .dropIndex: .dropIndex
        case .listIndexes: .listIndexes
        case .explain: .explain
        case .collectionStats: .collectionStats
        case .vectorSearch: .vectorSearch
        case .buildVectorIndex: .buildVectorIndex
        case .getVectors: .getVectors
        case .databaseStats: .databaseStats
        }
    }

    /// True when sending it twice does the same as sending it once.
    public var isRead: Bool {
        switch self {
        case .read, .query, .ping, .listCollections, .listDatabases, .listUsers: true
        case .distinct, .queryTOON, .exportTOON: true
        // A cursor that goes on moves; $merge and $out write.
        case .aggregate(let aggregate): if case .begin = aggregate.step { aggregate.target == nil } else { false }
        case .listIndexes, .explain, .collectionStats, .databaseStats, .vectorSearch, .getVectors: true
        default: false
        }
    }
}
