import NexaValue

/// Where the fields of one encoded map lie. Found in one pass; a model that reads its fields in the order of the
/// document finds each at the first look.
final class FieldIndex {
    private struct Field {
        var keyStart: UInt32
        var keyCount: UInt32
        var value: UInt32
    }

    private let bytes: [UInt8]
    private var fields: [Field] = []
    private var hint = 0

    init(_ bytes: [UInt8], _ offset: Int) throws(MessagePackError) {
        self.bytes = bytes
        var reader = MessagePackReader(bytes.span.bytes, at: offset)
        let count = try reader.readMapHead()
        fields.reserveCapacity(count)
        for _ in 0..<count {
            let keyCount = try reader.readKey().byteCount
            // Frames are below 4 GiB.
            fields.append(
                Field(
                    keyStart: UInt32(truncatingIfNeeded: reader.position - keyCount),
                    keyCount: UInt32(truncatingIfNeeded: keyCount), value: UInt32(truncatingIfNeeded: reader.position)))
            try reader.skip()
        }
    }

    /// The offset of a field's value.
    func value(_ key: String) -> Int? {
        var key = key
        let bytes = bytes
        return key.withUTF8 { name in
            let name = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(name))
            for step in 0..<fields.count {
                var position = hint + step
                if position >= fields.count { position -= fields.count }
                let field = fields[position]
                guard Int(field.keyCount) == name.byteCount else { continue }
                let start = Int(field.keyStart)
                let isSame = bytes.span.bytes.extracting(start..<start + name.byteCount).elementsEqual(name)
                guard isSame else { continue }
                hint = position
                return Int(field.value)
            }
            return nil
        }
    }

    /// The names of all fields.
    var names: [String] {
        fields.map { field in
            let start = Int(field.keyStart)
            return String(decoding: bytes[start..<start + Int(field.keyCount)], as: UTF8.self)
        }
    }
}

struct KeyedFields<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: EncodedDecoder
    let fields: FieldIndex
    private let renames: Bool

    init(decoder: EncodedDecoder, fields: FieldIndex) {
        self.decoder = decoder
        self.fields = fields
        renames = decoder.source.coding.renames(Key.self)
    }

    var codingPath: [any CodingKey] { decoder.codingPath }

    var allKeys: [Key] {
        // Keys that only a strategy relates to properties cannot be listed as properties.
        fields.names.compactMap(Key.init(stringValue:))
    }

    private func offset(_ key: any CodingKey) -> Int? {
        fields.value(renames ? decoder.source.coding.field(key.stringValue) : key.stringValue)
    }

    func contains(_ key: Key) -> Bool { offset(key) != nil }

    /// The decoder of a field. Its path is only made for what needs one: a scalar that is in order does not.
    @inline(__always) private func read<T>(_ key: any CodingKey, _ body: (EncodedDecoder) throws -> T) throws -> T {
        guard let offset = offset(key) else { throw missing(key) }
        do {
            return try body(EncodedDecoder(source: decoder.source, offset: offset, path: decoder.path))
        } catch is DecodingError {
            // Once more, for the path in the error.
            return try body(decoder.inner(offset, key))
        }
    }

    private func nested(_ key: any CodingKey) throws -> EncodedDecoder {
        guard let offset = offset(key) else { throw missing(key) }
        return decoder.inner(offset, key)
    }

    private func missing(_ key: any CodingKey) -> DecodingError {
        .keyNotFound(
            key, .init(codingPath: codingPath + [key], debugDescription: "the document has no such field"))
    }

    func decodeNil(forKey key: Key) throws -> Bool { try read(key) { $0.decodeNil() } }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try read(key) { try $0.decode(type) } }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try read(key) { try $0.decode(type) } }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try read(key) { try $0.decode(type) } }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try read(key) { try $0.decode(type) } }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try read(key) { try $0.decode(type) } }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try read(key) { try $0.decode(type) } }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try read(key) { try $0.decode(type) } }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try read(key) { try $0.decode(type) } }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try read(key) { try $0.decode(type) } }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try read(key) { try $0.decode(type) } }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try read(key) { try $0.decode(type) } }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try read(key) { try $0.decode(type) } }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try read(key) { try $0.decode(type) } }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try read(key) { try $0.decode(type) } }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try nested(key).unwrap(type) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try nested(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try nested(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { try nested(PathKey("super")) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try nested(key) }
}

struct ArrayElements: UnkeyedDecodingContainer {
    private let decoder: EncodedDecoder
    private let elementCount: Int
    private var offset: Int
    private(set) var currentIndex = 0

    init(decoder: EncodedDecoder, elementCount: Int, firstOffset: Int) {
        self.decoder = decoder
        self.elementCount = elementCount
        offset = firstOffset
    }

    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { elementCount }
    var isAtEnd: Bool { currentIndex >= elementCount }

    /// Reads the current element and moves on only when that succeeded.
    private mutating func next<T>(_ body: (EncodedDecoder) throws -> T) throws -> T {
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                T.self,
                .init(
                    codingPath: codingPath + [PathKey(currentIndex)],
                    debugDescription: "the array has only \(elementCount) elements"))
        }
        let element = decoder.inner(offset, PathKey(currentIndex))
        let result = try body(element)
        let bytes = decoder.source.bytes
        var reader = MessagePackReader(bytes.span.bytes, at: offset)
        do throws(MessagePackError) {
            try reader.skip()
        } catch {
            throw element.malformed(error)
        }
        offset = reader.position
        currentIndex += 1
        return result
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, decoder.inner(offset, PathKey(currentIndex)).decodeNil() else { return false }
        return try next { _ in true }
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try next { try $0.decode(type) } }
    mutating func decode(_ type: String.Type) throws -> String { try next { try $0.decode(type) } }
    mutating func decode(_ type: Double.Type) throws -> Double { try next { try $0.decode(type) } }
    mutating func decode(_ type: Float.Type) throws -> Float { try next { try $0.decode(type) } }
    mutating func decode(_ type: Int.Type) throws -> Int { try next { try $0.decode(type) } }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try next { try $0.decode(type) } }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try next { try $0.decode(type) } }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try next { try $0.decode(type) } }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try next { try $0.decode(type) } }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try next { try $0.decode(type) } }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try next { try $0.decode(type) } }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try next { try $0.decode(type) } }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try next { try $0.decode(type) } }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try next { try $0.decode(type) } }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next { try $0.unwrap(type) } }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try next { try $0.container(keyedBy: type) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next { try $0.unkeyedContainer() }
    }

    mutating func superDecoder() throws -> any Decoder { try next { $0 } }
}

