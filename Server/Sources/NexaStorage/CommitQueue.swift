import Glibc
import Synchronization

/// When a commit counts as done.
public enum Durability: Sendable, Hashable {
    /// On the device: survives a power cut.
    case sync
    /// With the operating system: survives the end of the process; flushed to the device within about a second.
    case os
}

/// Gathers batches from all threads and commits them in groups: one log write, one flush, one change of
/// the tables, in the order of submission.
///
/// There is one leader at a time, either the queue's own thread or a caller that found the queue idle
/// (flat combining): a group of `os` commits is cheaper than waking a thread. What arrives meanwhile forms
/// the next group. When a group fails, so does everything behind it, and the queue stays closed: nothing
/// that was computed from an unwritten value may be acknowledged.
final class CommitQueue: Sendable {
    typealias Completion = @Sendable (Result<UInt64, StorageError>) -> Void

    private struct Waiting {
        var entry: CommitLog.Entry
        var durability: Durability
        var completion: Completion
    }

    private struct State {
        var waiting: [Waiting] = []
        var waitingBytes = 0
        var waitingSyncs = 0
        var hasLeader = false
        /// The thread should lead.
        var isWakeUp = false
        var isClosing = false
        /// When the oldest commit that is not on the device was made, in milliseconds of the monotonic clock.
        var unsyncedSince: Int?
        /// `unsyncedSince` was set and the thread does not know yet.
        var isTimerNew = false
        var failure: StorageError?
        /// How many threads wait in `exclusively`.
        var pausing = 0
    }

    private let database: RocksDatabase
    private let log: CommitLog
    private let cache: ValueCache
    private let options: StoreOptions
    private let state = Monitor(State())
    private let thread = Monitor<WorkerThread?>(nil)
    private let onGroup: @Sendable () -> Void
    /// The last sequence that the tables show.
    let sequence: Atomic<UInt64>
    /// How long a flush of the log takes, in microseconds; a moving average.
    private let flushMicroseconds = Atomic<Int>(100)

    /// A group ends at this size even if more is waiting, to bound latency and memory.
    private static let groupBytes = 16 << 20
    /// More than this is left to the thread, so that the caller can prepare the next batch meanwhile.
    private static let callerBytes = 64 << 10
    /// How many groups a caller commits for others before the thread takes over.
    private static let callerGroups = 4
    /// A flush slower than this is never made on the caller's thread.
    private static let inlineFlushMicroseconds = 1_000
    /// How long `os` commits may stay off the device.
    private static let flushIntervalMilliseconds = 1_000

    /// - Parameter onGroup: called after each group, without locks, by the leader.
    init(
        database: RocksDatabase, log: CommitLog, cache: ValueCache, options: StoreOptions,
        onGroup: @escaping @Sendable () -> Void
    ) throws(StorageError) {
        self.database = database
        self.log = log
        self.cache = cache
        self.options = options
        self.onGroup = onGroup
        sequence = Atomic(log.lastSequence)
        let thread = try WorkerThread(name: "nexa-commit") { [self] in run() }
        self.thread.withLock { $0 = thread }
    }

    // MARK: Callers

    /// Queues a batch. `completion` is called exactly once, by whichever thread commits it.
    ///
    /// With `deferred`, nothing is committed before someone calls `commitPending`.
    func submit(_ batch: WriteBatch, _ durability: Durability, deferred: Bool, _ completion: @escaping Completion) {
        if let refusal = enqueue(batch, durability, completion) { return completion(.failure(refusal)) }
        if !deferred { start(mayFlushInline: false) }
    }

    /// Puts a batch into the queue and nothing more; returns why it was refused, if it was.
    func enqueue(_ batch: WriteBatch, _ durability: Durability, _ completion: @escaping Completion) -> StorageError? {
        guard batch.byteCount <= options.maximumBatchBytes else {
            return StorageError(
                .batchTooLarge, "A batch of \(batch.byteCount) bytes is over the limit of \(options.maximumBatchBytes)",
                advice: "Split it")
        }
        let entry = CommitLog.Entry(
            payload: batch.bytes, checksum: batch.bytes.withUnsafeBytes { CRC32C.checksum($0) })
        return state.withLock { state in
            if let failure = state.failure { return Self.stopped(by: failure) }
            guard !state.isClosing else { return .closed }
            guard state.waiting.isEmpty || state.waitingBytes + batch.byteCount <= options.maximumQueuedBytes else {
                return StorageError(
                    .overloaded,
                    "\(state.waitingBytes) bytes wait to be committed; the limit is \(options.maximumQueuedBytes)",
                    advice: "Write more slowly, or in smaller batches")
            }
            state.waiting.append(Waiting(entry: entry, durability: durability, completion: completion))
            state.waitingBytes += batch.byteCount
            if durability == .sync { state.waitingSyncs += 1 }
            return nil
        }
    }

