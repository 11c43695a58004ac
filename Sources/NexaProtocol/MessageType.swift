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
    /// Inserts many documents, all or none.
    public static let batchWrite = MessageType(rawValue: 0x08)
    /// Asks for a sign of life.
    public static let ping = MessageType(rawValue: 0x09)
    /// Says goodbye.
    public static let disconnect = MessageType(rawValue: 0x0A)
    /// Lists the collections of a database (or, in one old form, the databases).
    public static let listCollections = MessageType(rawValue: 0x20)
    /// Drops a collection (or, in one old form, a database).
    public static let dropCollection = MessageType(rawValue: 0x21)
    /// Subscribes to change events.
    public static let subscribeChanges = MessageType(rawValue: 0x30)
    /// Ends the subscription.
    public static let unsubscribeChanges = MessageType(rawValue: 0x31)
    /// Lists the databases.
    public static let listDatabases = MessageType(rawValue: 0x40)
    /// Drops a database.
    public static let dropDatabase = MessageType(rawValue: 0x42)

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
        0x45: "BUILD_HNSW_INDEX", 0x50: "IMPORT_MONGODB_DB", 0x51: "IMPORT_MONGODB_COLLECTION", 0x81: "SUCCESS",
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

    /// What this version of the protocol knows.
    public static let all: [Capability] = [
        clientIDs, queryOptions, errorCodes, filterLogic, durability, atomicBatches, resumeTokens, scram
    ]
}
