extension JSON {
    /// Text of JSON that grows: encoded values are written to it without being decoded, for programs that pass millions of
    /// documents on.
    ///
    /// ```swift
    /// var stream = JSON.Stream(.relaxedExtended)
    /// try stream.append(messagePack: document)
    /// stream.append(0x0A)
    /// ```
    ///
    /// It keeps its memory when it is emptied: a steady state allocates nothing.
    public struct Stream: ~Copyable {
        private var text: MessagePackWriter
        private let options: EncodingOptions
        private let isCanonical: Bool

        /// An empty text.
        ///
        /// - Parameter options: how values are written. `sortsKeys` has no effect.
        public init(_ options: EncodingOptions = .compact, capacity: Int = 4096) {
            text = MessagePackWriter(capacity: capacity)
            self.options = options
            isCanonical = options.extendedJSON == .canonical
        }

        /// How many bytes there are.
        public var count: Int { text.count }
        /// A copy of the text in UTF-8.
        public var bytes: [UInt8] { text.bytes }

        /// Forgets the text and keeps the memory, unless it is above so many bytes.
        public mutating func removeAll(keepingAtMost bound: Int = .max) { text.removeAll(keepingAtMost: bound) }

        /// Appends one byte as it is.
        public mutating func append(_ byte: UInt8) { text.writeRaw(byte) }

        /// Appends text as it is.
        public mutating func append(raw string: StaticString) {
            string.withUTF8Buffer { text.writeRaw(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer($0))) }
        }

        /// Appends an encoded value as `append(_:to:_:)` would the decoded one. Of a repeated key (which stored documents
        /// never have) all fields are written.
        ///
        /// - Parameter value: exactly one value in MessagePack.
        /// - Throws: `JSONEncodingError`, also for bytes that are no MessagePack; the text is as before then.
        public mutating func append(messagePack value: RawSpan) throws(JSONEncodingError) {
            let before = text.count
            var reader = MessagePackReader(value)
            do throws(JSONEncodingError) {
                try write(&reader, depth: 0)
                guard reader.isAtEnd else {
                    let error = MessagePackError(.trailingBytes(reader.remaining), at: reader.position)
                    throw JSONEncodingError(.malformed(error))
                }
            } catch {
                text.truncate(to: before)
                throw error
            }
        }

        // MARK: Values

