import CNexaVector
import NexaStorage

extension VectorIndex {
    /// What a search has to know of the moment it began.
    private struct Beginning {
        var context: SearchContext
        var bound: UInt32
        var waiting = WaitingQueue.Snapshot()
        var entry: (slot: UInt32, level: Int)?
        /// Rows of the graph that are dead, and alive.
        var dead = 0
        var linked = 0
        /// Everything there is, when it is so little that a walk would not save anything.
        var all: [UInt32]?
    }

    /// The nearest vectors by the graph, and by an exact scan of those that are not linked yet.
    ///
    /// - Parameters:
    ///   - query: as long as the vectors are; otherwise, or when `validate` refuses it, nothing is found.
    ///   - k: how many to find at most.
    ///   - ef: how many candidates to keep during the walk, for recall; `k` when it is smaller. When there are no more
    ///     vectors than that, all are compared.
    ///   - visitLimit: how many vectors of the graph the walk may reach, about.
    ///   - predicate: whether the vector at a slot may be a result; others are walked through. It must not call
    ///     `put`, `remove`, `link` or `save`.
    /// - Returns: what is nearest among the vectors that were there during the whole search; one that was replaced
    ///   meanwhile counts with either vector.
    public func search(
        _ query: Span<Float>, k: Int, ef: Int, visitLimit: Int? = nil, predicate: ((UInt32) -> Bool)? = nil
    ) -> SearchResult {
        guard k > 0, let squares = try? squaredLength(query) else {
            return SearchResult(matches: [], visited: 0, evaluated: 0, isComplete: true)
        }
        let k = min(k, Int(UInt32.max))
        let start = state.withLock { state in
            let width = max(k, ef)
            var start = Beginning(context: state.begin(), bound: state.bound)
            guard state.ids.count > width else {
                var all: [UInt32] = []
                all.reserveCapacity(state.ids.count)
                state.ids.forEach { all.append($0) }
                start.all = all
                return start
            }
            start.waiting = state.waiting.snapshot()
            start.entry = state.entry
            start.dead = state.deadCount
            start.linked = state.linkedCount
            return start
        }
        let context = start.context
        defer { state.withLock { $0.end(context) } }
        context.begin(bound: start.bound)
        prepare(query, squares, context)
        context.results.count = 0
        let width = min(max(k, ef), Int(start.bound))
        var isComplete = true
        if let all = start.all {
            var scan = SearchContext.Scan(context, width: min(k + 16, all.count), predicate: predicate)
            for slot in all { scan.add(slot) }
            scan.finish()
        } else {
            isComplete = walk(start, k: k, width: width, visitLimit: visitLimit ?? .max, predicate)
        }
        var matches = finish(context, k: k, query, squares, predicate)
        if predicate == nil, isComplete, matches.count < k, start.all == nil, matches.count < min(k, count) {
            // There are places that the graph does not lead to, as in a crowd of equal vectors.
            matches = exactSearch(query, k: k)
            context.scanned += Int(start.bound)
        }
        return SearchResult(
            matches: matches, visited: context.visits, evaluated: context.visits + context.scanned,
            isComplete: isComplete)
    }

    /// Leaves the nearest in the context's results.
    private func walk(
        _ start: Beginning, k: Int, width: Int, visitLimit: Int, _ predicate: ((UInt32) -> Bool)?
    ) -> Bool {
        let context = start.context
        var isComplete = true
        if !start.waiting.isEmpty {
            var scan = SearchContext.Scan(context, width: width, predicate: predicate)
            start.waiting.forEach { scan.add($0) }
            scan.finish()
        }
        if let entry = start.entry {
            let best = context.descend(from: entry.slot, level: entry.level, to: 0)
            var isDone = false
            if predicate == nil, start.dead * 16 <= start.linked, width <= 1024 {
                // Few rows are dead: a few candidates more make up for them, unless they are all around here.
                let more = start.dead == 0 ? 0 : 2 + 2 * width * start.dead / start.linked
                beginWalk(start)
                isComplete = context.walk(
                    from: best, level: 0, width: width + more, visitLimit: visitLimit, crowd: k + 2)
                isDone = start.dead == 0 || !isComplete || context.dropDead() || context.pool.count >= width
            }
            if !isDone {
                beginWalk(start)
                isComplete = context.walkFiltered(
                    from: best, level: 0, width: width, visitLimit: visitLimit, predicate: predicate)
            }
            context.mergeResults(width: width)
        }
        return isComplete
    }

    private func beginWalk(_ start: Beginning) {
        start.context.newVisit()
        // What was scanned is a result already, even if it has been linked by now.
        start.waiting.forEach { _ = start.context.visit($0) }
    }

    private func prepare(_ query: Span<Float>, _ squares: Double, _ context: SearchContext) {
        query.withUnsafeBufferPointer { query in
            guard let start = query.baseAddress else { return }
            context.query.pointee = rows.query(start, squares: squares, buffer: context.queryBuffer)
        }
    }

    /// The best results that are still there. One whose vector was replaced meanwhile counts with the new one.
    private func finish(
        _ context: SearchContext, k: Int, _ query: Span<Float>, _ squares: Double, _ predicate: ((UInt32) -> Bool)?
    ) -> [Match] {
        var matches: [Match] = []
        matches.reserveCapacity(min(k, context.results.count))
        var replaced: [Match] = []
        for index in 0..<context.results.count {
            if matches.count == k { break }
            let key = context.results.keys[index]
            let slot = Key.slot(key)
            let id = Array(rows[slot].idBytes)
            if rows[slot].isAlive {
                matches.append(Match(id: id, slot: slot, distance: rows.distance(Key.distance(key))))
            } else if let now = self.slot(of: id), now < context.bound || predicate == nil, predicate?(now) ?? true {
                let distance = rows.distance(context.distance(to: rows[now]))
                replaced.append(Match(id: id, slot: now, distance: distance))
            }
        }
        guard !replaced.isEmpty else { return matches }
        let known = Set(matches.map(\.id))
        matches += replaced.filter { !known.contains($0.id) }
        matches.sort { ($0.distance, $0.slot) < ($1.distance, $1.slot) }
        return Array(matches.prefix(k))
    }

    /// The nearest vectors by comparing with each.
    ///
    /// - Parameters:
    ///   - query: as for `search`.
    ///   - k: how many to find at most.
    ///   - slots: the only vectors to compare with; `nil` for all. Empty slots are passed over; a slot that was
    ///     reused since the caller learned of it counts as what is there now, which the match's id tells.
    ///   - predicate: as for `search`.
    public func exactSearch(
        _ query: Span<Float>, k: Int, among slots: [UInt32]? = nil, predicate: ((UInt32) -> Bool)? = nil
    ) -> [Match] {
        guard k > 0, let squares = try? squaredLength(query) else { return [] }
        let (context, bound) = state.withLock { ($0.begin(), $0.bound) }
        defer { state.withLock { $0.end(context) } }
        context.begin(bound: bound)
        prepare(query, squares, context)
        context.results.count = 0
        let k = min(k, Int(UInt32.max))
        // A few more, for those that are replaced or removed meanwhile.
        let most = slots?.count ?? Int(bound)
        var scan = SearchContext.Scan(context, width: min(k + 16, most), predicate: predicate)
        if let slots {
            context.newVisit()
            for slot in slots where context.visit(slot) && rows[slot].isAlive { scan.add(slot) }
        } else {
            for slot in 0..<bound where rows[slot].isAlive { scan.add(slot) }
        }
        scan.finish()
        return finish(context, k: k, query, squares, predicate)
    }
}
