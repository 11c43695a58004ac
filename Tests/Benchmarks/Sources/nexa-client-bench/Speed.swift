import NexaBenchmark
import NexaClient
import NexaProtocol
import NexaValue

/// Where the tasks of a measurement run.
enum Place: String, CaseIterable {
    case pool = "default"
    case executor = "client.executor"
}

/// What is done again and again.
enum Call: String, CaseIterable {
    case ping, read, insert, update

    func callAsFunction(_ client: NexaClient, _ films: NexaCollection<Document>) async throws {
        switch self {
        case .ping: try await client.ping()
        case .read: _ = try await films.read(Self.id)
        case .insert: try await films.insert(Frames.film)
        case .update: try await films.update(Self.id, set: Self.change)
        }
    }

    private static let id = DocumentID(Frames.id)
    private static let change: Document = ["views": 1]

    /// What a plain socket sends for it.
    var frame: [UInt8] { self == .read ? Frames.read : Frames.ping }
}

/// Round trips and throughput against one server.
struct Speed {
    var port: UInt16
    var password: String
    var rounds: Int
    var seconds: Double

    private var span: Int64 { Int64(seconds * 1e9) }

    func client(depth: Int = 512) -> NexaClient {
        var configuration = NexaConfiguration(host: "127.0.0.1", port: Int(port))
        configuration.credentials = .init(username: "root", password: password)
        configuration.database = "bench"
        configuration.pool.maximumConnections = 1
        configuration.pool.pipelineDepth = depth
        configuration.pool.maximumWaiters = 4096
        return NexaClient(configuration)
    }

    /// One caller, one call at a time: medians and 99th percentiles.
    func roundTrips(_ call: Call, _ place: Place, goal: String = "") async throws -> [Comparison] {
        let socket = try RawSocket(port: port, password: password)
        let client = client()
        let size = try socket.reply(to: call.frame)
        let name = "\(call.rawValue), \(place.rawValue)"
        var median = Comparison(name: "\(name): p50", unit: .nanoseconds, goal: goal)
        var high = Comparison(name: "\(name): p99", unit: .nanoseconds, goal: "≤ 2×")
        for _ in 0..<rounds {
            let raw = try plain(socket, call.frame, size)
            let own = try await Self.run(on: place, of: client) { try await timed(call, client) }
            median.raw.append(raw.median)
            median.client.append(own.median)
            high.raw.append(raw.quantile(0.99))
            high.client.append(own.quantile(0.99))
        }
        await client.shutdown()
        return [median, high]
    }

    private func plain(_ socket: RawSocket, _ frame: [UInt8], _ size: Int) throws -> Samples {
        var durations: [Int64] = []
        durations.reserveCapacity(1 << 18)
        for _ in 0..<200 { try socket.exchange(frame, size) }
        let end = monotonicNanoseconds() + span
        var before = monotonicNanoseconds()
        while before < end {
            try socket.exchange(frame, size)
            let now = monotonicNanoseconds()
            durations.append(now - before)
            before = now
        }
        return Samples(durations)
    }

    private func timed(_ call: Call, _ client: NexaClient) async throws -> Samples {
        let films = client.database().collection("films")
        var durations: [Int64] = []
        durations.reserveCapacity(1 << 18)
        for _ in 0..<200 { try await call(client, films) }
        let end = monotonicNanoseconds() + span
        var before = monotonicNanoseconds()
        while before < end {
            try await call(client, films)
            let now = monotonicNanoseconds()
            durations.append(now - before)
            before = now
        }
        return Samples(durations)
    }

    /// So many callers on one connection, against a socket that sends as many frames at once and reads as many replies.
    func throughput(_ call: Call, callers: Int, _ place: Place, goal: String = "") async throws -> Comparison {
        let socket = try RawSocket(port: port, password: password)
        let client = client()
        let size = try socket.reply(to: call.frame)
        let burst = Array(repeatElement(call.frame, count: callers).joined())
        var result = Comparison(
            name: "\(call.rawValue), \(callers) callers, \(place.rawValue)", unit: .perSecond, goal: goal)
        for _ in 0..<rounds {
            let start = monotonicNanoseconds()
            var count = 0
            while monotonicNanoseconds() < start + span {
                try socket.exchange(burst, size * callers)
                count += callers
            }
            result.raw.append(Double(count) * 1e9 / Double(monotonicNanoseconds() - start))
            let rate = try await Self.run(on: place, of: client) {
                _ = try await Self.many(call, client, callers: callers, nanoseconds: span / 10)
                return try await Self.many(call, client, callers: callers, nanoseconds: span)
            }
            result.client.append(rate)
        }
        await client.shutdown()
        return result
    }

    private static func many(
        _ call: Call, _ client: NexaClient, callers: Int, nanoseconds: Int64
    ) async throws -> Double {
        let start = monotonicNanoseconds()
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<callers {
                group.addTask {
                    let films = client.database().collection("films")
                    var count = 0
                    while monotonicNanoseconds() < start + nanoseconds {
                        try await call(client, films)
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(count) * 1e9 / Double(monotonicNanoseconds() - start)
    }

    /// Runs a measurement where it shall run.
    static func run<R: Sendable>(
        on place: Place, of client: NexaClient, _ body: @Sendable () async throws -> R
    ) async throws -> R {
        switch place {
        case .pool: try await body()
        case .executor: try await withTaskExecutorPreference(try client.executor) { try await body() }
        }
    }
}
