import Glibc
import NexaStorage
import NexaValue
import Synchronization

/// Builds a large part of an index at once: gathers the entries of documents as of one moment, sorts them, writes them to
/// files, and makes these part of the tables, past the commit log. Writes go on throughout; nobody waits.
///
/// What is ingested is above all that was committed before, though it may be older. Writes that only added entries need
/// nothing: the files have the same or none. Entries that writes took out since the moment would come back; they are noted
/// meanwhile (`RemovedEntries`) and taken out again by the commit that says how far the index is. Until then a record says
/// that files are on their way; who finds it after a crash begins anew, because entries of writes that got lost may be in
/// the tables.
struct IndexTableBuild {
    enum Outcome {
        /// Entries of all documents until here are in the index.
        case built(after: [UInt8], scanned: Int, isLast: Bool)
        /// It was dropped.
        case dropped
        /// So many entries were taken out meanwhile that nobody remembers them: to be built in another way, from here.
        case tooManyWrites(after: [UInt8], scanned: Int)
    }

    let index: Index
    let collection: Collection
    let engine: Engine
    let isClosing: @Sendable () -> Bool

    /// Whether an index can be built in this way: a unique one needs a look at each other owner of a key.
    static func isPossible(_ index: Index) -> Bool { !index.definition.isUnique && index.vectors == nil }

    /// Removes what a crash left.
    static func removeFiles(in directory: String) {
        guard let names = try? FileSystem.list(directory) else { return }
        for name in names where name.hasPrefix("index-") && name.hasSuffix(".sst") { unlink("\(directory)/\(name)") }
    }

    /// Takes out all entries, to begin anew.
    func reset() throws(EngineError) {
        var batch = WriteBatch()
        batch.deleteRange(.indexes, lower: index.range.lower, upper: index.range.upper)
        put(CatalogRecord.IndexProgress(after: [], scanned: 0), in: &batch)
        let reset = batch
        _ = try commit(.sync) { reset }
    }

    /// Builds the next part.
    func run(after: [UInt8], scanned: Int) throws(EngineError) -> Outcome {
        // An empty commit, behind which nothing is pending that was queued before the noting began.
        guard
            try commit(
                .os,
                making: {
                    index.removals.start()
                    return WriteBatch()
                })
        else { return .dropped }
        defer { index.removals.finish() }
        let (runs, last, isLast) = try gather(after: after)
        let now = scanned + runs.reduce(0) { $0 + $1.scanned }
        let tables = try write(runs)
        guard !index.removals.isOverfull else { return .tooManyWrites(after: after, scanned: scanned) }
        if !tables.isEmpty {
            // What the entries were made of must not get lost when they do not, and the record has to be there first.
            var batch = WriteBatch()
            put(CatalogRecord.IndexProgress(after: after, scanned: scanned, isIngesting: true), in: &batch)
            let marker = batch
            guard try commit(.sync, making: { marker }) else { return .dropped }
            try translating { () throws(StorageError) in try engine.store.ingest(tables) }
        }
        return try finish(after: last.isEmpty ? after : last, scanned: now, isLast: isLast)
    }

    /// Takes out what came back, and says how far the index is. What is noted is kept until that is queued.
    private func finish(after: [UInt8], scanned: Int, isLast: Bool) throws(EngineError) -> Outcome {
        var isForgotten = false
        let isThere = try commit(.os) {
            var batch = WriteBatch()
            if let removed = index.removals.keys {
                for key in removed { batch.delete(.indexes, key: key) }
                put(CatalogRecord.IndexProgress(after: after, scanned: scanned), in: &batch)
            } else {
                isForgotten = true
                batch.deleteRange(.indexes, lower: index.range.lower, upper: index.range.upper)
                put(CatalogRecord.IndexProgress(after: [], scanned: 0), in: &batch)
            }
            return batch
        }
        guard isThere else {
            // It was dropped before the files came.
            var batch = WriteBatch()
            batch.deleteRange(.indexes, lower: index.range.lower, upper: index.range.upper)
            try translating { () throws(StorageError) in _ = try engine.store.write(batch, durability: .os) }
            return .dropped
        }
        return isForgotten
            ? .tooManyWrites(after: [], scanned: 0) : .built(after: after, scanned: scanned, isLast: isLast)
    }

    /// Commits what `make` makes, under all latches, and waits for it; false when the index is gone.
    private func commit(
        _ durability: NexaEngine.Durability, making make: () -> WriteBatch
    ) throws(EngineError) -> Bool {
        while true {
            guard !isClosing() else { throw EngineError(.shuttingDown, "The server is shutting down") }
            let outcome = CommitWait()
            do throws(EngineError) {
                let isQueued = try engine.latches.holdingAll { () throws(EngineError) -> Bool in
                    guard !collection.isDropped, index.state == .building else { return false }
                    try engine.enqueue(make(), WriteOptions(durability: durability)) { outcome.finish($0) }
                    return true
                }
                guard isQueued else { return false }
            } catch {
                // Writers come first when there is too much to do.
                guard error.code == .overloaded else { throw error }
                usleep(50_000)
                continue
            }
            engine.store.commitPending(mayFlush: true)
            try outcome.wait()
            return true
        }
    }

    private func put(_ progress: CatalogRecord.IndexProgress, in batch: inout WriteBatch) {
        batch.put(
            .catalog, key: CatalogRecord.indexProgressKey(index.number),
            value: CatalogRecord.indexProgressValue(progress))
    }

    // MARK: Gathering

