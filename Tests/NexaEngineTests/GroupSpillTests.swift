import NexaEngine
import NexaValue
import TestKit
import Testing

/// Groups that outgrow the memory of their stage give what they give in memory.
@Suite struct GroupSpillTests {
    private struct Generator {
        var random: SplitMix64

        mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &random)] }
        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

        mutating func value() -> Value {
            switch Int.random(in: 0..<12, using: &random) {
            case 0: return nil
            case 1: return .bool(chance(50))
            case 2: return .array((0..<Int.random(in: 0..<3, using: &random)).map { .int(Int64($0)) })
            case 3: return ["k": .int(Int64.random(in: 0..<3, using: &random)), "l": nil]
            case 4: return .string(String(repeating: "x", count: Int.random(in: 0..<60, using: &random)))
            case 5: return .timestamp(Timestamp(seconds: Int64.random(in: 0..<3, using: &random)))
            case 6: return .double(.nan)
            case 7, 8: return .double(Double.random(in: -1...1, using: &random) * 1e9)
            case 9: return .int(.max - Int64.random(in: 0..<3, using: &random))
            default: return .int(Int64.random(in: -5..<5, using: &random))
            }
        }

        mutating func document(_ id: Int) -> Document {
            var document: Document = ["_id": .int(Int64(id))]
            // 1 and 1.0 are one key; the first that comes is shown.
            let key = Int.random(in: 0..<40, using: &random)
            if chance(95) { document["key"] = chance(20) ? .double(Double(key)) : .int(Int64(key)) }
            for name in ["a", "b", "c"] where chance(80) { document[name] = value() }
            return document
        }

        static let accumulators = [
            "$sum", "$avg", "$min", "$max", "$first", "$last", "$push", "$addToSet", "$stdDevPop", "$stdDevSamp",
            "$mergeObjects"
        ]

        mutating func pipeline() -> [Document] {
            let keys: [Value] = ["$key", "$a", "$_id", ["k": "$key"], ["$mod": ["$_id", 7]], nil]
            var group: Document = ["_id": pick(keys), "n": ["$sum": 1]]
            for name in ["p", "q", "r"] {
                let input: Value = pick(["$a", "$b", "$c", "$gone", ["$ifNull": ["$a", "$$REMOVE"]]])
                group[name] = .document([pick(Self.accumulators): input])
            }
            let stage: Document =
                chance(80) ? ["$group": .document(group)] : ["$sortByCount": pick(["$key", "$a", "$c"])]
            var stages: [Document] = chance(50) ? [stage] : [["$addFields": ["z": 1]], stage]
            if chance(20) { stages.append(["$limit": 5]) }
            if chance(20) { stages.append(["$group": ["_id": "$n", "all": ["$push": "$_id"]]]) }
            return chance(10) ? [["$facet": ["f": .array(stages.map { .document($0) })]]] : stages
        }
    }

    @Test(arguments: [1, 2, 3, UInt64.random(in: 0 ... .max)])
    func groupsInAFileAreThoseInMemory(_ seed: UInt64) async throws {
        var generator = Generator(random: SplitMix64(seed: seed))
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(
            contentsOf: (0..<400).map { generator.document($0) }, collection: "c", durability: .os)
        var outgrown = 0
        for _ in 0..<20 {
            let pipeline = generator.pipeline()
            let inMemory = try engine.aggregate(pipeline, collection: "c").map { MessagePack.encode($0) }
            // From where nothing stays in memory to where some groups do.
            for limit in [3_000, 9_000, 30_000, 90_000] {
                var options = AggregationOptions()
                options.maximumStageBytes = limit
                do throws(EngineError) {
                    let inFile = try engine.aggregate(pipeline, collection: "c", options: options)
                    #expect(inFile.map { MessagePack.encode($0) } == inMemory, "seed \(seed), \(limit): \(pipeline)")
                } catch {
                    // One list, or a $facet, has to fit.
                    #expect(error.code == .limit, "seed \(seed): \(error)")
                    outgrown += 1
                }
            }
        }
        #expect(outgrown < 75, "seed \(seed)")
    }

    /// Many groups, of which none is large: far more than the memory, and still exact.
    @Test(arguments: [["n": ["$sum": 1]], ["last": ["$max": "$t"]], ["all": ["$push": "$_id"]]] as [Document])
    func manyGroupsNeedLittleMemory(_ fields: Document) async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let documents = (0..<6_000).map { number -> Document in
            ["_id": .int(Int64(number)), "g": .int(Int64(number * 7919 % 2_000)), "t": .string("t\(number % 100)")]
        }
        try await engine.insert(contentsOf: documents, collection: "c", durability: .os)
        var group = fields
        group["_id"] = "$g"
        let pipeline: [Document] = [["$group": .document(group)]]
        let inMemory = try engine.aggregate(pipeline, collection: "c")
        #expect(inMemory.count == 2_000)
        #expect(inMemory.prefix(3).map { $0["_id"] } == [0, 1919, 1838])
        var options = AggregationOptions()
        options.maximumStageBytes = 20_000
        #expect(try engine.aggregate(pipeline, collection: "c", options: options) == inMemory)
        // The work is done in steps, so that it can be ended in between.
        let execution = try engine.aggregate(
            database: "default", collection: "c", pipeline: .array(pipeline.map { .document($0) }), options: options)
        var steps = 0
        while try execution.step(budget: 100) == .more { steps += 1 }
        #expect(steps > 60)
    }
}
