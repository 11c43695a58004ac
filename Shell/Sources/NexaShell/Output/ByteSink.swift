import CLineEditor
import Glibc
import Synchronization

/// Where output goes: a descriptor, or memory in tests.
protocol ByteSink: AnyObject, Sendable {
    /// Appends bytes; they may wait in a buffer until `flush`.
    func write(_ bytes: borrowing [UInt8]) throws(OutputError)
    /// Sends everything that waits.
    func flush() throws(OutputError)
}

extension ByteSink {
    func write(_ text: String) throws(OutputError) { try write([UInt8](text.utf8)) }
}

/// Output could not be written. (A reader that went away ends the process by SIGPIPE instead.)
struct OutputError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was written to: "standard output" or a file name.
    var destination: String
    /// The system's error number.
    var code: CInt

    /// Whether somebody left the pager.
    var isReaderGone: Bool { destination == PagedSink.name && code == EPIPE }

    var description: String { "cannot write to \(destination): \(systemMessage(code))" }
}

/// The system's words for an error number.
func systemMessage(_ code: CInt) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    nexa_describe_error(code, &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// A buffered file descriptor. It does not close it.
final class DescriptorSink: ByteSink {
    private struct Buffer {
        var bytes: [UInt8] = []
        var failure: OutputError?
    }

    private static let threshold = 64 << 10
    private let descriptor: CInt
    private let name: String
    private let buffer = Mutex(Buffer())

    /// Writes to a descriptor that errors call `name`.
    init(_ descriptor: CInt, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    func write(_ bytes: borrowing [UInt8]) throws(OutputError) {
        let failure = buffer.withLock { buffer -> OutputError? in
            if buffer.failure == nil {
                buffer.bytes.append(contentsOf: copy bytes)
                if buffer.bytes.count >= Self.threshold { drain(&buffer) }
            }
            return buffer.failure
        }
        if let failure { throw failure }
    }

    func flush() throws(OutputError) {
        let failure = buffer.withLock { buffer -> OutputError? in
            drain(&buffer)
            return buffer.failure
        }
        if let failure { throw failure }
    }

    private func drain(_ buffer: inout Buffer) {
        guard buffer.failure == nil, !buffer.bytes.isEmpty else { return }
        let code = writeAll(descriptor, buffer.bytes)
        buffer.bytes.removeAll(keepingCapacity: true)
        if code != 0 { buffer.failure = OutputError(destination: name, code: code) }
    }
}

/// Writes all bytes to a descriptor; returns 0 or the error number.
func writeAll(_ descriptor: CInt, _ bytes: [UInt8]) -> CInt {
    bytes.withUnsafeBytes { raw in
        var offset = 0
        while offset < raw.count {
            let written = Glibc.write(descriptor, raw.baseAddress.map { $0 + offset }, raw.count - offset)
            if written > 0 {
                offset += written
            } else if errno == EAGAIN {  // somebody made the terminal non-blocking
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }
}

/// Keeps what was written in memory.
final class MemorySink: ByteSink {
    private let bytes = Mutex<[UInt8]>([])

    func write(_ bytes: borrowing [UInt8]) throws(OutputError) {
        self.bytes.withLock { $0.append(contentsOf: copy bytes) }
    }

    func flush() throws(OutputError) {}

    /// Everything written so far.
    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
}