    private func gather(after: [UInt8]) throws(EngineError) -> (runs: [IndexRun], last: [UInt8], isLast: Bool) {
        let lower = after.isEmpty ? DocumentKey.prefix(collection.number) : after + [0]
        let upper = DocumentKey.end(collection.number)
        let iterator = try Self.iterator(engine.store, lower, upper)
        let scan = SharedScan(iterator)
        let mine = IndexGathering(scan, index, engine, isClosing)
        let theirs = IndexGathering(scan, index, engine, isClosing)
        let helper = engine.scanHelpers.start { theirs.run() }
        mine.run()
        helper?.join()
        let position = scan.position
        return ([try mine.result(), try theirs.result()], position.last, position.isAtEnd)
    }

    private static func iterator(
        _ store: Store, _ lower: [UInt8], _ upper: [UInt8]
    ) throws(EngineError) -> StoreIterator {
        do throws(StorageError) {
            return try store.makeIterator(.documents, lower: lower, upper: upper)
        } catch {
            throw EngineError(error)
        }
    }

    // MARK: Writing

    /// Below this many entries one table is enough.
    private static let entriesOfOneTable = 20_000

    private func write(_ runs: [IndexRun]) throws(EngineError) -> [SortedTable] {
        let runs = runs.filter { !$0.isEmpty }
        let count = runs.reduce(0) { $0 + $1.count }
        guard count > 0 else { return [] }
        mkdir(engine.temporaryDirectory, 0o700)
        guard count > Self.entriesOfOneTable else {
            return [try IndexTableWriting(runs, runs.map { 0..<$0.count }, try makeTable(0)).result()]
        }
        let parts = IndexRun.halves(runs)
        let low = IndexTableWriting(runs, parts.low, try makeTable(0))
        let high = IndexTableWriting(runs, parts.high, try makeTable(1))
        let helper = engine.scanHelpers.start { low.run() }
        high.run()
        helper?.join()
        return [try low.result(), try high.result()]
    }

    private func makeTable(_ number: Int) throws(EngineError) -> SortedTable {
        let path = "\(engine.temporaryDirectory)/index-\(index.number)-\(number).sst"
        return try translating { () throws(StorageError) in
            try engine.store.makeSortedTable(.indexes, path: path)
        }
    }
}

/// One thread's part of gathering entries.
///
/// `@unchecked Sendable`: it is run by one thread, which another waits for before it asks for the result.
private final class IndexGathering: @unchecked Sendable {
    private let scan: SharedScan
    private let index: Index
    private let entries: IndexRun
    private let engine: Engine
    private let isClosing: @Sendable () -> Bool
    private var error: EngineError?

    init(_ scan: SharedScan, _ index: Index, _ engine: Engine, _ isClosing: @escaping @Sendable () -> Bool) {
        self.scan = scan
        self.index = index
        self.engine = engine
        self.isClosing = isClosing
        entries = IndexRun(index)
    }

    func run() {
        var batch = ScanBatch()
        do throws(EngineError) {
            while !entries.isFull, try scan.take(&batch) {
                guard !isClosing() else { throw EngineError(.shuttingDown, "The server is shutting down") }
                try batch.forEach { (_, key, document) throws(EngineError) in try add(document, key) }
                let scanned = index.build.scanned.add(batch.count, ordering: .relaxed).newValue
                if scanned > index.build.total.load(ordering: .relaxed) {
                    index.build.total.store(scanned, ordering: .relaxed)
                }
            }
            entries.sort()
        } catch {
            self.error = error
            scan.end()
        }
    }

    private func add(_ document: RawSpan, _ key: RawSpan) throws(EngineError) {
        var isInvalid = false
        while true {
            do throws(EngineError) {
                guard isInvalid else { return try entries.add(document, key: key) }
                return try lookAgain(key.withUnsafeBytes { Array($0) })
            } catch {
                if error.code == .overloaded {
                    guard !isClosing() else { throw error }
                    usleep(50_000)
                } else {
                    guard !isInvalid else { throw error }
                    isInvalid = true
                }
            }
        }
    }

    /// What cannot be indexed is a document of the past. Writes maintain the index since then, so if it is gone or was
    /// changed so that it can be indexed, there is nothing left to do.
    private func lookAgain(_ key: [UInt8]) throws(EngineError) {
        let latch = engine.latches.latch(of: key)
        latch.lock()
        defer { latch.unlock() }
        guard let document = try engine.current(key, latch) else { return }
        _ = try index.entries(of: document.span.bytes, key: key)
    }

    func result() throws(EngineError) -> IndexRun {
        if let error { throw error }
        return entries
    }
}

/// One thread's part of writing sorted entries.
///
/// `@unchecked Sendable`: it is run by one thread, which another waits for before it asks for the result.
private final class IndexTableWriting: @unchecked Sendable {
    private let runs: [IndexRun]
    private let ranges: [Range<Int>]
    private let table: SortedTable
    private var outcome: Result<Void, EngineError>?

    init(_ runs: [IndexRun], _ ranges: [Range<Int>], _ table: SortedTable) {
        self.runs = runs
        self.ranges = ranges
        self.table = table
    }

    func run() {
        outcome = Result { () throws(EngineError) in
            try IndexRun.write(runs, ranges, to: table)
            try translating { () throws(StorageError) in try table.finish() }
        }
    }

    /// The table, finished; here, if no other thread did it.
    func result() throws(EngineError) -> SortedTable {
        if outcome == nil { run() }
        try outcome?.get()
        return table
    }
}
