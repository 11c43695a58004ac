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
    ///   - removed: the names of the fields that are gone, as an encoded array; empty for none. Only for subscribers with
    ///     `resume-token`.
    ///   - token: the place of the event, for subscribers with `resume-token`. Those without get the constant
    ///     `nexadb` under `ns.db`, as from the original, and the database beside it.
    public static func encodeChange(
        _ head: ChangeHead, document: RawSpan, updates: RawSpan, removed: RawSpan, token: [UInt8]?,
        into writer: inout MessagePackWriter
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
            let tellsRemoved = token != nil && !removed.isEmpty
            writer.writeMapHead(count: tellsRemoved ? 2 : 1)
            writer.write("updatedFields")
            writer.writeRaw(updates)
            if tellsRemoved {
                writer.write("removedFields")
                writer.writeRaw(removed)
            }
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
}

extension Reply {
    /// A CHANGE_EVENT as a subscriber reads it, with the documents where they lie in the payload.
    public struct Change: Sendable {
        /// The bytes that the event was read from.
        public let bytes: [UInt8]
        /// Where in them it is.
        public let range: Range<Int>
        /// What happened; `nil` when the frame only tells how far the subscription is.
        public private(set) var operation: String?
        /// The database; `nil` when the server does not say.
        public private(set) var database: String?
        /// The collection; empty when a database was dropped.
        public private(set) var collection = ""
        /// The `_id` of the document, if a document changed.
        public private(set) var id: Value?
        /// Where in `bytes` the document after the change is, if there is one.
        public private(set) var document: Range<Int>?
        /// Where in `bytes` the fields that an update set are.
        public private(set) var updates: Range<Int>?
        /// The names of the fields that an update removed.
        public private(set) var removed: [String] = []
        /// The place of the event, with `resume-token`.
        public private(set) var token: [UInt8]?

        /// The bytes of the event.
        public var payload: [UInt8] { range == bytes.indices ? bytes : Array(bytes[range]) }

        /// Reads the payload of a CHANGE_EVENT, in one pass; fields that nobody knows are passed over.
        ///
        /// - Throws: `MessagePackError` when it is not a map, or not well-formed.
        public init(_ payload: [UInt8]) throws(MessagePackError) {
            try self.init(payload, at: payload.indices)
        }

        /// Reads the payload of a CHANGE_EVENT that is a part of these bytes; `range` must lie within them.
        ///
        /// - Throws: `MessagePackError` when it is not a map, or not well-formed.
        public init(_ all: [UInt8], at range: Range<Int>) throws(MessagePackError) {
            self.bytes = all
            self.range = range
            var namespace: String?
            // What is behind the event is not there for the reader.
            let bytes = all.span.bytes.extracting(0..<range.upperBound)
            var reader = MessagePackReader(bytes, at: range.lowerBound)
            for _ in 0..<(try reader.readMapHead()) {
                let key = try reader.readKey()
                let start = reader.position
                try reader.skip()
                let value = start..<reader.position
                if key.isText("operationType") {
                    operation = try Self.decode(bytes, value).string
                } else if key.isText("token") {
                    token = try Self.decode(bytes, value).bytes
                } else if key.isText("database") {
                    database = try Self.decode(bytes, value).string
                } else if key.isText("ns") {
                    try Self.fields(bytes, value) { key, value throws(MessagePackError) in
                        if key.isText("coll") { collection = try Self.decode(bytes, value).string ?? "" }
                        if key.isText("db") { namespace = try Self.decode(bytes, value).string }
                    }
                } else if key.isText("documentKey") {
                    try Self.fields(bytes, value) { key, value throws(MessagePackError) in
                        if key.isText("_id") { id = try Self.decode(bytes, value) }
                    }
                } else if key.isText("fullDocument") {
                    document = try Self.map(bytes, value)
                } else if key.isText("updateDescription") {
                    try Self.fields(bytes, value) { key, value throws(MessagePackError) in
                        if key.isText("updatedFields") { updates = try Self.map(bytes, value) }
                        if key.isText("removedFields") {
                            removed = (try Self.decode(bytes, value).array ?? []).compactMap(\.string)
                        }
                    }
                }
            }
            try reader.expectEnd()
            // Without a token the name is the same for every database.
            if database == nil, token != nil { database = namespace }
        }

        private static func decode(_ bytes: RawSpan, _ range: Range<Int>) throws(MessagePackError) -> Value {
            try MessagePack.decode(bytes.extracting(range))
        }

        /// The range of a value, if it is a map.
        private static func map(_ bytes: RawSpan, _ range: Range<Int>) throws(MessagePackError) -> Range<Int>? {
            var reader = MessagePackReader(bytes, at: range.lowerBound)
            if case .map = try reader.readHead() { return range }
            return nil
        }

        /// Walks the fields of a value, if it is a map.
        private static func fields(
            _ bytes: RawSpan, _ range: Range<Int>, _ body: (RawSpan, Range<Int>) throws(MessagePackError) -> Void
        ) throws(MessagePackError) {
            guard try map(bytes, range) != nil else { return }
            var reader = MessagePackReader(bytes, at: range.lowerBound)
            for _ in 0..<(try reader.readMapHead()) {
                let key = try reader.readKey()
                let start = reader.position
                try reader.skip()
                try body(key, start..<reader.position)
            }
        }
    }
}

extension RawSpan {
    /// Whether these are the bytes of a text.
    fileprivate func isText(_ text: StaticString) -> Bool {
        guard byteCount == text.utf8CodeUnitCount else { return false }
        return withUnsafeBytes { bytes in
            text.withUTF8Buffer { $0.elementsEqual(bytes) }
        }
    }
}
