import NexaQuery
import NexaStorage
import NexaValue

/// One write on its way: finds documents, looks at each again under its latch, and queues what becomes of it.
final class WriteStep {
    /// How far the write is.
    enum Progress {
        case more
        /// It has to look at documents that may still be on their way to the store.
        case mustSettle
        case done
    }

    private let engine: Engine
    private let place: WritePlace
    private let compiled: CompiledWrite
    private let options: WriteOptions
    private let tracker: CommitTracker
    private let number: Int
    private var collection: Collection?
    private var finder: QueryExecution?
    private var isFinderDone = false
    private var waiting: [Value] = []
    private var nextWaiting = 0
    private var chunkSize = 8
    private var attempts = 0
    private(set) var result = WriteResult()
    /// Larger documents are left to the next step.
    var largestDocument = Int.max
    private var isTooLarge = false

    /// How often a write to one document starts over when others change what it found.
    private static let maximumAttempts = 1000

    init(
        _ engine: Engine, _ place: WritePlace, _ write: CollectionWrite, _ options: WriteOptions,
        _ tracker: CommitTracker, number: Int
    ) throws(EngineError) {
        self.engine = engine
        self.place = place
        self.options = options
        self.tracker = tracker
        self.number = number
        compiled = try CompiledWrite(write)
        waiting = compiled.ids ?? []
    }

    private var isOver: Bool { !compiled.write.isMany && result.matched > 0 }

    /// Goes on; every document looked at takes one from the budget.
    func step(_ budget: inout Int) throws(EngineError) -> Progress {
        // A listener has no time for that.
        if compiled.isCostly, largestDocument != .max { return .more }
        if case .insert(let document) = compiled.action {
            budget -= 1
            try insert { (stamping) throws(EngineError) in try stamping.stamp(document.span.bytes) }
            return .done
        }
        collection = engine.catalog.collection(place.database, place.collection)
        while !isOver, let collection {
            guard budget > 0 else { return .more }
            if nextWaiting < waiting.count {
                try takeChunk(collection, &budget)
                if isTooLarge || compiled.isCostly { return .more }
                continue
            }
            if compiled.ids != nil || isFinderDone { break }
            if finder == nil, options.transaction == nil, !tracker.isSettled { return .mustSettle }
            try find(&budget)
            if compiled.isCostly { return .more }
        }
        if result.matched == 0 {
            if mayStartOver { return .more }
            if compiled.write.isUpsert { return try upsert() ? .done : .more }
        }
        finder = nil
        return .done
    }

    // MARK: Finding

    private func find(_ budget: inout Int) throws(EngineError) {
        if finder == nil { finder = try makeFinder() }
        guard let finder else { return }
        let before = finder.examined
        // Writes to one document look at few at a time: what is found may be all that is needed.
        let part = compiled.write.isMany ? min(budget, 256) : min(budget, 64)
        if try finder.step(budget: part) == .done { isFinderDone = true }
        budget -= max(1, finder.examined - before)
        let ids = finder.takeDocuments()
        waiting.removeAll(keepingCapacity: true)
        nextWaiting = 0
        do throws(MessagePackError) {
            var reader = MessagePackReader(ids.span.bytes)
            while !reader.isAtEnd {
                if let id = try reader.readDocument()["_id"] { waiting.append(id) }
            }
        } catch {
            throw EngineError(.storage, "A stored document is damaged: \(error)")
        }
    }

    private func makeFinder() throws(EngineError) -> QueryExecution {
        var options = QueryOptions()
        options.projection = ["_id": 1]
        options.sort = compiled.write.sort
        if !compiled.write.isMany, !compiled.write.sort.isNull { options.limit = 1 }
        options.transaction = self.options.transaction
        return try engine.query(
            database: place.database, collection: place.collection, filter: compiled.filterDocument, options: options)
    }

    /// Whether the document that was found first is another one by now, so that there may be a next first one.
    private var mayStartOver: Bool {
        guard !compiled.write.isMany, compiled.ids == nil, !compiled.write.sort.isNull, !waiting.isEmpty,
            attempts < Self.maximumAttempts
        else { return false }
        attempts += 1
        finder = nil
        isFinderDone = false
        waiting = []
        nextWaiting = 0
        return true
    }

