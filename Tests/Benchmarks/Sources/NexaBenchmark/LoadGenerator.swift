import Glibc
import NexaTransport

/// What one run of the load generator saw.
struct Measurement: Sendable {
    /// Requests that were answered, failed ones included.
    var operations = 0
    var failures = 0
    /// The words of the first failure.
    var firstFailure: String?
    /// From the first request to the last reply.
    var nanoseconds: Int64 = 0
    var receivedBytes = 0
    /// From putting a request into the buffer to understanding its reply.
    var latencies = Histogram()
    /// CPU time of the load generator and of the server's processes.
    var clientCPUNanoseconds: Int64 = 0
    var serverCPUNanoseconds: Int64?

    var operationsPerSecond: Double {
        nanoseconds > 0 ? Double(operations) * 1e9 / Double(nanoseconds) : 0
    }
}

/// When to stop asking.
enum RunLength: Sendable {
    case nanoseconds(Int64)
    case operations(Int)
}

/// Keeps a number of requests in flight on each of some connections: one thread, one `poll` loop.
///
/// The loop knows nothing of the systems; they differ in the bytes that go out and in how a reply is told
/// from the next one. It is closed: a reply makes room for the next request.
struct LoadGenerator<Scanner: ReplyScanner> {
    /// The send times of one connection's requests in flight, oldest first.
    private struct Flight {
        var times: [Int64]
        var first = 0
        var count = 0

        init(depth: Int) { times = [Int64](repeating: 0, count: depth) }

        mutating func push(_ time: Int64) {
            var position = first + count
            if position >= times.count { position -= times.count }
            times[position] = time
            count += 1
        }

        mutating func pop() -> Int64 {
            let time = times[first]
            first += 1
            if first == times.count { first = 0 }
            count -= 1
            return time
        }
    }

    private let connections: [Connection<Scanner>]
    private let depth: Int
    private var requests: RequestSequence
    private var flights: [Flight]
    private var unsent: Int
    private var result = Measurement()

    private init(_ connections: [Connection<Scanner>], depth: Int, requests: RequestSequence, limit: Int) {
        self.connections = connections
        self.depth = depth
        self.requests = requests
        unsent = limit
        flights = connections.map { _ in Flight(depth: depth) }
    }

    /// Runs until the length is reached and every reply has come.
    static func run(
        _ connections: [Connection<Scanner>], depth: Int, requests: inout RequestSequence, length: RunLength
    ) throws(BenchmarkError) -> Measurement {
        let limit = if case .operations(let count) = length { count } else { Int.max }
        var generator = LoadGenerator(connections, depth: depth, requests: requests, limit: limit)
        let cpuBefore = ownCPUNanoseconds()
        try generator.loop(length)
        generator.result.clientCPUNanoseconds = ownCPUNanoseconds() - cpuBefore
        requests = generator.requests
        return generator.result
    }

    private mutating func loop(_ length: RunLength) throws(BenchmarkError) {
        let start = monotonicNanoseconds()
        let deadline = if case .nanoseconds(let span) = length { start + span } else { Int64.max }
        var inFlight = 0
        for index in connections.indices {
            inFlight += fill(index, start)
            try connections[index].flush()
        }
        var waiting = connections.map { pollfd(fd: $0.socket.descriptor, events: $0.interest, revents: 0) }
        var now = start
        while inFlight > 0 {
            let ready = poll(&waiting, nfds_t(waiting.count), Connection<Scanner>.patience)
            if ready < 0 && errno == EINTR { continue }
            guard ready > 0 else { throw BenchmarkError("\(inFlight) requests in flight and no reply") }
            for index in connections.indices where waiting[index].revents != 0 {
                if waiting[index].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
                    result.receivedBytes += try connections[index].receive()
                    now = monotonicNanoseconds()
                    inFlight -= try takeReplies(index, now)
                    if now < deadline { inFlight += fill(index, now) }
                }
                try connections[index].flush()
                waiting[index].events = connections[index].interest
            }
        }
        result.nanoseconds = now - start
    }

    /// Puts requests into the buffer of a connection until enough are in flight.
    ///
    /// - Returns: how many.
    private mutating func fill(_ index: Int, _ now: Int64) -> Int {
        let count = min(depth - flights[index].count, unsent)
        for _ in 0..<count {
            requests.appendNext(to: &connections[index].output)
            flights[index].push(now)
        }
        unsent -= count
        return count
    }

    /// - Returns: how many replies there were.
    private mutating func takeReplies(_ index: Int, _ now: Int64) throws(BenchmarkError) -> Int {
        var count = 0
        while let outcome = try connections[index].nextReply() {
            guard flights[index].count > 0 else { throw BenchmarkError("a reply nobody asked for") }
            result.latencies.record(now - flights[index].pop())
            count += 1
            guard outcome == .failure else { continue }
            result.failures += 1
            if result.firstFailure == nil { result.firstFailure = connections[index].failure }
        }
        result.operations += count
        return count
    }

    private static func ownCPUNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
