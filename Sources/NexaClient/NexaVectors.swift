import NexaProtocol
public import NexaValue

/// A document that a vector search found.
public struct VectorMatch<Model: Sendable>: Sendable {
    /// Its id.
    public let id: DocumentID
    /// How similar it is, more being nearer: the cosine (1 for the same direction) for `.cosine`, the dot product for
    /// `.dot`, 1 divided by 1 plus the Euclidean distance for `.l2`.
    public let similarity: Double
    /// The document, without the vector.
    public let document: Model
}

extension VectorMatch: Equatable where Model: Equatable {}

/// How near two vectors are.
public enum VectorMetric: String, Sendable, Hashable, CaseIterable {
    /// By the angle between them; their lengths do not count. The usual one for embeddings.
    case cosine
    /// By their dot product: as `cosine` for vectors of length 1, and a little faster.
    case dot
    /// By the Euclidean distance.
    case l2
}

/// How the server keeps vectors in memory. What is stored is exact in any case, and decides the order of the results.
public enum VectorQuantization: String, Sendable, Hashable, CaseIterable {
    /// 4 bytes for each dimension.
    case none
    /// 2 bytes for each dimension.
    case float16
    /// 1 byte for each dimension.
    case int8
}

/// How a vector search is made. The defaults suit most.
public struct VectorSearchOptions: Sendable, Hashable {
    /// The field with the vectors.
    public var field: String
    /// How many candidates the server keeps while it walks its graph (`ef`): more find more of the true neighbours and
    /// take longer. `nil` for four times the limit, and 64 at least.
    public var candidates: Int?
    /// Compares with every vector: slower, and misses nothing.
    public var isExact: Bool
    /// Leaves out what is less similar.
    public var minimumSimilarity: Double?
    /// The fields of the documents to return; empty for all but the vector.
    public var fields: [String]
    /// Returns the vector too, when `fields` is empty.
    public var includesVector: Bool

    /// Creates options.
    public init(
        field: String = "vector", candidates: Int? = nil, isExact: Bool = false, minimumSimilarity: Double? = nil,
        fields: [String] = [], includesVector: Bool = false
    ) {
        self.field = field
        self.candidates = candidates
        self.isExact = isExact
        self.minimumSimilarity = minimumSimilarity
        self.fields = fields
        self.includesVector = includesVector
    }
}

/// How a vector search was carried out.
public struct VectorPlan: Sendable, Hashable {
    /// `VECTOR_INDEX` for a walk through the graph, `VECTOR_SCAN` for comparing with every vector of the index,
    /// `INDEX_SCAN` for comparing with those that an index of the filter's fields finds, `DOCUMENT_SCAN` for comparing with
    /// the documents that the filter means, `EOF` for nothing to search.
    public let stage: String
    /// How the candidates were found, in words; empty from an earlier server.
    public let strategy: String
    /// How near two vectors are; `nil` from an earlier server, and for nothing to search.
    public let metric: VectorMetric?
    /// The share of the documents that the filter was estimated to leave; `nil` without an estimate.
    public let selectivity: Double?
    /// Everything that the server says: the index, what was visited and compared, what the filter was estimated to leave.
    public let document: Document

    init(_ document: Document) {
        self.document = document
        stage = document["stage"]?.string ?? ""
        strategy = document["strategy"]?.string ?? ""
        metric = document["metric"]?.string.flatMap(VectorMetric.init)
        selectivity = document["selectivity"]?.double
    }
}

/// The vectors in a field of a collection.
public struct VectorFieldStatistics: Sendable, Hashable {
    /// The field.
    public let field: String
    /// The length of the vectors.
    public let dimensions: Int
    /// How near two of them are.
    public let metric: VectorMetric
    /// How they are kept in memory.
    public let quantization: VectorQuantization
    /// How many there are.
    public let count: Int
    /// Those that are in the graph; the server compares with the others one by one, so that searches find them.
    public let linked: Int
    /// The bytes that they take in the memory of the server.
    public let memoryBytes: Int

    init?(_ fields: Document) {
        guard let field = fields["field"]?.string, let dimensions = fields["dimensions"]?.int else { return nil }
        self.field = field
        self.dimensions = Int(clamping: dimensions)
        metric = fields["metric"]?.string.flatMap(VectorMetric.init) ?? .cosine
        quantization = fields["quantization"]?.string.flatMap(VectorQuantization.init) ?? .none
        count = Int(clamping: fields["count"]?.int ?? 0)
        linked = Int(clamping: fields["linked"]?.int ?? 0)
        memoryBytes = Int(clamping: fields["memory_bytes"]?.int ?? 0)
    }
}

extension NexaCollection {
    // MARK: Searching

