@testable import NexaEngine
import NexaQuery
import NexaStorage
import NexaValue
import TestKit
import Testing

/// Scans that two threads share give what one thread gives, whatever the keys look like.
@Suite struct SharedScanTests {
    private static let count = 12_000

    /// Keys of which a part of the bytes says nothing about where the middle is.
    enum IDs: String, CaseIterable, Sendable {
        case integers, texts, longPrefix, skewed, mixed, made

        func id(_ number: Int, _ random: inout SplitMix64) -> Value? {
            switch self {
            case .integers: .int(Int64(number) - 3000)
            case .texts: .string("d\(number)")
            case .longPrefix: .string(String(repeating: "a", count: 300) + "\(number)")
            case .skewed: .string(number == 0 ? "z" : String(repeating: "\u{1}", count: 1 + number % 90) + "\(number)")
            case .mixed: number % 2 == 0 ? .int(Int64(number) << 40) : .string("\(random.next())-\(number)")
            case .made: nil
            }
        }
    }

    private static func load(_ fixture: Fixture, _ ids: IDs, seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        for batch in 0..<(count / 1000) {
            let documents = (0..<1000).map { number -> Document in
                var document: Document = [
                    "n": .int(Int64.random(in: 0..<500, using: &random)), "b": .int(Int64(number)),
                    "x": .double(Double.random(in: 0..<1e6, using: &random))
                ]
                // 1 and 1.0 are one key; the first that comes is shown.
                let key = Int.random(in: 0..<3000, using: &random)
                document["key"] = random.next() % 3 == 0 ? .double(Double(key)) : .int(Int64(key))
                if let id = ids.id(batch * 1000 + number, &random) { document["_id"] = .some(id) }
                return document
            }
            try await fixture.engine.insert(contentsOf: documents, collection: "c", durability: .os)
        }
    }

    private static let pipeline: [Document] = [
        ["$match": ["n": ["$lt": 450]]],
        [
            "$group": [
                "_id": "$key", "sum": ["$sum": "$n"], "xs": ["$sum": "$x"], "mean": ["$avg": "$x"],
                "low": ["$min": "$key"], "high": ["$max": "$x"], "documents": ["$count": [:]]
            ]
        ]
    ]

    /// What the pipeline gives of documents in their order, by one thread.
    private static func groups(of documents: [Document]) throws -> [Document] {
        let fixture = try Fixture()
        let environment = PipelineEnvironment(
            fixture.engine, database: "default", transaction: nil, maximumStageBytes: 100 << 20,
            context: ExpressionContext(), check: {})
        let collector = CollectorStage(environment)
        let compiler = PipelineCompiler(environment: environment, depth: 0)
        let chain = PipelineChain(try compiler.stages(pipeline), last: collector)
        for document in documents { try chain.first.push(document) }
        try chain.first.end()
        while try chain.drainSome(1000) {}
        return try AggregationExecution.decode(collector.take().documents)
    }

    @Test(arguments: IDs.allCases)
    func theSameIsFound(_ ids: IDs) async throws {
        let seed = UInt64.random(in: 0 ... .max)
        let fixture = try Fixture()
        let engine = fixture.engine
        try await Self.load(fixture, ids, seed: seed)
        let documents = try engine.find()
        #expect(documents.count == Self.count)

        #expect(try engine.count(["n": ["$lt": 100]]) == documents.count { ($0["n"]?.int ?? 0) < 100 }, "seed \(seed)")
        for direction in [1, -1] {
            // Equal ones in the order of their ids, as they lie.
            let order = documents.enumerated().sorted {
                let (left, right) = ($0.element["n"]?.int ?? 0, $1.element["n"]?.int ?? 0)
                return left == right ? $0.offset < $1.offset : direction > 0 ? left < right : left > right
            }
            let sorted = try engine.find { options in
                options.sort = ["n": .int(Int64(direction))]
                options.limit = 150
            }
            #expect(sorted == order.prefix(150).map(\.element), "seed \(seed)")
        }
        let groups = try Self.groups(of: documents)
        for limit in [100 << 20, 400_000, 60_000] {
            var options = AggregationOptions()
            options.maximumStageBytes = limit
            for _ in 0..<3 {
                let shared = try engine.aggregate(Self.pipeline, collection: "c", options: options)
                #expect(shared.count == groups.count, "seed \(seed)")
                let different = zip(shared, groups).enumerated().first {
                    MessagePack.encode($0.element.0) != MessagePack.encode($0.element.1)
                }
                #expect(different?.offset == nil, "seed \(seed), \(limit) bytes")
            }
        }
    }

    /// A mistake in a document that only one of the threads sees is told, and the threads are free again.
    @Test func mistakesOfEitherThreadAreTold() async throws {
        let fixture = try Fixture()
        try await Self.load(fixture, .integers, seed: 5)
        for wrong in [Int64(-2990), 1500, 8990] {
            let engine = fixture.engine
            let group: Document = [
                "$group": ["_id": nil, "sum": ["$sum": ["$divide": [1, ["$subtract": ["$_id", .int(wrong)]]]]]]
            ]
            for _ in 0..<5 {
                #expect(throws: EngineError.self) { try engine.aggregate([group], collection: "c") }
            }
        }
        #expect(try fixture.engine.count(["n": ["$gte": 0]]) == Self.count)
    }

    /// Splitting gives every key to one part, in the order of the numbers.
    @Test(arguments: [1, UInt64.random(in: 0 ... .max)])
    func partsAreSplitBetweenTheirKeys(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var splits = 0
        for _ in 0..<20_000 {
            let alphabet: [UInt8] = [[0, 1, 255], [0x30, 0x31, 0x39], [7]].randomElement(using: &random) ?? []
            func key() -> [UInt8] {
                (0..<Int.random(in: 0..<14, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            }
            let (one, two) = (key(), key())
            guard one != two else { continue }
            let (low, high) = one.precedes(two) ? (one, two) : (two, one)
            var part = ScanSharing.Part(lower: low, upper: high, number: 10, endNumber: 1 << 62)
            guard let other = part.split(behind: low.span.bytes, number: 17) else { continue }
            splits += 1
            #expect(low.precedes(other.lower) && other.lower.precedes(high), "seed \(seed): \(low) \(high)")
            #expect(other.upper == high && part.upper == other.lower && part.lower == low)
            #expect(part.endNumber == other.number && other.number > 17 && other.endNumber == 1 << 62)
        }
        #expect(splits > 1000, "seed \(seed)")
        var part = ScanSharing.Part(lower: [1], upper: [9, 9, 9], number: 0, endNumber: 1 << 62)
        let first: [UInt8] = [1]
        var depth = 0
        // Numbers run out before they could meet.
        while part.split(behind: first.span.bytes, number: 0) != nil { depth += 1 }
        #expect(depth < 63)
    }
}
