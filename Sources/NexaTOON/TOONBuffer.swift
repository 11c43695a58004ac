import Glibc

/// Growable bytes that text is written to; it goes back to a former length at no cost.
///
/// The memory is malloc's, whose `realloc` moves the pages of a large text instead of copying them.
struct TOONBuffer: ~Copyable {
    private(set) var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 1024) {
        self.capacity = max(capacity, 64)
        base = Self.resized(nil, self.capacity)
    }

    deinit { free(base) }

    private static func resized(_ base: UnsafeMutablePointer<UInt8>?, _ capacity: Int) -> UnsafeMutablePointer<UInt8> {
        guard let memory = realloc(base, capacity) else { preconditionFailure("out of memory: \(capacity) bytes") }
        return memory.bindMemory(to: UInt8.self, capacity: capacity)
    }

    /// A copy of what was written.
    var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            buffer.baseAddress?.initialize(from: base, count: count)
            initialized = count
        }
    }

    /// What was written, which is UTF-8 as long as whole texts were.
    var text: String { String(decoding: UnsafeBufferPointer(start: base, count: count), as: UTF8.self) }

    /// What was written, in place.
    var span: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base), byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    @inline(__always) mutating func need(_ more: Int) {
        if capacity &- count < more { grow(more) }
    }

    @inline(never) private mutating func grow(_ more: Int) {
        var larger = capacity * 2
        while larger - count < more { larger *= 2 }
        base = Self.resized(base, larger)
        capacity = larger
    }

    /// Forgets everything behind a former length.
    mutating func truncate(to length: Int) {
        precondition(length >= 0 && length <= count, "a buffer only goes back to a place it has been at")
        count = length
    }

    @inline(__always) mutating func put(_ byte: UInt8) {
        need(1)
        base[count] = byte
        count &+= 1
    }

    /// Writes a byte for which there is room.
    @inline(__always) mutating func putUnchecked(_ byte: UInt8) {
        base[count] = byte
        count &+= 1
    }

    @inline(__always) mutating func put(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let source = bytes.baseAddress else { return }
        need(bytes.count)
        memcpy(base + count, source, bytes.count)
        count &+= bytes.count
    }

    @inline(__always) mutating func put(_ text: StaticString) {
        put(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func put(_ bytes: [UInt8]) { bytes.withUnsafeBufferPointer { put($0) } }

    /// Writes the same byte many times.
    mutating func put(_ byte: UInt8, times: Int) {
        need(times)
        memset(base + count, Int32(byte), times)
        count &+= times
    }

    /// Writes a number in decimal digits.
    @inline(__always) mutating func put(digits value: UInt64) {
        if value < 10 { return put(0x30 | UInt8(truncatingIfNeeded: value)) }
        var digits = 2
        var bound: UInt64 = 100
        while digits < 20, value >= bound {
            digits &+= 1
            if digits < 20 { bound &*= 10 }
        }
        need(digits)
        var rest = value
        var place = count &+ digits
        while place > count {
            place &-= 1
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            base[place] = 0x30 | UInt8(truncatingIfNeeded: digit)
            rest = quotient
        }
        count &+= digits
    }
}
