import NexaQuery
import NexaStorage
public import NexaValue
import NexaVector

/// How many vectors a collection has in one of its fields.
public struct VectorFieldStatus: Sendable, Hashable {
    /// The index: its field, dimensions, metric and the rest.
    public var definition: IndexDefinition
    /// The field.
    public var path: String { definition.keys.first?.path ?? "" }
    /// The vectors there are.
    public var count: Int
    /// Those that are in the graph; the others are compared one by one.
    public var linked: Int
    /// The bytes that they take in memory.
    public var memoryBytes: Int
}

extension Engine {
    /// The vector indexes of all collections.
    var vectorIndexes: [Index] {
        catalog.collections.flatMap { $0.queryIndexes.filter { $0.vectors != nil && $0.state != .dropped } }
    }

    /// The vector indexes of a collection.
    public func vectorFields(database: String, collection name: String) -> [VectorFieldStatus] {
        guard let collection = catalog.collection(database, name) else { return [] }
        return collection.queryIndexes.compactMap { index in
            guard let vectors = index.vectors?.current, index.state != .dropped else { return nil }
            let count = vectors.count
            return VectorFieldStatus(
                definition: index.definition, count: count, linked: max(0, count - vectors.unlinkedCount),
                memoryBytes: vectors.memoryUse)
        }
    }

    /// The `_id`s of documents with a vector, in their order.
    ///
    /// - Throws: `.storage`.
    public func vectorIDs(
        database: String, collection name: String, path: String = VectorOptions.defaultPath, limit: Int
    ) throws(EngineError) -> [Value] {
        guard let index = catalog.collection(database, name)?.vectorIndex(path) else { return [] }
        var ids: [Value] = []
        try translating { () throws(StorageError) in
            var iterator = try store.makeIterator(.indexes, lower: index.prefix, upper: index.range.upper)
            while ids.count < limit, try iterator.advance() {
                // The number of the index is as long as that of a collection.
                if let id = iterator.key.withUnsafeBytes({ DocumentKey.id(in: $0) }) { ids.append(id) }
            }
        }
        return ids
    }

    /// Builds the graph of a vector index anew, in the background: searches go on in the old one, and writes go to both.
    /// An index that is still being made is waited for.
    ///
    /// - Parameters:
    ///   - path: the field with the vectors.
    ///   - maxConnections: the `M` of the new graph; `nil` to keep it.
    ///   - efConstruction: likewise.
    ///   - quantization: how the vectors are kept from now on; `nil` as they are.
    ///   - completion: gets the number of vectors once the new graph is in use.
    /// - Errors: `.notFound` when the field has no vector index, `.badRequest` for numbers out of bounds,
    ///   `.overloaded` when it is being built already, `.shuttingDown`.
    public func buildVectorIndex(
        database: String, collection name: String, path: String = VectorOptions.defaultPath, maxConnections: Int? = nil,
        efConstruction: Int? = nil, quantization: VectorOptions.Quantization? = nil,
        completion: @escaping @Sendable (Result<Int, EngineError>) -> Void
    ) {
        do throws(EngineError) {
            guard let collection = catalog.collection(database, name), let index = collection.vectorIndex(path),
                let field = index.vectors
            else { throw EngineError(.notFound, "No vectors found in collection '\(name)'") }
            var options = field.options
            options.maxConnections = maxConnections ?? options.maxConnections
            options.efConstruction = max(efConstruction ?? options.efConstruction, options.maxConnections)
            options.quantization = quantization ?? options.quantization
            try options.check()
            let build = VectorBuild(index: index, collection: collection, options: options, completion: completion)
            // The first vectors of a collection make the index, which may not have been finished yet.
            index.whenBuilt { [weak self] in
                guard let self else {
                    return completion(.failure(EngineError(.shuttingDown, "The server is shutting down")))
                }
                keeper.build(build, self)
            }
        } catch {
            completion(.failure(error))
        }
    }

    /// Ends the waiting of builds for indexes that will not be finished any more.
    func tellVectorBuilds() {
        for index in vectorIndexes { index.tellWaiters() }
    }

    /// Writes the images of all vector indexes that have changed, which otherwise happens in the background.
    @_spi(Testing) public func saveVectorImages() { keeper.saveAll(self) }

    // MARK: The index that makes itself

    /// Gives a collection the index of the field `vector`, and records the length of its vectors.
    ///
    /// - Errors: `.limit` when the collection has as many indexes as it may; `.badRequest` when its vectors have
    ///   another length.
    func establishVectors(
        in collection: Collection, dimensions: Int, durability: NexaStorage.Durability = .os,
        completion: @escaping @Sendable (Result<Void, EngineError>) -> Void = { _ in }
    ) throws(EngineError) {
        let definition = IndexDefinition(
            vectorsAt: VectorOptions.defaultPath, options: VectorOptions(dimensions: dimensions))
        try latches.holdingAll { () throws(EngineError) in
            guard !collection.isDropped else { return completion(.success(())) }
            if collection.vectorIndex(VectorOptions.defaultPath) == nil {
                try addIndex(definition, to: collection) { _ in }
            }
            try catalog.makeCollection(
                collection.database, collection.name, vectorDimensions: dimensions, durability: durability, completion)
        }
    }

    /// The length of the first vector that changes bring into a collection that has none yet.
    func firstVectorLength(of changes: [DocumentChange], in collection: Collection) -> Int? {
        guard collection.vectorDimensions == 0 else { return nil }
        for change in changes where change.mayHaveVector {
            if let new = change.new, let length = StoredVector.length(in: new.span.bytes) { return length }
        }
        return nil
    }
}

extension Engine {
    /// Finds the documents whose vectors are nearest to a given one, best first.
    ///
    /// It sees every write that was acknowledged before it began. Blocks for as long as it takes: up to milliseconds in
    /// an index, longer where documents are looked through.
    /// - Throws: `.badRequest` for a vector of another length than those of the field, or a filter that is none;
    ///   `.limit`; `.storage`; what the checkpoint throws. An unknown collection has no documents.
    public func vectorSearch(
        database: String, collection: String, _ query: VectorQuery
    ) throws(EngineError) -> VectorSearchResult {
        guard let collection = catalog.collection(database, collection) else {
            try query.check()
            return VectorSearchResult()
        }
        return try VectorSearch(self, collection, query).run()
    }

    /// The vector of a document; `nil` when there is no such document, or it has none.
    ///
    /// - Throws: `.storage`.
    public func vector(
        database: String, collection name: String, id: Value, path: String = VectorOptions.defaultPath
    ) throws(EngineError) -> [Float]? {
        guard let collection = catalog.collection(database, name) else { return nil }
        let reader = FieldPathReader(path)
        var vector: [Float]?
        _ = try read(database: database, collection: name, id: id) { document in
            let dimensions = collection.vectorIndex(path)?.vectors?.dimensions ?? StoredVector.count(document, reader)
            let packed = try? StoredVector.packed(document, at: reader, path: path, dimensions: dimensions)
            vector = packed.map { StoredVector.floats($0.span.bytes) }
        }
        return vector
    }
}
