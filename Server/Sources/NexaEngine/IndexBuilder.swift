import NexaQuery
import NexaStorage
import NexaValue
import Synchronization

/// Builds indexes, one after the other, on a thread of its own that lives as long as there is something to build.
///
/// Writes maintain an index from the moment at which it is in the catalog. What is older is read here. Of a large
/// collection it becomes tables (`IndexTableBuild`). Otherwise, and for unique indexes and those of vectors, it is read in
/// chunks: under all latches, so that no document changes between the look at it and its entries being queued. A chunk
/// and the place where the next one begins are one commit, so building goes on after a crash where it was.
final class IndexBuilder: Sendable {
    struct Job: Sendable {
        var index: Index
        var collection: Collection
        var progress: CatalogRecord.IndexProgress?
    }

    private struct State {
        var jobs: [Job] = []
        var thread: WorkerThread?
        var isRunning = false
        var isClosing = false
    }

    /// Writers wait for a chunk: about two milliseconds.
    private static let chunkDocuments = 1000
    private static let chunkBytes = 4 << 20
    /// An index is known to be large when so many documents are left, or so many chunks were not enough: it is then made
    /// in tables of its own.
    private static let documentsOfLargeIndex = 10_000
    private static let chunksOfSmallIndex = 2
    /// Chunks that are being committed while the next one is made.
    private static let maximumInFlight = 2

    private let state = Monitor(State())

    /// Builds an index when those before it are built. Holds the engine until then.
    func start(_ job: Job, in engine: Engine) {
        let finished = state.withLock { (state) -> WorkerThread? in
            guard !state.isClosing else { return nil }
            state.jobs.append(job)
            guard !state.isRunning else { return nil }
            let old = state.thread
            // Without a thread the index stays as it is until the next start.
            state.thread = try? WorkerThread(name: "nexa-index") { [self] in run(engine) }
            state.isRunning = state.thread != nil
            return old
        }
        finished?.join()
    }

    /// Ends after the chunk at hand.
    func shutDown() {
        let thread = state.withLock { state in
            state.isClosing = true
            state.jobs = []
            let thread = state.thread
            state.thread = nil
            return thread
        }
        state.wakeAll()
        thread?.join()
    }

    private var isClosing: Bool { state.withLock { $0.isClosing } }

    private func run(_ engine: Engine) {
        let committer = CommitHelper(engine)
        defer { committer.end() }
        while let job = next() {
            do throws(EngineError) {
                try build(job, in: engine, committer)
            } catch {
                // When the server ends, the index is built after the next start.
                if error.code != .shuttingDown { fail(job, error, in: engine) }
            }
        }
    }

    private func next() -> Job? {
        state.withLock { state in
            guard !state.jobs.isEmpty, !state.isClosing else {
                state.isRunning = false
                return nil
            }
            return state.jobs.removeFirst()
        }
    }

    private func build(_ job: Job, in engine: Engine, _ committer: CommitHelper) throws(EngineError) {
        var after = job.progress?.after ?? []
        var scanned = job.progress?.scanned ?? 0
        job.index.build.scanned.store(scanned, ordering: .relaxed)
        let estimate = engine.estimatedDocumentCount(of: job.collection)
        job.index.build.total.store(max(estimate, scanned), ordering: .relaxed)
        let tables = IndexTableBuild(
            index: job.index, collection: job.collection, engine: engine, isClosing: { [self] in isClosing })
        var mayUseTables = IndexTableBuild.isPossible(job.index)
        if job.progress?.isIngesting == true {
            try tables.reset()
            after = []
            scanned = 0
            job.index.build.scanned.store(0, ordering: .relaxed)
        }
        var inFlight: [CommitWait] = []
        var chunks = 0
        while true {
            guard !isClosing else { throw EngineError(.shuttingDown, "The server is shutting down") }
            if mayUseTables, chunks >= Self.chunksOfSmallIndex || estimate - scanned >= Self.documentsOfLargeIndex {
                for outcome in inFlight { try outcome.wait() }
                inFlight = []
                switch try tables.run(after: after, scanned: scanned) {
                case .dropped: return
                case .ready: return markReady(job, in: engine)
                case .built(let last, let count):
                    after = last
                    scanned = count
                case .tooManyWrites(let last, let count):
                    after = last
                    scanned = count
                    job.index.build.scanned.store(scanned, ordering: .relaxed)
                    mayUseTables = false
                }
                continue
            }
            chunks += 1
            if inFlight.count == Self.maximumInFlight { try inFlight.removeFirst().wait() }
            let chunk: IndexChunk
            do throws(EngineError) {
                let outcome = CommitWait()
                guard let made = try self.chunk(job, after: after, scanned: scanned, in: engine, outcome) else {
                    return
                }
                committer.wake()
                inFlight.append(outcome)
                chunk = made
            } catch {
                // Writers come first when there is too much to do.
                guard error.code == .overloaded else { throw error }
                pause(milliseconds: 50)
                continue
            }
            after = chunk.after
            scanned = chunk.scanned
            job.index.build.scanned.store(scanned, ordering: .relaxed)
            if scanned > job.index.build.total.load(ordering: .relaxed) {
                job.index.build.total.store(scanned, ordering: .relaxed)
            }
            if chunk.isLast { break }
        }
        for outcome in inFlight { try outcome.wait() }
        try complete(job, in: engine)
    }

