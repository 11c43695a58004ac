import NexaQuery
import NexaStorage
import NexaValue

/// How the documents of a query are found with indexes.
struct IndexPlan: Sendable {
    /// One scan, or one for each part of an `$or`.
    var scans: [IndexScan]
    /// The documents come in the order that the query asks for.
    var isSorted: Bool
    /// For counting, the documents need not be read.
    var isCovered: Bool

    /// The place from which to go on, as a query returns it: a byte that no `_id` begins with, the indexes, the scan,
    /// the key.
    func token(_ position: IndexCursor.Position) -> [UInt8] {
        var token: [UInt8] = [IndexPlan.tokenMark, UInt8(truncatingIfNeeded: scans.count)]
        for scan in scans { token += scan.index.prefix }
        token.append(UInt8(truncatingIfNeeded: position.scan))
        return token + position.key
    }

    static let tokenMark: UInt8 = 0x01

    /// What a token says: the numbers of the indexes and the position.
    static func parse(_ token: [UInt8]) -> (indexes: [UInt32], position: IndexCursor.Position)? {
        guard token.count >= 2, token[0] == tokenMark else { return nil }
        let count = Int(token[1])
        let end = 2 + 4 * count
        guard count > 0, token.count > end else { return nil }
        let numbers = (0..<count).map { scan in
            token[(2 + 4 * scan)..<(6 + 4 * scan)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        guard Int(token[end]) < count else { return nil }
        return (numbers, IndexCursor.Position(scan: Int(token[end]), key: Array(token[(end + 1)...])))
    }
}

/// What a planner found out.
struct PlanChoice {
    /// The plan that is followed; `nil` for looking at the documents themselves, in the order of their ids.
    var plan: IndexPlan?
    /// Where to go on.
    var after: IndexCursor.Position?
    /// What else would have been possible.
    var rejected: [IndexPlan] = []
    /// Looking at the documents themselves was possible but not chosen.
    var isCollectionRejected = false
}

/// Chooses how the documents of a query are found.
///
/// Every index that can help is a candidate. Which one is best is not estimated from statistics, which may be wrong,
/// but tried: the first few hundred keys of each are counted, as MongoDB tries its plans
/// (https://www.mongodb.com/docs/manual/core/query-plans/). An index that has no more keys than that wins with the
/// fewest; otherwise the one that fits the filter best, unless a sample says that most documents match anyway.
struct QueryPlanner {
    /// How many keys of a candidate are counted.
    static let trialKeys = 256
    /// How many candidates are tried.
    private static let trialPlans = 6
    /// How many documents at either end of a collection are looked at.
    private static let sampleDocuments = 64

    let collection: Collection
    let filter: QueryFilter
    let options: QueryOptions
    /// The order that is asked for.
    let order: SortOrder?
    let snapshot: Snapshot
    /// The indexes that were ready before the snapshot was taken.
    let indexes: [Index]
    /// Nothing of what a transaction wrote has to be put in between.
    let isPlain: Bool
    /// Where the ids are that the filter means; `nil` when it says nothing of them.
    let ids: (lower: [UInt8], upper: [UInt8])?
    private let constraints: FilterConstraints
    private let terms: [IndexDefinition.Key]

    init(
        _ collection: Collection, _ filter: QueryFilter, _ options: QueryOptions, order: SortOrder?,
        _ snapshot: Snapshot, _ indexes: [Index], isPlain: Bool
    ) {
        self.collection = collection
        self.filter = filter
        self.options = options
        self.order = order
        self.snapshot = snapshot
        // One that is being dropped may have no entries in the snapshot any more.
        self.indexes = indexes.filter { $0.state == .ready }
        self.isPlain = isPlain
        if case .range = filter.idConstraint,
            case .scan(let lower, let upper) = QuerySource(collection.number, filter.idConstraint, after: nil)
        {
            ids = (lower, upper)
        } else {
            ids = nil
        }
        constraints = filter.constraints
        terms = order?.terms ?? []
    }

    /// - Throws: `.badRequest` for a hint or a place in a result that no index fits.
    func choose() throws(EngineError) -> PlanChoice {
        if let after = options.after { return try resumed(after) }
        if let hint = options.hint { return PlanChoice(plan: try hinted(hint)) }
        var candidates = indexes.compactMap { plan($0) }
        if let union { candidates.append(union) }
        candidates.sort { Self.rank($0) > Self.rank($1) }
        guard !candidates.isEmpty else { return PlanChoice() }
        let best = try best(of: candidates)
        return PlanChoice(
            plan: best.map { candidates[$0] },
            rejected: candidates.indices.filter { $0 != best }.map { candidates[$0] },
            isCollectionRejected: best != nil)
    }

    // MARK: Candidates

    /// The plan that uses one index; `nil` when it does not help.
    private func plan(_ index: Index, isHinted: Bool = false) -> IndexPlan? {
        var scan = IndexScan(index, index.marks, constraints)
        guard scan.hasEverything(constraints) else { return nil }
        if let ids {
            scan.narrow(
                toIDs: ids.lower[DocumentKey.prefixLength...], ids.upper[DocumentKey.prefixLength...])
        }
        var isSorted = false
        if !terms.isEmpty, isPlain, let reverse = scan.reverse(for: terms) {
            scan.isReverse = reverse
            isSorted = true
        }
        guard scan.boundedFields > 0 || isSorted || isHinted else { return nil }
        let isCovered =
            options.isCountOnly && isPlain && scan.isExact && scan.boundedFields > 0
        return IndexPlan(scans: [scan], isSorted: isSorted, isCovered: isCovered)
    }

    /// The plan with an index for each part of an `$or`.
    private var union: IndexPlan? {
        for parts in constraints.alternatives where parts.count <= 64 {
            let scans = parts.map { part in
                indexes.map { IndexScan($0, $0.marks, part) }
                    .filter { $0.boundedFields > 0 && $0.hasEverything(part) }
                    .max { Self.rank($0) < Self.rank($1) }
            }
            if scans.allSatisfy({ $0 != nil }) {
                return IndexPlan(scans: scans.compactMap { $0 }, isSorted: false, isCovered: false)
            }
        }
        return nil
    }

    /// Better fitting plans have a higher rank.
    private static func rank(_ plan: IndexPlan) -> Int {
        let worst = plan.scans.map(rank).min() ?? 0
        return worst + (plan.isSorted ? 1 : 0) + (plan.isCovered ? 1 : 0)
    }

    private static func rank(_ scan: IndexScan) -> Int {
        var rank = scan.isPoint && scan.index.definition.isUnique ? 1000 : 0
        for bounds in scan.bounds.prefix(scan.boundedFields) { rank += bounds.arePoints ? 20 : 10 }
        return rank
    }

    // MARK: Choosing

    private func best(of candidates: [IndexPlan]) throws(EngineError) -> Int? {
        // Nothing beats a few unique keys.
        if let first = candidates.first, Self.rank(first) >= 1000, first.scans[0].ranges.count <= Self.trialKeys {
            return 0
        }
        let (sum, isOverflow) = options.limit.addingReportingOverflow(options.skip)
        let wanted = options.limit == 0 || isOverflow ? Int.max : sum
        var fewest: (plan: Int?, keys: Int)?
        var isOpen: [Int] = []
        if ids != nil {
            let documents = try countDocuments()
            if documents.read < Self.trialKeys { fewest = (nil, documents.read) }
            // Few are read until there are enough, and in the right order.
            if fewest == nil, options.limit > 0, terms.isEmpty || terms == [IndexDefinition.Key("_id")],
                documents.matched >= wanted
            {
                return nil
            }
        }
        for (position, plan) in candidates.enumerated().prefix(Self.trialPlans) {
            guard plan.scans.allSatisfy({ $0.boundedFields > 0 }) else {
                isOpen.append(position)
                continue
            }
            let cap = min(fewest?.keys ?? Self.trialKeys, Self.trialKeys)
            let keys = try count(plan, upTo: cap)
            if keys < cap {
                fewest = (position, keys)
            } else if fewest == nil {
                isOpen.append(position)
            }
        }
        if let fewest { return fewest.plan }
        // All have many keys. One that gives the order need not read them all.
        if let sorted = isOpen.first(where: { candidates[$0].isSorted }) {
            if options.limit == 0 {
                let isBounded = candidates[sorted].scans[0].boundedFields > 0
                if isBounded || filter.matchesEverything { return sorted }
            } else if try reaches(wanted, candidates[sorted]) {
                return sorted
            }
        }
        guard let bounded = isOpen.first(where: { candidates[$0].scans[0].boundedFields > 0 }) else { return nil }
        if candidates[bounded].isCovered { return bounded }
        return try mostDocumentsMatch() ? nil : bounded
    }

    /// Looks at the first documents that have an id that the filter means.
    private func countDocuments() throws(EngineError) -> (read: Int, matched: Int) {
        guard let ids else { return (0, 0) }
        var iterator = try translating { () throws(StorageError) in
            try snapshot.makeIterator(.documents, lower: ids.lower, upper: ids.upper)
        }
        var counts = (read: 0, matched: 0)
        while counts.read < Self.trialKeys, try Self.move(&iterator, false) {
            counts.read += 1
            if try matches(iterator.value) { counts.matched += 1 }
        }
        return counts
    }

    private func count(_ plan: IndexPlan, upTo cap: Int) throws(EngineError) -> Int {
        try IndexCursor(plan.scans, collection: collection.number, snapshot).count(upTo: cap)
    }

    /// Whether walking an index in the order that is asked for finds enough documents before too long.
    private func reaches(_ wanted: Int, _ plan: IndexPlan) throws(EngineError) -> Bool {
        if filter.matchesEverything || constraints.fields.isEmpty && constraints.isComplete { return true }
        let cursor = IndexCursor(plan.scans, collection: collection.number, snapshot)
        var matches = 0
        while cursor.keysExamined < Self.trialKeys, try cursor.advance() {
            if try isMatch(cursor.documentKey) { matches += 1 }
            if matches >= wanted { return true }
        }
        // Reading documents in the order of an index costs several times as much as in their own.
        return matches > 0 && wanted / matches < 50_000 / Self.trialKeys
    }

    private func isMatch(_ key: [UInt8]) throws(EngineError) -> Bool {
        var outcome: Result<Bool, EngineError> = .success(false)
        try translating { () throws(StorageError) in
            try snapshot.get(.documents, key.span.bytes) { document in
                outcome = Result { () throws(EngineError) in try matches(document) }
            }
        }
        return try outcome.get()
    }

    private func matches(_ document: RawSpan) throws(EngineError) -> Bool {
        do throws(QueryError) { return try filter.matches(document) } catch { throw EngineError(error) }
    }

    /// Whether so many documents match at both ends of the collection that reading all of them, in order, is cheaper
    /// than reading those that an index names, one by one.
    private func mostDocumentsMatch() throws(EngineError) -> Bool {
        for isReverse in [false, true] {
            var iterator = try translating { () throws(StorageError) in
                try snapshot.makeIterator(
                    .documents, lower: DocumentKey.prefix(collection.number), upper: DocumentKey.end(collection.number))
            }
            var matched = 0
            var read = 0
            while read < Self.sampleDocuments, try Self.move(&iterator, isReverse) {
                read += 1
                if try matches(iterator.value) { matched += 1 }
            }
            if matched * 3 < read { return false }
        }
        return true
    }

    private static func move(_ iterator: inout StoreIterator, _ isReverse: Bool) throws(EngineError) -> Bool {
        do throws(StorageError) {
            return try isReverse ? iterator.retreat() : iterator.advance()
        } catch {
            throw EngineError(error)
        }
    }

    // MARK: Given plans

    private func hinted(_ name: String) throws(EngineError) -> IndexPlan? {
        if name == "_id_" || name == "$natural" { return nil }
        guard let index = indexes.first(where: { $0.name == name }) else {
            throw EngineError(
                .badRequest,
                "The hint names no index of collection '\(collection.name)' that is ready: "
                    + "'\(name.prefix(EngineLimits.maximumNameBytes))'")
        }
        guard let plan = plan(index, isHinted: true) else {
            throw EngineError(
                .badRequest, "The index '\(name)' does not have all documents that the filter means",
                advice: "Leave out the hint, or add the condition of the partial index to the filter")
        }
        return plan
    }

    /// Goes on where a page ended, with the indexes that it was made with.
    private func resumed(_ token: [UInt8]) throws(EngineError) -> PlanChoice {
        guard token.first == IndexPlan.tokenMark else { return PlanChoice() }
        let invalid = EngineError(.badRequest, "'after' is not a place at which a page of this query ended")
        guard let (numbers, position) = IndexPlan.parse(token) else { throw invalid }
        var used: [Index] = []
        for number in numbers {
            guard let index = indexes.first(where: { $0.number == number }) else {
                throw EngineError(
                    .badRequest, "An index that the query uses was dropped in the middle of its result",
                    advice: "Begin the query again")
            }
            used.append(index)
        }
        guard position.key.starts(with: used[position.scan].prefix) else { throw invalid }
        if used.count == 1 {
            guard let plan = plan(used[0], isHinted: true) else { throw invalid }
            return PlanChoice(plan: plan, after: position)
        }
        guard let parts = constraints.alternatives.first(where: { $0.count == used.count }) else { throw invalid }
        let scans = zip(used, parts).map { IndexScan($0, $0.marks, $1) }
        guard zip(scans, parts).allSatisfy({ $0.boundedFields > 0 && $0.hasEverything($1) }) else { throw invalid }
        return PlanChoice(plan: IndexPlan(scans: scans, isSorted: false, isCovered: false), after: position)
    }
}
