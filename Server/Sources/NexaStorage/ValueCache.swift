import Synchronization

/// A bounded cache of values by key, in front of RocksDB.
///
/// Coherent by construction: before a commit changes the tables it removes its keys here and closes their
/// shards to new entries (`beginChange`); only afterwards (`endChange`) do the shards open again, under a
/// new epoch. A reader that looked into the tables in between carries the old epoch, and what it found is
/// not taken. Eviction is CLOCK: an entry that was read since the hand last passed gets a second chance.
final class ValueCache: Sendable {
    /// Raised before and after each change of the tables: odd while one is being made. Whoever finds it as it was
    /// knows that the tables, and with them the cache, hold what they held then.
    let generation = Atomic<UInt64>(0)

    /// A value that was found: the bytes from `start` on.
    struct Hit {
        let bytes: [UInt8]
        let start: Int
    }

    /// What a reader needs to offer what it finds in the tables.
    struct Ticket {
        fileprivate let hash: UInt64
        fileprivate let epoch: UInt64
    }

    enum Lookup {
        case hit(Hit)
        case miss(Ticket)
    }

    fileprivate struct Entry {
        var hash: UInt64
        var keyLength: Int
        /// Key and value in one allocation; empty marks a free slot.
        var bytes: [UInt8]
        var wasRead: Bool

        static let free = Entry(hash: 0, keyLength: 0, bytes: [], wasRead: false)
        /// The array's own header and the slot are charged too.
        var cost: Int { bytes.count + 96 }
    }

    fileprivate struct Shard {
        var slots = [Entry](repeating: .free, count: 16)
        var count = 0
        var cost = 0
        var hand = 0
        var epoch: UInt64 = 0
        var isChanging = false
    }

    private static let shardCount = 64
    /// Larger values are not worth their room.
    private static let largestValue = 64 << 10
    private let shards: [Monitor<Shard>]
    private let shardBudget: Int
    private let seed: UInt64

    /// Creates a cache of at most `capacity` bytes; 0 makes it hold nothing.
    init(capacity: Int) {
        shards = (0..<Self.shardCount).map { _ in Monitor(Shard()) }
        shardBudget = capacity / Self.shardCount
        seed = UInt64.random(in: .min ... .max)
    }

    var isEnabled: Bool { shardBudget > 0 }

    /// The value of a key, or a ticket to offer it.
    func find(_ key: UnsafeRawBufferPointer) -> Lookup {
        let hash = hash(key)
        return shard(hash).withLock { shard in
            guard let index = shard.find(hash, key) else { return .miss(Ticket(hash: hash, epoch: shard.epoch)) }
            shard.slots[index].wasRead = true
            return .hit(Hit(bytes: shard.slots[index].bytes, start: key.count))
        }
    }

    /// Offers what the tables hold under the key that the ticket was given for.
    func offer(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ ticket: Ticket) {
        guard value.count <= Self.largestValue, value.count < shardBudget / 4 else { return }
        let bytes = [UInt8](unsafeUninitializedCapacity: key.count + value.count) { buffer, count in
            let target = UnsafeMutableRawBufferPointer(buffer)
            target.copyMemory(from: key)
            UnsafeMutableRawBufferPointer(rebasing: target[key.count...]).copyMemory(from: value)
            count = key.count + value.count
        }
        let entry = Entry(hash: ticket.hash, keyLength: key.count, bytes: bytes, wasRead: false)
        shard(ticket.hash).withLock { shard in
            guard shard.epoch == ticket.epoch, !shard.isChanging, shard.find(ticket.hash, key) == nil else { return }
            while shard.count > 0, shard.cost + entry.cost > shardBudget { shard.evict() }
            shard.insert(entry)
        }
    }

    /// The shards that a change concerns, one bit each.
    struct Change {
        fileprivate var shards: UInt64 = 0
    }

    /// Removes a key that is about to change.
    func beginChange(_ key: UnsafeRawBufferPointer, _ change: inout Change) {
        let hash = hash(key)
        change.shards |= 1 << (hash >> 58)
        shard(hash).withLock { shard in
            shard.isChanging = true
            if let index = shard.find(hash, key) { shard.remove(at: index) }
        }
    }

    /// Removes everything, for a change of a range of keys.
    func beginChangeOfAll(_ change: inout Change) {
        change.shards = .max
        for shard in shards {
            shard.withLock { shard in
                let epoch = shard.epoch
                shard = Shard()
                shard.epoch = epoch
                shard.isChanging = true
            }
        }
    }

    /// Opens the shards of a change that the tables now show.
    func endChange(_ change: Change) {
        var rest = change.shards
        while rest != 0 {
            shards[rest.trailingZeroBitCount].withLock { shard in
                shard.isChanging = false
                shard.epoch &+= 1
            }
            rest &= rest - 1
        }
    }

    private func shard(_ hash: UInt64) -> Monitor<Shard> { shards[Int(hash >> 58)] }

    /// A seeded multiply-and-fold hash over 8 bytes at a time; the seed is secret, so keys cannot be made to collide.
    private func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
        var state = seed ^ UInt64(key.count)
        func mix(_ word: UInt64) {
            let product = (state ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15 ^ (seed | 1))
            state = product.high ^ product.low ^ word.byteSwapped
        }
        var offset = 0
        while offset + 8 <= key.count {
            mix(key.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var last: UInt64 = 0
        while offset < key.count {
            last = last << 8 | UInt64(key[offset])
            offset += 1
        }
        mix(last)
        mix(seed)
        return state
    }
}

// Open addressing with linear probing and backward-shift deletion, so that there are no tombstones.
extension ValueCache.Shard {
    private var mask: Int { slots.count - 1 }

    func find(_ hash: UInt64, _ key: UnsafeRawBufferPointer) -> Int? {
        guard count > 0 else { return nil }
        var index = Int(truncatingIfNeeded: hash) & mask
        while !slots[index].bytes.isEmpty {
            if slots[index].hash == hash, slots[index].keyLength == key.count,
                slots[index].bytes.withUnsafeBytes({ $0.prefix(key.count).elementsEqual(key) })
            {
                return index
            }
            index = (index + 1) & mask
        }
        return nil
    }

    mutating func insert(_ entry: ValueCache.Entry) {
        if (count + 1) * 4 > slots.count * 3 { grow() }
        place(entry)
        count += 1
        cost += entry.cost
    }

    private mutating func place(_ entry: ValueCache.Entry) {
        var index = Int(truncatingIfNeeded: entry.hash) & mask
        while !slots[index].bytes.isEmpty { index = (index + 1) & mask }
        slots[index] = entry
    }

    private mutating func grow() {
        let old = slots
        slots = [ValueCache.Entry](repeating: .free, count: old.count * 2)
        for entry in old where !entry.bytes.isEmpty { place(entry) }
    }

    mutating func remove(at index: Int) {
        cost -= slots[index].cost
        count -= 1
        var hole = index
        var next = (hole + 1) & mask
        while !slots[next].bytes.isEmpty {
            let home = Int(truncatingIfNeeded: slots[next].hash) & mask
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = .free
    }

    mutating func evict() {
        while true {
            hand = (hand + 1) & mask
            if slots[hand].bytes.isEmpty { continue }
            if slots[hand].wasRead {
                slots[hand].wasRead = false
                continue
            }
            return remove(at: hand)
        }
    }
}
