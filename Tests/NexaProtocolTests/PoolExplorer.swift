import NexaTestSupport

@testable import NexaProtocol

/// A pool machine and the world around it: who waits, who was served, which connection is whose. It is told of
/// events and checks, after each of them, what must always hold.
struct PoolWorld {
    typealias Pool = PoolMachine<Int>

    enum Event: Equatable {
        case call, lease
        case callEnds(Pool.ConnectionID)
        case leaseEnds(Pool.ConnectionID, reusable: Bool)
        case connected(Pool.ConnectionID)
        case connectFailed(Pool.ConnectionID, isFinal: Bool, isRefused: Bool)
        case closed(Pool.ConnectionID)
        case withdrawal(Int)
        /// The timer fires when it is due; or once more behind that, which must do no harm.
        case timer, staleTimer
        /// Much time passes before the timer is served.
        case lateTimer
        case clear, close
    }

    /// Changes what the machine says, to see that the checks notice.
    enum Fault: CaseIterable { case none, losesARefusal, servesTwice, forgetsTheTimer, connectsTwice, delaysTheProbe }

    static let patience: Duration = .seconds(5)
    let fault: Fault
    let start: MonotonicInstant
    private(set) var now: MonotonicInstant
    private(set) var pool: Pool
    private(set) var problems: [String] = []
    private var nextToken = 1
    private var waiting: [(token: Int, id: Pool.WaiterID, isLease: Bool, deadline: MonotonicInstant)] = []
    private var ended: Set<Int> = []
    private var connecting: Set<Pool.ConnectionID> = []
    private var open: [Pool.ConnectionID: Int] = [:]
    private var leased: Set<Pool.ConnectionID> = []
    private var draining: Set<Pool.ConnectionID> = []
    private var deadline: MonotonicInstant?
    /// Attempts that began within the pause of the backoff.
    private var probes: Set<Pool.ConnectionID> = []
    private var lastFailure: MonotonicInstant?

    init(_ limits: PoolLimits, start: MonotonicInstant, fault: Fault = .none) {
        self.start = start
        self.fault = fault
        now = start
        pool = Pool(limits: limits)
        perform { pool, now, actions in pool.start(at: now, into: &actions) }
    }

    // MARK: Events

    /// Everything that can happen next.
    var events: [Event] {
        var events: [Event] = [.call, .lease]
        for id in connecting.sorted(by: { $0.number < $1.number }) {
            events += [
                .connected(id), .connectFailed(id, isFinal: false, isRefused: true),
                .connectFailed(id, isFinal: false, isRefused: false),
                .connectFailed(id, isFinal: true, isRefused: false)
            ]
        }
        for id in open.keys.sorted(by: { $0.number < $1.number }) {
            if open[id] ?? 0 > 0 { events.append(.callEnds(id)) }
            if leased.contains(id) { events += [.leaseEnds(id, reusable: true), .leaseEnds(id, reusable: false)] }
            events.append(.closed(id))
        }
        if let first = waiting.first { events.append(.withdrawal(first.token)) }
        if waiting.count > 1, let last = waiting.last { events.append(.withdrawal(last.token)) }
        if deadline != nil { events += [.timer, .lateTimer] }
        events += [.staleTimer, .clear, .close]
        return events
    }