    /// The documents whose vectors are nearest to a given one, best first.
    ///
    /// The search sees every write that was acknowledged before it. With a filter it finds `limit` documents if there are so
    /// many that the filter means, however few they are.
    /// - Parameters:
    ///   - vector: as long as the vectors of the field.
    ///   - limit: how many to find, 0 to 10 000.
    ///   - filter: only documents that it means are found.
    ///   - search: the field and how it is searched.
    ///   - options: how the request is made.
    /// - Throws: `NexaError`: `.invalidRequest` for a vector of another length, `.unsupported` before anything is sent for
    ///   options that an original server does not know. (An original server looks at the filter after the search, and may
    ///   find too few.)
    public func nearest(
        to vector: [Float], limit: Int = 10, filter: Filter = .all, search: VectorSearchOptions = .init(),
        options: CallOptions = .standard
    ) async throws(NexaError) -> [VectorMatch<Model>] {
        try await found(request(.vector(vector), limit, filter, search), options, operation: "nearest")
    }

    /// The documents most similar to one of the collection, which is left out itself.
    ///
    /// - Throws: `NexaError`: `.notFound` when there is no such document or it has no vector, and as `nearest`.
    public func similar(
        to id: DocumentID, limit: Int = 10, filter: Filter = .all, search: VectorSearchOptions = .init(),
        options: CallOptions = .standard
    ) async throws(NexaError) -> [VectorMatch<Model>] {
        try await found(request(.document(id.wireValue), limit, filter, search), options, operation: "similar")
    }

    /// Carries out a search, and returns how in place of the documents.
    ///
    /// - Throws: `NexaError` as `nearest`.
    public func explainNearest(
        to vector: [Float], limit: Int = 10, filter: Filter = .all, search: VectorSearchOptions = .init(),
        options: CallOptions = .standard
    ) async throws(NexaError) -> VectorPlan {
        var request = request(.vector(vector), limit, filter, search)
        request.isExplained = true
        let reply = try await reply(to: request, options, operation: "explainNearest")
        return VectorPlan(try reply.fields()["plan"]?.document ?? [:])
    }

    private func request(
        _ target: Request.VectorSearch.Target, _ limit: Int, _ filter: Filter, _ search: VectorSearchOptions
    ) -> Request.VectorSearch {
        var request = Request.VectorSearch(
            namespace: namespace, target: target, field: search.field, limit: max(0, limit), filter: filter.document)
        request.ef = search.candidates
        request.isExact = search.isExact
        request.projection = Document(search.fields.map { ($0, .int(1)) })
        request.includesVector = search.includesVector
        request.minimumSimilarity = search.minimumSimilarity
        return request
    }

    private func reply(
        to request: Request.VectorSearch, _ options: CallOptions, operation: StaticString
    ) async throws(NexaError) -> Answer {
        var request = request
        var required: RequiredCapabilities = request.usesOptions ? [.vectors] : []
        if !request.filter.isEmpty, Filter(request.filter).usesLogic { required.insert(.filterLogic) }
        if try await core.negotiated(options: options).granted.contains(.packedVectors) {
            request.isPacked = true
            required.insert(.packedVectors)
        }
        return try await core.reply(
            to: .vectorSearch(request), operation: operation, options: options, requiring: required)
    }

    private func found(
        _ request: Request.VectorSearch, _ options: CallOptions, operation: StaticString
    ) async throws(NexaError) -> [VectorMatch<Model>] {
        let reply = try await reply(to: request, options, operation: operation)
        var matches: [VectorMatch<Model>] = []
        for place in try Self.hits(reply) {
            matches.append(
                VectorMatch(
                    id: place.id, similarity: place.similarity,
                    document: try reply.model(Model.self, at: place.document, coding)))
        }
        return matches
    }

    /// Where in a reply its results are.
    private static func hits(
        _ reply: Answer
    ) throws(NexaError) -> [(id: DocumentID, similarity: Double, document: Int)] {
        guard let start = try reply.offset("results") else { throw reply.malformed("it lacks 'results'") }
        var hits: [(id: DocumentID, similarity: Double, document: Int)] = []
        do throws(MessagePackError) {
            var reader = MessagePackReader(reply.payload.span.bytes, at: start)
            for _ in 0..<(try reader.readArrayHead()) {
                var id: DocumentID?
                var similarity: Double?
                var document: Int?
                for _ in 0..<(try reader.readMapHead()) {
                    switch try reader.readString() {
                    case "document_id": id = DocumentID(try reader.readValue())
                    case "similarity": similarity = try reader.readValue().double
                    case "document":
                        document = reader.position
                        try reader.skip()
                    default: try reader.skip()
                    }
                }
                guard let id, let similarity, let document else {
                    throw MessagePackError(.truncated, at: reader.position)
                }
                hits.append((id, similarity, document))
            }
        } catch {
            throw reply.malformed("\(error)")
        }
        return hits
    }

    // MARK: Indexes

