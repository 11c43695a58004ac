public import NexaValue

/// The one order of all values, which queries, sorting and index keys share.
///
/// Between kinds: null < numbers < strings < documents < arrays < binary < booleans < timestamps < extensions.
/// Numbers of all kinds lie on one exact line, NaN below all others and equal to itself. Strings compare by
/// their UTF-8 bytes, arrays element by element, documents field by field (the kind of the value, then the name, then
/// the value), binary data and extensions by type code, length, bytes. This is MongoDB's order:
/// https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/.
public enum ValueOrder {
    /// Compares two encoded values: negative, zero or positive as the left one is smaller, equal or larger.
    ///
    /// - Throws: `MessagePackError` when one of them is not well-formed.
    public static func compare(_ left: RawSpan, _ right: RawSpan) throws(MessagePackError) -> Int {
        var left = MessagePackReader(left)
        var right = MessagePackReader(right)
        return try compare(&left, &right, depth: 0)
    }

    /// Compares two values: negative, zero or positive as the left one is smaller, equal or larger.
    public static func compare(_ left: Value, _ right: Value) -> Int {
        let left = MessagePack.encode(left)
        let right = MessagePack.encode(right)
        // Encoded a line above, they are well-formed; only nesting beyond the codec's limit can fail.
        return (try? compare(left.span.bytes, right.span.bytes)) ?? 0
    }

    /// Whether two values are of one kind, so that a filter compares them.
    package static func areOfOneKind(_ left: Value, _ right: Value) -> Bool { bracket(of: left) == bracket(of: right) }

    private static func bracket(of value: Value) -> Bracket? {
        let encoded = MessagePack.encode(value)
        var reader = MessagePackReader(encoded.span.bytes)
        return (try? reader.readHead())?.bracket
    }

    /// The place of a kind in the order; values of different brackets are never compared by a filter.
    enum Bracket: UInt8, Comparable {
        case null, number, string, document, array, binary, boolean, timestamp, extended

        static func < (left: Bracket, right: Bracket) -> Bool { left.rawValue < right.rawValue }
    }

    /// Compares the next values of two readers and moves behind both when they are equal.
    static func compare(
        _ left: inout MessagePackReader, _ right: inout MessagePackReader, depth: Int
    ) throws(MessagePackError) -> Int {
        let start = left.position
        let leftHead = try left.readHead()
        let rightHead = try right.readHead()
        switch (leftHead, rightHead) {
        case (.int(let left), .int(let right)): return left < right ? -1 : left == right ? 0 : 1
        case (.string(let leftCount), .string(let rightCount)):
            return try left.readBytes(leftCount).compare(right.readBytes(rightCount))
        case (.null, .null): return 0
        case (.bool(let left), .bool(let right)): return left == right ? 0 : left ? 1 : -1
        case (.bytes(let leftCount), .bytes(let rightCount)):
            if leftCount != rightCount { return leftCount < rightCount ? -1 : 1 }
            return try left.readBytes(leftCount).compare(right.readBytes(rightCount))
        case (.array(let leftCount), .array(let rightCount)):
            guard depth < left.limits.maximumDepth else {
                throw MessagePackError(.tooDeep(limit: left.limits.maximumDepth), at: start)
            }
            for _ in 0..<min(leftCount, rightCount) {
                let order = try compare(&left, &right, depth: depth + 1)
                if order != 0 { return order }
            }
            return leftCount - rightCount
        case (.map(let leftCount), .map(let rightCount)):
            guard depth < left.limits.maximumDepth else {
                throw MessagePackError(.tooDeep(limit: left.limits.maximumDepth), at: start)
            }
            for _ in 0..<min(leftCount, rightCount) {
                let order = try compareFields(&left, &right, depth: depth + 1)
                if order != 0 { return order }
            }
            return leftCount - rightCount
        case (.extended(let leftType, let leftCount), .extended(let rightType, let rightCount)):
            if leftType == -1, rightType == -1 {
                let left = try left.readTimestampBody(byteCount: leftCount)
                return try left.compare(right.readTimestampBody(byteCount: rightCount))
            }
            if leftType == -1 || rightType == -1 { return leftType == -1 ? -1 : 1 }
            if leftType != rightType { return leftType < rightType ? -1 : 1 }
            if leftCount != rightCount { return leftCount < rightCount ? -1 : 1 }
            return try left.readBytes(leftCount).compare(right.readBytes(rightCount))
        default:
            if let left = leftHead.number, let right = rightHead.number { return left.compare(right) }
            return Int(leftHead.bracket.rawValue) - Int(rightHead.bracket.rawValue)
        }
    }

