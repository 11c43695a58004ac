import Glibc
import NexaBenchmark
import NexaClient
import NexaValue

/// The command `nexa-client-bench`: the client as ratios to a plain socket, all in one run.
@main
struct Main {
    static func main() async {
        do {
            let options = try ClientOptions(Array(CommandLine.arguments.dropFirst()))
            if options.needsHelp {
                print(ClientOptions.usage)
                exit(0)
            }
            exit(try await run(options) ? 0 : 1)
        } catch {
            print("nexa-client-bench: \(error)")
            exit(2)
        }
    }

    private static func run(_ options: ClientOptions) async throws -> Bool {
        let peer = try Peer()
        defer { peer.stop() }
        let speed = Speed(port: peer.port, password: "x", rounds: options.rounds, seconds: options.seconds)
        if let place = options.profiled {
            try await profile(speed, place, options)
            return true
        }
        var rows: [[String]] = []
        func add(_ comparisons: [Comparison]) {
            rows += comparisons.map(\.columns)
            note(comparisons.map(\.name).joined(separator: "; "))
        }
        let machine = options.allocationsOnly ? "" : Machine(directory: ".", swift: options.swiftVersion).description

        var allocations = Allocations()
        try await allocations.measure(speed)
        for (name, count) in allocations.counts {
            rows.append(["allocations: \(name)", "0", fixed(count, places: 2), "–", "", ""])
        }
        if !options.allocationsOnly {
            for place in Place.allCases {
                let goal = place == .executor ? "≤ +1.5 us" : "≤ +8 us"
                add(try await speed.roundTrips(.ping, place, goal: goal))
                add(try await speed.roundTrips(.read, place))
            }
            for place in Place.allCases {
                for callers in [1, 64, 512] {
                    let goal = goals[place]?[callers] ?? ""
                    add([try await speed.throughput(.ping, callers: callers, place, goal: goal)])
                }
            }
            add([try await speed.coldCall(), try await speed.reconnect(peer)])
            for place in Place.allCases { add([try await speed.watch(place)]) }
            note("an idle connection")
            let idle = try await speed.idleBytes()
            rows.append(["heap of an idle connection", "–", "\(grouped(idle)) bytes", "–", "", "≤ 8192 bytes"])
            if let live = options.live { rows += try await measureLive(live, options) }
        }
        let foot = """
            Loopback TCP, \(options.rounds) rounds of \(significant(options.seconds)) s in turns; medians, ratios of \
            the same round. The peer answers with bytes made before; a plain socket with N callers sends N frames at \
            once and does not decode. 'default' resumes callers on Swift's pool of threads, 'client.executor' is \
            withTaskExecutorPreference(client.executor).
            """
        print("\(machine)\n\n\(table(rows, markdown: false))\n\n\(foot)")
        if let path = options.markdown {
            try write("\(machine)\n\n\(table(rows, markdown: true))\n\n\(foot)\n", toFile: path)
        }
        if let path = options.newThresholds { try write(allocations.json, toFile: path) }
        guard let path = options.thresholds else { return true }
        let complaints = allocations.complaints(try JSON.decodeDocument(contents(ofFile: path)))
        print(complaints.isEmpty ? "Allocations are within their thresholds." : complaints.joined(separator: "\n"))
        return complaints.isEmpty
    }

    private static let goals: [Place: [Int: String]] = [
        .pool: [64: "≥ 350 000 /s"], .executor: [64: "≥ 1 000 000 /s", 512: "≥ 2 000 000 /s"]
    ]

    /// Shows those who wait how far it is.
    private static func note(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// The same against a real server.
    private static func measureLive(_ port: UInt16, _ options: ClientOptions) async throws -> [[String]] {
        let password = getenv("NEXADB_ROOT_PASSWORD").map { String(cString: $0) } ?? ""
        let speed = Speed(port: port, password: password, rounds: options.rounds, seconds: options.seconds)
        let client = speed.client()
        let films = client.database().collection("films")
        if try await films.read(DocumentID(Frames.id)) == nil { try await films.insert(Frames.storedFilm) }
        await client.shutdown()
        var results: [Comparison] = []
        for place in Place.allCases {
            results += try await speed.roundTrips(.ping, place)
            results += try await speed.roundTrips(.read, place)
            results.append(try await speed.throughput(.read, callers: 64, place))
        }
        results.append(try await speed.coldCall())
        return results.map { ["nexadb: \($0.columns[0])"] + $0.columns[1...4] + [""] }
    }

    /// Nothing but one kind of call, for a profiler.
    private static func profile(_ speed: Speed, _ place: Place, _ options: ClientOptions) async throws {
        let client = speed.client()
        let start = monotonicNanoseconds()
        try await Speed.run(on: place, of: client) {
            let films = client.database().collection("films")
            guard let call = options.profiledCall else {
                var changes = films.watch().makeAsyncIterator()
                for _ in 0..<options.profiledCalls { _ = try await changes.next() }
                return
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<options.profiledCallers {
                    group.addTask {
                        for _ in 0..<options.profiledCalls / options.profiledCallers { try await call(client, films) }
                    }
                }
                try await group.waitForAll()
            }
        }
        let each = Double(monotonicNanoseconds() - start) / Double(options.profiledCalls)
        print("\(options.profiledCalls) times, \(duration(each)) each")
        await client.shutdown()
    }
}