/// Binary, read as the array of numbers that `Data` and `[UInt8]` expect.
struct ByteElements: UnkeyedDecodingContainer {
    let bytes: [UInt8]
    let decoder: EncodedDecoder
    private(set) var currentIndex = 0

    init(bytes: [UInt8], decoder: EncodedDecoder) {
        self.bytes = bytes
        self.decoder = decoder
    }

    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { bytes.count }
    var isAtEnd: Bool { currentIndex >= bytes.count }

    private mutating func next<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        guard !isAtEnd, let value = T(exactly: bytes[currentIndex]) else {
            throw DecodingError.valueNotFound(
                type, .init(codingPath: codingPath, debugDescription: "the binary has only \(bytes.count) bytes"))
        }
        currentIndex += 1
        return value
    }

    private func onlyBytes(_ type: Any.Type) -> DecodingError {
        .typeMismatch(type, .init(codingPath: codingPath, debugDescription: "expected an array, found binary"))
    }

    func decodeNil() throws -> Bool { false }
    mutating func decode(_ type: Int.Type) throws -> Int { try next(type) }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try next(type) }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try next(type) }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try next(type) }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try next(type) }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try next(type) }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try next(type) }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try next(type) }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try next(type) }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try next(type) }
    func decode(_ type: Bool.Type) throws -> Bool { throw onlyBytes(type) }
    func decode(_ type: String.Type) throws -> String { throw onlyBytes(type) }
    func decode(_ type: Double.Type) throws -> Double { throw onlyBytes(type) }
    func decode(_ type: Float.Type) throws -> Float { throw onlyBytes(type) }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if type == UInt8.self, let byte = try next(UInt8.self) as? T { return byte }
        throw onlyBytes(type)
    }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
        throw onlyBytes(type)
    }

    func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw onlyBytes([Value].self) }
    func superDecoder() throws -> any Decoder { throw onlyBytes(Document.self) }
}
