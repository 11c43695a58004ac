import NexaStorage

/// Why the engine refused or failed a request.
public struct EngineError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it was; stable, for programs.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// A document with this `_id` exists; nothing was changed.
        case duplicateID
        /// A unique index has another document with the same values; nothing was changed.
        case duplicateKey
        /// Someone else changed a document that a transaction read or wrote; the whole transaction may be tried again.
        case writeConflict
        /// There is no transaction, or it was aborted because it took too long.
        case noTransaction
        /// The request was cancelled, or took longer than it may.
        case cancelled
        /// The request itself is wrong: a name, an id, a filter, an update.
        case badRequest
        /// There is no such database, collection or user.
        case notFound
        /// A documented limit was exceeded; the message names it.
        case limit
        /// Too much is waiting to be committed; the same request may succeed later.
        case overloaded
        /// The changes behind a position are not in the log any more, or the position is of other data.
        case historyLost
        /// Another server has the data directory.
        case inUse
        /// The data directory or the device failed; see the message.
        case storage
        /// The engine is being closed.
        case shuttingDown
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, in words for the caller.
    public var message: String
    /// What to do about it, where that is not plain from the message.
    public var advice: String?

    /// Creates an error.
    public init(_ code: Code, _ message: String, advice: String? = nil) {
        self.code = code
        self.message = message
        self.advice = advice
    }

    init(_ error: StorageError) {
        switch error.code {
        case .overloaded: self.init(.overloaded, error.message, advice: error.advice)
        case .batchTooLarge: self.init(.limit, error.message, advice: error.advice)
        case .notEmpty, .notABackup: self.init(.badRequest, error.message, advice: error.advice)
        case .locked: self.init(.inUse, error.message, advice: error.advice)
        case .historyLost: self.init(.historyLost, error.message, advice: error.advice)
        case .closed: self.init(.shuttingDown, "The server is shutting down", advice: "Connect again in a moment")
        default: self.init(.storage, error.message, advice: error.advice)
        }
    }

    /// The message, and the advice if there is any.
    public var description: String { advice.map { "\(message). \($0)." } ?? message }
}

extension Result where Failure == EngineError {
    /// Turns typed throws into a result.
    init(catchingEngine body: () throws(EngineError) -> Success) {
        do throws(EngineError) { self = .success(try body()) } catch { self = .failure(error) }
    }
}

/// Runs storage code in the engine's terms.
func translating<Success: ~Copyable>(_ body: () throws(StorageError) -> Success) throws(EngineError) -> Success {
    do throws(StorageError) { return try body() } catch { throw EngineError(error) }
}
