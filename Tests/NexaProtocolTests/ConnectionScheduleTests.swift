import Glibc
import Testing

@testable import NexaProtocol

/// Random schedules of a connection machine against a simulated caller, writer and server.
@Suite struct ConnectionScheduleTests {
    static let now = MonotonicInstant.now
    static let groups: UInt64 = 8

    /// `NEXA_SCHEDULES=10000000` asks for more, in a release build.
    static var schedules: UInt64 {
        getenv("NEXA_SCHEDULES").flatMap { UInt64(String(cString: $0)) } ?? 100_000
    }

    /// The first problem of some seeds, with its seed.
    static func problem(_ seeds: Range<UInt64>, fault: ConnectionSimulation.Fault = .none) -> String? {
        for seed in seeds {
            var simulation = ConnectionSimulation(seed: seed, now: now, fault: fault)
            simulation.run(steps: seed % 8 == 0 ? 120 : 40)
            if let problem = simulation.problems.first { return "seed \(seed): \(problem)" }
        }
        return nil
    }

    /// Every request ends exactly once, replies reach their own request, "not sent" is never said of what the
    /// server received, and whoever waits has a timer.
    @Test(arguments: 0..<groups) func everyScheduleKeepsEveryPromise(group: UInt64) {
        let count = Self.schedules / Self.groups
        #expect(Self.problem(group * count..<(group + 1) * count) == nil)
    }

    @Test(arguments: ConnectionSimulation.Fault.allCases.filter { $0 != .none })
    func aBrokenMachineIsCaught(fault: ConnectionSimulation.Fault) {
        #expect(Self.problem(0..<2000, fault: fault) != nil)
    }
}
