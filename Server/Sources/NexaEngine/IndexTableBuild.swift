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
final class IndexTableBuild: Sendable {
    enum Outcome {
        /// Entries of all documents until here are in the index.
        case built(after: [UInt8], scanned: Int)
        /// Entries of all documents are in the index, and its record says so.
        case ready
        /// It was dropped.
        case dropped
        /// So many entries were taken out meanwhile that nobody remembers them: to be built in another way, from here.
        case tooManyWrites(after: [UInt8], scanned: Int)
    }

    let index: Index
    let collection: Collection
    let engine: Engine
    let isClosing: @Sendable () -> Bool
    /// Whether what was left turned out to be more than is gathered at once.
    private let isTooLarge = Atomic<Bool>(false)
    /// What is gathered at once by all threads together.
    private var maximumBytes: Int { engine.indexGatheringBytes }

    init(index: Index, collection: Collection, engine: Engine, isClosing: @escaping @Sendable () -> Bool) {
        self.index = index
        self.collection = collection
        self.engine = engine
        self.isClosing = isClosing
    }

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
        let gathered = try gather(after: after, scanned: scanned)
        let (runs, last, isLast) = (gathered.runs, gathered.last, gathered.isLast)
        let now = scanned + runs.reduce(0) { $0 + $1.scanned }
        var marker: CommitWait?
        if runs.contains(where: { !$0.isEmpty }) {
            // What the entries were made of must not get lost when they do not, and the record has to be there first. The
            // device can take it while the tables are written.
            var batch = WriteBatch()
            put(CatalogRecord.IndexProgress(after: after, scanned: scanned, isIngesting: true), in: &batch)
            let record = batch
            marker = try queue(.sync, making: { record })
            if marker == nil { return .dropped }
            engine.store.commitPending()
        }
        let tables = try write(runs)
        try marker?.wait()
        guard !index.removals.isOverfull else { return .tooManyWrites(after: after, scanned: scanned) }
        if !tables.isEmpty {
            try translating { () throws(StorageError) in try engine.store.ingest(tables) }
        }
        return try finish(after: last.isEmpty ? after : last, scanned: now, isLast: isLast)
    }

    /// Takes out what came back, and says how far the index is. What is noted is kept until that is queued.
    private func finish(after: [UInt8], scanned: Int, isLast: Bool) throws(EngineError) -> Outcome {
        var isForgotten = false
        let isThere = try commit(isLast ? .sync : .os) {
            var batch = WriteBatch()
            if let removed = index.removals.keys {
                for key in removed { batch.delete(.indexes, key: key) }
                if isLast {
                    batch.put(
                        .catalog, key: CatalogRecord.indexKey(index.number),
                        value: CatalogRecord.indexValue(index, isReady: true))
                    batch.delete(.catalog, key: CatalogRecord.indexProgressKey(index.number))
                } else {
                    put(CatalogRecord.IndexProgress(after: after, scanned: scanned), in: &batch)
                }
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
        if isForgotten { return .tooManyWrites(after: [], scanned: 0) }
        return isLast ? .ready : .built(after: after, scanned: scanned)
    }

    /// Commits what `make` makes, under all latches, and waits for it; false when the index is gone.
    private func commit(
        _ durability: NexaEngine.Durability, making make: () -> WriteBatch
    ) throws(EngineError) -> Bool {
        guard let outcome = try queue(durability, making: make) else { return false }
        engine.store.commitPending(mayFlush: true)
        try outcome.wait()
        return true
    }

    /// Queues what `make` makes, under all latches; `nil` when the index is gone.
    private func queue(
        _ durability: NexaEngine.Durability, making make: () -> WriteBatch
    ) throws(EngineError) -> CommitWait? {
        while true {
            guard !isClosing() else { throw EngineError(.shuttingDown, "The server is shutting down") }
            let outcome = CommitWait()
            do throws(EngineError) {
                let isQueued = try engine.latches.holdingAll { () throws(EngineError) -> Bool in
                    guard !collection.isDropped, index.state == .building else { return false }
                    try engine.enqueue(make(), WriteOptions(durability: durability)) { outcome.finish($0) }
                    return true
                }
                return isQueued ? outcome : nil
            } catch {
                // Writers come first when there is too much to do.
                guard error.code == .overloaded else { throw error }
                usleep(50_000)
            }
        }
    }

    private func put(_ progress: CatalogRecord.IndexProgress, in batch: inout WriteBatch) {
        batch.put(
            .catalog, key: CatalogRecord.indexProgressKey(index.number),
            value: CatalogRecord.indexProgressValue(progress))
    }

    // MARK: Gathering

    private struct Gathered {
        var runs: [IndexRun]
        /// The key of the last document that was looked at; empty when there was none.
        var last: [UInt8]
        /// There are no documents behind it.
        var isLast: Bool
    }

    private func gather(after: [UInt8], scanned: Int) throws(EngineError) -> Gathered {
        let lower = after.isEmpty ? DocumentKey.prefix(collection.number) : after + [0]
        let upper = DocumentKey.end(collection.number)
        // If all that is left fits, each thread walks on its own; what was removed counts in the estimate. Otherwise they go
        // through the documents in their order, so that the building can go on behind those whose entries are in.
        let estimate = (engine.estimatedDocumentCount(of: collection) - scanned) * IndexRun.leastBytes
        if estimate <= 4 * maximumBytes, !isTooLarge.load(ordering: .relaxed) {
            let scan = try translating { () throws(StorageError) in
                try SplitScan(try engine.store.snapshot(), lower: lower, upper: upper)
            }
            let bytes = Counter()
            let runs = try gather { [self] run throws(EngineError) in try fill(&run, from: scan, bytes) }
            if bytes.sum.load(ordering: .relaxed) <= maximumBytes {
                return Gathered(runs: runs, last: scan.last, isLast: true)
            }
            isTooLarge.store(true, ordering: .relaxed)
            index.build.scanned.store(scanned, ordering: .relaxed)
        }
        let iterator = try Self.iterator(engine.store, lower, upper)
        let scan = SharedScan(iterator)
        let runs = try gather { [self] run throws(EngineError) in try fill(&run, from: scan) }
        let position = scan.position
        return Gathered(runs: runs, last: position.last, isLast: position.isAtEnd)
    }

    /// Fills runs on as many threads, and sorts them.
    private func gather(
        _ fill: @escaping @Sendable (inout IndexRun) throws(EngineError) -> Void
    ) throws(EngineError) -> [IndexRun] {
        let mine = IndexGathering(index, fill)
        let theirs = IndexGathering(index, fill)
        let helper = engine.scanHelpers.start { theirs.run() }
        mine.run()
        helper?.join()
        return [try mine.result(), try theirs.result()]
    }

    private func fill(_ run: inout IndexRun, from scan: SplitScan, _ bytes: Counter) throws(EngineError) {
        var known = 0
        var unsaid = 0
        try scan.walk { (key, document) throws(EngineError) in
            try add(document, key, to: &run)
        } pause: { (count) throws(EngineError) in
            guard !isClosing() else { throw EngineError(.shuttingDown, "The server is shutting down") }
            unsaid += count
            let sum = bytes.sum.add(run.byteCount - known, ordering: .relaxed).newValue
            known = run.byteCount
            if sum > maximumBytes { scan.end() }
            if unsaid >= 512 || count < 64 {
                noteScanned(unsaid)
                unsaid = 0
            }
        }
        noteScanned(unsaid)
    }

    private func fill(_ run: inout IndexRun, from scan: SharedScan) throws(EngineError) {
        var batch = ScanBatch()
        do throws(EngineError) {
            while run.byteCount < maximumBytes / 2, try scan.take(&batch) {
                guard !isClosing() else { throw EngineError(.shuttingDown, "The server is shutting down") }
                try batch.forEach { (_, key, document) throws(EngineError) in try add(document, key, to: &run) }
                noteScanned(batch.count)
            }
        } catch {
            scan.end()
            throw error
        }
    }

    private func add(_ document: RawSpan, _ key: RawSpan, to run: inout IndexRun) throws(EngineError) {
        var isInvalid = false
        while true {
            do throws(EngineError) {
                guard isInvalid else { return try run.add(document, key: key) }
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

    private func noteScanned(_ count: Int) {
        let scanned = index.build.scanned.add(count, ordering: .relaxed).newValue
        if scanned > index.build.total.load(ordering: .relaxed) {
            index.build.total.store(scanned, ordering: .relaxed)
        }
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

/// Counts for several threads.
private final class Counter: Sendable {
    let sum = Atomic<Int>(0)
}

/// One thread's part of gathering entries.
///
/// `@unchecked Sendable`: it is run by one thread, which another waits for before it asks for the result.
private final class IndexGathering: @unchecked Sendable {
    private let fill: @Sendable (inout IndexRun) throws(EngineError) -> Void
    private var entries: Result<IndexRun, EngineError>

    init(_ index: Index, _ fill: @escaping @Sendable (inout IndexRun) throws(EngineError) -> Void) {
        self.fill = fill
        entries = .success(IndexRun(index))
    }

    func run() {
        entries = Result { () throws(EngineError) in
            var run = try entries.get()
            try fill(&run)
            run.sort()
            return run
        }
    }

    func result() throws(EngineError) -> IndexRun { try entries.get() }
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
            try translating { () throws(StorageError) in
                try IndexRun.write(runs, ranges, to: table)
                try table.finish()
            }
        }
    }

    /// The table, finished; here, if no other thread did it.
    func result() throws(EngineError) -> SortedTable {
        if outcome == nil { run() }
        try outcome?.get()
        return table
    }
}
