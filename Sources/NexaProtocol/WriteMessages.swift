public import NexaValue

extension Request {
    /// One write: which documents it means and what happens to them.
    public struct Write: Sendable, Hashable {
        /// Which documents are meant.
        public enum Target: Sendable, Hashable {
            /// The document with an `_id`; a text of decimal digits also names the integer.
            case id(Value)
            /// Those that fulfil a filter, as a MessagePack map.
            case filter([UInt8])
        }

        /// What happens.
        public enum Action: Sendable, Hashable {
            /// A document is inserted, a MessagePack map. There is no target.
            case insert([UInt8])
            /// Update operators are applied, a MessagePack map.
            case update([UInt8])
            /// The document gives way to another one, a MessagePack map.
            case replace([UInt8])
            /// The document is deleted.
            case delete
        }

        /// Which documents are meant.
        public var target: Target
        /// What happens to them.
        public var action: Action
        /// All documents that the target means, and not only one.
        public var isMany: Bool
        /// When nothing is found, a document is inserted.
        public var isUpsert: Bool
        /// The conditions of `$[name]`, a MessagePack array of maps; empty for none.
        public var arrayFilters: [UInt8]

        /// Creates a write.
        public init(
            _ target: Target, _ action: Action, isMany: Bool = false, isUpsert: Bool = false, arrayFilters: [UInt8] = []
        ) {
            self.target = target
            self.action = action
            self.isMany = isMany
            self.isUpsert = isUpsert
            self.arrayFilters = arrayFilters
        }
    }

    /// UPDATE_MANY and DELETE_MANY: one write.
    public struct WriteOne: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// An update, a replacement or a deletion.
        public var write: Write
        /// How safe before the reply; `nil` for the server's default.
        public var durability: Durability?

        /// Creates the message.
        public init(namespace: Namespace, write: Write, durability: Durability? = nil) {
            self.namespace = namespace
            self.write = write
            self.durability = durability
        }
    }

    /// FIND_AND_MODIFY: a write to one document, which is returned.
    public struct FindAndModify: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// An update, a replacement or a deletion.
        public var write: Write
        /// Which document is the first one; `.null` for the order of ids.
        public var sort: Value
        /// Which fields to return; empty for all.
        public var projection: Document
        /// The document is returned as it is, and not as it was.
        public var returnsAfter: Bool
        /// How safe before the reply; `nil` for the server's default.
        public var durability: Durability?

        /// Creates the message.
        public init(
            namespace: Namespace, write: Write, sort: Value = .null, projection: Document = [:],
            returnsAfter: Bool = false, durability: Durability? = nil
        ) {
            self.namespace = namespace
            self.write = write
            self.sort = sort
            self.projection = projection
            self.returnsAfter = returnsAfter
            self.durability = durability
        }
    }

    /// BULK_WRITE: many writes, with an outcome for each.
    public struct BulkWrite: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// What is to be done.
        public var writes: [Write]
        /// The writes behind one that fails are not made.
        public var isOrdered: Bool
        /// All of the writes are made, as one commit, or none.
        public var isAtomic: Bool
        /// How safe before the reply; `nil` for the server's default.
        public var durability: Durability?

        /// The number of writes that a server takes in one message.
        public static let maximumWrites = 100_000

        /// Creates the message.
        public init(
            namespace: Namespace, writes: [Write], isOrdered: Bool = true, isAtomic: Bool = false,
            durability: Durability? = nil
        ) {
            self.namespace = namespace
            self.writes = writes
            self.isOrdered = isOrdered
            self.isAtomic = isAtomic
            self.durability = durability
        }
    }
}

// MARK: Decoding

extension Request.Write {
    init(_ fields: borrowing RequestFields) throws(RequestError) {
        let action = try Self.action(fields)
        var target = Target.filter([])
        if case .insert = action {
        } else if fields.hasID {
            target = .id(try fields.id(missing: "Missing 'key' or 'filters' field"))
        } else if let filter = try fields.encoded("filters", isMap: true) {
            target = .filter(filter)
        } else {
            // A slip would mean every document.
            throw RequestError("Missing 'key' or 'filters' field")
        }
        self.init(
            target, action, isMany: fields.isTrue("multi"), isUpsert: fields.isTrue("upsert"),
            arrayFilters: try fields.encoded("array_filters", isMap: false) ?? [])
    }

    private static func action(_ fields: borrowing RequestFields) throws(RequestError) -> Action {
        let document = try fields.encoded("document", isMap: true)
        let update = try fields.encoded("update", isMap: true)
        let replacement = try fields.encoded("replacement", isMap: true)
        let isDeletion = fields.isTrue("delete")
        guard [document != nil, update != nil, replacement != nil, isDeletion].count(where: { $0 }) == 1 else {
            throw RequestError("A write has one of the fields 'document', 'update', 'replacement' and 'delete'")
        }
        if let document { return .insert(document) }
        if let update { return .update(update) }
        return replacement.map { .replace($0) } ?? .delete
    }
}

