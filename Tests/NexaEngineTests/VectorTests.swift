import NexaEngine
import NexaQuery
import NexaValue
import NexaVector
import TestKit
import Testing

extension Engine {
    func nearest(
        to vector: [Float], collection: String = "c", limit: Int = 10, _ change: (inout VectorQuery) -> Void = { _ in }
    ) throws -> VectorSearchResult {
        var query = VectorQuery(vector, limit: limit)
        change(&query)
        return try vectorSearch(database: "default", collection: collection, query)
    }

    func nearestIDs(
        to vector: [Float], collection: String = "c", limit: Int = 10, _ change: (inout VectorQuery) -> Void = { _ in }
    ) throws -> [Value] {
        try nearest(to: vector, collection: collection, limit: limit, change).hits.map(\.id)
    }

    func rebuildVectors(
        _ path: String = "vector", collection: String = "c", maxConnections: Int? = nil,
        quantization: VectorOptions.Quantization? = nil
    ) async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            buildVectorIndex(
                database: "default", collection: collection, path: path, maxConnections: maxConnections,
                quantization: quantization
            ) { continuation.resume(with: $0) }
        }
    }
}

/// Vectors around a few centres, as embeddings are.
struct VectorSource {
    var random: SplitMix64
    let dimensions: Int
    private var centres: [[Float]] = []

    init(seed: UInt64, dimensions: Int) {
        random = SplitMix64(seed: seed)
        self.dimensions = dimensions
        for _ in 0..<8 { centres.append((0..<dimensions).map { _ in .random(in: -1...1, using: &random) }) }
    }

    mutating func next() -> [Float] {
        let centre = centres[Int.random(in: 0..<centres.count, using: &random)]
        return centre.map { $0 + .random(in: -0.4...0.4, using: &random) }
    }
}

@Suite struct VectorTests {
    private static func vector(_ values: [Float]) -> Value { .array(values.map { .double(Double($0)) }) }