    mutating func happen(_ event: Event) {
        switch event {
        case .call: ask(.requests(1))
        case .lease: ask(.lease)
        case .callEnds(let id):
            open[id, default: 1] -= 1
            let load = open[id] ?? 0
            perform { pool, now, _ in pool.loadChanged(id, to: load, at: now) }
        case .leaseEnds(let id, let reusable):
            leased.remove(id)
            perform { pool, now, actions in
                pool.leaseReturned(id, reusable: reusable, at: now, into: &actions)
            }
        case .connected(let id):
            connecting.remove(id)
            open[id] = 0
            perform { pool, now, actions in pool.connectSucceeded(id, at: now, into: &actions) }
        case .connectFailed(let id, let isFinal, let isRefused):
            connecting.remove(id)
            let before = (pool.failures, pool.phase, pool.mayConnectAt)
            let isProbe = probes.remove(id) != nil
            lastFailure = now
            perform { pool, now, actions in
                pool.connectFailed(id, isFinal: isFinal, isRefused: isRefused, jitter: 0.5, at: now, into: &actions)
            }
            if isProbe, !pool.isClosed, (pool.failures, pool.phase) != (before.0, before.1) {
                problems.append("probe \(id) counts as a failure")
            }
        case .closed(let id):
            open[id] = nil
            leased.remove(id)
            draining.remove(id)
            perform { pool, now, actions in pool.closed(id, at: now, into: &actions) }
        case .withdrawal(let token):
            guard let position = waiting.firstIndex(where: { $0.token == token }) else { return }
            let gone = pool.withdraw(waiting[position].id)
            if gone != token { problems.append("waiter \(token) could not leave") }
            waiting.remove(at: position)
            end(token)
            perform { _, _, _ in }
        case .timer:
            now = max(now, deadline ?? now)
            tick()
        case .lateTimer:
            now = max(now, deadline ?? now) + .seconds(90)
            tick()
        case .staleTimer:
            perform { pool, now, actions in pool.tick(now, into: &actions) }
        case .clear:
            probes = []
            perform { pool, now, actions in pool.clear(at: now, into: &actions) }
        case .close:
            perform { pool, _, actions in pool.close(into: &actions) }
            draining = Set(open.keys)
        }
    }

    private mutating func ask(_ demand: Pool.Demand) {
        let token = nextToken
        nextToken += 1
        let deadline = now + Self.patience
        var waiterID: Pool.WaiterID?
        var chosen: Pool.ConnectionID?
        perform(serves: false) { pool, now, actions in
            chosen = pool.choose(demand, at: now, into: &actions)
            guard chosen == nil else { return }
            waiterID = pool.wait(token, for: demand, until: deadline, at: now, into: &actions)
        }
        if let chosen {
            serve(token, chosen, isLease: demand == .lease)
        } else if let waiterID, !ended.contains(token) {
            waiting.append((token, waiterID, demand == .lease, deadline))
        } else if !ended.contains(token) {
            problems.append("caller \(token) got neither a connection, nor a place, nor a refusal")
        }
        perform { _, _, _ in }
    }

    private mutating func tick() {
        deadline = nil
        perform { pool, now, actions in pool.tick(now, into: &actions) }
    }

    // MARK: What comes of them

    private mutating func perform(
        serves: Bool = true, _ body: (inout Pool, MonotonicInstant, inout [Pool.Action]) -> Void
    ) {
        var actions: [Pool.Action] = []
        body(&pool, now, &actions)
        for action in actions { apply(action) }
        guard serves else { return }
        actions = []
        while let (token, id) = pool.nextServed(at: now, into: &actions) {
            guard let position = waiting.firstIndex(where: { $0.token == token }) else {
                problems.append("caller \(token) is served but does not wait")
                break
            }
            let entry = waiting.remove(at: position)
            let isEarlier = waiting[..<position].contains { $0.isLease == entry.isLease }
            if isEarlier { problems.append("caller \(token) overtakes an earlier one") }
            serve(token, id, isLease: entry.isLease)
            if fault == .servesTwice { serve(token, id, isLease: entry.isLease) }
        }
        for action in actions { apply(action) }
        check()
    }