extension Request.WriteOne {
    init(
        _ fields: borrowing RequestFields, _ recent: inout RecentNamespace, isDeletion: Bool
    ) throws(RequestError) {
        self.init(
            namespace: try fields.namespace(missing: "Missing 'collection' field", &recent),
            write: try Request.Write(fields), durability: try fields.durability())
        switch write.action {
        case .insert: throw RequestError("An insert is a CREATE or part of a BULK_WRITE")
        case .delete where isDeletion: break
        case .update where !isDeletion, .replace where !isDeletion: break
        default:
            throw RequestError(
                isDeletion
                    ? "DELETE_MANY needs 'delete', and nothing else to do"
                    : "UPDATE_MANY needs 'update' or 'replacement'")
        }
    }
}

extension Request.FindAndModify {
    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        self.init(
            namespace: try fields.namespace(missing: "Missing 'collection' field", &recent),
            write: try Request.Write(fields),
            sort: try fields.value("sort", maximumByteCount: Request.Query.maximumOptionByteCount) ?? .null,
            projection: try fields.document("projection", maximumByteCount: Request.Query.maximumOptionByteCount),
            durability: try fields.durability())
        if fields.isFalsy("sort") { sort = .null }
        switch try fields.string("return") {
        case nil, "before": break
        case "after": returnsAfter = true
        case let other?: throw RequestError("Unknown 'return': '\(other)'; use 'before' or 'after'")
        }
        guard !write.isMany else { throw RequestError("FIND_AND_MODIFY changes one document; 'multi' is not for it") }
        if case .insert = write.action { throw RequestError("An insert is a CREATE or part of a BULK_WRITE") }
    }
}

extension Request.BulkWrite {
    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        let missing = "Missing 'collection' or 'writes' field"
        self.init(
            namespace: try fields.namespace(missing: missing, &recent), writes: [],
            isOrdered: !fields.isFalse("ordered"), isAtomic: fields.isTrue("atomic"),
            durability: try fields.durability())
        let list = try fields.encodedArray("writes", missing: missing)
        var failure: RequestError?
        do throws(MessagePackError) {
            var reader = MessagePackReader(list.span.bytes)
            let count = try reader.readArrayHead()
            guard count <= Self.maximumWrites else { throw MessagePackError(.truncated, at: -1) }
            writes.reserveCapacity(count)
            for _ in 0..<count {
                let start = reader.position
                try reader.skip()
                let item = start..<reader.position
                let write = Result { () throws(RequestError) in
                    try Request.Write(RequestFields(list.span.bytes.extracting(item)))
                }
                switch write {
                case .success(let write): writes.append(write)
                case .failure(let error): failure = RequestError("Write \(writes.count): \(error.message)")
                }
                if failure != nil { break }
            }
        } catch {
            throw error.offset < 0
                ? RequestError("There are more than \(Self.maximumWrites) writes in one message", code: .limit)
                : RequestError("Invalid MessagePack: \(error)")
        }
        if let failure { throw failure }
    }
}

extension RequestFields {
    /// Whether there is an id: `key`, or `document_id`.
    var hasID: Bool { raw("key") != nil || raw("document_id") != nil }

    /// True for a field that says no.
    func isFalse(_ key: StaticString) -> Bool {
        switch raw(key)?.head {
        case .bool(false), .int(0): true
        default: false
        }
    }

    /// The bytes of a map or an array, empty ones included; `nil` when the field is absent or nil.
    func encoded(_ key: StaticString, isMap: Bool) throws(RequestError) -> [UInt8]? {
        guard let value = raw(key), let head = value.head else { return nil }
        switch head {
        case .null: return nil
        case .map where isMap, .array where !isMap: return value.bytes.withUnsafeBytes { Array($0) }
        default:
            throw RequestError("Field '\(key)' must be \(isMap ? "a document" : "an array"), not \(head.kindName)")
        }
    }
}

// MARK: Encoding

extension Request.Write {
    /// The number of fields that `encodeFields` writes.
    fileprivate var fieldCount: Int {
        var count = isMany ? 2 : 1
        if case .insert = action { return count }
        count += 1
        if isUpsert { count += 1 }
        if !arrayFilters.isEmpty { count += 1 }
        return count
    }

    fileprivate func encodeFields(into writer: inout MessagePackWriter) {
        if isMany { writer.write(key: "multi", true) }
        switch action {
        case .insert(let document):
            writer.write("document")
            writer.writeRaw(document)
            return
        case .update(let update):
            writer.write("update")
            writer.writeRaw(update)
        case .replace(let document):
            writer.write("replacement")
            writer.writeRaw(document)
        case .delete: writer.write(key: "delete", true)
        }
        switch target {
        case .id(let id): writer.write(key: "key", id)
        case .filter(let filter):
            writer.write("filters")
            if filter.isEmpty { writer.writeMapHead(count: 0) } else { writer.writeRaw(filter) }
        }
        if isUpsert { writer.write(key: "upsert", true) }
        if !arrayFilters.isEmpty {
            writer.write("array_filters")
            writer.writeRaw(arrayFilters)
        }
    }
}

