import NexaStorage
import NexaValue

/// A transaction over any documents and collections, with snapshot isolation.
///
/// It reads the state as of its beginning, and its own writes. Those are kept in memory until `commit` makes them
/// one commit, unless a document that it writes was changed by someone else meanwhile: then nothing is
/// changed, and the error is `.writeConflict`. That is found by comparing the documents with the snapshot,
/// as late as under the latches of the commit ("first committer wins"; Berenson et al., A Critique of ANSI SQL
/// Isolation Levels, 1995), and also at each write, so that no work is done in vain.
///
/// A collection that a transaction makes by writing to it stays, empty, when the transaction is aborted.
public final class Transaction: Sendable {
    /// What a transaction may hold.
    public struct Limits: Sendable, Hashable {
        /// The bytes of all documents that it writes. Default 64 MiB.
        public var maximumBytes = 64 << 20
        /// The writes. Default 100 000.
        public var maximumWrites = 100_000

        /// Creates the defaults.
        public init() {}
    }

    /// A document that the transaction has written.
    struct Written {
        /// As it is in the snapshot.
        var base: [UInt8]?
        /// As the transaction left it.
        var new: [UInt8]?
    }

    private struct State {
        var written: [[UInt8]: Written] = [:]
        /// Everything that it did, in order.
        var changes: [CollectionChanges] = []
        var count = 0
        var bytes = 0
        var end: EngineError?
        var snapshot: Snapshot?
    }

    private let engine: Engine
    private let limits: Limits
    private let state: Monitor<State>

    init(_ engine: Engine, limits: Limits) throws(EngineError) {
        self.engine = engine
        self.limits = limits
        var state = State()
        state.snapshot = try translating { () throws(StorageError) in try engine.store.snapshot() }
        self.state = Monitor(state)
    }

    /// Forgets everything. Idempotent; does nothing after `commit`.
    public func abort(because reason: String = "The transaction was aborted") {
        finish(EngineError(.noTransaction, reason, advice: "Begin a new one"))
    }

    private func finish(_ end: EngineError) {
        state.withLock { state in
            guard state.end == nil else { return }
            state = State()
            state.end = end
        }
    }

    // MARK: Reading

    /// The state of its beginning, for queries.
    func snapshot() throws(EngineError) -> Snapshot {
        try state.withLock { (state) throws(EngineError) in try Self.active(state) }
    }

    private static func active(_ state: borrowing State) throws(EngineError) -> Snapshot {
        if let end = state.end { throw end }
        guard let snapshot = state.snapshot else { throw EngineError(.noTransaction, "The transaction is over") }
        return snapshot
    }

    /// The documents of a collection that it has written, by key, in order; `nil` for deleted ones.
    func written(in collection: UInt32) -> [(key: [UInt8], new: [UInt8]?)] {
        let prefix = DocumentKey.prefix(collection)
        return state.withLock { state in
            state.written.filter { $0.key.starts(with: prefix) }.map { ($0.key, $0.value.new) }
        }
        .sorted { $0.key.span.bytes.precedes($1.key.span.bytes) }
    }

    /// Runs `body` on a document as the transaction sees it; `nil` when there is none.
    func get<Result>(_ key: [UInt8], _ body: (RawSpan) -> Result) throws(EngineError) -> Result? {
        let (snapshot, written) = try state.withLock { (state) throws(EngineError) in
            (try Self.active(state), state.written[key])
        }
        if let written { return written.new.map { body($0.span.bytes) } }
        return try translating { () throws(StorageError) in try snapshot.get(.documents, key.span.bytes, body) }
    }

    private static func value(_ key: [UInt8], _ snapshot: Snapshot) throws(EngineError) -> [UInt8]? {
        try translating { () throws(StorageError) in
            try snapshot.get(.documents, key.span.bytes) { $0.withUnsafeBytes { Array($0) } }
        }
    }

    // MARK: Writing

    /// Lets `decide` change documents, as `Engine.commit(in:keys:newKeys:options:decide:completion:)` does.
    func write(
        in collection: Collection, keys: [[UInt8]],
        decide: ([[UInt8]?]) throws(EngineError) -> [DocumentChange],
        _ completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) throws(EngineError) -> WriteAttempt {
        let attempt = try state.withLock { (state) throws(EngineError) -> WriteAttempt in
            let snapshot = try Self.active(state)
            guard !collection.isDropped else { return .dropped }
            var values: [[UInt8]?] = []
            for key in keys {
                if let written = state.written[key] {
                    values.append(written.new)
                } else {
                    values.append(try Self.value(key, snapshot))
                }
            }
            let changes = try decide(values)
            guard !changes.isEmpty else { return .unchanged }
            try add(changes, in: collection, snapshot, &state)
            return .queued
        }
        if case .queued = attempt { completion(.success(())) }
        return attempt
    }

