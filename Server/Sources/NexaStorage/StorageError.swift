/// Why the storage layer refused or failed, in words for the person who runs the server.
public struct StorageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it was; stable, for programs.
    public enum Code: String, Sendable, Hashable {
        /// Another process, or another store in this process, holds the data directory.
        case locked
        /// The directory was written by a newer version of the format.
        case formatTooNew
        /// The directory holds files, but no NexaDB data.
        case notADataDirectory
        /// The directory is no backup, or one that was not finished.
        case notABackup
        /// A directory that has to be empty is not.
        case notEmpty
        /// The commit log is damaged before its end: going on would lose acknowledged writes.
        case logDamaged
        /// Stored data does not match its checksum or its format.
        case corrupted
        /// The operating system refused a file operation.
        case inputOutput
        /// No room left on the device.
        case diskFull
        /// Too many bytes wait to be committed.
        case overloaded
        /// The log no longer holds what follows a position, or never held the position.
        case historyLost
        /// One batch is larger than a commit may be.
        case batchTooLarge
        /// An earlier commit failed; nothing is written until the store is opened again.
        case writesStopped
        /// The store was closed.
        case closed
        /// RocksDB reported something that none of the other codes describes.
        case engineFailure
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, with the file, limit or number concerned.
    public var message: String
    /// What to do about it.
    public var advice: String

    /// Creates an error.
    public init(_ code: Code, _ message: String, advice: String) {
        self.code = code
        self.message = message
        self.advice = advice
    }

    /// Message and advice as two sentences.
    public var description: String { "\(message). \(advice)." }
}

/// Something worth a line in the server's log that did not stop the store.
public struct StorageNotice: Sendable, Hashable, CustomStringConvertible {
    /// How much attention it deserves.
    public enum Severity: String, Sendable, Hashable {
        /// Normal operation: recovery replayed a log.
        case information
        /// Something was dropped or is damaged; a person should read it.
        case warning
    }

    /// How much attention it deserves.
    public var severity: Severity
    /// What happened, in one sentence.
    public var message: String

    /// Creates a notice.
    public init(_ severity: Severity, _ message: String) {
        self.severity = severity
        self.message = message
    }

    /// The message, and what to do.
    public var description: String { message }
}
