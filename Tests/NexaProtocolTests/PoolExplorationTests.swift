import Glibc
import NexaTestSupport
import Testing

@testable import NexaProtocol

/// Every history of a small pool: three connections, every order of events, every race of the timers.
@Suite struct PoolExplorationTests {
    static let start = MonotonicInstant.now

    static var limits: PoolLimits {
        var limits = PoolLimits()
        limits.maximumConnections = 3
        limits.maximumWaiters = 3
        limits.pipelineDepth = 2
        limits.busyLoad = 1
        limits.breakerThreshold = 2
        limits.idleTimeout = .seconds(60)
        limits.maximumLifetime = .seconds(100)
        return limits
    }

    /// What an exploration came to.
    struct Result {
        /// States that differ in what can follow.
        var states = 0
        /// Orders of events that lead to them; each was run, or runs from some point on like one that was.
        var histories = 0.0
        var problem: String?

        var description: String { "\(histories.rounded()) histories, \(states) states" }
    }

    /// One way to a state: which of the events that were possible happened, six bits for each.
    private struct Way {
        static let bits: UInt64 = 6
        var choices: UInt64 = 0
        /// All histories that lead there in as many events.
        var histories = 1.0
    }

    /// Runs every history of so many events, one event further at a time. Of histories that lead to the same state in as
    /// many events one goes on for all: what follows does not depend on how the state was come to.
    ///
    /// States are told apart by 64 bits of a hash, with another seed in every process: of ten million states, two are
    /// taken for one in one process of several hundred thousand.
    static func explore(
        _ limits: PoolLimits, events: Int, fault: PoolWorld.Fault = .none,
        progress: ((_ event: Int, Result) -> Void)? = nil
    ) -> Result {
        precondition(events * Int(Way.bits) < UInt64.bitWidth, "a way is kept in 64 bits")
        var result = Result()
        let origin = PoolWorld(limits, start: start, fault: fault)
        var seen: Set<Int> = [origin.fingerprint]
        var layer: [Int: Way] = [origin.fingerprint: Way()]
        for step in 0..<events {
            var next: [Int: Way] = [:]
            for way in layer.values {
                var world = origin
                for past in 0..<step { world.happen(world.events[choice(way, past)]) }
                for (index, event) in world.events.enumerated() {
                    var later = world
                    later.happen(event)
                    let fingerprint = later.fingerprint
                    let choices = way.choices | UInt64(index) << (UInt64(step) * Way.bits)
                    if seen.insert(fingerprint).inserted, later.problems.isEmpty { later.finish() }
                    if let problem = later.problems.first {
                        let way = history(Way(choices: choices), origin, step + 1)
                        result.problem = "\(problem) after \(way)"
                        return result
                    }
                    if let position = next.index(forKey: fingerprint) {
                        next.values[position].histories += way.histories
                    } else {
                        next[fingerprint] = Way(choices: choices, histories: way.histories)
                    }
                }
            }
            layer = next
            result.states = seen.count
            result.histories = layer.values.reduce(0) { $0 + $1.histories }
            progress?(step + 1, result)
        }
        return result
    }

    private static func choice(_ way: Way, _ step: Int) -> Int {
        Int(way.choices >> (UInt64(step) * Way.bits) & (1 << Way.bits - 1))
    }

    private static func history(_ way: Way, _ origin: PoolWorld, _ count: Int) -> [PoolWorld.Event] {
        var world = origin
        return (0..<count).map { step in
            let event = world.events[choice(way, step)]
            world.happen(event)
            return event
        }
    }

    /// `make explore` asks for eight events with `NEXA_EVENTS`; they take a minute and a half.
    static var depth: Int { getenv("NEXA_EVENTS").flatMap { Int(String(cString: $0)) } ?? 5 }

    @Test(arguments: [0, 1]) func everyHistoryKeepsEveryPromise(minimum: Int) {
        var limits = Self.limits
        limits.minimumConnections = minimum
        let result = Self.explore(limits, events: Self.depth) { event, result in
            print("minimum \(minimum), \(event) events: \(result.description)")
        }
        #expect(result.problem == nil)
        #expect(result.states > 1000)
    }

    @Test func aSinglePoolConnectionKeepsEveryPromise() {
        var limits = Self.limits
        limits.maximumConnections = 1
        #expect(Self.explore(limits, events: Self.depth + 1).problem == nil)
    }

    @Test(arguments: PoolWorld.Fault.allCases.filter { $0 != .none }) func aBrokenPoolIsCaught(fault: PoolWorld.Fault) {
        #expect(Self.explore(Self.limits, events: 5, fault: fault).problem != nil)
    }

    @Test func theGeneratorVisitsEveryCombinationOnce() {
        var exhaustive = Exhaustive()
        var seen: [[Int]] = []
        while exhaustive.next() {
            let first = exhaustive.choose(3)
            // How many choices follow depends on the first.
            for _ in 0..<first { _ = exhaustive.choose(2) }
            seen.append(exhaustive.path)
        }
        #expect(seen == [[0], [1, 0], [1, 1], [2, 0, 0], [2, 0, 1], [2, 1, 0], [2, 1, 1]])
    }
}
