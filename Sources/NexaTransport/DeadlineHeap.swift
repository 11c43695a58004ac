/// A binary heap of deadlines whose entries can be cancelled in O(log n).
///
/// Entries live in numbered slots; the heap orders slot numbers. An `ID` is a slot and its generation, so
/// that an ID of a fired or cancelled entry is recognised as stale and never touches the slot's next user.
struct DeadlineHeap<Instant: Comparable, Payload> {
    /// Names one scheduled entry. Stale once the entry was popped or cancelled.
    struct ID: Hashable, Sendable {
        let slot: UInt32
        let generation: UInt32
    }

    private struct Slot {
        var generation: UInt32 = 0
        var position: Int = -1
        var payload: Payload?
    }

    private var heap: [(deadline: Instant, slot: UInt32)] = []
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []

    /// The number of entries that are scheduled.
    var count: Int { heap.count }

    /// The earliest deadline.
    var next: Instant? { heap.first?.deadline }

    /// Adds an entry.
    mutating func insert(_ payload: Payload, at deadline: Instant) -> ID {
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot())
        }
        slots[Int(slot)].payload = payload
        slots[Int(slot)].position = heap.count
        heap.append((deadline, slot))
        siftUp(heap.count - 1)
        return ID(slot: slot, generation: slots[Int(slot)].generation)
    }

    /// Removes an entry; `nil` when it has fired or was removed before.
    @discardableResult
    mutating func remove(_ id: ID) -> Payload? {
        guard Int(id.slot) < slots.count else { return nil }
        let slot = slots[Int(id.slot)]
        guard slot.generation == id.generation, slot.position >= 0 else { return nil }
        return removeEntry(at: slot.position)
    }

    /// Removes the earliest entry if its deadline is not after `now`.
    mutating func popExpired(_ now: Instant) -> Payload? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        return removeEntry(at: 0)
    }

    /// Removes everything.
    mutating func removeAll() {
        while !heap.isEmpty { _ = removeEntry(at: heap.count - 1) }
    }

    private mutating func removeEntry(at position: Int) -> Payload? {
        let slot = heap[position].slot
        let last = heap.count - 1
        if position != last { swapEntries(position, last) }
        heap.removeLast()
        if position < heap.count {
            siftDown(position)
            siftUp(position)
        }
        let payload = slots[Int(slot)].payload
        slots[Int(slot)].payload = nil
        slots[Int(slot)].position = -1
        slots[Int(slot)].generation &+= 1
        freeSlots.append(slot)
        return payload
    }

    private mutating func swapEntries(_ left: Int, _ right: Int) {
        heap.swapAt(left, right)
        slots[Int(heap[left].slot)].position = left
        slots[Int(heap[right].slot)].position = right
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].deadline < heap[parent].deadline else { return }
            swapEntries(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].deadline < heap[least].deadline { least = child }
            }
            guard least != parent else { return }
            swapEntries(parent, least)
            parent = least
        }
    }
}
