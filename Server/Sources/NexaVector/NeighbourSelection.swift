import CNexaVector

/// Which rows a row is linked to.
extension SearchContext {
    /// Algorithm 4 of Malkov and Yashunin (2016), `SELECT-NEIGHBORS-HEURISTIC`, without its extensions: takes
    /// candidates, nearest first, unless they are nearer to one that was taken than to the row itself. They are added
    /// to `chosen`, with their rows in `chosenRows`.
    ///
    /// Vectors that equal the row's own are its twins. At first only so many are taken that a quarter of the room goes to
    /// them, and they do not keep others out: everything is as near to them as to the row. What room is left in the end
    /// is theirs, so that all of a crowd are reached. The eldest, of the lowest slots, come first: whoever comes to a
    /// crowd goes on to its eldest (`descend`), so that those have links to the whole world outside.
    ///
    /// - Parameters:
    ///   - owner: the row that the neighbours are for.
    ///   - source: keys whose distances are to the owner, with this salt; those in `chosen` have none.
    ///   - limit: how many `chosen` may hold in the end.
    func choose(from source: KeyPool, for owner: Row, salt: UInt32, limit: Int) {
        let twinLimit = max(2, limit / 4)
        for index in 0..<chosen.count { areTwins[index] = rows.areEqual(owner, chosenRows[index]) }
        let elders = eldestTwins(in: source, of: owner, salt: salt)
        for elder in [elders.first, elders.second] {
            guard let elder, chosen.count < limit else { continue }
            take(Key.slot(elder, salt), Key.distance(elder), isTwin: true)
        }
        var twins = (0..<chosen.count).count { areTwins[$0] }
        var rest: Int?
        for index in 0..<source.count {
            guard chosen.count < limit else { return }
            let key = source.keys[index]
            let row = rows[Key.slot(key, salt)]
            guard row.isAlive, key != elders.first, key != elders.second else { continue }
            if elders.first != nil, rows.areEqual(owner, row) {
                guard twins < twinLimit else {
                    rest = rest ?? index
                    continue
                }
                twins += 1
                take(Key.slot(key, salt), Key.distance(key), isTwin: true)
            } else if isDiverse(row, Key.distance(key), limit: limit) {
                take(Key.slot(key, salt), Key.distance(key), isTwin: false)
            }
        }
        guard let rest else { return }
        for index in rest..<source.count where chosen.count < limit {
            let key = source.keys[index]
            let row = rows[Key.slot(key, salt)]
            guard row.isAlive, key != elders.first, key != elders.second, rows.areEqual(owner, row) else { continue }
            take(Key.slot(key, salt), Key.distance(key), isTwin: true)
        }
    }

    private func take(_ slot: UInt32, _ distance: Float, isTwin: Bool) {
        chosenRows[chosen.count] = UnsafePointer(rows[slot])
        chosen.keys[chosen.count] = Key.make(distance, slot)
        areTwins[chosen.count] = isTwin
        chosen.count += 1
    }

    /// The keys of the two twins of the lowest slots.
    private func eldestTwins(in source: KeyPool, of owner: Row, salt: UInt32) -> (first: UInt64?, second: UInt64?) {
        var elders: (first: UInt64?, second: UInt64?) = (nil, nil)
        for index in 0..<source.count {
            let key = source.keys[index]
            let slot = Key.slot(key, salt)
            let row = rows[slot]
            guard row.isAlive else { continue }
            guard rows.areEqual(owner, row) else {
                // Nothing is nearer than a twin, but by the dot product.
                if rows.configuration.metric == .dot { continue } else { break }
            }
            if elders.first.map({ slot < Key.slot($0, salt) }) ?? true {
                elders = (key, elders.first)
            } else if elders.second.map({ slot < Key.slot($0, salt) }) ?? true {
                elders.second = key
            }
        }
        return elders
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
            for index in 0..<count where !areTwins[start + index] {
                if distances[index] < distance { return false }
                if distances[index] == distance { equal += 1 }
                // The second of another crowd.
                let other = start + index
                if Key.distance(chosen.keys[other]) == distance, rows.areEqual(row, chosenRows[other]) { return false }
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
        choose(from: candidates, for: row, salt: salt, limit: Int(list.capacity))
        for index in 0..<chosen.count { nexa_set_link(list, UInt32(index), Key.slot(chosen.keys[index])) }
        nexa_list_set_count(list, UInt32(chosen.count))
    }
}
