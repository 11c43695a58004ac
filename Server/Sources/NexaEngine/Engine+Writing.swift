import NexaStorage
import NexaValue

/// How a write is made.
private struct WriteOptions {
    var durability: Durability
    var isDeferred: Bool
}

/// Inserting, updating and deleting.
///
/// Each call takes `durability`, and `isDeferred`: the write is only queued then, and the caller calls
/// `flushPending` soon, as a listener does once for everything that arrived together; until someone does, the
/// completion is not called.
extension Engine {
    /// Inserts an encoded document and answers with its `_id`.
    ///
    /// Database and collection are made if they are not there. The document gets `_id` (if it has none), `_created_at`
    /// and `_updated_at` in front; stamps of the client win.
    /// - Errors: `.duplicateID`, `.badRequest` for bytes that are no document, an unusable `_id` or a vector of the
    ///   wrong length, `.limit` for more than 16 MiB, `.overloaded`, `.storage`, `.shuttingDown`.
    public func insert(
        database: String, collection name: String, document: [UInt8], durability: Durability = .sync,
        isDeferred: Bool = false,
        completion: @escaping @Sendable (Result<Value, EngineError>) -> Void
    ) {
        let options = WriteOptions(durability: durability, isDeferred: isDeferred)
        do throws(EngineError) {
            try Self.validate(document)
            try write(database, name) { (stamping) throws(EngineError) in
                try stamping.stamp(document.span.bytes)
            } put: { (stamped, collection) throws(EngineError) in
                try put(stamped, into: collection, options, completion)
            }
        } catch {
            return completion(.failure(error))
        }
        if !options.isDeferred { store.commitPending() }
    }

    /// Inserts an encoded array of documents, all or none, and answers with their `_id`s in order.
    ///
    /// - Errors: as `insert`, and `.limit` for more than 100 000 documents. The message names the document at fault.
    public func insertMany(
        database: String, collection name: String, documents: [UInt8], durability: Durability = .sync,
        isDeferred: Bool = false,
        completion: @escaping @Sendable (Result<[Value], EngineError>) -> Void
    ) {
        let options = WriteOptions(durability: durability, isDeferred: isDeferred)
        do throws(EngineError) {
            let ranges = try Self.elements(of: documents)
            guard !ranges.isEmpty else { return completion(.success([])) }
            try write(database, name) { (stamping) throws(EngineError) in
                var batch: [StampedDocument] = []
                batch.reserveCapacity(ranges.count)
                for (position, range) in ranges.enumerated() {
                    do throws(EngineError) {
                        batch.append(try stamping.stamp(documents.span.bytes.extracting(range)))
                    } catch {
                        throw EngineError(error.code, "Document \(position): \(error.message)", advice: error.advice)
                    }
                }
                return batch
            } put: { (batch, collection) throws(EngineError) in
                try put(batch, into: collection, options, completion)
            }
        } catch {
            return completion(.failure(error))
        }
        if !options.isDeferred { store.commitPending() }
    }

    /// Merges encoded fields into a document; answers false when there is no such document.
    ///
    /// Fields replace those of the same name, whole; others are appended. `_created_at` stays. Concurrent updates
    /// of one document are made one after the other; none is lost.
    /// - Errors: `.badRequest` for operators (`$set`, …), a changed `_id` or a vector of the wrong length, and as `insert`.
    public func update(
        database: String, collection name: String, id: Value, updates: [UInt8], durability: Durability = .sync,
        isDeferred: Bool = false,
        completion: @escaping @Sendable (Result<Bool, EngineError>) -> Void
    ) {
        let options = WriteOptions(durability: durability, isDeferred: isDeferred)
        change(database, name, id, options, completion, updates: updates) { (collection, id, old) throws(EngineError) in
            try stamping(collection.vectorDimensions).merge(updates.span.bytes, into: old.span.bytes, id: id)
        } validating: { () throws(EngineError) in
            try Self.validate(updates)
        }
    }

    /// Deletes a document; answers false when there is no such document.
    public func delete(
        database: String, collection name: String, id: Value, durability: Durability = .sync,
        isDeferred: Bool = false,
        completion: @escaping @Sendable (Result<Bool, EngineError>) -> Void
    ) {
        let options = WriteOptions(durability: durability, isDeferred: isDeferred)
        change(database, name, id, options, completion) { (_, _, _) in
            nil
        } validating: {
        }
    }

    // MARK: Under the latch

