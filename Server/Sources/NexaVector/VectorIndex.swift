import CNexaVector
import NexaStorage

/// Vectors of one field, found by nearness: a Hierarchical Navigable Small World graph (Malkov and Yashunin, 2016)
/// that can be searched while it changes.
///
/// Everything is addressed by the document's id as opaque bytes (1 to 1025 of them). All methods may be called from
/// any thread at any time.
public final class VectorIndex: Sendable {
    struct Entry {
        var slot: UInt32
        var vector: [Float]
    }
    struct State {
        var entries: [[UInt8]: Entry] = [:]
        var ids: [UInt32: [UInt8]] = [:]
        var next: UInt32 = 0
        var waiting = 0
    }

    /// What the index was made for.
    public let configuration: Configuration
    private let state = Monitor(State())

    /// An empty index.
    ///
    /// - Parameter seed: what the levels of the graph are drawn from.
    public init(_ configuration: Configuration, seed: UInt64 = 0x6E65_7861) throws(VectorError) {
        try configuration.validate()
        self.configuration = configuration
    }

    /// The number of vectors.
    public var count: Int { state.withLock { $0.entries.count } }
    /// How many vectors wait to be linked into the graph; searches scan them one by one.
    public var unlinkedCount: Int { state.withLock { $0.waiting } }
    /// Bytes in use.
    public var memoryUse: Int { state.withLock { $0.entries.count * (4 * configuration.dimensions + 64) } }
    /// One more than the largest slot in use.
    public var slotBound: UInt32 { state.withLock { $0.next } }

    /// Throws what `put` would throw about the vector, and nothing when it is fine.
    public func validate(_ vector: Span<Float>) throws(VectorError) {
        guard vector.count == configuration.dimensions else {
            throw VectorError(
                .wrongDimensions, "The vector has \(vector.count) dimensions, the index \(configuration.dimensions)",
                advice: "Give a vector with \(configuration.dimensions) components")
        }
        for index in vector.indices where !vector[index].isFinite {
            throw VectorError(
                .notFinite, "Component \(index) of the vector is \(vector[index])", advice: "Give finite numbers")
        }
    }

    /// Makes the vector of `id` this one: visible to searches at once, scanned exactly until it is linked.
    public func put(_ vector: Span<Float>, id: Span<UInt8>) throws(VectorError) {
        try validate(vector)
        let key = id.withUnsafeBufferPointer { Array($0) }
        let values = vector.withUnsafeBufferPointer { Array($0) }
        state.withLock { state in
            if let old = state.entries[key] { state.ids[old.slot] = nil }
            state.entries[key] = Entry(slot: state.next, vector: values)
            state.ids[state.next] = key
            state.next += 1
            state.waiting += 1
        }
    }

    /// Makes the vector of `id` this one.
    public func put(_ vector: [Float], id: [UInt8]) throws(VectorError) { try put(vector.span, id: id.span) }

