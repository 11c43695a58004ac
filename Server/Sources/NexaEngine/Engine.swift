import NexaStorage
import NexaValue
import Synchronization

/// A document database over one data directory. It knows nothing of connections or messages: every listener
/// is a thin translator between a wire and the calls below.
///
/// Documents go in and out as MessagePack bytes. Writes answer through a completion, which is called once, by the
/// thread that commits the write (possibly the caller's, before the call returns), never under a
/// lock; there are `async` forms for programs. Reads answer at once and see committed data only. All calls
/// may be made from any thread.
public final class Engine: Sendable {
    let store: Store
    let catalog: Catalog
    let users: UserDirectory
    let latches = LatchTable()
    /// Bytes of entries that are gathered at once for an index that is being built.
    let indexGatheringBytes: Int
    let identifiers = DocumentIDGenerator()

    let builder = IndexBuilder()
    /// Threads that help with long scans.
    let scanHelpers = ScanHelpers()
    let sweeper: ExpirySweeper
    let keeper: VectorKeeper
    let vectorImages: VectorImages
    let onNotice: @Sendable (EngineNotice) -> Void
    /// Where files without names are made that outgrow the memory.
    let temporaryDirectory: String

    private init(
        _ store: Store, _ contents: CatalogRecord.Contents, _ options: EngineOptions, directory: String
    ) {
        let temporaryDirectory = directory + "/tmp"
        vectorImages = VectorImages(directory: directory + "/vectors")
        keeper = VectorKeeper(images: vectorImages, threads: options.vectorThreads)
        self.temporaryDirectory = temporaryDirectory
        self.store = store
        onNotice = options.onNotice
        indexGatheringBytes = options.indexGatheringBytes
        sweeper = ExpirySweeper(interval: options.expiryInterval)
        catalog = Catalog(store, contents)
        users = UserDirectory(
            store, contents.users, loginSecret: contents.loginSecret ?? [], onChange: options.onUsersChange)
    }

    /// Opens a data directory, making it if there is none, and recovers what a crash left in its log.
    ///
    /// - Throws: `.storage` with what to do when the directory is in use, has a newer format, or is damaged.
    public static func open(at path: String, options: EngineOptions = EngineOptions()) throws(EngineError) -> Engine {
        let onNotice = options.onNotice
        try options.check()
        let store = try translating { () throws(StorageError) in
            try Store(
                at: path, options: options.storage,
                onNotice: { notice in
                    onNotice(EngineNotice(isWarning: notice.severity == .warning, message: notice.message))
                }, onCommit: options.onCommit)
        }
        var contents = try CatalogRecord.load(store)
        if contents.loginSecret == nil { contents.loginSecret = try makeLoginSecret(store) }
        let engine = Engine(store, contents, options, directory: path)
        try engine.resumeIndexes(contents)
        return engine
    }

    private static func makeLoginSecret(_ store: Store) throws(EngineError) -> [UInt8] {
        guard let secret = SystemRandom.bytes(32) else {
            throw EngineError(.storage, "The system has no randomness")
        }
        var batch = WriteBatch()
        batch.put(.catalog, key: CatalogRecord.loginSecretKey, value: CatalogRecord.loginSecretValue(secret))
        _ = try translating { () throws(StorageError) in try store.write(batch) }
        return secret
    }

    /// Commits what was accepted, refuses everything later, and lets go of the directory. Idempotent.
    public func close() {
        sweeper.shutDown()
        builder.shutDown()
        keeper.shutDown(self)
        tellVectorBuilds()
        store.close()
    }

    deinit {
        sweeper.shutDown()
        keeper.shutDown(self)
        tellVectorBuilds()
    }

    /// Gets deferred writes committed, on this thread where that is cheap; see `isDeferred` of the write calls.
    public func flushPending() { store.commitPending(mayFlush: true) }

    /// The number of the last commit that readers see.
    public var commitSequence: UInt64 { store.commitSequence }

    // MARK: Catalog

    /// The names of all databases, sorted; `default` is always there.
    public func databaseNames() -> [String] { catalog.databaseNames }

    /// The names of the collections of a database, sorted; none for an unknown database, which is not made.
    public func collectionNames(database: String) -> [String] { catalog.collectionNames(database) }

    /// The recorded length of the vectors of a collection, if there is one.
    public func vectorDimensions(database: String, collection: String) -> Int? {
        catalog.collection(database, collection).map(\.vectorDimensions).flatMap { $0 > 0 ? $0 : nil }
    }

    /// Makes a database; succeeds when it is there already.
    public func createDatabase(
        _ name: String, completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) {
        start(completion) { () throws(EngineError) in try catalog.makeDatabase(name, completion) }
    }

