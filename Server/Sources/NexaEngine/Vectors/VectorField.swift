import NexaQuery
import NexaStorage
import NexaValue
import NexaVector

/// The vectors of one index in memory, where they are searched.
///
/// The stored entries of the index are the truth; every commit that changes them is carried over here by its completion,
/// in the order of commits and before anybody is told of the commit. A search therefore sees every acknowledged write:
/// what is not in the graph yet is compared one by one.
final class VectorField: Sendable {
    /// Where the vector is in a document.
    let path: String
    let reader: FieldPathReader
    let dimensions: Int
    let metric: VectorOptions.Metric

    private struct State {
        var options: VectorOptions
        var current: VectorIndex
        /// Takes the place of `current` once it is filled.
        var next: VectorIndex?
        /// Changes since the last image was written.
        var changes = 0
        /// A vector could not be kept, for want of memory: searches look at the stored entries until the next start.
        var isIncomplete = false
    }

    private let state: Monitor<State>

    init(path: String, options: VectorOptions) throws(EngineError) {
        self.path = path
        reader = FieldPathReader(path)
        dimensions = options.dimensions
        metric = options.metric
        let empty = try Self.make(options)
        state = Monitor(State(options: options, current: empty))
    }

    static func make(_ options: VectorOptions) throws(EngineError) -> VectorIndex {
        do throws(VectorError) { return try VectorIndex(options) } catch { throw EngineError(error) }
    }

    var options: VectorOptions { state.withLock { $0.options } }

    /// What searches look at; `nil` when it lacks vectors.
    var searchable: VectorIndex? { state.withLock { $0.isIncomplete ? nil : $0.current } }
    var current: VectorIndex { state.withLock { $0.current } }

    /// The packed vector of a document, as the index stores it; `nil` when it has none.
    ///
    /// - Throws: `.badRequest` for a list that is no vector of this index.
    func packed(_ document: RawSpan) throws(EngineError) -> [UInt8]? {
        try StoredVector.packed(document, at: reader, path: path, dimensions: dimensions)
    }

    // MARK: Following commits

    /// Carries a committed change over; `packed` is `nil` when the document has no vector any more.
    func apply(id: ArraySlice<UInt8>, packed: [UInt8]?) {
        let id = Array(id)
        state.withLock { state in
            state.changes += 1
            guard let packed else {
                state.current.remove(id)
                state.next?.remove(id)
                return
            }
            let vector = StoredVector.floats(packed.span.bytes)
            do throws(VectorError) {
                try state.current.put(vector, id: id)
                try state.next?.put(vector, id: id)
            } catch {
                state.isIncomplete = true
            }
        }
    }

    /// The changes since the last image.
    var changes: Int { state.withLock { $0.changes } }
    func noteImage(of changes: Int) { state.withLock { $0.changes -= changes } }

    /// Puts an image in the place of the empty index, before anybody uses that.
    func adopt(_ index: VectorIndex) {
        state.withLock { state in
            state.current = index
            state.changes = 0
        }
    }

    // MARK: Building anew

    /// Begins an index that follows commits beside the current one; `fill` and `finishRebuild` come next.
    ///
    /// - Returns: `nil` when one is being built already.
    func beginRebuild(_ options: VectorOptions) throws(EngineError) -> VectorIndex? {
        let made = try Self.make(options)
        return state.withLock { state in
            guard state.next == nil else { return nil }
            state.next = made
            return made
        }
    }

    /// Gives the new index a stored vector, unless a commit was faster.
    ///
    /// - Parameter stored: the entry as it is stored now.
    func fill(_ id: [UInt8], _ stored: () throws(EngineError) -> [UInt8]?) throws(EngineError) {
        try state.withLock { (state) throws(EngineError) in
            guard let next = state.next, !next.contains(id), let packed = try stored() else { return }
            do throws(VectorError) {
                try next.put(StoredVector.floats(packed.span.bytes), id: id)
            } catch {
                throw EngineError(error)
            }
        }
    }

    /// Ends building: the new index is the one that is searched, or is forgotten.
    func finishRebuild(_ options: VectorOptions?) {
        state.withLock { state in
            if let options, let next = state.next {
                state.current = next
                state.options = options
                state.isIncomplete = false
                state.changes = max(1, next.count)
            }
            state.next = nil
        }
    }

    var isRebuilding: Bool { state.withLock { $0.next != nil } }
}

extension EngineError {
    init(_ error: VectorError) {
        switch error.code {
        case .wrongDimensions, .notFinite, .invalidID, .invalidConfiguration:
            self.init(.badRequest, error.message, advice: error.advice)
        default: self.init(.storage, error.message, advice: error.advice)
        }
    }
}

/// What a commit does to one entry of a vector index.
struct VectorChange: Sendable {
    let field: VectorField
    /// The key of the entry: the number of the index, and the encoded `_id`.
    let key: [UInt8]
    let packed: [UInt8]?

    func apply() { field.apply(id: key[DocumentKey.prefixLength...], packed: packed) }
}
