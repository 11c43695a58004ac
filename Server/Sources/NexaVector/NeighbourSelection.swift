import CNexaVector

/// Which rows a row is linked to.
extension SearchContext {
    /// Algorithm 4 of Malkov and Yashunin (2016), `SELECT-NEIGHBORS-HEURISTIC`, without its extensions: takes
    /// candidates, nearest first, unless they are nearer to one that was taken than to the row itself. They are added
    /// to `chosen`, with their rows in `chosenRows`.
    ///
    /// Of candidates as far from the row as from those taken (equal vectors), only half as many are taken as there is
    /// room: a crowd of equal vectors keeps links to the world outside.
    ///
    /// - Parameters:
    ///   - source: keys whose distances are to the row that the neighbours are for, with this salt; those in
    ///     `chosen` have none.
    ///   - limit: how many `chosen` may hold in the end.
    func choose(from source: KeyPool, salt: UInt32, limit: Int) {
        for index in 0..<source.count {
            guard chosen.count < limit else { return }
            let slot = Key.slot(source.keys[index], salt)
            let distance = Key.distance(source.keys[index])
            let row = rows[slot]
            guard row.isAlive, isDiverse(row, distance, limit: limit) else { continue }
            chosenRows[chosen.count] = UnsafePointer(row)
            chosen.keys[chosen.count] = Key.make(distance, slot)
            chosen.count += 1
        }
    }

    /// Takes all candidates that are alive.
    func chooseAll(from source: KeyPool, salt: UInt32) {
        for index in 0..<source.count {
            let slot = Key.slot(source.keys[index], salt)
            guard rows[slot].isAlive else { continue }
            chosen.keys[chosen.count] = Key.make(Key.distance(source.keys[index]), slot)
            chosen.count += 1
        }
    }

    private func isDiverse(_ row: Row, _ distance: Float, limit: Int) -> Bool {
        guard chosen.count > 0 else { return true }
        nexa_query_of_row(rows.space, row, rowBuffer, rowQuery)
        var equal = 0
        var start = 0
        while start < chosen.count {
            let count = min(4, chosen.count - start)
            nexa_distances(rows.space, rowQuery, chosenRows + start, count, distances)
            for index in 0..<count {
                if distances[index] < distance { return false }
                if distances[index] == distance { equal += 1 }
            }
            start += 4
        }
        return equal * 2 < limit
    }

    /// Writes `neighbours` as a row's links, and keeps what others linked it to meanwhile, while there is room.
    func setLinks(of slot: UInt32, level: UInt32) {
        let row = rows[slot]
        let list = nexa_list_of(rows.space, row, level)
        nexa_lock(row)
        defer { nexa_unlock(row) }
        let before = Int(nexa_list_count(list))
        for index in 0..<before { slots[index] = nexa_link(list, UInt32(index)) }
        var count = min(neighbours.count, Int(list.capacity))
        for index in 0..<count { nexa_set_link(list, UInt32(index), Key.slot(neighbours.keys[index])) }
        let own = count
        for index in 0..<before where count < Int(list.capacity) {
            let isNew = !(0..<own).contains { Key.slot(neighbours.keys[$0]) == slots[index] }
            guard isNew else { continue }
            nexa_set_link(list, UInt32(count), slots[index])
            count += 1
        }
        nexa_list_set_count(list, UInt32(count))
    }

    /// Links a row to another; when it has no room, its neighbours are chosen anew.
    func addLink(from slot: UInt32, to other: UInt32, distance: Float, level: UInt32) {
        let row = rows[slot]
        let list = nexa_list_of(rows.space, row, level)
        nexa_lock(row)
        defer { nexa_unlock(row) }
        guard row.isAlive, rows[other].isAlive else { return }
        let count = Int(nexa_list_count(list))
        for index in 0..<count where nexa_link(list, UInt32(index)) == other { return }
        if count < Int(list.capacity) {
            nexa_set_link(list, UInt32(count), other)
            nexa_list_set_count(list, UInt32(count + 1))
            return
        }
        for index in 0..<count {
            slots[index] = nexa_link(list, UInt32(index))
            found[index] = UnsafePointer(rows[slots[index]])
        }
        nexa_query_of_row(rows.space, row, rowBuffer, rowQuery)
        nexa_distances(rows.space, rowQuery, found, count, distances)
        let salt = Key.salt(slot)
        candidates.count = 0
        candidates.reserve(count + 1)
        for index in 0..<count {
            _ = candidates.insert(Key.make(distances[index], slots[index], salt), width: count + 1)
        }
        _ = candidates.insert(Key.make(distance, other, salt), width: count + 1)
        chosen.count = 0
        choose(from: candidates, salt: salt, limit: Int(list.capacity))
        for index in 0..<chosen.count { nexa_set_link(list, UInt32(index), Key.slot(chosen.keys[index])) }
        nexa_list_set_count(list, UInt32(chosen.count))
    }
}
