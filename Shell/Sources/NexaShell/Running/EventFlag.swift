import CLineEditor
import Glibc

/// Wakes a thread that waits in `poll`.
final class EventFlag: Sendable {
    /// Readable once the flag was raised; -1 when the process has no descriptors left.
    let descriptor: CInt

    init() { descriptor = nexa_event_open() }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Makes the descriptor readable.
    func raise() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// Makes it wait again.
    func lower() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }
}