    /// Makes an index of the vectors in a field, for searches that need not compare with each of them.
    ///
    /// The field `vector` gets one by itself with the first vector. An index that is there already with the same
    /// definition is fine. It follows every write; a list of another length is refused from now on.
    /// - Parameters:
    ///   - field: where the vector of a document is, a list of numbers.
    ///   - dimensions: the length of all vectors, 1 to 16 384.
    ///   - metric: how near two vectors are.
    ///   - quantization: how they are kept in memory.
    ///   - maxConnections: the neighbours that a vector has in the graph (`M`).
    ///   - efConstruction: the candidates that are looked at for them: more make a better graph, more slowly.
    ///   - waits: whether to return only when the documents that are there already were looked at.
    ///   - options: how each of the requests is made.
    ///   - progress: called with how many of them were, now and then.
    /// - Returns: the name of the index, `<field>_hnsw`.
    /// - Throws: `NexaError`: `.invalidRequest` when a document has a list of another length, `.unsupported`.
    @discardableResult
    public func createVectorIndex(
        on field: String = "vector", dimensions: Int, metric: VectorMetric = .cosine,
        quantization: VectorQuantization = .none, maxConnections: Int = 16, efConstruction: Int = 200,
        waits: Bool = true, options: CallOptions = .standard,
        progress: (@Sendable (_ scanned: Int, _ total: Int) -> Void)? = nil
    ) async throws(NexaError) -> String {
        try await createIndex(
            [
                "keys": [[.string(field), 1]],
                "vector": [
                    "dimensions": .int(Int64(dimensions)), "metric": .string(metric.rawValue),
                    "quantization": .string(quantization.rawValue), "m": .int(Int64(maxConnections)),
                    "ef_construction": .int(Int64(efConstruction))
                ]
            ], requiring: [.vectors], waits: waits, options: options, progress: progress)
    }

    /// Builds the graph of a vector index anew, for other numbers or after many changes. Searches and writes go on
    /// meanwhile.
    ///
    /// - Parameters:
    ///   - field: where the vectors are.
    ///   - maxConnections: the new `M`; `nil` to keep it.
    ///   - efConstruction: likewise.
    ///   - quantization: likewise.
    ///   - options: how the request is made; the time has to be enough for building, and is an hour unless it is said.
    ///   - progress: called with how many of them are in the new graph, now and then.
    /// - Returns: the number of vectors.
    /// - Throws: `NexaError`: `.notFound` when the field has no vector index.
    @discardableResult
    public func buildVectorIndex(
        on field: String = "vector", maxConnections: Int? = nil, efConstruction: Int? = nil,
        quantization: VectorQuantization? = nil, options: CallOptions = .standard,
        progress: (@Sendable (_ linked: Int, _ total: Int) -> Void)? = nil
    ) async throws(NexaError) -> Int {
        var request = Request.BuildVectorIndex(namespace: namespace, field: field)
        request.maxConnections = maxConnections
        request.efConstruction = efConstruction
        request.quantization = quantization?.rawValue
        let usesOptions = field != "vector" || quantization != nil
        let watching = progress.map { progress in
            Task { await tell(progress, of: field) }
        }
        let reply: Answer
        do throws(NexaError) {
            reply = try await core.reply(
                to: .buildVectorIndex(request), operation: "buildVectorIndex", options: NexaClient.patient(options),
                requiring: usesOptions ? [.vectors] : [])
        } catch {
            watching?.cancel()
            throw error
        }
        // Nothing is told when it is over.
        watching?.cancel()
        await watching?.value
        return Int(clamping: try reply.fields()["num_vectors"]?.int ?? 0)
    }

    /// Asks how far the index is until it is cancelled; what fails is told by the call that builds.
    private func tell(_ progress: @Sendable (Int, Int) -> Void, of field: String) async {
        while (try? await Task.sleep(for: .milliseconds(50))) != nil {
            let indexes = try? await indexes()
            let index = indexes?.first { $0.vector != nil && $0.keys.first?.path == field }
            if let vector = index?.vector, !Task.isCancelled { progress(vector.linked, vector.count) }
        }
    }

    /// How many vectors there are, by field.
    ///
    /// - Throws: `NexaError` when the call fails; `.unsupported`.
    public func vectorStatistics(
        options: CallOptions = .standard
    ) async throws(NexaError) -> [VectorFieldStatistics] {
        let reply = try await core.reply(
            to: .getVectors(namespace.database), operation: "vectorStatistics", options: options,
            requiring: [.vectors])
        let collections = try reply.fields()["collections"]?.document ?? [:]
        let fields = collections[name]?.document?["fields"]?.array ?? []
        return fields.compactMap { $0.document.flatMap { VectorFieldStatistics($0) } }
    }
}

extension Stage {
    /// The documents whose vectors are nearest to a given one, best first; the first stage of a pipeline.
    ///
    /// - Parameters:
    ///   - vector: as long as the vectors of the field.
    ///   - field: where the vectors are.
    ///   - limit: how many documents to find.
    ///   - filter: only documents that it means are found.
    ///   - candidates: how many the server keeps while it walks its graph.
    ///   - scoreField: a field that is set to how similar each document is.
    public static func vectorSearch(
        _ vector: [Float], field: String = "vector", limit: Int = 10, filter: Filter = .all, candidates: Int? = nil,
        scoreField: String? = nil
    ) -> Stage {
        var fields: Document = [
            "path": .string(field), "queryVector": .vector(vector), "limit": .int(Int64(limit))
        ]
        if filter != .all { fields["filter"] = .document(filter.document) }
        if let candidates { fields["numCandidates"] = .int(Int64(candidates)) }
        if let scoreField { fields["scoreField"] = .string(scoreField) }
        return .raw(["$vectorSearch": .document(fields)])
    }
}
