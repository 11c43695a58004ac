import NexaQuery
import NexaStorage
import NexaValue
import Synchronization

/// An index of a collection: what it is, and how far it is.
final class Index: IndexMaintaining, Sendable {
    enum State: UInt8 {
        /// Writes maintain it; it lacks older documents.
        case building
        /// It has an entry for every document that it should.
        case ready
        /// It is gone, or about to go.
        case dropped
    }

    /// Which fields have ever had arrays, or values that were cut. A bit is never taken back.
    struct Marks: Sendable, Hashable {
        var multikey: UInt32
        var cut: UInt32
    }

    /// The number that its entries begin with; never used again.
    let number: UInt32
    let collection: UInt32
    private let fixedDefinition: IndexDefinition
    let pattern: IndexKeyPattern
    let partial: QueryFilter?
    /// What the filter of a partial index says, to compare with what a query says.
    let partialConstraints: [FilterConstraints.Field]
    /// What the keys of all entries begin with.
    let prefix: [UInt8]
    private let stateBits: Atomic<UInt8>
    private let readySince = Atomic<UInt64>(0)
    private let multikeyBits: Atomic<UInt32>
    private let cutBits: Atomic<UInt32>
    private let marking: Monitor<Marks>
    private let record: @Sendable (UInt32, Marks) throws(EngineError) -> Void
    let build = IndexBuildProgress()
    /// Entries that writes took out while older ones are being gathered.
    let removals = RemovedEntries()
    /// Whether most documents have one entry, which needs no look at others.
    let hasPlainEntries: Bool
    /// Who waits until it is built, or gone.
    private let waiters = Monitor<[@Sendable () -> Void]>([])
    /// The vectors, when it is an index of such.
    let vectors: VectorField?

    /// - Parameter record: queues the marks, before the first entry that they speak of.
    init(
        number: UInt32, collection: UInt32, definition: IndexDefinition, state: State,
        marks: Marks = Marks(multikey: 0, cut: 0),
        record: @escaping @Sendable (UInt32, Marks) throws(EngineError) -> Void
    ) throws(EngineError) {
        let (pattern, partial) = try definition.checked()
        self.number = number
        self.collection = collection
        fixedDefinition = definition
        vectors = try definition.vector.map { (options) throws(EngineError) in
            try VectorField(path: definition.keys[0].path, options: options)
        }
        self.pattern = pattern
        self.partial = partial
        hasPlainEntries = partial == nil && !definition.isUnique && definition.vector == nil
        partialConstraints = partial?.constraints.fields ?? []
        prefix = DocumentKey.prefix(number)
        stateBits = Atomic(state.rawValue)
        multikeyBits = Atomic(marks.multikey)
        cutBits = Atomic(marks.cut)
        marking = Monitor(marks)
        self.record = record
    }

    var name: String { fixedDefinition.name }

    /// What it is; how the graph of a vector index is built can change.
    var definition: IndexDefinition {
        guard let vectors else { return fixedDefinition }
        var definition = fixedDefinition
        definition.vector = vectors.options
        return definition
    }

    /// Where all entries are.
    var range: (lower: [UInt8], upper: [UInt8]) { (prefix, prefix.prefixEnd) }

    var state: State { State(rawValue: stateBits.load(ordering: .acquiring)) ?? .dropped }

    /// Lets queries use the index. They have to see at least the commit `sequence`.
    func markReady(since sequence: UInt64) {
        readySince.store(sequence, ordering: .releasing)
        stateBits.store(State.ready.rawValue, ordering: .releasing)
        tellWaiters()
    }

    /// Takes `markDropped` back.
    func restore(_ state: State) { stateBits.store(state.rawValue, ordering: .releasing) }

    /// Marks it as gone; `tellWaiters` comes next, once that cannot be taken back.
    func markDropped() { stateBits.store(State.dropped.rawValue, ordering: .releasing) }

    /// Calls once the index is no longer being built, which may be at once: it is ready, gone, or the engine ends.
    func whenBuilt(_ body: @escaping @Sendable () -> Void) {
        let mustWait = waiters.withLock { waiters in
            guard state == .building else { return false }
            waiters.append(body)
            return true
        }
        if !mustWait { body() }
    }

    /// Calls everyone who waits for the end of building.
    func tellWaiters() {
        let told = waiters.withLock { waiters in
            defer { waiters = [] }
            return waiters
        }
        for body in told { body() }
    }

    /// The first commit at which it was complete.
    var readySequence: UInt64 { readySince.load(ordering: .acquiring) }

    /// To be read after the snapshot was taken with which the entries are read.
    var marks: Marks {
        Marks(multikey: multikeyBits.load(ordering: .acquiring), cut: cutBits.load(ordering: .acquiring))
    }

    // MARK: Entries

