/// JSON text, the form in which people and other programs read and write documents.
///
/// Decoding is strict RFC 8259 unless `Options.relaxed` is asked for. It walks the bytes once, keeps its
/// state on the heap instead of the call stack, and takes linear time whatever the text holds.
///
/// Numbers keep their kind: without fraction and exponent they are `.int`, or `.uint` above `Int64.max`,
/// or the nearest `.double` beyond both; with one they are `.double`. `-0` is `.double(-0.0)`, the only kind
/// that can hold the sign. A number whose magnitude no `Double` can hold is refused, one too small becomes zero.
/// Of a repeated key the last value counts, in the place of the first.
public enum JSON {
    /// What a decoder accepts at most.
    public struct Limits: Sendable, Hashable {
        /// No limit may allow deeper nesting: comparing, encoding and releasing a value recurse, and must fit a
        /// stack of 512 KiB even in a debug build.
        public static let depthCeiling = 256

        /// How deep arrays and objects may nest, at most `depthCeiling`. A scalar has depth 0, `[]` has depth 1.
        public var maximumDepth: Int
        /// How many bytes of text are looked at. A decoded value can take twenty times the size of its text.
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
    public struct Options: Sendable, Hashable {
        /// Accepts what people type: keys without quotes (letters, digits, `_`, `$`, `.`, `-`, anything beyond ASCII),
        /// single quotes, trailing commas, `//` and `/* */` comments, `NaN`, `Infinity`, `-Infinity`.
        public var isRelaxed: Bool
        /// Turns the objects that the encoder writes for values without a JSON form (`{"$binary": …}`,
        /// `{"$extension": …}`, `{"$numberDouble": …}`) back into those values.
        public var readsExtendedForms: Bool
        /// What is accepted at most.
        public var limits: Limits

        /// Creates options; without arguments they are strict.
        public init(isRelaxed: Bool = false, readsExtendedForms: Bool = false, limits: Limits = .standard) {
            self.isRelaxed = isRelaxed
            self.readsExtendedForms = readsExtendedForms
            self.limits = limits
        }

        /// RFC 8259, nothing else.
        public static let strict = Options()
        /// What people type at a prompt.
        public static let relaxed = Options(isRelaxed: true)
    }

    /// Decodes exactly one value; blanks around it are passed over.
    ///
    /// - Throws: `JSONError` naming what was expected, with line and column.
    public static func decode(_ bytes: RawSpan, _ options: Options = .strict) throws(JSONError) -> Value {
        var parser = JSONParser(bytes, options)
        return try parser.parse()
    }

    /// Decodes exactly one value; blanks around it are passed over.
    ///
    /// - Throws: `JSONError` naming what was expected, with line and column.
    public static func decode(_ bytes: [UInt8], _ options: Options = .strict) throws(JSONError) -> Value {
        try decode(bytes.span.bytes, options)
    }

    /// Decodes exactly one value; blanks around it are passed over.
    ///
    /// - Throws: `JSONError` naming what was expected, with line and column.
    public static func decode(_ text: String, _ options: Options = .strict) throws(JSONError) -> Value {
        try decode(text.utf8Span.span.bytes, options)
    }

    /// Decodes exactly one object.
    ///
    /// - Throws: `JSONError` as `decode` does, and `.expected` at the value when it is no object.
    public static func decodeDocument(_ bytes: RawSpan, _ options: Options = .strict) throws(JSONError) -> Document {
        var parser = JSONParser(bytes, options)
        let value = try parser.parse()
        guard case .document(let document) = value else { throw parser.notAnObject() }
        return document
    }

    /// Decodes exactly one object.
    ///
    /// - Throws: `JSONError` as `decode` does, and `.expected` at the value when it is no object.
    public static func decodeDocument(_ bytes: [UInt8], _ options: Options = .strict) throws(JSONError) -> Document {
        try decodeDocument(bytes.span.bytes, options)
    }

    /// Decodes exactly one object.
    ///
    /// - Throws: `JSONError` as `decode` does, and `.expected` at the value when it is no object.
    public static func decodeDocument(_ text: String, _ options: Options = .strict) throws(JSONError) -> Document {
        try decodeDocument(text.utf8Span.span.bytes, options)
    }
}
