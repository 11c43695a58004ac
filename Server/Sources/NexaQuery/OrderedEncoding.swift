public import NexaValue

/// An encoding of values whose bytes compare as `ValueOrder` compares the values.
///
/// Sorting and index keys compare with `memcmp` instead of reading MessagePack. The encoding of one value is never a
/// prefix of another's, so encodings can stand one behind the other. It cannot be decoded: numbers that are equal have
/// one encoding, whatever their kind.
///
/// | kind | bytes |
/// |---|---|
/// | null, and a missing field | `05` |
/// | number | `10`, the largest double not above it made sortable (8), from ±2^53 on the rest (2) |
/// | string | `20`, UTF-8 with `00` written `00 FF`, `00 00` |
/// | document | `30`, per field: kind, name as a string, value; `00` |
/// | array | `40`, elements, `00` |
/// | binary | `50`, length (4), bytes |
/// | boolean | `60`, `00` or `01` |
/// | timestamp | `70`, seconds (8), nanoseconds (4) |
/// | extension | `80`, type (1), length (4), bytes |
public enum OrderedEncoding {
    /// Appends the encoding of an encoded value; for descending order, all bits inverted.
    ///
    /// - Throws: `MessagePackError` when the value is not well-formed.
    public static func append(
        _ value: RawSpan, descending: Bool = false, to output: inout [UInt8]
    ) throws(MessagePackError) {
        let start = output.count
        var reader = MessagePackReader(value)
        try append(&reader, depth: 0, to: &output)
        if descending { invert(&output, from: start) }
    }

    /// Appends the encoding of a value; for descending order, all bits inverted.
    public static func append(_ value: Value, descending: Bool = false, to output: inout [UInt8]) {
        let bytes = MessagePack.encode(value)
        // Encoded a line above, it is well-formed; only nesting beyond the codec's limit can fail.
        try? append(bytes.span.bytes, descending: descending, to: &output)
    }

    /// The tag of null and of a missing field.
    static let null: UInt8 = 0x05
    /// The tag of an empty array as a sort key; MongoDB puts it before null.
    static let emptyArray: UInt8 = 0x03
    /// The tag of other arrays.
    static let array = ValueOrder.Bracket.array.rawValue << 4
    private static let end: UInt8 = 0x00

    static func invert(_ output: inout [UInt8], from start: Int) {
        for index in start..<output.count { output[index] = ~output[index] }
    }

    private static func tag(_ head: MessagePackReader.Head) -> UInt8 {
        head.bracket == .null ? null : head.bracket.rawValue << 4
    }

    static func append(
        _ reader: inout MessagePackReader, depth: Int, to output: inout [UInt8]
    ) throws(MessagePackError) {
        let start = reader.position
        let head = try reader.readHead()
        output.append(tag(head))
        switch head {
        case .null: break
        case .bool(let value): output.append(value ? 1 : 0)
        case .int(let value): append(.int(value), to: &output)
        case .uint(let value): append(.uint(value), to: &output)
        case .double(let value): append(.double(value), to: &output)
        case .string(let count): appendText(try reader.readBytes(count), to: &output)
        case .bytes(let count):
            append(UInt32(clamping: count), to: &output)
            try appendRaw(&reader, count, to: &output)
        case .array(let count):
            try checkDepth(depth, reader, at: start)
            for _ in 0..<count { try append(&reader, depth: depth + 1, to: &output) }
            output.append(end)
        case .map(let count):
            try checkDepth(depth, reader, at: start)
            for _ in 0..<count {
                let name = try reader.readKey()
                var value = reader
                output.append(tag(try value.readHead()))
                appendText(name, to: &output)
                try append(&reader, depth: depth + 1, to: &output)
            }
            output.append(end)
        case .extended(type: -1, let count):
            let timestamp = try reader.readTimestampBody(byteCount: count)
            append(UInt64(bitPattern: timestamp.seconds) ^ 1 << 63, to: &output)
            append(timestamp.nanoseconds, to: &output)
        case .extended(let type, let count):
            output.append(UInt8(bitPattern: type) ^ 0x80)
            append(UInt32(clamping: count), to: &output)
            try appendRaw(&reader, count, to: &output)
        }
    }

    private static func checkDepth(_ depth: Int, _ reader: borrowing MessagePackReader, at offset: Int)
        throws(MessagePackError)
    {
        guard depth < reader.limits.maximumDepth else {
            throw MessagePackError(.tooDeep(limit: reader.limits.maximumDepth), at: offset)
        }
    }

    private static func append<T: FixedWidthInteger>(_ value: T, to output: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { output.append(contentsOf: $0) }
    }

    private static func appendRaw(
        _ reader: inout MessagePackReader, _ count: Int, to output: inout [UInt8]
    ) throws(MessagePackError) {
        try reader.readBytes(count).withUnsafeBytes { output.append(contentsOf: $0) }
    }

    static func appendText(_ text: RawSpan, to output: inout [UInt8]) {
        text.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while let zero = rest.firstIndex(of: 0) {
                output.append(contentsOf: rest[...zero])
                output.append(0xFF)
                rest = rest[(zero + 1)...]
            }
            output.append(contentsOf: rest)
        }
        output.append(0)
        output.append(0)
    }

    /// A double sorts by its bits when its sign is turned round, and all bits of a negative one. An integer
    /// beyond 2^53 lies between two doubles that are at most 2048 apart: the lower one and the distance say all.
    static func append(_ number: Number, to output: inout [UInt8]) {
        let floor: Double
        let rest: UInt16
        switch number {
        case .double(let value):
            floor = value
            rest = 0
        case .int(let value): (floor, rest) = split(value)
        case .uint(let value): (floor, rest) = split(value)
        }
        if floor.isNaN { return append(UInt64(0), to: &output) }  // below the bits of minus infinity
        let bits = (floor == 0 ? 0 : floor).bitPattern
        append(bits >> 63 == 0 ? bits | 1 << 63 : ~bits, to: &output)
        if floor.magnitude >= 0x1p53 { append(rest, to: &output) }
    }

    private static func split<Integer: FixedWidthInteger>(_ value: Integer) -> (floor: Double, rest: UInt16) {
        var floor = Double(value)
        while true {
            if let whole = Integer(exactly: floor), whole <= value {
                return (floor, UInt16(truncatingIfNeeded: value &- whole))
            }
            floor = floor.nextDown  // at most once: rounding goes to a neighbour
        }
    }
}
