/// Changes that become visible and durable together, or not at all.
///
/// Keys have at least one byte.
///
/// A batch is kept in the byte form in which the commit log stores it, so that nothing is copied between
/// building and logging it. One operation is a tag byte, a column family byte, and length-prefixed
/// (32 bits, little-endian) key and value.
public struct WriteBatch: Sendable {
    enum Tag: UInt8 {
        case put = 1
        case delete = 2
        case deleteRange = 3
        case note = 4
    }

    /// The operations in log form.
    var bytes: [UInt8] = []
    /// The number of operations.
    public private(set) var count = 0

    /// Creates an empty batch with room for `capacity` bytes.
    public init(capacity: Int = 0) {
        if capacity > 0 { bytes.reserveCapacity(capacity) }
    }

    /// True when the batch changes nothing.
    public var isEmpty: Bool { count == 0 }
    /// The size of the batch in the log, in bytes.
    public var byteCount: Int { bytes.count }

    /// Sets a key.
    public mutating func put(_ family: ColumnFamily, key: RawSpan, value: RawSpan) {
        let needed = bytes.count + key.byteCount + value.byteCount + 10
        // Twice as much each time: room for exactly this would copy the batch for every key.
        if needed > bytes.capacity { bytes.reserveCapacity(max(needed, 2 * bytes.capacity)) }
        append(.put, family, key)
        append(value)
    }

    /// Sets a key.
    public mutating func put(_ family: ColumnFamily, key: [UInt8], value: [UInt8]) {
        put(family, key: key.span.bytes, value: value.span.bytes)
    }

    /// Removes a key; removing an absent key is no error.
    public mutating func delete(_ family: ColumnFamily, key: RawSpan) {
        append(.delete, family, key)
    }

    /// Removes a key; removing an absent key is no error.
    public mutating func delete(_ family: ColumnFamily, key: [UInt8]) {
        delete(family, key: key.span.bytes)
    }

    /// Removes every key in `lower ..< upper`; constant time, whatever the number of keys.
    public mutating func deleteRange(_ family: ColumnFamily, lower: [UInt8], upper: [UInt8]) {
        append(.deleteRange, family, lower.span.bytes)
        append(upper.span.bytes)
    }

    /// Adds bytes that only the log holds: they change nothing, and `CommitCursor` returns them with the commit.
    ///
    /// A batch whose first entry is no note is passed over by cursors. `fill` appends exactly `byteCount` bytes.
    public mutating func note(byteCount: Int, _ fill: (inout [UInt8]) -> Void) {
        bytes.append(Tag.note.rawValue)
        bytes.append(0)
        appendLength(byteCount)
        let end = bytes.count + byteCount
        fill(&bytes)
        precondition(bytes.count == end, "a note has another length than was said")
    }

    /// Appends all operations of another batch.
    public mutating func append(contentsOf other: WriteBatch) {
        bytes.append(contentsOf: other.bytes)
        count += other.count
    }

    private mutating func append(_ tag: Tag, _ family: ColumnFamily, _ key: RawSpan) {
        bytes.append(tag.rawValue)
        bytes.append(family.rawValue)
        append(key)
        count += 1
    }

    private mutating func append(_ span: RawSpan) {
        appendLength(span.byteCount)
        span.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    private mutating func appendLength(_ length: Int) {
        let length = UInt32(truncatingIfNeeded: length)
        bytes.append(UInt8(truncatingIfNeeded: length))
        bytes.append(UInt8(truncatingIfNeeded: length >> 8))
        bytes.append(UInt8(truncatingIfNeeded: length >> 16))
        bytes.append(UInt8(truncatingIfNeeded: length >> 24))
    }
}

/// One operation of a batch; the buffers point into the batch's bytes.
package enum BatchOperation {
    case put(family: UInt8, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)
    case delete(family: UInt8, key: UnsafeRawBufferPointer)
    case deleteRange(family: UInt8, lower: UnsafeRawBufferPointer, upper: UnsafeRawBufferPointer)
    case note(UnsafeRawBufferPointer)

    /// The family that changes, if one does.
    var family: UInt8? {
        switch self {
        case .put(let family, _, _), .delete(let family, _), .deleteRange(let family, _, _): family
        case .note: nil
        }
    }
}

/// Walks the operations of a batch in log form; ends early, with `isDamaged` set, at bytes that are none.
struct BatchReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private(set) var isDamaged = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func next() -> BatchOperation? {
        guard position < bytes.count, !isDamaged else { return nil }
        guard bytes.count - position >= 2, let tag = WriteBatch.Tag(rawValue: bytes[position]) else { return damaged() }
        let family = bytes[position + 1]
        position += 2
        guard let key = slice() else { return damaged() }
        switch tag {
        case .note: return .note(key)
        case .delete: return .delete(family: family, key: key)
        case .put:
            guard let value = slice() else { return damaged() }
            return .put(family: family, key: key, value: value)
        case .deleteRange:
            guard let upper = slice() else { return damaged() }
            return .deleteRange(family: family, lower: key, upper: upper)
        }
    }

    private mutating func slice() -> UnsafeRawBufferPointer? {
        guard bytes.count - position >= 4 else { return nil }
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
        guard bytes.count - position - 4 >= length else { return nil }
        let start = position + 4
        position = start + length
        return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    }

    private mutating func damaged() -> BatchOperation? {
        isDamaged = true
        return nil
    }
}
