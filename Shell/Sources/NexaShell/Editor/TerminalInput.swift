import CLineEditor
import Glibc

/// Reads characters from standard input for the editor: UTF-8 decoded here, signals noticed while waiting.
///
/// libedit's own reader drops what is not valid in the locale; here bad bytes become U+FFFD. Outside a bracketed paste one
/// byte is read at a time, because bytes read ahead could not be given back to the parent process.
struct TerminalInput {
    /// What came.
    enum Event: Equatable {
        case scalar(Unicode.Scalar)
        case signal(CInt)
        /// There is something to be shown.
        case notice
        case end
        case failure(CInt)
    }

    let signals: CInt
    private var buffer: [UInt8] = []
    private var position = 0
    /// Whether more than one byte may be read at a time.
    var readsAhead = false

    /// - Parameter signals: a descriptor that is readable when a signal was noted, or -1.
    init(signals: CInt) { self.signals = signals }

    /// How many bytes have been typed or pasted and not been read.
    var waitingBytes: CInt {
        var count: CInt = 0
        return CInt(buffer.count - position) + (ioctl(STDIN_FILENO, UInt(FIONREAD), &count) == 0 ? count : 0)
    }

    /// Whether nothing comes for so long.
    func isSilent(milliseconds: CInt) -> Bool {
        guard position == buffer.count else { return false }
        var ready = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        return poll(&ready, 1, milliseconds) == 0
    }

    /// Waits for the next character or signal.
    ///
    /// - Parameter notices: a descriptor that is readable when there is something to be shown, or -1.
    mutating func next(notices: CInt = -1) -> Event {
        guard position < buffer.count else {
            if let event = fill(notices) { return event }
            return next(notices: notices)
        }
        let first = buffer[position]
        position += 1
        if first < 0x80 { return .scalar(Unicode.Scalar(first)) }
        return decode(first)
    }

    private mutating func decode(_ first: UInt8) -> Event {
        let length: Int
        var code: UInt32
        switch first {
        case 0xC2...0xDF: (length, code) = (1, UInt32(first & 0x1F))
        case 0xE0...0xEF: (length, code) = (2, UInt32(first & 0x0F))
        case 0xF0...0xF4: (length, code) = (3, UInt32(first & 0x07))
        default: return .scalar("\u{FFFD}")
        }
        for _ in 0..<length {
            // The rest of a character follows at once; whatever else comes ends it.
            if position == buffer.count, fill() != nil { return .scalar("\u{FFFD}") }
            guard position < buffer.count, buffer[position] & 0xC0 == 0x80 else { return .scalar("\u{FFFD}") }
            code = code &<< 6 | UInt32(buffer[position] & 0x3F)
            position += 1
        }
        let shortest: [UInt32] = [0x80, 0x800, 0x10000]
        guard code >= shortest[length - 1], let scalar = Unicode.Scalar(code) else { return .scalar("\u{FFFD}") }
        return .scalar(scalar)
    }

    /// Reads more bytes; returns what came instead, if so.
    private mutating func fill(_ notices: CInt = -1) -> Event? {
        while true {
            // poll passes over descriptors below 0.
            var ready = [STDIN_FILENO, signals, notices].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            if poll(&ready, nfds_t(ready.count), -1) < 0, errno != EINTR { return .failure(errno) }
            let signal = signals >= 0 ? nexa_signals_take() : 0
            if signal != 0 { return .signal(signal) }
            guard ready[0].revents != 0 else {
                if ready[2].revents != 0 { return .notice }
                continue
            }
            var chunk = [UInt8](repeating: 0, count: readsAhead ? 1 << 16 : 1)
            let count = read(STDIN_FILENO, &chunk, chunk.count)
            if count > 0 {
                buffer = Array(chunk.prefix(count))
                position = 0
                return nil
            }
            if count == 0 { return .end }
            if errno != EINTR, errno != EAGAIN { return .failure(errno) }
        }
    }
}
