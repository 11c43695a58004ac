import NexaValue

/// Values as bytes that sort as queries compare:
/// null < numbers < strings (bytewise) < maps < arrays < binary < booleans < dates.
///
/// Every encoding says where it ends, so values can follow one another in a key. Tags leave room for kinds
/// to come. Numbers of all kinds lie on one line: equal numbers have equal bytes, whatever their kind, and
/// decode to an integer where they can. Maps and arrays get their encoding with the first index.
enum KeyEncoding {
    enum Tag {
        static let null: UInt8 = 0x10
        static let number: UInt8 = 0x20
        static let string: UInt8 = 0x30
        static let map: UInt8 = 0x40
        static let array: UInt8 = 0x50
        static let binary: UInt8 = 0x60
        static let boolean: UInt8 = 0x70
        static let date: UInt8 = 0x80
    }

    // MARK: Encoding

    /// Appends a value; false for the kinds that have no encoding yet (maps, arrays, vectors, extensions).
    static func append(_ value: Value, to key: inout [UInt8]) -> Bool {
        switch value {
        case .null: key.append(Tag.null)
        case .int(let value): append(value, to: &key)
        case .uint(let value): append(unsigned: value, to: &key)
        case .double(let value): append(value, to: &key)
        case .string(let value):
            var value = value
            value.withUTF8 { append(text: UnsafeRawBufferPointer($0), to: &key) }
        case .bytes(let value):
            key.append(Tag.binary)
            value.withUnsafeBytes { appendEscaped($0, to: &key) }
        case .bool(let value):
            key.append(Tag.boolean)
            key.append(value ? 1 : 0)
        case .timestamp(let value):
            key.append(Tag.date)
            appendBigEndian(UInt64(bitPattern: value.seconds) ^ (1 << 63), to: &key)
            appendBigEndian(value.nanoseconds, to: &key)
        case .array, .document, .vector, .extended: return false
        }
        return true
    }

    static func append(text: UnsafeRawBufferPointer, to key: inout [UInt8]) {
        key.append(Tag.string)
        appendEscaped(text, to: &key)
    }

    static func append(_ value: Int64, to key: inout [UInt8]) {
        if value >= 0 { return append(unsigned: UInt64(value), to: &key) }
        // The double at or below the value, then how far above it the value lies.
        var floor = Double(value)
        if Int64(exactly: floor).map({ $0 > value }) ?? false { floor = floor.nextDown }
        let base = Int64(exactly: floor) ?? .min
        append(number: floor, rest: UInt16(truncatingIfNeeded: value &- base), to: &key)
    }

    private static func append(unsigned value: UInt64, to key: inout [UInt8]) {
        var floor = Double(value)
        // Rounded up, also to 2^64, which is no UInt64 any more.
        if UInt64(exactly: floor).map({ $0 > value }) ?? true { floor = floor.nextDown }
        let base = UInt64(exactly: floor) ?? 0
        append(number: floor, rest: UInt16(truncatingIfNeeded: value &- base), to: &key)
    }

    private static func append(_ value: Double, to key: inout [UInt8]) {
        append(number: value == 0 ? 0 : value, rest: 0, to: &key)
    }

    /// Eight bytes that sort as doubles do (NaN lowest), and the distance from the double, below 2^11.
    private static func append(number: Double, rest: UInt16, to key: inout [UInt8]) {
        let bits = number.bitPattern
        let ordered: UInt64 = number.isNaN ? 0 : bits >> 63 == 0 ? bits | 1 << 63 : ~bits
        key.append(Tag.number)
        appendBigEndian(ordered, to: &key)
        appendBigEndian(rest, to: &key)
    }

    private static func appendBigEndian<T: FixedWidthInteger>(_ value: T, to key: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { key.append(contentsOf: $0) }
    }

    /// Bytes with 00 written as 00 FF, ended by 00 00: a text sorts before every longer one that begins with it.
    private static func appendEscaped(_ bytes: UnsafeRawBufferPointer, to key: inout [UInt8]) {
        key.reserveCapacity(key.count + bytes.count + 2)
        for byte in bytes {
            key.append(byte)
            if byte == 0 { key.append(0xFF) }
        }
        key.append(0)
        key.append(0)
    }

    // MARK: Decoding

    /// Reads a value and moves behind it; `nil` for bytes that are no encoding.
    static func read(_ key: UnsafeRawBufferPointer, at position: inout Int) -> Value? {
        guard position < key.count else { return nil }
        let tag = key[position]
        position += 1
        switch tag {
        case Tag.null: return .null
        case Tag.number: return readNumber(key, at: &position)
        case Tag.string:
            guard let bytes = readEscaped(key, at: &position), let text = String(validating: bytes, as: UTF8.self)
            else { return nil }
            return .string(text)
        case Tag.binary: return readEscaped(key, at: &position).map { .bytes($0) }
        case Tag.boolean:
            guard let byte = readBigEndian(UInt8.self, key, at: &position), byte < 2 else { return nil }
            return .bool(byte == 1)
        case Tag.date:
            guard let seconds = readBigEndian(UInt64.self, key, at: &position),
                let nanoseconds = readBigEndian(UInt32.self, key, at: &position)
            else { return nil }
            return .timestamp(Timestamp(seconds: Int64(bitPattern: seconds ^ (1 << 63)), nanoseconds: nanoseconds))
        default: return nil
        }
    }

    private static func readNumber(_ key: UnsafeRawBufferPointer, at position: inout Int) -> Value? {
        guard let ordered = readBigEndian(UInt64.self, key, at: &position),
            let rest = readBigEndian(UInt16.self, key, at: &position)
        else { return nil }
        if ordered == 0 { return .double(.nan) }
        let number = Double(bitPattern: ordered >> 63 == 1 ? ordered & ~(1 << 63) : ~ordered)
        if let base = Int64(exactly: number) {
            let (value, overflow) = base.addingReportingOverflow(Int64(rest))
            return overflow ? .uint(UInt64(base) + UInt64(rest)) : .int(value)
        }
        return UInt64(exactly: number).map { .uint($0 + UInt64(rest)) } ?? .double(number)
    }

    private static func readEscaped(_ key: UnsafeRawBufferPointer, at position: inout Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while position + 1 < key.count {
            let byte = key[position]
            guard byte == 0 else {
                bytes.append(byte)
                position += 1
                continue
            }
            let next = key[position + 1]
            position += 2
            if next == 0 { return bytes }
            guard next == 0xFF else { return nil }
            bytes.append(0)
        }
        return nil
    }

    private static func readBigEndian<T: FixedWidthInteger & BitwiseCopyable>(
        _: T.Type, _ key: UnsafeRawBufferPointer, at position: inout Int
    ) -> T? {
        guard key.count - position >= MemoryLayout<T>.size else { return nil }
        defer { position += MemoryLayout<T>.size }
        return T(bigEndian: key.loadUnaligned(fromByteOffset: position, as: T.self))
    }
}
