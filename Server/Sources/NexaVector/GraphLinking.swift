import CNexaVector

/// Algorithm 1 of Malkov and Yashunin (2016), `INSERT`, and its opposite.
extension SearchContext {
    /// Links a row into the graph: on the lowest level first. Whoever comes to it on a level above goes on to those below,
    /// and would find nothing there, which ended a search among a handful of rows.
    ///
    /// - Parameter filtered: whether so many rows are dead that the walk has to look for those that are alive.
    /// - Returns: `false` when it found no neighbour that is alive.
    func link(_ slot: UInt32, entry: (slot: UInt32, level: Int), filtered: Bool) -> Bool {
        let row = rows[slot]
        let most = rows.configuration.maxConnections
        let width = rows.configuration.efConstruction
        nexa_query_of_row(rows.space, row, queryBuffer, query)
        let level = Int(row.pointee.level)
        var best = descend(from: entry.slot, level: entry.level, to: level, owner: slot)
        // Few rows have a level above.
        var above: [[UInt64]] = []
        for current in (0...min(level, entry.level)).reversed() {
            startVisit(without: slot)
            var hasWalked = false
            if !filtered {
                hasWalked = walk(
                    from: best, level: UInt32(current), width: width, visitLimit: .max, crowd: max(4, most / 4))
                hasWalked = (0..<pool.count).contains { rows[Key.slot(pool.keys[$0], salt)].isAlive }
            }
            if !hasWalked {
                startVisit(without: slot)
                _ = walkFiltered(from: best, level: UInt32(current), width: width, visitLimit: .max, predicate: nil)
            }
            chosen.count = 0
            if pool.count <= most {
                chooseAll(from: pool, salt: salt)
            } else {
                choose(from: pool, for: row, salt: salt, limit: most)
            }
            if pool.count > 0 { best = pool.keys[0] & ~1 }
            if current > 0 { above.append((0..<chosen.count).map { chosen.keys[$0] }) }
        }
        connect(slot, level: 0)
        let isLinked = neighbours.count > 0
        for (index, keys) in above.reversed().enumerated() {
            chosen.count = 0
            for key in keys { chosen.append(key) }
            connect(slot, level: UInt32(index + 1))
        }
        return isLinked
    }

    private func startVisit(without slot: UInt32) {
        newVisit()
        _ = visit(slot)
    }

    /// Links a row to those in `chosen`, and them to it.
    private func connect(_ slot: UInt32, level: UInt32) {
        neighbours.count = chosen.count
        neighbours.keys.update(from: chosen.keys, count: chosen.count)
        setLinks(of: slot, level: level)
        for index in 0..<neighbours.count {
            let key = neighbours.keys[index]
            addLink(from: Key.slot(key), to: slot, distance: Key.distance(key), level: level)
        }
    }

    /// Takes a row's links to rows that leave out, and links it to neighbours of theirs instead.
    ///
    /// - Returns: whether there were any, and whether it is left with no link at all on the lowest level.
    func repair(_ slot: UInt32, leaving: RepairPass.Leaving) -> (changed: Bool, isAlone: Bool) {
        let row = rows[slot]
        var result = (changed: false, isAlone: false)
        for level in 0...UInt32(row.pointee.level) {
            let list = nexa_list_of(rows.space, row, level)
            let hasLeaving = (0..<nexa_list_count(list)).contains { leaving.contains(nexa_link(list, $0)) }
            guard hasLeaving else { continue }
            result.changed = true
            let count = repair(slot, row, list, level: level, leaving: leaving)
            if level == 0, count == 0 { result.isAlone = true }
            for index in 0..<neighbours.count {
                let key = neighbours.keys[index]
                addLink(from: Key.slot(key), to: slot, distance: Key.distance(key), level: level)
            }
        }
        return result
    }

    /// Leaves the new neighbours in `neighbours`, and returns how many links there are.
    private func repair(_ slot: UInt32, _ row: Row, _ list: nexa_list, level: UInt32, leaving: RepairPass.Leaving)
        -> Int
    {
        newVisit()
        _ = visit(slot)
        neighbours.count = 0
        chosen.count = 0
        candidates.count = 0
        nexa_lock(row)
        defer { nexa_unlock(row) }
        let count = nexa_list_count(list)
        var lost: [UInt32] = []
        for index in 0..<count {
            let neighbour = nexa_link(list, index)
            if leaving.contains(neighbour) {
                lost.append(neighbour)
                continue
            }
            _ = visit(neighbour)
            chosenRows[chosen.count] = UnsafePointer(rows[neighbour])
            chosen.keys[chosen.count] = Key.make(0, neighbour)
            chosen.count += 1
        }
        let kept = chosen.count
        if row.isAlive {
            nexa_query_of_row(rows.space, row, queryBuffer, query)
            let width = 3 * Int(list.capacity)
            candidates.reserve(width)
            for other in lost {
                let found = expand(rows[other], level: level)
                nexa_distances(rows.space, query, self.found, found, distances)
                for index in 0..<found where !leaving.contains(slots[index]) {
                    _ = candidates.insert(Key.make(distances[index], slots[index], salt), width: width)
                }
            }
            choose(from: candidates, for: row, salt: salt, limit: min(Int(list.capacity), kept + lost.count))
        }
        for index in 0..<chosen.count { nexa_set_link(list, UInt32(index), Key.slot(chosen.keys[index])) }
        nexa_list_set_count(list, UInt32(chosen.count))
        neighbours.count = chosen.count - kept
        neighbours.keys.update(from: chosen.keys + kept, count: neighbours.count)
        return chosen.count
    }
}
