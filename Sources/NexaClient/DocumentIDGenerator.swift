import Glibc
import NexaTransport
import NexaValue
import Synchronization

/// Makes document ids: UUIDs of version 7 (RFC 9562), as 32 hexadecimal digits.
///
/// 48 bits of milliseconds, a counter of 12 bits that keeps the ids of one process in order within a
/// millisecond, and 62 random bits. Documents inserted together therefore lie together and in order.
final class DocumentIDGenerator: Sendable {
    /// The generator of the process.
    static let shared = DocumentIDGenerator()

    private struct State {
        var milliseconds: UInt64 = 0
        var counter: UInt64 = 0
    }

    private let state = Mutex(State())

    func next() -> DocumentID {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let milliseconds = UInt64(max(0, now.tv_sec)) * 1000 + UInt64(now.tv_nsec) / 1_000_000
        var random = SystemRandomNumberGenerator()
        let seed = random.next() & 0x3FF  // The counter starts in its lower quarter, to leave room.
        let (time, counter) = state.withLock { state -> (UInt64, UInt64) in
            if milliseconds > state.milliseconds {
                state.milliseconds = milliseconds
                state.counter = seed
            } else if state.counter < 0xFFF {
                state.counter += 1
            } else {
                // More than 3000 ids in one millisecond, or the clock went back: run ahead of the clock.
                state.milliseconds += 1
                state.counter = seed
            }
            return (state.milliseconds, state.counter)
        }
        let high = time << 16 | 0x7000 | counter
        let low = 0x8000_0000_0000_0000 | random.next() >> 2
        return DocumentID(Self.hexadecimal(high, low))
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
        UInt8(value < 10 ? 0x30 + value : 0x57 + value)
    }
}
