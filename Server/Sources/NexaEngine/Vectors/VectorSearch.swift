import NexaQuery
import NexaStorage
import NexaValue
import NexaVector

/// Carries out one vector search.
///
/// Without a filter the graph is walked. With one there are two ways that both end with `limit` documents if there are so
/// many: to walk the graph and look at the documents that the walk meets, or to find the documents that match and
/// compare all of them. The first pays for every document that does not match near the query, the second for every
/// one that does; which is cheaper is estimated from a sample. A walk that turns out longer than expected is given up.
/// Where an index says by itself which documents match, their vectors are compared in memory.
struct VectorSearch {
    let engine: Engine
    let collection: Collection
    let query: VectorQuery
    private let filter: QueryFilter
    private let projection: Projection?
    private let index: Index?
    private let metric: VectorOptions.Metric

    /// About how long it takes to look up a document and to compare it with the filter, in units of a step of a scan
    /// over documents that lie side by side.
    private static let lookUpCost = 4.0
    /// The same for an entry of an index, and for comparing a vector in memory.
    private static let entryCost = 0.5
    /// Documents that are looked at for the estimate.
    private static let sampleSize = 64

    init(_ engine: Engine, _ collection: Collection, _ query: VectorQuery) throws(EngineError) {
        try query.check()
        self.engine = engine
        self.collection = collection
        self.query = query
        filter = try translatingQuery { () throws(QueryError) in try QueryFilter(compiling: query.filter) }
        var fields = query.projection
        if fields.isEmpty, !query.includesVector { fields = [query.path: 0] }
        let compiled = try translatingQuery { () throws(QueryError) in try Projection(compiling: fields) }
        projection = compiled.returnsWholeDocuments ? nil : compiled
        index = collection.vectorIndex(query.path)
        metric = index?.vectors?.metric ?? .cosine
        let recorded = query.path == VectorOptions.defaultPath ? collection.vectorDimensions : 0
        let dimensions = index?.vectors?.dimensions ?? recorded
        guard dimensions == 0 || dimensions == query.vector.count else {
            throw EngineError(.badRequest, "Query vector must have \(dimensions) dimensions")
        }
    }

    func run() throws(EngineError) -> VectorSearchResult {
        guard query.limit > 0 else { return VectorSearchResult() }
        guard let index, let field = index.vectors, index.state == .ready, let vectors = field.searchable,
            query.transaction == nil
        else {
            let reason =
                query.transaction != nil
                ? "a transaction" : index == nil ? "no vector index" : "the vector index is not ready"
            return try scanDocuments(because: reason)
        }
        if filter.matchesEverything {
            return query.isExact ? try scanVectors(vectors, index) : try walk(vectors, index)
        }
        if query.isExact { return try scanDocuments(because: "exact") }
        let filterIndex = try filterIndex()
        let estimate = try estimate(vectors, filterIndex)
        if estimate.prefersWalk, let result = try walk(vectors, index, estimate) { return result }
        if case .complete(let scan, let snapshot) = filterIndex {
            return try scanEntries(vectors, index, scan, snapshot, estimate)
        }
        return try scanDocuments(because: estimate.prefersWalk ? "the walk was too long" : "the filter", estimate)
    }

    // MARK: Choosing

    /// What a filter leaves, by a sample.
    private struct Estimate {
        var selectivity: Double
        var walkCost: Double
        var scanCost: Double
        /// Where the walk is given up.
        var visitLimit: Int
        var prefersWalk: Bool { walkCost <= scanCost }
    }

    private func estimate(_ vectors: VectorIndex, _ filterIndex: FilterIndex) throws(EngineError) -> Estimate {
        let count = max(1, vectors.count)
        let bound = Int(vectors.slotBound)
        let step = max(1, bound / Self.sampleSize)
        let prefix = DocumentKey.prefix(collection.number)
        var seen = 0
        var matching = 0
        // Spread over all of them, and not only over the oldest or the newest.
        for slot in stride(from: step / 2, to: bound, by: step) {
            guard let id = vectors.id(of: UInt32(slot)) else { continue }
            seen += 1
            if try matches(prefix + id) { matching += 1 }
        }
        let selectivity = (Double(matching) + 0.5) / (Double(seen) + 1)
        let ef = Double(query.effectiveEF)
        let walkCost = min(Double(count), ef / selectivity) * Self.lookUpCost
        // With an index, only what it finds is looked up; otherwise all documents are passed.
        let documents = Double(max(count, engine.estimatedDocumentCount(of: collection)))
        let scanCost =
            switch filterIndex {
            case .none: documents
            case .partial: selectivity * documents * Self.lookUpCost
            case .complete: selectivity * documents * Self.entryCost
            }
        return Estimate(
            selectivity: selectivity, walkCost: walkCost, scanCost: scanCost,
            visitLimit: max(1000, Int(2 * scanCost / Self.lookUpCost)))
    }

