import NexaStorage
import Glibc

/// Makes `_id`s: UUID version 7 (RFC 9562) as 32 hexadecimal digits.
///
/// 48 bits of milliseconds, 12 bits that count within a millisecond from a random start, and 62 random
/// bits from the system: ids of one process rise, and nobody can guess one.
final class IdentifierGenerator: Sendable {
    private struct State {
        var milliseconds: UInt64 = 0
        var counter: UInt64 = 0
        var pool: [UInt8] = []
    }

    private let state = Monitor(State())
    private static let poolSize = 4096

    /// The next id.
    func next() -> String {
        let (high, low) = state.withLock { state in
            let now = WallClock.now()
            var milliseconds = UInt64(max(0, now.seconds)) * 1000 + UInt64(now.nanoseconds / 1_000_000)
            if milliseconds > state.milliseconds {
                // The lower half, so that there is room to count.
                state.counter = Self.random(&state.pool) & 0x7FF
            } else {
                milliseconds = state.milliseconds
                state.counter += 1
                if state.counter > 0xFFF {
                    milliseconds += 1
                    state.counter = Self.random(&state.pool) & 0x7FF
                }
            }
            state.milliseconds = milliseconds
            let high = milliseconds << 16 | 0x7000 | state.counter
            return (high, Self.random(&state.pool) >> 2 | 1 << 63)
        }
        return String(unsafeUninitializedCapacity: 32) { buffer in
            Self.write(high, to: buffer, at: 0)
            Self.write(low, to: buffer, at: 16)
            return 32
        }
    }

    private static func write(_ word: UInt64, to buffer: UnsafeMutableBufferPointer<UInt8>, at offset: Int) {
        for digit in 0..<16 {
            let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * digit)) & 0xF
            buffer[offset + digit] = nibble < 10 ? 0x30 + nibble : 0x57 + nibble
        }
    }

    /// Eight bytes from the system, fetched a page at a time.
    private static func random(_ pool: inout [UInt8]) -> UInt64 {
        if pool.count < 8 { refill(&pool) }
        var word: UInt64 = 0
        for byte in pool.suffix(8) { word = word << 8 | UInt64(byte) }
        pool.removeLast(8)
        return word
    }

    private static func refill(_ pool: inout [UInt8]) {
        while pool.count < poolSize {
            // `getentropy` gives at most 256 bytes. It does not fail on a running Linux; the generator of the
            // standard library asks the same source.
            pool += SystemRandom.bytes(256) ?? (0..<256).map { _ in UInt8.random(in: .min ... .max) }
        }
    }
}

/// The system's clock.
enum WallClock {
    static func now() -> (seconds: Int, nanoseconds: Int) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return (time.tv_sec, time.tv_nsec)
    }

    /// The time as RFC 3339 in UTC with microseconds: 27 bytes, `2026-11-21T02:00:55.123456Z`.
    static func text() -> [UInt8] {
        let now = now()
        return format(seconds: now.seconds, microseconds: now.nanoseconds / 1000)
    }

    static func format(seconds: Int, microseconds: Int) -> [UInt8] {
        let days = seconds >= 0 ? seconds / 86_400 : -((86_399 - seconds) / 86_400)
        let second = seconds - days * 86_400
        let (year, month, day) = civil(days)
        var text: [UInt8] = []
        text.reserveCapacity(27)
        func append(_ value: Int, digits: Int) {
            var divisor = 1
            for _ in 1..<digits { divisor *= 10 }
            while divisor > 0 {
                text.append(0x30 + UInt8(truncatingIfNeeded: value / divisor % 10))
                divisor /= 10
            }
        }
        append(year, digits: 4)
        text.append(UInt8(ascii: "-"))
        append(month, digits: 2)
        text.append(UInt8(ascii: "-"))
        append(day, digits: 2)
        text.append(UInt8(ascii: "T"))
        append(second / 3600, digits: 2)
        text.append(UInt8(ascii: ":"))
        append(second / 60 % 60, digits: 2)
        text.append(UInt8(ascii: ":"))
        append(second % 60, digits: 2)
        text.append(UInt8(ascii: "."))
        append(microseconds, digits: 6)
        text.append(UInt8(ascii: "Z"))
        return text
    }

    /// Year, month and day of a day number since 1970 in the Gregorian calendar (Hinnant, "chrono-compatible
    /// low-level date algorithms").
    private static func civil(_ days: Int) -> (Int, Int, Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
