import CLineEditor
import Glibc
import Synchronization

/// Where the lines of commands come from.
protocol LineSource: AnyObject {
    /// The next line; `purpose` chooses the prompt, where there is one.
    func next(_ purpose: LinePurpose) -> LineEvent
}

/// What a line is wanted for.
enum LinePurpose: Equatable {
    /// A new command at this place.
    case command(Location)
    /// More of a command.
    case continuation(Location)
    /// The answer to a question.
    case answer
}

/// What a source of lines gives.
enum LineEvent: Equatable {
    case line(String)
    /// Ctrl-C at the prompt.
    case interrupted(wasEmpty: Bool)
    case end
    /// The process has to end.
    case signal(CInt)
    case failure(ShellError)
}

/// The lines of a text given with `-e`.
final class TextLines: LineSource {
    private var lines: [Substring]

    init(_ text: String) { lines = text.split(separator: "\n", omittingEmptySubsequences: false).reversed() }

    func next(_ purpose: LinePurpose) -> LineEvent {
        guard let line = lines.popLast() else { return .end }
        return .line(String(line))
    }
}

/// Bytes of a file or of standard input: as lines of commands, or as data for `import -`.
///
/// Both readers share the buffer, so that a script can hold commands, then `import -`, then documents.
final class ByteInput: LineSource, Sendable {
    private struct State {
        var buffer: [UInt8] = []
        var position = 0
        var isAtEnd = false
    }

    /// A longer line ends the reading.
    static let maximumLineBytes = 64 << 20

    let descriptor: CInt
    let name: String
    private let signals: CInt
    private let owns: Bool
    private let state = Mutex(State())

    /// Reads a descriptor; it is closed in the end if the input `owns` it.
    init(_ descriptor: CInt, name: String, signals: CInt, owns: Bool = false) {
        self.descriptor = descriptor
        self.name = name
        self.signals = signals
        self.owns = owns
    }

    deinit { if owns { close(descriptor) } }

    /// Opens a file.
    convenience init(path: String, signals: CInt) throws(ShellError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw ShellError("cannot read \(path): \(systemMessage(errno))", exit: .file) }
        self.init(descriptor, name: path, signals: signals, owns: true)
    }

    func next(_ purpose: LinePurpose) -> LineEvent {
        var scanned = 0
        while true {
            let line = state.withLock { state -> LineEvent? in
                let rest = state.buffer[(state.position + scanned)...]
                if let end = rest.firstIndex(of: 0x0A) {
                    let line = state.buffer[state.position..<end]
                    state.position = end + 1
                    return .line(Self.text(line))
                }
                scanned = state.buffer.count - state.position
                if scanned > Self.maximumLineBytes {
                    return .failure(ShellError("a line of \(name) is longer than \(Self.maximumLineBytes >> 20) MiB"))
                }
                guard state.isAtEnd else { return nil }
                let line = state.buffer[state.position...]
                state.position = state.buffer.count
                return line.isEmpty ? .end : .line(Self.text(line))
            }
            if let line { return line }
            if let event = fill() { return event }
        }
    }

    private static func text(_ line: ArraySlice<UInt8>) -> String {
        String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
    }

    /// Reads more; returns what came instead.
    private func fill() -> LineEvent? {
        switch readMore(stop: signals) {
        case .bytes(let bytes):
            state.withLock { state in
                state.buffer.removeFirst(state.position)
                state.position = 0
                state.buffer += bytes
            }
        case .end: state.withLock { $0.isAtEnd = true }
        case .failure(let error): return .failure(error)
        case .stopped:
            let signal = nexa_signals_take()
            if signal != 0, signal != SIGWINCH { return .signal(signal) }
        }
        return nil
    }

    /// Some bytes as they come.
    enum Chunk: Sendable {
        case bytes([UInt8])
        case end
        case failure(ShellError)
        case stopped
    }

    /// Takes what the line reader has read ahead.
    func takeBuffered() -> [UInt8] {
        state.withLock { state in
            defer {
                state.buffer = []
                state.position = 0
            }
            return Array(state.buffer[state.position...])
        }
    }

    /// Waits for bytes, or for `stop` to become readable.
    func readMore(stop: CInt, capacity: Int = 1 << 16) -> Chunk {
        while true {
            var ready = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stop, events: Int16(POLLIN), revents: 0)
            ]
            _ = poll(&ready, nfds_t(stop >= 0 ? 2 : 1), -1)
            if stop >= 0, ready[1].revents != 0 { return .stopped }
            guard ready[0].revents != 0 else { continue }
            var code: CInt = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                let got = read(descriptor, buffer.baseAddress, capacity)
                if got < 0 { code = errno }
                count = max(0, got)
            }
            if !bytes.isEmpty { return .bytes(bytes) }
            if code == 0 { return .end }
            guard code == EINTR || code == EAGAIN else {
                return .failure(ShellError("cannot read \(name): \(systemMessage(code))", exit: .file))
            }
        }
    }
}
