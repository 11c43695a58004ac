import Testing

@testable import NexaProtocol

private typealias Pool = PoolMachine<Int>

@Suite struct PoolMachineTests {
    private let now = MonotonicInstant.now

    private func pool(_ change: (inout PoolLimits) -> Void = { _ in }, idleTimeout: Duration? = nil) -> Pool {
        var limits = PoolLimits()
        limits.maximumConnections = 3
        limits.maximumWaiters = 4
        limits.pipelineDepth = 4
        limits.busyLoad = 2
        limits.idleTimeout = idleTimeout
        change(&limits)
        return Pool(limits: limits)
    }

    private func connects(_ actions: [Pool.Action]) -> [Pool.ConnectionID] {
        actions.compactMap { if case .connect(let id) = $0 { id } else { nil } }
    }

    private func refusals(_ actions: [Pool.Action]) -> [Pool.Refusal] {
        actions.compactMap { if case .refuse(_, let refusal) = $0 { refusal } else { nil } }
    }

    /// A pool with one ready connection.
    private func poolWithConnection(_ change: (inout PoolLimits) -> Void = { _ in }, idleTimeout: Duration? = nil)
        -> (Pool, Pool.ConnectionID)
    {
        var pool = pool(change, idleTimeout: idleTimeout)
        var actions: [Pool.Action] = []
        _ = pool.wait(0, until: now + .seconds(5), at: now, into: &actions)
        let id = connects(actions)[0]
        pool.connectSucceeded(id, at: now, into: &actions)
        _ = pool.nextServed(at: now, into: &actions)
        pool.loadChanged(id, to: 0, at: now)
        return (pool, id)
    }

    @Test func theFirstCallerOpensAConnectionAndGetsIt() {
        var pool = pool()
        var actions: [Pool.Action] = []
        #expect(pool.choose(at: now, into: &actions) == nil)
        #expect(pool.wait(1, until: now + .seconds(5), at: now, into: &actions) != nil)
        #expect(pool.wait(2, until: now + .seconds(5), at: now, into: &actions) != nil)
        let ids = connects(actions)
        #expect(ids.count == 1)
        pool.connectSucceeded(ids[0], at: now, into: &actions)
        #expect(pool.nextServed(at: now, into: &actions)?.waiter == 1)
        #expect(pool.nextServed(at: now, into: &actions)?.waiter == 2)
        #expect(pool.nextServed(at: now, into: &actions) == nil)
    }

    @Test func aCallerWhoComesDuringALongPauseAsksTheServerAtOnce() {
        var (pool, id) = poolWithConnection {
            $0.maximumBackoff = .seconds(60)
            $0.breakerThreshold = 100
        }
        var actions: [Pool.Action] = []
        pool.closed(id, at: now, into: &actions)
        var time = now
        // The caller of the outage waits a minute; the pauses have grown to seconds by then.
        let waiter = pool.wait(1, until: now + .seconds(60), at: now, into: &actions)
        for _ in 0..<8 {
            guard let attempt = connects(actions).last else { break }
            actions = []
            pool.connectFailed(attempt, isFinal: false, jitter: 1, at: time, into: &actions)
            guard case .setDeadline(let due)? = actions.last else { break }
            time = due
            pool.tick(time, into: &actions)
        }
        let last = connects(actions).last
        #expect(last != nil)
        actions = []
        if let last { pool.connectFailed(last, isFinal: false, jitter: 1, at: time, into: &actions) }
        #expect(waiter.flatMap { pool.withdraw($0) } == 1)
        actions = []
        _ = pool.wait(2, until: time + .seconds(1.5), at: time + .seconds(0.5), into: &actions)
        #expect(connects(actions).count == 1)
    }

    @Test func busyConnectionsOpenAnotherUpToTheMaximum() {
        var (pool, first) = poolWithConnection()
        var actions: [Pool.Action] = []
        var used: [Pool.ConnectionID] = []
        for _ in 0..<12 {
            if let id = pool.choose(at: now, into: &actions) { used.append(id) }
            for id in connects(actions) { pool.connectSucceeded(id, at: now, into: &actions) }
            actions.removeAll { if case .connect = $0 { true } else { false } }
        }
        #expect(used.first == first)
        #expect(Set(used).count == 3)
        #expect(pool.connectionCount == 3)
        #expect(pool.choose(at: now, into: &actions) == nil, "every connection is full")
    }

