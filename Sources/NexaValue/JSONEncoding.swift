extension JSON {
    /// How values are written.
    public struct EncodingOptions: Sendable, Hashable {
        /// What becomes of NaN and the infinities, which JSON cannot say.
        public enum NonFiniteNumbers: Sendable, Hashable {
            /// `JSONEncodingError`.
            case refuse
            /// `null`, as JavaScript does.
            case null
            /// `{"$numberDouble":"NaN"}`, which `Options.readsExtendedForms` reads back.
            case extendedForm
        }

        /// How values without a JSON form are told apart from those with one.
        public enum ExtendedJSON: Sendable, Hashable {
            /// Only binary data, extensions and, if wanted, non-finite numbers have a form of their own.
            case none
            /// MongoDB's relaxed Extended JSON: points in time are `{"$date":"…"}`, non-finite numbers have a form.
            case relaxed
            /// MongoDB's canonical Extended JSON: numbers say their kind too, such as `{"$numberInt":"5"}`.
            case canonical
        }

        /// One field or element per line, indented by two blanks for each level.
        public var isPretty: Bool
        /// Fields in bytewise order of their keys instead of the document's order.
        public var sortsKeys: Bool
        /// What becomes of NaN and the infinities.
        public var nonFiniteNumbers: NonFiniteNumbers
        /// How values without a JSON form are told apart from those with one.
        public var extendedJSON: ExtendedJSON

        /// Creates options; without arguments the text is compact and in the order of the document.
        public init(
            isPretty: Bool = false, sortsKeys: Bool = false, nonFiniteNumbers: NonFiniteNumbers = .refuse,
            extendedJSON: ExtendedJSON = .none
        ) {
            self.isPretty = isPretty
            self.sortsKeys = sortsKeys
            self.nonFiniteNumbers = nonFiniteNumbers
            self.extendedJSON = extendedJSON
        }

        /// Everything on one line, without blanks.
        public static let compact = EncodingOptions()
        /// Relaxed Extended JSON on one line.
        public static let relaxedExtended = EncodingOptions(extendedJSON: .relaxed)
        /// Canonical Extended JSON on one line.
        public static let canonicalExtended = EncodingOptions(extendedJSON: .canonical)
        /// One field or element per line, indented by two blanks for each level.
        public static let pretty = EncodingOptions(isPretty: true)
    }

    /// Writes a value as UTF-8 text.
    ///
    /// Text beyond ASCII stands unescaped. A double takes the shortest form that reads back as the same number
    /// and always has a fraction or an exponent, so that it stays a double. Values without a JSON form:
    /// a vector becomes an array of the shortest texts of its 32-bit floats, a timestamp RFC 3339 text in UTC,
    /// binary data `{"$binary":{"base64":"…","subType":"00"}}`, an extension `{"$extension":{"base64":"…","type":5}}`.
    /// - Throws: `JSONEncodingError` for NaN and infinities (see `EncodingOptions`) and beyond 256 levels of nesting.
    public static func encode(
        _ value: Value, _ options: EncodingOptions = .compact
    ) throws(JSONEncodingError) -> [UInt8] {
        var output: [UInt8] = []
        try append(value, to: &output, options)
        return output
    }

    /// Writes a document as UTF-8 text, as `encode(_:_:)` does for a value.
    public static func encode(
        _ document: Document, _ options: EncodingOptions = .compact
    ) throws(JSONEncodingError) -> [UInt8] {
        try encode(.document(document), options)
    }

    /// Writes a value as text, as `encode(_:_:)` does.
    public static func string(
        _ value: Value, _ options: EncodingOptions = .compact
    ) throws(JSONEncodingError) -> String {
        String(decoding: try encode(value, options), as: UTF8.self)
    }

    /// Writes a document as text, as `encode(_:_:)` does.
    public static func string(
        _ document: Document, _ options: EncodingOptions = .compact
    ) throws(JSONEncodingError) -> String {
        try string(.document(document), options)
    }

    /// Appends a value as UTF-8 text, for streams that reuse one buffer. On an error the buffer is as before.
    public static func append(
        _ value: Value, to output: inout [UInt8], _ options: EncodingOptions = .compact
    ) throws(JSONEncodingError) {
        let before = output.count
        var writer = JSONWriter(output: output, options: options)
        output = []  // the writer must be the only owner, or its first append copies
        do throws(JSONEncodingError) {
            try writer.write(value, depth: 0)
            output = writer.output
        } catch {
            output = writer.output
            output.removeLast(output.count - before)
            throw error
        }
    }

    /// Appends a document as UTF-8 text, as `append(_:to:_:)` does for a value.
    public static func append(
        _ document: Document, to output: inout [UInt8], _ options: EncodingOptions = .compact
    ) throws(JSONEncodingError) {
        try append(.document(document), to: &output, options)
    }
}