    private func add(
        _ changes: [DocumentChange], in collection: Collection, _ snapshot: Snapshot, _ state: inout State
    ) throws(EngineError) {
        let bytes = changes.reduce(0) { $0 + $1.key.count + ($1.new?.count ?? 0) + $1.fields.count + 64 }
        guard state.bytes + bytes <= limits.maximumBytes, state.count + changes.count <= limits.maximumWrites else {
            throw EngineError(
                .limit,
                "The transaction writes more than its limit of \(limits.maximumBytes) bytes or "
                    + "\(limits.maximumWrites) documents", advice: "Use several transactions")
        }
        var bases: [[UInt8]?] = []
        for change in changes {
            if let written = state.written[change.key] {
                bases.append(written.base)
                continue
            }
            let base = try Self.value(change.key, snapshot)
            // Someone else's newer value cannot be overwritten; better told now than at the commit.
            let now = try translating { () throws(StorageError) in
                try engine.store.get(.documents, change.key.span.bytes) { $0.withUnsafeBytes { Array($0) } }
            }
            guard now == base else {
                let conflict = EngineError.writeConflict(change.key, in: collection)
                state = State()
                state.end = conflict
                throw conflict
            }
            bases.append(base)
        }
        try checkUnique(changes, in: collection, state)
        for (change, base) in zip(changes, bases) {
            let known = state.written[change.key]
            state.written[change.key] = Written(base: known == nil ? base : known?.base, new: change.new)
        }
        state.bytes += bytes
        state.count += changes.count
        if state.changes.last?.collection === collection {
            state.changes[state.changes.count - 1].changes += changes
        } else {
            state.changes.append(CollectionChanges(collection: collection, changes: changes))
        }
    }

    /// Tells now what the commit would tell: that a document which the transaction leaves alone has the same values in a
    /// unique index.
    private func checkUnique(
        _ changes: [DocumentChange], in collection: Collection, _ state: borrowing State
    ) throws(EngineError) {
        let indexes = collection.queryIndexes.filter(\.definition.isUnique)
        guard !indexes.isEmpty else { return }
        let changed = Set(changes.map(\.key))
        for change in changes {
            guard let new = change.new else { continue }
            for index in indexes {
                for entry in try index.entries(of: new.span.bytes, key: change.key) {
                    let owner = try translating { () throws(StorageError) in
                        try engine.store.get(.indexes, entry.key.span.bytes) { $0.withUnsafeBytes { Array($0) } }
                    }
                    guard let owner, owner != entry.value else { continue }
                    // What the transaction writes may have let go of the values.
                    let key = change.key.prefix(DocumentKey.prefixLength) + owner
                    guard changed.contains(Array(key)) || state.written[Array(key)] != nil else {
                        throw .duplicateKey(index.name, owner: owner)
                    }
                }
            }
        }
    }

    // MARK: Ending

    /// Makes all writes one commit, visible and durable together, or none of them.
    ///
    /// - Errors: `.writeConflict` when a document was changed by someone else meanwhile, or a collection was dropped:
    ///   the whole transaction may be tried again; `.duplicateKey`; `.noTransaction`; and as for any write.
    public func commit(
        durability: Durability = .sync, isDeferred: Bool = false,
        completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) {
        let over = EngineError(.noTransaction, "The transaction was committed", advice: "Begin a new one")
        do throws(EngineError) {
            let (groups, written) = try state.withLock { (state) throws(EngineError) in
                _ = try Self.active(state)
                defer {
                    state = State()
                    state.end = over
                }
                return (state.changes, state.written)
            }
            guard !written.isEmpty else { return completion(.success(())) }
            try engine.commit(
                groups, written, WriteOptions(durability: durability, isDeferred: isDeferred), completion)
        } catch {
            return completion(.failure(error))
        }
        if !isDeferred { engine.store.commitPending() }
    }
}

extension Engine {
    /// Begins a transaction; see `Transaction`.
    ///
    /// - Throws: `.shuttingDown`.
    public func beginTransaction(limits: Transaction.Limits = Transaction.Limits()) throws(EngineError) -> Transaction {
        try Transaction(self, limits: limits)
    }

    fileprivate func commit(
        _ groups: [CollectionChanges], _ written: [[UInt8]: Transaction.Written], _ options: WriteOptions,
        _ completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) throws(EngineError) {
        var held = LatchSet()
        for key in written.keys { held.insert(latches.index(of: key)) }
        while true {
            var wanted = held
            let isQueued = try latches.holding(held) { () throws(EngineError) -> Bool in
                for group in groups where group.collection.isDropped {
                    throw EngineError(
                        .writeConflict, "Collection '\(group.collection.name)' was dropped during the transaction")
                }
                for (key, written) in written where try current(key, latches.latch(of: key)) != written.base {
                    let number = key.prefix(DocumentKey.prefixLength)
                    let group = groups.first { $0.changes.first?.key.starts(with: number) == true }
                    throw .writeConflict(key, in: group?.collection)
                }
                return try queue(groups, holding: &wanted, options, completion)
            }
            if isQueued { return }
            held = wanted
        }
    }
}

extension EngineError {
    fileprivate static func writeConflict(_ key: [UInt8], in collection: Collection?) -> EngineError {
        let id = key.withUnsafeBytes { DocumentKey.id(in: $0) }?.idText ?? "?"
        return EngineError(
            .writeConflict,
            "The document '\(id)' of collection '\(collection?.name ?? "?")' was changed by someone else meanwhile",
            advice: "Run the whole transaction again")
    }
}
