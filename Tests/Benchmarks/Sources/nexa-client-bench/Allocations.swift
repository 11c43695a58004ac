import CClientBench
import NexaBenchmark
import NexaClient
import NexaValue

/// Allocations of one call, on all threads together, once everything has grown to its size.
struct Allocations {
    /// Name and number, in the order measured.
    var counts: [(name: String, perCall: Double)] = []

    mutating func measure(_ speed: Speed) async throws {
        for place in Place.allCases {
            for call in Call.allCases {
                let client = speed.client()
                let count = try await Speed.run(on: place, of: client) { try await Self.count(call, client) }
                counts.append(("\(call.rawValue), \(place.rawValue)", count))
                await client.shutdown()
            }
        }
    }

    private static func count(_ call: Call, _ client: NexaClient) async throws -> Double {
        let films = client.database().collection("films")
        let calls = 5000
        for _ in 0..<2000 { try await call(client, films) }
        bench_count_begin()
        for _ in 0..<calls { try await call(client, films) }
        return Double(bench_count_end().count) / Double(calls)
    }

    /// What has become more than 2 % (and a rare one now and then) above its threshold, or has none.
    ///
    /// Swift's pool of threads allocates when a job ends on another thread than it began on, which is chance: one
    /// allocation more is let pass there.
    func complaints(_ thresholds: Document) -> [String] {
        counts.compactMap { name, count in
            guard let limit = thresholds[name]?.double ?? thresholds[name]?.int.map(Double.init) else {
                return "\(name): \(fixed(count, places: 2)) allocations a call, and no threshold"
            }
            guard count > limit * 1.02 + (name.hasSuffix(Place.pool.rawValue) ? 1 : 0.02) else { return nil }
            return "\(name): \(fixed(count, places: 2)) allocations a call, the threshold is \(fixed(limit, places: 2))"
        }
    }

    /// As a file of thresholds.
    var json: String {
        "{\n" + counts.map { "  \"\($0.name)\": \(fixed($0.perCall, places: 2))" }.joined(separator: ",\n") + "\n}\n"
    }
}
