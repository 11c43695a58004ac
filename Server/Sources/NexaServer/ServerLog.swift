import Glibc

/// Where a server says what happens: one line an event, `level message key=value …`.
///
/// Messages are static and values stand apart, so that a line never carries a document or a password.
public struct ServerLog: Sendable {
    /// How much an event matters.
    public enum Level: Int, Sendable, Comparable {
        case debug, info, warning, error

        /// Orders by how much it matters.
        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    /// Events below are not formatted at all.
    public var minimumLevel: Level
    private let emit: @Sendable (Level, String) -> Void

    /// Creates a log over a destination for finished lines (without a newline).
    public init(minimumLevel: Level = .info, _ emit: @escaping @Sendable (Level, String) -> Void) {
        self.minimumLevel = minimumLevel
        self.emit = emit
    }

    /// Says nothing.
    public static let silent = ServerLog(minimumLevel: .error) { _, _ in }

    /// Lines on standard error, with the time in front.
    public static func standardError(minimumLevel: Level = .info) -> ServerLog {
        ServerLog(minimumLevel: minimumLevel) { level, line in
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            var parts = tm()
            gmtime_r(&now.tv_sec, &parts)
            func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
            let time =
                "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
                + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
            var text = "\(time) \(level) \(line)\n"
            // One write a line, so that lines of several threads do not mix.
            text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
        }
    }

    func callAsFunction(_ level: Level, _ message: StaticString, _ values: @autoclosure () -> [(String, String)] = []) {
        guard level >= minimumLevel else { return }
        emit(level, values().reduce("\(message)") { "\($0) \($1.0)=\(Self.quoted($1.1))" })
    }

    /// A value with blanks or quotes is quoted, control characters are escaped.
    private static func quoted(_ value: String) -> String {
        guard value.isEmpty || value.unicodeScalars.contains(where: { $0.value <= 32 || $0 == "\"" || $0.value == 127 })
        else { return value }
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case _ where scalar.value < 32 || scalar.value == 127: text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}

enum ProcessInfo {
    /// The processors this process may use.
    static var coreCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// Raises the soft limit of open files to the hard one, so that thousands of connections fit.
    static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