    private mutating func apply(_ action: Pool.Action) {
        switch action {
        case .connect(let id):
            checkPause(id)
            for _ in 0..<(fault == .connectsTwice && connecting.count == 1 ? 2 : 1) {
                if !connecting.insert(id).inserted || open[id] != nil { problems.append("connection \(id) twice") }
            }
        case .refuse(let token, _):
            if fault == .losesARefusal, waiting.count > 1 { return waiting.removeAll { $0.token == token } }
            waiting.removeAll { $0.token == token }
            end(token)
        case .setDeadline(let due):
            if pool.isClosed { problems.append("a timer of a closed pool") }
            let isLate = fault == .delaysTheProbe && due == pool.probeAt
            if fault != .forgetsTheTimer || waiting.isEmpty { deadline = isLate ? due + .milliseconds(1) : due }
        case .cancelDeadline: deadline = nil
        case .drain(let id):
            if leased.contains(id) { problems.append("connection \(id) is drained while it is leased") }
            draining.insert(id)
        }
    }

    private mutating func serve(_ token: Int, _ id: Pool.ConnectionID, isLease: Bool) {
        end(token)
        guard let load = open[id] else {
            return problems.append("caller \(token) gets connection \(id), which is not open")
        }
        if leased.contains(id) { problems.append("connection \(id) is given away while it is leased") }
        if draining.contains(id) { problems.append("connection \(id) is given away while it drains") }
        if isLease {
            if load > 0 { problems.append("connection \(id) is leased while calls are on their way") }
            leased.insert(id)
        } else {
            open[id] = load + 1
            if load + 1 > pool.limits.pipelineDepth { problems.append("connection \(id) is overfull") }
        }
    }

    private mutating func end(_ token: Int) {
        if !ended.insert(token).inserted { problems.append("caller \(token) ended twice") }
    }

    /// An attempt within the pause of the backoff is a probe: someone waits for it, and it does not come too soon.
    private mutating func checkPause(_ id: Pool.ConnectionID) {
        guard let end = pool.mayConnectAt, end > now, let lastFailure else { return }
        probes.insert(id)
        if pool.waiterCount == 0 { problems.append("probe \(id), for which nobody waits") }
        if pool.phase != .failing { problems.append("probe \(id) of a pool that is \(pool.phase)") }
        if now < lastFailure + pool.limits.initialProbe / 2 { problems.append("probe \(id) follows too soon") }
    }

    // MARK: What must always hold

    private mutating func check() {
        func demand(_ holds: Bool, _ what: @autoclosure () -> String) {
            if !holds { problems.append(what()) }
        }
        let limits = pool.limits
        demand(pool.connectionCount <= limits.maximumConnections, "too many connections")
        demand(pool.connectionCount == connecting.count + open.count, "a connection is lost")
        demand(connecting.count <= limits.maximumConcurrentConnects, "too many connects at a time")
        demand(pool.waiterCount == waiting.count, "\(pool.waiterCount) waiters, but \(waiting.count) wait")
        demand(waiting.count <= limits.maximumWaiters, "too many waiters")
        demand(leased.count <= max(1, limits.maximumConnections - 1), "too many leases")
        for connection in pool.connections where !pool.isClosed {
            let isLeased = connection.state == .leased
            demand(isLeased == leased.contains(connection.id), "connection \(connection.id): who has leased it?")
            if !connecting.contains(connection.id), !isLeased {
                demand(connection.load == (open[connection.id] ?? -1), "connection \(connection.id): wrong load")
            }
        }
        if pool.isClosed {
            demand(waiting.isEmpty, "someone waits for a closed pool")
            demand(deadline == nil, "a closed pool has a timer")
            demand((pool.phase == .closed) == (pool.connectionCount == 0), "closed with connections left")
            return
        }
        if let first = waiting.map(\.deadline).min() {
            demand(deadline.map { $0 <= max(first, now) } ?? false, "nobody looks after those who wait")
        }
        let calls = waiting.contains { !$0.isLease }
        let leases = waiting.contains { $0.isLease }
        let hasRoom = pool.connectionCount < limits.maximumConnections
        let isPausing = (pool.mayConnectAt ?? now) > now || pool.failures > 0
        if calls, hasRoom, connecting.isEmpty {
            demand(isPausing, "a caller waits, and no connection is opened")
        }
        if leases, hasRoom, connecting.isEmpty, leased.count < max(1, limits.maximumConnections - 1) {
            demand(isPausing, "someone waits for a lease, and no connection is opened")
        }
        if isPausing, !waiting.isEmpty, connecting.isEmpty, hasRoom {
            demand(deadline != nil, "nobody will try again")
        }
        if let probe = pool.probeAt, calls, connecting.isEmpty, hasRoom {
            demand(deadline.map { $0 <= max(probe, now) } ?? false, "nobody probes for those who wait")
        }
        if leases, leased.count < max(1, limits.maximumConnections - 1), !hasRoom, connecting.isEmpty {
            let isComing = pool.connections.contains { $0.state == .reserved || $0.state == .draining }
            let lanes = pool.connections.count { $0.state == .ready }
            demand(isComing || lanes < 2 && limits.maximumConnections > 1, "nothing is reserved for a lease")
        }
    }

