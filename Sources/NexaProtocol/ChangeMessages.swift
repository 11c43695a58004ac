public import NexaValue

extension Request {
    /// SUBSCRIBE_CHANGES.
    public struct Subscribe: Sendable, Hashable {
        /// The collection; `nil` for all.
        public var collection: String?
        /// The database; `nil` for all that the user may read. With `resume-token`.
        public var database: String?
        /// Which operations: a list of names, or, from old clients, one text in which a name occurs.
        public var operations: Value
        /// The token to go on behind; `nil` for now. With `resume-token`.
        public var after: [UInt8]?
        /// What documents must be like after inserts and updates. With `resume-token`.
        public var filter: Document

        /// The operations of a request that names none.
        public static let defaultOperations: Value = ["insert", "update", "delete"]

        /// Creates the message.
        public init(
            collection: String? = nil, database: String? = nil, operations: Value = Subscribe.defaultOperations,
            after: [UInt8]? = nil, filter: Document = [:]
        ) {
            self.collection = collection
            self.database = database
            self.operations = operations
            self.after = after
            self.filter = filter
        }

        /// Whether events of an operation are wanted.
        public func selects(_ operation: String) -> Bool {
            switch operations {
            case .string(let text): text.contains(operation)
            case .array(let list): list.contains(.string(operation))
            default: false
            }
        }
    }
}

extension Request.Subscribe {
    /// The largest filter, in bytes.
    private static var maximumFilterBytes: Int { 1 << 20 }

    init(_ fields: borrowing RequestFields) throws(RequestError) {
        self.init()
        collection = try fields.string("collection")
        database = try fields.string("database")
        if let operations = try fields.value("operations", maximumByteCount: 4096) {
            guard operations.array != nil || operations.string != nil else {
                throw RequestError("Field 'operations': can only join an iterable, not \(operations.kindName)")
            }
            self.operations = operations
        }
        if let after = try fields.value("after", maximumByteCount: 256), !after.isNull {
            guard let bytes = after.bytes else {
                throw RequestError("Field 'after' must be a token of a change event, not \(after.kindName)")
            }
            self.after = bytes
        }
        filter = try fields.document("filter", maximumByteCount: Self.maximumFilterBytes)
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields: Document = ["operations": operations]
        if let collection { fields["collection"] = .string(collection) }
        if let database { fields["database"] = .string(database) }
        if let after { fields["after"] = .bytes(after) }
        if !filter.isEmpty { fields["filter"] = .document(filter) }
        writer.write(fields)
    }
}

extension Reply {
    /// Appends the answer to SUBSCRIBE_CHANGES; `token` is where the subscription begins, with `resume-token`.
    public static func encodeSubscribed(
        _ request: Request.Subscribe, token: [UInt8]?, into writer: inout MessagePackWriter
    ) {
        let place = request.collection ?? "all collections"
        var fields: Document = [
            "subscribed": true, "collection": request.collection.map { .string($0) } ?? .null,
            "operations": request.operations, "message": .string("Subscribed to change stream for \(place)")
        ]
        if let token { fields["token"] = .bytes(token) }
        encodeFrame(fields, into: &writer)
    }

    /// Appends the answer to UNSUBSCRIBE_CHANGES.
    public static func encodeUnsubscribed(into writer: inout MessagePackWriter) {
        encodeFrame(["unsubscribed": true, "message": "Unsubscribed from change stream"], into: &writer)
    }

    /// What every change event says, whatever changed.
    public struct ChangeHead: Sendable {
        /// `insert`, `update`, `delete`, `dropCollection` or `dropDatabase`.
        public var operation: String
        /// The database.
        public var database: String
        /// The collection; empty when a database was dropped.
        public var collection: String
        /// When it happened, in seconds since 1970.
        public var timestamp: Double
        /// The `_id` of the document, if a document changed.
        public var id: Value?

        /// Creates the head of an event.
        public init(operation: String, database: String, collection: String, timestamp: Double, id: Value?) {
            self.operation = operation
            self.database = database
            self.collection = collection
            self.timestamp = timestamp
            self.id = id
        }
    }

    /// Appends a CHANGE_EVENT.
    ///
    /// - Parameters:
    ///   - document: the encoded document, copied as it is; empty for none.
    ///   - updates: the encoded fields that were set; empty for none.
    ///   - token: the place of the event, for subscribers with `resume-token`. Those without get the constant
    ///     `nexadb` under `ns.db`, as from the original, and the database beside it.
    public static func encodeChange(
        _ head: ChangeHead, document: RawSpan, updates: RawSpan, token: [UInt8]?, into writer: inout MessagePackWriter
    ) {
        let start = writer.beginFrame(.changeEvent)
        let optional = [head.id != nil, !document.isEmpty, !updates.isEmpty].count { $0 }
        writer.writeMapHead(count: 4 + optional)
        writer.write(key: "operationType", head.operation)
        writer.write("ns")
        writer.writeMapHead(count: 2)
        writer.write(key: "db", token == nil ? "nexadb" : head.database)
        writer.write(key: "coll", head.collection)
        writer.write("timestamp")
        writer.write(head.timestamp)
        if let id = head.id {
            writer.write("documentKey")
            writer.writeMapHead(count: 1)
            writer.write(key: "_id", id)
        }
        if !document.isEmpty {
            writer.write("fullDocument")
            writer.writeRaw(document)
        }
        if !updates.isEmpty {
            writer.write("updateDescription")
            writer.writeMapHead(count: 1)
            writer.write("updatedFields")
            writer.writeRaw(updates)
        }
        if let token {
            writer.write("token")
            writer.write(token)
        } else {
            writer.write(key: "database", head.database)
        }
        writer.endFrame(start)
    }

    /// Appends a CHANGE_EVENT without an event: how far a subscriber is that has seen none for a while.
    public static func encodeProgress(token: [UInt8], into writer: inout MessagePackWriter) {
        encodeFrame(["token": .bytes(token)], as: .changeEvent, into: &writer)
    }

    /// A CHANGE_EVENT as a subscriber reads it.
    public struct Change: Sendable {
        /// What happened; `nil` when the frame only tells how far the subscription is.
        public var operation: String?
        /// The database; `nil` when the server does not say.
        public var database: String?
        /// The collection; empty when a database was dropped.
        public var collection: String
        /// The `_id` of the document, if a document changed.
        public var id: Value?
        /// The encoded document after the change, if there is one.
        public var document: [UInt8]?
        /// The encoded fields that an update set.
        public var updates: [UInt8]?
        /// The place of the event, with `resume-token`.
        public var token: [UInt8]?

        /// Reads the payload of a CHANGE_EVENT.
        ///
        /// - Throws: `MessagePackError` when it is not a map, or not well-formed.
        public init(_ payload: RawSpan) throws(MessagePackError) {
            try MessagePack.validate(payload)
            let fields = try RawDocument(payload)
            operation = try fields.value(forKey: "operationType")?.decoded().string
            token = try fields.value(forKey: "token")?.decoded().bytes
            collection = try fields.value(at: "ns.coll")?.decoded().string ?? ""
            database = try fields.value(forKey: "database")?.decoded().string
            if database == nil, token != nil { database = try fields.value(at: "ns.db")?.decoded().string }
            id = try fields.value(at: "documentKey._id")?.decoded()
            document = Self.map(fields.value(forKey: "fullDocument"))
            updates = Self.map(fields.value(at: "updateDescription.updatedFields"))
        }

        private static func map(_ value: RawValue?) -> [UInt8]? {
            guard let value, case .map? = value.head else { return nil }
            return value.bytes.withUnsafeBytes { Array($0) }
        }
    }
}
