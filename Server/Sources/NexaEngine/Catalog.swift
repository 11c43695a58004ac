import NexaStorage

/// Which databases and collections there are.
///
/// Changes are put into the commit queue under the catalog's lock, before anything that depends on them
/// can be: a document never reaches the log before its collection. Locks are taken in the order
/// latches, catalog, queue.
final class Catalog: Sendable {
    /// Always there, never dropped.
    static let defaultDatabase = "default"

    private struct Database {
        /// The name as it was first written. Names that Unicode calls equal find each other, whatever their
        /// bytes; keys are made of these bytes only.
        var name: String
        var collections: [String: Collection] = [:]
    }

    private struct State {
        var databases: [String: Database]
        var nextCollection: UInt32
    }

    private let store: Store
    private let state: Monitor<State>

    /// Called when a change is committed or has failed.
    typealias Completion = @Sendable (Result<Void, EngineError>) -> Void

    init(_ store: Store, _ contents: CatalogRecord.Contents) {
        self.store = store
        var databases = [Self.defaultDatabase: Database(name: Self.defaultDatabase)]
        for name in contents.databases { databases[name] = Database(name: name) }
        for collection in contents.collections {
            databases[collection.database, default: Database(name: collection.database)]
                .collections[collection.name] = collection
        }
        state = Monitor(State(databases: databases, nextCollection: contents.nextCollection))
    }

    // MARK: Looking

    /// The names of the databases, sorted.
    var databaseNames: [String] { state.withLock { $0.databases.keys.sorted() } }

    /// The names of the collections of a database, sorted; none for a database that is not there.
    func collectionNames(_ database: String) -> [String] {
        state.withLock { $0.databases[database]?.collections.keys.sorted() ?? [] }
    }

    /// A collection, if it is there.
    func collection(_ database: String, _ name: String) -> Collection? {
        state.withLock { $0.databases[database]?.collections[name] }
    }

    /// All collections.
    var collections: [Collection] { state.withLock { $0.databases.values.flatMap(\.collections.values) } }

    // MARK: Making

    /// A collection, made together with its database if it is not there yet.
    func collectionForWriting(_ database: String, _ name: String) throws(EngineError) -> Collection {
        if let collection = collection(database, name) { return collection }
        return try makeCollection(database, name, vectorDimensions: 0, durability: .os) { _ in }
    }

    /// Makes a database; one that is there already is fine.
    func makeDatabase(_ name: String, _ completion: @escaping Completion) throws(EngineError) {
        try Names.check(name, of: "database")
        try state.withLock { state throws(EngineError) in
            var batch = WriteBatch()
            // One that is there may still be on its way to the device: an empty batch behind it waits for it.
            if state.databases[name] == nil {
                batch.put(.catalog, key: CatalogRecord.databaseKey(name), value: CatalogRecord.databaseValue())
            }
            try enqueue(batch, durability: .sync, completion)
            if state.databases[name] == nil { state.databases[name] = Database(name: name) }
        }
    }

    /// Makes a collection and its database. One that is there already is fine, unless its vectors have
    /// another length; one without a recorded length gets it.
    ///
    /// Implicit creation passes `.os`: the write that follows in the queue decides when both are on the device.
    @discardableResult
    func makeCollection(
        _ database: String, _ name: String, vectorDimensions: Int, durability: NexaStorage.Durability,
        _ completion: @escaping Completion
    ) throws(EngineError) -> Collection {
        try Names.check(database, of: "database")
        try Names.check(name, of: "collection")
        guard (0...EngineLimits.maximumVectorDimensions).contains(vectorDimensions) else {
            throw EngineError(
                .limit,
                "A vector of \(vectorDimensions) dimensions was asked for; "
                    + "the limit is \(EngineLimits.maximumVectorDimensions)")
        }
        return try state.withLock { state throws(EngineError) in
            var batch = WriteBatch()
            let old = state.databases[database]?.collections[name]
            let recorded = old?.vectorDimensions ?? 0
            guard recorded == 0 || vectorDimensions == 0 || recorded == vectorDimensions else {
                throw EngineError(
                    .badRequest,
                    "Collection '\(name)' already exists in database '\(database)' with vectors of "
                        + "\(recorded) dimensions, not \(vectorDimensions)")
            }
            guard state.nextCollection < 0xFF00_0000 else {
                throw EngineError(.limit, "4278190079 collections have been made, which is the limit")
            }
            let collection = Collection(
                number: old?.number ?? state.nextCollection,
                database: state.databases[database]?.name ?? database, name: old?.name ?? name,
                vectorDimensions: max(recorded, vectorDimensions))
            if state.databases[database] == nil {
                batch.put(.catalog, key: CatalogRecord.databaseKey(database), value: CatalogRecord.databaseValue())
            }
            batch.put(
                .catalog, key: CatalogRecord.collectionKey(collection.database, collection.name),
                value: CatalogRecord.collectionValue(collection))
            if old == nil {
                batch.put(
                    .catalog, key: CatalogRecord.counterKey,
                    value: CatalogRecord.counterValue(state.nextCollection + 1))
            }
            try enqueue(batch, durability: durability, completion)
            if let old {
                old.record(vectorDimensions: collection.vectorDimensions)
                return old
            }
            state.nextCollection += 1
            state.databases[database, default: Database(name: database)].collections[name] = collection
            return collection
        }
    }

    // MARK: Dropping (the caller holds all latches)

