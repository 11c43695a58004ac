import CRocksDB
import Glibc
import Synchronization

/// An ordered key-value store with atomic, durable batches: the one seam between the engine and whatever
/// holds the bytes.
///
/// Keys are ordered byte strings within column families. A batch is logged, flushed to the device if its
/// durability asks for it, applied to the tables, and only then acknowledged. Readers see whole commits,
/// never parts. One store at a time may have a data directory open.
public final class Store: Sendable {
    /// The family whose values are worth a cache.
    static let cachedFamily = ColumnFamily.documents

    private let directory: String
    let database: RocksDatabase
    private let cache: ValueCache
    let log: CommitLog
    private let queue: CommitQueue
    let maintenance: Maintenance
    private let isClosed = Atomic<Bool>(false)

    // MARK: Lifetime

    /// Opens a data directory, creating it if there is none, and replays what a crash left in its log.
    ///
    /// - Parameter onNotice: gets what a person should know (a log that ended in a cut record); it may be
    ///   called later from other threads as well.
    /// - Parameter onCommit: called after commits became visible, by the thread that made them; has to be quick.
    /// - Throws: `.locked` when another store has the directory, `.formatTooNew`, `.notADataDirectory`,
    ///   `.logDamaged` when going on would lose acknowledged commits, `.corrupted`, `.diskFull`, `.inputOutput`.
    public init(
        at directory: String, options: StoreOptions = StoreOptions(),
        onNotice: @escaping @Sendable (StorageNotice) -> Void = { _ in },
        onCommit: @escaping @Sendable () -> Void = {}
    ) throws(StorageError) {
        self.directory = directory
        try File.createDirectory(directory)
        let lock = try DirectoryLock(directory: directory)
        try FormatVersion.check(directory: directory)
        let saved = try Checkpoint.read(directory: directory)
        let checkpoint = saved ?? Checkpoint(sequence: 0, salt: UInt32.random(in: .min ... .max))
        try File.createDirectory(directory + "/log")
        // The first checkpoint is written before the first log file, so one without the other is no new directory.
        let hasLog = try !File.list(directory + "/log").isEmpty
        guard saved != nil || !hasLog else {
            throw StorageError(
                .corrupted, "\(directory)/CHECKPOINT is missing, and without it the log cannot be read",
                advice: "Restore the file, or the whole directory, from a backup")
        }
        database = try RocksDatabase(
            path: directory + "/tables", creating: saved == nil, options: options, lock: lock)
        cache = ValueCache(capacity: options.valueCacheBytes)
        let recovered = try Self.recover(directory, database, checkpoint, isNew: saved == nil, options, onNotice)
        log = try CommitLog(
            directory: directory + "/log", options: options, salt: checkpoint.salt,
            lastSequence: recovered.lastSequence, fileNumber: recovered.lastFileNumber + 1,
            history: recovered.history)
        let maintenance = Maintenance(directory: directory, database: database, log: log, options: options, onNotice)
        self.maintenance = maintenance
        queue = try CommitQueue(database: database, log: log, cache: cache, options: options) {
            maintenance.poke()
            onCommit()
        }
        do {
            try maintenance.start(queue)
        } catch {
            queue.shutDown()
            database.close()
            throw error
        }
    }

    deinit { close() }

    /// Applies the log to the tables, makes that permanent, and removes the log.
    private static func recover(
        _ directory: String, _ database: RocksDatabase, _ checkpoint: Checkpoint, isNew: Bool, _ options: StoreOptions,
        _ onNotice: @escaping @Sendable (StorageNotice) -> Void
    ) throws(StorageError) -> LogRecovery.Outcome {
        let recovery = LogRecovery(
            directory: directory + "/log", checkpoint: checkpoint.sequence, salt: checkpoint.salt,
            mode: options.logRecovery, notice: onNotice)
        var outcome = try recovery.run { (payloads, last) throws(StorageError) in
            try database.apply(payloads, lastSequence: last, skippingKnown: true)
        }
        outcome.lastSequence = max(outcome.lastSequence, database.lastSequence)
        if outcome.applied > 0 || isNew || outcome.lastSequence > checkpoint.sequence {
            try database.beginFlush()
            try database.finishFlush()
            try Checkpoint(sequence: outcome.lastSequence, salt: checkpoint.salt).write(directory: directory)
        }
        // Files that hold no commit say nothing, and without history nobody asks for the others.
        let kept = options.keepsHistory ? Set(outcome.history.map(\.path)) : []
        for file in outcome.allFiles where !kept.contains(file) { unlink(file) }
        if kept.isEmpty { outcome.history = [] }
        if outcome.applied > 0 {
            onNotice(
                StorageNotice(
                    .information, "Recovered \(outcome.applied) commit(s) from the log, up to \(outcome.lastSequence)"))
        }
        return outcome
    }

    /// Finishes what was submitted, writes everything to the tables, and lets go of the directory. Idempotent.
    ///
    /// Iterators and snapshots that are still alive keep working and keep the directory locked until they go.
    public func close() {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        queue.shutDown()
        maintenance.shutDown()
        log.finish()
        database.close()
    }

    // MARK: Writing

    /// The number of the last commit that readers see; every commit has one more than the one before.
    public var commitSequence: UInt64 { queue.sequence.load(ordering: .acquiring) }

    /// Queues a batch; `completion` is called once, with the commit's sequence, by the thread that commits it
    /// (possibly this one, before `submit` returns).
    public func submit(
        _ batch: WriteBatch, durability: Durability = .sync,
        completion: @escaping @Sendable (Result<UInt64, StorageError>) -> Void
    ) {
        if let refusal = queue.enqueue(batch, durability, completion) { return completion(.failure(refusal)) }
        queue.start(mayFlushInline: false)
    }

