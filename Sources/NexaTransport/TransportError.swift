import Glibc

/// A system call failed: which one, and the error number it left.
public struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The call that failed, e.g. `"connect"`.
    public let operation: String
    /// The system's error number, e.g. `ECONNREFUSED`.
    public let code: CInt
    /// What the call was about (an address, a path), when that helps; never user data.
    public let subject: String?

    /// Records a failed call; `code` is the value of `errno` right after it.
    public init(_ operation: String, code: CInt, subject: String? = nil) {
        self.operation = operation
        self.code = code
        self.subject = subject
    }

    /// Whether it says that nobody listens there, which the system finds out at once: no port, or no Unix socket.
    public var isRefusedConnect: Bool { operation == "connect" && (code == ECONNREFUSED || code == ENOENT) }

    /// The failure of `operation`, with the calling thread's current `errno`.
    static func current(_ operation: String, subject: String? = nil) -> TransportError {
        TransportError(operation, code: errno, subject: subject)
    }

    /// The operation, its subject and the system's words for the error.
    public var description: String {
        let words = Self.words(for: code)
        return if let subject { "\(operation) \(subject): \(words)" } else { "\(operation): \(words)" }
    }

    /// The system's description of an error number, e.g. "Connection refused".
    public static func words(for code: CInt) -> String {
        // strerror may share its buffer between threads; the _r variant of glibc writes or returns a constant.
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress else { return "error \(code)" }
            base.initialize(repeating: 0, count: buffer.count)
            return strerror_r(code, base, buffer.count) == 0 ? String(cString: base) : "error \(code)"
        }
    }
}
