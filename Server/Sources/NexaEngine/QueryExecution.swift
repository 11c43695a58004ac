import NexaQuery
import NexaStorage
import NexaValue

/// A query on its way: looks at some documents whenever it is told to, so that a listener can run a short one in
/// place and move a long one to another thread.
///
/// `@unchecked Sendable`: it is used by one thread at a time, which may change between two steps; whoever
/// hands it over provides the order.
public final class QueryExecution: @unchecked Sendable {
    /// How far a query is.
    public enum Progress: Sendable, Hashable {
        /// There is more to look at.
        case more
        /// The result is complete.
        case done
    }

    /// Where a sort that outgrows its memory goes on.
    private let spillDirectory: String
    let store: Store
    let collection: Collection?
    let filter: QueryFilter
    private let filterSource: Document
    private let projection: Projection?
    let options: QueryOptions
    /// The order that is asked for, if it is not made by the way in which the documents are found.
    let order: SortOrder?
    private(set) var sorter: TopSorter?
    /// Lends threads to scans that take long.
    private let helpers: ScanHelpers?
    /// The scan, once it is shared with another thread.
    private var finders: SharedFinders?
    private var isSharingRefused = false
    /// Where all documents go, if two threads can make groups of them: the stage, and what makes another like it.
    var groups: (stage: GroupStage, part: () throws(EngineError) -> GroupStage?)?
    var source: QuerySource
    private var iterator: StoreIterator?
    var snapshot: Snapshot?
    /// How the documents are found; decided by the first step.
    private(set) var choice: PlanChoice?
    var cursor: IndexCursor?
    /// How many documents are looked up at once; few at first, which may be large.
    var entriesAtOnce = 4
    /// The entries whose documents are looked up together.
    var entries = EntryGroup()
    /// How many documents of entries were not in the cache.
    var lookedUp = 0
    /// The source as it was planned; `source` is let go of at the end.
    private(set) var plannedSource = QuerySource.nothing
    private var isPlanPostponed = false
    /// The documents are walked from the last to the first.
    private(set) var isReverseScan = false
    /// The source has the order that is asked for.
    private(set) var isSortedBySource = false
    private let began = ContinuousClock.now
    /// How long it took, from its beginning to its end.
    private(set) var elapsed = Duration.zero
    private var nextKey = 0
    /// What the transaction wrote in the collection, which takes the place of what the source finds.
    let overlay: [(key: [UInt8], new: [UInt8]?)]
    private let overlaid: Set<[UInt8]>
    var toSkip: Int
    var isDone = false
    /// The source is at its end, and the sorted documents leave.
    private var isDrainingSorter = false
    /// Takes the documents of the result in place of the writer; returns false when it wants no more.
    var sink: ((RawSpan) throws(EngineError) -> Bool)?
    private var writer = MessagePackWriter(capacity: 1024)
    private var scratch = MessagePackWriter(capacity: 16)

    /// The number of documents in the result.
    public internal(set) var documentCount = 0
    /// The number of documents found, behind `skip` and within `limit`; also when only counting.
    public internal(set) var count = 0
    /// Where the next page begins; `nil` when there is none.
    public internal(set) var next: [UInt8]?
    /// How many documents were looked at.
    public private(set) var examined = 0
    /// How many entries of indexes were looked at.
    public internal(set) var keysExamined = 0

    init(
        _ store: Store, _ collection: Collection?, filter: Document, options: QueryOptions, spillDirectory: String,
        helpers: ScanHelpers? = nil
    ) throws(EngineError) {
        self.spillDirectory = spillDirectory
        self.helpers = helpers
        try options.check()
        let compiled = try translatingQuery { () throws(QueryError) in try QueryFilter(compiling: filter) }
        self.store = store
        self.collection = collection
        self.options = options
        self.filter = compiled
        filterSource = filter
        let projection = try translatingQuery { () throws(QueryError) in
            try Projection(compiling: options.projection)
        }
        self.projection = projection.returnsWholeDocuments ? nil : projection
        isCostly = compiled.isCostly || projection.isCostly
        toSkip = options.after == nil ? options.skip : 0
        overlay = collection.flatMap { options.transaction?.written(in: $0.number) } ?? []
        overlaid = Set(overlay.map(\.key))
        snapshot = try options.transaction?.snapshot()
        order = try Self.order(options)
        // A place in an index says so by its first byte; the planner will see whether it is one of this query.
        let isIndexPlace = options.after?.first == IndexPlan.tokenMark
        source =
            collection.map {
                QuerySource($0.number, compiled.idConstraint, after: isIndexPlace ? nil : options.after)
            } ?? .nothing
        guard options.after == nil || isIndexPlace || order == nil || isInIDOrder else {
            throw EngineError(
                .badRequest,
                "A sorted result has no pages, unless an index has the order: 'after' and 'sort' "
                    + "exclude each other")
        }
    }