    private func stamping(_ vectorDimensions: Int) -> DocumentStamping {
        DocumentStamping(now: WallClock.text(), identifiers: identifiers, vectorDimensions: vectorDimensions)
    }

    /// Whether a write got into the queue.
    private enum Attempt {
        case queued
        /// The collection was dropped in between: once more, with the one that takes its place.
        case dropped
    }

    /// Prepares documents and puts them into a collection, which is made only once they are known to be acceptable;
    /// again from the start if the collection is dropped or made by somebody else meanwhile.
    private func write<Prepared>(
        _ database: String, _ name: String, prepare: (DocumentStamping) throws(EngineError) -> Prepared,
        put: (Prepared, Collection) throws(EngineError) -> Attempt
    ) throws(EngineError) {
        while true {
            let known = catalog.collection(database, name)
            let dimensions = known?.vectorDimensions ?? 0
            let prepared = try prepare(stamping(dimensions))
            let collection: Collection
            if let known { collection = known } else { collection = try catalog.collectionForWriting(database, name) }
            if collection.vectorDimensions != dimensions { continue }
            if try put(prepared, collection) == .queued { return }
        }
    }

    /// Queues one new document.
    private func put(
        _ document: StampedDocument, into collection: Collection, _ options: WriteOptions,
        _ completion: @escaping @Sendable (Result<Value, EngineError>) -> Void
    ) throws(EngineError) -> Attempt {
        let key = try DocumentKey.make(collection.number, document.id)
        let latch = latches.latch(of: key)
        latch.lock()
        defer { latch.unlock() }
        guard !collection.isDropped else { return .dropped }
        let id = document.id
        var batch = WriteBatch(capacity: document.bytes.count + key.count + collection.noteNames.count + 64)
        batch.note(.insert, in: collection)
        batch.put(.documents, key: key, value: document.bytes)
        // Nobody knows an id that the engine made before the insert is answered, so only the client's are noted.
        guard document.isClientID else {
            try enqueue(batch, options) { completion($0.map { _ in id }) }
            return .queued
        }
        if try exists(key, latch) { throw .duplicate(id, in: collection) }
        try enqueue(batch, options, noting: [(key, document.bytes)]) { completion($0.map { _ in id }) }
        return .queued
    }

    /// Queues new documents as one commit.
    private func put(
        _ documents: [StampedDocument], into collection: Collection, _ options: WriteOptions,
        _ completion: @escaping @Sendable (Result<[Value], EngineError>) -> Void
    ) throws(EngineError) -> Attempt {
        var batch = WriteBatch(capacity: documents.reduce(300) { $0 + $1.bytes.count + 64 })
        batch.note(.insert, in: collection)
        var noted: [([UInt8], [UInt8])] = []
        var seen = Set<[UInt8]>()
        var indexes = Set<Int>()
        for (position, document) in documents.enumerated() {
            let key = try DocumentKey.make(collection.number, document.id)
            batch.put(.documents, key: key, value: document.bytes)
            guard document.isClientID else { continue }
            guard seen.insert(key).inserted else {
                throw EngineError(
                    .duplicateID,
                    "Document \(position): another document of the batch has the _id '\(document.id.idText)'")
            }
            noted.append((key, document.bytes))
            indexes.insert(latches.index(of: key))
        }
        // One latch at least, against a drop in between.
        if indexes.isEmpty { indexes.insert(0) }
        return try latches.holding(indexes) { () throws(EngineError) -> Attempt in
            guard !collection.isDropped else { return .dropped }
            for (key, _) in noted where try exists(key, latches.latch(of: key)) {
                throw .duplicate(key.withUnsafeBytes { DocumentKey.id(in: $0) } ?? .null, in: collection)
            }
            let ids = documents.map(\.id)
            try enqueue(batch, options, noting: noted) { completion($0.map { _ in ids }) }
            return .queued
        }
    }

