import CRocksDB
import Glibc

/// Values by key in a ring of memory: new entries at its head, eviction at its tail.
///
/// An entry is a header, the key and the value in one piece, at a multiple of 8 bytes; a table of slots (open
/// addressing, linear probing, backward-shift deletion) leads to it by 32 bits of the key's hash. An entry that
/// was read since it was placed is placed anew when the tail comes to it, in place of being evicted.
///
/// Ring and table are allocated once and are all the memory there is. One thread at a time uses it, whose key and
/// value are copied in, and who copies a value out before another does.
struct ValueRing {
    private struct Slot {
        var tag: UInt32
        /// The entry's offset in 8 bytes, and 1; 0 marks a free slot.
        var place: UInt32
    }

    private struct Header {
        var tag: UInt32
        var valueLength: UInt32
        var keyLength: UInt16
        var state: UInt8
        /// Of an entry with `isWritten`: the low bits of the epoch of the change that wrote it.
        var epoch: UInt8

        static let isLive: UInt8 = 1
        static let wasRead: UInt8 = 2
        static let isWritten: UInt8 = 4
        static let byteCount = 12

        var keyStart: Int { Self.byteCount }
        var entrySize: Int { ValueRing.entrySize(Int(keyLength), Int(valueLength)) }
    }

    /// How many entries one insertion places anew before it evicts those that were read, too: it has to be quick.
    private static let secondChances = 8
    /// One slot for so many bytes.
    private static let bytesPerSlot = 64

    private let ring: UnsafeMutableRawPointer?
    private let size: Int
    private let slots: UnsafeMutablePointer<Slot>?
    private let slotCount: Int
    private var count = 0
    // The entries lie in tail ..< head, or, once the head is back at the beginning, in tail ..< lapEnd and 0 ..< head.
    private var head = 0
    private var tail = 0
    private var lapEnd = 0
    private var isWrapped = false

