/// Which slot holds an id: a hash table with open addressing and linear probing, eight bytes an entry (half of the
/// hash, and the slot). The ids themselves lie with the rows.
struct IDTable {
    /// 0 is empty; otherwise the slot + 1, and above it 32 bits of the hash.
    private var entries: [UInt64] = Array(repeating: 0, count: 16)
    private(set) var count = 0

    var capacity: Int { entries.count }

    /// The slot whose id has this hash and is the right one.
    @inline(__always)
    func find(_ hash: UInt32, where matches: (UInt32) -> Bool) -> UInt32? {
        let mask = entries.count - 1
        var place = Int(hash) & mask
        while true {
            let entry = entries[place]
            if entry == 0 { return nil }
            if UInt32(truncatingIfNeeded: entry >> 32) == hash {
                let slot = UInt32(truncatingIfNeeded: entry) - 1
                if matches(slot) { return slot }
            }
            place = (place + 1) & mask
        }
    }

    /// Adds an id that is not there.
    mutating func insert(_ hash: UInt32, slot: UInt32) {
        if (count + 1) * 4 > entries.count * 3 { resize(to: entries.count * 2) }
        place(UInt64(hash) << 32 | UInt64(slot + 1))
        count += 1
    }

    /// Gives an id that is there another slot.
    mutating func replace(_ hash: UInt32, old: UInt32, with slot: UInt32) {
        let place = position(hash, old)
        entries[place] = UInt64(hash) << 32 | UInt64(slot + 1)
    }

    /// Takes an id out that is there.
    mutating func remove(_ hash: UInt32, slot: UInt32) {
        let mask = entries.count - 1
        var hole = position(hash, slot)
        var next = (hole + 1) & mask
        // Moves back what the hole cuts off from where its hash points.
        while entries[next] != 0 {
            let home = Int(entries[next] >> 32) & mask
            if (next - home) & mask >= (next - hole) & mask {
                entries[hole] = entries[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        entries[hole] = 0
        count -= 1
        if entries.count > 16, count * 8 < entries.count { resize(to: entries.count / 2) }
    }

    /// All slots, in no order.
    func forEach(_ body: (UInt32) -> Void) {
        for entry in entries where entry != 0 { body(UInt32(truncatingIfNeeded: entry) - 1) }
    }

    private func position(_ hash: UInt32, _ slot: UInt32) -> Int {
        let wanted = UInt64(hash) << 32 | UInt64(slot + 1)
        var place = Int(hash) & (entries.count - 1)
        while entries[place] != wanted { place = (place + 1) & (entries.count - 1) }
        return place
    }

    private mutating func place(_ entry: UInt64) {
        var place = Int(entry >> 32) & (entries.count - 1)
        while entries[place] != 0 { place = (place + 1) & (entries.count - 1) }
        entries[place] = entry
    }

    private mutating func resize(to capacity: Int) {
        let old = entries
        entries = Array(repeating: 0, count: capacity)
        for entry in old where entry != 0 { place(entry) }
    }
}