    private static func compareFields(
        _ left: inout MessagePackReader, _ right: inout MessagePackReader, depth: Int
    ) throws(MessagePackError) -> Int {
        let leftName = try left.readKey()
        let rightName = try right.readKey()
        var leftValue = left
        var rightValue = right
        let leftBracket = try leftValue.readHead().bracket
        let rightBracket = try rightValue.readHead().bracket
        if leftBracket != rightBracket { return leftBracket < rightBracket ? -1 : 1 }
        let order = leftName.compare(rightName)
        return order != 0 ? order : try compare(&left, &right, depth: depth)
    }
}

extension MessagePackReader.Head {
    /// The place of the value's kind in the order.
    @inline(__always) var bracket: ValueOrder.Bracket {
        switch self {
        case .null: .null
        case .int, .uint, .double: .number
        case .string: .string
        case .map: .document
        case .array: .array
        case .bytes: .binary
        case .bool: .boolean
        case .extended(type: -1, _): .timestamp
        case .extended: .extended
        }
    }

    /// The number, if it is one.
    @inline(__always) var number: Number? {
        switch self {
        case .int(let value): .int(value)
        case .uint(let value): .uint(value)
        case .double(let value): .double(value)
        default: nil
        }
    }
}

extension MessagePackReader {
    /// Reads the body of a timestamp whose head was read.
    @_lifetime(self: copy self)
    mutating func readTimestampBody(byteCount: Int) throws(MessagePackError) -> Timestamp {
        let start = position
        let body = try readBytes(byteCount)
        switch byteCount {
        case 4: return Timestamp(seconds: Int64(body.bigEndian(UInt32.self, at: 0)))
        case 8:
            let packed = body.bigEndian(UInt64.self, at: 0)
            return Timestamp(seconds: Int64(packed & 0x3_FFFF_FFFF), nanoseconds: UInt32(packed >> 34))
        case 12:
            return Timestamp(
                seconds: body.bigEndian(Int64.self, at: 4), nanoseconds: body.bigEndian(UInt32.self, at: 0))
        default: throw MessagePackError(.invalidTimestamp, at: start)
        }
    }
}

extension Timestamp {
    func compare(_ other: Timestamp) -> Int {
        if seconds != other.seconds { return seconds < other.seconds ? -1 : 1 }
        return nanoseconds < other.nanoseconds ? -1 : nanoseconds == other.nanoseconds ? 0 : 1
    }
}

extension RawSpan {
    /// A big-endian number inside the span.
    func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, at offset: Int) -> T {
        precondition(offset >= 0 && offset + MemoryLayout<T>.size <= byteCount)
        return T(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// Compares bytes as unsigned numbers; a prefix is smaller.
    func compare(_ other: RawSpan) -> Int {
        let common = Swift.min(byteCount, other.byteCount)
        var offset = 0
        while offset &+ 8 <= common {
            let left = UInt64(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let right = UInt64(bigEndian: unsafe other.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
            if left != right { return left < right ? -1 : 1 }
            offset &+= 8
        }
        while offset < common {
            let left = unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            let right = unsafe other.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            if left != right { return left < right ? -1 : 1 }
            offset &+= 1
        }
        return byteCount - other.byteCount
    }
}
