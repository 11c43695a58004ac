import NexaValue

/// Why a request cannot be answered, in the words that 3.0 clients know.
public struct RequestError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What the reply's `code` says.
    public var code: ServerErrorCode
    /// What the reply's `error` says.
    public var message: String

    /// Creates an error; a malformed request unless said otherwise.
    public init(_ message: String, code: ServerErrorCode = .badRequest) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

/// Decodes the requests of one connection.
///
/// Most of them name the same collection, so the names of the last one are kept instead of being made anew.
public struct RequestDecoder: Sendable {
    private var recent = RecentNamespace()
    /// The control fields of the request that was decoded last.
    public private(set) var control = RequestControl()
    /// Whether packed vectors in a request stand for arrays of floats: the connection was granted `packed-vectors`.
    public var unpacksVectors = false

    /// Creates a decoder for a new connection.
    public init() {}

    /// Reads a request from the payload of its frame; see `Request.init(type:payload:)`.
    ///
    /// - Throws: `RequestError`, also for a type that is not served.
    public mutating func decode(_ type: MessageType, _ payload: RawSpan) throws(RequestError) -> Request {
        try Request(type: type, payload: payload, unpacksVectors: unpacksVectors, recent: &recent, control: &control)
    }
}

extension Request {
    /// Reads a request from the payload of its frame.
    ///
    /// Tolerances of the 3.0 contract: an empty payload is an empty map; `database` absent or nil is
    /// `default`; UPDATE and DELETE take `document_id` for `key`, and UPDATE `data` for `updates`; PING and
    /// the listings take any payload; unknown fields are ignored.
    /// - Throws: `RequestError`, also for a type that is not served.
    public init(type: MessageType, payload: RawSpan) throws(RequestError) {
        var decoder = RequestDecoder()
        self = try decoder.decode(type, payload)
    }

    fileprivate init(
        type: MessageType, payload: RawSpan, unpacksVectors: Bool, recent: inout RecentNamespace,
        control: inout RequestControl
    ) throws(RequestError) {
        switch type {
        case .ping: self = .ping
        case .disconnect: self = .disconnect
        case .unsubscribeChanges: self = .unsubscribe
        case .abortTransaction: self = .abortTransaction
        case .listUsers: self = .listUsers
        case .compact: self = .compact
        case .listDatabases: self = .listDatabases(viaCollections: false)
        case .connect, .create, .read, .update, .delete, .query, .batchWrite, .listCollections, .dropCollection,
            .dropDatabase, .subscribeChanges, .beginTransaction, .commitTransaction,
            .updateMany, .deleteMany, .findAndModify, .bulkWrite,
            .createUser, .deleteUser, .changePassword, .updateUser, .apiKeys,
            .backup, .importMongoDatabase, .importMongoCollection, .queryTOON, .exportTOON, .importTOON,
            .aggregate, .distinct, .createIndex, .dropIndex, .listIndexes, .explain, .collectionStats, .databaseStats,
            .vectorSearch, .buildVectorIndex, .getVectors:
            let fields = try RequestFields(payload)
            // A vector search reads the packed vector itself.
            if unpacksVectors, fields.hasPackedVectors, type != .vectorSearch {
                let unpacked = try PackedVector.unpacking(payload)
                try self.init(
                    type: type, payload: unpacked.span.bytes, unpacksVectors: false, recent: &recent, control: &control)
                return
            }
            control = Self.mayTakeLong(type) ? try RequestControl(fields) : RequestControl()
            try self.init(type: type, fields: fields, recent: &recent)
        default: throw Self.unknown(type)
        }
    }

    private static func unknown(_ type: MessageType) -> RequestError {
        guard let name = type.name, type.rawValue < 0x80 else {
            return RequestError("Unknown message type: \(type.rawValue)", code: .unsupported)
        }
        return RequestError(
            "Unknown message type: \(type.rawValue) (\(name) is not available in this server)", code: .unsupported)
    }

