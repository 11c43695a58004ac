public import NexaValue

/// What a server answers: one type for each reply, with its encoder and decoder.
///
/// Encoders append a whole frame. The keys are those of NexaDB 3.0; new ones stand beside them.
public enum Reply {
    /// Decodes the payload of a reply into its fields.
    ///
    /// - Throws: `MessagePackError` when the payload is not a map.
    public static func fields(_ payload: RawSpan) throws(MessagePackError) -> Document {
        try MessagePack.decodeDocument(payload)
    }

    /// The answer to CONNECT.
    public struct Connected: Sendable, Hashable {
        /// The user who is logged in.
        public var username: String
        /// `admin`, `write`, `read` or `guest`.
        public var role: String
        /// What the server grants beyond the 3.0 protocol; empty for an original server.
        public var capabilities: [Capability]
        /// The version of the server software, or `nil` for an original server, which does not say.
        public var serverVersion: String?
        /// The server's last message of a SCRAM-SHA-256 exchange.
        public var scram: String?

        /// Creates the reply.
        public init(
            username: String, role: String, capabilities: [Capability], serverVersion: String?, scram: String? = nil
        ) {
            self.scram = scram
            self.username = username
            self.role = role
            self.capabilities = capabilities
            self.serverVersion = serverVersion
        }

        /// Appends the reply as a frame.
        public func encodeFrame(into writer: inout MessagePackWriter) {
            var fields: Document = [
                "status": "connected", "server": "NexaDB Binary Protocol", "version": "1.0.0",
                "authenticated": true, "username": .string(username), "role": .string(role)
            ]
            if let serverVersion { fields["server_version"] = .string(serverVersion) }
            if !capabilities.isEmpty { fields["capabilities"] = .array(capabilities.map { .string($0.rawValue) }) }
            if let scram { fields["scram"] = .string(scram) }
            Reply.encodeFrame(fields, into: &writer)
        }

        /// Reads the reply; fields that an original server does not send are empty.
        public init(_ fields: Document) {
            username = fields["username"]?.string ?? ""
            role = fields["role"]?.string ?? ""
            capabilities = (fields["capabilities"]?.array ?? []).compactMap {
                $0.string.map(Capability.init(rawValue:))
            }
            serverVersion = fields["server_version"]?.string
            scram = fields["scram"]?.string
        }
    }

    /// The answer to the first message of a SCRAM-SHA-256 exchange, which asks for the second.
    public struct Challenge: Sendable, Hashable {
        /// The server's first message.
        public var scram: String

        /// Creates the reply.
        public init(scram: String) { self.scram = scram }

        /// The fields of the reply. `authenticated` is false: who overlooks the rest is not logged in.
        public var fields: Document {
            ["status": "continue", "authenticated": false, "scram": .string(scram)]
        }

        /// Reads the reply; `nil` when it is another one.
        public init?(_ fields: Document) {
            guard fields["authenticated"]?.bool == false, let scram = fields["scram"]?.string else { return nil }
            self.scram = scram
        }
    }

    /// Appends a SUCCESS frame of these fields.
    public static func encodeFrame(
        _ fields: Document, as type: MessageType = .success, into writer: inout MessagePackWriter
    ) {
        let start = writer.beginFrame(type)
        writer.write(fields)
        writer.endFrame(start)
    }

    /// Appends the answer to an insert, an update or a delete of one document.
    public static func encodeDone(
        _ verb: Verb, _ namespace: Request.Namespace, id: Value, into writer: inout MessagePackWriter
    ) {
        let start = writer.beginFrame(.success)
        writer.writeMapHead(count: 4)
        writer.write(namespace: namespace)
        writer.write(key: "document_id", id)
        writer.write(key: "message", verb.rawValue)
        writer.endFrame(start)
    }

    /// What was done to a document, in the words of the reply's `message`.
    public enum Verb: String, Sendable, Hashable {
        case inserted = "Document inserted"
        case updated = "Document updated"
        case deleted = "Document deleted"
    }

    /// Appends the answer to READ: the stored bytes, copied once.
    public static func encodeDocument(
        _ namespace: Request.Namespace, _ document: RawSpan, into writer: inout MessagePackWriter
    ) {
        let start = writer.beginFrame(.success)
        writer.writeMapHead(count: 3)
        writer.write(namespace: namespace)
        writer.write("document")
        writer.writeRaw(document)
        writer.endFrame(start)
    }

    /// Appends the answer to QUERY.
    ///
    /// - Parameters:
    ///   - documents: the encoded documents, one behind the other.
    ///   - documentCount: how many they are.
    ///   - count: what the reply's `count` says; without a page it is the number of documents.
    ///   - next: where the next page begins, when there is one.
    public static func encodeDocuments(
        _ namespace: Request.Namespace, documents: RawSpan, documentCount: Int, count: Int, next: [UInt8]?,
        into writer: inout MessagePackWriter
    ) {
        let start = writer.beginFrame(.success)
        writer.writeMapHead(count: next == nil ? 4 : 5)
        writer.write(namespace: namespace)
        writer.write("documents")
        writer.writeArrayHead(count: documentCount)
        writer.writeRaw(documents)
        writer.write(key: "count", count)
        if let next { writer.write(key: "next", .bytes(next)) }
        writer.endFrame(start)
    }

