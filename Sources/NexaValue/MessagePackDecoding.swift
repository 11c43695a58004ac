/// Decoding into values, and validation of values that stay encoded.
extension MessagePackReader {
    /// Reads one value and everything in it.
    @_lifetime(self: copy self)
    public mutating func readValue() throws(MessagePackError) -> Value {
        try readValue(depth: 0)
    }

    /// Reads one map and everything in it. A repeated key keeps its first place and its last value.
    @_lifetime(self: copy self)
    public mutating func readDocument() throws(MessagePackError) -> Document {
        let count = try readMapHead()
        return try readDocument(count: count, depth: 1)
    }

    @_lifetime(self: copy self)
    private mutating func readValue(depth: Int) throws(MessagePackError) -> Value {
        let start = position
        switch try readHead() {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .uint(let value): return .uint(value)
        case .double(let value): return .double(value)
        case .string(let count): return .string(try readText(count, at: start))
        case .bytes(let count): return .bytes(try copyBytes(count))
        case .array(let count):
            try enter(depth, at: start)
            var array: [Value] = []
            array.reserveCapacity(count)
            for _ in 0..<count { array.append(try readValue(depth: depth + 1)) }
            return .array(array)
        case .map(let count):
            try enter(depth, at: start)
            return .document(try readDocument(count: count, depth: depth + 1))
        case .extended(-1, let count):
            return .timestamp(try readTimestamp(byteCount: count, at: start))
        case .extended(let type, let count):
            return .extended(ExtendedValue(type: type, bytes: try copyBytes(count)))
        }
    }

    @_lifetime(self: copy self)
    private mutating func readDocument(count: Int, depth: Int) throws(MessagePackError) -> Document {
        var document = Document()
        document.reserveCapacity(count)
        guard count <= Document.indexThreshold else {
            for _ in 0..<count {
                let key = try readKeyText()
                document[key] = .some(try readValue(depth: depth))
            }
            return document
        }
        // The keys of a small document are compared where they lie, which takes a fraction of comparing texts.
        var keys = InlineArray<16, Range<Int>>(repeating: 0..<0)
        for _ in 0..<count {
            let start = position
            let key = try readKey()
            let place = (position - key.byteCount)..<position
            let text = try key.text(at: start)
            let value = try readValue(depth: depth)
            var field = 0
            while field < document.elements.count, !span.extracting(keys[field]).elementsEqual(key) { field += 1 }
            if field < document.elements.count {
                document.elements[field].value = value
            } else {
                keys[field] = place
                document.elements.append((text, value))
            }
        }
        return document
    }

    /// Reads a map key as text.
    @_lifetime(self: copy self)
    public mutating func readKeyText() throws(MessagePackError) -> String {
        let start = position
        return try readKey().text(at: start)
    }

    private func enter(_ depth: Int, at offset: Int) throws(MessagePackError) {
        guard depth < limits.maximumDepth else {
            throw MessagePackError(.tooDeep(limit: limits.maximumDepth), at: offset)
        }
    }

    @_lifetime(self: copy self)
    private mutating func copyBytes(_ count: Int) throws(MessagePackError) -> [UInt8] {
        try readBytes(count).withUnsafeBytes { unsafe Array($0) }
    }

    /// The three forms of the timestamp extension: 32, 64 and 96 bits.
    @_lifetime(self: copy self)
    private mutating func readTimestamp(byteCount: Int, at start: Int) throws(MessagePackError) -> Timestamp {
        let timestamp: Timestamp
        switch byteCount {
        case 4: timestamp = Timestamp(seconds: Int64(try load(UInt32.self)))
        case 8:
            let packed = try load(UInt64.self)
            timestamp = Timestamp(seconds: Int64(packed & 0x3_FFFF_FFFF), nanoseconds: UInt32(packed >> 34))
        case 12:
            let nanoseconds = try load(UInt32.self)
            timestamp = Timestamp(seconds: try load(Int64.self), nanoseconds: nanoseconds)
        default: throw MessagePackError(.invalidTimestamp, at: start)
        }
        guard timestamp.nanoseconds < 1_000_000_000 else { throw MessagePackError(.invalidTimestamp, at: start) }
        return timestamp
    }

    /// Moves behind the next value after checking all of it. `depth` is the number of containers around it.
    @_lifetime(self: copy self)
    public mutating func validateValue(depth: Int) throws(MessagePackError) {
        let start = position
        switch try readHead() {
        case .null, .bool, .int, .uint, .double: break
        case .string(let count): try validateText(count, at: start)
        case .extended(-1, let count): _ = try readTimestamp(byteCount: count, at: start)
        case .bytes(let count), .extended(_, let count): position += count
        case .array(let count):
            try enter(depth, at: start)
            for _ in 0..<count { try validateValue(depth: depth + 1) }
        case .map(let count):
            try enter(depth, at: start)
            try validateFields(count: count, depth: depth + 1)
        }
    }

    /// Checks the fields of a map; no two may have the same key, so that a reader may stop at the first.
    @_lifetime(self: copy self)
    private mutating func validateFields(count: Int, depth: Int) throws(MessagePackError) {
        // Small maps compare their keys in place; none is passed over twice, however deep the values nest.
        var keys = InlineArray<16, Range<Int>>(repeating: 0..<0)
        var seen = Set<Document.FieldName>()
        for field in 0..<count {
            let start = position
            let key = try readKey()
            guard key.isUTF8 else { throw MessagePackError(.invalidUTF8, at: start) }
            if count > keys.count {
                guard seen.insert(Document.FieldName(key.validText)).inserted else {
                    throw MessagePackError(.repeatedKey, at: start)
                }
            } else {
                for earlier in 0..<field where span.extracting(keys[earlier]).elementsEqual(key) {
                    throw MessagePackError(.repeatedKey, at: start)
                }
                keys[field] = (position - key.byteCount)..<position
            }
            try validateValue(depth: depth)
        }
    }

    @_lifetime(self: copy self)
    private mutating func validateText(_ count: Int, at start: Int) throws(MessagePackError) {
        let text = try readBytes(count)
        guard text.isUTF8 else { throw MessagePackError(.invalidUTF8, at: start) }
    }
}

extension RawSpan {
    /// True when the bytes are valid UTF-8; ASCII is passed over eight bytes at a time.
    public var isUTF8: Bool {
        var offset = 0
        while offset &+ 8 <= byteCount {
            let word = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            if word & 0x8080_8080_8080_8080 != 0 { break }
            offset &+= 8
        }
        if offset &+ 8 > byteCount {
            while offset < byteCount {
                if unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self) >= 0x80 { break }
                offset &+= 1
            }
            if offset == byteCount { return true }
        }
        let rest = extracting(offset..<byteCount)
        return (try? UTF8Span(validating: Span<UInt8>(_bytes: rest))) != nil
    }

    /// The bytes as text; they were found to be UTF-8 before, and are not looked at again.
    var validText: String {
        unsafe String(copying: UTF8Span(unchecked: Span<UInt8>(_bytes: self)))
    }

    /// The bytes as text, if they are valid UTF-8.
    func text(at start: Int) throws(MessagePackError) -> String {
        guard isUTF8 else { throw MessagePackError(.invalidUTF8, at: start) }
        return validText
    }
}
