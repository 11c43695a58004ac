import Glibc
import NexaStorage
import NexaValue

/// Writes to a collection on their way: looks at some documents whenever it is told to, so that a listener can make
/// a short write in place and move a long one to another thread.
///
/// Commits are queued while it goes on, so that many share one sync; `finish` tells when all of them are made.
/// `@unchecked Sendable`: it is used by one thread at a time, which may change between two steps; whoever
/// hands it over provides the order.
public final class WriteExecution: @unchecked Sendable {
    /// How far it is.
    public enum Progress: Sendable, Hashable {
        /// There is more to do; before that, another thread has to call `settle`, which blocks for a moment.
        case more
        /// Everything is done or queued.
        case done
    }

    private let engine: Engine
    private let place: WritePlace
    private let writes: [CollectionWrite]
    private let options: WriteSetOptions
    private let tracker = CommitTracker()
    /// The transaction that makes the writes one commit.
    private var own: Transaction?
    private var current: WriteStep?
    private var outcomes: [WriteOutcome] = []
    private var failure: EngineError?
    private var conflicts = 0
    private var isInConflict = false
    private var isCommitted = false

    /// How often writes that are to be one commit start over when others come first.
    private static let maximumConflicts = 20

    init(_ engine: Engine, _ place: WritePlace, _ writes: [CollectionWrite], _ options: WriteSetOptions) {
        self.engine = engine
        self.place = place
        self.writes = writes
        self.options = options
    }

    private var isAtomic: Bool { options.isAtomic && options.transaction == nil }

    /// Goes on with up to `budget` documents. What fails is told by `finish`.
    ///
    /// - Parameter largestDocument: larger ones, and larger updates, may take long and are left to the next step.
    public func step(budget: Int, largestDocument: Int = .max) -> Progress {
        var budget = budget
        while failure == nil, outcomes.count < writes.count {
            guard budget > 0, !tracker.isFull else { return .more }
            do throws(EngineError) {
                if current == nil {
                    if writes[outcomes.count].action.byteCount > largestDocument { return .more }
                    current = try makeStep()
                }
                guard let step = current else { break }
                step.largestDocument = largestDocument
                guard case .done = try step.step(&budget) else { return .more }
                outcomes.append(.done(step.result))
            } catch {
                if isAtomic, error.code == .writeConflict, startOver() { return .more }
                if error.code == .overloaded, !tracker.isSettled { return .more }
                outcomes.append(.failed(error))
                if options.isAtomic || error.endsAll { fail(error, write: outcomes.count - 1) }
                if options.isOrdered { break }
            }
            current = nil
        }
        return commitIfAtomic()
    }

    /// Blocks until what was queued is committed, so that `step` can go on. After a conflict with other writers it also
    /// waits for a random time that grows with their number, so that theirs is committed.
    public func settle() {
        engine.flushPending()
        tracker.settle()
        let microseconds = pauseMicroseconds()
        if microseconds > 0 { usleep(UInt32(microseconds)) }
    }

    /// How long to wait before the next step, because of a conflict; told once.
    func pauseMicroseconds() -> Int {
        defer { isInConflict = false }
        return isInConflict ? Int.random(in: 0...500 << min(conflicts, 7)) : 0
    }

    /// Calls `body` once what was queued is committed: `settle` for those who may not block.
    func whenSettled(_ body: @escaping @Sendable () -> Void) { tracker.whenSettled(body) }

    /// Calls `completion` when all commits are made.
    ///
    /// The outcomes are in the order of the writes. An error stands for all of them: of writes that were to be one
    /// commit, nothing was written then.
    public func finish(_ completion: @escaping @Sendable (Result<[WriteOutcome], EngineError>) -> Void) {
        tracker.whenSettled { [self] in
            completion(Result { () throws(EngineError) in try outcomesNow() })
        }
    }

    /// What became of the writes, after `settle`.
    ///
    /// - Throws: the error that stands for all writes.
    public func outcomesNow() throws(EngineError) -> [WriteOutcome] {
        own?.abort(because: "A write of the transaction failed")
        own = nil
        for (write, error) in tracker.takeFailures() {
            if isAtomic || write >= outcomes.count { throw error }
            outcomes[write] = .failed(error)
        }
        if let failure { throw failure }
        return outcomes + Array(repeating: .skipped, count: writes.count - outcomes.count)
    }

    private func makeStep() throws(EngineError) -> WriteStep {
        if isAtomic, own == nil { own = try engine.beginTransaction() }
        let options = WriteOptions(
            durability: options.durability, isDeferred: true, transaction: own ?? options.transaction)
        return try WriteStep(engine, place, writes[outcomes.count], options, tracker, number: outcomes.count)
    }

    /// Fails all writes because of one.
    private func fail(_ error: EngineError, write: Int?) {
        guard writes.count > 1 else {
            failure = error
            return
        }
        let place = write.map { "Write \($0): " } ?? ""
        failure = EngineError(
            error.code, "\(place)\(error.message)\(isAtomic ? "; nothing was written" : "")", advice: error.advice)
    }

    // MARK: One commit

    private func commitIfAtomic() -> Progress {
        guard isAtomic, failure == nil, !isCommitted, let own else { return .done }
        isCommitted = true
        tracker.begin()
        own.commit(durability: options.durability, isDeferred: true) { [tracker] in tracker.end($0, of: .max) }
        // Conflicts are found at once.
        guard tracker.isSettled else { return .done }
        let failures = tracker.takeFailures()
        guard let error = failures.first?.error else { return .done }
        if error.code == .writeConflict, startOver() { return .more }
        fail(error, write: nil)
        return .done
    }

    private func startOver() -> Bool {
        guard conflicts < Self.maximumConflicts else { return false }
        conflicts += 1
        isInConflict = true
        own?.abort(because: "Other writers came first")
        own = nil
        current = nil
        outcomes = []
        isCommitted = false
        return true
    }
}

extension EngineError {
    /// Whether there is no use in trying the writes behind the one that failed.
    fileprivate var endsAll: Bool {
        switch code {
        case .storage, .shuttingDown, .noTransaction, .writeConflict, .cancelled: true
        default: false
        }
    }
}

extension Engine {
    /// Begins writes to a collection. Nothing is looked at before the first `step`.
    ///
    /// Each document is changed atomically: it is found, then looked at again and changed under its latch, so that
    /// no concurrent update is lost. Writes to many documents make many commits, unless they are to be atomic.
    /// - Throws: `.limit` for more than 100 000 writes.
    public func write(
        database: String, collection: String, _ writes: [CollectionWrite], options: WriteSetOptions = WriteSetOptions()
    ) throws(EngineError) -> WriteExecution {
        guard writes.count <= EngineLimits.maximumBatchDocuments else {
            throw EngineError(
                .limit, "There are \(writes.count) writes; the limit is \(EngineLimits.maximumBatchDocuments)",
                advice: "Send several sets of writes")
        }
        return WriteExecution(self, WritePlace(database: database, collection: collection), writes, options)
    }
}
