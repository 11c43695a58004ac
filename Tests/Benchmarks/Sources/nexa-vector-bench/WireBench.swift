import NexaClient
import NexaValue
import NexaVector

/// The same searches through `NexaClient` and a server, with the inserts before them.
///
/// Prints `insert HOW VECTORS-PER-SECOND`, `linked SECONDS` (from the first insert until all vectors are in the graph),
/// `wire CALLERS EF RECALL QPS` and `wire-filter PERMILLE STAGE RECALL QPS`.
struct WireBench: Sendable {
    let bench: VectorBench
    let uri: String
    /// How many vectors are inserted one by one.
    static let singles = 2000
    static let callers = [1, 16]

    func run() async throws {
        let client = try NexaClient(uri: uri)
        do {
            let films = client.database("vectors").collection("films")
            try await films.createVectorIndex(
                dimensions: bench.dimensions,
                metric: VectorMetric(rawValue: bench.configuration.metric.rawValue) ?? .cosine,
                quantization: VectorQuantization(rawValue: bench.configuration.quantization.rawValue) ?? .none)
            try await insert(films)
            try await search(films)
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
    }

    private func document(_ row: Int) -> Document {
        let share = Int(UInt32(truncatingIfNeeded: row) &* 2_654_435_761 % 1000)
        return [
            "_id": .int(Int64(row)), "share": .int(Int64(share)),
            "vector": .vector(Array(bench.vectors.row(row, bench.dimensions)))
        ]
    }

    // MARK: Inserting

    private func insert(_ films: NexaCollection<Document>) async throws {
        let start = ContinuousClock.now
        let alone = min(Self.singles, bench.count / 3)
        try await report("one by one, 1 caller", alone) {
            for row in 0..<alone { try await films.insert(document(row)) }
        }
        try await report("one by one, 16 callers", alone) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<16 {
                    group.addTask {
                        for row in stride(from: alone + caller, to: 2 * alone, by: 16) {
                            try await films.insert(document(row))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        try await report("batches of 1000", bench.count - 2 * alone) {
            for first in stride(from: 2 * alone, to: bench.count, by: 1000) {
                _ = try await films.insert(
                    contentsOf: (first..<min(first + 1000, bench.count)).map { document($0) })
            }
        }
        while let field = try await films.vectorStatistics().first, field.linked < bench.count {
            try await Task.sleep(for: .milliseconds(20))
        }
        print("linked\t\((ContinuousClock.now - start) / .seconds(1))")
    }

    private func report(_ how: String, _ count: Int, _ body: () async throws -> Void) async throws {
        let start = ContinuousClock.now
        try await body()
        print("insert\t\(how)\t\(Int(Double(count) / ((ContinuousClock.now - start) / .seconds(1))))")
    }

    // MARK: Searching

    private func search(_ films: NexaCollection<Document>) async throws {
        for callers in Self.callers {
            for width in bench.widths {
                let options = VectorSearchOptions(candidates: width, fields: ["_id"])
                let (found, speed) = try await best(callers, bench.truth.count) { query in
                    try await films.nearest(to: query, limit: VectorBench.k, search: options)
                }
                print("wire\t\(callers)\t\(width)\t\(VectorBench.recall(found, bench.truth))\t\(speed)")
            }
        }
        for share in [100, 10, 1] {
            let filter: Filter = ["share": ["$lt": .int(Int64(share))]]
            let exact = VectorSearchOptions(isExact: true, fields: ["_id"])
            let (truth, _) = try await answers(1, VectorBench.filtered) { query in
                try await films.nearest(to: query, limit: VectorBench.k, filter: filter, search: exact)
            }
            let options = VectorSearchOptions(fields: ["_id"])
            let (found, speed) = try await best(1, VectorBench.filtered) { query in
                try await films.nearest(to: query, limit: VectorBench.k, filter: filter, search: options)
            }
            let plan = try await films.explainNearest(
                to: Array(bench.queries.row(0, bench.dimensions)), limit: VectorBench.k, filter: filter)
            print("wire-filter\t\(share)\t\(plan.stage)\t\(VectorBench.recall(found, truth))\t\(speed)")
        }
    }

    private typealias Search = @Sendable ([Float]) async throws -> [VectorMatch<Document>]

    private func best(_ callers: Int, _ count: Int, _ search: @escaping Search) async throws -> ([[Int32]], Int) {
        var best = (rows: [[Int32]](), speed: 0)
        for _ in 0..<VectorBench.rounds {
            let (rows, seconds) = try await answers(callers, count, search)
            best = (rows, max(best.speed, Int(Double(rows.count) / seconds)))
        }
        return (best.rows, best.speed)
    }

    private func answers(
        _ callers: Int, _ count: Int, _ search: @escaping Search
    ) async throws -> (rows: [[Int32]], seconds: Double) {
        let count = min(count, bench.truth.count)
        let start = ContinuousClock.now
        let parts = try await withThrowingTaskGroup(of: (Int, [[Int32]]).self) { group in
            for caller in 0..<callers {
                group.addTask {
                    var rows: [[Int32]] = []
                    for query in count * caller / callers..<count * (caller + 1) / callers {
                        let found = try await search(Array(bench.queries.row(query, bench.dimensions)))
                        rows.append(found.map { Int32($0.id.rawValue) ?? -1 })
                    }
                    return (caller, rows)
                }
            }
            return try await group.reduce(into: [(Int, [[Int32]])]()) { $0.append($1) }
        }
        return (parts.sorted { $0.0 < $1.0 }.flatMap(\.1), (ContinuousClock.now - start) / .seconds(1))
    }
}
