public import NexaValue
import NexaVector

/// What somebody looks for by nearness.
public struct VectorQuery: Sendable {
    /// The vector to be near to.
    public var vector: [Float]
    /// The field with the vectors.
    public var path: String
    /// How many documents to find.
    public var limit: Int
    /// Only documents that match this filter are found; empty for all.
    public var filter: Document = [:]
    /// How many candidates the walk through the graph keeps, `ef` of the HNSW article: more find more of the true
    /// neighbours and take longer. `nil` for four times the limit, and 64 at least.
    public var ef: Int?
    /// Compares with every vector.
    public var isExact = false
    /// A document that is left out: the one whose neighbours are looked for.
    public var excludedID: Value?
    /// The fields of the documents that are returned; empty for all but the vector.
    public var projection: Document = [:]
    /// Returns the vector too, when `projection` is empty.
    public var includesVector = false
    /// What is a result must be at least so similar.
    public var minimumScore: Double?
    /// Reads what this transaction sees.
    public var transaction: Transaction?
    /// A result above so many bytes is an error. Default 64 MiB.
    public var maximumResultBytes = 64 << 20
    /// Called now and then; what it throws ends the search.
    public var checkpoint: @Sendable () throws(EngineError) -> Void = { () throws(EngineError) in }

    /// Looks for the nearest documents.
    public init(_ vector: [Float], path: String = VectorOptions.defaultPath, limit: Int = 10) {
        self.vector = vector
        self.path = path
        self.limit = limit
    }

    var effectiveEF: Int { min(EngineLimits.maximumNeighbours, max(ef ?? max(64, 4 * limit), limit, 1)) }

    func check() throws(EngineError) {
        guard (0...EngineLimits.maximumNeighbours).contains(limit) else {
            throw EngineError(
                .limit, "A vector search finds 0 to \(EngineLimits.maximumNeighbours) documents, not \(limit)")
        }
        guard ef.map({ (1...EngineLimits.maximumNeighbours).contains($0) }) ?? true else {
            throw EngineError(.badRequest, "ef must be from 1 to \(EngineLimits.maximumNeighbours)")
        }
        guard (1...EngineLimits.maximumVectorDimensions).contains(vector.count) else {
            throw EngineError(
                .badRequest,
                "The query vector has \(vector.count) dimensions; there may be 1 to "
                    + "\(EngineLimits.maximumVectorDimensions)")
        }
        guard vector.allSatisfy(\.isFinite) else {
            throw EngineError(.badRequest, "The query vector must consist of finite numbers")
        }
    }
}

/// What a vector search found, best first, and how.
public struct VectorSearchResult: Sendable {
    /// One document.
    public struct Hit: Sendable {
        /// Its `_id`.
        public var id: Value
        /// How similar it is; more is nearer. For `cosine` the cosine, for `dot` the dot product, for `l2` 1 divided by
        /// 1 plus the Euclidean distance.
        public var score: Double
        /// The encoded document, projected.
        public var document: [UInt8]
    }

    /// The documents.
    public var hits: [Hit] = []
    /// How they were found: `stage` (`VECTOR_INDEX` for a walk through the graph, `VECTOR_SCAN` for comparing with every
    /// vector of the index, `INDEX_SCAN` for comparing with those of the documents that an index of the filter finds,
    /// `DOCUMENT_SCAN` for comparing with the vectors of the documents that the filter means, `EOF`), why, and what it
    /// took.
    public var plan: Document = ["stage": "EOF"]
}

extension VectorOptions.Metric {
    /// A distance as a similarity; see `VectorSearchResult.Hit.score`.
    func score(_ distance: Float) -> Double {
        switch self {
        case .cosine: 1 - Double(distance)
        case .dot: -Double(distance)
        case .l2: 1 / (1 + Double(max(0, distance)).squareRoot())
        }
    }
}
