import NexaValue

/// The fields of a request's payload, read where they lie.
///
/// What counts as missing is what the original counts as missing: absent, nil, false, zero and empty.
struct RequestFields: ~Escapable {
    private let map: RawValue?

    @_lifetime(copy payload)
    init(_ payload: RawSpan) throws(RequestError) {
        guard !payload.isEmpty else {
            map = nil
            return
        }
        var reader = MessagePackReader(payload)
        do throws(MessagePackError) {
            let head = try reader.readHead()
            guard case .map = head else {
                throw MessagePackError(.unexpectedKind(expected: "document", found: head.kindName), at: 0)
            }
            reader.position = 0
            try reader.skip()
            try reader.expectEnd()
        } catch {
            throw RequestError("Invalid MessagePack: \(error)")
        }
        map = RawValue(span: payload, offset: 0)
    }

    @_lifetime(copy self)
    private func raw(_ key: StaticString) -> RawValue? {
        guard let map else { return nil }
        let key = RawSpan(
            _unsafeBytes: UnsafeRawBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
        guard let offset = map.offset(forKey: key) else { return nil }
        return RawValue(span: map.span, offset: offset)
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

    func namespace(missing: String) throws(RequestError) -> Request.Namespace {
        guard isPresent("collection"), let collection = try string("collection") else { throw RequestError(missing) }
        return Request.Namespace(database: try database(), collection: collection)
    }

    /// The id of a document: `key`, or `document_id` as the old shells call it.
    func id(missing: String) throws(RequestError) -> Value {
        let name: StaticString = raw("key") != nil ? "key" : "document_id"
        guard let id = try value(name, maximumByteCount: 64 << 10), !id.isNull, id != "" else {
            throw RequestError(missing)
        }
        guard id.string != nil || id.int != nil else {
            throw RequestError("A document's id is a string or an integer, not \(id.kindName)")
        }
        return id
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
