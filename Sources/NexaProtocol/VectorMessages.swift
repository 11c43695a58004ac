public import NexaValue

extension Request {
    /// VECTOR_SEARCH.
    public struct VectorSearch: Sendable, Hashable {
        /// What to be near to.
        public enum Target: Sendable, Hashable {
            /// A vector.
            case vector([Float])
            /// The vector of the document with this `_id`, which is left out itself. With `vectors`.
            case document(Value)
        }

        /// Where.
        public var namespace: Namespace
        /// What to be near to.
        public var target: Target
        /// The field with the vectors; `vector` in 3.0. With `vectors`, as are all that follow but the filter.
        public var field: String
        /// How many documents to find.
        public var limit: Int
        /// Only documents that it means are found; empty for all.
        public var filter: Document
        /// How many candidates the walk through the graph keeps; `nil` for what the limit suggests.
        public var ef: Int?
        /// Compares with every vector.
        public var isExact: Bool
        /// Which fields to return; empty for all but the vector.
        public var projection: Document
        /// Returns the vector too.
        public var includesVector: Bool
        /// How similar a document must be at least.
        public var minimumSimilarity: Double?
        /// Says in the reply how the documents were found.
        public var isExplained: Bool
        /// The vector travels packed; with `packed-vectors`.
        public var isPacked: Bool

        /// The field that 3.0 knows.
        public static let defaultField = "vector"
        /// The limit of a request that names none, as in 3.0.
        public static let defaultLimit = 10

        /// Creates the message.
        public init(
            namespace: Namespace, target: Target, field: String = VectorSearch.defaultField,
            limit: Int = VectorSearch.defaultLimit, filter: Document = [:]
        ) {
            self.namespace = namespace
            self.target = target
            self.field = field
            self.limit = limit
            self.filter = filter
            ef = nil
            isExact = false
            projection = [:]
            includesVector = false
            minimumSimilarity = nil
            isExplained = false
            isPacked = false
        }

        /// Whether it asks for more than 3.0 knows.
        public var usesOptions: Bool {
            if case .document = target { return true }
            return field != Self.defaultField || ef != nil || isExact || !projection.isEmpty || includesVector
                || minimumSimilarity != nil || isExplained
        }
    }

    /// BUILD_HNSW_INDEX: builds the graph of a vector index anew, while the old one is searched.
    public struct BuildVectorIndex: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// The field with the vectors.
        public var field: String
        /// The neighbours of a vector, `M`; `nil` to keep what it has.
        public var maxConnections: Int?
        /// The candidates for them, `ef_construction`.
        public var efConstruction: Int?
        /// How vectors are kept in memory: `none`, `float16` or `int8`.
        public var quantization: String?

        /// Creates the message.
        public init(namespace: Namespace, field: String = VectorSearch.defaultField) {
            self.namespace = namespace
            self.field = field
        }
    }
}

extension PackedVector {
    /// A copy of one encoded value, checked before, with arrays of floats in the places of packed vectors.
    ///
    /// - Throws: `RequestError` for one whose length is no multiple of four.
    public static func unpacking(_ value: RawSpan) throws(RequestError) -> [UInt8] {
        var writer = MessagePackWriter(capacity: value.byteCount + value.byteCount / 4 + 16)
        var copied = 0
        do throws(MessagePackError) {
            var reader = MessagePackReader(value)
            while !reader.isAtEnd {
                let start = reader.position
                switch try reader.readHead() {
                case .string(let count), .bytes(let count): _ = try reader.readBytes(count)
                case .extended(let type, let count):
                    let bytes = try reader.readBytes(count)
                    guard type == Self.type else { continue }
                    guard count % 4 == 0 else { throw MessagePackError(.truncated, at: -1 - count) }
                    writer.writeRaw(value.extracting(copied..<start))
                    writer.write(unpacking: bytes)
                    copied = reader.position
                default: break
                }
            }
        } catch {
            guard error.offset < 0 else { throw RequestError("Invalid MessagePack: \(error)") }
            throw RequestError(
                "A packed vector has 4 bytes for each number, and one of \(-1 - error.offset) bytes was sent")
        }
        writer.writeRaw(value.extracting(copied..<value.byteCount))
        return writer.bytes
    }
}

extension RequestFields {
    /// A list of numbers, packed or not; `nil` when it is missing, empty or something else.
    func vector(_ key: StaticString) throws(RequestError) -> [Float]? {
        guard let value = raw(key) else { return nil }
        do throws(MessagePackError) {
            var reader = MessagePackReader(value.span, at: value.offset)
            switch try reader.readHead() {
            case .array(let count):
                guard count > 0, count <= 65_536 else { return nil }
                var vector: [Float] = []
                vector.reserveCapacity(count)
                for position in 0..<count {
                    switch try reader.readHead() {
                    case .double(let number): vector.append(Float(number))
                    case .int(let number): vector.append(Float(number))
                    case .uint(let number): vector.append(Float(number))
                    default: throw MessagePackError(.truncated, at: -1 - position)
                    }
                }
                return vector
            case .extended(PackedVector.type, let count):
                let vector = PackedVector.unpack(try reader.readBytes(count))
                return vector?.isEmpty == false ? vector : nil
            default: return nil
            }
        } catch {
            guard error.offset < 0 else { throw RequestError("Invalid MessagePack: \(error)") }
            throw RequestError("Field '\(key)' must be a list of numbers; element \(-1 - error.offset) is none")
        }
    }