    /// The order that is asked for; `nil` for none, and for counting, which needs none.
    private static func order(_ options: QueryOptions) throws(EngineError) -> SortOrder? {
        if options.sort.isNull { return nil }
        let order = try translatingQuery { () throws(QueryError) in try SortOrder(compiling: options.sort) }
        return order.isEmpty || options.isCountOnly ? nil : order
    }

    /// The order that is asked for is the one in which documents lie.
    private static let idDescending = IndexDefinition.Key("_id", isDescending: true)
    private var isInIDOrder: Bool { overlay.isEmpty && order?.terms == [IndexDefinition.Key("_id")] }

    /// So many values are listed that choosing among indexes takes longer than a listener has, or one document may.
    private var isLongPlan: Bool {
        isCostly || (filter.listedValues > 1000 && collection?.indexes.isEmpty == false)
    }

    /// Whether one document may take as long as thousands do otherwise.
    let isCostly: Bool
    /// When this step has to end, for whoever waits to say that the work should end.
    private var endOfStep: ContinuousClock.Instant?
    private static let longestStep = Duration.milliseconds(10)
    var isOverTime: Bool { endOfStep.map { $0 <= .now } ?? false }

    /// Decides how the documents are found.
    private func plan() throws(EngineError) {
        let choice = try chosenPlan()
        self.choice = choice
        if let plan = choice.plan, let collection, let snapshot {
            cursor = IndexCursor(plan.scans, collection: collection.number, snapshot, after: choice.after)
        }
        plannedSource = source
        if choice.plan == nil, case .scan = source, overlay.isEmpty, order?.terms == [Self.idDescending] {
            isReverseScan = true
        }
        isSortedBySource = choice.plan?.isSorted ?? (isInIDOrder || isReverseScan)
        guard let order, !isSortedBySource else { return }
        sorter = TopSorter(
            order, keeping: options.limit == 0 ? nil : options.skip.addingReportingOverflow(options.limit),
            maximumBytes: options.maximumSortBytes, directory: spillDirectory)
    }

    /// The encoded documents of the result, one behind the other; the execution has none afterwards.
    public func takeDocuments() -> [UInt8] {
        // The empty array is one object that all threads share; the thread sanitizer minds it being filled in place.
        guard writer.count > 0 else { return [] }
        let bytes = writer.bytes
        writer.removeAll(keepingAtMost: 0)
        return bytes
    }

    /// Looks at up to `budget` documents.
    ///
    /// - Throws: `.limit` when the result, the sort or a pattern outgrows its limit, `.storage`.
    public func step(budget: Int) throws(EngineError) -> Progress {
        guard !isDone else { return .done }
        do throws(EngineError) {
            if choice == nil {
                // A listener takes the first step itself, and leaves work to others when there is more.
                if isLongPlan, !isPlanPostponed {
                    isPlanPostponed = true
                    return .more
                }
                try plan()
            }
            if isCostly { endOfStep = .now + Self.longestStep }
            if isDrainingSorter { return try drainSorter(budget) }
            switch source {
            case _ where cursor != nil: try walkIndex(budget)
            case .nothing: try endOfSource()
            case .keys(let keys): try lookUp(keys, budget)
            case .scan(let lower, let upper): try scan(lower, upper, budget)
            }
            if isDone { return try finish() }
        } catch {
            isDone = true
            isDrainingSorter = false
            release()
            throw error
        }
        return .more
    }

    // MARK: Finding

    private func lookUp(_ keys: [[UInt8]], _ budget: Int) throws(EngineError) {
        var budget = budget
        while !isDone, budget > 0, nextKey < keys.count, !isOverTime {
            let key = keys[nextKey]
            nextKey += 1
            budget -= 1
            var outcome: Result<Void, EngineError> = .success(())
            let examine = { (document: RawSpan) in
                outcome = Result { () throws(EngineError) in try self.examine(document, key.span.bytes) }
            }
            try translating { () throws(StorageError) in
                // One document is looked up in the cache; several have to be of one moment.
                if keys.count == 1, options.transaction == nil {
                    try store.get(.documents, key.span.bytes, examine)
                } else {
                    if snapshot == nil { snapshot = try store.snapshot() }
                    try snapshot?.get(.documents, key.span.bytes, examine)
                }
            }
            try outcome.get()
        }
        if nextKey == keys.count { try endOfSource() }
    }

