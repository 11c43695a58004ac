import NexaProtocol
public import NexaValue

/// An index of a collection and how far it is.
public struct NexaIndex: Sendable, Hashable {
    /// The stages of an index.
    public enum State: Sendable, Hashable {
        /// It is being built: so many documents of about so many were looked at. Queries do not use it yet.
        case building(scanned: Int, total: Int)
        /// Queries use it.
        case ready
        /// It could not be built and is gone, for this reason.
        case failed(String)
    }

    /// What a vector index is made with.
    public struct Vector: Sendable, Hashable {
        /// The length of all vectors.
        public let dimensions: Int
        /// How near two vectors are.
        public let metric: VectorMetric
        /// How they are kept in memory.
        public let quantization: VectorQuantization
        /// The neighbours of a vector in the graph.
        public let maxConnections: Int
        /// The candidates that are looked at for them.
        public let efConstruction: Int
        /// How many of the vectors are in the graph; those of the new one while it is being built anew.
        public let linked: Int
        /// How many vectors there are.
        public let count: Int
    }

    /// The name.
    public let name: String
    /// The fields, the first one deciding.
    public let keys: [Sort]
    /// No two documents have the same values.
    public let isUnique: Bool
    /// Documents that have none of the fields are left out.
    public let isSparse: Bool
    /// Only documents that this filter means are in it; `nil` for all.
    public let partial: Filter?
    /// Documents are deleted so long after the time in the field.
    public let expireAfter: Duration?
    /// The vectors that it is made of; `nil` for an index that has an order.
    public let vector: Vector?
    /// How far it is.
    public let state: State
    /// Why it could not be built, as the server names it.
    let failure: ServerErrorCode?

    /// `nil` for fields of another form.
    init?(_ fields: Document) {
        guard let name = fields["name"]?.string, let list = fields["keys"]?.array else { return nil }
        var keys: [Sort] = []
        for case .array(let pair) in list {
            guard pair.count == 2, let path = pair[0].string, let direction = pair[1].int else { return nil }
            keys.append(Sort(path, direction < 0 ? .descending : .ascending))
        }
        self.name = name
        self.keys = keys
        isUnique = fields["unique"]?.bool ?? false
        isSparse = fields["sparse"]?.bool ?? false
        partial = fields["partial"]?.document.map { Filter($0) }
        expireAfter = fields["expire_after"]?.int.map { .seconds($0) }
        vector = fields["vector"]?.document.map { vector in
            Vector(
                dimensions: Int(clamping: vector["dimensions"]?.int ?? 0),
                metric: vector["metric"]?.string.flatMap(VectorMetric.init) ?? .cosine,
                quantization: vector["quantization"]?.string.flatMap(VectorQuantization.init) ?? .none,
                maxConnections: Int(clamping: vector["m"]?.int ?? 0),
                efConstruction: Int(clamping: vector["ef_construction"]?.int ?? 0),
                linked: Int(clamping: fields["scanned"]?.int ?? 0), count: Int(clamping: fields["total"]?.int ?? 0))
        }
        switch fields["state"]?.string {
        case "building":
            state = .building(
                scanned: Int(clamping: fields["scanned"]?.int ?? 0), total: Int(clamping: fields["total"]?.int ?? 0))
        case "failed": state = .failed(fields["error"]?.string ?? "")
        default: state = .ready
        }
        failure = fields["code"]?.string.map { ServerErrorCode(rawValue: $0) }
    }
}

extension Sort {
    /// From the least to the greatest.
    public static func ascending(_ path: String) -> Sort { Sort(path, .ascending) }
    /// From the greatest to the least.
    public static func descending(_ path: String) -> Sort { Sort(path, .descending) }
}

/// How much a collection holds.
public struct CollectionStatistics: Sendable, Hashable {
    /// How much an index holds.
    public struct Index: Sendable, Hashable {
        /// The name.
        public let name: String
        /// The entries; see `isExact`.
        public let entries: Int
        /// The bytes of keys and values, before compression.
        public let bytes: Int
    }

    /// The documents.
    public let documents: Int
    /// The bytes of all documents, encoded, before compression.
    public let bytes: Int
    /// The size of a document in the middle, in bytes.
    public let averageBytes: Double
    /// Everything was counted; of large collections (more than 200 000 documents, or entries of an index) the
    /// numbers are estimates.
    public let isExact: Bool
    /// The bytes that the documents take in files, compressed; what was written lately is not in files yet.
    public let fileBytes: Int
    /// The indexes, in the order in which they were made.
    public let indexes: [Index]

