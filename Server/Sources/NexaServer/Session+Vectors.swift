import NexaEngine
import NexaProtocol
import NexaValue
import NexaVector

/// Searching by nearness.
extension Session {
    func vectorSearch(_ search: Request.VectorSearch) {
        let engine = shared.engine
        let namespace = search.namespace
        let maximumBytes = shared.configuration.maximumResultBytes
        let transaction = transaction
        runOnWorker { (control) throws(EngineError) in
            var query: VectorQuery
            switch search.target {
            case .vector(let vector): query = VectorQuery(vector)
            case .document(let id):
                let vector = try engine.vector(
                    database: namespace.database, collection: namespace.collection, id: id, path: search.field)
                guard let vector else {
                    throw EngineError(
                        .notFound, "There is no document '\(id.idString)' with a vector in '\(search.field)'")
                }
                query = VectorQuery(vector)
                query.excludedID = id
            }
            query.path = search.field
            query.limit = search.limit
            query.filter = search.filter
            query.ef = search.ef
            query.isExact = search.isExact
            query.projection = search.projection
            query.includesVector = search.includesVector
            query.minimumScore = search.minimumSimilarity
            query.transaction = transaction
            query.maximumResultBytes = maximumBytes
            query.checkpoint = { () throws(EngineError) in try control.check() }
            let result = try engine.vectorSearch(
                database: namespace.database, collection: namespace.collection, query)
            let hits = result.hits.map { Reply.VectorHit(id: $0.id, similarity: $0.score, document: $0.document) }
            return .payload(Reply.vectorHits(namespace, hits, plan: search.isExplained ? result.plan : nil))
        }
    }

    func buildVectorIndex(_ build: Request.BuildVectorIndex) {
        let namespace = build.namespace
        let quantization: VectorOptions.Quantization?
        do throws(EngineError) {
            quantization = try VectorOptions.quantization(named: build.quantization)
        } catch {
            return reply(.failure(RequestError(error)))
        }
        let slot = begin(.exclusive)
        shared.engine.buildVectorIndex(
            database: namespace.database, collection: namespace.collection, path: build.field,
            maxConnections: build.maxConnections, efConstruction: build.efConstruction, quantization: quantization
        ) { [self] result in
            complete(
                slot,
                with: PendingReply(result) { count in
                    .fields([
                        "status": "success", "collection": .string(namespace.collection),
                        "database": .string(namespace.database), "num_vectors": .int(Int64(count)),
                        "message": .string("HNSW index built with \(count) vectors")
                    ])
                })
        }
    }

    /// Documents that GET_VECTORS names of each collection.
    private static let listedVectors = 1000

    func getVectors(_ database: String) {
        let engine = shared.engine
        runOnWorker { (control) throws(EngineError) in
            var collections: Document = [:]
            var total = 0
            for name in engine.collectionNames(database: database) {
                try control.check()
                let fields = engine.vectorFields(database: database, collection: name)
                let main = fields.first { $0.path == VectorOptions.defaultPath } ?? fields.first
                guard let main, let options = main.definition.vector, main.count > 0 else { continue }
                let ids = try engine.vectorIDs(
                    database: database, collection: name, path: main.path,
                    limit: Self.listedVectors)
                total += main.count
                collections[name] = [
                    "count": .int(Int64(main.count)), "dimensions": .int(Int64(options.dimensions)),
                    "documents": .array(
                        ids.map { ["doc_id": $0, "dimensions": .int(Int64(options.dimensions))] }),
                    "fields": .array(fields.map { .document($0.fields) })
                ]
            }
            return .fields([
                "database": .string(database), "status": "success", "total_vectors": .int(Int64(total)),
                "collections": .document(collections)
            ])
        }
    }
}

extension VectorFieldStatus {
    /// As a client gets it.
    fileprivate var fields: Document {
        var fields = definition.vector?.fields ?? [:]
        fields["field"] = .string(path)
        fields["index"] = .string(definition.name)
        fields["count"] = .int(Int64(count))
        fields["linked"] = .int(Int64(linked))
        fields["memory_bytes"] = .int(Int64(memoryBytes))
        return fields
    }
}

extension Value {
    /// An `_id` in a message.
    fileprivate var idString: String { string ?? int.map(String.init) ?? kindName }
}
