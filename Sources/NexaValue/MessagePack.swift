/// MessagePack, the encoding of NexaDB's wire and of its stored documents.
///
/// Encoding is compact: every value takes the shortest form that the reference packers choose, so the
/// bytes equal theirs. Decoding accepts every form of every value, checks every length against the
/// bytes that are there, and never recurses deeper than `Limits.maximumDepth`.
public enum MessagePack {
    /// What a decoder accepts from a peer.
    public struct Limits: Sendable, Hashable {
        /// How deep arrays and maps may nest. A scalar has depth 0, `[]` has depth 1.
        public var maximumDepth: Int

        /// Creates limits; the default depth of 100 is MongoDB's.
        public init(maximumDepth: Int = 100) { self.maximumDepth = maximumDepth }

        /// The limits of the server and of the client.
        public static let standard = Limits()
    }

    /// Encodes one value in its shortest form.
    public static func encode(_ value: Value) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.write(value)
        return writer.bytes
    }

    /// Encodes one document as a map, fields in order.
    public static func encode(_ document: Document) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.write(document)
        return writer.bytes
    }

    /// Decodes exactly one value.
    ///
    /// - Throws: `MessagePackError` when the bytes are cut short, malformed, too deep, or go on after the value.
    public static func decode(_ bytes: [UInt8], limits: Limits = .standard) throws(MessagePackError) -> Value {
        try decode(bytes.span.bytes, limits: limits)
    }

    /// Decodes exactly one value.
    ///
    /// - Throws: `MessagePackError` when the bytes are cut short, malformed, too deep, or go on after the value.
    public static func decode(_ bytes: RawSpan, limits: Limits = .standard) throws(MessagePackError) -> Value {
        var reader = MessagePackReader(bytes, limits: limits)
        let value = try reader.readValue()
        try reader.expectEnd()
        return value
    }

    /// Decodes exactly one map.
    ///
    /// - Throws: `MessagePackError` as `decode` does, and `.unexpectedKind` when the value is not a map.
    public static func decodeDocument(
        _ bytes: RawSpan, limits: Limits = .standard
    ) throws(MessagePackError) -> Document {
        var reader = MessagePackReader(bytes, limits: limits)
        let document = try reader.readDocument()
        try reader.expectEnd()
        return document
    }

    /// Decodes exactly one map.
    ///
    /// - Throws: `MessagePackError` as `decode` does, and `.unexpectedKind` when the value is not a map.
    public static func decodeDocument(
        _ bytes: [UInt8], limits: Limits = .standard
    ) throws(MessagePackError) -> Document {
        try decodeDocument(bytes.span.bytes, limits: limits)
    }

    /// Checks that the bytes are exactly one well-formed value: lengths, UTF-8, distinct string keys, depth.
    ///
    /// Bytes that pass can be read later without a further check.
    /// - Throws: `MessagePackError` naming the first fault and its offset.
    public static func validate(_ bytes: RawSpan, limits: Limits = .standard) throws(MessagePackError) {
        var reader = MessagePackReader(bytes, limits: limits)
        try reader.validateValue(depth: 0)
        try reader.expectEnd()
    }
}

/// Why bytes are not an acceptable MessagePack value, and where.
public struct MessagePackError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of fault.
    public enum Reason: Sendable, Hashable {
        /// The bytes end inside a value, or a length points behind their end.
        case truncated
        /// The byte 0xC1, which MessagePack never uses.
        case invalidByte(UInt8)
        /// A string is not valid UTF-8.
        case invalidUTF8
        /// A map key is neither a string nor UTF-8 bytes.
        case keyNotString
        /// A map has the same key twice (only `validate` refuses that).
        case repeatedKey
        /// Arrays and maps nest deeper than the limit given.
        case tooDeep(limit: Int)
        /// Bytes follow the value.
        case trailingBytes(Int)
        /// A value of another kind stands where this kind was needed.
        case unexpectedKind(expected: String, found: String)
        /// A timestamp extension has a length or a fraction that the format does not define.
        case invalidTimestamp
    }

    /// What is wrong.
    public var reason: Reason
    /// The offset in bytes of the value at fault.
    public var offset: Int

    /// Creates an error.
    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// One sentence, with the offset.
    public var description: String {
        let text =
            switch reason {
            case .truncated: "the value is cut short"
            case .invalidByte(let byte): "byte 0x\(String(byte, radix: 16)) starts no value"
            case .invalidUTF8: "a string is not valid UTF-8"
            case .keyNotString: "a map key is not a string"
            case .repeatedKey: "a map has the same key twice"
            case .tooDeep(let limit): "arrays and maps nest deeper than \(limit) levels"
            case .trailingBytes(let count): "\(count) byte(s) follow the value"
            case .unexpectedKind(let expected, let found): "expected \(expected), found \(found)"
            case .invalidTimestamp: "a timestamp has an undefined form"
            }
        return "\(text) (at byte \(offset))"
    }
}
