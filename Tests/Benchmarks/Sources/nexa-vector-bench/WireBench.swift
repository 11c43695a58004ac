import NexaClient
import NexaValue
import NexaVector

/// The same searches through `NexaClient` and a server, with the inserts before them.
///
/// Prints `insert HOW VECTORS-PER-SECOND`, `linked SECONDS` (from the first insert until all vectors are in the graph),
/// `memory BYTES-PER-VECTOR` (as the server says), `wire CALLERS EF RECALL QPS` and `wire-filter PERMILLE STAGE RECALL QPS`.
/// Every measurement has an end, however slow the server is: what was answered until then counts.
struct WireBench: Sendable {
    let bench: VectorBench
    let uri: String
    /// How many vectors are inserted one by one at most, by one caller and again by 16.
    static let singles = 2000
    static let callers = [1, 2, 16]
    /// How long one round of searches or of single inserts may take.
    static let roundLimit = Duration.seconds(2)
    /// How long the server may take to link what it was given.
    static let linkLimit = Duration.seconds(180)

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
            try await filter(films)
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
        var first = 0
        for callers in [1, 16] {
            first += try await report("one by one, \(callers)") {
                try await singles(films, first..<first + alone, callers)
            }
        }
        let rest = first
        _ = try await report("batches of 1000") {
            for first in stride(from: rest, to: bench.count, by: 1000) {
                let result = try await films.insert(
                    contentsOf: (first..<min(first + 1000, bench.count)).map { document($0) })
                if case .failure(let error)? = result.outcomes.first(where: { $0.isFailure }) { throw error }
            }
            return bench.count - rest
        }
        let deadline = ContinuousClock.now + Self.linkLimit
        var told = ContinuousClock.now
        while let field = try await films.vectorStatistics().first, field.linked < bench.count {
            guard ContinuousClock.now < deadline else {
                throw BenchError("only \(field.linked) of \(bench.count) vectors were linked in \(Self.linkLimit)")
            }
            if ContinuousClock.now - told > .seconds(5) {
                tell("\(field.linked) of \(bench.count) vectors are linked")
                told = .now
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        say("linked\t\((ContinuousClock.now - start) / .seconds(1))")
        if let field = try await films.vectorStatistics().first {
            say("memory\t\(field.memoryBytes / max(1, field.count))")
        }
    }

    /// Inserts rows one by one from the front until the time is over; returns how many.
    private func singles(
        _ films: NexaCollection<Document>, _ rows: Range<Int>, _ callers: Int
    ) async throws -> Int {
        let deadline = ContinuousClock.now + Self.roundLimit
        var done = 0
        // In rounds of 16 for each caller, so that the rows that were inserted are those in front.
        while done < rows.count, ContinuousClock.now < deadline {
            let round = rows.lowerBound + done..<min(rows.upperBound, rows.lowerBound + done + 16 * callers)
            if callers == 1 {
                for row in round { try await films.insert(document(row)) }
            } else {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for caller in 0..<callers {
                        group.addTask {
                            for row in stride(from: round.lowerBound + caller, to: round.upperBound, by: callers) {
                                try await films.insert(document(row))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            done += round.count
        }
        return done
    }

    /// Tells how many vectors a second were inserted, and returns their number.
    private func report(_ how: String, _ body: () async throws -> Int) async throws -> Int {
        let start = ContinuousClock.now
        let count = try await body()
        say("insert\t\(how)\t\(Int(Double(count) / ((ContinuousClock.now - start) / .seconds(1))))")
        return count
    }

    // MARK: Searching

    private func search(_ films: NexaCollection<Document>) async throws {
        for callers in Self.callers {
            for width in bench.widths {
                let options = VectorSearchOptions(candidates: width, fields: ["_id"])
                let (recall, speed) = try await best(callers, bench.truth.count, bench.truth) { query in
                    try await films.nearest(to: query, limit: VectorBench.k, search: options)
                }
                say("wire\t\(callers)\t\(width)\t\(recall)\t\(speed)")
            }
        }
    }

    /// Searches for what a number in the documents selects; first as they are, then with an index of that number.
    private func filter(_ films: NexaCollection<Document>) async throws {
        let queries = min(VectorBench.filtered, bench.truth.count)
        for isIndexed in [false, true] {
            if isIndexed { try await films.createIndex([.ascending("share")]) }
            for share in [100, 10, 1] {
                let filter: Filter = ["share": ["$lt": .int(Int64(share))]]
                let options = VectorSearchOptions(fields: ["_id"])
                let truth = bench.nearest(queries, share)
                let (recall, speed) = try await best(1, queries, truth) { query in
                    try await films.nearest(to: query, limit: VectorBench.k, filter: filter, search: options)
                }
                let plan = try await films.explainNearest(
                    to: Array(bench.queries.row(0, bench.dimensions)), limit: VectorBench.k, filter: filter)
                let way = plan.stage == "VECTOR_INDEX" ? "walk, ef 64" : "scan"
                say("wire-filter\t\(share)\t\(way)\(isIndexed ? ", filter indexed" : "")\t\(recall)\t\(speed)")
            }
        }
    }

    private typealias Search = @Sendable ([Float]) async throws -> [VectorMatch<Document>]

    /// The recall, and the searches a second of the best round.
    private func best(
        _ callers: Int, _ count: Int, _ truth: [[Int32]], _ search: @escaping Search
    ) async throws -> (recall: Double, speed: Int) {
        var speed = 0
        var recall = 0.0
        for round in 0..<VectorBench.rounds {
            let (answers, seconds) = try await answers(callers, count, search)
            speed = max(speed, Int(Double(answers.count) / seconds))
            let found = answers.map(\.found)
            recall = VectorBench.recall(found, answers.map { truth[$0.query] })
            // One that does not come to its end will not do so the next time.
            if answers.count < count, round == 0 { break }
        }
        return (recall, speed)
    }

    private struct Found: Sendable {
        var query: Int
        var found: [Int32]
    }

    private func answers(
        _ callers: Int, _ count: Int, _ search: @escaping Search
    ) async throws -> (answers: [Found], seconds: Double) {
        let start = ContinuousClock.now
        let deadline = start + Self.roundLimit
        let answers = try await withThrowingTaskGroup(of: [Found].self) { group in
            for caller in 0..<callers {
                group.addTask {
                    var answers: [Found] = []
                    for query in stride(from: caller, to: count, by: callers) where ContinuousClock.now < deadline {
                        let found = try await search(Array(bench.queries.row(query, bench.dimensions)))
                        answers.append(Found(query: query, found: found.map { Int32($0.id.rawValue) ?? -1 }))
                    }
                    return answers
                }
            }
            return try await group.reduce(into: [Found]()) { $0 += $1 }
        }
        return (answers, (ContinuousClock.now - start) / .seconds(1))
    }
}

/// Why a measurement is of no use.
struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension Result {
    fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}
