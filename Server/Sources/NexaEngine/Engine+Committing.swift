import NexaStorage
import NexaValue

/// The one place where documents change: under their latches, with their index entries, as one batch.
extension Engine {
    /// Lets `decide` say what becomes of some documents, and queues that as one commit.
    ///
    /// - Parameters:
    ///   - keys: the documents to look at. `decide` gets their current values, queued ones included, in this order.
    ///   - newKeys: documents that `decide` may change without having seen them, because nobody else can know them.
    ///   - areNew: most likely there are no documents with these keys.
    ///   - decide: says what to change, of `keys` and `newKeys` only. It runs under latches, so it must not call
    ///     the engine, and it may run more than once. When it throws, nothing is changed.
    ///   - completion: called when the commit is made or has failed, only after `.queued` was returned.
    /// - Throws: what `decide` throws, `.duplicateKey`, `.overloaded`, `.storage`, `.shuttingDown`.
    func commit(
        in collection: Collection, keys: [[UInt8]], newKeys: [[UInt8]] = [], areNew: Bool = false,
        options: WriteOptions,
        decide: ([[UInt8]?]) throws(EngineError) -> [DocumentChange],
        completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) throws(EngineError) -> WriteAttempt {
        if let transaction = options.transaction {
            while true {
                var length: Int?
                let attempt = try transaction.write(
                    in: collection, keys: keys,
                    decide: { (values) throws(EngineError) in
                        let changes = try decide(values)
                        length = firstVectorLength(of: changes, in: collection)
                        return length == nil ? changes : []
                    }, completion)
                guard let length else { return attempt }
                try establishVectors(in: collection, dimensions: length)
            }
        }
        var held = LatchSet()
        for key in keys { held.insert(latches.index(of: key)) }
        for key in newKeys { held.insert(latches.index(of: key)) }
        // One at least, against a drop in between.
        if held.isEmpty { held.insert(0) }
        while true {
            var wanted = held
            var length: Int?
            let attempt = try latches.holding(held) { () throws(EngineError) -> WriteAttempt? in
                guard !collection.isDropped else { return .dropped }
                let values = try current(keys, areNew: areNew)
                let changes = try decide(values)
                guard !changes.isEmpty else { return .unchanged }
                length = firstVectorLength(of: changes, in: collection)
                if length != nil { return nil }
                let group = CollectionChanges(collection: collection, changes: changes)
                return try queue([group], holding: &wanted, options, completion) ? .queued : nil
            }
            if let attempt { return attempt }
            // The first vector of a collection: its index comes before it.
            if let length { try establishVectors(in: collection, dimensions: length) }
            // Unique entries have latches of their own, which are only known now.
            held = wanted
        }
    }

    /// Queues decided changes as one commit. The latches `held` are held.
    ///
    /// - Returns: false, having done nothing, when latches of unique entries are missing; `held` names them then.
    func queue(
        _ groups: [CollectionChanges], holding held: inout LatchSet, _ options: WriteOptions,
        _ completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) throws(EngineError) -> Bool {
        let difference = try IndexDifference(groups)
        let needed = difference.latches(of: latches)
        guard held.isSuperset(of: needed) else {
            held.formUnion(needed)
            return false
        }
        var capacity = 64
        for group in groups {
            capacity += group.collection.noteNames.count + 64
            for change in group.changes {
                capacity += (change.new?.count ?? 0) + change.key.count + change.fields.count
            }
        }
        var contents = CommitContents(capacity: capacity)
        // A commit that does not begin with a note is passed over by those who read the change history.
        for group in groups { contents.add(group) }
        if !difference.isEmpty { try add(difference, to: &contents) }
        let vectors = difference.vectors
        guard !vectors.isEmpty else {
            try enqueue(contents.batch, options, noting: contents.noted, completion)
            difference.noteQueued()
            return true
        }
        try enqueue(contents.batch, options, noting: contents.noted) { [weak self] result in
            if case .success = result {
                for change in vectors { change.apply() }
                if let self { keeper.wake(self) }
            }
            completion(result)
        }
        difference.noteQueued()
        return true
    }