    init(_ fields: Document) {
        documents = fields.count("documents")
        bytes = fields.count("bytes")
        averageBytes = fields["average_bytes"]?.double ?? 0
        isExact = fields["exact"]?.bool ?? false
        fileBytes = fields.count("file_bytes")
        indexes = (fields["indexes"]?.array ?? []).compactMap(\.document).map { index in
            Index(
                name: index["name"]?.string ?? "", entries: index.count("entries"), bytes: index.count("bytes"))
        }
    }
}

/// How much a database holds.
public struct DatabaseStatistics: Sendable, Hashable {
    /// The collections by name.
    public let collections: [String: CollectionStatistics]
    /// The documents of all collections.
    public let documents: Int
    /// The bytes of all documents, encoded, before compression.
    public let bytes: Int
    /// The bytes of the keys and values of all indexes, before compression.
    public let indexBytes: Int
    /// The bytes that the documents take in files, compressed.
    public let fileBytes: Int
    /// Everything was counted; see `CollectionStatistics.isExact`.
    public let isExact: Bool

    init(_ fields: Document) {
        var collections: [String: CollectionStatistics] = [:]
        for (name, value) in fields["collections"]?.document ?? [:] {
            collections[name] = CollectionStatistics(value.document ?? [:])
        }
        self.collections = collections
        documents = fields.count("documents")
        bytes = fields.count("bytes")
        indexBytes = fields.count("index_bytes")
        fileBytes = fields.count("file_bytes")
        isExact = fields["exact"]?.bool ?? false
    }
}

/// How a server carried out a query.
public struct QueryExplanation: Sendable, Hashable {
    /// One way of finding the documents of a query.
    public struct Plan: Sendable, Hashable {
        /// `COLLSCAN` (all documents), `IDHACK` (documents by their ids), `IDSCAN` (a range of ids), `IXSCAN` (an index,
        /// then the documents), `COUNT_SCAN` (an index alone), `OR` (several `inputs`), `EOF` (nothing to look at).
        public let stage: String
        /// The index.
        public let index: String?
        /// Which parts of the index, by field, such as `[5, 10)`.
        public let bounds: [String: [String]]
        /// The index is walked from its end.
        public let isBackward: Bool
        /// The plans whose results are put together.
        public let inputs: [Plan]
        /// Where the order comes from: `source` for an index or the ids, `memory` for sorting, `nil` for none.
        public let sort: String?

        init(_ fields: Document) {
            stage = fields["stage"]?.string ?? ""
            index = fields["index"]?.string
            var bounds: [String: [String]] = [:]
            for (path, list) in fields["bounds"]?.document ?? [:] {
                bounds[path] = (list.array ?? []).compactMap(\.string)
            }
            self.bounds = bounds
            isBackward = fields["direction"]?.string == "backward"
            inputs = (fields["inputs"]?.array ?? []).compactMap(\.document).map { Plan($0) }
            sort = fields["sort"]?.string
        }
    }

    /// The plan that was followed.
    public let winningPlan: Plan
    /// What else would have been possible.
    public let rejectedPlans: [Plan]
    /// How many documents the query returns.
    public let returned: Int
    /// How many entries of indexes were looked at.
    public let keysExamined: Int
    /// How many documents were looked at.
    public let documentsExamined: Int
    /// How long it took on the server.
    public let elapsed: Duration
    /// Everything that the server says.
    public let document: Document
    /// How the search was carried out, for a pipeline that begins with `$vectorSearch`.
    public var vectorPlan: VectorPlan? {
        guard let plan = document["winning_plan"]?.document, plan["strategy"] != nil || plan["vectors"] != nil else {
            return nil
        }
        return VectorPlan(plan)
    }

    init(_ document: Document) {
        self.document = document
        winningPlan = Plan(document["winning_plan"]?.document ?? [:])
        rejectedPlans = (document["rejected_plans"]?.array ?? []).compactMap(\.document).map { Plan($0) }
        let execution = document["execution"]?.document ?? [:]
        returned = execution.count("returned")
        keysExamined = execution.count("keys_examined")
        documentsExamined = execution.count("documents_examined")
        elapsed = .nanoseconds(Int64(Swift.min((execution["milliseconds"]?.double ?? 0) * 1e6, 1e18)))
    }
}

extension Document {
    fileprivate func count(_ key: String) -> Int { Int(clamping: self[key]?.int ?? 0) }
}