        /// Writes the next value of a reader and moves behind it.
        private mutating func write(_ reader: inout MessagePackReader, depth: Int) throws(JSONEncodingError) {
            let start = reader.position
            switch try Self.head(&reader) {
            case .string(let count): try writeText(&reader, count, at: start)
            case .array(let count):
                try open(0x5B, depth)
                for index in 0..<count {
                    separate(index, depth)
                    try write(&reader, depth: depth + 1)
                }
                close(0x5D, count, depth)
            case .map(let count):
                try open(0x7B, depth)
                for index in 0..<count {
                    separate(index, depth)
                    try writeKey(&reader)
                    try write(&reader, depth: depth + 1)
                }
                close(0x7D, count, depth)
            case .null: append(raw: "null")
            case .bool(let value): append(raw: value ? "true" : "false")
            case .int(let value) where !isCanonical: writeDigits(value)
            case .double(let value) where !isCanonical && value.isFinite:
                var description = value.description
                description.withUTF8 { text.writeRaw(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer($0))) }
            default:
                reader.position = start
                try writeOther(&reader, depth)
            }
        }

        private static func head(
            _ reader: inout MessagePackReader
        ) throws(JSONEncodingError) -> MessagePackReader.Head {
            do throws(MessagePackError) {
                return try reader.readHead()
            } catch {
                throw JSONEncodingError(.malformed(error))
            }
        }

        private func checkDepth(_ depth: Int) throws(JSONEncodingError) {
            guard depth < JSON.Limits.depthCeiling else {
                throw JSONEncodingError(.tooDeep(limit: JSON.Limits.depthCeiling))
            }
        }

        private mutating func open(_ bracket: UInt8, _ depth: Int) throws(JSONEncodingError) {
            try checkDepth(depth)
            text.writeRaw(bracket)
        }

        private mutating func separate(_ index: Int, _ depth: Int) {
            if index > 0 { text.writeRaw(0x2C) }
            if options.isPretty { breakLine(depth + 1) }
        }

        private mutating func close(_ bracket: UInt8, _ count: Int, _ depth: Int) {
            if options.isPretty, count > 0 { breakLine(depth) }
            text.writeRaw(bracket)
        }

        private mutating func breakLine(_ depth: Int) {
            text.writeRaw(0x0A)
            for _ in 0..<2 * depth { text.writeRaw(0x20) }
        }

        private mutating func writeKey(_ reader: inout MessagePackReader) throws(JSONEncodingError) {
            let start = reader.position
            switch try Self.head(&reader) {
            case .string(let count), .bytes(let count): try writeText(&reader, count, at: start)
            default: throw JSONEncodingError(.malformed(MessagePackError(.keyNotString, at: start)))
            }
            text.writeRaw(0x3A)
            if options.isPretty { text.writeRaw(0x20) }
        }

        /// Writes what is rare by decoding it.
        private mutating func writeOther(_ reader: inout MessagePackReader, _ depth: Int) throws(JSONEncodingError) {
            let value: Value
            do throws(MessagePackError) {
                value = try reader.readValue()
            } catch {
                throw JSONEncodingError(.malformed(error))
            }
            var writer = JSONWriter(output: [], options: options)
            try writer.write(value, depth: depth)
            text.writeRaw(writer.output)
        }

        private mutating func writeDigits(_ value: Int64) {
            if value < 0 { text.writeRaw(0x2D) }
            var rest = value.magnitude
            guard rest >= 10 else { return text.writeRaw(0x30 | UInt8(rest)) }
            // The last digit first, into room for the 19 that there may be, or the 20 of the least.
            var digits = InlineArray<20, UInt8>(repeating: 0)
            var first = 20
            while rest > 0 {
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                first &-= 1
                digits[first] = 0x30 | UInt8(truncatingIfNeeded: digit)
                rest = quotient
            }
            text.writeRaw(digits.span.extracting(first..<20).bytes)
        }

        /// Writes a string in quotes; control characters, quotes and backslashes are escaped.
        private mutating func writeText(
            _ reader: inout MessagePackReader, _ count: Int, at start: Int
        ) throws(JSONEncodingError) {
            // A head never announces more than is there.
            let string = reader.span.extracting(reader.position..<reader.position + count)
            reader.position += count
            guard string.isUTF8 else { throw JSONEncodingError(.malformed(MessagePackError(.invalidUTF8, at: start))) }
            text.writeRaw(0x22)
            var plain = 0
            while plain < count {
                let end = Self.plainEnd(string, from: plain)
                text.writeRaw(string.extracting(plain..<end))
                guard end < count else { break }
                writeEscape(unsafe string.unsafeLoad(fromByteOffset: end, as: UInt8.self))
                plain = end + 1
            }
            text.writeRaw(0x22)
        }

        /// Where the first byte that has to be escaped is.
        ///
        /// Eight bytes at a time: a byte of a word is zero when its highest bit is set in `(word - 0x01…) & ~word & 0x80…`
        /// (below the first one this may err, which only costs a closer look); see Henry S. Warren, Hacker's Delight, 6-1.
        private static func plainEnd(_ string: RawSpan, from start: Int) -> Int {
            let ones: UInt64 = 0x0101_0101_0101_0101
            let highs: UInt64 = 0x8080_8080_8080_8080
            var position = start
            while position &+ 8 <= string.byteCount {
                let word = unsafe string.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
                let quotes = word ^ (ones &* 0x22)
                let slashes = word ^ (ones &* 0x5C)
                let found =
                    (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes | (word &- ones &* 0x20) & ~word
                if found & highs != 0 { break }
                position &+= 8
            }
            while position < string.byteCount {
                let byte = unsafe string.unsafeLoad(fromByteOffset: position, as: UInt8.self)
                if byte < 0x20 || byte == 0x22 || byte == 0x5C { break }
                position &+= 1
            }
            return position
        }

        private mutating func writeEscape(_ byte: UInt8) {
            text.writeRaw(0x5C)
            switch byte {
            case 0x22, 0x5C: text.writeRaw(byte)
            case 0x08: text.writeRaw(0x62)
            case 0x09: text.writeRaw(0x74)
            case 0x0A: text.writeRaw(0x6E)
            case 0x0C: text.writeRaw(0x66)
            case 0x0D: text.writeRaw(0x72)
            default:
                append(raw: "u00")
                text.writeRaw(0x30 | byte >> 4)
                text.writeRaw(byte & 15 < 10 ? 0x30 | byte & 15 : 0x57 + (byte & 15))
            }
        }
    }

    /// Appends an encoded value as UTF-8 text; see `Stream`, which is faster for many.
    ///
    /// - Throws: `JSONEncodingError`, also for bytes that are no MessagePack; the buffer is as before then.
    public static func append(
        messagePack value: RawSpan, to output: inout [UInt8], _ options: EncodingOptions = .compact
    ) throws(JSONEncodingError) {
        var stream = Stream(options, capacity: 2 * value.byteCount + 64)
        try stream.append(messagePack: value)
        output += stream.bytes
    }
}