    // MARK: Changing

    /// Changes the next few documents as one commit.
    private func takeChunk(_ collection: Collection, _ budget: inout Int) throws(EngineError) {
        let size = compiled.write.isMany ? (compiled.isCostly ? min(chunkSize, 4) : chunkSize) : 1
        let ids = waiting[nextWaiting..<min(nextWaiting + size, waiting.count)]
        var keys: [[UInt8]] = []
        for id in ids { keys.append(try DocumentKey.make(collection.number, id)) }
        do throws(EngineError) {
            try change(Array(ids), keys, collection)
        } catch {
            // Only the one at fault fails, and those before it are changed.
            guard keys.count > 1, error.code == .duplicateKey || error.code == .limit else { throw error }
            chunkSize = 1
            return
        }
        if isTooLarge { return }
        nextWaiting += ids.count
        budget -= ids.count
    }

    /// What becomes of some documents.
    private struct Decision {
        /// The documents that it is about.
        var found: [[UInt8]?]
        var changes: [DocumentChange] = []
        var result = WriteResult()
        /// Why the rest stays as it is.
        var failure: EngineError?
        var bytes = 0
    }

    /// Larger documents, and those that a costly filter looks at, are not changed while a latch is held, because others may wait for it.
    private static let largestUnderLatch = 64 << 10

    private func change(_ ids: [Value], _ keys: [[UInt8]], _ collection: Collection) throws(EngineError) {
        let stamping = engine.stamping(collection.vectorDimensions)
        var made = Decision(found: [])
        var unmade: [[UInt8]?]?
        var attempts = 0
        while true {
            tracker.begin()
            let attempt: WriteAttempt
            do throws(EngineError) {
                attempt = try engine.commit(in: collection, keys: keys, options: options) {
                    (found) throws(EngineError) in
                    unmade = nil
                    isTooLarge = found.contains { ($0?.count ?? 0) > largestDocument }
                    if isTooLarge { return [] }
                    if attempts > 0, made.found == found { return made.changes }
                    if attempts < 3,
                        compiled.isCostly || found.contains(where: { ($0?.count ?? 0) > Self.largestUnderLatch })
                    {
                        unmade = found
                        return []
                    }
                    made = try decision(found, ids, keys, stamping)
                    return made.changes
                } completion: { [tracker, number] in
                    tracker.end($0, of: number)
                }
            } catch {
                endUnchanged(keys, error)
                throw error
            }
            if attempt == .queued { tracker.add(bytes: made.bytes) } else { endUnchanged(keys) }
            if let found = unmade {
                made = try decision(found, ids, keys, stamping)
                attempts += 1
                continue
            }
            // Dropped meanwhile: there is nothing more to change in it.
            if attempt == .dropped || isTooLarge { return }
            break
        }
        adapt(made.bytes, made.result.matched)
        result.matched += made.result.matched
        result.modified += made.result.modified
        result.deleted += made.result.deleted
        if let document = made.result.document { result.document = document }
        if let failure = made.failure { throw failure.after(result, isMany: compiled.write.isMany) }
    }

    private func decision(
        _ found: [[UInt8]?], _ ids: [Value], _ keys: [[UInt8]], _ stamping: DocumentStamping
    ) throws(EngineError) -> Decision {
        var decision = Decision(found: found)
        for (position, old) in found.enumerated() {
            guard let old, try compiled.means(old) else { continue }
            do throws(EngineError) {
                let change = try compiled.change(keys[position], ids[position], old, stamping)
                decision.result.matched += 1
                try note(change, old, in: &decision.result)
                if let change {
                    decision.changes.append(change)
                    decision.bytes += old.count + (change.new?.count ?? 0)
                }
            } catch {
                decision.failure = error
                break
            }
        }
        return decision
    }

    /// Counts what happens to a document, and keeps what is to be returned of it.
    private func note(_ change: DocumentChange?, _ old: [UInt8], in done: inout WriteResult) throws(EngineError) {
        if let change {
            if change.kind == .delete { done.deleted += 1 } else { done.modified += 1 }
        }
        switch compiled.write.returned {
        case nil: break
        case .before: done.document = try compiled.returned(old)
        case .after:
            let new = change.map { $0.new } ?? old
            done.document = try new.map { (new) throws(EngineError) in try compiled.returned(new) }
        }
    }