extension Request.WriteOne {
    func encode(into writer: inout MessagePackWriter) {
        writer.writeMapHead(count: 2 + write.fieldCount + (durability == nil ? 0 : 1))
        namespace.encode(into: &writer)
        write.encodeFields(into: &writer)
        writer.write(durability: durability)
    }
}

extension Request.FindAndModify {
    func encode(into writer: inout MessagePackWriter) {
        let options = [!sort.isNull, !projection.isEmpty, durability != nil].count { $0 }
        writer.writeMapHead(count: 3 + write.fieldCount + options)
        namespace.encode(into: &writer)
        write.encodeFields(into: &writer)
        writer.write(key: "return", returnsAfter ? "after" : "before")
        if !sort.isNull { writer.write(key: "sort", sort) }
        if !projection.isEmpty { writer.write(key: "projection", .document(projection)) }
        writer.write(durability: durability)
    }
}

extension Request.BulkWrite {
    func encode(into writer: inout MessagePackWriter) {
        writer.writeMapHead(count: durability == nil ? 5 : 6)
        namespace.encode(into: &writer)
        writer.write(key: "ordered", isOrdered)
        writer.write(key: "atomic", isAtomic)
        writer.write("writes")
        writer.writeArrayHead(count: writes.count)
        for write in writes {
            writer.writeMapHead(count: write.fieldCount)
            write.encodeFields(into: &writer)
        }
        writer.write(durability: durability)
    }
}

// MARK: Replies

extension Reply {
    /// Appends a SUCCESS frame with a payload that is encoded already.
    public static func encodeFrame(payload: [UInt8], into writer: inout MessagePackWriter) {
        let start = writer.beginFrame(.success)
        writer.writeRaw(payload)
        writer.endFrame(start)
    }

    /// What one write did: the answer to UPDATE_MANY, DELETE_MANY and FIND_AND_MODIFY, and an outcome of BULK_WRITE.
    public struct Written: Sendable, Hashable {
        /// Documents that were found.
        public var matched: Int
        /// Documents that are different now.
        public var modified: Int
        /// Documents that are gone.
        public var deleted: Int
        /// The `_id` of the document that an insert or an upsert inserted.
        public var insertedID: Value?

        /// Creates the numbers.
        public init(matched: Int = 0, modified: Int = 0, deleted: Int = 0, insertedID: Value? = nil) {
            self.matched = matched
            self.modified = modified
            self.deleted = deleted
            self.insertedID = insertedID
        }

        /// The fields as they are sent; numbers that are 0 are left out.
        public var fields: Document {
            var fields: Document = [:]
            if matched != 0 { fields["matched"] = .int(Int64(matched)) }
            if modified != 0 { fields["modified"] = .int(Int64(modified)) }
            if deleted != 0 { fields["deleted"] = .int(Int64(deleted)) }
            if let insertedID { fields["inserted_id"] = .some(insertedID) }
            return fields
        }

        /// Reads the fields.
        public init(_ fields: Document) {
            self.init(
                matched: Int(clamping: fields["matched"]?.int ?? 0),
                modified: Int(clamping: fields["modified"]?.int ?? 0),
                deleted: Int(clamping: fields["deleted"]?.int ?? 0), insertedID: fields["inserted_id"])
        }

        /// The payload of the answer; `document` is encoded.
        public func payload(_ namespace: Request.Namespace, document: [UInt8]?) -> [UInt8] {
            var writer = MessagePackWriter(capacity: 128 + (document?.count ?? 0))
            writer.writeMapHead(count: 2 + fields.count + (document == nil ? 0 : 1))
            namespace.encode(into: &writer)
            for (key, value) in fields { writer.write(key: key, value) }
            if let document {
                writer.write("document")
                writer.writeRaw(document)
            }
            return writer.bytes
        }
    }

    /// What became of one write of a BULK_WRITE.
    public enum WriteOutcome: Sendable, Hashable {
        case done(Written)
        case failed(RequestError)
        /// An earlier write failed, and the order counts.
        case skipped

        /// The fields as they are sent.
        public var fields: Document {
            switch self {
            case .done(let written): written.fields
            case .failed(let error): ["error": .string(error.message), "code": .string(error.code.rawValue)]
            case .skipped: ["skipped": true]
            }
        }

        /// Reads the fields.
        public init(_ fields: Document) {
            if let message = fields["error"]?.string {
                let code = fields["code"]?.string.map(ServerErrorCode.init(rawValue:)) ?? .badRequest
                self = .failed(RequestError(message, code: code))
            } else if fields["skipped"]?.bool == true {
                self = .skipped
            } else {
                self = .done(Written(fields))
            }
        }
    }

    /// The payload of the answer to BULK_WRITE.
    public static func bulkPayload(_ namespace: Request.Namespace, _ outcomes: [WriteOutcome]) -> [UInt8] {
        var writer = MessagePackWriter(capacity: 64 + 32 * outcomes.count)
        writer.writeMapHead(count: 3)
        namespace.encode(into: &writer)
        writer.write("outcomes")
        writer.writeArrayHead(count: outcomes.count)
        for outcome in outcomes { writer.write(outcome.fields) }
        return writer.bytes
    }
}