    /// Whether nothing is waiting or being committed.
    var isIdle: Bool { state.withLock { $0.waiting.isEmpty && !$0.hasLeader } }

    /// Sees to it that what is queued gets committed: here, if that is cheap, or by the thread.
    ///
    /// - Parameter mayFlushInline: whether this thread may wait for the device, if that is quick.
    func start(mayFlushInline: Bool) {
        let isQuick = flushMicroseconds.load(ordering: .relaxed) <= Self.inlineFlushMicroseconds
        lead(mayFlush: mayFlushInline && isQuick, maximumGroups: Self.callerGroups)
    }

    /// Commits what is queued, refuses everything later, and ends the thread. Idempotent.
    func shutDown() {
        state.withLock { $0.isClosing = true }
        state.wakeAll()
        thread.withLock { thread in
            let running = thread
            thread = nil
            return running
        }?.join()
    }

    // MARK: Leading

    private enum Step {
        case commit([Waiting])
        /// Nothing to do here; `wake` when the thread has to look.
        case leave(wake: Bool)
    }

    /// Commits groups until nothing is waiting, or until it is the thread's turn.
    private func lead(mayFlush: Bool, maximumGroups: Int) {
        var groups = 0
        while true {
            let step = state.withLock { state -> Step in
                let isLeader = groups > 0
                guard isLeader || !state.hasLeader else { return .leave(wake: false) }
                let mayLead =
                    groups < maximumGroups && (mayFlush || state.waitingSyncs == 0)
                    && (maximumGroups == .max || state.waitingBytes <= Self.callerBytes)
                if mayLead, !state.waiting.isEmpty, state.failure == nil {
                    state.hasLeader = true
                    return .commit(Self.takeGroup(&state))
                }
                if isLeader { state.hasLeader = false }
                if !state.waiting.isEmpty { state.isWakeUp = true }
                let wake = state.isWakeUp || state.isClosing || state.isTimerNew || state.pausing > 0
                state.isTimerNew = false
                return .leave(wake: wake)
            }
            switch step {
            case .commit(let group): commit(group)
            case .leave(let wake):
                if wake { state.wakeAll() }
                return
            }
            groups += 1
        }
    }

    private static func takeGroup(_ state: inout State) -> [Waiting] {
        var count = 0
        var bytes = 0
        while count < state.waiting.count, count == 0 || bytes < groupBytes {
            bytes += state.waiting[count].entry.payload.count
            count += 1
        }
        let group: [Waiting]
        if count == state.waiting.count {
            group = state.waiting
            state.waiting = []
            state.waiting.reserveCapacity(min(group.count, 1024))
        } else {
            group = Array(state.waiting[..<count])
            state.waiting.removeFirst(count)
        }
        state.waitingBytes -= bytes
        state.waitingSyncs -= group.count { $0.durability == .sync }
        return group
    }

    /// True once a commit has failed: the log may hold what the tables do not.
    var hasFailed: Bool { state.withLock { $0.failure != nil } }

    /// Runs `body` between two groups, with nothing of the log or the tables changing meanwhile.
    func exclusively(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        state.withLock { $0.pausing += 1 }
        state.wait(until: { !$0.hasLeader }, deadline: { _ in nil }) { state in
            state.pausing -= 1
            state.hasLeader = true
        }
        defer {
            state.withLock { $0.hasLeader = false }
            state.wakeAll()
            start(mayFlushInline: false)
        }
        try body()
    }

    /// Commits a group and calls its completions; the caller is the leader.
    private func commit(_ group: [Waiting]) {
        let sync = group.contains { $0.durability == .sync }
        let first = log.lastSequence + 1
        do throws(StorageError) {
            guard database.enter() else { throw .closed }
            defer { database.leave() }
            let begin = microseconds()
            try log.append(group.map(\.entry), sync: sync) { (payloads, last) throws(StorageError) in
                if sync { recordFlush(microseconds() - begin) }
                try apply(payloads, last)
            }
            noteUnsynced(!sync)
        } catch {
            return fail(group, error)
        }
        sequence.store(log.lastSequence, ordering: .releasing)
        for (index, waiting) in group.enumerated() { waiting.completion(.success(first + UInt64(index))) }
        onGroup()
    }