    @Test func theFirstVectorDecidesTheLengthAndNothingElseIsStored() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(["_id": "plain", "vector": "no list"], collection: "c")
        #expect(engine.vectorFields(database: "default", collection: "c").isEmpty)
        try await engine.insert(["_id": "a", "vector": [1, 0, 0.5]], collection: "c")
        #expect(engine.vectorDimensions(database: "default", collection: "c") == 3)
        let expected = "Vector dimension mismatch: collection expects 3 dimensions, got 2"
        await #expect { try await engine.insert(["_id": "b", "vector": [1, 2]], collection: "c") } throws: {
            ($0 as? EngineError)?.message == expected
        }
        await #expect {
            try await engine.insert(
                contentsOf: [["_id": "b", "vector": [1, 2, 3]], ["_id": "d", "vector": [1, 2]]], collection: "c")
        } throws: { ($0 as? EngineError)?.message.hasSuffix(expected) == true }
        await #expect { try await engine.update(id: "a", ["vector": [1, 2]], collection: "c") } throws: {
            ($0 as? EngineError)?.message == expected
        }
        await #expect { try await engine.update(id: "a", ["$push": ["vector": 1]], collection: "c") } throws: {
            ($0 as? EngineError)?.code == .badRequest
        }
        await #expect { try await engine.insert(["_id": "e", "vector": [1, "x", 3]], collection: "c") } throws: {
            ($0 as? EngineError)?.code == .badRequest
        }
        #expect(fixture.storedDocumentCount() == 2)
        #expect(try engine.nearestIDs(to: [1, 0, 0]) == ["a"])
        #expect { try engine.nearest(to: [1, 0]) } throws: {
            ($0 as? EngineError)?.message == "Query vector must have 3 dimensions"
        }
        #expect(try engine.checkIndexes(database: "default", collection: "c") == [])
    }

    @Test func aCollectionMadeWithALengthRefusesOthersFromTheStart() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.createCollection(name: "c", vectorDimensions: 2)
        #expect(engine.vectorFields(database: "default", collection: "c").map(\.path) == ["vector"])
        await #expect { try await engine.insert(["vector": [1, 2, 3]], collection: "c") } throws: {
            ($0 as? EngineError)?.code == .badRequest
        }
        try await engine.insert(["_id": 1, "vector": [1, 2]], collection: "c")
        #expect(try engine.nearestIDs(to: [1, 2]) == [1])
        // Again, and after a restart.
        try await engine.createCollection(name: "c", vectorDimensions: 2)
        try fixture.reopen()
        #expect(try fixture.engine.nearestIDs(to: [1, 2]) == [1])
        #expect(fixture.engine.vectorFields(database: "default", collection: "c").count == 1)
    }

    @Test func similarityIsTheCosineBestFirstWithoutTheVector() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let vectors: [(Value, [Float])] = [
            ("same", [2, 0]), ("near", [1, 0.2]), ("orthogonal", [0, 3]), ("opposite", [-1, 0]), ("zero", [0, 0])
        ]
        for (id, vector) in vectors {
            try await engine.insert(["_id": id, "t": id, "vector": Self.vector(vector)], collection: "c")
        }
        let found = try engine.nearest(to: [1, 0])
        #expect(found.hits.map(\.id).prefix(2) == ["same", "near"] && found.hits.last?.id == "opposite")
        let scores = found.hits.map { ($0.score * 1e4).rounded() / 1e4 }
        #expect(scores[0] == 1 && scores[4] == -1 && scores[2] == 0 && scores[3] == 0)
        for hit in found.hits {
            let document = try MessagePack.decodeDocument(hit.document)
            #expect(document["t"] == hit.id && document["vector"] == nil && document["_created_at"] != nil)
        }
        let whole = try engine.nearest(to: [1, 0], limit: 1) { $0.includesVector = true }
        #expect(try MessagePack.decodeDocument(whole.hits[0].document)["vector"] == [2.0, 0.0])
        let chosen = try engine.nearest(to: [1, 0], limit: 1) { $0.projection = ["t": 1] }
        #expect(try MessagePack.decodeDocument(chosen.hits[0].document) == ["_id": "same", "t": "same"])
        #expect(try engine.nearest(to: [1, 0], limit: 0).hits.isEmpty)
        #expect(try engine.nearestIDs(to: [1, 0]) { $0.minimumScore = 0.5 } == ["same", "near"])
        #expect(try engine.nearestIDs(to: [1, 0], limit: 2) { $0.excludedID = "same" }.first == "near")
        #expect(try engine.nearestIDs(to: [1, 0], collection: "unknown") == [])
        #expect(try engine.vector(database: "default", collection: "c", id: "near") == [1, 0.2])
    }

    @Test(arguments: VectorOptions.Metric.allCases, VectorOptions.Quantization.allCases)
    func everyMetricAndFormFindsTheTrueNeighbours(
        metric: VectorOptions.Metric, quantization: VectorOptions.Quantization
    ) async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        var source = VectorSource(seed: 7, dimensions: 16)
        try await engine.makeIndex(
            IndexDefinition(
                vectorsAt: "e.v", options: VectorOptions(dimensions: 16, metric: metric, quantization: quantization)))
        let vectors = (0..<600).map { _ in source.next() }
        try await engine.insert(
            contentsOf: vectors.enumerated().map { number, vector in
                ["_id": .int(Int64(number)), "e": ["v": Self.vector(vector)]]
            }, collection: "c")
        var hits = 0
        for _ in 0..<20 {
            let query = source.next()
            let truth = Set(
                Self.nearest(query, vectors.enumerated().map { (Value.int(Int64($0)), $1) }, metric, 10).map(\.id))
            let found = try engine.nearest(to: query) { $0.path = "e.v" }
            #expect(found.hits.count == 10 && found.plan["stage"] == "VECTOR_INDEX")
            let scores = found.hits.map(\.score)
            #expect(scores == scores.sorted(by: >))
            hits += truth.intersection(found.hits.map(\.id)).count
            let exact = try engine.nearest(to: query) { search in
                search.path = "e.v"
                search.isExact = true
            }
            #expect(truth.intersection(exact.hits.map(\.id)).count >= 9)
        }
        #expect(hits >= 190, "of 200 true neighbours \(hits) were found")
    }

    /// The nearest vectors, in double precision.
    static func nearest(
        _ query: [Float], _ vectors: [(Value, [Float])], _ metric: VectorOptions.Metric, _ count: Int
    ) -> [(id: Value, distance: Double)] {
        func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
        let ranked = vectors.map { id, vector -> (id: Value, distance: Double) in
            switch metric {
            case .dot: return (id, -dot(query, vector))
            case .l2: return (id, dot(query, query) - 2 * dot(query, vector) + dot(vector, vector))
            case .cosine:
                let lengths = (dot(query, query) * dot(vector, vector)).squareRoot()
                return (id, lengths == 0 ? 1 : 1 - dot(query, vector) / lengths)
            }
        }
        return Array(ranked.sorted { $0.distance < $1.distance }.prefix(count))
    }

    @Test func aFilterStillFindsAsManyAsThereAre() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        var source = VectorSource(seed: 3, dimensions: 8)
        var stored: [(id: Value, n: Int, vector: [Float])] = []
        for batch in 0..<4 {
            let documents = (0..<500).map { number -> Document in
                let n = batch * 500 + number
                let vector = source.next()
                stored.append((.int(Int64(n)), n, vector))
                return ["_id": .int(Int64(n)), "n": .int(Int64(n)), "i": .int(Int64(n)), "vector": Self.vector(vector)]
            }
            try await engine.insert(contentsOf: documents, collection: "c")
        }
        try await engine.makeIndex(IndexDefinition(keys: [.init("i")]))
        var stages = Set<String>()
        for (field, below) in [("n", 1500), ("n", 200), ("n", 20), ("n", 3), ("i", 1500), ("i", 20), ("i", 3)] {
            for _ in 0..<5 {
                let query = source.next()
                let meant = stored.filter { $0.n < below }.map { ($0.id, $0.vector) }
                let truth = Self.nearest(query, meant, .cosine, 10)
                let found = try engine.nearest(to: query) { $0.filter = [field: ["$lt": .int(Int64(below))]] }
                #expect(found.hits.count == min(10, below), "\(field) below \(below): \(found.plan)")
                let common = Set(truth.map(\.id)).intersection(found.hits.map(\.id)).count
                #expect(common >= min(10, below) - 1, "\(field) below \(below): \(found.plan)")
                stages.insert(found.plan["stage"]?.string ?? "")
            }
        }
        #expect(stages == ["VECTOR_INDEX", "DOCUMENT_SCAN", "INDEX_SCAN"])
        #expect(try engine.nearestIDs(to: source.next()) { $0.filter = ["n": -1] } == [])
        #expect { try engine.nearest(to: source.next()) { $0.filter = ["n": ["$lessThan": 1]] } } throws: {
            ($0 as? EngineError)?.code == .badRequest
        }
    }

    /// What an index of the filter finds is compared in memory; what it does not say alone is looked at.
    @Test(arguments: [VectorOptions.Quantization.none, .int8])
    func anIndexOfTheFilterSaysWhichVectorsAreCompared(quantization: VectorOptions.Quantization) async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        var source = VectorSource(seed: 11, dimensions: 8)
        _ = try await engine.makeIndex(
            IndexDefinition(vectorsAt: "vector", options: VectorOptions(dimensions: 8, quantization: quantization)))
        var vectors: [[Float]] = []
        let documents = (0..<1000).map { number -> Document in
            vectors.append(source.next())
            var document: Document = [
                "_id": .int(Int64(number)), "i": .int(Int64(number % 100)),
                "tags": .array([.int(Int64(number % 50)), 99]),
                "j": .int(Int64(number % 7))
            ]
            // Some have none.
            if number % 10 != 9 { document["vector"] = Self.vector(vectors[number]) }
            return document
        }
        try await engine.insert(contentsOf: documents, collection: "c")
        try await engine.makeIndex(IndexDefinition(keys: [.init("i")]))
        try await engine.makeIndex(IndexDefinition(keys: [.init("tags")]))
        func check(_ filter: Document, _ stage: Value, _ isMeant: (Int) -> Bool) throws {
            let query = source.next()
            let meant = (0..<1000).filter { $0 % 10 != 9 && isMeant($0) }.map { (Value.int(Int64($0)), vectors[$0]) }
            let truth = Self.nearest(query, meant, .cosine, 10)
            let found = try engine.nearest(to: query) { $0.filter = filter }
            #expect(found.plan["stage"] == stage, "\(found.plan)")
            #expect(found.hits.map(\.id) == truth.map(\.id), "\(found.plan)")
        }
        try check(["i": 3], "INDEX_SCAN") { $0 % 100 == 3 }
        try check(["i": ["$in": [5, 17, 18]]], "INDEX_SCAN") { [5, 17, 18].contains($0 % 100) }
        try check(["tags": 7], "DOCUMENT_SCAN") { $0 % 50 == 7 }
        try check(["i": ["$lt": 4], "j": 2], "DOCUMENT_SCAN") { $0 % 100 < 4 && $0 % 7 == 2 }
        try await engine.delete(id: 3, collection: "c")
        try await engine.update(id: 103, ["i": 4], collection: "c")
        try await engine.update(id: 203, ["vector": .null], collection: "c")
        vectors[303] = source.next()
        try await engine.update(id: 303, ["vector": Self.vector(vectors[303])], collection: "c")
        try check(["i": 3], "INDEX_SCAN") { $0 % 100 == 3 && ![3, 103, 203].contains($0) }
        try check(["i": 4], "INDEX_SCAN") { $0 % 100 == 4 || $0 == 103 }
        #expect(try engine.nearestIDs(to: source.next()) { $0.filter = ["i": 1000] } == [])
    }

    @Test func anIndexThatIsStillBeingMadeIsBuiltAnewBehindThat() async throws {
        let fixture = try Fixture()
        for name in (0..<10).map({ "c\($0)" }) {
            let documents = (0..<200).map { ["_id": .int(Int64($0)), "vector": [.int(Int64($0)), 1]] as Document }
            try await fixture.engine.insert(contentsOf: documents, collection: name)
            #expect(try await fixture.engine.rebuildVectors(collection: name, maxConnections: 8) == 200)
            let fields = fixture.engine.vectorFields(database: "default", collection: name)
            #expect(fields.map(\.definition.vector?.maxConnections) == [8])
        }
    }

    @Test func aTransactionSeesItsVectorsAndNobodyElseDoesBeforeTheCommit() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(["_id": "old", "vector": [1, 0]], collection: "c")
        let transaction = try engine.beginTransaction()
        try await engine.insert(["_id": "new", "vector": [1, 0.1]], collection: "c", transaction: transaction)
        try await engine.update(id: "old", ["vector": [0, 1]], collection: "c", transaction: transaction)
        try await engine.insert(["_id": "first", "vector": [1]], collection: "other", transaction: transaction)
        #expect(try engine.nearestIDs(to: [1, 0]) == ["old"])
        #expect(try engine.nearestIDs(to: [1, 0]) { $0.transaction = transaction } == ["new", "old"])
        try await transaction.commit()
        #expect(try engine.nearestIDs(to: [1, 0]) == ["new", "old"])
        #expect(try engine.nearestIDs(to: [3], collection: "other") == ["first"])
        let aborted = try engine.beginTransaction()
        try await engine.delete(id: "old", collection: "c", transaction: aborted)
        aborted.abort()
        #expect(try engine.nearestIDs(to: [1, 0]) == ["new", "old"])
        #expect(try engine.checkIndexes(database: "default", collection: "c") == [])
    }

    @Test func documentsFromBeforeTheIndexAreInItAndBadOnesEndTheBuilding() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        for number in 0..<50 {
            try await engine.insert(
                ["_id": .int(Int64(number)), "e": [.int(Int64(number)), 1]], collection: "c")
        }
        let before = try engine.nearest(to: [20, 1], limit: 3) { $0.path = "e" }
        #expect(before.plan["stage"] == "DOCUMENT_SCAN" && before.hits.count == 3)
        let definition = IndexDefinition(vectorsAt: "e", options: VectorOptions(dimensions: 2, metric: .l2))
        #expect(try await engine.makeIndex(definition).state == .ready)
        let after = try engine.nearest(to: [20, 1], limit: 3) { $0.path = "e" }
        #expect(after.plan["stage"] == "VECTOR_INDEX" && after.hits.first?.id == 20 && after.hits.first?.score == 1)
        try await engine.dropIndex("e_hnsw")
        #expect(try engine.nearest(to: [20, 1]) { $0.path = "e" }.plan["stage"] == "DOCUMENT_SCAN")
        try await engine.insert(["_id": "bad", "e": [1, 2, 3]], collection: "c")
        let failed = try await engine.makeIndex(definition)
        #expect(failed.state == .failed && failed.failure?.message.contains("field 'e' expects 2") == true)
        for bad in [
            IndexDefinition(vectorsAt: "_id", options: VectorOptions(dimensions: 2)),
            IndexDefinition(vectorsAt: "v", options: VectorOptions(dimensions: 0)),
            IndexDefinition(vectorsAt: "v", options: VectorOptions(dimensions: 2, maxConnections: 1))
        ] {
            await #expect(throws: EngineError.self) { try await engine.makeIndex(bad) }
        }
        #expect(try engine.checkIndexes(database: "default", collection: "c") == [])
    }

    /// The plan of what feeds a pipeline, which is not carried out further.
    @Test func aPipelineWithAVectorSearchIsExplained() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        for number in 1...200 {
            try await engine.insert(
                ["_id": .int(Int64(number)), "part": .int(Int64(number % 50)), "vector": [.int(Int64(number)), 1]],
                collection: "c")
        }
        func explain(_ fields: Document, _ later: [Document] = []) throws -> Document {
            var stage: Document = ["queryVector": [6, 1], "limit": 3]
            for (name, value) in fields { stage[name] = value }
            return try engine.aggregate(
                database: "default", collection: "c",
                pipeline: .array(([["$vectorSearch": .document(stage)]] + later).map { .document($0) })
            ).explain()
        }
        func plan(_ fields: Document) throws -> Document { try explain(fields)["winning_plan"]?.document ?? [:] }
        let walk = try plan(["numCandidates": 50])
        #expect(walk["stage"] == "VECTOR_INDEX" && walk["strategy"] == "graph walk" && walk["selectivity"] == nil)
        #expect(walk["metric"] == "cosine" && walk["index"] == "vector_hnsw" && walk["ef"] == 50 && walk["limit"] == 3)
        let scan = try plan(["exact": true])
        #expect(scan["stage"] == "VECTOR_SCAN" && scan["strategy"] == "exact scan of all vectors")
        let filtered = try plan(["filter": ["part": ["$gte": 1]], "numCandidates": 20])
        #expect(filtered["stage"] == "VECTOR_INDEX" || filtered["stage"] == "DOCUMENT_SCAN")
        #expect((filtered["selectivity"]?.double ?? 0) > 0.8 && filtered["cost"]?.document?["walk"] != nil)
        let few = try plan(["filter": ["part": 7]])
        #expect(few["stage"] == "DOCUMENT_SCAN" && few["strategy"] == "exact scan of the documents that match")
        #expect((few["selectivity"]?.double ?? 1) < 0.2 && few["distances"] == 4 && few["metric"] == "cosine")
        // Nothing behind is carried out.
        let whole = try explain([:], [["$match": ["part": 1]], ["$merge": "copy"]])
        #expect(whole["stages"] == ["$match", "$merge"] && whole["execution"]?.document?["returned"] == 3)
        #expect(try engine.aggregate([["$count": "n"]], collection: "copy").isEmpty)
        let query = try engine.aggregate(
            database: "default", collection: "c", pipeline: [["$match": ["_id": 5]], ["$count": "n"]]
        ).explain()
        #expect(query["winning_plan"]?.document?["stage"] == "IDHACK" && query["stages"] == ["$count"])
    }

    @Test func aPipelineBeginsWithAVectorSearch() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        for number in 1...6 {
            try await engine.insert(
                ["_id": .int(Int64(number)), "even": .bool(number % 2 == 0), "vector": [.int(Int64(number)), 1]],
                collection: "c")
        }
        let search: Document = ["$vectorSearch": ["path": "vector", "queryVector": [6, 1], "limit": 4]]
        let found = try engine.aggregate(
            [
                search, ["$match": ["even": true]],
                ["$project": ["score": ["$round": [["$meta": "vectorSearchScore"], 3]]]]
            ], collection: "c")
        #expect(found.map { $0["_id"] } == [6, 4] && found[0] == ["_id": 6, "score": 1.0])
        let whole = try engine.aggregate([search, ["$limit": 1]], collection: "c")
        #expect(whole.count == 1 && whole[0].keys.count == 5 && whole[0]["vector"] == [6, 1])
        let counted = try engine.aggregate(
            [search, ["$group": ["_id": "$even", "best": ["$max": ["$meta": "vectorSearchScore"]], "n": ["$sum": 1]]]],
            collection: "c")
        #expect(counted.count == 2)
        let filtered: Document = [
            "$vectorSearch": [
                "queryVector": [1, 1], "limit": 2, "numCandidates": 10, "index": "vector_hnsw",
                "filter": ["even": true], "scoreField": "s"
            ]
        ]
        let named = try engine.aggregate([filtered, ["$project": ["s": 1]]], collection: "c")
        #expect(named.map { $0["_id"] } == [2, 4] && named.allSatisfy { ($0["s"]?.double ?? 0) > 0.8 })
        for bad: [Document] in [
            [["$match": [:]], search], [["$vectorSearch": ["limit": 1]]], [["$vectorSearch": ["queryVector": [1, 1]]]],
            [["$vectorSearch": ["queryVector": [1], "limit": 1]]],
            [["$vectorSearch": ["queryVector": [1, 1], "limit": 1, "index": "none"]]]
        ] {
            #expect(throws: EngineError.self) { try engine.aggregate(bad, collection: "c") }
        }
    }
}
