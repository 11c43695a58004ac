/// How a store is opened. Every limit has a default that suits a server with a few gigabytes of memory.
public struct StoreOptions: Sendable {
    /// What to do with a commit log that is damaged before its end.
    public enum LogRecovery: Sendable, Hashable {
        /// Refuse to open: acknowledged writes after the damage would be lost.
        case strict
        /// Keep everything before the damage, set the rest aside as files named `*.damaged`, and report it.
        case discardAfterDamage
    }

    /// Bytes of uncompressed blocks kept in memory. Default 256 MiB.
    public var blockCacheBytes = 256 << 20
    /// Bytes of the cache of values in front of RocksDB, all told. Default 128 MiB; 0 (or less than 64 KiB) turns it off.
    public var valueCacheBytes = 128 << 20
    /// Bytes of new data kept in memory per column family before they become a file. Default 64 MiB.
    public var writeBufferBytes = 64 << 20
    /// Bytes of commit log after which the tables are flushed and old log is removed. Default 128 MiB.
    public var checkpointLogBytes = 128 << 20
    /// Bytes after which a new log file is begun. Default 32 MiB.
    public var logSegmentBytes = 32 << 20
    /// Bytes of commit log that are kept for `CommitCursor` beyond what recovery needs, oldest files going first.
    /// Default 0: none.
    public var historyBytes = 0
    /// Seconds for which log is kept for `CommitCursor` at most. Default 0: none.
    public var historySeconds = 0
    /// Bytes that may wait in the commit queue; beyond, `submit` answers `overloaded`. Default 256 MiB.
    public var maximumQueuedBytes = 256 << 20
    /// The largest single batch, in bytes. Default 256 MiB.
    public var maximumBatchBytes = 256 << 20
    /// Threads for RocksDB's flushes and compactions. Default 2.
    public var backgroundThreads = 2
    /// Files RocksDB may keep open; -1 means all. Default 512.
    public var maximumOpenFiles = 512
    /// What to do with a damaged commit log. Default `strict`.
    public var logRecovery = LogRecovery.strict

    /// Whether log is kept beyond what recovery needs.
    var keepsHistory: Bool { historyBytes > 0 && historySeconds > 0 }

    /// Creates the defaults.
    public init() {}
}
