import NexaQuery
import NexaStorage

/// Finding documents by the entries of an index.
extension QueryExecution {
    private static let maximumEntriesAtOnce = 128
    private static let bytesAtOnce = 1 << 20

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
            let group = try nextEntries(cursor, isCostly ? 1 : min(budget, entriesAtOnce))
            budget -= group.keys.count
            var outcome: Result<Void, EngineError> = .success(())
            var bytes = 0
            var last = -1
            try translating { () throws(StorageError) in
                try snapshot.get(.documents, group.keys) { number, document in
                    last = number
                    bytes += document.byteCount
                    placeOfDocument = group.places[number]
                    let key = group.keys[number]
                    outcome = Result { () throws(EngineError) in try self.examine(document, key.span.bytes) }
                    if case .failure = outcome { return false }
                    return !isDone
                }
            }
            try outcome.get()
            placeOfDocument = nil
            // All of a group are in memory at once.
            let size = bytes / max(1, group.keys.count)
            entriesAtOnce = min(2 * entriesAtOnce, Self.maximumEntriesAtOnce, max(1, Self.bytesAtOnce / max(1, size)))
            if isDone {
                // A full page with nothing behind it is the last one.
                if next != nil, last == group.keys.count - 1 {
                    var isEnd = group.isLast
                    if !isEnd { isEnd = try !cursor.advance() }
                    if isEnd { next = nil }
                }
            } else if group.isLast {
                self.cursor = nil
                try endOfSource()
            }
        }
    }

    /// The documents that the next entries lead to.
    private func nextEntries(
        _ cursor: IndexCursor, _ maximum: Int
    ) throws(EngineError) -> (keys: [[UInt8]], places: [IndexCursor.Position], isLast: Bool) {
        var wanted = maximum
        if options.limit > 0, sorter == nil {
            let (left, isOverflow) = (options.limit - count).addingReportingOverflow(toSkip)
            if !isOverflow { wanted = min(wanted, left) }
        }
        if let page = options.page, sorter == nil, toSkip == 0 { wanted = min(wanted, page.documents - documentCount) }
        wanted = max(1, wanted)
        var keys: [[UInt8]] = []
        var places: [IndexCursor.Position] = []
        keys.reserveCapacity(wanted)
        let hasPages = options.page != nil
        while keys.count < wanted {
            guard try cursor.advance() else { return (keys, places, true) }
            keys.append(cursor.documentKey)
            places.append(hasPages ? cursor.position : IndexCursor.Position(scan: 0, key: []))
        }
        return (keys, places, false)
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
