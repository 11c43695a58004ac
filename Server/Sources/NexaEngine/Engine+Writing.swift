import NexaQuery
import NexaStorage
import NexaValue

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
        isDeferred: Bool = false, transaction: Transaction? = nil,
        completion: @escaping @Sendable (Result<Value, EngineError>) -> Void
    ) {
        let options = WriteOptions(durability: durability, isDeferred: isDeferred, transaction: transaction)
        do throws(EngineError) {
            try Self.validate(document)
            try write(database, name) { (stamping) throws(EngineError) in
                try stamping.stamp(document.span.bytes)
            } put: { (stamped, collection) throws(EngineError) in
                try put(stamped, into: collection, options, completion)
            }
        } catch {
            refuse(error, completion)
        }
        if !options.isDeferred { store.commitPending() }
    }

    /// Inserts an encoded array of documents, all or none, and answers with their `_id`s in order.
    ///
    /// - Errors: as `insert`, and `.limit` for more than 100 000 documents. The message names the document at fault.
    public func insertMany(
        database: String, collection name: String, documents: [UInt8], durability: Durability = .sync,
        isDeferred: Bool = false, transaction: Transaction? = nil,
        completion: @escaping @Sendable (Result<[Value], EngineError>) -> Void
    ) {
        let options = WriteOptions(durability: durability, isDeferred: isDeferred, transaction: transaction)
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
            refuse(error, completion)
        }
        // Many need not wait for what else arrived: the next ones are read while these are committed.
        if !options.isDeferred || documents.count >= Self.bytesOfLargeBatch { store.commitPending() }
    }

    private static var bytesOfLargeBatch: Int { 64 << 10 }

    /// Merges encoded fields into a document, or applies encoded operators to it (`$set`, …); answers false when there
    /// is no such document.
    ///
    /// Fields replace those of the same name, whole; others are appended. `_created_at` stays. Concurrent updates
    /// of one document are made one after the other; none is lost. Operators that change nothing write nothing.
    /// - Parameter largest: operators with more bytes, and documents, take long: nothing is done then.
    /// - Returns: false when nothing was done because of `largest`; the completion is not called then.
    /// - Errors: `.badRequest` for operators that are none or do not fit the document, a changed `_id` or a vector of the
    ///   wrong length, and as `insert`.
    @discardableResult
    public func update(
        database: String, collection name: String, id: Value, updates: [UInt8], durability: Durability = .sync,
        isDeferred: Bool = false, transaction: Transaction? = nil, largest: Int = .max,
        completion: @escaping @Sendable (Result<Bool, EngineError>) -> Void
    ) -> Bool {
        let options = WriteOptions(durability: durability, isDeferred: isDeferred, transaction: transaction)
        var program: UpdateProgram?
        var isTooLarge = false
        let hasOperators = Self.hasOperators(updates)
        if hasOperators, updates.count > largest { return false }
        change(database, name, id, options, completion) {
            (collection, key, id, old) throws(EngineError) in
            let stamping = stamping(collection.vectorDimensions)
            isTooLarge = program != nil && old.count > largest
            if isTooLarge { return nil }
            if let program { return try CompiledWrite.change(program, key, id, old, stamping) }
            let new = try stamping.merge(updates.span.bytes, into: old.span.bytes, id: id)
            return DocumentChange(key: key, kind: .update, old: old, new: new, fields: updates)
        } validating: { () throws(EngineError) in
            try Self.validate(updates)
            if hasOperators { program = try CompiledWrite.program(updates) }
        } tellsUnchanged: {
            !isTooLarge
        }
        return !isTooLarge
    }

    /// Whether the first field of an encoded map is an operator.
    private static func hasOperators(_ updates: [UInt8]) -> Bool {
        do throws(MessagePackError) {
            var reader = MessagePackReader(updates.span.bytes)
            guard try reader.readMapHead() > 0 else { return false }
            return try reader.readKey().withUnsafeBytes { $0.first } == UInt8(ascii: "$")
        } catch {
            return false
        }
    }

    /// Deletes a document; answers false when there is no such document.
    public func delete(
        database: String, collection name: String, id: Value, durability: Durability = .sync,
        isDeferred: Bool = false, transaction: Transaction? = nil,
        completion: @escaping @Sendable (Result<Bool, EngineError>) -> Void
    ) {
        let options = WriteOptions(durability: durability, isDeferred: isDeferred, transaction: transaction)
        change(database, name, id, options, completion) { (_, key, _, old) in
            DocumentChange(key: key, kind: .delete, old: old, new: nil)
        } validating: {
        }
    }

    // MARK: Under the latch

    func stamping(_ vectorDimensions: Int) -> DocumentStamping {
        DocumentStamping(now: WallClock.text(), identifiers: identifiers, vectorDimensions: vectorDimensions)
    }

    /// Prepares documents and puts them into a collection, which is made only once they are known to be acceptable;
    /// again from the start if the collection is dropped or made by somebody else meanwhile.
    private func write<Prepared>(
        _ database: String, _ name: String, prepare: (DocumentStamping) throws(EngineError) -> Prepared,
        put: (Prepared, Collection) throws(EngineError) -> WriteAttempt
    ) throws(EngineError) {
        while true {
            let known = catalog.collection(database, name)
            let dimensions = known?.vectorDimensions ?? 0
            let prepared = try prepare(stamping(dimensions))
            let collection: Collection
            if let known { collection = known } else { collection = try catalog.collectionForWriting(database, name) }
            if collection.vectorDimensions != dimensions { continue }
            if try put(prepared, collection) != .dropped { return }
        }
    }

    /// Queues one new document.
    private func put(
        _ document: StampedDocument, into collection: Collection, _ options: WriteOptions,
        _ completion: @escaping @Sendable (Result<Value, EngineError>) -> Void
    ) throws(EngineError) -> WriteAttempt {
        let key = try DocumentKey.make(collection.number, document.id)
        let id = document.id
        if options.transaction == nil, let attempt = try putPlain(document, key, into: collection, options, completion)
        {
            return attempt
        }
        let looking = document.isClientID || options.transaction != nil
        return try commit(
            in: collection, keys: looking ? [key] : [], newKeys: looking ? [] : [key], options: options
        ) { (found) throws(EngineError) in
            if let first = found.first, first != nil { throw .duplicate(id, in: collection) }
            return [
                DocumentChange(
                    key: key, kind: .insert, new: document.bytes, mayHaveVector: document.mayHaveVector)
            ]
        } completion: {
            completion($0.map { id })
        }
    }

    /// The short way for a collection without indexes; `nil` when it has some.
    private func putPlain(
        _ document: StampedDocument, _ key: [UInt8], into collection: Collection, _ options: WriteOptions,
        _ completion: @escaping @Sendable (Result<Value, EngineError>) -> Void
    ) throws(EngineError) -> WriteAttempt? {
        let latch = latches.latch(of: key)
        latch.lock()
        defer { latch.unlock() }
        guard !collection.isDropped else { return .dropped }
        guard collection.indexes.isEmpty else { return nil }
        if collection.vectorDimensions == 0, document.mayHaveVector,
            StoredVector.length(in: document.bytes.span.bytes) != nil
        {
            return nil
        }
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
    ) throws(EngineError) -> WriteAttempt {
        var known: [[UInt8]] = []
        var made: [[UInt8]] = []
        var changes: [DocumentChange] = []
        changes.reserveCapacity(documents.count)
        // In their order, as most imports have them, ids are compared with the one before only.
        var isRising = true
        var seen = Set<LatchKey>()
        for (position, document) in documents.enumerated() {
            let key = try DocumentKey.make(collection.number, document.id)
            changes.append(
                DocumentChange(
                    key: key, kind: .insert, new: document.bytes, mayHaveVector: document.mayHaveVector))
            guard document.isClientID || options.transaction != nil else {
                made.append(key)
                continue
            }
            if isRising, let last = known.last, !DocumentKey.isRising(last, key) {
                isRising = false
                seen = Set(known.map { LatchKey($0) })
            }
            guard isRising || seen.insert(LatchKey(key)).inserted else {
                throw EngineError(
                    .duplicateID,
                    "Document \(position): another document of the batch has the _id '\(document.id.idText)'")
            }
            known.append(key)
        }
        let ids = documents.map(\.id)
        return try commit(
            in: collection, keys: known, newKeys: made, areNew: true, options: options
        ) { (found) throws(EngineError) in
            for (key, value) in zip(known, found) where value != nil {
                throw .duplicate(key.withUnsafeBytes { DocumentKey.id(in: $0) } ?? .null, in: collection)
            }
            return changes
        } completion: {
            completion($0.map { ids })
        }
    }

    /// Changes one document under its latch.
    ///
    /// - Parameter make: gets the collection, the key, the id and the current bytes; returns `nil` to change nothing.
    private func change(
        _ database: String, _ name: String, _ id: Value, _ options: WriteOptions,
        _ completion: @escaping @Sendable (Result<Bool, EngineError>) -> Void,
        make: (Collection, [UInt8], Value, [UInt8]) throws(EngineError) -> DocumentChange?,
        validating: () throws(EngineError) -> Void, tellsUnchanged: () -> Bool = { true }
    ) {
        var isFound = false
        do throws(EngineError) {
            try validating()
            guard let collection = catalog.collection(database, name) else { return completion(.success(false)) }
            var attempt = WriteAttempt.unchanged
            var keys: [[UInt8]] = []
            for candidate in DocumentKey.candidates(id) where !isFound {
                let key = try DocumentKey.make(collection.number, candidate)
                keys.append(key)
                attempt = try commit(in: collection, keys: [key], options: options) { (found) throws(EngineError) in
                    guard let old = found[0] else { return [] }
                    isFound = true
                    return try make(collection, key, candidate, old).map { [$0] } ?? []
                } completion: {
                    completion($0.map { true })
                }
            }
            if attempt != .queued, !isFound || tellsUnchanged() {
                let isFound = isFound
                let answer: @Sendable (Result<Void, EngineError>) -> Void = { completion($0.map { isFound }) }
                if options.transaction == nil { whenVisible(keys, answer) } else { answer(.success(())) }
            }
        } catch {
            refuse(error, tellsOfValue: isFound && options.transaction == nil, completion)
        }
        if !options.isDeferred { store.commitPending() }
    }

    /// Answers with an error. A duplicate, or a value that a change does not fit, may be queued only: it is told when that
    /// is there.
    private func refuse<Answer>(
        _ error: EngineError, tellsOfValue: Bool = false,
        _ completion: @escaping @Sendable (Result<Answer, EngineError>) -> Void
    ) {
        guard tellsOfValue || error.code == .duplicateID || error.code == .duplicateKey else {
            return completion(.failure(error))
        }
        whenCommitted { result in
            switch result {
            case .success: completion(.failure(error))
            case .failure(let failure): completion(.failure(failure))
            }
        }
    }

    // MARK: Checking

    /// Refuses bytes that are not one well-formed map within the size limit.
    static func validate(_ document: [UInt8]) throws(EngineError) {
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
