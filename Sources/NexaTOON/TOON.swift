public import NexaValue

/// Token-Oriented Object Notation 4.0 (https://github.com/toon-format/spec, release 4.0.0): JSON's data in fewer tokens.
///
/// Lists of documents with the same fields become tables whose field names stand once; the rest is indented as in
/// YAML. Text is deterministic: the same value always gives the same bytes.
///
/// Values without a JSON form are written as `JSON.encode` writes them: a vector as a list of the shortest texts of its
/// 32-bit floats, a timestamp as RFC 3339 text in UTC, binary data and extensions as documents
/// (`$binary`, `$extension`). NaN and the infinities become `null` and `-0` becomes `0`, as the specification says.
/// A double without a fraction loses its kind: `1.0` is written `1` and read as an integer.
///
/// Numbers read are `.int` without fraction and exponent, `.uint` above `Int64.max`, and the nearest `.double` beyond
/// both or with one of them. A number that no `Double` can hold is refused.
public enum TOON {
    /// What stands between the values of a list and the cells of a row.
    public enum Delimiter: UInt8, Sendable, Hashable, CaseIterable {
        /// `,`, which headers leave out.
        case comma = 0x2C
        /// A horizontal tab.
        case tab = 0x09
        /// `|`.
        case pipe = 0x7C
    }

    /// How values are written.
    public struct EncodingOptions: Sendable, Hashable {
        /// What stands between values; with a tab the fewest texts need quotes.
        public var delimiter: Delimiter
        /// Blanks for each level, 1 to 16.
        public var indentation: Int
        /// Writing stops with `TOONEncodingError` beyond this many bytes; deep values cost many blanks.
        public var maximumByteCount: Int

        /// Creates options; the defaults are commas, two blanks for each level, and no limit.
        public init(delimiter: Delimiter = .comma, indentation: Int = 2, maximumByteCount: Int = .max) {
            self.delimiter = delimiter
            self.indentation = min(max(indentation, 1), 16)
            self.maximumByteCount = maximumByteCount
        }

        /// Commas, and two blanks for each level.
        public static let standard = EncodingOptions()
    }

    /// What a decoder accepts at most.
    public struct Limits: Sendable, Hashable {
        /// How deep lists and documents may nest, at most `JSON.Limits.depthCeiling`.
        public var maximumDepth: Int
        /// How many bytes of text are looked at. A decoded value can take forty times the size of its text.
        public var maximumByteCount: Int

        /// Creates limits; the defaults are 256 levels and 64 MiB.
        public init(maximumDepth: Int = 256, maximumByteCount: Int = 64 << 20) {
            self.maximumDepth = maximumDepth
            self.maximumByteCount = maximumByteCount
        }

        /// 256 levels and 64 MiB.
        public static let standard = Limits()
    }

    /// How text is decoded.
    public struct DecodingOptions: Sendable, Hashable {
        /// Refuses text whose counts, widths, indentation or keys contradict each other, as the specification asks.
        ///
        /// Otherwise a wrong count is passed over, a short row lacks its last fields, surplus cells and lines without
        /// a place are left out, of a repeated key the last value counts, a malformed header is an ordinary key, an
        /// indentation is rounded down (a tab counts as one level) and a byte order mark is passed over.
        public var isStrict: Bool
        /// Blanks for each level, 1 to 16.
        public var indentation: Int
        /// Reads what NexaDB 3.0 wrote in place of TOON: JSON's escapes, lists and maps as Python prints them in a
        /// cell (`['a', 'b']`), `nan` and `inf`. Only together with `isStrict: false`.
        public var acceptsNexaDB3: Bool
        /// What is accepted at most.
        public var limits: Limits

        /// Creates options; without arguments they are strict.
        public init(
            isStrict: Bool = true, indentation: Int = 2, acceptsNexaDB3: Bool = false, limits: Limits = .standard
        ) {
            self.isStrict = isStrict
            self.indentation = min(max(indentation, 1), 16)
            self.acceptsNexaDB3 = acceptsNexaDB3
            self.limits = limits
        }

        /// All checks of the specification's strict mode.
        public static let strict = DecodingOptions()
        /// None of them: whatever can be understood.
        public static let lenient = DecodingOptions(isStrict: false)
    }

    /// The release of the specification that this module implements.
    public static let specification = "4.0"

    // MARK: Encoding

    /// Writes a value as UTF-8 text, without a line break at the end.
    ///
    /// - Throws: `TOONEncodingError` beyond 256 levels of nesting and beyond the options' limit.
    public static func encode(
        _ value: Value, _ options: EncodingOptions = .standard
    ) throws(TOONEncodingError) -> [UInt8] {
        var writer = TOONWriter(options)
        try writer.writeRoot(value)
        return writer.output.bytes
    }

    /// Writes a document as UTF-8 text, as `encode(_:_:)` does for a value.
    public static func encode(
        _ document: Document, _ options: EncodingOptions = .standard
    ) throws(TOONEncodingError) -> [UInt8] {
        try encode(.document(document), options)
    }

    /// Writes a value as text, as `encode(_:_:)` does.
    public static func string(
        _ value: Value, _ options: EncodingOptions = .standard
    ) throws(TOONEncodingError) -> String {
        var writer = TOONWriter(options)
        try writer.writeRoot(value)
        return writer.output.text
    }

    /// Writes a document as text, as `encode(_:_:)` does.
    public static func string(
        _ document: Document, _ options: EncodingOptions = .standard
    ) throws(TOONEncodingError) -> String {
        try string(.document(document), options)
    }

    // MARK: Decoding

    /// Decodes a whole text; a text without lines is an empty document.
    ///
    /// - Throws: `TOONError` with line, column, what was expected, and what to do.
    public static func decode(_ bytes: RawSpan, _ options: DecodingOptions = .strict) throws(TOONError) -> Value {
        try bytes.withUnsafeBytes { (buffer) throws(TOONError) -> Value in
            var parser = TOONParser(buffer.assumingMemoryBound(to: UInt8.self), options)
            return try parser.parse()
        }
    }

    /// Decodes a whole text, as `decode(_:_:)` does for bytes in place.
    public static func decode(_ bytes: [UInt8], _ options: DecodingOptions = .strict) throws(TOONError) -> Value {
        try decode(bytes.span.bytes, options)
    }

    /// Decodes a whole text, as `decode(_:_:)` does for bytes in place.
    public static func decode(_ text: String, _ options: DecodingOptions = .strict) throws(TOONError) -> Value {
        try decode(text.utf8Span.span.bytes, options)
    }
}
