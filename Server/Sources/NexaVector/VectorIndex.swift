import CNexaVector
import Glibc
import NexaStorage

/// Vectors of one field, found by nearness: a Hierarchical Navigable Small World graph (Malkov and Yashunin, 2016)
/// that can be searched while it changes.
///
/// Everything is addressed by the document's id as opaque bytes (1 to 1025 of them). All methods may be called from
/// any thread at any time. A vector is found from `put` on; `link` has to be called now and then, or every search
/// compares with all new vectors one by one.
public final class VectorIndex: Sendable {
    /// What the index was made for.
    public let configuration: Configuration
    let rows: RowStore
    let state: Monitor<IndexState>

    /// An empty index.
    ///
    /// - Parameter seed: what the levels of the graph are drawn from.
    public convenience init(_ configuration: Configuration, seed: UInt64 = 0x6E65_7861) throws(VectorError) {
        try configuration.validate()
        let rows = RowStore(configuration)
        self.init(rows, IndexState(rows, seed: seed))
    }

    init(_ rows: RowStore, _ state: IndexState) {
        configuration = rows.configuration
        self.rows = rows
        self.state = Monitor(state)
    }

    deinit {
        state.withLock { state in
            for slot in 0..<state.bound where rows[slot].pointee.upper != nil { free(rows[slot].pointee.upper) }
            state.arena.freeAll()
        }
    }

    /// The number of vectors.
    public var count: Int { state.withLock { $0.ids.count } }

    /// How many vectors wait to be linked into the graph; searches scan them one by one.
    public var unlinkedCount: Int { state.withLock { $0.waitingCount } }

    /// How many replaced and removed vectors still take memory that `link` makes usable again.
    public var removedCount: Int {
        state.withLock { Int($0.bound) - $0.free.count - $0.ids.count }
    }

    /// Bytes in use: rows that hold or held a vector, ids, and what searches keep.
    public var memoryUse: Int {
        state.withLock { state in
            Int(state.bound) * rows.space.pointee.stride + state.upperBytes + state.arena.size
                + state.ids.capacity * 8 + state.free.capacity * 4
                + state.contextCount * (state.contexts.first?.memoryUse ?? 0)
        }
    }

    /// One more than the largest slot that was ever in use.
    public var slotBound: UInt32 { state.withLock { $0.bound } }

    /// Whether there is a vector of this id.
    public func contains(_ id: [UInt8]) -> Bool { slot(of: id) != nil }

    /// Where the vector of an id lies now.
    public func slot(of id: [UInt8]) -> UInt32? { slot(of: id.span) }

    /// Where the vector of an id lies now.
    public func slot(of id: Span<UInt8>) -> UInt32? {
        id.withUnsafeBufferPointer { id in state.withLock { $0.slot(id) } }
    }

    /// The vector of an id as it is kept: exact for float32 (cosine: to within rounding), else as near as its encoding.
    public func vector(of id: [UInt8]) -> [Float]? {
        id.withUnsafeBufferPointer { id in
            state.withLock { state in state.slot(id).map { rows.vector(rows[$0]) } }
        }
    }

    /// Whose vector lies there.
    public func id(of slot: UInt32) -> [UInt8]? {
        state.withLock { state in
            guard slot < state.bound, rows[slot].isAlive else { return nil }
            return Array(rows[slot].idBytes)
        }
    }

    /// Gives the id whose vector lies there to `body`, without making an array; `nil` when the slot is empty.
    public func withID<Result, Failure: Error>(of slot: UInt32, _ body: (Span<UInt8>) throws(Failure) -> Result)
        throws(Failure) -> Result?
    {
        // A copy, so that the body runs outside of the lock.
        let result: Swift.Result<Result, Failure>? = withUnsafeTemporaryAllocation(
            of: UInt8.self, capacity: IDArena.limit
        ) { buffer in
            let count = state.withLock { state in
                guard slot < state.bound, rows[slot].isAlive else { return 0 }
                return buffer.update(fromContentsOf: rows[slot].idBytes)
            }
            guard count > 0 else { return nil }
            let id = UnsafeBufferPointer(rebasing: buffer[..<count])
            return Swift.Result { () throws(Failure) in try body(Span(_unsafeElements: id)) }
        }
        return try result?.get()
    }

    /// Calls `body` with every id and vector, in no order, until it returns `false`. What is put or removed meanwhile
    /// may be among them or not.
    public func forEach(_ body: (Span<UInt8>, Span<Float>) -> Bool) {
        let (context, bound) = state.withLock { ($0.begin(), $0.bound) }
        defer { state.withLock { $0.end(context) } }
        for slot in 0..<bound {
            let row = rows[slot]
            guard row.isAlive else { continue }
            let vector = rows.vector(row)
            if !body(Span(_unsafeElements: row.idBytes), vector.span) { return }
        }
    }
}
