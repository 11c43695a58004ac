import Glibc

/// Growable bytes that MessagePack values are written to.
///
/// Every value takes its shortest form, as the reference packers choose it. The writer owns its memory
/// and can be reused: `removeAll()` keeps the capacity, so a steady state writes without allocating.
public struct MessagePackWriter: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    /// The number of bytes written.
    public internal(set) var count: Int
    /// Whether `.vector` values are written as `PackedVector`, for a reader that knows it; else as arrays of floats.
    public var packsVectors = false
    /// Whether one was written so.
    public internal(set) var hasPackedVectors = false
    /// Whether what is written is secret, such as a password: its memory is then overwritten before it is used again or
    /// given back. To be set before anything is written; `removeAll` ends it.
    public var isSecret = false

    /// Creates an empty writer with room for `capacity` bytes.
    public init(capacity: Int = 256) {
        self.capacity = max(capacity, 16)
        base = .allocate(byteCount: self.capacity, alignment: 16)
        count = 0
    }

    deinit {
        if isSecret { explicit_bzero(base, capacity) }
        base.deallocate()
    }

    /// A copy of what was written.
    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(start: base, count: count))
            initialized = count
        }
    }

    /// What was written, in place.
    public var span: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base), byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Appends what was written to an array.
    public func append(to array: inout [UInt8]) {
        array.append(contentsOf: UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Forgets what was written and keeps the memory, unless it is above `keepingAtMost` bytes.
    public mutating func removeAll(keepingAtMost bound: Int = .max) {
        // All of it: the writer may have gone back behind what it wrote.
        if isSecret { explicit_bzero(base, capacity) }
        isSecret = false
        count = 0
        guard capacity > bound else { return }
        base.deallocate()
        capacity = max(bound, 16)
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    /// Forgets everything written after `position`, a former `count`.
    public mutating func truncate(to position: Int) {
        precondition(position >= 0 && position <= count, "a writer only goes back to a place it has been at")
        count = position
    }

    /// Makes room in the head of a map that was written at `position` for one more field, which the caller writes at
    /// the end; false when the head is full (at 15 fields) or none.
    public mutating func extendMap(at position: Int) -> Bool {
        guard position < count else { return false }
        let head = base.load(fromByteOffset: position, as: UInt8.self)
        guard (0x80..<0x8F).contains(head) else { return false }
        base.storeBytes(of: head + 1, toByteOffset: position, as: UInt8.self)
        return true
    }

    // MARK: Room

    @inline(__always) mutating func need(_ more: Int) {
        if capacity &- count < more { grow(more) }
    }

    @inline(never) private mutating func grow(_ more: Int) {
        var larger = capacity * 2
        while larger - count < more { larger *= 2 }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        memory.copyMemory(from: base, byteCount: count)
        if isSecret { explicit_bzero(base, capacity) }
        base.deallocate()
        base = memory
        capacity = larger
    }

    @inline(__always) private mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        base.storeBytes(of: value.bigEndian, toByteOffset: count, as: T.self)
        count &+= MemoryLayout<T>.size
    }

    /// One tag byte and a big-endian number behind it.
    @inline(__always) private mutating func put<T: FixedWidthInteger & BitwiseCopyable>(tag: UInt8, _ value: T) {
        need(1 + MemoryLayout<T>.size)
        put(tag)
        put(value)
    }

    // MARK: Raw bytes

    /// Appends bytes as they are; they should be whole encoded values.
    public mutating func writeRaw(_ bytes: RawSpan) {
        guard !bytes.isEmpty else { return }
        need(bytes.byteCount)
        bytes.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(start: base + count, count: $0.count).copyMemory(from: $0)
        }
        count += bytes.byteCount
    }

    /// Appends bytes as they are; they should be whole encoded values.
    public mutating func writeRaw(_ bytes: [UInt8]) { writeRaw(bytes.span.bytes) }

    /// Appends one byte as it is.
    public mutating func writeRaw(_ byte: UInt8) {
        need(1)
        put(byte)
    }

    /// Appends four bytes, the highest first.
    public mutating func writeRaw(bigEndian value: UInt32) {
        need(4)
        put(value)
    }

    /// Overwrites four bytes written before with a big-endian number, such as a length known only later.
    public mutating func patch(_ value: UInt32, at position: Int) {
        precondition(position >= 0 && position + 4 <= count, "a patch lies within what was written")
        base.storeBytes(of: value.bigEndian, toByteOffset: position, as: UInt32.self)
    }

    /// Overwrites a byte written before.
    mutating func patch(byte: UInt8, at position: Int) {
        precondition(position >= 0 && position < count, "a patch lies within what was written")
        base.storeBytes(of: byte, toByteOffset: position, as: UInt8.self)
    }

    /// A byte written before.
    func byte(at position: Int) -> UInt8 {
        precondition(position >= 0 && position < count, "a byte lies within what was written")
        return base.load(fromByteOffset: position, as: UInt8.self)
    }

    /// Compares two parts of what was written: below, above or equal to zero, as `memcmp`.
    borrowing func order(_ left: Range<Int>, _ right: Range<Int>) -> Int32 {
        precondition(left.lowerBound >= 0 && left.upperBound <= count, "a part lies within what was written")
        precondition(right.lowerBound >= 0 && right.upperBound <= count, "a part lies within what was written")
        let common = memcmp(base + left.lowerBound, base + right.lowerBound, min(left.count, right.count))
        return common != 0 ? common : Int32(truncatingIfNeeded: (left.count - right.count).signum())
    }

    /// A container head of one byte that has to say 16 or more elements.
    struct LongHead {
        var position: Int
        var count: Int
        var isArray: Bool

        /// The size that it needs.
        var byteCount: Int { count <= Int(UInt16.max) ? 3 : 5 }
    }

    /// Gives heads of one byte the size that they need, in one pass from the end; `heads` rise in position.
    mutating func lengthenHeads(_ heads: [LongHead]) {
        let growth = heads.reduce(0) { $0 + $1.byteCount - 1 }
        need(growth)
        var end = count
        var target = count + growth
        for head in heads.reversed() {
            let body = end - head.position - 1
            precondition(head.position >= 0 && body >= 0, "heads rise in position")
            target -= body
            memmove(base + target, base + head.position + 1, body)
            target -= head.byteCount
            let tag: UInt8 = (head.isArray ? 0xDC : 0xDE) + (head.byteCount == 3 ? 0 : 1)
            base.storeBytes(of: tag, toByteOffset: target, as: UInt8.self)
            if head.byteCount == 3 {
                base.storeBytes(of: UInt16(head.count).bigEndian, toByteOffset: target + 1, as: UInt16.self)
            } else {
                base.storeBytes(
                    of: UInt32(truncatingIfNeeded: head.count).bigEndian, toByteOffset: target + 1, as: UInt32.self)
            }
            end = head.position
        }
        count += growth
    }

    // MARK: Scalars

    /// Writes `nil`.
    public mutating func writeNull() { writeRaw(0xC0) }

    /// Writes a boolean.
    public mutating func write(_ value: Bool) { writeRaw(value ? 0xC3 : 0xC2) }

    /// Writes an integer in its shortest form.
    public mutating func write(_ value: Int64) {
        if value >= 0 { return write(UInt64(value)) }
        switch value {
        case (-32)...: writeRaw(UInt8(bitPattern: Int8(value)))
        case Int64(Int8.min)...: put(tag: 0xD0, Int8(value))
        case Int64(Int16.min)...: put(tag: 0xD1, Int16(value))
        case Int64(Int32.min)...: put(tag: 0xD2, Int32(value))
        default: put(tag: 0xD3, value)
        }
    }

    /// Writes an integer in its shortest form.
    public mutating func write(_ value: Int) { write(Int64(value)) }

    /// Writes an integer in its shortest form.
    public mutating func write(_ value: UInt64) {
        switch value {
        case ...0x7F: writeRaw(UInt8(value))
        case ...UInt64(UInt8.max): put(tag: 0xCC, UInt8(value))
        case ...UInt64(UInt16.max): put(tag: 0xCD, UInt16(value))
        case ...UInt64(UInt32.max): put(tag: 0xCE, UInt32(value))
        default: put(tag: 0xCF, value)
        }
    }

    /// Writes a 64-bit float.
    public mutating func write(_ value: Double) { put(tag: 0xCB, value.bitPattern) }

    /// Writes a 32-bit float.
    public mutating func write(_ value: Float) { put(tag: 0xCA, value.bitPattern) }

    // MARK: Strings and bytes

    /// Writes a string; NexaDB strings are below 4 GiB, as every frame is.
    public mutating func write(_ value: String) {
        let isWritten: Void? = value.utf8.withContiguousStorageIfAvailable { writeText($0) }
        guard isWritten == nil else { return }
        var copy = value
        copy.withUTF8 { writeText($0) }
    }

    @inline(__always) private mutating func writeText(_ text: UnsafeBufferPointer<UInt8>) {
        need(text.count + 5)
        if text.count < 32 { put(0xA0 | UInt8(text.count)) } else { writeStringHead(byteCount: text.count) }
        if let start = text.baseAddress { (base + count).copyMemory(from: start, byteCount: text.count) }
        count += text.count
    }

    /// Writes a string from its UTF-8 bytes.
    public mutating func writeString(utf8 bytes: RawSpan) {
        writeStringHead(byteCount: bytes.byteCount)
        writeRaw(bytes)
    }

    /// Writes the head of a string; its UTF-8 bytes must follow.
    public mutating func writeStringHead(byteCount: Int) {
        switch byteCount {
        case ..<32: writeRaw(0xA0 | UInt8(byteCount))
        case ...Int(UInt8.max): put(tag: 0xD9, UInt8(byteCount))
        case ...Int(UInt16.max): put(tag: 0xDA, UInt16(byteCount))
        default: put(tag: 0xDB, UInt32(byteCount))
        }
    }

    /// Writes binary data.
    public mutating func write(_ value: [UInt8]) {
        writeBytesHead(byteCount: value.count)
        writeRaw(value)
    }

    /// Writes the head of binary data; the bytes must follow.
    public mutating func writeBytesHead(byteCount: Int) {
        switch byteCount {
        case ...Int(UInt8.max): put(tag: 0xC4, UInt8(byteCount))
        case ...Int(UInt16.max): put(tag: 0xC5, UInt16(byteCount))
        default: put(tag: 0xC6, UInt32(byteCount))
        }
    }

    // MARK: Containers

    /// Writes the head of an array; `count` values must follow.
    public mutating func writeArrayHead(count: Int) {
        switch count {
        case ..<16: writeRaw(0x90 | UInt8(count))
        case ...Int(UInt16.max): put(tag: 0xDC, UInt16(count))
        default: put(tag: 0xDD, UInt32(count))
        }
    }

    /// Writes the head of an array whose length is patched in later, and returns where to patch it.
    public mutating func writeOpenArrayHead() -> Int {
        put(tag: 0xDD, UInt32(0))
        return count - 4
    }

    /// Writes the head of a map; `count` pairs of key and value must follow.
    public mutating func writeMapHead(count: Int) {
        switch count {
        case ..<16: writeRaw(0x80 | UInt8(count))
        case ...Int(UInt16.max): put(tag: 0xDE, UInt16(count))
        default: put(tag: 0xDF, UInt32(count))
        }
    }

    // MARK: Values

    /// Writes any value.
    public mutating func write(_ value: Value) {
        switch value {
        case .null: writeNull()
        case .bool(let value): write(value)
        case .int(let value): write(value)
        case .uint(let value): write(value)
        case .double(let value): write(value)
        case .string(let value): write(value)
        case .bytes(let value): write(value)
        case .array(let values):
            writeArrayHead(count: values.count)
            for value in values { write(value) }
        case .document(let document): write(document)
        case .vector(let components): write(vector: components)
        case .timestamp(let value): write(value)
        case .extended(let value): write(value)
        }
    }

    /// Writes a document as a map, fields in order.
    public mutating func write(_ document: Document) {
        writeMapHead(count: document.count)
        for (key, value) in document {
            write(key)
            write(value)
        }
    }

    /// Writes a timestamp in the shortest of its three forms.
    public mutating func write(_ value: Timestamp) {
        let fits34Bits = value.seconds >= 0 && value.seconds >> 34 == 0
        if fits34Bits, value.nanoseconds == 0, value.seconds <= Int64(UInt32.max) {
            writeExtensionHead(type: -1, byteCount: 4)
            need(4)
            put(UInt32(value.seconds))
        } else if fits34Bits {
            writeExtensionHead(type: -1, byteCount: 8)
            need(8)
            put(UInt64(value.nanoseconds) << 34 | UInt64(value.seconds))
        } else {
            writeExtensionHead(type: -1, byteCount: 12)
            need(12)
            put(value.nanoseconds)
            put(value.seconds)
        }
    }

    /// Writes an extension value.
    public mutating func write(_ value: ExtendedValue) {
        writeExtensionHead(type: value.type, byteCount: value.bytes.count)
        writeRaw(value.bytes)
    }

    private mutating func writeExtensionHead(type: Int8, byteCount: Int) {
        switch byteCount {
        case 1: writeRaw(0xD4)
        case 2: writeRaw(0xD5)
        case 4: writeRaw(0xD6)
        case 8: writeRaw(0xD7)
        case 16: writeRaw(0xD8)
        case ...Int(UInt8.max): put(tag: 0xC7, UInt8(byteCount))
        case ...Int(UInt16.max): put(tag: 0xC8, UInt16(byteCount))
        default: put(tag: 0xC9, UInt32(byteCount))
        }
        writeRaw(UInt8(bitPattern: type))
    }
}
