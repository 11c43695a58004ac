@_spi(Testing) import NexaEngine
import NexaQuery
import NexaValue
import TestKit
import Testing

@Suite struct AggregationTests {
    /// The collection `sales` of MongoDB's manual, shortened.
    static let sales: [Document] = [
        ["_id": 1, "item": "abc", "price": 10, "quantity": 2, "tags": ["x", "y"]],
        ["_id": 2, "item": "jkl", "price": 20, "quantity": 1, "tags": []],
        ["_id": 3, "item": "xyz", "price": 5, "quantity": 10],
        ["_id": 4, "item": "xyz", "price": 5.5, "quantity": 20, "tags": ["y"]],
        ["_id": 5, "item": "abc", "price": 10, "quantity": 10, "tags": "z"]
    ]

    static func run(_ pipeline: [Document], _ documents: [Document] = sales) async throws -> [Document] {
        let fixture = try Fixture()
        try await fixture.engine.insert(contentsOf: documents, collection: "c", durability: .os)
        return try fixture.engine.aggregate(pipeline, collection: "c")
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var pipeline: [Document]
        var expected: [Document]
        var testDescription: String { "\(pipeline)" }

        init(_ pipeline: [Document], _ expected: [Document]) {
            self.pipeline = pipeline
            self.expected = expected
        }
    }

