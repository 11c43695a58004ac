import Glibc
import NexaStorage

/// When a write counts as done.
public enum Durability: String, Sendable, Hashable, CaseIterable {
    /// On the device: survives a power cut.
    case sync
    /// With the operating system: survives the end of the process; on the device within about a second.
    case os

    var storage: NexaStorage.Durability { self == .sync ? .sync : .os }
}

/// Something worth a line in the server's log that stopped nothing.
public struct EngineNotice: Sendable, Hashable, CustomStringConvertible {
    /// Whether a person should look at it.
    public var isWarning: Bool
    /// What happened, in one or two sentences.
    public var message: String

    /// Creates a notice.
    public init(isWarning: Bool, message: String) {
        self.isWarning = isWarning
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

/// How an engine is opened. The defaults suit a server with a few gigabytes of memory.
public struct EngineOptions: Sendable {
    /// What to do with a commit log that is damaged before its end.
    public enum LogRecovery: String, Sendable, Hashable, CaseIterable {
        /// Refuse to open, naming the file and what would be lost.
        case strict
        /// Keep everything before the damage and set the rest aside.
        case discardAfterDamage = "discard-after-damage"
    }

    /// Bytes of table blocks kept in memory. Default 256 MiB.
    public var blockCacheBytes = 256 << 20
    /// Bytes of documents kept in memory as they were read or written, all told. Default 128 MiB; 0 turns it off.
    public var documentCacheBytes = 128 << 20
    /// Bytes of new data kept in memory before they become a file. Default 64 MiB.
    public var writeBufferBytes = 64 << 20
    /// Bytes of writes that may wait to be committed; beyond, writes fail with `overloaded`. Default 256 MiB.
    public var maximumQueuedBytes = 256 << 20
    /// What to do with a damaged commit log. Default `strict`.
    public var logRecovery = LogRecovery.strict
    /// Bytes of changes that are kept for change streams to resume from, oldest going first. Default 1 GiB; with 0
    /// no more is kept than recovery needs, some 100 MiB or less.
    public var changeHistoryBytes = 1 << 30
    /// For how long changes are kept at most. Default 24 hours; 0 as for the bytes.
    public var changeHistoryAge = Duration.seconds(86_400)
    /// How often documents are looked for that have expired, by an index with `expireAfterSeconds`. Default 60 seconds.
    public var expiryInterval = Duration.seconds(60)
    /// Threads that link new vectors into the graphs of vector indexes. Default: half of the processors, at least one.
    public var vectorThreads = max(1, Self.processorCount / 2)
    /// Bytes of one log file. For tests.
    @_spi(Testing) public var logFileBytes = 32 << 20
    /// Bytes of entries that are gathered at once for an index that is being built. For tests.
    @_spi(Testing) public var indexGatheringBytes = 64 << 20
    /// Called after commits became visible, by the thread that made them; has to be quick and must not write.
    public var onCommit: @Sendable () -> Void = {}
    /// Called after a change of users that sessions have to look at, by the thread that made it; has to be quick.
    public var onUsersChange: @Sendable () -> Void = {}
    /// Gets what a person should know, on any thread, also after `open` has returned.
    public var onNotice: @Sendable (EngineNotice) -> Void = { _ in }

    /// Creates the defaults.
    public init() {}

    private static var processorCount: Int { Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    var storage: StoreOptions {
        var storage = StoreOptions()
        storage.blockCacheBytes = blockCacheBytes
        storage.valueCacheBytes = documentCacheBytes
        storage.writeBufferBytes = writeBufferBytes
        storage.maximumQueuedBytes = maximumQueuedBytes
        storage.historyBytes = changeHistoryBytes
        storage.historySeconds = Int(clamping: changeHistoryAge.components.seconds)
        storage.logSegmentBytes = logFileBytes
        storage.logRecovery = logRecovery == .strict ? .strict : .discardAfterDamage
        return storage
    }

    func check() throws(EngineError) {
        guard changeHistoryBytes >= 0, changeHistoryAge >= .zero else {
            throw EngineError(.badRequest, "The size and the age of the change history cannot be negative")
        }
    }
}

/// Limits on what a request may hold. A request beyond one fails with `limit`, naming it.
public enum EngineLimits {
    /// The size of one document as it is sent: 16 MiB.
    public static let maximumDocumentBytes = 16 << 20
    /// Documents in one `insertMany`.
    public static let maximumBatchDocuments = 100_000
    /// The length of a text `_id`, in bytes of UTF-8.
    public static let maximumIDBytes = 1024
    /// Statistics count so many documents, and entries of an index, and estimate beyond.
    public static let maximumCountedEntries = 200_000
    /// The length of a place at which a page ended, in bytes.
    public static let maximumPlaceBytes = 64 << 10
    /// The length of the name of a database, collection or user, in bytes of UTF-8.
    public static let maximumNameBytes = 120
    /// API keys of one user.
    public static let maximumAPIKeys = 64
    /// Databases that one user has grants for.
    public static let maximumGrants = 1024
    /// Documents that a vector search finds, and candidates that it keeps.
    public static let maximumNeighbours = 10_000
    /// The length of the vectors of a collection.
    public static let maximumVectorDimensions = 16_384
}
