extension VectorIndex {
    /// How far apart two vectors are. Smaller is nearer, whichever it is.
    public enum Metric: String, Sendable, Hashable, CaseIterable {
        /// 1 − cos: 0 for the same direction, 2 for the opposite one; 1 when either vector is zero.
        case cosine
        /// The negated dot product.
        case dot
        /// The squared Euclidean distance.
        case l2
    }

    /// How the components are kept.
    public enum Quantization: String, Sendable, Hashable, CaseIterable {
        /// As given: 4 bytes each.
        case none
        /// Half precision (IEEE 754 binary16): 2 bytes each.
        case float16
        /// One byte each, with one scale per vector.
        case int8
    }

    /// What an index is made for; it cannot be changed later.
    public struct Configuration: Sendable, Hashable {
        /// The number of components of each vector: 1 to 16 384.
        public var dimensions: Int
        /// What is near.
        public var metric: Metric
        /// How components are kept.
        public var quantization: Quantization
        /// Links per vector and level, twice as many on the lowest (`M`): 2 to 128.
        public var maxConnections: Int
        /// How many candidates are weighed when a vector is linked (`efConstruction`): 1 to 4096.
        public var efConstruction: Int

        /// A configuration; `VectorIndex.init` says when a number is outside its range.
        public init(
            dimensions: Int, metric: Metric = .cosine, quantization: Quantization = .none, maxConnections: Int = 16,
            efConstruction: Int = 200
        ) {
            self.dimensions = dimensions
            self.metric = metric
            self.quantization = quantization
            self.maxConnections = maxConnections
            self.efConstruction = efConstruction
        }

        /// Throws unless every number is inside its range.
        public func validate() throws(VectorError) {
            func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(VectorError) {
                guard range.contains(value) else {
                    throw VectorError(
                        .invalidConfiguration, "\(name) is \(value)",
                        advice: "Choose a number from \(range.lowerBound) to \(range.upperBound)")
                }
            }
            try check("The number of dimensions", dimensions, 1...16384)
            try check("M", maxConnections, 2...128)
            try check("efConstruction", efConstruction, 1...4096)
        }
    }

    /// One vector that a search found.
    public struct Match: Sendable, Hashable {
        /// The id the vector was put under.
        public var id: [UInt8]
        /// Where it lies; good for predicates and `exactSearch` until the vector is replaced or removed.
        public var slot: UInt32
        /// How far it is from the query; smaller is nearer. Approximate when the index is quantised.
        public var distance: Float

        /// A match made of its parts.
        public init(id: [UInt8], slot: UInt32, distance: Float) {
            self.id = id
            self.slot = slot
            self.distance = distance
        }
    }

    /// What a search found and what it took.
    public struct SearchResult: Sendable {
        /// The nearest vectors, best first.
        public var matches: [Match]
        /// The vectors of the graph that the walk reached.
        public var visited: Int
        /// The distances that were computed, those of vectors that were scanned included.
        public var evaluated: Int
        /// Whether the walk came to its end; `false` when the limit ended it before.
        public var isComplete: Bool
    }
}