    /// A number, or `nil` when the field is absent or nil.
    func number(_ key: StaticString) throws(RequestError) -> Double? {
        guard let value = try value(key, maximumByteCount: 64), !value.isNull else { return nil }
        guard let number = value.double else { throw RequestError("Field '\(key)' must be a number") }
        return number
    }
}

extension Request.VectorSearch {
    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        let missing = "Missing 'collection' or 'vector' field"
        let namespace = try fields.namespace(missing: missing, &recent)
        if let vector = try fields.vector("vector") {
            let dimensions = try fields.count("dimensions") ?? vector.count
            guard dimensions == vector.count else {
                throw RequestError("Query vector must have \(dimensions) dimensions")
            }
            self.init(namespace: namespace, target: .vector(vector))
        } else {
            guard fields.isPresent("document_id") else { throw RequestError(missing) }
            self.init(namespace: namespace, target: .document(try fields.id(missing: missing)))
        }
        field = try fields.string("field") ?? Self.defaultField
        limit = try fields.count("limit") ?? Self.defaultLimit
        filter = try fields.document("filters", maximumByteCount: Request.Query.maximumOptionByteCount)
        ef = try fields.count("ef")
        isExact = fields.isTrue("exact")
        projection = try fields.document("projection", maximumByteCount: Request.Query.maximumOptionByteCount)
        includesVector = fields.isTrue("include_vector")
        minimumSimilarity = try fields.number("minimum_similarity")
        isExplained = fields.isTrue("explain")
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields: Document = ["collection": .string(namespace.collection), "database": .string(namespace.database)]
        switch target {
        case .vector(let vector):
            fields["vector"] = isPacked ? .extended(PackedVector.pack(vector)) : .vector(vector)
            fields["dimensions"] = .int(Int64(vector.count))
        case .document(let id): fields["document_id"] = .some(id)
        }
        fields["limit"] = .int(Int64(limit))
        if !filter.isEmpty { fields["filters"] = .document(filter) }
        if field != Self.defaultField { fields["field"] = .string(field) }
        if let ef { fields["ef"] = .int(Int64(ef)) }
        if isExact { fields["exact"] = true }
        if !projection.isEmpty { fields["projection"] = .document(projection) }
        if includesVector { fields["include_vector"] = true }
        if let minimumSimilarity { fields["minimum_similarity"] = .double(minimumSimilarity) }
        if isExplained { fields["explain"] = true }
        writer.write(fields)
    }
}

extension Request.BuildVectorIndex {
    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        self.init(namespace: try fields.namespace(missing: "Missing 'collection' field", &recent))
        field = try fields.string("field") ?? field
        maxConnections = try fields.count("M")
        efConstruction = try fields.count("ef_construction")
        quantization = try fields.string("quantization")
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields: Document = ["collection": .string(namespace.collection), "database": .string(namespace.database)]
        if field != Request.VectorSearch.defaultField { fields["field"] = .string(field) }
        if let maxConnections { fields["M"] = .int(Int64(maxConnections)) }
        if let efConstruction { fields["ef_construction"] = .int(Int64(efConstruction)) }
        if let quantization { fields["quantization"] = .string(quantization) }
        writer.write(fields)
    }
}

extension Reply {
    /// One document that a vector search found.
    public struct VectorHit: Sendable, Equatable {
        /// Its `_id`.
        public var id: Value
        /// How similar it is.
        public var similarity: Double
        /// The encoded document.
        public var document: [UInt8]

        /// Creates a hit.
        public init(id: Value, similarity: Double, document: [UInt8]) {
            self.id = id
            self.similarity = similarity
            self.document = document
        }
    }

    /// The payload that answers VECTOR_SEARCH.
    ///
    /// - Parameters:
    ///   - namespace: where.
    ///   - hits: best first.
    ///   - plan: how they were found, when that was asked for.
    public static func vectorHits(
        _ namespace: Request.Namespace, _ hits: [VectorHit], plan: Document? = nil
    ) -> [UInt8] {
        var writer = MessagePackWriter(capacity: hits.reduce(256) { $0 + $1.document.count + 128 })
        writer.writeMapHead(count: plan == nil ? 4 : 5)
        writer.write(namespace: namespace)
        writer.write("results")
        writer.writeArrayHead(count: hits.count)
        for hit in hits {
            writer.writeMapHead(count: 3)
            writer.write(key: "document_id", hit.id)
            writer.write(key: "similarity", .double(hit.similarity))
            writer.write("document")
            writer.writeRaw(hit.document)
        }
        writer.write(key: "count", hits.count)
        if let plan { writer.write(key: "plan", .document(plan)) }
        return writer.bytes
    }
}
