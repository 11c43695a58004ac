/// Those who wait, in order. One who goes leaves a gap that is passed over, so that leaving costs nothing.
@usableFromInline struct WaitQueue<Waiter: Sendable>: Sendable {
    @usableFromInline struct Entry: Sendable {
        /// `nil` once the waiter was served, refused or has gone.
        var waiter: Waiter?
        var deadline: MonotonicInstant
        /// Requests on one connection that it needs room for.
        var need: Int
        /// Its place among the waiters of all queues.
        var ordinal: UInt64
    }

    private(set) var entries = Ring<Entry>()
    private var firstSequence: UInt64 = 0
    /// Those that are still there.
    @usableFromInline var count = 0

    /// Gaps included; what bounds the memory.
    var placeCount: Int { entries.count }
    @inlinable var isEmpty: Bool { count == 0 }
    /// The first entry is never a gap.
    var firstNeed: Int? { entries.first?.need }
    var firstOrdinal: UInt64? { entries.first?.ordinal }

    mutating func append(_ waiter: Waiter, need: Int, deadline: MonotonicInstant, ordinal: UInt64) -> UInt64 {
        entries.append(Entry(waiter: waiter, deadline: deadline, need: need, ordinal: ordinal))
        count += 1
        return firstSequence + UInt64(entries.count) - 1
    }

    mutating func popFirst() -> Waiter? {
        guard let entry = entries.popFirst() else { return nil }
        firstSequence += 1
        count -= 1
        trim()
        return entry.waiter
    }

    /// `nil` for one that was served, refused or withdrawn before.
    mutating func remove(_ sequence: UInt64) -> Waiter? {
        guard sequence >= firstSequence, sequence - firstSequence < UInt64(entries.count) else { return nil }
        return remove(at: Int(sequence - firstSequence))
    }

    private mutating func remove(at position: Int) -> Waiter? {
        guard let waiter = entries[position].waiter else { return nil }
        entries[position].waiter = nil
        count -= 1
        trim()
        return waiter
    }

    /// Takes out everyone whose time is over.
    mutating func expire(at now: MonotonicInstant, _ body: (Waiter) -> Void) {
        for position in 0..<entries.count where entries[position].deadline <= now {
            guard let waiter = entries[position].waiter else { continue }
            entries[position].waiter = nil
            count -= 1
            body(waiter)
        }
        trim()
    }

    /// The earliest end of someone's time.
    var nextDeadline: MonotonicInstant? {
        var next: MonotonicInstant?
        for position in 0..<entries.count where entries[position].waiter != nil {
            next = next.map { min($0, entries[position].deadline) } ?? entries[position].deadline
        }
        return next
    }

    private mutating func trim() {
        while let first = entries.first, first.waiter == nil {
            _ = entries.popFirst()
            firstSequence += 1
        }
    }
}