    /// What the other indexes of the collection know of the filter.
    private enum FilterIndex {
        case none
        /// Documents that may match.
        case partial
        /// The documents that match.
        case complete(IndexScan, Snapshot)
    }

    private func filterIndex() throws(EngineError) -> FilterIndex {
        let execution = try QueryExecution(
            engine.store, collection, filter: query.filter, options: QueryOptions(),
            spillDirectory: engine.temporaryDirectory)
        if case .keys = execution.source { return .partial }
        guard let plan = try execution.chosenPlan().plan else { return .none }
        guard plan.scans.count == 1, plan.scans[0].isExact, let snapshot = execution.snapshot else { return .partial }
        return .complete(plan.scans[0], snapshot)
    }

    // MARK: In the index

    /// Candidates, and what it took to find them.
    private struct Found {
        var matches: [VectorIndex.Match]
        var visited: Int
        var evaluated: Int

        init(matches: [VectorIndex.Match], visited: Int, evaluated: Int) {
            self.matches = matches
            self.visited = visited
            self.evaluated = evaluated
        }

        init(_ result: VectorIndex.SearchResult) {
            self.init(matches: result.matches, visited: result.visited, evaluated: result.evaluated)
        }
    }

    private func walk(_ vectors: VectorIndex, _ index: Index) throws(EngineError) -> VectorSearchResult {
        try collect(vectors, index, stage: "VECTOR_INDEX") { wanted in
            Found(vectors.search(query.vector.span, k: wanted, ef: max(query.effectiveEF, wanted)))
        }
    }

    private func scanVectors(_ vectors: VectorIndex, _ index: Index) throws(EngineError) -> VectorSearchResult {
        try collect(vectors, index, stage: "VECTOR_SCAN") { wanted in
            Found(matches: vectors.exactSearch(query.vector.span, k: wanted), visited: 0, evaluated: vectors.count)
        }
    }

    /// Compares with the vectors of the documents that an index of the filter finds. They are looked up in the end only.
    private func scanEntries(
        _ vectors: VectorIndex, _ index: Index, _ scan: IndexScan, _ snapshot: Snapshot, _ estimate: Estimate
    ) throws(EngineError) -> VectorSearchResult {
        let cursor = IndexCursor([scan], collection: collection.number, snapshot)
        var slots: [UInt32] = []
        while try cursor.advance() {
            if cursor.keysExamined & 0x3FF == 0 { try query.checkpoint() }
            let id = cursor.documentKey[DocumentKey.prefixLength...]
            if let slot = vectors.slot(of: id.span) { slots.append(slot) }
        }
        var result = try collect(vectors, index, stage: "INDEX_SCAN", estimate) { wanted in
            let matches = vectors.exactSearch(query.vector.span, k: wanted, among: slots)
            return Found(matches: matches, visited: 0, evaluated: slots.count)
        }
        result.plan["filter_index"] = .string(scan.index.name)
        result.plan["keys_examined"] = .int(Int64(cursor.keysExamined))
        return result
    }

    /// Walks the graph, with only matching documents as results; `nil` when that is the wrong way.
    private func walk(
        _ vectors: VectorIndex, _ index: Index, _ estimate: Estimate
    ) throws(EngineError) -> VectorSearchResult? {
        let prefix = DocumentKey.prefix(collection.number)
        var failure: EngineError?
        var looked = 0
        var isComplete = true
        let result = try collect(vectors, index, stage: "VECTOR_INDEX", estimate) { wanted in
            let found = vectors.search(
                query.vector.span, k: wanted, ef: max(query.effectiveEF, wanted), visitLimit: estimate.visitLimit
            ) { slot in
                guard failure == nil, let id = vectors.id(of: slot) else { return false }
                looked += 1
                do throws(EngineError) {
                    if looked & 0xFF == 0 { try query.checkpoint() }
                    return try matches(prefix + id)
                } catch {
                    failure = error
                    return false
                }
            }
            isComplete = found.isComplete
            return Found(found)
        }
        if let failure { throw failure }
        // Too few may mean that the graph has places that it does not lead to.
        return isComplete && result.hits.count == min(query.limit, vectors.count) ? result : nil
    }