/// The encoder's walk over a value.
struct JSONWriter {
    var output: [UInt8]
    let options: JSON.EncodingOptions

    mutating func write(_ value: Value, depth: Int) throws(JSONEncodingError) {
        switch value {
        case .array(let values): try write(values, depth: depth)
        case .document(let document): try write(document, depth: depth)
        case .vector(let components): try write(components, depth: depth)
        default: try writeScalar(value)
        }
    }

    /// Writes what holds no other values; apart from the recursion, whose frames have to fit small stacks.
    private mutating func writeScalar(_ value: Value) throws(JSONEncodingError) {
        if options.extendedJSON != .none, writeExtended(value) { return }
        switch value {
        case .null, .array, .document, .vector: write("null")
        case .bool(let value): write(value ? "true" : "false")
        case .int(let value):
            if value < 0 { output.append(0x2D) }
            writeDigits(value.magnitude)
        case .uint(let value): writeDigits(value)
        case .double(let value): try writeNumber(value, text: value.description)
        case .string(let value): writeText(value)
        case .bytes(let value):
            write("{\"$binary\":{\"base64\":\"")
            JSON.appendBase64(value, to: &output)
            write("\",\"subType\":\"00\"}}")
        case .timestamp(let value): writeText(value.rfc3339)
        case .extended(let value):
            write("{\"$extension\":{\"base64\":\"")
            JSON.appendBase64(value.bytes, to: &output)
            write("\",\"type\":\(value.type)}}")
        }
    }

    private mutating func write(_ components: [Float], depth: Int) throws(JSONEncodingError) {
        let isCanonical = options.extendedJSON == .canonical
        try open(0x5B, depth)
        for index in components.indices {
            separate(index, depth)
            let component = Double(components[index])
            if isCanonical, writeExtended(.double(component)) { continue }
            try writeNumber(component, text: components[index].description)
        }
        close(0x5D, components.count, depth)
    }

    /// Writes what Extended JSON has a form of its own for; false for other values.
    private mutating func writeExtended(_ value: Value) -> Bool {
        let isCanonical = options.extendedJSON == .canonical
        switch value {
        case .int(let number) where isCanonical:
            write("{\"\(Int32(exactly: number) == nil ? "$numberLong" : "$numberInt")\":\"\(number)\"}")
        // MongoDB has no such integers; its tools refuse them rather than change them.
        case .uint(let number) where isCanonical: write("{\"$numberLong\":\"\(number)\"}")
        case .double(let number) where isCanonical || !number.isFinite:
            let text =
                number.isNaN ? "NaN" : number.isFinite ? number.description : number < 0 ? "-Infinity" : "Infinity"
            write("{\"$numberDouble\":\"\(text)\"}")
        case .timestamp(let time):
            // RFC 3339 can say the years up to 9999; the specification has it for those from 1970 on, in the relaxed
            // form. Parts of a millisecond have no other form, and are lost in other years.
            let isExact = time.nanoseconds % 1_000_000 == 0
            let first: Int64 = isExact ? 0 : -62_167_219_200
            if (first...253_402_300_799).contains(time.seconds), !(isExact && isCanonical) {
                write("{\"$date\":\"\(time.rfc3339)\"}")
            } else {
                let (product, overflow) = time.seconds.multipliedReportingOverflow(by: 1000)
                let milliseconds = overflow ? (time.seconds < 0 ? .min : .max) : product
                write(
                    "{\"$date\":{\"$numberLong\":\"\(milliseconds &+ (overflow ? 0 : Int64(time.nanoseconds / 1_000_000)))\"}}"
                )
            }
        default: return false
        }
        return true
    }