    /// Takes the vector of `id` out; no search that begins afterwards finds it.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    public func remove(_ id: Span<UInt8>) -> Bool {
        let key = id.withUnsafeBufferPointer { Array($0) }
        return state.withLock { state in
            guard let old = state.entries.removeValue(forKey: key) else { return false }
            state.ids[old.slot] = nil
            return true
        }
    }

    /// Takes the vector of `id` out; no search that begins afterwards finds it.
    @discardableResult
    public func remove(_ id: [UInt8]) -> Bool { remove(id.span) }

    /// Links up to `limit` waiting vectors into the graph, and repairs it around removed ones, so that their memory is
    /// used again. Several threads may do so at once.
    ///
    /// - Returns: how many were done; 0 when nothing is left to do now.
    @discardableResult
    public func link(limit: Int) -> Int {
        state.withLock { state in
            let done = min(limit, state.waiting)
            state.waiting -= done
            return done
        }
    }

    /// Whether there is a vector of this id.
    public func contains(_ id: [UInt8]) -> Bool { state.withLock { $0.entries[id] != nil } }

    /// The vector of an id as it is kept: exact for float32, and to within rounding otherwise.
    public func vector(of id: [UInt8]) -> [Float]? { state.withLock { $0.entries[id]?.vector } }

    /// Where the vector of an id lies now.
    public func slot(of id: [UInt8]) -> UInt32? { state.withLock { $0.entries[id]?.slot } }

    /// Whose vector lies there.
    public func id(of slot: UInt32) -> [UInt8]? { state.withLock { $0.ids[slot] } }

    /// Gives the id whose vector lies there to `body`, without the array; `nil` when the slot is empty.
    public func withID<Result, Failure: Error>(of slot: UInt32, _ body: (Span<UInt8>) throws(Failure) -> Result)
        throws(Failure) -> Result?
    {
        guard let id = id(of: slot) else { return nil }
        return try body(id.span)
    }

    /// Calls `body` with every id and vector, in no order, until it returns `false`.
    public func forEach(_ body: (Span<UInt8>, Span<Float>) -> Bool) {
        for (id, entry) in state.withLock({ $0.entries }) where !body(id.span, entry.vector.span) { return }
    }

    /// The nearest vectors by the graph, and by an exact scan of those that are not linked yet.
    ///
    /// - Parameters:
    ///   - query: as long as the vectors are; otherwise, or when it is not finite, nothing is found.
    ///   - k: how many to find at most.
    ///   - ef: how many candidates to keep during the walk; `k` when it is smaller.
    ///   - visitLimit: how many vectors of the graph the walk may reach.
    ///   - predicate: whether the vector at a slot may be a result; others are walked through. It must not change
    ///     the index.
    public func search(
        _ query: Span<Float>, k: Int, ef: Int, visitLimit: Int? = nil, predicate: ((UInt32) -> Bool)? = nil
    ) -> SearchResult {
        let matches = exactSearch(query, k: k, among: nil, predicate: predicate)
        return SearchResult(matches: matches, visited: 0, evaluated: count, isComplete: true)
    }

    /// The nearest vectors by comparing with each.
    ///
    /// - Parameter slots: the only vectors to compare with; `nil` for all. Empty slots are passed over.
    public func exactSearch(
        _ query: Span<Float>, k: Int, among slots: [UInt32]? = nil, predicate: ((UInt32) -> Bool)? = nil
    ) -> [Match] {
        guard (try? validate(query)) != nil, k > 0 else { return [] }
        let (entries, ids) = state.withLock { ($0.entries, $0.ids) }
        var matches: [Match] = []
        for slot in slots ?? Array(ids.keys) {
            guard let id = ids[slot], let entry = entries[id], predicate?(slot) ?? true else { continue }
            let distance = Self.distance(configuration.metric, query, entry.vector.span)
            matches.append(Match(id: id, slot: slot, distance: distance))
        }
        matches.sort { ($0.distance, $0.slot) < ($1.distance, $1.slot) }
        return Array(matches.prefix(k))
    }

    /// The exact distance of two vectors of the same length, in float32.
    public static func distance(_ metric: Metric, _ first: Span<Float>, _ second: Span<Float>) -> Float {
        precondition(first.count == second.count, "vectors of different lengths")
        return first.withUnsafeBufferPointer { first in
            second.withUnsafeBufferPointer { second -> Float in
                guard let a = first.baseAddress, let b = second.baseAddress else { return 0 }
                switch metric {
                case .dot: return -nexa_dot(a, b, first.count)
                case .l2: return nexa_squared_distance(a, b, first.count)
                case .cosine:
                    let squares = nexa_dot(a, a, first.count) * nexa_dot(b, b, first.count)
                    return squares > 0 ? 1 - nexa_dot(a, b, first.count) / squares.squareRoot() : 1
                }
            }
        }
    }

    /// Writes one consistent image: to `path` + ".part" first, flushed, then renamed. Searches go on meanwhile; `put`,
    /// `remove` and `link` wait.
    ///
    /// - Parameter tag: the caller's own number, given back by `load`.
    public func save(to path: String, tag: UInt64) throws(VectorError) {
        throw VectorError(.inputOutput, "Images are not written yet", advice: "Build the index anew")
    }

    /// Reads an image back.
    public static func load(from path: String, expecting configuration: Configuration) throws(VectorError)
        -> (index: VectorIndex, tag: UInt64)
    {
        throw VectorError(.corrupted, "Images are not read yet", advice: "Build the index anew")
    }
}