    private func complete(_ job: Job, in engine: Engine) throws(EngineError) {
        var batch = WriteBatch()
        batch.put(
            .catalog, key: CatalogRecord.indexKey(job.index.number),
            value: CatalogRecord.indexValue(job.index, isReady: true))
        batch.delete(.catalog, key: CatalogRecord.indexProgressKey(job.index.number))
        while true {
            let outcome = CommitWait()
            do throws(EngineError) {
                let isQueued = try engine.latches.holdingAll { () throws(EngineError) -> Bool in
                    guard !job.collection.isDropped, job.index.state == .building else { return false }
                    try engine.enqueue(batch, WriteOptions(durability: .sync)) { outcome.finish($0) }
                    return true
                }
                guard isQueued else { return }
            } catch {
                guard error.code == .overloaded, !isClosing else { throw error }
                pause(milliseconds: 50)
                continue
            }
            engine.store.commitPending(mayFlush: true)
            try outcome.wait()
            break
        }
        markReady(job, in: engine)
    }

    /// Lets queries use the index, whose record says so.
    private func markReady(_ job: Job, in engine: Engine) {
        engine.latches.holdingAll {
            if job.index.state == .building { job.index.markReady(since: engine.store.commitSequence) }
        }
        engine.sweeper.start(engine)
    }

    /// Queues the entries of the next documents; `nil` when the index was dropped.
    private func chunk(
        _ job: Job, after: [UInt8], scanned: Int, in engine: Engine, _ outcome: CommitWait
    ) throws(EngineError) -> IndexChunk? {
        try engine.latches.holdingAll { () throws(EngineError) -> IndexChunk? in
            guard !job.collection.isDropped, job.index.state == .building else { return nil }
            var chunk = IndexChunk(job.index, job.collection, after: after, scanned: scanned)
            try chunk.fill(engine, documents: Self.chunkDocuments, bytes: Self.chunkBytes)
            let vectors = chunk.vectors
            try engine.enqueue(chunk.batch, WriteOptions(durability: .os), noting: chunk.noted) { [weak engine] in
                if !vectors.isEmpty, case .success = $0 {
                    for change in vectors { change.apply() }
                    if let engine { engine.keeper.wake(engine) }
                }
                outcome.finish($0)
            }
            return chunk
        }
    }

    private func pause(milliseconds: Int) {
        state.wait(until: { $0.isClosing }, deadline: { _ in milliseconds }, then: { _ in })
    }

    private func fail(_ job: Job, _ error: EngineError, in engine: Engine) {
        var isDropped = false
        while !isDropped, !isClosing {
            isDropped = engine.latches.holdingAll {
                guard job.index.state == .building, !job.collection.isDropped else { return true }
                job.collection.failedBuilds.withLock { failed in
                    failed.removeAll { $0.definition.name == job.index.name }
                    failed = failed.suffix(IndexDefinition.maximumCount - 1) + [(job.index.definition, error)]
                }
                do throws(EngineError) {
                    try engine.catalog.dropIndex(job.index, of: job.collection) { _ in }
                    return true
                } catch {
                    // Anything but having too much to do lasts until the server is started again.
                    return error.code != .overloaded
                }
            }
            engine.store.commitPending()
            if !isDropped { pause(milliseconds: 50) }
        }
        engine.onNotice(
            EngineNotice(
                isWarning: true,
                message: "Index '\(job.index.name)' of collection '\(job.collection.name)' was not built: \(error)"))
    }
}

/// Commits what is queued on a thread of its own, so that its owner can make the next batch meanwhile.
private final class CommitHelper: Sendable {
    private struct State {
        var isWoken = false
        var isEnding = false
    }

    private let engine: Engine
    private let state = Monitor(State())
    private let thread = Monitor<WorkerThread?>(nil)

    init(_ engine: Engine) { self.engine = engine }

    func wake() {
        thread.withLock { thread in
            if thread == nil { thread = try? WorkerThread(name: "nexa-index-log") { [self] in run() } }
        }
        // Without a thread of its own, on that of the caller.
        guard thread.withLock({ $0 != nil }) else { return engine.store.commitPending() }
        state.withLock { $0.isWoken = true }
        state.wakeAll()
    }

