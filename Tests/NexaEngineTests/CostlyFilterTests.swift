import NexaEngine
import NexaQuery
import NexaValue
import Synchronization
import TestKit
import Testing

/// One document may take a regular expression or an expression as long as thousands take other filters: whoever waits is
/// asked in between whether to go on.
@Suite struct CostlyFilterTests {
    private static let count = 100

    /// True for every document, after some milliseconds.
    private static let slow: Value = [
        "$gt": [["$reduce": ["input": ["$range": [0, 600]], "initialValue": 0, "in": ["$add": ["$$value", 1]]]], 0]
    ]

    private static func fill(_ fixture: Fixture) async throws {
        let documents = (0..<count).map { ["_id": .int(Int64($0)), "n": .int(Int64($0 % 7))] as Document }
        try await fixture.engine.insert(contentsOf: documents, collection: "c", durability: .os)
    }

    @Test(arguments: [
        ["$expr": slow] as Document, ["n": ["$gte": 0], "$expr": slow], ["$nor": [["$expr": ["$not": slow]]]]
    ])
    func aStepOfAQueryEndsInTime(filter: Document) async throws {
        let fixture = try Fixture()
        try await Self.fill(fixture)
        try await fixture.engine.makeIndex(IndexDefinition(keys: [.init("n")]))
        for hint in ["$natural", "n_1"] {
            var options = QueryOptions()
            options.isCountOnly = true
            options.hint = hint
            let query = try fixture.engine.query(
                database: "default", collection: "c", filter: filter, options: options)
            // A listener leaves it to others.
            #expect(try query.step(budget: 64) == .more)
            #expect(query.examined == 0)
            #expect(try query.step(budget: 100_000) == .more)
            #expect(query.examined < Self.count)
            while try query.step(budget: 100_000) == .more {}
            #expect(query.count == Self.count)
        }
    }

    @Test func aStepOfAWriteEndsInTime() async throws {
        let fixture = try Fixture()
        try await Self.fill(fixture)
        var write = CollectionWrite(
            .filter(MessagePack.encode(["$expr": Self.slow] as Document)),
            .update(MessagePack.encode(["$set": ["m": 1]] as Document)))
        write.isMany = true
        let execution = try fixture.engine.write(
            database: "default", collection: "c", [write], options: WriteSetOptions())
        #expect(execution.step(budget: 64, largestDocument: 1 << 20) == .more)
        #expect(try fixture.engine.count(["m": 1]) == 0)
        var steps = 0
        while execution.step(budget: 100_000) == .more {
            execution.settle()
            steps += 1
        }
        #expect(steps > 3)
        #expect(try fixture.engine.count(["m": 1]) == Self.count)
    }

    @Test(
        arguments: [
            [["$project": ["x": slow]]], [["$group": ["_id": slow]]], [["$skip": 1], ["$match": ["$expr": slow]]],
            [["$group": ["_id": nil, "l": ["$push": "$n"]]], ["$unwind": "$l"], ["$set": ["x": slow]]]
        ] as [[Document]])
    func aPipelineAsksBetweenDocuments(pipeline: [Document]) async throws {
        let fixture = try Fixture()
        try await Self.fill(fixture)
        let counter = Counter()
        var options = AggregationOptions()
        options.check = { counter.add() }
        _ = try fixture.engine.aggregate(pipeline, collection: "c", options: options)
        #expect(counter.value > 3)
    }

    @Test func aSubscriptionIsReadInParts() async throws {
        let fixture = try Fixture()
        let start = try fixture.engine.changes().position
        try await Self.fill(fixture)
        let plain = try fixture.engine.changes(ChangeSelection(filter: ["n": ["$gte": 0]]), after: start)
        #expect(!plain.isCold)
        let costly = try fixture.engine.changes(ChangeSelection(filter: ["$expr": Self.slow]), after: start)
        #expect(costly.isCold, "no event loop reads it")
        var events = 0
        var parts = 1
        while try costly.read({ _ in
            events += 1
            return true
        }) == .more { parts += 1 }
        #expect(events == Self.count)
        #expect(parts > 1)
    }

    /// The limit of one string does not hold for each element of an array.
    @Test func patternsOverManyStringsHaveALimit() throws {
        let text = String(repeating: "a", count: 80)
        let document: Document = ["_id": 1, "l": .array(Array(repeating: .string(text), count: 300_000))]
        let filter = try QueryFilter(compiling: ["l": ["$regex": "a.*a.*a.*[cd]"]])
        #expect(filter.isCostly)
        let encoded = MessagePack.encode(document)
        #expect(throws: QueryError.self) { try filter.matches(encoded.span.bytes) }
    }
}

private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.wrappingAdd(1, ordering: .relaxed) }
}