    private func scan(_ lower: [UInt8], _ upper: [UInt8], _ budget: Int) throws(EngineError) {
        if finders != nil { return try scanTogether(budget) }
        // Taken out while it is used, so that nobody else can move it.
        if iterator == nil { iterator = try makeIterator(lower, upper) }
        guard var iterator = iterator.take() else { return }
        var budget = budget
        while !isDone, budget > 0, !isOverTime {
            budget -= 1
            guard try advance(&iterator) else { return try endOfSource() }
            try examine(iterator.value, iterator.key)
        }
        if !isDone, canShareScan, let snapshot, let purpose = try sharedPurpose(),
            let part = try restOfScan(snapshot, behind: iterator.key, upper)
        {
            let finders = SharedFinders(snapshot, filter, purpose.mine, part: (copyOfFilter, purpose.theirs))
            finders.start(at: iterator, part, with: helpers)
            self.finders = finders
            return
        }
        // A full page with nothing behind it is the last one.
        if isDone, next != nil, try !advance(&iterator) { next = nil }
        self.iterator = consume iterator
    }

    /// Whether the documents may be looked at by several threads, in any order: it takes long, and all that is asked for
    /// is how many there are, those that come first in an order, or groups of them.
    private var canShareScan: Bool {
        examined >= SharedFinders.minimumExamined && !isSharingRefused && helpers?.hasFree == true && overlay.isEmpty
            && !isReverseScan && !isCostly
    }

    /// What two threads do with the documents; `nil` when one has to do all.
    ///
    /// Each has filter, order and projection for itself: two threads that count references to the same objects take turns
    /// at every document.
    private func sharedPurpose() throws(EngineError) -> (mine: ScanPurpose, theirs: ScanPurpose)? {
        if let sorter {
            guard sorter.isBounded, let order = try Self.order(options) else { return nil }
            let part = sorter.makePart(order, maximumBytes: sorter.maximumBytes / 2)
            var other = projection
            if projection != nil {
                other = try translatingQuery { () throws(QueryError) in
                    try Projection(compiling: options.projection)
                }
            }
            return (.sort(sorter, projection, isPart: false), .sort(part, other, isPart: true))
        }
        if let groups, options.limit == 0, toSkip == 0 {
            let part = try groups.part()
            return part.map { (.group(groups.stage), .group($0)) }
        }
        return options.isCountOnly && options.limit == 0 ? (.count, .count) : nil
    }

    /// The filter once more, unless that takes long or it speaks of the moment at which it was compiled.
    private var copyOfFilter: QueryFilter {
        guard filter.listedValues < 1000 else { return filter }
        return (try? QueryFilter(compiling: filterSource, allowsExpressions: false)) ?? filter
    }

    /// What a scan has left behind a key; `nil` when that is nothing.
    private func restOfScan(
        _ snapshot: Snapshot, behind key: RawSpan, _ upper: [UInt8]
    ) throws(EngineError) -> ScanSharing.Part? {
        isSharingRefused = true
        do throws(StorageError) {
            let lower = key.withUnsafeBytes { Array($0) } + [0]
            var end = try snapshot.makeIterator(.documents, lower: lower, upper: upper)
            guard try end.retreat() else { return nil }
            let last = end.key.withUnsafeBytes { Array($0) }
            return ScanSharing.Part(lower: lower, upper: last + [0], number: UInt64(examined))
        } catch {
            throw EngineError(error)
        }
    }

    /// Does this thread's part of a shared scan, and at its end puts together what all have found.
    private func scanTogether(_ budget: Int) throws(EngineError) {
        guard let finders, try finders.look(budget) else { return }
        self.finders = nil
        let found = try finders.finish()
        examined += found.examined
        if sorter == nil {
            let skipped = min(found.count, toSkip)
            toSkip -= skipped
            count += found.count - skipped
            if groups != nil { documentCount += found.count }
        }
        try endOfSource()
    }

