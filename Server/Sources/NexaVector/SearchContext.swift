import CNexaVector
import Glibc

/// What one operation needs beside the graph, kept for the next one: marks of visited rows, and room for queries and
/// candidates. Used by one thread at a time.
final class SearchContext {
    let rows: RowStore
    var epoch = 0

    private(set) var visited: UnsafeMutablePointer<UInt8>
    private var visitedCapacity: Int
    private(set) var mark: UInt8 = 0
    /// Slots from here on are too new for the operation.
    private(set) var bound: UInt32 = 0

    let query: UnsafeMutablePointer<nexa_query>
    let queryBuffer: UnsafeMutableRawPointer
    /// A stored row as a query.
    let rowQuery: UnsafeMutablePointer<nexa_query>
    let rowBuffer: UnsafeMutableRawPointer

    /// The rows that are compared together.
    static let batch = 264
    let slots: UnsafeMutablePointer<UInt32>
    let found: UnsafeMutablePointer<UnsafePointer<nexa_row>?>
    let distances: UnsafeMutablePointer<Float>

    var pool = KeyPool()
    var results = KeyPool()
    /// Neighbours that were chosen, and their rows.
    var chosen = KeyPool(capacity: SearchContext.batch)
    let chosenRows: UnsafeMutablePointer<UnsafePointer<nexa_row>?>
    /// Which of them have the vector of the row that they are chosen for.
    let areTwins: UnsafeMutablePointer<Bool>
    var candidates = KeyPool(capacity: SearchContext.batch)
    var neighbours = KeyPool(capacity: SearchContext.batch)

    /// What orders equally distant rows: the eldest first.
    let salt: UInt32 = 0
    /// Rows of the graph whose distance was computed.
    var visits = 0
    /// Distances that were computed for rows outside of the walk.
    var scanned = 0

    init(_ rows: RowStore) {
        self.rows = rows
        visitedCapacity = 1024
        visited = .allocate(capacity: visitedCapacity)
        visited.initialize(repeating: 0, count: visitedCapacity)
        query = .allocate(capacity: 1)
        query.initialize(to: nexa_query())
        rowQuery = .allocate(capacity: 1)
        rowQuery.initialize(to: nexa_query())
        queryBuffer = .allocate(byteCount: rows.queryBytes, alignment: 64)
        rowBuffer = .allocate(byteCount: rows.queryBytes, alignment: 64)
        slots = .allocate(capacity: Self.batch)
        slots.initialize(repeating: 0, count: Self.batch)
        found = .allocate(capacity: Self.batch)
        found.initialize(repeating: nil, count: Self.batch)
        distances = .allocate(capacity: Self.batch)
        distances.initialize(repeating: 0, count: Self.batch)
        chosenRows = .allocate(capacity: Self.batch)
        chosenRows.initialize(repeating: nil, count: Self.batch)
        areTwins = .allocate(capacity: Self.batch)
        areTwins.initialize(repeating: false, count: Self.batch)
    }

    deinit {
        visited.deallocate()
        query.deallocate()
        rowQuery.deallocate()
        queryBuffer.deallocate()
        rowBuffer.deallocate()
        slots.deallocate()
        found.deallocate()
        distances.deallocate()
        chosenRows.deallocate()
        areTwins.deallocate()
        pool.free()
        results.free()
        chosen.free()
        candidates.free()
        neighbours.free()
    }

    /// Bytes that the context holds.
    var memoryUse: Int { visitedCapacity + 2 * rows.queryBytes + Self.batch * 29 + 24 * 1024 }

    /// Begins an operation that knows the slots below `bound`.
    func begin(bound: UInt32) {
        self.bound = bound
        pool.trim(to: 1 << 16)
        results.trim(to: 1 << 16)
        candidates.trim(to: 1 << 16)
        visits = 0
        scanned = 0
        guard bound > visitedCapacity else { return }
        visited.deallocate()
        visitedCapacity = Int(bound) + Int(bound) / 4
        visited = .allocate(capacity: visitedCapacity)
        visited.initialize(repeating: 0, count: visitedCapacity)
        mark = 0
    }

    /// Forgets which rows were visited.
    func newVisit() {
        mark &+= 1
        guard mark == 0 else { return }
        memset(visited, 0, visitedCapacity)
        mark = 1
    }

    /// Marks a slot; `false` when it was, or when it is too new.
    func visit(_ slot: UInt32) -> Bool {
        guard slot < bound, visited[Int(slot)] != mark else { return false }
        visited[Int(slot)] = mark
        return true
    }

    /// The distance of one row to the query.
    func distance(to row: Row) -> Float {
        found[0] = UnsafePointer(row)
        nexa_distances(rows.space, query, found, 1, distances)
        return distances[0]
    }

    /// The unvisited neighbours of a row: their number, with slots, rows and distances in the buffers.
    @inline(__always)
    func expand(_ row: Row, level: UInt32) -> Int {
        let list = nexa_list_of(rows.space, row, level)
        let count = Int(nexa_gather(rows.space, list, visited, mark, bound, slots, found))
        visits &+= count
        return count
    }
}