    @Test func theFifthWaiterIsRefused() {
        var pool = pool()
        var actions: [Pool.Action] = []
        for number in 0..<5 { _ = pool.wait(number, until: now + .seconds(5), at: now, into: &actions) }
        #expect(refusals(actions) == [.tooManyWaiters])
        #expect(pool.waiterCount == 4)
    }

    @Test func aFirstFailureRefusesEveryoneAtOnce() {
        var pool = pool()
        var actions: [Pool.Action] = []
        for number in 0..<2 { _ = pool.wait(number, until: now + .seconds(5), at: now, into: &actions) }
        let id = connects(actions)[0]
        actions = []
        pool.connectFailed(id, isFinal: false, jitter: 0.5, at: now, into: &actions)
        #expect(refusals(actions) == [.connectFailed, .connectFailed])
    }

    @Test func afterAnOutageCallersWaitWhileThePoolTriesAgain() {
        var (pool, first) = poolWithConnection()
        var actions: [Pool.Action] = []
        pool.closed(first, at: now, into: &actions)
        #expect(actions.isEmpty, "nobody waits, so nothing is opened")
        var clock = now
        _ = pool.wait(1, until: now + .seconds(5), at: now, into: &actions)
        var attempts: [Duration] = []
        var due = now
        while refusals(actions).isEmpty, attempts.count < 100 {
            if let id = connects(actions).first {
                attempts.append(clock - now)
                actions = []
                pool.connectFailed(id, isFinal: false, jitter: 0.99, at: clock, into: &actions)
            }
            for case .setDeadline(let next) in actions { due = next }
            actions = []
            clock = due
            pool.tick(clock, into: &actions)
        }
        #expect(refusals(actions) == [.timedOut])
        #expect(clock - now == .seconds(5))
        // 50 ms, 100, 200, 400, 800, 1600 and 2000: seven attempts, the last ones two seconds apart.
        #expect((6...8).contains(attempts.count))
    }

    @Test func aRefusedLoginIsFinal() {
        var (pool, first) = poolWithConnection()
        var actions: [Pool.Action] = []
        pool.closed(first, at: now, into: &actions)
        _ = pool.wait(1, until: now + .seconds(5), at: now, into: &actions)
        let id = connects(actions)[0]
        actions = []
        pool.connectFailed(id, isFinal: true, jitter: 0, at: now, into: &actions)
        #expect(refusals(actions) == [.connectFailed])
    }

    @Test func aWithdrawnWaiterIsNeverServed() {
        var pool = pool()
        var actions: [Pool.Action] = []
        let first = pool.wait(1, until: now + .seconds(5), at: now, into: &actions)
        _ = pool.wait(2, until: now + .seconds(5), at: now, into: &actions)
        #expect(first.flatMap { pool.withdraw($0) } == 1)
        #expect(first.flatMap { pool.withdraw($0) } == nil)
        pool.connectSucceeded(connects(actions)[0], at: now, into: &actions)
        #expect(pool.nextServed(at: now, into: &actions)?.waiter == 2)
    }

    @Test func anUnusedConnectionIsClosedAndAUsedOneIsNot() {
        var (pool, id) = poolWithConnection(idleTimeout: .seconds(60))
        var actions: [Pool.Action] = []
        _ = pool.choose(at: now + .seconds(30), into: &actions)
        pool.loadChanged(id, to: 0, at: now + .seconds(31))
        pool.tick(now + .seconds(60), into: &actions)
        #expect(!actions.contains { if case .drain = $0 { true } else { false } })
        pool.tick(now + .seconds(91), into: &actions)
        #expect(actions.contains { if case .drain(id) = $0 { true } else { false } })
    }

    @Test func aClosedPoolRefusesEveryone() {
        var (pool, id) = poolWithConnection()
        var actions: [Pool.Action] = []
        pool.close(into: &actions)
        #expect(pool.phase == .draining)
        #expect(pool.choose(at: now, into: &actions) == nil)
        #expect(pool.wait(1, until: now + .seconds(5), at: now, into: &actions) == nil)
        #expect(refusals(actions) == [.closed])
        pool.closed(id, at: now, into: &actions)
        #expect(pool.phase == .closed)
    }
}

/// Leases, ages and outages.
@Suite struct PoolLifeTests {
    private let now = MonotonicInstant.now