    private func matches(_ key: [UInt8]) throws(EngineError) -> Bool {
        var outcome: Result<Bool, EngineError> = .success(false)
        try translating { () throws(StorageError) in
            try engine.store.get(.documents, key.span.bytes) { document in
                outcome = Result { () throws(EngineError) in
                    try translatingQuery { () throws(QueryError) in try filter.matches(document) }
                }
            }
        }
        return try outcome.get()
    }

    /// Finds candidates until enough of them are there and match still, now that they are looked up.
    private func collect(
        _ vectors: VectorIndex, _ index: Index, stage: String, _ estimate: Estimate? = nil,
        _ search: (Int) -> Found
    ) throws(EngineError) -> VectorSearchResult {
        let isApproximate = vectors.configuration.quantization != .none && stage != "DOCUMENT_SCAN"
        let extra = query.excludedID == nil ? 0 : 1
        // Kept roughly, vectors may change places when they are compared exactly.
        var wanted = isApproximate ? 2 * query.limit + 16 : query.limit + extra
        var result = VectorSearchResult()
        for _ in 0..<4 {
            try query.checkpoint()
            let found = search(wanted)
            result.hits = try look(found.matches, index, isApproximate)
            result.plan = [
                "stage": .string(stage),
                "strategy": .string(Self.strategy(stage, isFiltered: estimate != nil)),
                "index": .string(index.name), "path": .string(query.path), "metric": .string(metric.rawValue),
                "limit": .int(Int64(query.limit)), "candidates": .int(Int64(wanted)),
                "vectors": .int(Int64(vectors.count)),
                "ef": .int(Int64(max(query.effectiveEF, wanted))), "visited": .int(Int64(found.visited)),
                "distances": .int(Int64(found.evaluated))
            ]
            if stage != "VECTOR_INDEX" { result.plan["ef"] = nil }
            if let estimate { describe(estimate, &result.plan) }
            // Deleted meanwhile, some are missing: then more candidates may help.
            if result.hits.count >= query.limit || found.matches.count < wanted { break }
            if query.minimumScore != nil, !found.matches.isEmpty { break }
            wanted *= 2
        }
        return result
    }

    private static func strategy(_ stage: String, isFiltered: Bool) -> String {
        switch stage {
        case "VECTOR_SCAN": "exact scan of all vectors"
        case "INDEX_SCAN": "exact scan of the vectors that an index of the filter finds"
        default: isFiltered ? "graph walk with the filter as its predicate" : "graph walk"
        }
    }

    private func describe(_ estimate: Estimate, _ plan: inout Document) {
        plan["selectivity"] = .double((estimate.selectivity * 1e4).rounded() / 1e4)
        plan["cost"] = [
            "walk": .double(estimate.walkCost.rounded()), "scan": .double(estimate.scanCost.rounded())
        ]
    }

    /// Looks the documents of candidates up, as of one moment.
    private func look(
        _ matches: [VectorIndex.Match], _ index: Index, _ isApproximate: Bool
    ) throws(EngineError) -> [VectorSearchResult.Hit] {
        let snapshot = try translating { () throws(StorageError) in try engine.store.snapshot() }
        let prefix = DocumentKey.prefix(collection.number)
        var candidates: [(key: [UInt8], distance: Float)] = []
        for match in matches {
            var distance = match.distance
            if isApproximate {
                let entry = index.prefix + match.id
                let stored = try translating { () throws(StorageError) in
                    try snapshot.get(.indexes, entry.span.bytes) { StoredVector.floats($0) }
                }
                guard let stored else { continue }
                distance = VectorIndex.distance(metric, query.vector.span, stored.span)
            }
            candidates.append((prefix + match.id, distance))
        }
        if isApproximate { candidates.sort { $0.distance < $1.distance } }
        var hits: [VectorSearchResult.Hit] = []
        var bytes = 0
        for candidate in candidates where hits.count < query.limit {
            var outcome: Result<VectorSearchResult.Hit?, EngineError> = .success(nil)
            try translating { () throws(StorageError) in
                try snapshot.get(.documents, candidate.key.span.bytes) { document in
                    outcome = Result { () throws(EngineError) in
                        let isMeant = try translatingQuery { () throws(QueryError) in try filter.matches(document) }
                        return isMeant ? try hit(candidate.key, candidate.distance, document) : nil
                    }
                }
            }
            guard let hit = try outcome.get() else { continue }
            bytes += hit.document.count
            try checkSize(bytes)
            hits.append(hit)
        }
        return hits
    }

