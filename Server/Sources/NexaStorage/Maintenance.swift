import Glibc

/// The thread that prepares log space and moves logged data into the tables, off the writers' path.
final class Maintenance: Sendable {
    private struct State {
        var isPoked = false
        var isClosing = false
    }

    /// How often history is looked at for what became too old.
    private static let trimIntervalMilliseconds = 60_000

    private let directory: String
    private let database: RocksDatabase
    private let log: CommitLog
    private let options: StoreOptions
    private let onNotice: @Sendable (StorageNotice) -> Void
    private let state = Monitor(State())
    private let thread = Monitor<WorkerThread?>(nil)
    private let queue = Monitor<CommitQueue?>(nil)
    /// One checkpoint at a time.
    private let checkpointing = Monitor(false)

    init(
        directory: String, database: RocksDatabase, log: CommitLog, options: StoreOptions,
        _ onNotice: @escaping @Sendable (StorageNotice) -> Void
    ) {
        self.directory = directory
        self.database = database
        self.log = log
        self.options = options
        self.onNotice = onNotice
    }

    func start(_ queue: CommitQueue) throws(StorageError) {
        self.queue.withLock { $0 = queue }
        let worker = try WorkerThread(name: "nexa-maintain") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    private var isCheckpointDue: Bool { log.bytesSinceCheckpoint >= options.checkpointLogBytes }

    /// Looks whether there is work; called after every group of commits, so it is cheap when there is none.
    func poke() {
        guard log.wantsZeros || isCheckpointDue else { return }
        state.withLock { $0.isPoked = true }
        state.wakeAll()
    }

    /// Ends the thread, then checkpoints so that the next start has nothing to replay.
    func shutDown() {
        state.withLock { $0.isClosing = true }
        state.wakeAll()
        thread.withLock { thread in
            let running = thread
            thread = nil
            return running
        }?.join()
        do {
            try checkpoint()
        } catch {
            report(error, "The last checkpoint failed; the next start replays the log")
        }
        queue.withLock { $0 = nil }
    }

    private func run() {
        while true {
            let isClosing = state.wait(
                until: { $0.isPoked || $0.isClosing },
                deadline: { _ in log.hasHistory ? Self.trimIntervalMilliseconds : nil }
            ) { state in
                state.isPoked = false
                return state.isClosing
            }
            if isClosing { return }
            log.trimHistory()
            do {
                if log.wantsZeros { try log.extendZeros() }
                if isCheckpointDue { try checkpoint(onlyIfDue: true) }
            } catch {
                report(error, "Log maintenance failed")
                // Commits go on without zeros ahead and with a longer log; not to be tried after each of them.
                log.postponeMaintenance()
            }
        }
    }

    /// Flushes the tables up to the current commit, says so on disk, and removes the log files before it.
    func checkpoint(onlyIfDue: Bool = false) throws(StorageError) {
        guard let queue = queue.withLock({ $0 }), !queue.hasFailed else { return }
        try checkpointing.withLock { _ throws(StorageError) in
            // Somebody else may have made one while this thread waited.
            if onlyIfDue, !isCheckpointDue { return }
            guard database.enter() else { return }
            defer { database.leave() }
            var sequence: UInt64 = 0
            try queue.exclusively { () throws(StorageError) in
                // Tables must never hold what a power cut could take from the log.
                try log.synchronize()
                sequence = log.lastSequence
                log.resetBytesSinceCheckpoint()
                try database.beginFlush()
            }
            try database.finishFlush()
            try log.finishCheckpoint(sequence, in: directory)
        }
    }

    /// Runs `body` with nothing of the log or the tables changing meanwhile.
    func exclusively<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        guard let queue = queue.withLock({ $0 }) else { throw .closed }
        var result: Result?
        try queue.exclusively { () throws(StorageError) in result = try body() }
        guard let result else { throw .closed }
        return result
    }

    private func report(_ error: StorageError, _ what: String) {
        onNotice(StorageNotice(.warning, "\(what): \(error)"))
    }
}