    @Test(arguments: [
        Case(
            [["$group": ["_id": "$item", "total": ["$sum": "$quantity"], "n": ["$sum": 1]]], ["$sort": ["_id": 1]]],
            [
                ["_id": "abc", "total": 12, "n": 2], ["_id": "jkl", "total": 1, "n": 1],
                ["_id": "xyz", "total": 30, "n": 2]
            ]),
        Case(
            [["$group": ["_id": nil, "least": ["$min": "$price"], "most": ["$max": "$price"], "all": ["$count": [:]]]]],
            [["_id": nil, "least": 5, "most": 20, "all": 5]]),
        Case(
            [["$group": ["_id": "$price", "n": ["$sum": 1]]], ["$sort": ["_id": 1]]],
            [["_id": 5, "n": 1], ["_id": 5.5, "n": 1], ["_id": 10, "n": 2], ["_id": 20, "n": 1]]),
        Case(
            [
                ["$group": ["_id": ["$gt": ["$price", 7]], "value": ["$sum": ["$multiply": ["$price", "$quantity"]]]]],
                ["$sort": ["_id": 1]]
            ],
            [["_id": false, "value": 160.0], ["_id": true, "value": 140]]),
        Case(
            [
                ["$match": ["item": "abc"]],
                ["$group": ["_id": "$item", "first": ["$first": "$_id"], "last": ["$last": "$_id"]]]
            ],
            [["_id": "abc", "first": 1, "last": 5]]),
        Case(
            [
                [
                    "$group": [
                        "_id": nil, "items": ["$addToSet": "$item"], "ids": ["$push": "$_id"],
                        "avg": ["$avg": "$quantity"]
                    ]
                ]
            ],
            [["_id": nil, "items": ["abc", "jkl", "xyz"], "ids": [1, 2, 3, 4, 5], "avg": 8.6]]),
        Case(
            [["$unwind": "$tags"], ["$project": ["tags": 1]]],
            [["_id": 1, "tags": "x"], ["_id": 1, "tags": "y"], ["_id": 4, "tags": "y"], ["_id": 5, "tags": "z"]]),
        Case(
            [
                ["$unwind": ["path": "$tags", "includeArrayIndex": "i", "preserveNullAndEmptyArrays": true]],
                ["$project": ["tags": 1, "i": 1]]
            ],
            [
                ["_id": 1, "tags": "x", "i": 0], ["_id": 1, "tags": "y", "i": 1], ["_id": 2, "i": nil],
                ["_id": 3, "i": nil], ["_id": 4, "tags": "y", "i": 0], ["_id": 5, "tags": "z", "i": nil]
            ]),
        Case([["$match": ["price": ["$lt": 8]]], ["$count": "cheap"]], [["cheap": 2]]),
        Case([["$match": ["price": 1000]], ["$count": "none"]], []),
        Case(
            [["$sortByCount": "$item"], ["$limit": 2], ["$project": ["count": 1, "_id": 0]]],
            [["count": 2], ["count": 2]]),
        Case(
            [["$sort": ["price": -1, "_id": 1]], ["$skip": 1], ["$limit": 2], ["$project": ["_id": 1]]],
            [["_id": 1], ["_id": 5]]),
        Case(
            [
                ["$addFields": ["total": ["$multiply": ["$price", "$quantity"]]]], ["$match": ["total": ["$gt": 100]]],
                ["$project": ["_id": 0, "total": 1]]
            ],
            [["total": 110.0]]),
        Case(
            [["$limit": 1], ["$set": ["a.b": 1, "a.c": "$item"]], ["$project": ["a": 1]]],
            [["_id": 1, "a": ["b": 1, "c": "abc"]]]),
        Case(
            [["$limit": 1], ["$project": ["_id": 0, "name": "$item", "deep": ["x": ["$add": ["$price", 1]]]]]],
            [["name": "abc", "deep": ["x": 11]]]),
        Case(
            [["$limit": 1], ["$unset": ["tags", "price", "_created_at", "_updated_at"]]],
            [["_id": 1, "item": "abc", "quantity": 2]]),
        Case([["$limit": 1], ["$replaceRoot": ["newRoot": ["a": "$item"]]]], [["a": "abc"]]),
        Case([["$limit": 1], ["$replaceWith": ["$mergeObjects": [["a": 1], ["b": "$price"]]]]], [["a": 1, "b": 10]]),
        Case(
            [["$bucket": ["groupBy": "$price", "boundaries": [0, 6, 15], "default": "more"]], ["$sort": ["_id": 1]]],
            [["_id": 0, "count": 2], ["_id": 6, "count": 2], ["_id": "more", "count": 1]]),
        Case(
            [["$facet": ["n": [["$count": "n"]], "abc": [["$match": ["item": "abc"]], ["$project": ["_id": 1]]]]]],
            [["n": [["n": 5]], "abc": [["_id": 1], ["_id": 5]]]]),
        Case(
            [
                ["$match": ["_id": ["$in": [1, 3]]]],
                ["$lookup": ["from": "c", "localField": "item", "foreignField": "item", "as": "same"]],
                ["$project": ["n": ["$size": "$same"]]]
            ],
            [["_id": 1, "n": 2], ["_id": 3, "n": 2]]),
        Case(
            [
                ["$match": ["_id": 1]],
                [
                    "$lookup": [
                        "from": "c", "let": ["p": "$price"],
                        "pipeline": [["$match": ["$expr": ["$gt": ["$price", "$$p"]]]], ["$project": ["_id": 1]]],
                        "as": "dearer"
                    ]
                ],
                ["$project": ["dearer": 1]]
            ],
            [["_id": 1, "dearer": [["_id": 2]]]]),
        Case(
            [
                ["$match": ["_id": 1]], ["$unionWith": ["coll": "c", "pipeline": [["$match": ["_id": 2]]]]],
                ["$project": ["_id": 1]]
            ],
            [["_id": 1], ["_id": 2]]),
        Case([["$sample": ["size": 100]], ["$count": "n"]], [["n": 5]]),
        Case(
            [
                ["$group": ["_id": nil, "p": ["$stdDevPop": "$quantity"], "m": ["$mergeObjects": ["k": "$item"]]]],
                ["$project": ["_id": 0, "p": ["$round": ["$p", 3]], "m": 1]]
            ],
            [["m": ["k": "abc"], "p": 6.859]])
    ]) func aPipelineGivesWhatMongoDBGives(_ test: Case) async throws {
        let found = try await Self.run(test.pipeline)
        #expect(found == test.expected)
    }