    /// Fewer new documents are looked up one by one.
    private static let documentsOfWalk = 16

    /// The newest values of keys. The latches are held.
    private func current(_ keys: [[UInt8]], areNew: Bool) throws(EngineError) -> [[UInt8]?] {
        if areNew, keys.count >= Self.documentsOfWalk, try areAbsent(keys) {
            return Array(repeating: nil, count: keys.count)
        }
        var values: [[UInt8]?] = []
        values.reserveCapacity(keys.count)
        for key in keys { values.append(try current(key, latches.latch(of: key))) }
        return values
    }

    /// Whether it is known at little cost that there are no documents with these keys: new documents mostly come in about
    /// the order of the tables, so that one look along their range tells of all.
    private func areAbsent(_ keys: [[UInt8]]) throws(EngineError) -> Bool {
        for key in keys {
            let key = LatchKey(key)
            if latches.latch(of: key).pending(key) != nil { return false }
        }
        var isRising = true
        for place in keys.indices.dropFirst() where isRising {
            isRising = DocumentKey.isRising(keys[place - 1], keys[place])
        }
        let rising = isRising ? keys : keys.sorted(by: DocumentKey.isRising)
        return try translating { () throws(StorageError) in try store.containsNone(.documents, of: rising) }
    }

    /// The newest value of a key, queued or committed. The latch is held.
    func current(_ key: [UInt8], _ latch: Latch) throws(EngineError) -> [UInt8]? {
        if let pending = latch.pending(key) { return pending.value }
        return try translating { () throws(StorageError) in
            try store.get(.documents, key.span.bytes) { $0.withUnsafeBytes { Array($0) } }
        }
    }

    /// Whether a key has a value, queued or committed. The latch is held.
    func exists(_ key: [UInt8], _ latch: Latch) throws(EngineError) -> Bool {
        if let pending = latch.pending(key) { return pending.value != nil }
        return try translating { () throws(StorageError) in try store.contains(.documents, key.span.bytes) }
    }

    /// Notes the new values, queues the batch, and forgets the values when it is committed or has failed.
    /// The latches of the keys are held.
    func enqueue(
        _ batch: WriteBatch, _ options: WriteOptions, noting changes: [(key: [UInt8], value: [UInt8]?)] = [],
        _ completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) throws(EngineError) {
        let noted = changes.map { key, value in
            let key = LatchKey(key)
            let latch = latches.latch(of: key)
            return (latch: latch, key: key, version: latch.note(key, value))
        }
        let refusal = store.enqueue(batch, durability: options.durability.storage) { result in
            for (latch, key, version) in noted {
                latch.lock()
                latch.forget(key, version: version)
                latch.unlock()
            }
            completion(result.map { _ in }.mapError { EngineError($0) })
        }
        guard let refusal else { return }
        for (latch, key, version) in noted { latch.forget(key, version: version) }
        throw EngineError(refusal)
    }

    /// Calls `body` once what is queued for some documents is committed.
    ///
    /// An answer that changes nothing (not found, nothing to change) may come from a value that is queued only. Whoever
    /// gets it could read next, and would not find what it told of.
    func whenVisible(_ keys: [[UInt8]], _ body: @escaping @Sendable (Result<Void, EngineError>) -> Void) {
        let isQueued = keys.contains { key in
            let latch = latches.latch(of: key)
            latch.lock()
            defer { latch.unlock() }
            return latch.pending(key) != nil
        }
        if isQueued { whenCommitted(body) } else { body(.success(())) }
    }

    /// Calls `body` once everything is committed that is queued now; at once when nothing is.
    func whenCommitted(_ body: @escaping @Sendable (Result<Void, EngineError>) -> Void) {
        if store.isIdle { return body(.success(())) }
        // Commits are made in the order in which they are queued.
        let refusal = store.enqueue(WriteBatch(), durability: .os) { result in
            body(result.map { _ in }.mapError { EngineError($0) })
        }
        if let refusal { body(.failure(EngineError(refusal))) }
    }
}
