import Glibc
import Synchronization

/// Makes document ids: UUIDs of version 7 (RFC 9562), as 32 hexadecimal digits. Safe from any thread, without a lock.
///
/// 48 bits of milliseconds, a counter of 12 bits that starts at random and keeps the ids of one generator rising within
/// a millisecond, and 62 random bits from the system: documents inserted together lie together and in order, and nobody
/// can guess an id.
public final class DocumentIDGenerator: Sendable {
    /// The generator of the process.
    public static let shared = DocumentIDGenerator()

    /// The milliseconds and the counter of the last id, as one number of 60 bits: more than 2000 ids in one
    /// millisecond, or a clock that goes back, make it run ahead of the clock instead of repeating itself.
    private let last = Atomic<UInt64>(0)

    /// A generator that knows nothing of the ids of others.
    public init() {}

    /// The next id, greater than every earlier one of this generator.
    public func next() -> DocumentID {
        var random = SystemRandomNumberGenerator()
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return next(
            milliseconds: UInt64(max(0, now.tv_sec)) * 1000 + UInt64(now.tv_nsec) / 1_000_000, random: &random)
    }

    /// The next id at a time of the caller's choice.
    func next(milliseconds: UInt64, random: inout some RandomNumberGenerator) -> DocumentID {
        let current = last.load(ordering: .relaxed)
        // The counter starts in its lower half, to leave room.
        let fresh = milliseconds > current >> 12 ? milliseconds << 12 | random.next() & 0x7FF : 0
        let place = advance(from: current, to: fresh)
        let high = (place >> 12) << 16 | 0x7000 | place & 0xFFF
        return DocumentID(Self.hexadecimal(high, 1 << 63 | random.next() >> 2))
    }

    private func advance(from current: UInt64, to fresh: UInt64) -> UInt64 {
        var current = current
        while true {
            let next = max(fresh, current + 1)
            let (exchanged, original) = last.compareExchange(expected: current, desired: next, ordering: .relaxed)
            if exchanged { return next }
            current = original
        }
    }

    private static func hexadecimal(_ high: UInt64, _ low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 32) { buffer in
            for position in 0..<16 {
                let shift = UInt64(60 - 4 * position)
                buffer[position] = digit(high >> shift & 0xF)
                buffer[16 + position] = digit(low >> shift & 0xF)
            }
            return 32
        }
    }

    private static func digit(_ value: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: value < 10 ? 0x30 + value : 0x57 + value)
    }
}