    /// Puts a batch into the queue without committing anything: cheap enough to be called under a lock.
    ///
    /// Someone has to call `commitPending` afterwards. When the batch is refused (queue full, store closed,
    /// writes stopped), the reason is returned and `completion` is never called.
    public func enqueue(
        _ batch: WriteBatch, durability: Durability,
        completion: @escaping @Sendable (Result<UInt64, StorageError>) -> Void
    ) -> StorageError? {
        queue.enqueue(batch, durability, completion)
    }

    /// Whether nothing is queued or being committed.
    public var isIdle: Bool { queue.isIdle }

    /// Gets everything enqueued committed: on this thread if that is cheap and no other thread is at it.
    ///
    /// - Parameter mayFlush: whether this thread may wait for the device as long as its flushes take less than a
    ///   millisecond. A listener that handles many requests at a time passes `true` once at the end of its turn.
    public func commitPending(mayFlush: Bool = false) {
        queue.start(mayFlushInline: mayFlush)
    }

    /// Commits a batch and waits for it. Not to be called from a completion, which would wait for itself.
    @discardableResult
    public func write(_ batch: WriteBatch, durability: Durability = .sync) throws(StorageError) -> UInt64 {
        let result = Monitor<Result<UInt64, StorageError>?>(nil)
        let refusal = queue.enqueue(batch, durability) { outcome in
            result.withLock { $0 = outcome }
            result.wakeAll()
        }
        if let refusal { throw refusal }
        queue.start(mayFlushInline: true)
        return try result.wait(until: { $0 != nil }, deadline: { _ in nil }, then: { $0 ?? .failure(.closed) }).get()
    }

    // MARK: Reading

    /// Looks up a key and runs `body` on its value in place; `nil` when the key is absent.
    public func get<Result>(
        _ family: ColumnFamily, _ key: RawSpan, _ body: (RawSpan) -> Result
    ) throws(StorageError) -> Result? {
        guard family == Self.cachedFamily, cache.isEnabled else { return try read(family, key, body) }
        guard !isClosed.load(ordering: .relaxed) else { throw .closed }
        switch key.withUnsafeBytes({ cache.read($0, body) }) {
        case .hit(let result): return result
        case .miss(let ticket):
            return try read(family, key) { value in
                key.withUnsafeBytes { key in value.withUnsafeBytes { cache.offer(key, $0, ticket) } }
                return body(value)
            }
        }
    }

    /// Whether a key is there.
    public func contains(_ family: ColumnFamily, _ key: RawSpan) throws(StorageError) -> Bool {
        try read(family, key) { _ in true } ?? false
    }

    private func read<Result>(
        _ family: ColumnFamily, _ key: RawSpan, _ body: (RawSpan) -> Result
    ) throws(StorageError) -> Result? {
        guard database.enter() else { throw .closed }
        defer { database.leave() }
        return try database.get(family, key, options: database.readOptions, body)
    }

    /// The state as of now, unchanged for as long as the snapshot lives.
    public func snapshot() throws(StorageError) -> Snapshot {
        guard let snapshot = Snapshot(database, cache, sequence: commitSequence) else { throw .closed }
        return snapshot
    }

    /// Walks keys in order, over the state as of now or of a snapshot. See `StoreIterator`.
    public func makeIterator(
        _ family: ColumnFamily, lower: [UInt8]? = nil, upper: [UInt8]? = nil
    ) throws(StorageError) -> StoreIterator {
        try snapshot().makeIterator(family, lower: lower, upper: upper)
    }

    // MARK: History

    /// Who wrote a commit: a number of the opening of the store that did; `nil` when the log does not reach back.
    ///
    /// Two commits of the same sequence and the same run are the same commit, whatever was restored or lost between.
    public func run(of sequence: UInt64) -> UInt64? { log.run(of: sequence) }

    /// Reads the notes of commits, beginning with the commit `first`, which may be one that is still to come.
    ///
    /// `StoreOptions.historyBytes` and `historySeconds` say how far back that is possible at least.
    public func makeCommitCursor(from first: UInt64) -> CommitCursor { CommitCursor(log, from: first) }

    // MARK: Housekeeping

    /// Brings everything into the tables and removes the log before it; happens by itself as the log grows.
    public func checkpoint() throws(StorageError) { try maintenance.checkpoint() }

    /// About how many keys a family holds, from RocksDB's own estimate.
    public func estimatedKeyCount(_ family: ColumnFamily) -> UInt64 {
        guard database.enter() else { return 0 }
        defer { database.leave() }
        return database.property("rocksdb.estimate-num-keys", of: family) ?? 0
    }

    /// About how many bytes the keys `lower ..< upper` take in files. What is still in memory does not count.
    public func approximateSize(_ family: ColumnFamily, lower: [UInt8], upper: [UInt8]) -> Int {
        guard database.enter() else { return 0 }
        defer { database.leave() }
        return database.approximateSize(family, lower: lower, upper: upper)
    }

    /// Adds a column family as a later version might. For tests.
    @_spi(Testing) public func addFamily(_ name: String) {
        guard database.enter() else { return }
        defer { database.leave() }
        database.addFamily(name)
    }

    /// Makes every later write to the log fail, as a full device would. For tests of what happens then.
    @_spi(Testing) public func injectLogFailure(_ error: StorageError?) {
        log.injectedFailure.withLock { $0 = error }
    }
}