    /// A pool with some ready connections that nobody uses.
    private func pool(_ count: Int, _ change: (inout PoolLimits) -> Void = { _ in }) -> (Pool, [Pool.ConnectionID]) {
        var limits = PoolLimits()
        limits.maximumConnections = count
        limits.minimumConnections = count
        limits.maximumConcurrentConnects = count
        change(&limits)
        var pool = Pool(limits: limits)
        var actions: [Pool.Action] = []
        pool.start(at: now, into: &actions)
        let ids = actions.compactMap { if case .connect(let id) = $0 { id } else { nil } }
        for id in ids { pool.connectSucceeded(id, at: now, into: &actions) }
        return (pool, ids)
    }

    private func drains(_ actions: [Pool.Action]) -> [Pool.ConnectionID] {
        actions.compactMap { if case .drain(let id) = $0 { id } else { nil } }
    }

    @Test func lifetimeJitterSpreadsTheEnds() {
        for (jitter, end) in [(0.0, 90), (0.5, 100), (1.0, 110)] {
            var limits = PoolLimits()
            limits.maximumLifetime = .seconds(100)
            limits.lifetimeJitter = 0.1
            limits.minimumConnections = 1
            var pool = Pool(limits: limits)
            var actions: [Pool.Action] = []
            pool.start(at: now, into: &actions)
            guard case .connect(let id)? = actions.first else {
                Issue.record("nothing is opened")
                continue
            }
            pool.connectSucceeded(id, jitter: jitter, at: now, into: &actions)
            actions = []
            pool.tick(now + .seconds(end) - .milliseconds(1), into: &actions)
            #expect(drains(actions) == [])
            pool.tick(now + .seconds(end) + .milliseconds(1), into: &actions)
            #expect(drains(actions) == [id])
            // Its successor is on its way.
            #expect(actions.contains { if case .connect = $0 { true } else { false } })
        }
    }

