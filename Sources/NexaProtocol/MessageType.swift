/// The type byte of a frame.
///
/// A struct and not an enum: a peer may send any byte, and later versions know more of them.
public struct MessageType: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The byte on the wire.
    public let rawValue: UInt8
    /// Wraps a byte, known or not.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    // Requests.
    /// Logs in and negotiates capabilities.
    public static let connect = MessageType(rawValue: 0x01)
    /// Inserts a document, or creates a database or a collection.
    public static let create = MessageType(rawValue: 0x02)
    /// Reads a document by its id.
    public static let read = MessageType(rawValue: 0x03)
    /// Merges fields into a document.
    public static let update = MessageType(rawValue: 0x04)
    /// Deletes a document by its id.
    public static let delete = MessageType(rawValue: 0x05)
    /// Finds documents by a filter.
    public static let query = MessageType(rawValue: 0x06)
    /// Finds the documents whose vectors are nearest to a given one.
    public static let vectorSearch = MessageType(rawValue: 0x07)
    /// Inserts many documents, all or none.
    public static let batchWrite = MessageType(rawValue: 0x08)
    /// Asks for a sign of life.
    public static let ping = MessageType(rawValue: 0x09)
    /// Says goodbye.
    public static let disconnect = MessageType(rawValue: 0x0A)
    /// Finds documents by a filter and returns them as TOON text.
    public static let queryTOON = MessageType(rawValue: 0x0B)
    /// Returns a whole collection as TOON text.
    public static let exportTOON = MessageType(rawValue: 0x0C)
    /// Stores the documents of a TOON text, all or none.
    public static let importTOON = MessageType(rawValue: 0x0D)
    /// Lists the collections of a database (or, in one old form, the databases).
    public static let listCollections = MessageType(rawValue: 0x20)
    /// Drops a collection (or, in one old form, a database).
    public static let dropCollection = MessageType(rawValue: 0x21)
    /// Tells how many vectors the collections of a database hold.
    public static let getVectors = MessageType(rawValue: 0x23)
    /// Subscribes to change events.
    public static let subscribeChanges = MessageType(rawValue: 0x30)
    /// Ends the subscription.
    public static let unsubscribeChanges = MessageType(rawValue: 0x31)
    /// Lists the databases.
    public static let listDatabases = MessageType(rawValue: 0x40)
    /// Drops a database.
    public static let dropDatabase = MessageType(rawValue: 0x42)
    /// Builds the vector index of a collection anew.
    public static let buildVectorIndex = MessageType(rawValue: 0x45)

    // Users: codes of 3.0.
    /// Makes a user.
    public static let createUser = MessageType(rawValue: 0x0E)
    /// Removes a user.
    public static let deleteUser = MessageType(rawValue: 0x0F)
    /// Lists the users.
    public static let listUsers = MessageType(rawValue: 0x10)
    /// Gives a user another password.
    public static let changePassword = MessageType(rawValue: 0x11)
    /// Sizes and counts of a collection; a code that clients of 3.0 knew and its server did not.
    public static let collectionStats = MessageType(rawValue: 0x22)
    /// Sizes and counts of a database; a code that clients of 3.0 knew and its server did not.
    public static let databaseStats = MessageType(rawValue: 0x43)
    /// Imports a database of a MongoDB export.
    public static let importMongoDatabase = MessageType(rawValue: 0x50)
    /// Imports a collection of a MongoDB export.
    public static let importMongoCollection = MessageType(rawValue: 0x51)

    // Negotiated requests, beyond 3.0.
    /// Runs an aggregation pipeline.
    public static let aggregate = MessageType(rawValue: 0x60)
    /// Lists the distinct values of a field.
    public static let distinct = MessageType(rawValue: 0x61)
    /// Says how a query or a pipeline is, or would be, carried out.
    public static let explain = MessageType(rawValue: 0x62)
    /// Updates or replaces the documents that a filter means.
    public static let updateMany = MessageType(rawValue: 0x63)
    /// Deletes the documents that a filter means.
    public static let deleteMany = MessageType(rawValue: 0x64)
    /// Changes one document and returns it as it was or as it is.
    public static let findAndModify = MessageType(rawValue: 0x65)
    /// Carries out many writes with an outcome for each.
    public static let bulkWrite = MessageType(rawValue: 0x66)
    /// Makes an index.
    public static let createIndex = MessageType(rawValue: 0x68)
    /// Drops an index.
    public static let dropIndex = MessageType(rawValue: 0x69)
    /// Lists the indexes of a collection, with the progress of those being built.
    public static let listIndexes = MessageType(rawValue: 0x6A)
    /// Begins a transaction on the connection.
    public static let beginTransaction = MessageType(rawValue: 0x70)
    /// Commits the transaction of the connection.
    public static let commitTransaction = MessageType(rawValue: 0x71)
    /// Aborts the transaction of the connection.
    public static let abortTransaction = MessageType(rawValue: 0x72)
    /// Cancels a request of the connection that is being worked on; has no reply.
    public static let cancel = MessageType(rawValue: 0x73)
    /// Changes the role and the grants of a user.
    public static let updateUser = MessageType(rawValue: 0x74)
    /// Makes, lists or revokes API keys.
    public static let apiKeys = MessageType(rawValue: 0x75)
    /// Makes a backup of the data directory while it is in use.
    public static let backup = MessageType(rawValue: 0x78)
    /// Compacts the tables.
    public static let compact = MessageType(rawValue: 0x79)

    // Replies.
    /// The request was done.
    public static let success = MessageType(rawValue: 0x81)
    /// The request failed; the payload says why.
    public static let error = MessageType(rawValue: 0x82)
    /// There is no such document.
    public static let notFound = MessageType(rawValue: 0x83)
    /// A document with this id is there already; servers of NexaDB 3.0 never send it.
    public static let duplicate = MessageType(rawValue: 0x84)
    /// The answer to a ping.
    public static let pong = MessageType(rawValue: 0x88)
    /// A change event: the only frame that answers no request.
    public static let changeEvent = MessageType(rawValue: 0x90)

    /// Names of every code that some NexaDB client or server knows, also of those that are not served here yet.
    private static let names: [UInt8: String] = [
        0x01: "CONNECT", 0x02: "CREATE", 0x03: "READ", 0x04: "UPDATE", 0x05: "DELETE", 0x06: "QUERY",
        0x07: "VECTOR_SEARCH", 0x08: "BATCH_WRITE", 0x09: "PING", 0x0A: "DISCONNECT", 0x0B: "QUERY_TOON",
        0x0C: "EXPORT_TOON", 0x0D: "IMPORT_TOON", 0x0E: "CREATE_USER", 0x0F: "DELETE_USER", 0x10: "LIST_USERS",
        0x11: "CHANGE_PASSWORD", 0x20: "LIST_COLLECTIONS", 0x21: "DROP_COLLECTION", 0x22: "COLLECTION_STATS",
        0x23: "GET_VECTORS", 0x30: "SUBSCRIBE_CHANGES", 0x31: "UNSUBSCRIBE_CHANGES", 0x40: "LIST_DATABASES",
        0x41: "CREATE_DATABASE", 0x42: "DROP_DATABASE", 0x43: "DATABASE_STATS", 0x44: "CREATE_COLLECTION",
        0x45: "BUILD_HNSW_INDEX", 0x50: "IMPORT_MONGODB_DB", 0x51: "IMPORT_MONGODB_COLLECTION", 0x60: "AGGREGATE",
        0x61: "DISTINCT", 0x62: "EXPLAIN", 0x63: "UPDATE_MANY", 0x64: "DELETE_MANY", 0x65: "FIND_AND_MODIFY",
        0x66: "BULK_WRITE", 0x68: "CREATE_INDEX", 0x69: "DROP_INDEX", 0x6A: "LIST_INDEXES",
        0x70: "BEGIN_TRANSACTION", 0x71: "COMMIT_TRANSACTION", 0x72: "ABORT_TRANSACTION", 0x73: "CANCEL",
        0x74: "UPDATE_USER", 0x75: "API_KEYS", 0x78: "BACKUP", 0x79: "COMPACT", 0x81: "SUCCESS",
        0x82: "ERROR", 0x83: "NOT_FOUND", 0x84: "DUPLICATE", 0x85: "STREAM_START", 0x86: "STREAM_CHUNK",
        0x87: "STREAM_END", 0x88: "PONG", 0x90: "CHANGE_EVENT"
    ]

    /// The protocol's name of the code, or `nil` for a byte that nobody uses.
    public var name: String? { Self.names[rawValue] }

    /// The name, or the number in decimal.
    public var description: String { name ?? "\(rawValue)" }
}