    private mutating func write(_ values: [Value], depth: Int) throws(JSONEncodingError) {
        try open(0x5B, depth)
        for index in values.indices {
            separate(index, depth)
            try write(values[index], depth: depth + 1)
        }
        close(0x5D, values.count, depth)
    }

    private mutating func write(_ document: Document, depth: Int) throws(JSONEncodingError) {
        if options.sortsKeys, document.count > 1 { return try writeSorted(document, depth: depth) }
        try open(0x7B, depth)
        for index in 0..<document.count {
            separate(index, depth)
            try writeField(document[index], depth: depth)
        }
        close(0x7D, document.count, depth)
    }

    private mutating func writeSorted(_ document: Document, depth: Int) throws(JSONEncodingError) {
        let fields = document.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        try open(0x7B, depth)
        for index in fields.indices {
            separate(index, depth)
            try writeField(fields[index], depth: depth)
        }
        close(0x7D, fields.count, depth)
    }

    @inline(__always)
    private mutating func writeField(_ field: Document.Element, depth: Int) throws(JSONEncodingError) {
        writeText(field.key)
        output.append(0x3A)
        if options.isPretty { output.append(0x20) }
        try write(field.value, depth: depth + 1)
    }

    private mutating func open(_ bracket: UInt8, _ depth: Int) throws(JSONEncodingError) {
        guard depth < JSON.Limits.depthCeiling else {
            throw JSONEncodingError(.tooDeep(limit: JSON.Limits.depthCeiling))
        }
        output.append(bracket)
    }

    /// What stands before an element: a comma, a line break.
    @inline(__always)
    private mutating func separate(_ index: Int, _ depth: Int) {
        if index > 0 { output.append(0x2C) }
        if options.isPretty { breakLine(depth + 1) }
    }

    private mutating func close(_ bracket: UInt8, _ count: Int, _ depth: Int) {
        if options.isPretty, count > 0 { breakLine(depth) }
        output.append(bracket)
    }

    private mutating func breakLine(_ depth: Int) {
        output.append(0x0A)
        output.append(contentsOf: repeatElement(0x20, count: 2 * depth))
    }

    @inline(__always) mutating func write(_ text: StaticString) {
        output.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func write(_ text: String) {
        output.append(contentsOf: text.utf8)
    }

    private mutating func writeNumber(_ value: Double, text: @autoclosure () -> String) throws(JSONEncodingError) {
        if value.isFinite { return write(text()) }
        switch options.nonFiniteNumbers {
        case .refuse: throw JSONEncodingError(.nonFiniteNumber(value))
        case .null: write("null")
        case .extendedForm:
            write("{\"$numberDouble\":\"")
            write(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
            write("\"}")
        }
    }

    private mutating func writeDigits(_ value: UInt64) {
        if value < 10 { return output.append(0x30 | UInt8(value)) }
        var rest = value
        let start = output.count
        while rest > 0 {
            output.append(0x30 | UInt8(rest % 10))
            rest /= 10
        }
        output[start...].reverse()
    }

    /// Writes a string in quotes; control characters, quotes and backslashes are escaped.
    private mutating func writeText(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            output.append(0x22)
            var plain = 0
            var position = 0
            while position < bytes.count {
                let byte = bytes[position]
                if byte >= 0x20, byte != 0x22, byte != 0x5C {
                    position &+= 1
                    continue
                }
                output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[plain..<position]))
                writeEscape(byte)
                position &+= 1
                plain = position
            }
            output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[plain...]))
            output.append(0x22)
        }
    }

    private mutating func writeEscape(_ byte: UInt8) {
        output.append(0x5C)
        switch byte {
        case 0x22, 0x5C: output.append(byte)
        case 0x08: output.append(0x62)
        case 0x09: output.append(0x74)
        case 0x0A: output.append(0x6E)
        case 0x0C: output.append(0x66)
        case 0x0D: output.append(0x72)
        default:
            write("u00")
            output.append(0x30 | byte >> 4)
            output.append(byte & 15 < 10 ? 0x30 | byte & 15 : 0x57 + (byte & 15))
        }
    }
}
