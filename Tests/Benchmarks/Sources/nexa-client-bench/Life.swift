import CClientBench
import NexaBenchmark
import NexaClient
import NexaProtocol
import Synchronization

/// Connections: the first call, the call after an outage, change events, and what an idle one holds.
extension Speed {
    /// Connect, log in, PING, and the reply to it.
    func coldCall() async throws -> Comparison {
        var result = Comparison(name: "first call, connecting: p50", unit: .nanoseconds, goal: "≤ 250 us")
        for _ in 0..<rounds {
            var raw: [Int64] = []
            var own: [Int64] = []
            for _ in 0..<max(10, Int(seconds * 200)) {
                var before = monotonicNanoseconds()
                let socket = try RawSocket(port: port, password: password)
                _ = try socket.reply(to: Frames.ping)
                raw.append(monotonicNanoseconds() - before)
                before = monotonicNanoseconds()
                let client = client()
                try await client.ping()
                own.append(monotonicNanoseconds() - before)
                await client.shutdown()
            }
            result.raw.append(Samples(raw).median)
            result.client.append(Samples(own).median)
        }
        return result
    }

    /// From the moment the server listens again to the first reply, for a caller who has been waiting.
    func reconnect(_ peer: Peer) async throws -> Comparison {
        var result = Comparison(name: "server back → first reply", unit: .nanoseconds, goal: "≤ 5 ms")
        for round in 0..<rounds * 3 {
            let client = client()
            try await client.ping()
            try peer.down()
            let waiting = Task {
                try await client.ping()
                return monotonicNanoseconds()
            }
            // Outages of different lengths, so that the client is caught at any point of its pauses.
            try await Task.sleep(for: .milliseconds(20 + 23 * round))
            let back = try peer.up()
            result.client.append(Double(try await waiting.value - back))
            await client.shutdown()
            let before = monotonicNanoseconds()
            let socket = try RawSocket(port: port, password: password)
            _ = try socket.reply(to: Frames.ping)
            result.raw.append(Double(monotonicNanoseconds() - before))
        }
        return result
    }

    /// Change events of a peer that always has more, decoded to documents; the plain socket only reads the bytes.
    func watch(_ place: Place) async throws -> Comparison {
        var result = Comparison(name: "change events, \(place.rawValue)", unit: .perSecond, goal: "≥ 500 000 /s")
        for _ in 0..<rounds {
            let socket = try RawSocket(port: port, password: password)
            _ = try socket.reply(to: Frames.subscribe)
            let size = Frames.event.count * 256
            var start = monotonicNanoseconds()
            var count = 0
            while monotonicNanoseconds() < start + Int64(seconds * 1e9) {
                try socket.exchange([], size)
                count += 256
            }
            result.raw.append(Double(count) * 1e9 / Double(monotonicNanoseconds() - start))

            let client = client()
            start = 0
            let rate = try await Self.run(on: place, of: client) { try await events(client) }
            result.client.append(rate)
            await client.shutdown(drainingFor: .zero)
        }
        return result
    }

    private func events(_ client: NexaClient) async throws -> Double {
        var changes = client.database().collection("films").watch().makeAsyncIterator()
        for _ in 0..<1000 { _ = try await changes.next() }
        let start = monotonicNanoseconds()
        var count = 0
        while monotonicNanoseconds() < start + Int64(seconds * 1e9) {
            for _ in 0..<64 { _ = try await changes.next() }
            count += 64
        }
        return Double(count) * 1e9 / Double(monotonicNanoseconds() - start)
    }

    /// The heap bytes of one idle connection that has been used before.
    func idleBytes(connections: Int = 64) async throws -> Double {
        var configuration = NexaConfiguration(host: "127.0.0.1", port: Int(port))
        configuration.credentials = .init(username: "root", password: password)
        configuration.pool.maximumConnections = connections
        configuration.pool.keepAliveInterval = .milliseconds(200)
        let client = NexaClient(configuration)
        try await client.ping()
        let holders = Holders()
        bench_count_begin()
        // Others are opened when a connection of one's own is held.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<connections - 1 {
                group.addTask {
                    try await client.withConnection { connection in
                        try await connection.ping()
                        holders.count.add(1, ordering: .relaxed)
                        while holders.count.load(ordering: .relaxed) < connections - 1 {
                            try await Task.sleep(for: .milliseconds(5))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        // The buffers go back with the next sign of life.
        try await Task.sleep(for: .milliseconds(700))
        let opened = client.poolSnapshot.idle - 1
        let bytes = bench_count_end().live_bytes
        await client.shutdown()
        guard opened > 0 else { throw BenchmarkError("no connection became idle") }
        return Double(bytes) / Double(opened)
    }
}

/// How many hold a connection of their own.
private final class Holders: Sendable {
    let count = Atomic(0)
}
