import NexaValue

/// The fields of a request's payload, read where they lie.
///
/// What counts as missing is what the original counts as missing: absent, nil, false, zero and empty. Of a repeated
/// field the first counts.
struct RequestFields: ~Escapable {
    /// Where one field lies.
    private struct Place {
        var keyStart: UInt32 = 0
        var keyCount: UInt32 = 0
        var value: UInt32 = 0
    }

    /// More fields than any request has; those behind are found by searching.
    private static var maximumPlaces: Int { 12 }

    private let payload: RawSpan
    private var places: InlineArray<12, Place>
    private var placeCount = 0
    private var hasMore = false
    /// Whether there is a packed vector in any of them.
    private(set) var hasPackedVectors = false

    /// Checks the payload and notes where its fields are, in one pass.
    @_lifetime(copy payload)
    init(_ payload: RawSpan) throws(RequestError) {
        self.payload = payload
        places = InlineArray(repeating: Place())
        guard !payload.isEmpty else { return }
        var reader = MessagePackReader(payload)
        do throws(MessagePackError) {
            let head = try reader.readHead()
            guard case .map(let count) = head else {
                throw MessagePackError(.unexpectedKind(expected: "document", found: head.kindName), at: 0)
            }
            for position in 0..<count {
                let keyCount = try reader.readKey().byteCount
                if position < Self.maximumPlaces {
                    places[position] = Place(
                        keyStart: UInt32(truncatingIfNeeded: reader.position - keyCount),
                        keyCount: UInt32(truncatingIfNeeded: keyCount),
                        value: UInt32(truncatingIfNeeded: reader.position))
                }
                if try reader.skip(noting: PackedVector.type) { hasPackedVectors = true }
            }
            try reader.expectEnd()
            placeCount = min(count, Self.maximumPlaces)
            hasMore = count > Self.maximumPlaces
        } catch {
            throw RequestError("Invalid MessagePack: \(error)")
        }
    }