    /// Replaces or removes one document under its latch.
    ///
    /// - Parameter make: gets the collection, the id and the current bytes; returns the new bytes, or `nil` to delete.
    private func change(
        _ database: String, _ name: String, _ id: Value, _ options: WriteOptions,
        _ completion: @escaping @Sendable (Result<Bool, EngineError>) -> Void, updates: [UInt8] = [],
        make: (Collection, Value, [UInt8]) throws(EngineError) -> [UInt8]?,
        validating: () throws(EngineError) -> Void
    ) {
        do throws(EngineError) {
            try validating()
            guard let collection = catalog.collection(database, name) else { return completion(.success(false)) }
            var isFound = false
            for candidate in DocumentKey.candidates(id) where !isFound {
                let key = try DocumentKey.make(collection.number, candidate)
                let latch = latches.latch(of: key)
                latch.lock()
                defer { latch.unlock() }
                guard !collection.isDropped, let old = try current(key, latch) else { continue }
                isFound = true
                let new = try make(collection, candidate, old)
                var batch = WriteBatch(
                    capacity: (new?.count ?? 0) + updates.count + key.count + collection.noteNames.count + 64)
                batch.note(new == nil ? .delete : .update, in: collection, updates: updates)
                if let new {
                    batch.put(.documents, key: key, value: new)
                } else {
                    batch.delete(.documents, key: key)
                }
                try enqueue(batch, options, noting: [(key, new)]) { completion($0.map { true }) }
            }
            guard isFound else { return completion(.success(false)) }
        } catch {
            return completion(.failure(error))
        }
        if !options.isDeferred { store.commitPending() }
    }

    /// The newest value of a key, queued or committed. The latch is held.
    private func current(_ key: [UInt8], _ latch: Latch) throws(EngineError) -> [UInt8]? {
        if let pending = latch.pending(key) { return pending.value }
        return try translating { () throws(StorageError) in
            try store.get(.documents, key.span.bytes) { $0.withUnsafeBytes { Array($0) } }
        }
    }

    private func exists(_ key: [UInt8], _ latch: Latch) throws(EngineError) -> Bool {
        if let pending = latch.pending(key) { return pending.value != nil }
        return try translating { () throws(StorageError) in try store.contains(.documents, key.span.bytes) }
    }

    /// Notes the new values, queues the batch, and forgets the values when it is committed or has failed.
    /// The latches of the keys are held.
    private func enqueue(
        _ batch: WriteBatch, _ options: WriteOptions, noting changes: [([UInt8], [UInt8]?)] = [],
        _ completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) throws(EngineError) {
        let latches = latches
        let noted = changes.map { key, value in (key: key, version: latches.latch(of: key).note(key, value)) }
        let refusal = store.enqueue(batch, durability: options.durability.storage) { result in
            for (key, version) in noted {
                let latch = latches.latch(of: key)
                latch.lock()
                latch.forget(key, version: version)
                latch.unlock()
            }
            completion(result.map { _ in }.mapError { EngineError($0) })
        }
        guard let refusal else { return }
        for (key, version) in noted { latches.latch(of: key).forget(key, version: version) }
        throw EngineError(refusal)
    }

    // MARK: Checking

    /// Refuses bytes that are not one well-formed map within the size limit.
    private static func validate(_ document: [UInt8]) throws(EngineError) {
        guard document.count <= EngineLimits.maximumDocumentBytes else { throw .documentTooLarge(document.count) }
        do throws(MessagePackError) {
            var reader = MessagePackReader(document.span.bytes)
            _ = try reader.readMapHead()
            try MessagePack.validate(document.span.bytes)
        } catch {
            throw EngineError(error)
        }
    }

    /// Checks an encoded array of documents and returns where each lies.
    private static func elements(of documents: [UInt8]) throws(EngineError) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        do throws(MessagePackError) {
            var reader = MessagePackReader(documents.span.bytes)
            let count = try reader.readArrayHead()
            guard count <= EngineLimits.maximumBatchDocuments else { throw MessagePackError(.truncated, at: -count) }
            ranges.reserveCapacity(count)
            for _ in 0..<count {
                let start = reader.position
                _ = try reader.readMapHead()
                reader.position = start
                try reader.validateValue(depth: 0)
                ranges.append(start..<reader.position)
            }
            try reader.expectEnd()
        } catch {
            if error.offset < 0 {
                throw EngineError(
                    .limit,
                    "The batch has \(-error.offset) documents; the limit is \(EngineLimits.maximumBatchDocuments)",
                    advice: "Send several batches")
            }
            throw EngineError(.badRequest, "Document \(ranges.count) is not acceptable MessagePack: \(error)")
        }
        if let large = ranges.first(where: { $0.count > EngineLimits.maximumDocumentBytes }) {
            throw .documentTooLarge(large.count)
        }
        return ranges
    }
}

extension EngineError {
    static func duplicate(_ id: Value, in collection: Collection) -> EngineError {
        EngineError(
            .duplicateID, "A document with the _id '\(id.idText)' already exists in collection '\(collection.name)'")
    }
}

extension Value {
    /// An `_id` as it is shown.
    var idText: String {
        switch self {
        case .string(let text): text
        case .int(let number): "\(number)"
        default: kindName
        }
    }
}
