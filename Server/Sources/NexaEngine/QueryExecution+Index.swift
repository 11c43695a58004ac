import NexaQuery
import NexaStorage

/// Finding documents by the entries of an index.
extension QueryExecution {
    private static let maximumEntriesAtOnce = 128
    private static let bytesAtOnce = 1 << 20

    /// Whether the query looks up documents of an index, and so far nearly all of them were in the cache: then a hundred
    /// take less than a tenth of a millisecond.
    public var isFoundInCache: Bool {
        cursor?.meetsEachOnce == true && sorter == nil && examined > 0 && lookedUp * 32 <= examined
    }

    func walkIndex(_ budget: Int) throws(EngineError) {
        guard let cursor, let snapshot else { return }
        let isCovered = choice?.plan?.isCovered == true
        var budget = budget
        defer { keysExamined = cursor.keysExamined }
        if isCovered { return try countEntries(cursor, budget) }
        if cursor.meetsEachOnce { return try walkTogether(cursor, snapshot, budget) }
        while !isDone, budget > 0, !isOverTime {
            budget -= 1
            guard try cursor.advance() else {
                self.cursor = nil
                return try endOfSource()
            }
            if cursor.isRemembered { continue }
            var outcome: Result<Void, EngineError> = .success(())
            let key = cursor.documentKey
            try translating { () throws(StorageError) in
                try snapshot.get(.documents, key.span.bytes) { document in
                    outcome = Result { () throws(EngineError) in try self.examine(document, key.span.bytes) }
                    cursor.remember(document)
                }
            }
            try outcome.get()
        }
        if isDone, next != nil, try !cursor.advance() { next = nil }
    }

    /// Looks up the documents of several entries at once, never more than the result has room for.
    private func walkTogether(_ cursor: IndexCursor, _ snapshot: Snapshot, _ budget: Int) throws(EngineError) {
        var budget = budget
        while !isDone, budget > 0, !isOverTime {
            let isEnd = try nextEntries(cursor, isCostly ? 1 : min(budget, entriesAtOnce))
            let keys = entries.keys
            budget -= keys.count
            var outcome: Result<Void, EngineError> = .success(())
            var bytes = 0
            var last = -1
            try translating { () throws(StorageError) in
                lookedUp += try snapshot.get(.documents, keys) { number, document in
                    last = number
                    bytes += document.byteCount
                    entries.atHand = number
                    do throws(EngineError) {
                        try self.examine(document, keys[number])
                    } catch {
                        outcome = .failure(error)
                        return false
                    }
                    return !isDone
                }
            }
            entries.atHand = nil
            try outcome.get()
            // All of a group are in memory at once.
            let size = bytes / max(1, keys.count)
            entriesAtOnce = min(2 * entriesAtOnce, Self.maximumEntriesAtOnce, max(1, Self.bytesAtOnce / max(1, size)))
            if isDone {
                // A full page with nothing behind it is the last one.
                guard next != nil, last == keys.count - 1 else { return }
                if isEnd {
                    next = nil
                } else if try !cursor.advance() {
                    next = nil
                }
            } else if isEnd {
                self.cursor = nil
                try endOfSource()
            }
        }
    }

    /// Gathers the next entries; true when there are none behind them.
    private func nextEntries(_ cursor: IndexCursor, _ maximum: Int) throws(EngineError) -> Bool {
        var wanted = maximum
        if options.limit > 0, sorter == nil {
            let (left, isOverflow) = (options.limit - count).addingReportingOverflow(toSkip)
            if !isOverflow { wanted = min(wanted, left) }
        }
        if let page = options.page, sorter == nil, toSkip == 0 { wanted = min(wanted, page.documents - documentCount) }
        wanted = max(1, wanted)
        entries.removeAll()
        let hasPages = options.page != nil
        while entries.keys.count < wanted {
            guard try cursor.advance() else { return true }
            entries.keys.append(cursor.documentKey)
            if hasPages { entries.places.append(cursor.entryKey) }
        }
        return false
    }

    /// Counts entries of an index, which take a fraction of the time of a document.
    private func countEntries(_ cursor: IndexCursor, _ budget: Int) throws(EngineError) {
        let left = options.limit == 0 ? Int.max : options.limit - count
        let (needed, isOverflow) = left.addingReportingOverflow(toSkip)
        let wanted = min(16 * min(max(1, budget), 1 << 20), isOverflow ? .max : needed)
        let found = try cursor.count(upTo: wanted)
        let skipped = min(found, toSkip)
        toSkip -= skipped
        count += found - skipped
        if found < wanted { return try endOfSource() }
        if count == options.limit, options.limit > 0 { isDone = true }
    }
}

/// Entries of the only scan of a walk, whose documents are looked up together.
struct EntryGroup {
    /// The keys of the documents.
    var keys = KeyList()
    /// The stored keys of the entries, if a page may end at any of them.
    var places = KeyList()
    /// The number of the entry that led to the document at hand, while the cursor is further on.
    var atHand: Int?

    /// The place of the entry that led to the document at hand, when the cursor is further on.
    var placeAtHand: IndexCursor.Position? {
        guard let atHand, atHand < places.count else { return nil }
        return IndexCursor.Position(scan: 0, key: places[atHand].withUnsafeBytes { Array($0) })
    }

    /// Makes it ready for the next entries.
    mutating func removeAll() {
        keys.removeAll()
        places.removeAll()
    }
}