    private func noteUnsynced(_ isUnsynced: Bool) {
        state.withLock { state in
            if !isUnsynced {
                state.unsyncedSince = nil
            } else if state.unsyncedSince == nil {
                state.unsyncedSince = microseconds() / 1000
                state.isTimerNew = true
            }
        }
    }

    private func apply(_ payloads: [UnsafeRawBufferPointer], _ last: UInt64) throws(StorageError) {
        var change = ValueCache.Change()
        if cache.isEnabled { for payload in payloads { renew(payload, &change) } }
        var isMade = false
        defer { cache.endChange(change, isMade: isMade) }
        cache.generation.wrappingAdd(1, ordering: .acquiringAndReleasing)
        try database.apply(payloads, lastSequence: last)
        isMade = true
        cache.generation.wrappingAdd(1, ordering: .acquiringAndReleasing)
    }

    /// Takes what a batch changes out of the cache, and puts in what it writes: that is likely to be read.
    private func renew(_ payload: UnsafeRawBufferPointer, _ change: inout ValueCache.Change) {
        var reader = BatchReader(payload)
        // Several keys at once, so that nothing waits for the memory of each.
        var prepared: [ValueCache.KeyChange] = []
        func finish() {
            for one in prepared { cache.beginChange(one, &change) }
            prepared.removeAll(keepingCapacity: true)
        }
        while let operation = reader.next() {
            guard operation.family == Store.cachedFamily.rawValue else { continue }
            switch operation {
            case .put(_, let key, let value): prepared.append(cache.prepareChange(key, value))
            case .delete(_, let key): prepared.append(cache.prepareChange(key, nil))
            case .deleteRange:
                finish()
                cache.beginChangeOfAll(&change)
            case .note: break
            }
            if prepared.count == 32 { finish() }
        }
        finish()
    }

    /// Fails a group, everything behind it, and everything to come.
    private func fail(_ group: [Waiting], _ error: StorageError) {
        let rest = state.withLock { state in
            state.failure = error
            let rest = state.waiting
            state.waiting = []
            state.waitingBytes = 0
            state.waitingSyncs = 0
            return rest
        }
        for waiting in group { waiting.completion(.failure(error)) }
        let stopped = Self.stopped(by: error)
        for waiting in rest { waiting.completion(.failure(stopped)) }
    }

    private static func stopped(by failure: StorageError) -> StorageError {
        StorageError(
            .writesStopped, "No writes are accepted since a commit failed (\(failure.message))",
            advice: "\(failure.advice), then restart the server")
    }

    private func recordFlush(_ elapsed: Int) {
        let average = flushMicroseconds.load(ordering: .relaxed)
        flushMicroseconds.store((average * 7 + elapsed) / 8, ordering: .relaxed)
    }

    private func microseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
    }

    // MARK: Thread

    private enum Duty { case lead, flush, end }

    private func run() {
        while true {
            let duty = state.wait { state in
                !state.hasLeader && (state.isWakeUp || state.isClosing)
            } deadline: { state in
                guard !state.hasLeader, let since = state.unsyncedSince else { return nil }
                return max(0, since + Self.flushIntervalMilliseconds - microseconds() / 1000)
            } then: { state -> Duty in
                guard !state.hasLeader else { return .lead }
                state.isWakeUp = false
                if !state.waiting.isEmpty, state.failure == nil { return .lead }
                if state.failure == nil, let since = state.unsyncedSince,
                    state.isClosing || microseconds() / 1000 - since >= Self.flushIntervalMilliseconds
                {
                    state.hasLeader = true
                    state.unsyncedSince = nil
                    return .flush
                }
                return state.isClosing ? .end : .lead
            }
            switch duty {
            case .lead: lead(mayFlush: true, maximumGroups: .max)
            case .flush: flush()
            case .end: return
            }
        }
    }

    /// Flushes what `os` commits left behind; the thread holds the leadership.
    private func flush() {
        do throws(StorageError) {
            try log.synchronize()
        } catch {
            fail([], error)
        }
        state.withLock { $0.hasLeader = false }
        start(mayFlushInline: true)
    }
}

extension StorageError {
    static var closed: StorageError {
        StorageError(.closed, "The store is closed", advice: "Open it again")
    }
}
