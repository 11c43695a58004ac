/// Where a client's messages go. The library prints nothing by itself and knows no logging package; a bridge
/// to one is a closure:
///
/// ```swift
/// let log = NexaLog(minimumLevel: .debug) { level, message, metadata in
///     FileHandle.standardError.write(Data("\(level) \(message) \(metadata)\n".utf8))
/// }
/// ```
///
/// Messages are constants, so that no document can slip into them; what changes is in the metadata, which
/// holds numbers, endpoints and error descriptions, never data or credentials. Below the level nothing is
/// computed.
public struct NexaLog: Sendable {
    /// How much a message matters.
    public enum Level: Int, Sendable, Comparable, CustomStringConvertible {
        case trace, debug, info, warning, error

        /// In the order of the cases.
        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

        /// The name of the level.
        public var description: String {
            switch self {
            case .trace: "trace"
            case .debug: "debug"
            case .info: "info"
            case .warning: "warning"
            case .error: "error"
            }
        }
    }

    /// Messages below it are dropped.
    public var minimumLevel: Level
    /// Added to every message.
    public var metadata: [String: String]
    private let emit: @Sendable (Level, StaticString, [String: String]) -> Void

    /// Makes a log.
    ///
    /// - Parameters:
    ///   - minimumLevel: messages below it are dropped.
    ///   - metadata: added to every message.
    ///   - emit: called on the thread where something happens, often the client's own; it must not block.
    public init(
        minimumLevel: Level = .info, metadata: [String: String] = [:],
        _ emit: @escaping @Sendable (Level, StaticString, [String: String]) -> Void
    ) {
        self.minimumLevel = minimumLevel
        self.metadata = metadata
        self.emit = emit
    }

    /// Logs a message; the metadata is computed only when it is wanted.
    public func callAsFunction(
        _ level: Level, _ message: StaticString, _ metadata: @autoclosure () -> [String: String] = [:]
    ) {
        guard level >= minimumLevel else { return }
        emit(level, message, self.metadata.merging(metadata()) { _, new in new })
    }
}
