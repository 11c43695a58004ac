import NexaProtocol
import TestKit
import Testing

@Suite struct WatchMachineTests {
    @Test func theStepsOfAStreamWithTokens() {
        var machine = WatchMachine()
        #expect(machine.next == .connect(failures: 0))
        machine.connected(grantsTokens: true)
        #expect(machine.next == .subscribe(after: nil))
        let isResumed = machine.subscribed(token: [1])
        #expect(!isResumed)
        #expect(machine.next == .receive && machine.token == [1])
        machine.received(token: [2])
        machine.lost(.passing)
        #expect(machine.next == .connect(failures: 0))
        machine.lost(.passing)
        machine.lost(.passing)
        #expect(machine.next == .connect(failures: 2))
        machine.connected(grantsTokens: true)
        #expect(machine.next == .subscribe(after: [2]))
        let isResumedAgain = machine.subscribed(token: [2])
        #expect(isResumedAgain)
        #expect(machine.next == .receive)
        machine.lost(.historyLost)
        #expect(machine.next == .fail(.historyLost))
        machine.lost(.passing)
        #expect(machine.next == .fail(.historyLost))
    }

    @Test func withoutTokensEveryBreakIsAGap() {
        var machine = WatchMachine()
        machine.connected(grantsTokens: false)
        machine.subscribed(token: nil)
        machine.received(token: nil)
        machine.lost(.passing)
        machine.connected(grantsTokens: false)
        machine.subscribed(token: nil)
        #expect(machine.next == .reportGap(since: nil))
        // The gap outlives a connection that breaks before the consumer knows of it.
        machine.lost(.passing)
        machine.connected(grantsTokens: true)
        machine.subscribed(token: [7])
        #expect(machine.next == .reportGap(since: nil))
        machine.gapReported()
        #expect(machine.next == .receive && machine.token == [7])
    }

    @Test func aStoredTokenNeedsAServerThatKnowsIt() {
        var machine = WatchMachine(after: [9])
        machine.connected(grantsTokens: false)
        #expect(machine.next == .fail(.unsupported))
    }

    @Test func theFirstSubscriptionIsTriedAFewTimes() {
        var machine = WatchMachine()
        for _ in 0..<WatchMachine.firstAttempts {
            #expect(machine.next != .fail(.failed))
            machine.connected(grantsTokens: true)
            machine.lost(.passing)
        }
        #expect(machine.next == .fail(.failed))
    }

    /// A pair of servers, with and without tokens, that share one order of changes.
    private struct World {
        var changes = 0
        /// Changes up to here are not kept any more.
        var trimmed = 0
    }

    /// Random histories: every change is received once and in order, or lies in a reported gap, or the stream has failed.
    @Test(arguments: 0..<2000) func noHistoryMissesAChangeInSilence(_ seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        func chance(_ percent: UInt64) -> Bool { random.next() % 100 < percent }
        let hasOldServers = seed % 3 == 0
        let isTrimmed = seed % 5 == 0
        var world = World()
        var machine = WatchMachine()
        /// The change that the consumer expects; `nil` before the stream has begun and after a gap.
        var expected: Int?
        var position = 0
        var grantsTokens = true
        func token(_ number: Int) -> [UInt8]? { grantsTokens ? [UInt8(number >> 8), UInt8(number & 0xFF)] : nil }
        func number(_ token: [UInt8]) -> Int { Int(token[0]) << 8 | Int(token[1]) }

        for _ in 0..<400 {
            if chance(40) { world.changes += 1 }
            if isTrimmed, chance(3) { world.trimmed = world.changes }
            switch machine.next {
            case .connect:
                if chance(30) {
                    machine.lost(.passing)
                } else {
                    grantsTokens = !(hasOldServers && chance(30))
                    machine.connected(grantsTokens: grantsTokens)
                }
            case .subscribe(let after):
                #expect(after == nil || grantsTokens, "seed \(seed): an old server is given a token")
                if chance(20) {
                    machine.lost(.passing)
                } else if let after, number(after) < world.trimmed {
                    machine.lost(.historyLost)
                } else {
                    position = after.map(number) ?? world.changes
                    if expected == nil { expected = position + 1 }
                    machine.subscribed(token: token(position))
                    if chance(10) { machine.lost(.passing) }
                }
            case .reportGap:
                machine.gapReported()
                expected = position + 1
            case .receive:
                if chance(15) {
                    machine.lost(.passing)
                } else if position < world.changes {
                    position += 1
                    let isSelected = chance(70)
                    machine.received(token: token(position))
                    if isSelected { #expect(position == expected, "seed \(seed)") }
                    expected = position + 1
                }
            case .fail(let ending):
                #expect(ending == (isTrimmed && expected != nil ? .historyLost : .failed), "seed \(seed)")
                return
            }
        }
    }
}