    /// Ends the world: everyone must have been told, and nothing may be left.
    mutating func finish() {
        if !pool.isClosed { happen(.close) }
        for id in leased { happen(.leaseEnds(id, reusable: true)) }
        for id in connecting { happen(.connectFailed(id, isFinal: false, isRefused: false)) }
        for id in open.keys { happen(.closed(id)) }
        if pool.phase != .closed { problems.append("the pool does not end") }
        if ended.count != nextToken - 1 { problems.append("\(nextToken - 1 - ended.count) callers never ended") }
    }

    /// Two worlds with the same fingerprint behave in the same way from now on: numbers that only count up, and
    /// times apart from what is left of them, do not matter.
    var fingerprint: Int {
        var hasher = Hasher()
        func left(_ time: MonotonicInstant?) -> Duration? { time.map { max($0, now) - now } }
        func past(_ time: MonotonicInstant?, _ bound: Duration) -> Duration? { time.map { min(now - $0, bound) } }
        // An attempt on its way is compared with times that are over.
        let isConnecting = !connecting.isEmpty
        let longest = min(pool.limits.initialBackoff, pool.limits.maximumBackoff)
        hasher.combine(pool.phase)
        hasher.combine(pool.failures)
        hasher.combine(pool.hasEverConnected)
        hasher.combine(isConnecting ? pool.mayConnectAt.map { $0 - now } : left(pool.mayConnectAt))
        hasher.combine(left(pool.probeAt))
        hasher.combine(past(pool.outageStart, longest * 32))
        hasher.combine(past(lastFailure, pool.limits.initialProbe))
        hasher.combine(isConnecting ? pool.lastFailure.map { now - $0 } : past(pool.lastFailure, longest))
        hasher.combine(left(deadline))
        hasher.combine(left(pool.armedDeadline))
        for connection in pool.connections { combine(connection, into: &hasher) }
        for entry in waiting {
            hasher.combine(entry.isLease)
            hasher.combine(left(entry.deadline))
        }
        // Places of those who have gone count until those before them are served.
        for queue in [pool.callers, pool.leasers] {
            for position in 0..<queue.placeCount { hasher.combine(queue.entries[position].waiter == nil) }
            hasher.combine(queue.placeCount)
        }
        // Who was neither told anything nor waits is lost for good.
        hasher.combine(nextToken - 1 - ended.count - waiting.count)
        return hasher.finalize()
    }

    private func combine(_ connection: Pool.Connection, into hasher: inout Hasher) {
        hasher.combine(connection.state)
        hasher.combine(connection.load)
        hasher.combine(open[connection.id])
        hasher.combine(connection.generation == pool.generation)
        hasher.combine(connection.expiresAt.map { max($0, now) - now })
        hasher.combine(leased.contains(connection.id))
        hasher.combine(draining.contains(connection.id))
        hasher.combine(probes.contains(connection.id))
        switch connection.state {
        case .connecting: hasher.combine(now - connection.startedAt)
        case .ready, .reserved: hasher.combine(now - connection.lastUsed)
        // When it was used last is set anew when it is given back.
        case .leased, .draining: break
        }
    }
}
