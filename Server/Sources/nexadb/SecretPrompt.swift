import Glibc

/// Asks for a password on the terminal that the process was started from, without showing it.
final class SecretPrompt {
    /// Why there is no password.
    struct Problem: Error {
        var message: String
    }

    private static let maximumBytes = 1024
    private let terminal: CInt
    private let found: termios

    /// `nil` when standard input is no terminal: then nobody is there to answer.
    private init?() {
        guard isatty(STDIN_FILENO) == 1 else { return nil }
        terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        var modes = termios()
        guard terminal >= 0, tcgetattr(terminal, &modes) == 0 else {
            if terminal >= 0 { close(terminal) }
            return nil
        }
        found = modes
        modes.c_lflag &= ~tcflag_t(ECHO | ECHOE | ECHOK | ECHONL)
        // Ctrl-C is read as a character here, so that the terminal is put back before the process ends.
        modes.c_lflag |= tcflag_t(ICANON)
        modes.c_lflag &= ~tcflag_t(ISIG)
        modes.c_cc.11 = 3  // VEOL: the terminal hands the line over at Ctrl-C
        tcsetattr(terminal, TCSAFLUSH, &modes)
    }

    deinit {
        var modes = found
        tcsetattr(terminal, TCSAFLUSH, &modes)
        close(terminal)
    }

    /// Asks twice; without a terminal, and for an empty answer, leaves the choice to the server (`nil`).
    ///
    /// - Throws: `Problem` when the answers differ, or for Ctrl-C and Ctrl-D.
    static func newPassword(of name: String) throws(Problem) -> String? {
        guard let prompt = SecretPrompt() else { return nil }
        let password = try prompt.ask("New password of \(name) (empty to have one made): ")
        guard !password.isEmpty else { return nil }
        guard try prompt.ask("Again: ") == password else {
            throw Problem(message: "the two passwords differ; nothing was changed")
        }
        return password
    }

    private func ask(_ question: String) throws(Problem) -> String {
        show(question)
        defer { show("\n") }
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count <= Self.maximumBytes {
            let count = read(terminal, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1, byte != 3 else { throw Problem(message: "no password was given; nothing was changed") }
            if byte == 0x0A { break }
            bytes.append(byte)
        }
        guard let password = String(validating: bytes, as: UTF8.self) else {
            throw Problem(message: "a password is text in UTF-8; nothing was changed")
        }
        return password
    }

    private func show(_ text: String) {
        var text = text
        text.withUTF8 { _ = write(terminal, $0.baseAddress, $0.count) }
    }
}