    /// Takes memory of at most so many bytes; none when that is too little, or not to be had.
    init(byteCount: Int) {
        let wanted = min(byteCount, 16 << 30)
        guard wanted >= 1024 else {
            self.init(nil, 0, nil, 0)
            return
        }
        // The largest power of two in it.
        let slotCount = 1 << (Int.bitWidth - 1 - (wanted / Self.bytesPerSlot).leadingZeroBitCount)
        let size = (wanted - slotCount * MemoryLayout<Slot>.stride) & ~7
        let slotBytes = slotCount * MemoryLayout<Slot>.stride
        // Whole pages of zeros, which can be given back.
        guard let slots = mmap(nil, slotBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            slots != MAP_FAILED
        else {
            self.init(nil, 0, nil, 0)
            return
        }
        guard let ring = malloc(size) else {
            munmap(slots, slotBytes)
            self.init(nil, 0, nil, 0)
            return
        }
        self.init(ring, size, slots.bindMemory(to: Slot.self, capacity: slotCount), slotCount)
    }

    private init(
        _ ring: UnsafeMutableRawPointer?, _ size: Int, _ slots: UnsafeMutablePointer<Slot>?, _ slotCount: Int
    ) {
        self.ring = ring
        self.size = size
        self.slots = slots
        self.slotCount = slotCount
    }

    /// Gives the memory back; the ring is not used afterwards.
    mutating func free() {
        Glibc.free(ring)
        if let slots { munmap(slots, slotBytes) }
        self = ValueRing(nil, 0, nil, 0)
    }

    /// Whether there is memory to hold anything.
    var canHold: Bool { ring != nil }

    // MARK: Finding

    /// The value of a key, where it lies.
    ///
    /// - Parameter hidden: an epoch whose values are not shown.
    func find(
        _ hash: UInt64, _ key: UnsafeRawBufferPointer, hiding hidden: UInt64?
    ) -> UnsafeRawBufferPointer? {
        guard let ring, let slots, let index = locate(hash, key) else { return nil }
        let start = Self.offset(slots[index])
        let header = ring.load(fromByteOffset: start, as: Header.self)
        // Another change of the same low bits may be hidden for a moment as well: then the tables are asked.
        if let hidden, header.state & Header.isWritten != 0, header.epoch == UInt8(truncatingIfNeeded: hidden) {
            return nil
        }
        if header.state & Header.wasRead == 0 { setState(header.state | Header.wasRead, at: start) }
        let value = ring + start + header.keyStart + Int(header.keyLength)
        return UnsafeRawBufferPointer(start: value, count: Int(header.valueLength))
    }

    /// Whether there is an entry of the key.
    func contains(_ hash: UInt64, _ key: UnsafeRawBufferPointer) -> Bool { locate(hash, key) != nil }

    private func locate(_ hash: UInt64, _ key: UnsafeRawBufferPointer) -> Int? {
        guard let ring, let slots, count > 0, let keyStart = key.baseAddress else { return nil }
        let tag = UInt32(truncatingIfNeeded: hash)
        let mask = slotCount &- 1
        var index = Int(tag) & mask
        while slots[index].place != 0 {
            if slots[index].tag == tag {
                let start = Self.offset(slots[index])
                let header = ring.load(fromByteOffset: start, as: Header.self)
                if Int(header.keyLength) == key.count, memcmp(ring + start + header.keyStart, keyStart, key.count) == 0
                {
                    return index
                }
            }
            index = (index &+ 1) & mask
        }
        return nil
    }

    /// Where the slots are, of which the first one for a hash is `hash & slotMask`; only to be fetched ahead.
    var slotBase: UnsafeRawPointer? { UnsafeRawPointer(slots) }
    var slotMask: Int { slotCount - 1 }
    static var slotSize: Int { MemoryLayout<Slot>.stride }

    /// Has the processor fetch what is likely to be the entry of a hash.
    func prefetch(_ hash: UInt64) {
        guard let ring, let slots, count > 0 else { return }
        let tag = UInt32(truncatingIfNeeded: hash)
        let mask = slotCount &- 1
        var index = Int(tag) & mask
        while slots[index].place != 0 {
            if slots[index].tag == tag {
                let start = ring + Self.offset(slots[index])
                for line in 0..<3 { nexa_prefetch(start + line * 64) }
                return
            }
            index = (index &+ 1) & mask
        }
    }

    // MARK: Changing

    /// Adds an entry for a key that has none, unless it is too large; at the expense of the oldest ones.
    ///
    /// - Parameter epoch: of the change that writes the value; `nil` for one that was read.
    mutating func insert(
        _ hash: UInt64, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, writtenIn epoch: UInt64?
    ) {
        let needed = Self.entrySize(key.count, value.count)
        guard let ring, let keyStart = key.baseAddress, key.count <= Int(UInt16.max), needed <= size / 4 else { return }
        var chances = Self.secondChances
        while count >= slotCount / 4 * 3 { passTail(&chances) }
        makeRoom(needed, &chances)
        let tag = UInt32(truncatingIfNeeded: hash)
        ring.storeBytes(
            of: Header(
                tag: tag, valueLength: UInt32(value.count), keyLength: UInt16(key.count),
                state: epoch == nil ? Header.isLive : Header.isLive | Header.isWritten,
                epoch: UInt8(truncatingIfNeeded: epoch ?? 0)),
            toByteOffset: head, as: Header.self)
        let target = ring + head + Header.byteCount
        target.copyMemory(from: keyStart, byteCount: key.count)
        if let valueStart = value.baseAddress {
            (target + key.count).copyMemory(from: valueStart, byteCount: value.count)
        }
        addSlot(tag, head)
        count += 1
        head += needed
    }

    /// Removes the entry of a key, if there is one; its room is free when the tail comes to it.
    mutating func remove(_ hash: UInt64, _ key: UnsafeRawBufferPointer) {
        guard let slots, let index = locate(hash, key) else { return }
        setState(0, at: Self.offset(slots[index]))
        removeSlot(index)
        count -= 1
    }

    private var slotBytes: Int { slotCount * MemoryLayout<Slot>.stride }

    /// Removes everything, in little time whatever the size.
    mutating func removeAll() {
        // The pages are zeros again when they are touched next.
        if let slots, count > 0, madvise(slots, slotBytes, MADV_DONTNEED) != 0 {
            slots.update(repeating: Slot(tag: 0, place: 0), count: slotCount)
        }
        count = 0
        (head, tail, isWrapped) = (0, 0, false)
    }

    private static func entrySize(_ key: Int, _ value: Int) -> Int { (Header.byteCount + key + value + 7) & ~7 }

    private static func offset(_ slot: Slot) -> Int { Int(slot.place &- 1) << 3 }

    private func setState(_ state: UInt8, at start: Int) {
        ring?.storeBytes(of: state, toByteOffset: start + 10, as: UInt8.self)
    }

    // MARK: Room

    /// Whether so many bytes are free at the head; brings the head back to the beginning if they are free there.
    private mutating func hasRoom(_ needed: Int) -> Bool {
        if isWrapped { return tail - head >= needed }
        if size - head >= needed { return true }
        guard tail >= needed else { return false }
        lapEnd = head
        head = 0
        isWrapped = true
        return true
    }

    private mutating func makeRoom(_ needed: Int, _ chances: inout Int) {
        while !hasRoom(needed) { passTail(&chances) }
    }

    /// Evicts the oldest entry, or places it anew if it was read and there are chances left.
    private mutating func passTail(_ chances: inout Int) {
        guard let ring, let slots else { return }
        let start = tail
        let header = ring.load(fromByteOffset: start, as: Header.self)
        let entrySize = header.entrySize
        tail += entrySize
        if isWrapped, tail == lapEnd {
            tail = 0
            isWrapped = false
        } else if !isWrapped, tail == head {
            tail = 0
            head = 0
        }
        guard header.state & Header.isLive != 0 else { return }
        var index = Int(header.tag) & (slotCount - 1)
        while Self.offset(slots[index]) != start { index = (index + 1) & (slotCount - 1) }
        guard header.state & Header.wasRead != 0, chances > 0, hasRoom(entrySize) else {
            removeSlot(index)
            count -= 1
            return
        }
        chances -= 1
        // Old and new place may overlap.
        memmove(ring + head, ring + start, entrySize)
        setState(header.state & ~Header.wasRead, at: head)
        slots[index].place = UInt32(truncatingIfNeeded: head >> 3) &+ 1
        head += entrySize
    }

    // MARK: Slots

    private func addSlot(_ tag: UInt32, _ start: Int) {
        guard let slots else { return }
        var index = Int(tag) & (slotCount - 1)
        while slots[index].place != 0 { index = (index + 1) & (slotCount - 1) }
        slots[index] = Slot(tag: tag, place: UInt32(truncatingIfNeeded: start >> 3) &+ 1)
    }

    private func removeSlot(_ index: Int) {
        guard let slots else { return }
        let mask = slotCount - 1
        var hole = index
        var next = (hole + 1) & mask
        while slots[next].place != 0 {
            let home = Int(slots[next].tag) & mask
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = Slot(tag: 0, place: 0)
    }
}