    @Test func aLeaseUnderLoadGetsALaneThatIsKeptFreeForIt() {
        var (pool, ids) = pool(2)
        var actions: [Pool.Action] = []
        // Calls come and go all the time, so that no lane is ever empty by itself.
        for _ in 0..<8 { _ = pool.choose(at: now, into: &actions) }
        #expect(pool.choose(.lease, at: now, into: &actions) == nil)
        #expect(pool.wait(7, for: .lease, until: now + .seconds(5), at: now, into: &actions) != nil)
        let reserved = pool.connections.first { $0.state == .reserved }?.id
        #expect(reserved != nil)
        for _ in 0..<8 { #expect(pool.choose(at: now, into: &actions) != reserved) }
        for load in [3, 2, 1, 0] {
            #expect(pool.nextServed(at: now, into: &actions) == nil)
            if let reserved { pool.loadChanged(reserved, to: load, at: now) }
        }
        let served = pool.nextServed(at: now, into: &actions)
        #expect(served?.waiter == 7)
        #expect(served?.connection == reserved)
        // The last connection is for the calls.
        #expect(pool.wait(8, for: .lease, until: now + .seconds(5), at: now, into: &actions) != nil)
        #expect(!pool.connections.contains { $0.state == .reserved })
        if let reserved { pool.leaseReturned(reserved, reusable: true, at: now, into: &actions) }
        #expect(pool.nextServed(at: now, into: &actions)?.waiter == 8)
        #expect(ids.count == 2)
    }

    @Test func anUnusableLeaseIsClosedAndNotReused() {
        var (pool, ids) = pool(2)
        var actions: [Pool.Action] = []
        let id = pool.choose(.lease, at: now, into: &actions)
        actions = []
        if let id { pool.leaseReturned(id, reusable: false, at: now, into: &actions) }
        #expect(drains(actions) == ids.filter { $0 == id })
        for _ in 0..<4 { #expect(pool.choose(at: now, into: &actions) != id) }
    }

    @Test func clearReplacesAGenerationLazily() {
        var (pool, ids) = pool(3)
        var actions: [Pool.Action] = []
        let leased = pool.choose(.lease, at: now, into: &actions)
        let busy = pool.choose(at: now, into: &actions)
        actions = []
        pool.clear(at: now, into: &actions)
        #expect(Set(drains(actions)) == Set(ids).subtracting([leased].compactMap { $0 }))
        #expect(busy.map { drains(actions).contains($0) } == true, "its calls finish before it closes")
        actions = []
        if let leased { pool.leaseReturned(leased, reusable: true, at: now, into: &actions) }
        #expect(drains(actions) == [leased].compactMap { $0 })
    }

    @Test func theBreakerRefusesAtOnceButLetsSomeoneFindOut() {
        var (pool, ids) = pool(1) {
            $0.breakerThreshold = 2
            $0.minimumConnections = 0
            $0.maximumBackoff = .seconds(60)
        }
        #expect(ids.isEmpty)
        var actions: [Pool.Action] = []
        func attempt(_ actions: [Pool.Action]) -> Pool.ConnectionID? {
            actions.compactMap { if case .connect(let id) = $0 { id } else { nil } }.last
        }
        _ = pool.wait(0, until: now + .seconds(60), at: now, into: &actions)
        if let id = attempt(actions) { pool.connectSucceeded(id, at: now, into: &actions) }
        _ = pool.nextServed(at: now, into: &actions)
        if let id = attempt(actions) { pool.closed(id, at: now, into: &actions) }
        // The first failure lets callers wait, the second opens the breaker.
        var time = now
        _ = pool.wait(1, until: now + .seconds(60), at: now, into: &actions)
        for phase in [Pool.Phase.failing, .breakerOpen] {
            guard let id = attempt(actions) else { break }
            actions = []
            pool.connectFailed(id, isFinal: false, jitter: 1, at: time, into: &actions)
            #expect(pool.phase == phase)
            time += .seconds(1)
            if phase == .failing { pool.tick(time, into: &actions) }
        }
        #expect(actions.contains { if case .refuse(1, .connectFailed) = $0 { true } else { false } })
        // A second after the last failure one caller may find out; the next one, soon after, is refused.
        actions = []
        #expect(pool.wait(2, until: time + .seconds(60), at: time, into: &actions) != nil)
        let probe = attempt(actions)
        #expect(probe != nil)
        actions = []
        #expect(pool.wait(3, until: time + .seconds(60), at: time + .milliseconds(60), into: &actions) == nil)
        #expect(actions.contains { if case .refuse(3, .connectFailed) = $0 { true } else { false } })
        if let probe { pool.connectSucceeded(probe, at: time + .milliseconds(70), into: &actions) }
        #expect(pool.phase == .open)
        #expect(pool.nextServed(at: time, into: &actions)?.waiter == 2)
    }
}

/// Finding out that a server is back.
@Suite struct PoolProbeTests {
    private let now = MonotonicInstant.now

    /// A pool whose only connection has just ended; every attempt fails from now on, at once.
    private struct Outage {
        var pool: Pool
        var clock: MonotonicInstant
        var actions: [Pool.Action] = []
        var due: MonotonicInstant?
        /// When attempts began, since the connection ended.
        var attempts: [Duration] = []
        let start: MonotonicInstant

        init(at now: MonotonicInstant, _ change: (inout PoolLimits) -> Void = { _ in }) {
            var limits = PoolLimits()
            change(&limits)
            pool = Pool(limits: limits)
            (start, clock) = (now, now)
            _ = pool.wait(0, until: now + .seconds(5), at: now, into: &actions)
            if let id = connects.first { pool.connectSucceeded(id, at: now, into: &actions) }
            _ = pool.nextServed(at: now, into: &actions)
            actions = []
            if let id = pool.connections.first?.id { pool.closed(id, at: now, into: &actions) }
        }

        var connects: [Pool.ConnectionID] {
            actions.compactMap { if case .connect(let id) = $0 { id } else { nil } }
        }
        var refusals: [Pool.Refusal] {
            actions.compactMap { if case .refuse(_, let refusal) = $0 { refusal } else { nil } }
        }

        /// Fails attempts until someone is refused, nothing is due any more, or the time has come.
        mutating func run(until end: Duration, isRefused: Bool, jitter: Double) {
            while refusals.isEmpty {
                for case .setDeadline(let next) in actions { due = next }
                if let id = connects.first {
                    attempts.append(clock - start)
                    actions = []
                    pool.connectFailed(
                        id, isFinal: false, isRefused: isRefused, jitter: jitter, at: clock, into: &actions)
                    continue
                }
                guard let next = due, next <= start + end else { return }
                due = nil
                actions = []
                clock = max(clock, next)
                pool.tick(clock, into: &actions)
            }
        }
    }

    @Test(arguments: [0, 0.5, 0.99]) func whoeverWaitsIsServedSoonAfterTheServerIsBack(jitter: Double) {
        var outage = Outage(at: now)
        _ = outage.pool.wait(1, until: now + .seconds(60), at: now, into: &outage.actions)
        outage.run(until: .seconds(60), isRefused: true, jitter: jitter)
        let gaps = zip(outage.attempts, outage.attempts.dropFirst()).map { (at: $0, length: $1 - $0) }
        // However long it has been: never later than 3 % of the outage, a millisecond, or 50.
        #expect(gaps.allSatisfy { $0.length <= min(max($0.at / 32, .milliseconds(1)), .milliseconds(50)) })
        // Nor is the server asked all the time.
        #expect(outage.attempts.count < 500)
        #expect(outage.attempts.count { $0 > .seconds(1) && $0 < .seconds(2) } < 80)
    }

    @Test func probesDoNotOpenTheBreaker() {
        var probed = Outage(at: now)
        _ = probed.pool.wait(1, until: now + .seconds(60), at: now, into: &probed.actions)
        probed.run(until: .seconds(60), isRefused: true, jitter: 0.99)
        var paused = Outage(at: now)
        _ = paused.pool.wait(1, until: now + .seconds(60), at: now, into: &paused.actions)
        paused.run(until: .seconds(60), isRefused: false, jitter: 0.99)
        #expect(paused.attempts.count == paused.pool.limits.breakerThreshold)
        #expect(probed.attempts.count > 100)
        #expect(probed.pool.failures == paused.pool.failures)
        #expect(probed.pool.failedAttempts == probed.attempts.count)
        for outage in [probed, paused] {
            #expect(outage.pool.phase == .breakerOpen)
            #expect(outage.refusals == [.connectFailed])
        }
        // An attempt of the backoff may find a probe on its way: a step later, at most, each time.
        #expect(probed.clock - paused.clock < .milliseconds(500))
    }

    @Test func withoutAWaiterThereIsNoProbe() {
        var outage = Outage(at: now) { $0.minimumConnections = 1 }
        outage.run(until: .seconds(60), isRefused: true, jitter: 0.99)
        let gaps = zip(outage.attempts, outage.attempts.dropFirst()).map { $1 - $0 }
        #expect(gaps.count > 8)
        #expect(gaps.allSatisfy { $0 >= .milliseconds(49) })
    }

    @Test func whenTheLastWaiterGoesTheProbesEnd() {
        var outage = Outage(at: now) { $0.minimumConnections = 1 }
        let waiter = outage.pool.wait(1, until: now + .seconds(60), at: now, into: &outage.actions)
        outage.run(until: .milliseconds(500), isRefused: true, jitter: 0.99)
        let before = outage.attempts.count
        #expect(waiter.flatMap { outage.pool.withdraw($0) } == 1)
        outage.run(until: .milliseconds(900), isRefused: true, jitter: 0.99)
        #expect(outage.attempts.count <= before + 2)
        // The next one finds out at once.
        outage.actions = []
        _ = outage.pool.wait(2, until: now + .seconds(60), at: outage.clock + .milliseconds(60), into: &outage.actions)
        #expect(outage.connects.count == 1)
    }

    @Test func aServerThatAnswersBadlyIsNotProbed() {
        // It let the client connect and failed then: asking again every millisecond would not be cheap.
        var outage = Outage(at: now)
        _ = outage.pool.wait(1, until: now + .seconds(1), at: now, into: &outage.actions)
        outage.run(until: .seconds(1), isRefused: false, jitter: 0.99)
        #expect(outage.pool.probeAt == nil)
        #expect(outage.attempts.count < 8)
    }

    @Test func aSuccessEndsTheOutage() {
        var outage = Outage(at: now)
        _ = outage.pool.wait(1, until: now + .seconds(60), at: now, into: &outage.actions)
        outage.run(until: .seconds(1), isRefused: true, jitter: 0.5)
        outage.actions = []
        outage.clock = outage.due ?? outage.clock
        outage.pool.tick(outage.clock, into: &outage.actions)
        guard let id = outage.connects.first else {
            Issue.record("nobody probes")
            return
        }
        outage.pool.connectSucceeded(id, at: outage.clock, into: &outage.actions)
        #expect(outage.pool.nextServed(at: outage.clock, into: &outage.actions)?.waiter == 1)
        #expect(outage.pool.failedAttempts == 0)
        #expect(outage.pool.probeAt == nil)
        #expect(outage.pool.outageStart == nil)
    }
}