/// Something beyond the 3.0 protocol that a client asks for in CONNECT and a server grants in its reply.
///
/// An old server ignores the list and grants nothing; an old client never sends it.
public struct Capability: RawRepresentable, Sendable, Hashable {
    /// The word on the wire.
    public let rawValue: String
    /// Wraps a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A client's `_id` is the key of the document, and a second document with it is refused.
    public static let clientIDs = Capability(rawValue: "client-ids")
    /// QUERY knows `sort`, `skip`, `projection`, `count` and pages.
    public static let queryOptions = Capability(rawValue: "query-options")
    /// ERROR carries a `code` beside the text.
    public static let errorCodes = Capability(rawValue: "error-code")
    /// Filters know `$and`, `$or`, `$nor`, `$not` and MongoDB's meaning of every operator.
    public static let filterLogic = Capability(rawValue: "filters-logic")
    /// Writes may choose their `durability`.
    public static let durability = Capability(rawValue: "durability")
    /// BATCH_WRITE writes all of its documents or none.
    public static let atomicBatches = Capability(rawValue: "atomic-batches")
    /// CHANGE_EVENT carries database and token, in order; SUBSCRIBE takes `database`, `filter` and `after`, a token.
    public static let resumeTokens = Capability(rawValue: "resume-token")

    /// CONNECT may carry a SCRAM-SHA-256 exchange (RFC 7677) in place of the password.
    public static let scram = Capability(rawValue: "scram-sha-256")

