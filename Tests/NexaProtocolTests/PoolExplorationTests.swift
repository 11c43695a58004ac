import Glibc
import NexaTestSupport
import Testing

@testable import NexaProtocol

/// Every history of a small pool: three connections, every order of events, every race of the timers.
@Suite struct PoolExplorationTests {
    static let start = ContinuousClock.now

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

    /// Runs every history of so many events. One that has come to a state from which everything was tried
    /// before, with as many events left, ends there.
    static func explore(
        _ limits: PoolLimits, events: Int, fault: PoolWorld.Fault = .none
    ) -> (states: Int, histories: Int, problem: String?) {
        var seen: [Int: Int] = [:]
        var exhaustive = Exhaustive()
        var histories = 0
        while exhaustive.next() {
            histories += 1
            var world = PoolWorld(limits, start: start, fault: fault)
            var history: [PoolWorld.Event] = []
            for step in 0..<events {
                let event = exhaustive.choose(from: world.events)
                history.append(event)
                world.happen(event)
                guard world.problems.isEmpty else { break }
                let left = events - step - 1
                let fingerprint = world.fingerprint
                // Only the last choice is new in this run: what lies before it is seen, but not done with.
                guard exhaustive.isNewest else { continue }
                if let before = seen[fingerprint], before >= left { break }
                seen[fingerprint] = left
            }
            if world.problems.isEmpty { world.finish() }
            if let problem = world.problems.first { return (seen.count, histories, "\(problem) after \(history)") }
        }
        return (seen.count, histories, nil)
    }

    /// Eight events take two minutes in a debug build; `NEXA_EVENTS=8` asks for them.
    static var depth: Int { getenv("NEXA_EVENTS").flatMap { Int(String(cString: $0)) } ?? 6 }

    @Test(arguments: [0, 1]) func everyHistoryKeepsEveryPromise(minimum: Int) {
        var limits = Self.limits
        limits.minimumConnections = minimum
        let result = Self.explore(limits, events: Self.depth)
        #expect(result.problem == nil)
        #expect(result.histories > 1000)
        print("\(result.histories) histories of \(Self.depth) events, \(result.states) states")
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
