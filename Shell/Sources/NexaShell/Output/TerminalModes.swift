import CLineEditor
import Glibc
import Synchronization

/// The modes of the terminal while it is lent to another program.
final class TerminalModes: Sendable {
    // A plain C structure of integers, only copied in and out.
    private struct Saved: @unchecked Sendable {
        var modes: termios
    }

    private let saved = Mutex<Saved?>(nil)

    /// Gives the terminal the modes that it had when the shell began.
    func lend() {
        var modes = termios()
        guard tcgetattr(STDIN_FILENO, &modes) == 0 else { return }
        let now = Saved(modes: modes)
        saved.withLock { $0 = now }
        nexa_terminal_restore()
    }

    /// Puts back what was found by `lend`.
    func takeBack() {
        guard var modes = saved.withLock({ $0 })?.modes else { return }
        tcsetattr(STDIN_FILENO, TCSADRAIN, &modes)
        saved.withLock { $0 = nil }
    }
}
