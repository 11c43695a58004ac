import CNexaVector

/// Algorithm 2 of Malkov and Yashunin (2016), `SEARCH-LAYER`, in two forms.
extension SearchContext {
    /// Goes to nearer and nearer neighbours on each level from the entry's down to one above `level`.
    ///
    /// Everyone goes on to the eldest of a crowd of equal vectors, which have links to the world outside. Only one that
    /// belongs to the crowd, on its way to its neighbours, goes on to any of them, as its own salt has it.
    ///
    /// - Parameter owner: the slot of the row that is linked.
    /// - Returns: the nearest row it came to.
    func descend(from entry: UInt32, level top: Int, to level: Int, owner: UInt32? = nil) -> UInt64 {
        newVisit()
        _ = visit(entry)
        visits += 1
        var best = Key.make(distance(to: rows[entry]), entry, salt)
        var current = top
        while current > level {
            while true {
                let count = expand(rows[Key.slot(best, salt)], level: UInt32(current))
                guard count > 0 else { break }
                nexa_distances(rows.space, query, found, count, distances)
                let before = best
                for index in 0..<count {
                    let key = Key.make(distances[index], slots[index], salt)
                    guard key >> 32 == best >> 32, let owner, rows.areEqual(rows[owner], found[index]) else {
                        best = min(best, key)
                        continue
                    }
                    let own = Key.salt(owner)
                    if Key.slot(key, salt) ^ own < Key.slot(best, salt) ^ own { best = key }
                }
                if best == before { break }
            }
            current -= 1
        }
        return best
    }

    /// Walks a level with the `width` nearest rows so far as candidates, and leaves them in `pool`, nearest first.
    ///
    /// One sorted list serves as both heaps of the paper: what is not among the `width` nearest would never be
    /// followed anyway. Rows that are dead are followed and stay in the list.
    ///
    /// - Parameter crowd: how many equal vectors may be in the list; more of them would leave no room for others.
    /// - Returns: `false` when the limit ended it.
    func walk(from entry: UInt64, level: UInt32, width: Int, visitLimit: Int, crowd: Int) -> Bool {
        _ = visit(Key.slot(entry, salt))
        // Local copies: every access to a property that may change is checked at run time.
        var pool = self.pool
        var visits = self.visits
        defer { (self.pool, self.visits) = (pool, visits) }
        let (space, salt, visited, mark, bound) = (rows.space, self.salt, self.visited, self.mark, self.bound)
        pool.count = 0
        pool.reserve(width)
        _ = pool.insert(entry, width: width)
        var next = 0
        while next < pool.count {
            let row = nexa_row_at(space, Key.slot(pool.keys[next], salt))
            pool.keys[next] |= 1
            let list = nexa_list_of(space, row, level)
            let count = Int(nexa_gather(space, list, visited, mark, bound, slots, found))
            visits &+= count
            var lowest = next &+ 1
            if count > 0 {
                if lowest < pool.count {
                    nexa_prefetch_links(space, nexa_row_at(space, Key.slot(pool.keys[lowest], salt)))
                }
                nexa_distances(space, query, found, count, distances)
                for index in 0..<count {
                    let slot = slots[index]
                    let key = Key.make(distances[index], slot, salt)
                    let place = pool.insert(key, width: width) {
                        isCrowded(key, $0, $1, around: $2, limit: crowd)
                    }
                    guard place >= 0 else { continue }
                    // One of those that are followed soon.
                    if place < lowest &+ 2 { nexa_prefetch_links(space, nexa_row_at(space, slot)) }
                    if place < lowest { lowest = place }
                }
            }
            next = lowest
            while next < pool.count, pool.keys[next] & 1 != 0 { next &+= 1 }
            guard next < pool.count else { return true }
            if visits >= visitLimit { return false }
            nexa_prefetch_links(space, nexa_row_at(space, Key.slot(pool.keys[next], salt)))
        }
        return true
    }

    /// Whether there are so many rows already, beside a place in a list, that are alive and have the vector of this one.
    private func isCrowded(
        _ key: UInt64, _ keys: UnsafeMutablePointer<UInt64>, _ count: Int, around place: Int, limit: Int
    ) -> Bool {
        let row = rows[Key.slot(key, salt)]
        var equal = 0
        func isFull(_ index: Int) -> Bool {
            let other = rows[Key.slot(keys[index], salt)]
            if other.isAlive, rows.areEqual(row, other) { equal += 1 }
            return equal >= limit
        }
        // Equally far ones lie side by side, on both sides of the place.
        var left = place - 1
        while left >= 0, (keys[left] ^ key) >> 32 == 0 {
            if isFull(left) { return true }
            left -= 1
        }
        var right = place
        while right < count, (keys[right] ^ key) >> 32 == 0 {
            if isFull(right) { return true }
            right += 1
        }
        return false
    }