    private func makeIterator(_ lower: [UInt8], _ upper: [UInt8]) throws(EngineError) -> StoreIterator {
        try translating { () throws(StorageError) in
            let snapshot = if let snapshot { snapshot } else { try store.snapshot() }
            self.snapshot = snapshot
            return try snapshot.makeIterator(.documents, lower: lower, upper: upper)
        }
    }

    /// The source has no more; what the transaction wrote comes behind it.
    func endOfSource() throws(EngineError) {
        for (key, new) in overlay where !isDone {
            if let new { try take(new.span.bytes, key.span.bytes) }
        }
        isDone = true
        next = nil
    }

    private func advance(_ iterator: inout StoreIterator) throws(EngineError) -> Bool {
        do throws(StorageError) {
            return try isReverseScan ? iterator.retreat() : iterator.advance()
        } catch {
            throw EngineError(error)
        }
    }

    // MARK: Taking

    func examine(_ document: RawSpan, _ key: RawSpan) throws(EngineError) {
        if !overlaid.isEmpty, overlaid.contains(key.withUnsafeBytes { Array($0) }) { return }
        try take(document, key)
    }

    private func take(_ document: RawSpan, _ key: RawSpan) throws(EngineError) {
        examined += 1
        guard try matches(document), try cursor?.isFirstMeeting(with: document) ?? true else { return }
        if let sorter {
            try sorter.add(document) { document throws(EngineError) in try self.projected(document) }
            return
        }
        if toSkip > 0 {
            toSkip -= 1
            return
        }
        count += 1
        if !options.isCountOnly {
            if let sink {
                if try !sink(document) { isDone = true }
            } else {
                try append(document)
            }
            documentCount += 1
        }
        if count == options.limit {
            isDone = true
        } else if let page = options.page, options.transaction == nil, !options.isCountOnly, !isReverseScan,
            documentCount >= page.documents || writer.count >= page.bytes
        {
            if let cursor, let plan = choice?.plan {
                next = plan.token(entries.placeAtHand ?? cursor.position)
            } else {
                next = key.extracting(DocumentKey.prefixLength..<key.byteCount).withUnsafeBytes { Array($0) }
            }
            isDone = true
        }
    }

    private func matches(_ document: RawSpan) throws(EngineError) -> Bool {
        if filter.matchesEverything { return true }
        do throws(QueryError) { return try filter.matches(document) } catch { throw EngineError(error) }
    }

    private func append(_ document: RawSpan) throws(EngineError) {
        if let projection {
            do throws(QueryError) { try projection.apply(document, to: &writer) } catch { throw EngineError(error) }
        } else {
            writer.writeRaw(document)
        }
        try checkSize()
    }

    /// The bytes that the result will have of a document.
    private func projected(_ document: RawSpan) throws(EngineError) -> [UInt8] {
        guard let projection else { return document.withUnsafeBytes { Array($0) } }
        scratch.removeAll(keepingAtMost: 1 << 20)
        do throws(QueryError) { try projection.apply(document, to: &scratch) } catch { throw EngineError(error) }
        return scratch.bytes
    }

    private func checkSize() throws(EngineError) {
        guard writer.count > options.maximumResultBytes else { return }
        throw EngineError(
            .limit, "The result is larger than the limit of \(options.maximumResultBytes) bytes",
            advice: "Ask for fewer documents or fields, or fetch the result in pages")
    }

    // MARK: Ending

    private func finish() throws(EngineError) -> Progress {
        release()
        elapsed = began.duration(to: .now)
        guard let sorter else { return .done }
        try sorter.finish(skipping: options.skip)
        isDone = false
        isDrainingSorter = true
        return try drainSorter(64)
    }

    /// Passes some of the sorted documents on.
    private func drainSorter(_ budget: Int) throws(EngineError) -> Progress {
        for _ in 0..<budget {
            guard let document = try sorter?.next(), options.limit == 0 || count < options.limit else {
                sorter = nil
                isDone = true
                isDrainingSorter = false
                elapsed = began.duration(to: .now)
                return .done
            }
            count += 1
            documentCount += 1
            if let sink {
                if try !sink(document.span.bytes) {
                    sorter = nil
                    isDone = true
                    isDrainingSorter = false
                    return .done
                }
            } else {
                writer.writeRaw(document)
                try checkSize()
            }
        }
        return .more
    }

    /// Lets go of the moment that the query looks at; the store can drop old versions again.
    private func release() {
        iterator = nil
        finders = nil
        cursor = nil
        snapshot = nil
        source = .nothing
    }
}
