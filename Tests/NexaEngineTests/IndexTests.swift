@_spi(Testing) import NexaEngine
import NexaQuery
import NexaValue
import TestKit
import Testing

@Suite struct IndexTests {
    // MARK: Plans

    struct Expectation: CustomStringConvertible {
        var filter: Document
        var sort: Value = .null
        var limit = 0
        var isCount = false
        var stage: String
        var index: String?
        var keys: Int?
        var documents: Int?
        var sortedBy: String?
        var description: String { "\(filter) sort \(sort) limit \(limit) count \(isCount)" }
    }

    /// Over 2000 documents: `n` 0…1999, `k` = n % 20, `flag` = n % 2 == 0, `tags` two numbers, `name` "p<n>".
    static let expectations: [Expectation] = [
        .init(filter: ["n": 5], stage: "IXSCAN", index: "n_1", keys: 1, documents: 1),
        .init(filter: ["n": ["$in": [5, 6, 7, 5]]], stage: "IXSCAN", index: "n_1", keys: 3, documents: 3),
        .init(filter: ["n": ["$gte": 10, "$lt": 20]], stage: "IXSCAN", index: "n_1", keys: 10, documents: 10),
        .init(filter: ["n": ["$gt": 5, "$lt": 5]], stage: "IXSCAN", index: "n_1", keys: 0, documents: 0),
        .init(filter: ["n": ["$lt": 10]], isCount: true, stage: "COUNT_SCAN", index: "n_1", keys: 10, documents: 0),
        .init(filter: ["n": 5, "flag": true], isCount: true, stage: "IXSCAN", index: "n_1", keys: 1, documents: 1),
        .init(filter: ["k": 3, "n": ["$lt": 100]], stage: "IXSCAN", index: "k_1_n_-1", keys: 5, documents: 5),
        .init(
            filter: ["k": 3], sort: ["n": -1], limit: 5, stage: "IXSCAN", index: "k_1_n_-1", keys: 5, documents: 5,
            sortedBy: "source"),
        .init(
            filter: ["k": 3], sort: ["n": 1], limit: 5, stage: "IXSCAN", index: "k_1_n_-1", keys: 5, documents: 5,
            sortedBy: "source"),
        .init(
            filter: [:], sort: ["n": -1], limit: 3, stage: "IXSCAN", index: "n_1", keys: 3, documents: 3,
            sortedBy: "source"),
        .init(filter: [:], sort: ["name": 1], limit: 3, stage: "COLLSCAN", documents: 2000, sortedBy: "memory"),
        .init(filter: [:], sort: ["_id": -1], limit: 3, stage: "COLLSCAN", documents: 3, sortedBy: "source"),
        .init(filter: ["tags": 7], stage: "IXSCAN", index: "tags_1"),
        .init(filter: ["tags": 7], sort: ["tags": 1], stage: "IXSCAN", index: "tags_1", sortedBy: "memory"),
        .init(filter: ["flag": true], stage: "COLLSCAN", documents: 2000),
        .init(filter: ["_id": 7], stage: "IDHACK", documents: 1),
        .init(
            filter: ["_id": ["$gt": 1000], "k": 3], sort: ["_id": 1], limit: 5, stage: "IDSCAN", documents: 83,
            sortedBy: "source"),
        .init(filter: ["_id": ["$gt": 1990], "k": ["$gte": 3]], stage: "IDSCAN", documents: 9),
        .init(
            filter: ["_id": ["$gt": 1000], "sub.x": 4], sort: ["_id": 1], limit: 7, stage: "IXSCAN", index: "sub.x_1",
            keys: 7, documents: 7, sortedBy: "source"),
        .init(filter: ["_id": 7, "n": 7], stage: "IDHACK", documents: 1),
        .init(filter: ["$or": [["n": 5], ["tags": 7]]], stage: "OR"),
        .init(filter: ["$or": [["n": 5], ["n": 9]]], stage: "IXSCAN", index: "n_1", keys: 2, documents: 2),
        .init(filter: ["$or": [["n": 5], ["name": "p9"]]], stage: "COLLSCAN", documents: 2000),
        .init(filter: ["word": ["$regex": "^ab1"]], stage: "IXSCAN", index: "word_1", keys: 222, documents: 222),
        .init(filter: ["word": ["$regex": "^ab1"]], isCount: true, stage: "COUNT_SCAN", index: "word_1", keys: 222),
        .init(filter: ["n": ["$ne": 5]], stage: "COLLSCAN", documents: 2000),
        .init(filter: ["unknown": ["$exists": true]], stage: "COLLSCAN", documents: 2000),
        .init(filter: ["sub.x": 4], stage: "IXSCAN", index: "sub.x_1", keys: 20, documents: 20)
    ]