    /// Walks a level until the `width` nearest rows that are alive, and satisfy the predicate, are in `pool`, nearest
    /// first. Others are followed as well.
    ///
    /// - Returns: `false` when the limit ended it.
    func walkFiltered(
        from entry: UInt64, level: UInt32, width: Int, visitLimit: Int, predicate: ((UInt32) -> Bool)?
    ) -> Bool {
        pool.count = 0
        candidates.count = 0
        _ = visit(Key.slot(entry, salt))
        candidates.pushSmallest(entry)
        admit(entry, width: width, predicate: predicate)
        var isComplete = true
        while candidates.count > 0 {
            let best = candidates.popSmallest()
            if pool.count == width, best > pool.keys[0] { break }
            if visits >= visitLimit {
                isComplete = false
                break
            }
            let count = expand(rows[Key.slot(best, salt)], level: level)
            guard count > 0 else { continue }
            nexa_distances(rows.space, query, found, count, distances)
            for index in 0..<count {
                let key = Key.make(distances[index], slots[index], salt)
                if pool.count == width, key > pool.keys[0] { continue }
                candidates.pushSmallest(key)
                admit(key, width: width, predicate: predicate)
            }
            if candidates.count > 0 { nexa_prefetch_links(rows.space, rows[Key.slot(candidates.keys[0], salt)]) }
        }
        pool.sort()
        return isComplete
    }

    /// Takes dead rows out of the pool.
    ///
    /// - Returns: whether there were none.
    func dropDead() -> Bool {
        var kept = 0
        for index in 0..<pool.count where rows[Key.slot(pool.keys[index], salt)].isAlive {
            pool.keys[kept] = pool.keys[index]
            kept += 1
        }
        defer { pool.count = kept }
        return kept == pool.count
    }

    /// Adds the nearest of the pool to the results, and leaves the `width` nearest of both.
    func mergeResults(width: Int) {
        for index in 0..<pool.count { pool.keys[index] &= ~1 }
        guard results.count > 0 else {
            swap(&pool, &results)
            return
        }
        // Two sorted lists. The walk begins at its entry whether that was scanned or not, so one row may be in both.
        candidates.count = 0
        var (left, right) = (0, 0)
        while candidates.count < width, left < results.count || right < pool.count {
            let takesLeft = right == pool.count || left < results.count && results.keys[left] <= pool.keys[right]
            let key = takesLeft ? results.keys[left] : pool.keys[right]
            if takesLeft { left += 1 } else { right += 1 }
            if candidates.count == 0 || candidates.keys[candidates.count - 1] != key { candidates.append(key) }
        }
        swap(&results, &candidates)
    }

    @inline(__always)
    private func admit(_ key: UInt64, width: Int, predicate: ((UInt32) -> Bool)?) {
        let slot = Key.slot(key, salt)
        guard rows[slot].isAlive, predicate?(slot) ?? true else { return }
        pool.pushLargest(key, width: width)
    }

    /// Compares the query with rows one by one, and keeps the nearest that are alive and satisfy the predicate in
    /// `results`, which `finish` sorts.
    struct Scan {
        let context: SearchContext
        let width: Int
        let predicate: ((UInt32) -> Bool)?
        private var pending = 0

        init(_ context: SearchContext, width: Int, predicate: ((UInt32) -> Bool)?) {
            self.context = context
            self.width = width
            self.predicate = predicate
            context.results.count = 0
        }

        /// The row of a slot that was in use when the operation began, or may have been.
        mutating func add(_ slot: UInt32) {
            context.slots[pending] = slot
            context.found[pending] = UnsafePointer(context.rows[slot])
            pending += 1
            if pending == 64 { flush() }
        }

        mutating func finish() {
            flush()
            context.results.sort()
        }

        private mutating func flush() {
            guard pending > 0 else { return }
            nexa_distances(context.rows.space, context.query, context.found, pending, context.distances)
            context.scanned += pending
            for index in 0..<pending {
                let slot = context.slots[index]
                let key = Key.make(context.distances[index], slot)
                if context.results.count == width, width == 0 || key >= context.results.keys[0] { continue }
                guard context.rows[slot].isAlive, predicate?(slot) ?? true else { continue }
                context.results.pushLargest(key, width: width)
            }
            pending = 0
        }
    }
}