    /// The ordered values of a document, each behind `prefix`; none for a document that the index leaves out.
    func keys(of document: RawSpan) throws(EngineError) -> IndexKeyPattern.Keys {
        try translatingQuery { () throws(QueryError) in
            if let partial, try !partial.matches(document) { return IndexKeyPattern.Keys() }
            return try pattern.keys(
                of: document, prefix: prefix, isSparse: fixedDefinition.isSparse,
                maximumKeys: IndexDefinition.maximumKeysPerDocument)
        }
    }

    func entries(of document: RawSpan, key: [UInt8]) throws(EngineError) -> [IndexEntry] {
        if let vectors {
            guard let packed = try vectors.packed(document) else { return [] }
            return [
                IndexEntry(key: prefix + key[DocumentKey.prefixLength...], value: packed, isUnique: false)
            ]
        }
        let found: IndexKeyPattern.Keys
        do throws(EngineError) {
            found = try keys(of: document)
        } catch {
            throw EngineError(error.code, "Index '\(name)': \(error.message)", advice: error.advice)
        }
        try note(found)
        let id = key[DocumentKey.prefixLength...]
        if fixedDefinition.isUnique {
            guard found.cut == 0 else {
                throw EngineError(
                    .limit,
                    "A value in the unique index '\(name)' has more than \(IndexKeyPattern.maximumFieldBytes) bytes")
            }
            let owner = Array(id)
            return found.keys.map { IndexEntry(key: $0, value: owner, isUnique: true) }
        }
        let length = [UInt8(truncatingIfNeeded: id.count >> 8), UInt8(truncatingIfNeeded: id.count)]
        return found.keys.map { IndexEntry(key: $0 + id, value: length, isUnique: false) }
    }

    /// Makes known that there are arrays or cut values, before the entries are.
    private func note(_ found: IndexKeyPattern.Keys) throws(EngineError) {
        let known = marks
        guard found.multikey & ~known.multikey != 0 || found.cut & ~known.cut != 0 else { return }
        try marking.withLock { (marks) throws(EngineError) in
            let new = Marks(multikey: marks.multikey | found.multikey, cut: marks.cut | found.cut)
            guard new != marks else { return }
            multikeyBits.bitwiseOr(new.multikey, ordering: .acquiringAndReleasing)
            cutBits.bitwiseOr(new.cut, ordering: .acquiringAndReleasing)
            try record(number, new)
            marks = new
        }
    }

    /// Replaces what is behind the first bytes of `documentKey`, the number of the collection, by the encoded `_id` of
    /// the document that an entry belongs to; returns how many bytes of the entry's key are before it.
    func read(key: RawSpan, value: RawSpan, to documentKey: inout [UInt8]) -> Int? {
        documentKey.removeLast(documentKey.count - DocumentKey.prefixLength)
        if fixedDefinition.isUnique {
            value.withUnsafeBytes { documentKey.append(contentsOf: $0) }
            return key.byteCount
        }
        guard value.byteCount == 2 else { return nil }
        let length = value.withUnsafeBytes { Int($0[0]) << 8 | Int($0[1]) }
        guard length < key.byteCount else { return nil }
        key.withUnsafeBytes { documentKey.append(contentsOf: $0[($0.count - length)...]) }
        return key.byteCount - length
    }
}

/// Keys of entries that writes took out of an index, and did not put in again, since somebody wants to know: the builder,
/// whose older entries come later than these writes.
final class RemovedEntries: Sendable {
    private struct State {
        var keys: Set<[UInt8]> = []
        var byteCount = 0
        var isOverfull = false
    }

    private static let maximumBytes = 64 << 20

    private let isWanted = Atomic<Bool>(false)
    private let state = Monitor(State())

    /// From now on, all that is queued is noted. All latches are held.
    func start() {
        state.withLock { $0 = State() }
        isWanted.store(true, ordering: .releasing)
    }

    /// Notes what a commit that was queued does. The latches of its documents are held.
    func note(removed: ArraySlice<IndexEntry>, added: ArraySlice<IndexEntry>) {
        guard isWanted.load(ordering: .acquiring) else { return }
        state.withLock { state in
            for entry in removed where !state.isOverfull {
                if state.keys.insert(entry.key).inserted { state.byteCount += entry.key.count + 64 }
                state.isOverfull = state.byteCount > Self.maximumBytes
            }
            guard !state.keys.isEmpty else { return }
            for entry in added where state.keys.remove(entry.key) != nil {
                state.byteCount -= entry.key.count + 64
            }
        }
    }

    /// Whether there were too many.
    var isOverfull: Bool { state.withLock { $0.isOverfull } }

    /// What was noted until now; `nil` when there was too much. All latches are held.
    var keys: Set<[UInt8]>? { state.withLock { $0.isOverfull ? nil : $0.keys } }

    /// Notes nothing any more.
    func finish() {
        isWanted.store(false, ordering: .releasing)
        state.withLock { $0 = State() }
    }
}

/// How far an index is built, for whoever watches.
final class IndexBuildProgress: Sendable {
    /// The documents that were looked at.
    let scanned = Atomic<Int>(0)
    /// About how many there are in all.
    let total = Atomic<Int>(0)
}