    /// UPDATE takes update operators, and UPDATE_MANY, DELETE_MANY, FIND_AND_MODIFY and BULK_WRITE are served.
    public static let updateOperators = Capability(rawValue: "update-operators")
    /// AGGREGATE and DISTINCT are served.
    public static let aggregation = Capability(rawValue: "aggregation")
    /// CREATE_INDEX, DROP_INDEX, LIST_INDEXES, EXPLAIN and the statistics are served.
    public static let indexes = Capability(rawValue: "indexes")
    /// BEGIN, COMMIT and ABORT_TRANSACTION are served.
    public static let transactions = Capability(rawValue: "transactions")
    /// BEGIN_TRANSACTION takes `pipelined`: the transaction's first requests may follow at once.
    public static let pipelinedTransactions = Capability(rawValue: "pipelined-transactions")
    /// Long requests take `max_time_ms`, and CANCEL ends them.
    public static let cancellation = Capability(rawValue: "cancellation")
    /// UPDATE_USER and API_KEYS are served, and CREATE_USER takes grants.
    public static let userAdministration = Capability(rawValue: "user-administration")
    /// BACKUP, COMPACT and the imports of MongoDB exports are served.
    public static let maintenance = Capability(rawValue: "maintenance")

    /// QUERY_TOON, EXPORT_TOON and IMPORT_TOON take the options beyond 3.0 and say what they did.
    public static let toon = Capability(rawValue: "toon")
    /// VECTOR_SEARCH takes the options beyond 3.0, and vector indexes are made, dropped and listed like others.
    public static let vectors = Capability(rawValue: "vectors")
    /// A list of 32-bit floats may travel as the MessagePack extension type 0x56, little-endian floats side by side,
    /// anywhere in a request. Replies and change events have arrays.
    public static let packedVectors = Capability(rawValue: "packed-vectors")
    /// AGGREGATE takes `explain`, and answers with the plan of what feeds the pipeline.
    public static let aggregateExplain = Capability(rawValue: "aggregate-explain")

    /// What this version of the protocol knows.
    public static let all: [Capability] = [
        clientIDs, queryOptions, errorCodes, filterLogic, durability, atomicBatches, resumeTokens, scram,
        transactions, cancellation, updateOperators, userAdministration, indexes, aggregation, maintenance,
        toon, vectors, packedVectors, aggregateExplain, pipelinedTransactions
    ]
}