    /// What $expr compares with a constant narrows the keys that are looked at, arrays and missing fields included.
    @Test func expressionsUseIndexes() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        var documents = (0..<500).map { (number: Int64) -> Document in
            let number = Value.int(number)
            return ["_id": number, "n": number, "l": [number], "s": "x"]
        }
        documents += [["_id": 500], ["_id": 501, "n": nil], ["_id": 502, "n": "text"], ["_id": 503, "n": true]]
        try await engine.insert(contentsOf: documents, collection: "c", durability: .os)
        let comparisons: [Value] = [
            ["$eq": ["$n", 7]], ["$gte": ["$n", 495]], ["$lt": [490, "$n"]], ["$lt": ["$n", 3]], ["$lt": ["$n", nil]],
            ["$eq": ["$n", nil]], ["$and": [["$gt": ["$n", 5]], ["$lt": ["$n", 8]]]], ["$eq": ["$n", 7.0]]
        ]
        let expected: [(documents: Int, keys: Int)] = [
            (1, 1), (7, 7), (11, 11), (5, 5), (1, 2), (1, 2), (2, 2), (1, 1)
        ]
        try await engine.makeIndex(IndexDefinition(keys: [.init("n")]))
        for (comparison, expected) in zip(comparisons, expected) {
            let execution = try engine.query(
                database: "default", collection: "c", filter: ["$expr": comparison])
            while try execution.step(budget: 1000) == .more {}
            #expect(execution.documentCount == expected.documents, "\(comparison)")
            #expect(execution.keysExamined == expected.keys, "\(comparison)")
        }
        // The elements of an array are not the array.
        try await engine.makeIndex(IndexDefinition(keys: [.init("l")]))
        #expect(try engine.find(["$expr": ["$gt": ["$l", 600]]]).count == 500)
        #expect(try engine.find(["$expr": ["$eq": ["$l", 7]]]).isEmpty)
        #expect(try engine.find(["$expr": ["$eq": ["$l", [7]]]]).count == 1)
        #expect(try engine.find(["$expr": ["$lte": ["$l", nil]]]).count == 4)
    }

    @Test func thePlansAreTheExpectedOnes() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(
            contentsOf: (0..<2000).map { n in
                [
                    "_id": .int(n), "n": .int(n), "k": .int(n % 20), "flag": .bool(n % 2 == 0),
                    "name": .string("p\(n)"),
                    "tags": [.int(n % 50), .int(n % 50 + 1)], "word": .string("ab\(n % 1000)"),
                    "sub": ["x": .int(n % 100)]
                ]
            }, collection: "c")
        for path in ["n", "tags", "word", "sub.x", "flag"] {
            try await engine.makeIndex(IndexDefinition(keys: [.init(path)]))
        }
        try await engine.makeIndex(IndexDefinition(keys: [.init("k"), .init("n", isDescending: true)]))
        for expected in Self.expectations {
            var options = QueryOptions()
            options.sort = expected.sort
            options.limit = expected.limit
            options.isCountOnly = expected.isCount
            let execution = try engine.query(
                database: "default", collection: "c", filter: expected.filter, options: options)
            while try execution.step(budget: 100) == .more {}
            let plan = try #require(execution.explanation["winning_plan"]?.document)
            let comment = Comment("\(expected): \(execution.explanation)")
            #expect(plan["stage"]?.string == expected.stage, comment)
            if let index = expected.index { #expect(plan["index"]?.string == index, comment) }
            if let keys = expected.keys { #expect(execution.keysExamined == keys, comment) }
            if let documents = expected.documents { #expect(execution.examined == documents, comment) }
            if let sort = expected.sortedBy { #expect(plan["sort"]?.string == sort, comment) }
        }
    }

    /// Counting needs no documents where the keys say everything, and only there.
    @Test func countsOfArraysAreNotTakenFromTheirEntries() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(
            contentsOf: (0..<100).map { ["_id": .int($0), "a": [.int($0), .int($0 + 1), nil]] }, collection: "c")
        try await engine.makeIndex(IndexDefinition(keys: [.init("a")]))
        #expect(try engine.count(["a": ["$gte": 0, "$lt": 50]]) == 50)
        #expect(try engine.count(["a": ["$in": [1, 2, 3]]]) == 4)
        #expect(try engine.count(["a": nil]) == 100)
    }

    /// A document with many entries is looked at once or twice, not at each of them.
    @Test func longArraysAreNotReadAgainAndAgain() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        for id in 0..<5 as Range<Int64> {
            let values: [Value] = (0..<5000).map { .int($0 * 7 + id) }
            try await engine.insert(["_id": .int(id), "a": .array(values), "odd": .bool(id % 2 == 1)], collection: "c")
        }
        try await engine.makeIndex(IndexDefinition(keys: [.init("a")]))
        for page in [nil, 1] {
            let found = try engine.find(["a": ["$gte": 0], "odd": true]) { options in
                options.hint = "a_1"
                if let page { options.page = .init(documents: page, bytes: 1 << 20) }
            }
            #expect(found.compactMap { $0["_id"]?.int }.sorted() == [1, 3])
        }
        var options = QueryOptions()
        options.hint = "a_1"
        let execution = try engine.query(
            database: "default", collection: "c", filter: ["a": ["$gte": 0], "odd": true], options: options)
        while try execution.step(budget: 1000) == .more {}
        #expect(execution.keysExamined == 25_000 && execution.examined == 5)
    }

    // MARK: Writes

    @Test(arguments: [1, UInt64.random(in: 0 ... .max)])
    func indexesFollowARandomHistory(seed: UInt64) async throws {
        var workload = IndexWorkload(seed: seed)
        let fixture = try Fixture()
        let definitions = (0..<4).map { _ in workload.index() }
        for round in 0..<3 {
            let engine = fixture.engine
            if round == 0 { try await engine.makeIndex(IndexDefinition(keys: [.init("u")], isUnique: true)) }
            // Each writer has documents of its own, and all share the values of the unique index.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    let seed = seed &+ UInt64(round * 10 + writer)
                    group.addTask { try await Self.write(engine, seed, writer) }
                }
                if round == 0 {
                    // Made in the middle of it all.
                    for definition in definitions { _ = try? await engine.makeIndex(definition) }
                }
                try await group.waitForAll()
            }
            #expect(try engine.checkIndexes(database: "default", collection: "c") == [], "seed \(seed), round \(round)")
            let unique = try engine.find().compactMap { $0["u"] }
            #expect(Set(unique).count == unique.count, "seed \(seed), round \(round)")
            try fixture.reopen()
            #expect(
                try fixture.engine.checkIndexes(database: "default", collection: "c") == [],
                "seed \(seed), round \(round), opened again")
        }
        #expect(fixture.engine.indexes(database: "default", collection: "c").contains { $0.definition.isUnique })
    }

    private static func write(_ engine: Engine, _ seed: UInt64, _ writer: Int) async throws {
        var workload = IndexWorkload(seed: seed)
        for _ in 0..<300 {
            let id = writer * 1000 + workload.number(40)
            var document = workload.document(id: id, arrays: 15)
            document["u"] = .int(Int64(workload.chance(80) ? 1_000_000 * (writer + 1) + id : workload.number(20)))
            do {
                switch workload.number(4) {
                case 0: _ = try await engine.delete(id: .int(Int64(id)), collection: "c", durability: .os)
                case 1, 2: _ = try await engine.insert(document, collection: "c", durability: .os)
                default:
                    document["_id"] = nil
                    _ = try await engine.update(id: .int(Int64(id)), document, collection: "c", durability: .os)
                }
            } catch {
                // Documents with two arrays cannot be in some of the indexes.
                guard [.duplicateID, .duplicateKey, .badRequest].contains(error.code) else { throw error }
            }
        }
    }

    @Test func aBuildThatWasInterruptedGoesOn() async throws {
        let fixture = try Fixture()
        for batch in 0..<10 {
            try await fixture.engine.insert(
                contentsOf: (0..<2000).map { ["_id": .int(Int64(batch * 2000 + $0)), "a": .int(Int64($0 % 100))] },
                collection: "c", durability: .os)
        }
        _ = try await withCheckedThrowingContinuation { continuation in
            fixture.engine.createIndex(
                database: "default", collection: "c", definition: IndexDefinition(keys: [.init("a")])
            ) { continuation.resume(with: $0) }
        }
        try fixture.reopen()
        let status = try await fixture.engine.waitForIndex("a_1")
        #expect(status.state == .ready)
        #expect(try fixture.engine.checkIndexes(database: "default", collection: "c") == [])
        #expect(try fixture.engine.count(["a": 7]) == 200)
    }

    @Test func aUniqueIndexOverDuplicatesIsNotMade() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        for id in 0..<50 as Range<Int64> {
            try await engine.insert(["_id": .int(id), "a": .int(id % 49)], collection: "c")
        }
        let status = try await engine.makeIndex(IndexDefinition(keys: [.init("a")], isUnique: true))
        #expect(status.state == .failed)
        #expect(status.failure?.code == .duplicateKey)
        #expect(status.failure?.message.contains("{\"a\":0}") == true)
        // It is gone: the same values can be written, and nothing is left of it.
        try await engine.insert(["_id": "x", "a": 0], collection: "c")
        #expect(try engine.find(["a": 0]).count == 3)
        try fixture.reopen()
        #expect(fixture.engine.indexes(database: "default", collection: "c").isEmpty)
    }

    @Test func definitionsThatCannotBeAreRefused() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let a = IndexDefinition(keys: [.init("a")])
        try await engine.makeIndex(a)
        try await engine.makeIndex(a)
        #expect(engine.indexes(database: "default", collection: "c").count == 1)
        var refused = [
            IndexDefinition(keys: []), IndexDefinition(keys: [.init("a.0")]), IndexDefinition(keys: [.init("$a")]),
            IndexDefinition(keys: [.init("b")], name: "a_1"), IndexDefinition(keys: [.init("a")], name: "other"),
            IndexDefinition(keys: [.init("b"), .init("c")], expireAfterSeconds: 5),
            IndexDefinition(keys: [.init("b")], expireAfterSeconds: -1),
            IndexDefinition(keys: [.init("b")], isSparse: true, partialFilter: ["c": 1]),
            IndexDefinition(keys: [.init("b")], partialFilter: ["c": ["$ne": 1]])
        ]
        refused.append(IndexDefinition(keys: (0..<33).map { .init("f\($0)") }))
        for definition in refused {
            await #expect(throws: EngineError.self, "\(definition)") { try await engine.makeIndex(definition) }
        }
        for n in 1..<IndexDefinition.maximumCount {
            try await engine.makeIndex(IndexDefinition(keys: [.init("g\(n)")]))
        }
        await #expect(throws: EngineError.self) { try await engine.makeIndex(IndexDefinition(keys: [.init("h")])) }
    }

    @Test func parallelArraysAreRefusedByWrites() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.makeIndex(IndexDefinition(keys: [.init("a"), .init("b")]))
        let error = await #expect(throws: EngineError.self) {
            try await engine.insert(["a": [1, 2], "b": [3]], collection: "c")
        }
        #expect(error?.code == .badRequest)
        #expect(error?.message.contains("parallel arrays") == true)
        #expect(try engine.count([:]) == 0)
    }

    @Test func droppingACollectionDropsItsIndexes() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(["a": 1], collection: "c")
        try await engine.makeIndex(IndexDefinition(keys: [.init("a")]))
        try await engine.dropCollection(name: "c")
        try await engine.insert(["a": 1], collection: "c")
        #expect(engine.indexes(database: "default", collection: "c").isEmpty)
        #expect(try engine.find(["a": 1]).count == 1)
        try fixture.reopen()
        #expect(fixture.engine.indexes(database: "default", collection: "c").isEmpty)
    }

    /// A transaction does not use an index that was not there when it began, and finds its own writes.
    @Test func transactionsSeeTheirWritesThroughIndexes() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        for id in 0..<20 as Range<Int64> {
            try await engine.insert(["_id": .int(id), "a": .int(id % 5)], collection: "c")
        }
        let early = try engine.beginTransaction()
        try await engine.makeIndex(IndexDefinition(keys: [.init("a")]))
        #expect(try engine.find(["a": 1]) { $0.transaction = early }.count == 4)
        early.abort()
        let transaction = try engine.beginTransaction()
        _ = try await engine.update(id: 1, ["a": 2], collection: "c", transaction: transaction)
        try await engine.insert(["_id": 100, "a": 1], collection: "c", transaction: transaction)
        let ids = try engine.find(["a": 1]) { $0.transaction = transaction }.compactMap { $0["_id"]?.int }
        #expect(ids.sorted() == [6, 11, 16, 100])
        let sorted = try engine.find(["a": ["$lte": 2]]) { options in
            options.transaction = transaction
            options.sort = ["a": -1]
        }
        #expect(sorted.compactMap { $0["a"]?.int } == sorted.compactMap { $0["a"]?.int }.sorted(by: >))
        #expect(try engine.count(["a": 2]) { $0.transaction = transaction } == 5)
        try await transaction.commit()
        #expect(try engine.checkIndexes(database: "default", collection: "c") == [])
    }

    @Test func aPageThatCannotBeContinuedSaysSo() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        for id in 0..<20 as Range<Int64> {
            try await engine.insert(["_id": .int(id), "a": .int(id % 2)], collection: "c")
        }
        try await engine.makeIndex(IndexDefinition(keys: [.init("a")]))
        var options = QueryOptions()
        options.page = .init(documents: 3, bytes: 1000)
        options.hint = "a_1"
        let first = try engine.query(database: "default", collection: "c", filter: ["a": 1], options: options)
        _ = try first.step(budget: 100)
        options.after = first.next
        #expect(options.after != nil)
        let second = try engine.query(database: "default", collection: "c", filter: ["a": 1], options: options)
        _ = try second.step(budget: 100)
        #expect(second.documentCount == 3)
        var random = SplitMix64(seed: 7)
        for _ in 0..<300 {
            // Whatever a client sends as a place is refused or followed, and nothing worse.
            var token = options.after ?? []
            token[Int.random(in: 0..<token.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            var wild = options
            wild.after = Array(token.prefix(Int.random(in: 1...token.count, using: &random)))
            let execution = try? engine.query(database: "default", collection: "c", filter: ["a": 1], options: wild)
            _ = try? execution?.step(budget: 100)
        }
        try await engine.dropIndex("a_1")
        let third = try engine.query(database: "default", collection: "c", filter: ["a": 1], options: options)
        #expect(throws: EngineError.self) { try third.step(budget: 100) }
    }

    // MARK: Expiry

    @Test func documentsExpire() async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        var options = EngineOptions()
        options.expiryInterval = .milliseconds(20)
        let engine = try Engine.open(at: directory.path, options: options)
        defer { engine.close() }
        let future = Value.timestamp(Timestamp(seconds: 1 << 33))
        let documents: [Document] = [
            ["_id": "past", "at": .timestamp(Timestamp(seconds: 1_000_000_000))],
            ["_id": "text", "at": "2001-09-09T01:46:40.5Z"],
            ["_id": "array", "at": [future, .timestamp(Timestamp(seconds: 5))]],
            ["_id": "future", "at": future], ["_id": "number", "at": 5], ["_id": "missing"],
            ["_id": "other text", "at": "2001-09-09"], ["_id": "offset", "at": "2001-09-09T01:46:40+01:00"],
            ["_id": "digits", "at": "0"], ["_id": "late text", "at": "2101-09-09T01:46:40Z"]
        ]
        for document in documents { try await engine.insert(document, collection: "c") }
        for isDescending in [false, true] {
            try await engine.makeIndex(
                IndexDefinition(keys: [.init("at", isDescending: isDescending)], expireAfterSeconds: 3600))
            while try engine.count([:]) > 7 { try await Task.sleep(for: .milliseconds(5)) }
            let left = try engine.find().compactMap { $0["_id"]?.string }
            #expect(Set(left) == ["future", "number", "missing", "other text", "offset", "digits", "late text"])
            #expect(try engine.checkIndexes(database: "default", collection: "c") == [])
            try await engine.dropIndex(isDescending ? "at_-1" : "at_1")
            for document in documents.prefix(3) { try await engine.insert(document, collection: "c") }
        }
    }

    @Test func statisticsAreExactForFewDocuments() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(contentsOf: (0..<50).map { ["_id": .int($0), "a": [1, 2, 3]] }, collection: "c")
        try await engine.makeIndex(IndexDefinition(keys: [.init("a")]))
        let statistics = try engine.statistics(database: "default", collection: "c")
        #expect(statistics.documents == 50 && statistics.isExact)
        #expect(statistics.bytes == (try engine.find().reduce(0) { $0 + MessagePack.encode($1).count }))
        #expect(statistics.indexes.map(\.entries) == [150])
    }
}
