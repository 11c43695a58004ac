import Glibc
import NexaBenchmark
import NexaClient
import NexaValue

/// The command `nexa-engine-bench`: times the engine through the client; `engine.py` runs it and compares.
///
/// `nexa-engine-bench emit COUNT` writes the documents as lines for PostgreSQL's COPY. `nexa-engine-bench run SOCKET
/// COUNT ROUNDS` measures, and prints a line for each cell: its name, the answer, and milliseconds, by tabs.
/// `nexa-engine-bench machine DIRECTORY` describes the machine.
@main
struct Main {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            if arguments.count == 2, arguments[0] == "emit", let count = Int(arguments[1]) {
                var documents = Documents()
                for _ in 0..<count { print(documents.nextLine()) }
            } else if arguments.count == 4, arguments[0] == "run", let count = Int(arguments[2]),
                let rounds = Int(arguments[3])
            {
                try await EngineBench(socket: arguments[1], count: count, rounds: rounds).run()
            } else if arguments.count == 2, arguments[0] == "machine" {
                print(Machine(directory: arguments[1], swift: nil).description)
            } else {
                print("usage: nexa-engine-bench emit COUNT | run SOCKET COUNT ROUNDS | machine DIRECTORY")
                exit(2)
            }
        } catch {
            print("nexa-engine-bench: \(error)")
            exit(1)
        }
    }
}

/// The same documents for both servers: SplitMix64 from a fixed seed.
struct Documents {
    private var state: UInt64 = 20_240_601
    private var index = 0

    private struct Fields {
        var index: Int
        var number: Int
        var group: Int
        var city: String
        var cents: Int
        var tags: [String]
    }

    private mutating func random(below bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }

    private mutating func nextFields() -> Fields {
        defer { index += 1 }
        return Fields(
            index: index, number: random(below: 1_000_000_000), group: random(below: 1000),
            city: "city-\(random(below: 50))", cents: random(below: 100_000),
            tags: ["tag-\(random(below: 100))", "tag-\(random(below: 100))"])
    }

    /// The next document, encoded.
    mutating func nextEncoded() -> EncodedDocument {
        let next = nextFields()
        return EncodedDocument([
            "_id": .string("d\(next.index)"), "n": .int(Int64(next.number)), "k": .int(Int64(next.group)),
            "city": .string(next.city), "price": .double(Double(next.cents) / 100 + 0.001),
            "tags": .array(next.tags.map { .string($0) })
        ])
    }

    /// The next document as its id, a tab and JSON.
    mutating func nextLine() -> String {
        let next = nextFields()
        let tags = next.tags.map { "\"\($0)\"" }.joined(separator: ",")
        return "d\(next.index)\t{\"n\":\(next.number),\"k\":\(next.group),\"city\":\"\(next.city)\","
            + "\"price\":\(Double(next.cents) / 100 + 0.001),\"tags\":[\(tags)]}"
    }
}

/// What is measured of NexaDB.
struct EngineBench {
    let client: NexaClient
    let count: Int
    let rounds: Int
    private let patient = CallOptions(timeout: .seconds(600))
    private var documents: NexaCollection<Document> { client.database("bench").collection("docs") }

    init(socket: String, count: Int, rounds: Int) {
        client = NexaClient(NexaConfiguration(unixSocket: socket))
        self.count = count
        self.rounds = rounds
    }

    /// Runs a cell; the first sample only warms up, unless the cell says that there is no such thing.
    ///
    /// `check` gives the answer where asking for it is no part of what is timed.
    private func cell(
        _ name: String, samples: Int, warmUp: Bool = true, prepare: (() async throws -> Void)? = nil,
        check: (() async throws -> Int)? = nil, _ body: (Int) async throws -> Int
    ) async throws {
        var times: [String] = []
        var answer = 0
        for sample in (warmUp ? -1 : 0)..<samples {
            try await prepare?()
            let before = monotonicNanoseconds()
            answer = try await body(max(0, sample))
            if sample >= 0 { times.append("\(Double(monotonicNanoseconds() - before) / 1e6)") }
            if let check { answer = try await check() }
        }
        print("\(name)\t\(answer)\t\(times.joined(separator: ","))")
        fflush(nil)
    }

    func run() async throws {
        try? await client.database("bench").create()
        var generator = Documents()
        var encoded: [EncodedDocument] = []
        for _ in 0..<count { encoded.append(generator.nextEncoded()) }
        try await cell(
            "load", samples: min(3, rounds), warmUp: false, prepare: { try? await documents.drop(patient) },
            check: { try await documents.count(options: patient) }
        ) { _ in
            let result = try await documents.insert(encoded: encoded, ordered: false, options: patient)
            for case .failure(let error) in result.outcomes { throw error }
            return result.outcomes.count
        }
        encoded = []
        try await cell("scan", samples: rounds) { _ in
            try await documents.count(["price": ["$gte": 250, "$lt": 500]], options: patient)
        }
        try await cell("sort-scan", samples: rounds) { _ in
            try await documents.find().sort(Sort("price")).limit(20).options(patient).collect().count
        }
        try await cell("group", samples: rounds) { _ in
            let stage: Document = [
                "$group": ["_id": "$city", "sum": ["$sum": "$price"], "count": ["$sum": 1]]
            ]
            return try await documents.aggregate([stage]).options(patient).collect().count
        }
        try await documents.createIndex([Sort("k")], name: "k", options: patient)
        try await cell(
            "index", samples: rounds, prepare: { try? await documents.dropIndex("n", options: patient) }
        ) { _ in
            try await documents.createIndex([Sort("n")], name: "n", options: patient)
            return try await documents.indexes().contains { $0.name == "n" } ? 1 : 0
        }
        try await cell("equality", samples: rounds * 10) { sample in
            try await documents.find(["k": .int(Int64(sample * 37 % 1000))]).options(patient).collect(upTo: count).count
        }
        try await cell("range", samples: rounds) { _ in
            try await documents.count(["n": ["$gte": 100_000_000, "$lt": 300_000_000]], options: patient)
        }
        try await cell("sort-index", samples: rounds * 10) { _ in
            try await documents.find().sort(Sort("n")).limit(20).options(patient).collect().count
        }
        try await transactions()
        await client.shutdown()
    }

    /// Transactions of two updates each by one client; the time of one, from runs of 500.
    private func transactions() async throws {
        var times: [String] = []
        for round in 0...rounds {
            let before = monotonicNanoseconds()
            for turn in 0..<500 {
                let one = (round * 500 + turn) * 7919 % count
                let other = (one + count / 2) % count
                try await client.withTransaction { transaction in
                    let documents = transaction.database("bench").collection("docs")
                    try await documents.update(DocumentID("d\(one)"), set: ["price": .double(Double(turn))])
                    try await documents.update(DocumentID("d\(other)"), set: ["price": .double(Double(turn))])
                }
            }
            let taken = Double(monotonicNanoseconds() - before) / 1e6 / 500
            if round > 0 { times.append("\(taken)") }
        }
        print("transaction\t0\t\(times.joined(separator: ","))")
    }
}