    private func hit(
        _ key: [UInt8], _ distance: Float, _ document: RawSpan
    ) throws(EngineError) -> VectorSearchResult.Hit? {
        let score = metric.score(distance)
        guard score >= query.minimumScore ?? -.infinity, let id = key.withUnsafeBytes({ DocumentKey.id(in: $0) }),
            id != query.excludedID
        else { return nil }
        guard let projection else {
            return .init(id: id, score: score, document: document.withUnsafeBytes { Array($0) })
        }
        var writer = MessagePackWriter(capacity: 512)
        try translatingQuery { () throws(QueryError) in try projection.apply(document, to: &writer) }
        return .init(id: id, score: score, document: writer.bytes)
    }

    private func checkSize(_ bytes: Int) throws(EngineError) {
        guard bytes > query.maximumResultBytes else { return }
        throw EngineError(
            .limit, "The result is larger than the limit of \(query.maximumResultBytes) bytes",
            advice: "Ask for fewer documents or fields")
    }

    // MARK: In the documents

    /// Compares with the vector of every document that the filter means, found in the ordinary way.
    private func scanDocuments(
        because reason: String, _ estimate: Estimate? = nil
    ) throws(EngineError) -> VectorSearchResult {
        var options = QueryOptions()
        options.transaction = query.transaction
        let execution = try QueryExecution(
            engine.store, collection, filter: query.filter, options: options, spillDirectory: engine.temporaryDirectory)
        let reader = index?.vectors?.reader ?? FieldPathReader(query.path)
        var nearest = NearestHeap(capacity: query.limit + (query.excludedID == nil ? 0 : 1))
        var compared = 0
        let idReader = FieldPathReader("_id")
        execution.sink = { (document) throws(EngineError) in
            // A list of another length, or of other things, is no vector here.
            guard
                let packed = try? StoredVector.packed(
                    document, at: reader, path: query.path, dimensions: query.vector.count)
            else { return true }
            compared += 1
            let distance = VectorIndex.distance(
                metric, query.vector.span, StoredVector.floats(packed.span.bytes).span)
            guard nearest.accepts(distance), let place = idReader.range(in: document) else { return true }
            let id = try MessagePack.decodedID(document.extracting(place))
            nearest.insert(
                .init(
                    distance: distance, key: try DocumentKey.make(collection.number, id),
                    document: document.withUnsafeBytes { Array($0) }))
            return true
        }
        while try execution.step(budget: 1000) == .more { try query.checkpoint() }
        var result = VectorSearchResult()
        var bytes = 0
        for element in nearest.sorted where result.hits.count < query.limit {
            guard let hit = try hit(element.key, element.distance, element.document.span.bytes) else { continue }
            bytes += hit.document.count
            try checkSize(bytes)
            result.hits.append(hit)
        }
        result.plan = [
            "stage": "DOCUMENT_SCAN", "strategy": "exact scan of the documents that match", "reason": .string(reason),
            "path": .string(query.path), "metric": .string(metric.rawValue), "limit": .int(Int64(query.limit)),
            "documents_examined": .int(Int64(execution.examined)),
            "distances": .int(Int64(compared))
        ]
        if let plan = execution.explanation["winning_plan"] { result.plan["input"] = plan }
        if let estimate { describe(estimate, &result.plan) }
        return result
    }
}

extension MessagePack {
    /// The `_id` of a stored document.
    fileprivate static func decodedID(_ bytes: RawSpan) throws(EngineError) -> Value {
        do throws(MessagePackError) { return try MessagePack.decode(bytes) } catch { throw EngineError(error) }
    }
}