    /// Appends the answer to BATCH_WRITE.
    public static func encodeInsertedMany(
        _ namespace: Request.Namespace, ids: [Value], into writer: inout MessagePackWriter
    ) {
        encodeFrame(
            [
                "database": .string(namespace.database), "collection": .string(namespace.collection),
                "document_ids": .array(ids), "count": .int(Int64(ids.count)),
                "message": .string("Inserted \(ids.count) documents")
            ], into: &writer)
    }

    /// Appends the answer to LIST_COLLECTIONS or LIST_DATABASES.
    public static func encodeNames(
        _ names: [String], of kind: NameKind, into writer: inout MessagePackWriter
    ) {
        var fields: Document = [:]
        let list = Value.array(names.map { .string($0) })
        switch kind {
        case .collections(let database):
            fields = ["database": .string(database), "collections": list]
        case .databases: fields = ["databases": list]
        }
        fields["count"] = .int(Int64(names.count))
        encodeFrame(fields, into: &writer)
    }

    /// What a list of names names.
    public enum NameKind: Sendable, Hashable {
        case collections(database: String)
        case databases
    }

    /// Appends the answer to PING; `timestamp` is in seconds since 1970, and `uptime`, how long the server has been
    /// running, in seconds. 3.0 did not say that.
    public static func encodePong(timestamp: Double, uptime: Double? = nil, into writer: inout MessagePackWriter) {
        var fields: Document = ["status": "ok", "timestamp": .double(timestamp)]
        if let uptime { fields["uptime"] = .double(uptime) }
        encodeFrame(fields, as: .pong, into: &writer)
    }

    /// Appends the answer for a document that is not there.
    public static func encodeNotFound(into writer: inout MessagePackWriter) {
        encodeFrame(["error": "Not found"], as: .notFound, into: &writer)
    }

    /// Appends an ERROR frame; `code` only where the client asked for codes.
    public static func encodeError(
        _ message: String, code: ServerErrorCode?, into writer: inout MessagePackWriter
    ) {
        var fields: Document = ["error": .string(message)]
        if let code { fields["code"] = .string(code.rawValue) }
        encodeFrame(fields, as: .error, into: &writer)
    }
}

/// Why a server refuses, as a word that programs can act on. It travels as the `code` of an ERROR frame.
public struct ServerErrorCode: RawRepresentable, Sendable, Hashable {
    /// The word on the wire.
    public let rawValue: String
    /// Wraps a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The request is malformed or asks for something that cannot be.
    public static let badRequest = ServerErrorCode(rawValue: "bad-request")
    /// CONNECT comes first, or its user name and password are wrong.
    public static let notAuthenticated = ServerErrorCode(rawValue: "not-authenticated")
    /// The port is for TLS, and the client began without.
    public static let tlsRequired = ServerErrorCode(rawValue: "tls-required")
    /// The user can only log in with the password itself, once: the server has no SCRAM verifier of it yet.
    public static let scramUnavailable = ServerErrorCode(rawValue: "scram-unavailable")
    /// The user may not do this here.
    public static let permissionDenied = ServerErrorCode(rawValue: "permission-denied")
    /// A document with this `_id` is there already.
    public static let duplicateID = ServerErrorCode(rawValue: "duplicate-id")
    /// A unique index has another document with the same values.
    public static let duplicateKey = ServerErrorCode(rawValue: "duplicate-key")
    /// Someone else changed a document of the transaction; the whole transaction may be tried again.
    public static let writeConflict = ServerErrorCode(rawValue: "write-conflict")
    /// There is no transaction, or it was aborted because it took too long.
    public static let noTransaction = ServerErrorCode(rawValue: "no-transaction")
    /// The request was cancelled, or took longer than it may.
    public static let cancelled = ServerErrorCode(rawValue: "cancelled")
    /// There is no such collection or database.
    public static let notFound = ServerErrorCode(rawValue: "not-found")
    /// The server does not know the message or the option.
    public static let unsupported = ServerErrorCode(rawValue: "unsupported")
    /// A documented limit was reached; the text names it.
    public static let limit = ServerErrorCode(rawValue: "limit")
    /// Too much is waiting; try again later.
    public static let overloaded = ServerErrorCode(rawValue: "overloaded")
    /// The disk failed; nothing of the request was done.
    public static let storage = ServerErrorCode(rawValue: "storage")
    /// The changes behind a token are not kept any more, or the token is of another server's data.
    public static let historyLost = ServerErrorCode(rawValue: "history-lost")
    /// The server is leaving.
    public static let shuttingDown = ServerErrorCode(rawValue: "shutting-down")
}

extension MessagePackWriter {
    mutating func write(namespace: Request.Namespace) {
        write(key: "database", namespace.database)
        write(key: "collection", namespace.collection)
    }
}