    private init(
        type: MessageType, fields: borrowing RequestFields, recent: inout RecentNamespace
    ) throws(RequestError) {
        switch type {
        case .connect: self = .connect(try Connect(fields))
        case .create where fields.isTrue("create_database"):
            self = .createDatabase(try fields.requiredDatabase())
        case .create:
            let missing = "Missing 'collection' or 'data' field"
            self = .insert(
                Insert(
                    namespace: try fields.namespace(missing: missing, &recent),
                    document: try fields.encodedMap("data", missing: missing), durability: try fields.durability()))
        case .read:
            let missing = "Missing 'collection' or 'key' field"
            self = .read(
                Read(namespace: try fields.namespace(missing: missing, &recent), id: try fields.id(missing: missing)))
        case .update:
            let missing = "Missing 'collection', 'key', or 'updates' field"
            self = .update(
                Update(
                    namespace: try fields.namespace(missing: missing, &recent), id: try fields.id(missing: missing),
                    updates: try fields.encodedMap(fields.isPresent("updates") ? "updates" : "data", missing: missing),
                    durability: try fields.durability()))
        case .delete:
            let missing = "Missing 'collection' or 'key' field"
            self = .delete(
                Delete(
                    namespace: try fields.namespace(missing: missing, &recent), id: try fields.id(missing: missing),
                    durability: try fields.durability()))
        case .query: self = .query(try Query(fields, &recent))
        case .batchWrite:
            let missing = "Missing 'collection' or 'documents' field"
            self = .insertMany(
                InsertMany(
                    namespace: try fields.namespace(missing: missing, &recent),
                    documents: try fields.encodedArray("documents", missing: missing),
                    durability: try fields.durability()))
        case .listCollections:
            // Old clients list the databases with `database: true`; the integer 1 counted as true.
            self =
                fields.isTrue("database")
                ? .listDatabases(viaCollections: true) : .listCollections(database: try fields.database())
        case .dropCollection where fields.isTrue("drop_database"):
            self = .dropDatabase(try fields.requiredDatabase(), viaCollection: true)
        case .dropCollection:
            self = .dropCollection(try fields.namespace(missing: "Missing 'collection' field", &recent))
        case .dropDatabase:
            self = .dropDatabase(try fields.requiredDatabase(), viaCollection: false)
        case .subscribeChanges: self = .subscribe(try Subscribe(fields))
        case .beginTransaction: self = .beginTransaction(try BeginTransaction(fields))
        case .commitTransaction: self = .commitTransaction(try CommitTransaction(fields))
        case .updateMany: self = .updateMany(try WriteOne(fields, &recent, isDeletion: false))
        case .deleteMany: self = .deleteMany(try WriteOne(fields, &recent, isDeletion: true))
        case .findAndModify: self = .findAndModify(try FindAndModify(fields, &recent))
        case .bulkWrite: self = .bulkWrite(try BulkWrite(fields, &recent))
        case .createUser: self = .createUser(try CreateUser(fields))
        case .deleteUser: self = .deleteUser(try fields.requiredUsername())
        case .changePassword: self = .changePassword(try ChangePassword(fields))
        case .updateUser: self = .updateUser(try UpdateUser(fields))
        case .apiKeys: self = .apiKeys(try APIKeys(fields))
        case .aggregate: self = .aggregate(try Aggregate(fields, &recent))
        case .distinct: self = .distinct(try Distinct(fields, &recent))
        case .backup: self = .backup(directory: try fields.backupDirectory())
        case .importMongoDatabase: self = .importMongo(try ImportMongo(fields, isCollection: false))
        case .importMongoCollection: self = .importMongo(try ImportMongo(fields, isCollection: true))
        case .queryTOON: self = .queryTOON(try QueryTOON(fields, &recent))
        case .exportTOON: self = .exportTOON(try ExportTOON(fields, &recent))
        case .importTOON: self = .importTOON(try ImportTOON(fields, &recent))
        case .createIndex: self = .createIndex(try CreateIndex(fields, &recent))
        case .dropIndex: self = .dropIndex(try DropIndex(fields, &recent))
        case .listIndexes: self = .listIndexes(try fields.namespace(missing: "Missing 'collection' field", &recent))
        case .explain: self = .explain(try Query(fields, &recent))
        case .collectionStats:
            self = .collectionStats(try fields.namespace(missing: "Missing 'collection' field", &recent))
        case .databaseStats: self = .databaseStats(try fields.database())
        case .vectorSearch: self = .vectorSearch(try VectorSearch(fields, &recent))
        case .buildVectorIndex: self = .buildVectorIndex(try BuildVectorIndex(fields, &recent))
        case .getVectors: self = .getVectors(try fields.database())
        default: throw Self.unknown(type)
        }
    }
}

extension Request.Connect {
    fileprivate init(_ fields: borrowing RequestFields) throws(RequestError) {
        let missing = RequestError("Missing 'username' or 'password' field in CONNECT message")
        guard let username = try fields.string("username"), !username.isEmpty else { throw missing }
        var capabilities: [Capability] = []
        if let list = try fields.value("capabilities", maximumByteCount: 4096)?.array {
            capabilities = list.compactMap { $0.string.map(Capability.init(rawValue:)) }
        }
        self.init(
            username: username, password: try fields.string("password"), capabilities: capabilities,
            applicationName: try fields.string("application"), scram: try fields.string("scram"))
    }
}

extension Request.Query {
    /// The largest filter, sort or projection, in bytes.
    static var maximumOptionByteCount: Int { 4 << 20 }

    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        let namespace = try fields.namespace(missing: "Missing 'collection' field", &recent)
        self.init(namespace: namespace)
        filter = try fields.document("filters", maximumByteCount: Self.maximumOptionByteCount)
        limit = try fields.count("limit") ?? Self.defaultLimit
        skip = try fields.count("skip") ?? 0
        sort = try fields.value("sort", maximumByteCount: Self.maximumOptionByteCount) ?? .null
        if fields.isFalsy("sort") { sort = .null }
        projection = try fields.document("projection", maximumByteCount: Self.maximumOptionByteCount)
        isCountOnly = fields.isTrue("count")
        page = try fields.page()
        after = try fields.value("after", maximumByteCount: 65_536)?.bytes
        hint = try fields.string("hint")
    }
}
