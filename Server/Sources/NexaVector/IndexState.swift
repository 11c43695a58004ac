import CNexaVector
import Glibc

/// What the index's lock guards: who is where, and what is to be done.
struct IndexState {
    let rows: RowStore
    var ids = IDTable()
    var arena = IDArena()
    let hashKey: (UInt64, UInt64)

    /// The slots that were ever in use are below this.
    var bound: UInt32 = 0
    var free: [UInt32] = []
    /// What the lists of upper levels take.
    var upperBytes = 0

    var waiting = WaitingQueue()
    /// How many of those that wait, or are being linked, are alive.
    var waitingCount = 0
    /// Where walks begin.
    var entry: (slot: UInt32, level: Int)?
    var levels: LevelGenerator

    /// Dead rows of the graph that no pass is about yet.
    var dead: [UInt32] = []
    var pass: RepairPass?
    var prefersRepair = false
    /// Rows that no operation reaches which begins after the moment.
    var retired: [(moment: Int, slots: [UInt32])] = []
    var retiredCount = 0

    var epochs = Epochs()
    var contexts: [SearchContext] = []
    var contextCount = 0

    /// Operations that change the graph now.
    var linkers = 0
    /// There while an image is written: no operation may change the graph then.
    var saving: ChangesMeanwhile?

    init(_ rows: RowStore, seed: UInt64) {
        self.rows = rows
        var random = SystemRandomNumberGenerator()
        hashKey = (random.next(), random.next())
        levels = LevelGenerator(seed: seed, connections: rows.configuration.maxConnections)
    }

    /// Rows of the graph that are dead, in a pass or not.
    var deadCount: Int { dead.count + (pass?.slots.count ?? 0) }
    /// Rows of the graph that are alive, about.
    var linkedCount: Int { ids.count - waitingCount }

    // MARK: Ids

    func hash(_ id: UnsafeBufferPointer<UInt8>) -> UInt32 {
        guard let start = id.baseAddress else { return 0 }
        return UInt32(truncatingIfNeeded: nexa_hash(hashKey.0, hashKey.1, start, id.count))
    }

    func slot(_ id: UnsafeBufferPointer<UInt8>, hash: UInt32) -> UInt32? {
        ids.find(hash) { slot in
            guard let other = rows[slot].idBytes.baseAddress, let wanted = id.baseAddress else { return false }
            return rows[slot].idBytes.count == id.count && memcmp(other, wanted, id.count) == 0
        }
    }

    func slot(_ id: UnsafeBufferPointer<UInt8>) -> UInt32? { slot(id, hash: hash(id)) }

    // MARK: Rows

    /// A row for a new vector.
    mutating func takeRow(level: Int) throws(VectorError) -> UInt32 {
        reclaim()
        let slot: UInt32
        if let last = free.last {
            slot = last
        } else {
            guard bound < RowStore.slotLimit, rows.grow(to: bound) else { throw .outOfMemory }
            slot = bound
        }
        guard rows.prepare(rows[slot], level: level, isFresh: free.isEmpty) else { throw .outOfMemory }
        if free.isEmpty { bound += 1 } else { free.removeLast() }
        upperBytes += rows.upperBytes(level: level)
        return slot
    }

    /// Gives a row back that nobody reaches.
    mutating func freeRow(_ slot: UInt32) {
        let row = rows[slot]
        nexa_set_state(row, RowState.free)
        if let id = row.pointee.id { arena.free(id) }
        row.pointee.id = nil
        if let upper = row.pointee.upper { Glibc.free(upper) }
        upperBytes -= rows.upperBytes(level: Int(row.pointee.level))
        row.pointee.upper = nil
        free.append(slot)
    }

    /// Lets a row go that operations from now on do not reach.
    mutating func retire(_ slots: [UInt32]) {
        guard !slots.isEmpty else { return }
        retired.append((epochs.now, slots))
        retiredCount += slots.count
    }

    /// Frees what was let go and is out of everyone's sight.
    mutating func reclaim() {
        guard saving == nil else { return }
        while let first = retired.first, epochs.isOver(first.moment) {
            for slot in first.slots { freeRow(slot) }
            retiredCount -= first.slots.count
            retired.removeFirst()
        }
    }

    /// Makes the row of an id a dead one.
    mutating func kill(_ slot: UInt32) {
        let row = rows[slot]
        let state = row.state
        nexa_set_state(row, state | RowState.dead)
        saving?.killed.append(slot)
        if state == RowState.linked { dead.append(slot) } else { waitingCount -= 1 }
    }

    // MARK: Operations

    /// Begins an operation on the graph.
    mutating func begin() -> SearchContext {
        let context: SearchContext
        if let last = contexts.popLast() {
            context = last
        } else {
            context = SearchContext(rows)
            contextCount += 1
        }
        context.epoch = epochs.enter()
        return context
    }

    mutating func end(_ context: SearchContext) {
        epochs.leave(context.epoch)
        contexts.append(context)
    }
}

extension VectorError {
    static var outOfMemory: VectorError {
        VectorError(
            .outOfMemory, "There is no memory for another vector",
            advice: "Give the server more memory, or quantise the index (float16, int8)")
    }
}

/// Draws the levels of rows: level l with probability M^−l, as in the paper.
struct LevelGenerator {
    private(set) var state: UInt64
    private let factor: Double

    init(seed: UInt64, connections: Int) {
        state = seed
        factor = 1 / log(Double(connections))
    }

    mutating func next() -> Int {
        // SplitMix64 (Steele, Lea and Flood, 2014).
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        let uniform = (Double(mixed >> 11) + 0.5) * 0x1p-53
        return min(Int(-log(uniform) * factor), 30)
    }
}