    /// Drops a collection: its catalog entry and the range of its documents go in one batch.
    func dropCollection(_ database: String, _ name: String, _ completion: @escaping Completion) throws(EngineError) {
        try state.withLock { state throws(EngineError) in
            guard let collection = state.databases[database]?.collections[name] else {
                throw EngineError(.notFound, "Collection '\(name)' not found in database '\(database)'")
            }
            var batch = WriteBatch()
            batch.note(.dropCollection, in: collection)
            Self.drop(collection, in: &batch)
            try enqueue(batch, durability: .sync, completion)
            collection.markDropped()
            state.databases[database]?.collections[name] = nil
        }
    }

    /// Drops a database and all its collections.
    func dropDatabase(_ name: String, _ completion: @escaping Completion) throws(EngineError) {
        guard name != Self.defaultDatabase else {
            throw EngineError(.badRequest, "Cannot drop 'default' database")
        }
        try state.withLock { state throws(EngineError) in
            guard let database = state.databases[name] else {
                throw EngineError(.notFound, "Database '\(name)' not found")
            }
            var batch = WriteBatch()
            for collection in database.collections.values {
                batch.note(.dropCollection, in: collection)
                Self.drop(collection, in: &batch)
            }
            batch.note(dropOf: database.name)
            batch.delete(.catalog, key: CatalogRecord.databaseKey(database.name))
            try enqueue(batch, durability: .sync, completion)
            for collection in database.collections.values { collection.markDropped() }
            state.databases[name] = nil
        }
    }

    private static func drop(_ collection: Collection, in batch: inout WriteBatch) {
        for index in collection.queryIndexes { CatalogRecord.dropIndex(index.number, in: &batch) }
        batch.delete(.catalog, key: CatalogRecord.collectionKey(collection.database, collection.name))
        batch.deleteRange(
            .documents, lower: DocumentKey.prefix(collection.number), upper: DocumentKey.end(collection.number))
    }

    // MARK: Indexes (the caller holds all latches)

    /// Makes an index that writes maintain from now on, and that has to be built.
    func addIndex(
        _ definition: IndexDefinition, to collection: Collection,
        _ completion: @escaping @Sendable (Index, Result<Void, EngineError>) -> Void
    ) throws(EngineError) {
        try state.withLock { state throws(EngineError) in
            guard state.nextCollection < UInt32.max else {
                throw EngineError(.limit, "4294967294 collections and indexes have been made, which is the limit")
            }
            let index = try Index(
                number: state.nextCollection, collection: collection.number, definition: definition, state: .building,
                record: Self.recorder(store))
            var batch = WriteBatch()
            batch.put(
                .catalog, key: CatalogRecord.indexKey(index.number),
                value: CatalogRecord.indexValue(index, isReady: false))
            batch.put(
                .catalog, key: CatalogRecord.counterKey, value: CatalogRecord.counterValue(state.nextCollection + 1))
            try enqueue(batch, durability: .sync) { completion(index, $0) }
            state.nextCollection += 1
            collection.indexes.append(index)
        }
    }

    /// Drops an index: its catalog entries and the range of its entries go in one batch.
    func dropIndex(
        _ index: Index, of collection: Collection, _ completion: @escaping Completion
    ) throws(EngineError) {
        try state.withLock { _ throws(EngineError) in
            var batch = WriteBatch()
            CatalogRecord.dropIndex(index.number, in: &batch)
            // Before the entries go, so that nobody looks for them.
            let before = index.state
            index.markDropped()
            do throws(EngineError) {
                try enqueue(batch, durability: .sync, completion)
            } catch {
                index.restore(before)
                throw error
            }
            collection.indexes = collection.queryIndexes.filter { $0 !== index }
            index.tellWaiters()
        }
    }

    /// Brings back the indexes that the catalog had when it was opened; returns those that have to be built.
    func attach(
        _ contents: CatalogRecord.Contents
    ) throws(EngineError) -> [(index: Index, progress: CatalogRecord.IndexProgress?)] {
        let collections = Dictionary(uniqueKeysWithValues: contents.collections.map { ($0.number, $0) })
        var building: [(index: Index, progress: CatalogRecord.IndexProgress?)] = []
        for record in contents.indexes {
            guard let collection = collections[record.collection] else { continue }
            let index = try Index(
                number: record.number, collection: record.collection, definition: record.definition,
                state: record.isReady ? .ready : .building,
                marks: contents.indexMarks[record.number] ?? Index.Marks(multikey: 0, cut: 0),
                record: Self.recorder(store))
            collection.indexes.append(index)
            if !record.isReady { building.append((index, contents.indexProgress[record.number])) }
        }
        return building
    }

    private static func recorder(_ store: Store) -> @Sendable (UInt32, Index.Marks) throws(EngineError) -> Void {
        { (number, marks) throws(EngineError) in
            var batch = WriteBatch()
            batch.put(
                .catalog, key: CatalogRecord.indexMarksKey(number), value: CatalogRecord.indexMarksValue(marks))
            if let refusal = store.enqueue(batch, durability: .os, completion: { _ in }) { throw EngineError(refusal) }
        }
    }

    private func enqueue(
        _ batch: WriteBatch, durability: NexaStorage.Durability, _ completion: @escaping Completion
    ) throws(EngineError) {
        let refusal = store.enqueue(batch, durability: durability) { result in
            completion(result.map { _ in }.mapError { EngineError($0) })
        }
        if let refusal { throw EngineError(refusal) }
    }
}
