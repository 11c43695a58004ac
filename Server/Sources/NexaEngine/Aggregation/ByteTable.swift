import NexaValue

/// Numbers by byte strings, in one arena: open addressing, without an allocation for a look-up.
struct ByteTable {
    private struct Slot {
        var hash: UInt64 = 0
        var start: UInt32 = 0
        var count: UInt32 = 0
        /// The number and one; 0 for an empty slot.
        var number: UInt32 = 0
    }

    private var slots = [Slot](repeating: Slot(), count: 64)
    private var arena: [UInt8] = []
    private var count = 0
    private let seed = UInt64.random(in: .min ... .max)

    /// Word by word, mixed with a multiplication; the seed is secret, so that nobody can make keys collide on purpose.
    private func hash(_ bytes: RawSpan) -> UInt64 {
        var hash = seed ^ UInt64(bytes.byteCount)
        var offset = 0
        while offset + 8 <= bytes.byteCount {
            hash = Self.mix(hash ^ (unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < bytes.byteCount {
            rest = rest << 8 | UInt64(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            offset += 1
        }
        return Self.mix(hash ^ rest)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }

    func find(_ bytes: RawSpan) -> Int? {
        let hash = hash(bytes)
        var place = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[place].number != 0 {
            let slot = slots[place]
            if slot.hash == hash, Int(slot.count) == bytes.byteCount {
                let start = Int(slot.start)
                if arena.span.bytes.extracting(start..<start + bytes.byteCount).elementsEqual(bytes) {
                    return Int(slot.number) - 1
                }
            }
            place = (place + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Adds bytes that are not there yet. What would outgrow the arena is left out, and looked up in another way.
    mutating func insert(_ bytes: RawSpan, _ number: Int) {
        guard arena.count + bytes.byteCount < 1 << 31 else { return }
        if (count + 1) * 2 > slots.count { grow() }
        let start = arena.count
        bytes.withUnsafeBytes { arena.append(contentsOf: $0) }
        place(
            Slot(
                hash: hash(bytes), start: UInt32(start), count: UInt32(bytes.byteCount), number: UInt32(number + 1)))
        count += 1
    }

    private mutating func place(_ slot: Slot) {
        var place = Int(truncatingIfNeeded: slot.hash) & (slots.count - 1)
        while slots[place].number != 0 { place = (place + 1) & (slots.count - 1) }
        slots[place] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Slot(), count: old.count * 2)
        for slot in old where slot.number != 0 { place(slot) }
    }
}