    /// Makes commits of about a megabyte.
    private func adapt(_ bytes: Int, _ count: Int) {
        guard count > 0, chunkSize > 1 else { return }
        chunkSize = max(2, min(64, (1 << 20) / max(1, bytes / count)))
    }

    // MARK: Inserting

    /// Inserts what an upsert demands; false when somebody else inserted it meanwhile, so that there is something to
    /// update.
    private func upsert() throws(EngineError) -> Bool {
        do throws(EngineError) {
            try insert { (stamping) throws(EngineError) in try compiled.newDocument(stamping) }
            return true
        } catch {
            attempts += 1
            let isTaken = error.code == .duplicateID || error.code == .duplicateKey
            guard isTaken, attempts < 10, try isThereNow() else { throw error }
            finder = nil
            isFinderDone = false
            waiting = compiled.ids ?? []
            nextWaiting = 0
            return false
        }
    }

    /// Whether the target means a document by now.
    private func isThereNow() throws(EngineError) -> Bool {
        guard let ids = compiled.ids else {
            // Whatever it is that has the values of the unique index: looking again tells.
            return attempts < 3
        }
        guard let collection = engine.catalog.collection(place.database, place.collection) else { return false }
        for id in ids {
            let key = try DocumentKey.make(collection.number, id)
            var isMeant = false
            let attempt = try engine.commit(in: collection, keys: [key], options: options) {
                (found) throws(EngineError) in
                if let old = found[0] { isMeant = try compiled.means(old) }
                return []
            } completion: { _ in
            }
            if attempt == .unchanged, isMeant { return true }
        }
        return false
    }

    private func insert(
        _ make: (DocumentStamping) throws(EngineError) -> StampedDocument
    ) throws(EngineError) {
        while true {
            let known = engine.catalog.collection(place.database, place.collection)
            let dimensions = known?.vectorDimensions ?? 0
            let document = try make(engine.stamping(dimensions))
            let collection: Collection
            if let known {
                collection = known
            } else {
                collection = try engine.catalog.collectionForWriting(place.database, place.collection)
            }
            if collection.vectorDimensions != dimensions { continue }
            if try put(document, collection) == .dropped { continue }
            result.insertedID = document.id
            if compiled.write.returned == .after { result.document = try compiled.returned(document.bytes) }
            return
        }
    }

    private func put(_ document: StampedDocument, _ collection: Collection) throws(EngineError) -> WriteAttempt {
        let key = try DocumentKey.make(collection.number, document.id)
        tracker.begin()
        do throws(EngineError) {
            let attempt = try engine.commit(in: collection, keys: [key], options: options) {
                (found) throws(EngineError) in
                guard found[0] == nil else { throw .duplicate(document.id, in: collection) }
                return [DocumentChange(key: key, kind: .insert, new: document.bytes)]
            } completion: { [tracker, number] in
                tracker.end($0, of: number)
            }
            if attempt == .queued { tracker.add(bytes: document.bytes.count) } else { endUnchanged([key]) }
            return attempt
        } catch {
            endUnchanged([key], error)
            throw error
        }
    }

    /// Ends what changed nothing; the answer waits until what it may tell of is committed.
    private func endUnchanged(_ keys: [[UInt8]], _ error: EngineError? = nil) {
        let end: @Sendable (Result<Void, EngineError>) -> Void = { [tracker, number] in tracker.end($0, of: number) }
        if options.transaction != nil { return end(.success(())) }
        // The entry of a unique index belongs to some other document.
        if error?.code == .duplicateKey { engine.whenCommitted(end) } else { engine.whenVisible(keys, end) }
    }
}

/// The collection that is written to, by name.
struct WritePlace: Sendable {
    let database: String
    let collection: String
}

extension EngineError {
    /// The error of a write to many documents, some of which are changed.
    func after(_ result: WriteResult, isMany: Bool) -> EngineError {
        let count = result.modified + result.deleted
        guard isMany, count > 0 else { return self }
        return EngineError(code, "\(message) (\(count) other documents were changed before)", advice: advice)
    }
}
