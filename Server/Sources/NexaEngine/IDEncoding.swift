import NexaValue

/// `_id`s as bytes that sort as queries compare, and back.
///
/// The bytes are those of `NexaQuery.OrderedEncoding`, the one order of all values; ids are only ever texts and
/// integers, which are written here directly and can be read back:
///
/// | kind | bytes |
/// |---|---|
/// | integer | `10`, the largest double not above it made sortable (8), from ±2^53 on the rest (2) |
/// | string | `20`, UTF-8 with `00` written `00 FF`, `00 00` |
enum IDEncoding {
    private static let number: UInt8 = 0x10
    static let string: UInt8 = 0x20

    static func append(_ value: Int64, to key: inout [UInt8]) {
        var floor = Double(value)
        // 2^63 is no Int64 any more: rounded up.
        if Int64(exactly: floor).map({ $0 > value }) ?? true { floor = floor.nextDown }
        let bits = floor.bitPattern
        key.append(number)
        appendBigEndian(bits >> 63 == 0 ? bits | 1 << 63 : ~bits, to: &key)
        guard floor.magnitude >= 0x1p53 else { return }
        appendBigEndian(UInt16(truncatingIfNeeded: value &- (Int64(exactly: floor) ?? .min)), to: &key)
    }

    static func append(_ text: String, to key: inout [UInt8]) {
        var text = text
        key.append(string)
        text.withUTF8 { bytes in
            key.reserveCapacity(key.count + bytes.count + 2)
            for byte in bytes {
                key.append(byte)
                if byte == 0 { key.append(0xFF) }
            }
        }
        key.append(0)
        key.append(0)
    }

    private static func appendBigEndian<T: FixedWidthInteger>(_ value: T, to key: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { key.append(contentsOf: $0) }
    }

    /// Reads an id and moves behind it; `nil` for bytes that are none.
    static func read(_ key: UnsafeRawBufferPointer, at position: inout Int) -> Value? {
        guard position < key.count else { return nil }
        let tag = key[position]
        position += 1
        switch tag {
        case number: return readInteger(key, at: &position).map { .int($0) }
        case string: return readText(key, at: &position).map { .string($0) }
        default: return nil
        }
    }

    private static func readInteger(_ key: UnsafeRawBufferPointer, at position: inout Int) -> Int64? {
        guard let ordered = readBigEndian(UInt64.self, key, at: &position) else { return nil }
        let floor = Double(bitPattern: ordered >> 63 == 1 ? ordered & ~(1 << 63) : ~ordered)
        guard let base = Int64(exactly: floor) else { return nil }
        guard floor.magnitude >= 0x1p53 else { return base }
        guard let rest = readBigEndian(UInt16.self, key, at: &position) else { return nil }
        let (value, overflow) = base.addingReportingOverflow(Int64(rest))
        return overflow ? nil : value
    }

    private static func readText(_ key: UnsafeRawBufferPointer, at position: inout Int) -> String? {
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
            if next == 0 { return String(validating: bytes, as: UTF8.self) }
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
