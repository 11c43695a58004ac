import Glibc

/// A distance and a slot in one number that sorts by distance; its lowest bit is free for a mark.
///
/// Equally distant slots come in an order that depends on the salt. Where a full list of links is gone over, every row has
/// its own salt: equal vectors would otherwise all be linked to the same few of them, and the rest could not be reached.
enum Key {
    @inline(__always)
    static func make(_ distance: Float, _ slot: UInt32, _ salt: UInt32 = 0) -> UInt64 {
        let bits = distance.bitPattern
        let ordered = bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
        return UInt64(ordered) << 32 | UInt64(slot ^ salt) << 1
    }

    @inline(__always)
    static func slot(_ key: UInt64, _ salt: UInt32 = 0) -> UInt32 { UInt32(truncatingIfNeeded: key) >> 1 ^ salt }

    /// The salt of a row: 31 bits of a mixed slot (the finaliser of MurmurHash3).
    static func salt(_ slot: UInt32) -> UInt32 {
        var mixed = slot &+ 1
        mixed = (mixed ^ mixed >> 16) &* 0x85EB_CA6B
        mixed = (mixed ^ mixed >> 13) &* 0xC2B2_AE35
        return (mixed ^ mixed >> 16) >> 1
    }

    @inline(__always)
    static func distance(_ key: UInt64) -> Float {
        let ordered = UInt32(truncatingIfNeeded: key >> 32)
        return Float(bitPattern: ordered & 0x8000_0000 != 0 ? ordered & 0x7FFF_FFFF : ~ordered)
    }
}

/// Room for keys, kept from search to search. It is used as a sorted list or as a heap, by one thread at a time.
struct KeyPool {
    private(set) var keys: UnsafeMutablePointer<UInt64>
    private var capacity: Int
    var count = 0

    init(capacity: Int = 512) {
        self.capacity = capacity
        keys = .allocate(capacity: capacity)
    }

    func free() { keys.deallocate() }

    /// Gives back room that only an unusual search needs.
    mutating func trim(to limit: Int) {
        guard capacity > limit else { return }
        keys.deallocate()
        keys = .allocate(capacity: limit)
        capacity = limit
        count = 0
    }

    /// Adds a key at the end.
    mutating func append(_ key: UInt64) {
        reserve(count + 1)
        keys[count] = key
        count &+= 1
    }

    mutating func reserve(_ wanted: Int) {
        guard wanted > capacity else { return }
        let larger = max(wanted, capacity * 2)
        let moved = UnsafeMutablePointer<UInt64>.allocate(capacity: larger)
        moved.moveInitialize(from: keys, count: count)
        keys.deallocate()
        keys = moved
        capacity = larger
    }

    // MARK: Sorted

    /// Adds a key where it belongs, unless `width` smaller ones are there; room for `width` must be reserved.
    ///
    /// - Returns: where, or −1.
    @inline(__always)
    mutating func insert(_ key: UInt64, width: Int) -> Int { insert(key, width: width) { _, _, _ in false } }

    /// Adds a key where it belongs, unless `width` smaller ones are there.
    ///
    /// - Parameter isCrowded: asked for a key that is as far as one beside its place, with all keys, their number and
    ///   the place; it is not added where that is true.
    /// - Returns: where, or −1.
    @inline(__always)
    mutating func insert(
        _ key: UInt64, width: Int, unless isCrowded: (UnsafeMutablePointer<UInt64>, Int, Int) -> Bool
    ) -> Int {
        if count == width {
            if width == 0 || key >= keys[width - 1] { return -1 }
        }
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) >> 1
            if keys[middle] < key { low = middle &+ 1 } else { high = middle }
        }
        let hasEqual =
            low > 0 && (keys[low &- 1] ^ key) >> 32 == 0 || low < count && (keys[low] ^ key) >> 32 == 0
        if hasEqual, isCrowded(keys, count, low) { return -1 }
        if count < width { count &+= 1 }
        memmove(keys + low + 1, keys + low, (count &- low &- 1) &* 8)
        keys[low] = key
        return low
    }

    // MARK: Heaps

    mutating func pushSmallest(_ key: UInt64) {
        reserve(count + 1)
        var place = count
        count &+= 1
        while place > 0 {
            let parent = (place &- 1) >> 1
            if keys[parent] <= key { break }
            keys[place] = keys[parent]
            place = parent
        }
        keys[place] = key
    }

    mutating func popSmallest() -> UInt64 {
        let top = keys[0]
        count &-= 1
        let key = keys[count]
        var place = 0
        while true {
            var child = 2 &* place &+ 1
            if child >= count { break }
            if child &+ 1 < count, keys[child &+ 1] < keys[child] { child &+= 1 }
            if key <= keys[child] { break }
            keys[place] = keys[child]
            place = child
        }
        keys[place] = key
        return top
    }

    /// Adds a key to a heap with the largest on top, which goes once there are more than `width`.
    mutating func pushLargest(_ key: UInt64, width: Int) {
        if count == width {
            guard width > 0, key < keys[0] else { return }
            siftLargest(key)
            return
        }
        reserve(count + 1)
        var place = count
        count &+= 1
        while place > 0 {
            let parent = (place &- 1) >> 1
            if keys[parent] >= key { break }
            keys[place] = keys[parent]
            place = parent
        }
        keys[place] = key
    }

    private func siftLargest(_ key: UInt64) {
        var place = 0
        while true {
            var child = 2 &* place &+ 1
            if child >= count { break }
            if child &+ 1 < count, keys[child &+ 1] > keys[child] { child &+= 1 }
            if key >= keys[child] { break }
            keys[place] = keys[child]
            place = child
        }
        keys[place] = key
    }

    /// Sorts whatever is there.
    func sort() {
        var all = UnsafeMutableBufferPointer(start: keys, count: count)
        all.sort()
    }
}