    /// Makes a collection, and its database, with an index of the vectors in the field `vector` if their length is given.
    ///
    /// Succeeds when it is there already, unless it has vectors of another length (`.badRequest`).
    public func createCollection(
        database: String, name: String, vectorDimensions: Int? = nil,
        completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) {
        start(completion) { () throws(EngineError) in
            guard let dimensions = vectorDimensions, dimensions > 0 else {
                try catalog.makeCollection(database, name, vectorDimensions: 0, durability: .sync, completion)
                return
            }
            let collection = try catalog.makeCollection(
                database, name, vectorDimensions: dimensions, durability: .os
            ) { _ in }
            try establishVectors(in: collection, dimensions: dimensions, durability: .sync, completion: completion)
        }
    }

    /// Drops a collection with all its documents, in constant time. `.notFound` when it is not there.
    public func dropCollection(
        database: String, name: String, completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) {
        start(completion) { () throws(EngineError) in
            try latches.holdingAll { () throws(EngineError) in
                try catalog.dropCollection(database, name, completion)
            }
        }
    }

    /// Drops a database with all its collections. `.notFound` when it is not there, `.badRequest` for `default`.
    public func dropDatabase(
        _ name: String, completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) {
        start(completion) { () throws(EngineError) in
            try latches.holdingAll { () throws(EngineError) in try catalog.dropDatabase(name, completion) }
        }
    }

    /// Queues a change, then sees to its commit; a refusal is answered at once.
    private func start<Success, Ignored>(
        _ completion: @Sendable (Result<Success, EngineError>) -> Void, _ body: () throws(EngineError) -> Ignored
    ) {
        do throws(EngineError) {
            _ = try body()
        } catch {
            return completion(.failure(error))
        }
        store.commitPending()
    }

    // MARK: Reading

    /// Runs `body` on the encoded document with an id, in place, without a copy; false when there is none.
    ///
    /// - Parameters:
    ///   - id: a string or an integer. A string of decimal digits also finds the integer, if no document has the
    ///     string.
    ///   - hint: kept by a caller that often reads the same collection; saves looking that up.
    public func read(
        database: String, collection name: String, id: Value, hint: inout CollectionHint, _ body: (RawSpan) -> Void
    ) throws(EngineError) -> Bool {
        guard let collection = hint.find(database, name, in: catalog) else { return false }
        if try read(collection, id, body) { return true }
        guard let number = DocumentKey.integer(named: id) else { return false }
        return try read(collection, .int(number), body)
    }

    /// Runs `body` on the encoded document with an id, in place, without a copy; false when there is none.
    public func read(
        database: String, collection: String, id: Value, _ body: (RawSpan) -> Void
    ) throws(EngineError) -> Bool {
        var hint = CollectionHint()
        return try read(database: database, collection: collection, id: id, hint: &hint, body)
    }

    /// Runs `body` on the encoded document with an id, as a transaction sees it; false when there is none.
    public func read(
        in transaction: Transaction, database: String, collection name: String, id: Value, _ body: (RawSpan) -> Void
    ) throws(EngineError) -> Bool {
        guard let collection = catalog.collection(database, name) else { return false }
        for candidate in DocumentKey.candidates(id) {
            let key = try DocumentKey.make(collection.number, candidate)
            if try transaction.get(key, body) != nil { return true }
        }
        return false
    }

    private func read(
        _ collection: Collection, _ id: Value, _ body: (RawSpan) -> Void
    ) throws(EngineError) -> Bool {
        let short = ShortDocumentKey(collection.number, id)
        if short.isUsable { return try read(short.span, body) }
        let key = try DocumentKey.make(collection.number, id)
        return try read(key.span.bytes, body)
    }

    private func read(_ key: RawSpan, _ body: (RawSpan) -> Void) throws(EngineError) -> Bool {
        do throws(StorageError) {
            return try store.get(.documents, key, body) != nil
        } catch {
            throw EngineError(error)
        }
    }

    /// Brings everything into the tables, and removes the log that is neither needed nor kept. For tests.
    @_spi(Testing) public func checkpoint() throws(EngineError) {
        try translating { () throws(StorageError) in try store.checkpoint() }
    }

    /// How many documents are stored, those without a collection (which there should never be) included. For tests.
    @_spi(Testing) public func storedDocumentCount() -> Int {
        guard var iterator = try? store.makeIterator(.documents) else { return -1 }
        var count = 0
        while (try? iterator.advance()) == true { count += 1 }
        return count
    }
}
