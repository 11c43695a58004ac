public import NexaQuery
public import NexaValue

/// What an index is made of.
public struct IndexDefinition: Sendable, Hashable {
    /// One field of an index.
    public typealias Key = IndexKeyPattern.Field

    /// The indexes that a collection may have, as in MongoDB.
    public static let maximumCount = 64
    /// The keys that one document may have in one index.
    public static let maximumKeysPerDocument = 10_000

    /// The name; of its fields and directions, such as `city_1_age_-1`, when none was chosen.
    public var name: String
    /// The fields, the first one deciding.
    public var keys: [Key]
    /// No two documents have the same values.
    public var isUnique: Bool
    /// Documents that have none of the fields are left out.
    public var isSparse: Bool
    /// Only documents that fulfil this filter are in the index; empty for all of them.
    public var partialFilter: Document
    /// Documents go so many seconds after the time in the field.
    public var expireAfterSeconds: Int?
    /// The field holds vectors, which are found by nearness; `nil` for an index that has an order.
    public var vector: VectorOptions?

    /// Describes an index.
    public init(
        keys: [Key], name: String? = nil, isUnique: Bool = false, isSparse: Bool = false,
        partialFilter: Document = [:], expireAfterSeconds: Int? = nil
    ) {
        self.name = name ?? keys.map { "\($0.path)_\($0.isDescending ? -1 : 1)" }.joined(separator: "_")
        self.keys = keys
        self.isUnique = isUnique
        self.isSparse = isSparse
        self.partialFilter = partialFilter
        self.expireAfterSeconds = expireAfterSeconds
    }

    /// Describes an index of the vectors in a field; its name is `<path>_hnsw` when none was chosen.
    public init(vectorsAt path: String, name: String? = nil, options: VectorOptions) {
        self.init(keys: [Key(path)], name: name ?? "\(path)_hnsw")
        vector = options
    }

    /// The definition as a document: `{name, keys: [[path, 1 or -1], …], unique, sparse, partial, expire_after, vector}`.
    public var document: Document {
        var document: Document = [
            "name": .string(name),
            "keys": .array(keys.map { [.string($0.path), .int($0.isDescending ? -1 : 1)] })
        ]
        if isUnique { document["unique"] = true }
        if isSparse { document["sparse"] = true }
        if !partialFilter.isEmpty { document["partial"] = .document(partialFilter) }
        if let expireAfterSeconds { document["expire_after"] = .int(Int64(expireAfterSeconds)) }
        if let vector { document["vector"] = .document(vector.fields) }
        return document
    }

    /// Reads the form of `document`; the keys may also be `{path: 1 or -1, …}`.
    ///
    /// - Throws: `.badRequest` for another form.
    public init(_ document: Document) throws(EngineError) {
        var keys: [Key] = []
        for (path, direction) in try Self.pairs(document["keys"] ?? .null) {
            guard let direction = direction.int, direction == 1 || direction == -1 else {
                throw EngineError(.badRequest, "The direction of the index field '\(path)' must be 1 or -1")
            }
            keys.append(Key(path, isDescending: direction == -1))
        }
        if case .document(let vector)? = document["vector"] {
            guard keys.count == 1, !keys[0].isDescending else {
                throw EngineError(.badRequest, "A vector index has exactly one field: {field: 1}")
            }
            self.init(vectorsAt: keys[0].path, name: document["name"]?.string, options: try VectorOptions(vector))
            for other in ["unique", "sparse", "partial", "expire_after"] {
                guard let value = document[other], !value.isNull, value != .bool(false) else { continue }
                throw EngineError(.badRequest, "A vector index cannot have '\(other)'")
            }
            return
        }
        self.init(
            keys: keys, name: document["name"]?.string, isUnique: document["unique"]?.bool ?? false,
            isSparse: document["sparse"]?.bool ?? false, partialFilter: document["partial"]?.document ?? [:])
        if let seconds = document["expire_after"], !seconds.isNull {
            guard let whole = seconds.int ?? seconds.double.flatMap({ Int64(exactly: $0.rounded()) }) else {
                throw EngineError(.badRequest, "expire_after must be a number of seconds")
            }
            expireAfterSeconds = Int(clamping: whole)
        }
    }

    private static func pairs(_ keys: Value) throws(EngineError) -> [(String, Value)] {
        switch keys {
        case .document(let document): return document.map { ($0.key, $0.value) }
        case .array(let pairs):
            var result: [(String, Value)] = []
            for pair in pairs {
                guard case .array(let pair) = pair, pair.count == 2, case .string(let path) = pair[0] else {
                    throw EngineError(.badRequest, "The keys of an index are pairs [\"field\", 1 or -1]")
                }
                result.append((path, pair[1]))
            }
            return result
        default: throw EngineError(.badRequest, "An index needs keys: {field: 1 or -1, …}")
        }
    }

    /// Refuses what cannot be an index, and prepares the rest.
    func checked() throws(EngineError) -> (pattern: IndexKeyPattern, partial: QueryFilter?) {
        try Names.check(name, of: "index")
        guard name != "_id_" else {
            throw EngineError(.badRequest, "An index cannot be called '_id_', which stands for the order of ids")
        }
        let pattern = try translatingQuery { () throws(QueryError) in try IndexKeyPattern(keys) }
        if let vector {
            try vector.check()
            guard keys.count == 1, keys[0].path != "_id" else {
                throw EngineError(.badRequest, "A vector index has exactly one field, and not the _id")
            }
        }
        if let expireAfterSeconds {
            guard keys.count == 1 else {
                throw EngineError(.badRequest, "An index with expire_after has exactly one field, the time")
            }
            guard keys[0].path != "_id" else { throw EngineError(.badRequest, "The _id is no time to expire by") }
            guard (0...Int(Int32.max)).contains(expireAfterSeconds) else {
                throw EngineError(.badRequest, "expire_after must be from 0 to \(Int32.max) seconds")
            }
        }
        guard !partialFilter.isEmpty else { return (pattern, nil) }
        guard !isSparse else { throw EngineError(.badRequest, "An index is sparse or partial, not both") }
        let filter = try translatingQuery { () throws(QueryError) in
            try QueryFilter(compiling: partialFilter, allowsExpressions: false)
        }
        let constraints = filter.constraints
        let isUsable = constraints.fields.allSatisfy { field in
            field.isExact || (field.requiresValue && field.intervals.isEverything)
        }
        guard constraints.isComplete, isUsable else {
            throw EngineError(
                .badRequest,
                "The filter of a partial index may use equality, $in, $gt, $gte, $lt, $lte, $exists: true and $and")
        }
        return (pattern, filter)
    }
}