    func end() {
        state.withLock { $0.isEnding = true }
        state.wakeAll()
        thread.withLock { thread in
            let running = thread
            thread = nil
            return running
        }?.join()
    }

    private func run() {
        while true {
            let isEnding = state.wait(until: { $0.isWoken || $0.isEnding }, deadline: { _ in nil }) { state in
                state.isWoken = false
                return state.isEnding
            }
            engine.store.commitPending()
            if isEnding { return }
        }
    }
}

/// Waits for a commit on a thread that has nothing else to do.
final class CommitWait: Sendable {
    private let result = Monitor<Result<Void, EngineError>?>(nil)

    func finish(_ outcome: Result<Void, EngineError>) {
        result.withLock { $0 = outcome }
        result.wakeAll()
    }

    func wait() throws(EngineError) {
        let lost = Result<Void, EngineError>.failure(EngineError(.shuttingDown, "The server is shutting down"))
        try result.wait(until: { $0 != nil }, deadline: { _ in nil }, then: { $0 ?? lost }).get()
    }
}

/// The entries of some documents of a collection, in the order of their keys. All latches are held.
private struct IndexChunk {
    let index: Index
    let collection: Collection
    /// The key of the last document that was looked at.
    var after: [UInt8]
    var scanned: Int
    var isLast = false
    var batch = WriteBatch(capacity: 64 << 10)
    var noted: [(key: [UInt8], value: [UInt8]?)] = []
    var vectors: [VectorChange] = []
    private var taken: [[UInt8]: [UInt8]] = [:]
    private var entries: [IndexEntry] = []

    init(_ index: Index, _ collection: Collection, after: [UInt8], scanned: Int) {
        self.index = index
        self.collection = collection
        self.after = after
        self.scanned = scanned
    }

    mutating func fill(_ engine: Engine, documents: Int, bytes: Int) throws(EngineError) {
        let lower = after.isEmpty ? DocumentKey.prefix(collection.number) : after + [0]
        let upper = DocumentKey.end(collection.number)
        var iterator = try translating { () throws(StorageError) in
            try engine.store.makeIterator(.documents, lower: lower, upper: upper)
        }
        var read = 0
        for _ in 0..<documents where read < bytes {
            guard try Self.advance(&iterator) else {
                isLast = true
                break
            }
            after = iterator.key.withUnsafeBytes { Array($0) }
            scanned += 1
            read += iterator.value.byteCount
            // What is on its way to the table counts: its own commit comes before this one.
            if let pending = engine.latches.latch(of: after).pending(after) {
                if let value = pending.value { try add(value.span.bytes, engine) }
            } else {
                try add(iterator.value, engine)
            }
        }
        // The tables take keys faster in their order.
        entries.sort { $0.key.precedes($1.key) }
        for entry in entries {
            batch.put(.indexes, key: entry.key, value: entry.value)
            if let field = index.vectors {
                vectors.append(VectorChange(field: field, key: entry.key, packed: entry.value))
            }
        }
        entries = []
        let progress = CatalogRecord.IndexProgress(after: after, scanned: scanned)
        batch.put(
            .catalog, key: CatalogRecord.indexProgressKey(index.number),
            value: CatalogRecord.indexProgressValue(progress))
    }

    private static func advance(_ iterator: inout StoreIterator) throws(EngineError) -> Bool {
        do throws(StorageError) { return try iterator.advance() } catch { throw EngineError(error) }
    }

    private mutating func add(_ document: RawSpan, _ engine: Engine) throws(EngineError) {
        for entry in try index.entries(of: document, key: after) {
            if entry.isUnique {
                var owner = taken[entry.key]
                if owner == nil { owner = try engine.owner(of: entry.key) }
                guard owner == nil || owner == entry.value else { throw violation(document, owner ?? []) }
                taken[entry.key] = entry.value
                noted.append((CommitContents.latchKey(entry.key), entry.value))
            }
            entries.append(entry)
        }
    }

    private func violation(_ document: RawSpan, _ owner: [UInt8]) -> EngineError {
        let prefix = DocumentKey.prefix(collection.number)
        let ids = [prefix + owner, after].map { key in
            key.withUnsafeBytes { DocumentKey.id(in: $0) }?.idText ?? "?"
        }
        let document = (try? MessagePack.decodeDocument(document)) ?? [:]
        let values = Document(index.definition.keys.map { ($0.path, document[path: $0.path] ?? .null) })
        let text = (try? JSON.string(values)) ?? "?"
        return EngineError(
            .duplicateKey,
            "Index '\(index.name)' cannot be unique: the documents with the _ids '\(ids[0])' and '\(ids[1])' "
                + "have the same values \(text.prefix(200))",
            advice: "Change or delete one of them, then create the index again")
    }
}
