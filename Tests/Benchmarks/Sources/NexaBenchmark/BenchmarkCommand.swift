import Glibc
import NexaTransport

/// The command `nexa-bench`: compares servers that already run.
public enum BenchmarkCommand {
    /// The seed of the synthetic films.
    private static let seed: UInt64 = 20_260_101

    /// Runs the command and prints its report.
    ///
    /// - Parameter arguments: the command line without the program's name.
    /// - Returns: the exit status: 0 when every measurement worked, 1 when one failed, 2 for wrong usage.
    public static func run(_ arguments: [String]) -> Int32 {
        if arguments.contains("--help") {
            print(Options.usage)
            return 0
        }
        let options: Options
        do throws(BenchmarkError) {
            options = try Options(arguments)
        } catch {
            note("nexa-bench: \(error)\n\(Options.usage)")
            return 2
        }
        do throws(BenchmarkError) {
            if let count = options.freePorts {
                try printFreePorts(count)
                return 0
            }
            return try compare(options) ? 0 : 1
        } catch {
            note("nexa-bench: \(error)")
            return 1
        }
    }

    /// - Returns: whether every measurement worked.
    private static func compare(_ options: Options) throws(BenchmarkError) -> Bool {
        let start = monotonicNanoseconds()
        let machine = Machine(directory: options.dataDirectory, swift: options.swiftVersion)
        let movies =
            if let path = options.movies { try Movies(file: path) } else {
                Movies(synthetic: Movies.count, seed: seed)
            }
        let (targets, missing) = try connect(options, movies)
        guard !targets.isEmpty else {
            throw BenchmarkError("no server to measure; run.sh starts them and passes them on")
        }
        var head = [
            machine.description, targets.map { "\($0.name) \($0.version)" }.joined(separator: ", "), movies.origin,
            "\(options.rounds) rounds of \(significant(options.seconds)) s a cell, systems in turn inside a round"
        ]
        if !missing.isEmpty { head.append("not there, so not measured: \(missing.joined(separator: ", "))") }
        say(head.joined(separator: "\n") + "\n")
        say(try ceilings(options))

        for target in targets {
            let loaded = try target.load()
            try target.verify()
            say("\(target.name): loaded at \(grouped(loaded.operationsPerSecond)) films/s, replies verified")
        }
        say("")
        let runner = Runner(targets: targets, options: options, movies: movies)
        let otherLoad = OtherLoad(targets)
        var report = Report(systems: ["NexaDB", "Redis", "PostgreSQL"], missing: missing)
        for operation in options.operations {
            let result = runner.run(operation)
            report.results.append(result)
            say(report.text(result) + "\n")
        }
        let seconds = Double(monotonicNanoseconds() - start) / 1e9
        let foot = notes + ["\(otherLoad.description) All took \(fixed(seconds, places: 0)) s."]
        let summary = report.summary()
        if !summary.isEmpty {
            say("Geometric mean of the cells' median ratios, above 1 where NexaDB is faster:\n\(summary)\n")
        }
        say(foot.joined(separator: "\n"))
        if let path = options.markdown { try write(report.markdown(head: head, foot: foot), toFile: path) }
        return report.results.allSatisfy { $0.cells.allSatisfy { $0.systems.values.allSatisfy { $0.problem == nil } } }
    }

    /// What a reader must know to judge the numbers.
    private static let notes = [
        "One client thread and one event loop for all systems, loopback TCP, requests made from templates.",
        "sync: NexaDB sync, Redis appendfsync always, PostgreSQL synchronous_commit on. os: NexaDB os, Redis "
            + "appendfsync everysec, PostgreSQL synchronous_commit off (which, unlike the others, may lose commits "
            + "when only the server process dies).",
        "A film in Redis is one string: query is not offered, and update sends the whole film. "
            + "Its RDB snapshots are off. Otherwise all have their defaults, and none has an index on year.",
        "query keeps at most \(Operation.query.maximumDepth) requests in flight on a connection.",
        "Work that a system leaves over after a burst of writes runs before the next measurement, outside of it.",
        "Every reply is checked for success, and after each insert measurement the documents are counted."
    ]

    private static func connect(
        _ options: Options, _ movies: Movies
    ) throws(BenchmarkError) -> (targets: [any Target], missing: [String]) {
        var targets: [any Target] = []
        var missing: [String] = []
        if let server = options.nexadb {
            let password = getenv("NEXADB_ROOT_PASSWORD").map { String(cString: $0) } ?? ""
            targets.append(try target(NexaWire(password: password), server, movies))
        } else {
            missing.append("NexaDB")
        }
        if let server = options.redis {
            targets.append(try target(RedisWire(), server, movies))
        } else {
            missing.append("Redis")
        }
        if let server = options.postgresql {
            targets.append(try target(PostgresWire(), server, movies))
        } else {
            missing.append("PostgreSQL")
        }
        return (targets, missing)
    }

    private static func target<Wire: WireProtocol>(
        _ wire: Wire, _ server: Options.Server, _ movies: Movies
    ) throws(BenchmarkError) -> any Target {
        do throws(BenchmarkError) {
            return try WireTarget(wire, port: server.port, process: server.process, movies: movies)
        } catch {
            throw BenchmarkError("\(wire.name) at port \(server.port): \(error)")
        }
    }

    private static func ceilings(_ options: Options) throws(BenchmarkError) -> String {
        var parts: [String] = []
        for cell in options.cells(.read) {
            let result = try Ceiling.measure(cell, seconds: 0.2)
            parts.append("\(cell.connections) × \(cell.depth): \(grouped(result.operationsPerSecond)) /s")
        }
        return "The client against an echo of 0.7 kB (connections × in flight): \(parts.joined(separator: ", "))"
    }

    /// Ports that were free a moment ago; whoever listens on one must still be ready to fail.
    private static func printFreePorts(_ count: Int) throws(BenchmarkError) {
        var sockets: [ListeningSocket] = []
        defer { for socket in sockets { socket.close() } }
        do throws(TransportError) {
            guard let address = SocketAddress(numericHost: "127.0.0.1", port: 0) else { return }
            for _ in 0..<count { sockets.append(try ListeningSocket(address: address)) }
        } catch {
            throw BenchmarkError("\(error)")
        }
        print(sockets.compactMap { $0.address.port.map(String.init) }.joined(separator: " "))
    }

    /// Prints at once, so that a long run can be watched through a pipe.
    private static func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    private static func note(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
