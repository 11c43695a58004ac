import NexaStorage
import NexaValue
import NexaVector
import Synchronization

/// An index and how far it is.
public struct IndexStatus: Sendable, Hashable {
    /// The stages of an index.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Writes maintain it, queries do not use it yet.
        case building
        /// Queries use it.
        case ready
        /// It could not be built and is gone; `failure` says why. Known until the server ends, or until an index of
        /// that name is created again.
        case failed
    }

    /// What it is.
    public var definition: IndexDefinition
    /// How far it is.
    public var state: State
    /// The documents that were looked at for building it.
    public var scanned: Int
    /// About how many documents there are to look at.
    public var total: Int
    /// Why it could not be built.
    public var failure: EngineError?
}

extension Engine {
    /// Makes an index, and the collection if it is not there, and answers when that is durable; then it is built in
    /// the background, while writes go on.
    ///
    /// An index that is there already with the same definition is fine.
    /// - Errors: `.badRequest` for a definition without meaning, or one whose name or fields another index has;
    ///   `.limit`; `.storage`.
    public func createIndex(
        database: String, collection name: String, definition: IndexDefinition,
        completion: @escaping @Sendable (Result<IndexStatus, EngineError>) -> Void
    ) {
        do throws(EngineError) {
            _ = try definition.checked()
            while true {
                let collection = try catalog.collectionForWriting(database, name)
                let isMade = try latches.holdingAll { () throws(EngineError) -> Bool in
                    guard !collection.isDropped else { return false }
                    try addIndex(definition, to: collection, completion)
                    return true
                }
                if isMade { break }
            }
        } catch {
            return completion(.failure(error))
        }
        store.commitPending()
    }

    /// All latches are held.
    func addIndex(
        _ definition: IndexDefinition, to collection: Collection,
        _ completion: @escaping @Sendable (Result<IndexStatus, EngineError>) -> Void
    ) throws(EngineError) {
        let known = collection.queryIndexes
        if let same = known.first(where: { $0.definition == definition }) {
            // An empty commit behind its own waits for that.
            return try enqueue(WriteBatch(), WriteOptions(durability: .sync)) {
                completion($0.map { Self.status(of: same) })
            }
        }
        if known.contains(where: { $0.name == definition.name }) {
            throw EngineError(
                .badRequest,
                "Collection '\(collection.name)' has another index with the name '\(definition.name)'",
                advice: "Drop it first, or choose another name")
        }
        if let other = known.first(where: {
            $0.definition.keys == definition.keys && $0.definition.partialFilter == definition.partialFilter
                && ($0.vectors == nil) == (definition.vector == nil)
        }) {
            throw EngineError(
                .badRequest, "Collection '\(collection.name)' has an index on these fields, '\(other.name)'",
                advice: "Drop it first")
        }
        guard known.count < IndexDefinition.maximumCount else {
            throw EngineError(
                .limit,
                "Collection '\(collection.name)' has \(known.count) indexes; the limit is \(IndexDefinition.maximumCount)"
            )
        }
        collection.failedBuilds.withLock { failed in failed.removeAll { $0.definition.name == definition.name } }
        try catalog.addIndex(definition, to: collection) { [self] index, result in
            switch result {
            case .success:
                // Everything that was queued before is in the tables now, so nothing is overlooked.
                builder.start(IndexBuilder.Job(index: index, collection: collection, progress: nil), in: self)
                completion(.success(Self.status(of: index)))
            case .failure(let error): completion(.failure(error))
            }
        }
    }

    /// Brings back the indexes of the catalog, and goes on building those that were not ready.
    func resumeIndexes(_ contents: CatalogRecord.Contents) throws(EngineError) {
        IndexTableBuild.removeFiles(in: temporaryDirectory)
        let resumed = try catalog.attach(contents)
        try vectorImages.load(vectorIndexes.filter { $0.state == .ready }, store)
        let collections = Dictionary(uniqueKeysWithValues: contents.collections.map { ($0.number, $0) })
        for (index, progress) in resumed {
            guard let collection = collections[index.collection] else { continue }
            builder.start(IndexBuilder.Job(index: index, collection: collection, progress: progress), in: self)
        }
        sweeper.start(self)
        if !vectorIndexes.isEmpty { keeper.wake(self) }
    }

    /// Drops an index, in constant time. `.notFound` when it is not there.
    public func dropIndex(
        database: String, collection name: String, index: String,
        completion: @escaping @Sendable (Result<Void, EngineError>) -> Void
    ) {
        do throws(EngineError) {
            let missing = EngineError(
                .notFound, "Index '\(index.prefix(EngineLimits.maximumNameBytes))' not found in collection '\(name)'")
            guard let collection = catalog.collection(database, name) else { throw missing }
            try latches.holdingAll { () throws(EngineError) in
                guard !collection.isDropped, let found = collection.queryIndexes.first(where: { $0.name == index })
                else { throw missing }
                try catalog.dropIndex(found, of: collection, completion)
            }
        } catch {
            return completion(.failure(error))
        }
        store.commitPending()
    }

    /// The indexes of a collection, in the order in which they were made, then those that could not be built.
    public func indexes(database: String, collection name: String) -> [IndexStatus] {
        guard let collection = catalog.collection(database, name) else { return [] }
        let failed = collection.failedBuilds.withLock { $0 }
        // One that failed may still wait for being dropped.
        let kept = collection.queryIndexes.filter { index in !failed.contains { $0.definition.name == index.name } }
        return kept.map { Self.status(of: $0) }
            + failed.map {
                IndexStatus(definition: $0.definition, state: .failed, scanned: 0, total: 0, failure: $0.error)
            }
    }

    private static func status(of index: Index) -> IndexStatus {
        // What is told of a vector index that is ready is how much of it is in the graph.
        if index.state == .ready, let field = index.vectors, !field.isRebuilding {
            let count = field.current.count
            return IndexStatus(
                definition: index.definition, state: .ready, scanned: max(0, count - field.current.unlinkedCount),
                total: count)
        }
        return IndexStatus(
            definition: index.definition, state: index.state == .ready ? .ready : .building,
            scanned: index.build.scanned.load(ordering: .relaxed), total: index.build.total.load(ordering: .relaxed))
    }
}