    /// Where a field's value is; `nil` when it is absent.
    @_lifetime(copy self)
    func raw(_ key: StaticString) -> RawValue? {
        let key = RawSpan(
            _unsafeBytes: UnsafeRawBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
        let places = places.span
        for position in 0..<placeCount {
            let place = places[position]
            guard Int(place.keyCount) == key.byteCount else { continue }
            let start = Int(place.keyStart)
            guard payload.extracting(start..<start + key.byteCount).elementsEqual(key) else { continue }
            return RawValue(span: payload, offset: Int(place.value))
        }
        guard hasMore, let offset = RawValue(span: payload, offset: 0).offset(forKey: key) else { return nil }
        return RawValue(span: payload, offset: offset)
    }

    func isPresent(_ key: StaticString) -> Bool { !isFalsy(key) }

    func isFalsy(_ key: StaticString) -> Bool {
        switch raw(key)?.head {
        case nil, .null, .bool(false), .int(0), .uint(0), .double(0), .string(0), .bytes(0), .array(0), .map(0): true
        default: false
        }
    }

    func isTrue(_ key: StaticString) -> Bool {
        switch raw(key)?.head {
        case .bool(true), .int(1), .double(1): true
        default: false
        }
    }

    /// A string, or `nil` when the field is absent or nil.
    func string(_ key: StaticString) throws(RequestError) -> String? {
        guard let value = raw(key), value.head != .null else { return nil }
        do throws(MessagePackError) {
            var reader = MessagePackReader(value.span, at: value.offset)
            return try reader.readString()
        } catch {
            throw RequestError("Field '\(key)' must be a string: \(error)")
        }
    }

    func database() throws(RequestError) -> String {
        try string("database") ?? "default"
    }

    func requiredDatabase() throws(RequestError) -> String {
        guard isPresent("database"), let name = try string("database") else {
            throw RequestError("Missing 'database' field")
        }
        return name
    }

    func namespace(missing: String, _ recent: inout RecentNamespace) throws(RequestError) -> Request.Namespace {
        if let known = recent.namespace, let collection = raw("collection")?.text,
            collection.elementsEqual(recent.collection.span.bytes)
        {
            let database = raw("database")
            if let database, let text = database.text {
                if text.elementsEqual(recent.database.span.bytes) { return known }
            } else if database == nil, recent.isDefaultDatabase {
                return known
            }
        }
        guard isPresent("collection"), let collection = try string("collection") else { throw RequestError(missing) }
        let namespace = Request.Namespace(database: try database(), collection: collection)
        recent = RecentNamespace(namespace)
        return namespace
    }

    /// The id of a document: `key`, or `document_id` as the old shells call it.
    func id(missing: String) throws(RequestError) -> Value {
        if let id = raw("key") { return try Self.id(id, missing: missing) }
        guard let id = raw("document_id") else { throw RequestError(missing) }
        return try Self.id(id, missing: missing)
    }

    private static func id(_ id: RawValue, missing: String) throws(RequestError) -> Value {
        guard let head = id.head else { throw RequestError(missing) }
        switch head {
        case .int(let number): return .int(number)
        case .string(let count) where count > 64 << 10:
            throw RequestError("Field 'key' exceeds the limit of 65536 bytes", code: .limit)
        case .string(let count) where count > 0:
            do throws(MessagePackError) {
                var reader = MessagePackReader(id.span, at: id.offset)
                return .string(try reader.readString())
            } catch {
                throw RequestError("Invalid MessagePack: \(error)")
            }
        case .string, .null: throw RequestError(missing)
        default: throw RequestError("A document's id is a string or an integer, not \(head.kindName)")
        }
    }

    /// The bytes of a map, checked to be one; empty counts as missing.
    func encodedMap(_ key: StaticString, missing: String) throws(RequestError) -> [UInt8] {
        guard isPresent(key), let value = raw(key) else { throw RequestError(missing) }
        guard case .map? = value.head else {
            throw RequestError("Field '\(key)' must be a document, not \(value.head?.kindName ?? "nothing")")
        }
        return value.bytes.withUnsafeBytes { Array($0) }
    }

    /// The bytes of an array, checked to be one; empty counts as missing.
    func encodedArray(_ key: StaticString, missing: String) throws(RequestError) -> [UInt8] {
        guard isPresent(key), let value = raw(key) else { throw RequestError(missing) }
        guard case .array? = value.head else {
            throw RequestError("Field '\(key)' must be an array, not \(value.head?.kindName ?? "nothing")")
        }
        return value.bytes.withUnsafeBytes { Array($0) }
    }

    /// A decoded value, or `nil` when the field is absent. Decoding multiplies the size, hence a limit in bytes.
    func value(_ key: StaticString, maximumByteCount: Int) throws(RequestError) -> Value? {
        guard let value = raw(key) else { return nil }
        guard value.bytes.byteCount <= maximumByteCount else {
            throw RequestError("Field '\(key)' exceeds the limit of \(maximumByteCount) bytes", code: .limit)
        }
        do throws(MessagePackError) {
            return try value.decoded()
        } catch {
            throw RequestError("Invalid MessagePack: \(error)")
        }
    }

    /// A decoded map; anything that counts as missing is an empty one.
    func document(_ key: StaticString, maximumByteCount: Int) throws(RequestError) -> Document {
        guard isPresent(key), let value = try value(key, maximumByteCount: maximumByteCount) else { return [:] }
        guard let document = value.document else {
            throw RequestError("Field '\(key)' must be a document, not \(value.kindName)")
        }
        return document
    }

    /// A whole number from 0 up, or `nil` when the field is absent or nil.
    func count(_ key: StaticString) throws(RequestError) -> Int? {
        guard let value = try value(key, maximumByteCount: 64), !value.isNull else { return nil }
        guard let number = value.int, number >= 0 else {
            throw RequestError("Field '\(key)' must be a whole number from 0 up")
        }
        return Int(number)
    }

    func durability() throws(RequestError) -> Request.Durability? {
        guard let name = try string("durability") else { return nil }
        guard let durability = Request.Durability(rawValue: name) else {
            throw RequestError("Unknown durability '\(name)': use 'sync' or 'os'")
        }
        return durability
    }
}

/// The namespace of the request before: most requests of a connection name the same one, and its strings need not
/// be made again.
struct RecentNamespace: Sendable {
    fileprivate var namespace: Request.Namespace?
    fileprivate var database: [UInt8] = []
    fileprivate var collection: [UInt8] = []
    fileprivate var isDefaultDatabase = false

    init() {}

    fileprivate init(_ namespace: Request.Namespace) {
        self.namespace = namespace
        database = Array(namespace.database.utf8)
        collection = Array(namespace.collection.utf8)
        isDefaultDatabase = namespace.database == "default"
    }
}