    @Test func mergeWritesByID() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(contentsOf: Self.sales, collection: "c", durability: .os)
        try await engine.insert(["_id": "abc", "note": "old"], collection: "totals")
        let changes = try engine.changes()
        let pipeline: [Document] = [
            ["$group": ["_id": "$item", "total": ["$sum": "$quantity"]]], ["$merge": ["into": "totals"]]
        ]
        #expect(try engine.aggregate(pipeline, collection: "c") == [])
        #expect(try engine.document(id: "abc", collection: "totals")?["total"] == 12)
        #expect(try engine.document(id: "abc", collection: "totals")?["note"] == "old")
        #expect(try engine.document(id: "xyz", collection: "totals")?["total"] == 30)
        var kinds: [String] = []
        _ = try changes.read { event in
            kinds.append("\(event.kind.rawValue) \(event.id?.string ?? "")")
            return true
        }
        #expect(kinds == ["update abc", "insert jkl", "insert xyz"])
        let failing: [Document] = [["$merge": ["into": "totals", "whenMatched": "fail"]]]
        #expect { try engine.aggregate(failing, collection: "totals") } throws: {
            ($0 as? EngineError)?.code == .duplicateID
        }
    }

    @Test(
        arguments: [
            [["$mach": [:]]], [["$match": [:], "$limit": 1]], [["$limit": 0]], [["$skip": -1]],
            [["$group": ["n": ["$sum": 1]]]],
            [["$group": ["_id": nil, "n": ["$summ": 1]]]], [["$group": ["_id": nil, "a.b": ["$sum": 1]]]],
            [["$count": "$n"]],
            [["$unwind": "tags"]], [["$lookup": ["from": "c", "as": "x"]]], [["$merge": ["into": "c"]], ["$limit": 1]],
            [["$facet": ["a": [["$merge": ["into": "c"]]]]]],
            [["$bucket": ["groupBy": "$a", "boundaries": [2, 1]]]],
            [["$project": [:]]], [["$project": ["a": 0, "b": ["$add": [1, 2]]]]], [["$addFields": ["a..b": 1]]],
            [["$out": ""]], [["$out": 5]], [["$out": ["db": "other", "coll": "c"]]], [["$out": ["to": "c"]]],
            [["$out": "c"], ["$limit": 1]], [["$facet": ["a": [["$out": "c"]]]]], [["$sort": ["a": 2]]],
            [["$match": ["$expr": "$$none"]]],
            [["$replaceRoot": ["newRoot": "$item"]]],
            [["$lookup": ["from": "c", "as": "x", "let": ["v": 1], "pipeline": [["$nope": 1]]]]]
        ] as [[Document]]) func aPipelineThatMakesNoSenseIsRefused(_ pipeline: [Document]) async throws
    {
        let error = await #expect(throws: EngineError.self) { try await Self.run(pipeline) }
        #expect(error?.code == .badRequest)
    }

    @Test func whatTakesTooMuchEndsWithALimit() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let text = String(repeating: "x", count: 1000)
        try await engine.insert(
            contentsOf: (0..<500).map { ["_id": .int($0), "t": .string(text)] }, collection: "c", durability: .os)
        var options = AggregationOptions()
        options.maximumStageBytes = 100_000
        let nested = (0..<20).reduce([["$count": "n"]] as [Document]) { inner, _ in
            [["$facet": ["f": .array(inner.map { .document($0) })]]]
        }
        let fields = Document((0..<200).map { ("f\($0)", Value.string("$t")) })
        let copies: [Document] = [["$addFields": .document(fields)]]
        let spread: [Document] = [
            ["$group": ["_id": nil, "a": ["$push": [:]]]], ["$set": ["a.t": ["$literal": .string(text)]]]
        ]
        for pipeline in [
            [["$group": ["_id": nil, "all": ["$push": "$t"]]]],
            copies, spread,
            [["$facet": ["all": []]]], [["$sample": ["size": 1000]]],
            [["$lookup": ["from": "c", "pipeline": [], "as": "all"]]], nested,
            Array(repeating: ["$limit": 1], count: 101)
        ] as [[Document]] {
            let error = #expect(throws: EngineError.self) {
                try engine.aggregate(pipeline, collection: "c", options: options)
            }
            #expect(error?.code == .limit, "\(pipeline.prefix(2))")
        }
    }

    @Test func outReplacesACollectionAtOnce() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(contentsOf: Self.sales, collection: "c", durability: .os)
        try await engine.insert(
            contentsOf: [["_id": "abc", "old": true], ["_id": "gone"]], collection: "totals", durability: .os)
        var unique = IndexDefinition(keys: [.init("n")])
        unique.isUnique = true
        unique.isSparse = true
        try await engine.makeIndex(unique, collection: "totals")
        let group: Document = ["$group": ["_id": "$item", "n": ["$sum": "$quantity"]]]
        #expect(try engine.aggregate([group, ["$out": "totals"]], collection: "c").isEmpty)
        func totals() throws -> [Document] {
            try engine.find([:], collection: "totals") { $0.projection = ["_created_at": 0, "_updated_at": 0] }
        }
        let replaced: [Document] = [["_id": "abc", "n": 12], ["_id": "jkl", "n": 1], ["_id": "xyz", "n": 30]]
        #expect(try totals() == replaced)
        #expect(try engine.find(["n": 12], collection: "totals").count == 1)
        #expect(try engine.checkIndexes(database: "default", collection: "totals") == [])
        // What fails at the last document changes nothing.
        let twice: [Document] = [["$set": ["n": 7]], ["$out": ["db": "default", "coll": "totals"]]]
        let error = #expect(throws: EngineError.self) { try engine.aggregate(twice, collection: "c") }
        #expect(error?.code == .duplicateKey || error?.code == .duplicateID)
        #expect(try totals() == replaced)
        var options = AggregationOptions()
        options.maximumStageBytes = 100
        #expect(throws: EngineError.self) {
            try engine.aggregate([["$out": "totals"]], collection: "c", options: options)
        }
        options = AggregationOptions()
        options.transaction = try engine.beginTransaction()
        #expect(throws: EngineError.self) {
            try engine.aggregate([["$out": "totals"]], collection: "c", options: options)
        }
        #expect(try totals() == replaced)
        // Into itself, into a new one, and of nothing.
        _ = try engine.aggregate([["$match": ["_id": "jkl"]], ["$out": "totals"]], collection: "totals")
        #expect(try totals() == [["_id": "jkl", "n": 1]])
        _ = try engine.aggregate([["$out": "new"]], collection: "totals")
        #expect(try engine.find([:], collection: "new").count == 1)
        _ = try engine.aggregate([["$match": ["_id": "none"]], ["$out": "totals"]], collection: "totals")
        #expect(try totals() == [])
    }

    /// Readers see the old documents or the new ones, never a part.
    @Test func outIsSeenWhole() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(
            contentsOf: (0..<200).map { ["_id": .int($0), "v": 0] }, collection: "c", durability: .os)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for version in 1...20 as ClosedRange<Int64> {
                    _ = try engine.aggregate([["$set": ["v": .int(version)]], ["$out": "c"]], collection: "c")
                    await Task.yield()
                }
            }
            group.addTask {
                var last: Int64 = 0
                while last < 20 {
                    let documents = try engine.find([:], collection: "c")
                    #expect(documents.count == 200)
                    let versions = Set(documents.map { $0["v"]?.int ?? -1 })
                    #expect(versions.count == 1)
                    guard let version = versions.first, version >= last else { break }
                    last = version
                    await Task.yield()
                }
            }
            try await group.waitForAll()
        }
        #expect(try engine.find([:], collection: "c").allSatisfy { $0["v"] == 20 })
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func aSortInAFileIsTheSortInMemory(_ seed: UInt64) async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        var random = SplitMix64(seed: seed)
        let documents = (0..<2000).map { number -> Document in
            [
                "_id": .int(number), "k": .int(Int64.random(in: 0..<50, using: &random)),
                "t": .string(String(repeating: "x", count: Int.random(in: 0..<200, using: &random)))
            ]
        }
        try await engine.insert(contentsOf: documents, collection: "c", durability: .os)
        // Behind another stage, and as part of the query; equal ones stay in order.
        for pipeline in [[["$sort": ["k": -1]]], [["$addFields": ["z": 1]], ["$sort": ["k": -1]]]] as [[Document]] {
            let inMemory = try engine.aggregate(pipeline, collection: "c")
            var options = AggregationOptions()
            options.maximumStageBytes = 10_000
            let inFile = try engine.aggregate(pipeline, collection: "c", options: options)
            #expect(inFile == inMemory, "seed \(seed)")
            let keys = inMemory.map { (-($0["k"]?.int ?? 0), $0["_id"]?.int ?? 0) }
            #expect(zip(keys, keys.dropFirst()).allSatisfy { $0 < $1 }, "seed \(seed)")
        }
    }

    @Test func aTransactionAggregatesWhatItSees() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(contentsOf: Self.sales, collection: "c", durability: .os)
        var options = AggregationOptions()
        let transaction = try engine.beginTransaction()
        options.transaction = transaction
        try await engine.delete(id: 1, collection: "c")
        try await engine.insert(["_id": 9, "item": "abc", "quantity": 100], collection: "c", transaction: transaction)
        let sum: [Document] = [["$group": ["_id": nil, "n": ["$sum": "$quantity"]]]]
        #expect(try engine.aggregate(sum, collection: "c", options: options).first?["n"] == 143)
        #expect(try engine.aggregate(sum, collection: "c").first?["n"] == 41)
    }
}
