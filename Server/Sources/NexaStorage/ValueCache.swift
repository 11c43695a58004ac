import CRocksDB
import Synchronization

/// A bounded cache of values by key, in front of RocksDB.
///
/// Coherent by construction: before a commit changes the tables it removes its keys here and closes their
/// shards to new entries (`beginChange`); only afterwards (`endChange`) do the shards open again, under a
/// new epoch. A reader that looked into the tables in between carries the old epoch, and what it found is
/// not taken. What the commit writes is placed here, too, and found from `endChange` on. Each shard is a
/// `ValueRing`, whose memory is taken at the start and touched as it fills.
final class ValueCache: Sendable {
    /// Raised before and after each change of the tables: odd while one is being made. Whoever finds it as it was
    /// knows that the tables, and with them the cache, hold what they held then.
    let generation = Atomic<UInt64>(0)

    /// What a reader needs to offer what it finds in the tables.
    struct Ticket {
        fileprivate let hash: UInt64
        fileprivate let epoch: UInt64
    }

    /// What a look-up with a copy came to.
    enum Lookup<Result> {
        case hit(Result)
        case miss(Ticket)
    }

    private struct Shard {
        var ring: ValueRing
        var epoch: UInt64 = 0
        var isChanging = false
    }

    private static let shardCount = 64
    /// Larger values are not worth their room.
    private static let largestValue = 64 << 10
    /// Smaller values are copied to the stack.
    private static let stackBytes = 1024
    private let shards: [Monitor<Shard>]
    private let seed: UInt64
    let isEnabled: Bool
    /// The addresses of the slots of each shard. They never change, and nothing is read or written by way of them: the
    /// processor is told to fetch them.
    private nonisolated(unsafe) let slotBases: [UnsafeRawPointer?]
    private let slotMask: Int

    /// Creates a cache that takes at most `capacity` bytes, all told; 0 makes it hold nothing.
    init(capacity: Int) {
        shards = (0..<Self.shardCount).map { _ in
            Monitor(Shard(ring: ValueRing(byteCount: capacity / Self.shardCount)))
        }
        slotBases = shards.map { $0.withLock { $0.ring.slotBase } }
        slotMask = shards[0].withLock { $0.ring.slotMask }
        isEnabled = shards[0].withLock { $0.ring.canHold }
        seed = UInt64.random(in: .min ... .max)
    }

    deinit {
        for shard in shards { shard.withLock { $0.ring.free() } }
    }

    /// Looks for the value of a key. `copy` runs under the lock and has to do nothing but that.
    ///
    /// - Returns: a ticket to offer the value when it is not there.
    func find(_ key: UnsafeRawBufferPointer, _ copy: (UnsafeRawBufferPointer) -> Void) -> Ticket? {
        find(hash(key), key, copy)
    }

    /// Looks for several keys, whose memory is fetched at once, in place of one after the other: what is not in the
    /// processor's caches takes longer than all the rest. `copy` runs under a lock and has to do nothing but that;
    /// `body` follows for each key, with a ticket when the value is not there.
    func find(_ keys: KeyList, _ copy: (UnsafeRawBufferPointer) -> Void, then body: (Ticket?) -> Void) {
        let hashes = (0..<keys.count).map { keys[$0].withUnsafeBytes { hash($0) } }
        for hash in hashes {
            guard let base = slotBases[Int(hash >> 58)] else { break }
            nexa_prefetch(base + (Int(truncatingIfNeeded: hash) & slotMask) * ValueRing.slotSize)
        }
        for hash in hashes { shard(hash).withLock { $0.ring.prefetch(hash) } }
        for number in 0..<keys.count {
            body(keys[number].withUnsafeBytes { find(hashes[number], $0, copy) })
        }
    }

    @inline(__always)
    private func find(
        _ hash: UInt64, _ key: UnsafeRawBufferPointer, _ copy: (UnsafeRawBufferPointer) -> Void
    ) -> Ticket? {
        shard(hash).withLock { shard in
            let hidden = shard.isChanging ? shard.epoch : nil
            if let value = shard.ring.find(hash, key, hiding: hidden) {
                copy(value)
                return nil
            }
            return Ticket(hash: hash, epoch: shard.epoch)
        }
    }

    /// Looks for the value of a key and runs `body` on a copy of it, without the lock.
    func read<Result>(_ key: UnsafeRawBufferPointer, _ body: (RawSpan) -> Result) -> Lookup<Result> {
        withUnsafeTemporaryAllocation(byteCount: Self.stackBytes, alignment: 8) { room in
            var count = 0
            var large: [UInt8]?
            let ticket = find(key) { value in
                if value.count > room.count {
                    large = Array(value)
                } else {
                    room.copyMemory(from: value)
                    count = value.count
                }
            }
            if let ticket { return .miss(ticket) }
            if let large { return .hit(body(large.span.bytes)) }
            return .hit(body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: room[..<count]))))
        }
    }

    /// Offers what the tables hold under the key that the ticket was given for.
    func offer(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ ticket: Ticket) {
        guard value.count <= Self.largestValue else { return }
        shard(ticket.hash).withLock { shard in
            guard shard.epoch == ticket.epoch, !shard.isChanging, !shard.ring.contains(ticket.hash, key) else { return }
            shard.ring.insert(ticket.hash, key, value, writtenIn: nil)
        }
    }

    /// The shards that a change concerns, one bit each.
    struct Change {
        fileprivate var shards: UInt64 = 0
    }

    /// Removes a key that is about to change, and places its new value, which nobody finds before `endChange`.
    func beginChange(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?, _ change: inout Change
    ) {
        beginChange(KeyChange(hash: hash(key), key: key, value: value), &change)
    }

    /// A key that is about to change, and its new value, if it is to have one.
    struct KeyChange {
        fileprivate let hash: UInt64
        fileprivate let key: UnsafeRawBufferPointer
        fileprivate let value: UnsafeRawBufferPointer?
    }

    /// A change of a key for `beginChange`, for which memory is fetched meanwhile.
    func prepareChange(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) -> KeyChange {
        let hash = hash(key)
        if let base = slotBases[Int(hash >> 58)] {
            nexa_prefetch(base + (Int(truncatingIfNeeded: hash) & slotMask) * ValueRing.slotSize)
        }
        return KeyChange(hash: hash, key: key, value: value)
    }

    /// Does what was prepared; see the other one.
    func beginChange(_ prepared: KeyChange, _ change: inout Change) {
        let (hash, key, value) = (prepared.hash, prepared.key, prepared.value)
        change.shards |= 1 << (hash >> 58)
        shard(hash).withLock { shard in
            shard.isChanging = true
            shard.ring.remove(hash, key)
            guard let value, value.count <= Self.largestValue else { return }
            shard.ring.insert(hash, key, value, writtenIn: shard.epoch)
        }
    }

    /// Removes everything, for a change of a range of keys.
    func beginChangeOfAll(_ change: inout Change) {
        change.shards = .max
        for shard in shards {
            shard.withLock { shard in
                shard.ring.removeAll()
                shard.isChanging = true
            }
        }
    }

    /// Opens the shards of a change that the tables now show; or that they do not show, since it failed.
    func endChange(_ change: Change, isMade: Bool = true) {
        var rest = change.shards
        while rest != 0 {
            shards[rest.trailingZeroBitCount].withLock { shard in
                if !isMade { shard.ring.removeAll() }
                shard.isChanging = false
                shard.epoch &+= 1
            }
            rest &= rest - 1
        }
    }

    @inline(__always)
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
