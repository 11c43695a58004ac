/// Calls and leases: who gets which connection.
extension PoolMachine {
    /// The connection that a caller should use now, or `nil` when it has to wait. Its load, or its lease, is counted.
    @inlinable public mutating func choose(
        _ demand: Demand = .requests(1), at now: MonotonicInstant, into actions: inout [Action]
    ) -> ConnectionID? {
        guard !isClosed else { return nil }
        switch demand {
        case .requests(let need):
            guard callers.isEmpty, let position = lane(need) else { return nil }
            if connections[position].load >= limits.busyLoad { openIfAllowed(at: now, into: &actions) }
            return use(position, need, at: now)
        case .lease:
            guard leasers.isEmpty, let position = leasable else { return nil }
            return lease(position, at: now)
        }
    }

    /// Adds a caller to those who wait. Refused at once when too many wait, and while the breaker is open.
    public mutating func wait(
        _ waiter: Waiter, for demand: Demand = .requests(1), until deadline: MonotonicInstant,
        at now: MonotonicInstant, into actions: inout [Action]
    ) -> WaiterID? {
        guard !isClosed else {
            actions.append(.refuse(waiter, .closed))
            return nil
        }
        // The places of waiters that have gone stay until those before them are served: bounded, too.
        let places = callers.placeCount + leasers.placeCount
        guard waiterCount < limits.maximumWaiters, places < 4 * limits.maximumWaiters else {
            actions.append(.refuse(waiter, .tooManyWaiters))
            return nil
        }
        guard mayHope(at: now) else {
            actions.append(.refuse(waiter, .connectFailed))
            return nil
        }
        let isLease = demand == .lease
        let ordinal = nextOrdinal
        nextOrdinal += 1
        let sequence: UInt64
        switch demand {
        case .requests(let need):
            sequence = callers.append(
                waiter, need: min(need, limits.pipelineDepth), deadline: deadline, ordinal: ordinal)
        case .lease: sequence = leasers.append(waiter, need: 1, deadline: deadline, ordinal: ordinal)
        }
        // The server may be back: a caller who comes during a long pause asks at once, and is not told of an
        // old failure.
        if probeAt == nil, let due = mayConnectAt, let earliest = earliestProbe { mayConnectAt = min(due, earliest) }
        openAsNeeded(at: now, into: &actions)
        reserveIfNeeded()
        arm(deadline, into: &actions)
        return WaiterID(isLease: isLease, sequence: sequence)
    }

    /// The next waiter and the connection it gets, as long as there are both. To be called until it is `nil`.
    public mutating func nextServed(
        at now: MonotonicInstant, into actions: inout [Action]
    ) -> (waiter: Waiter, connection: ConnectionID)? {
        guard waiterCount > 0, !isClosed else { return nil }
        reserveIfNeeded()
        let need = callers.firstNeed ?? 1
        let lane = callers.isEmpty ? nil : lane(need)
        let leasable = leasers.isEmpty ? nil : leasable
        if let leasable, lane == nil || isLeaserFirst, let waiter = leasers.popFirst() {
            return (waiter, lease(leasable, at: now))
        }
        guard let lane, let waiter = callers.popFirst() else {
            openAsNeeded(at: now, into: &actions)
            return nil
        }
        return (waiter, use(lane, need, at: now))
    }

    /// A waiter has gone. Returns it, or `nil` when it was served or refused before.
    public mutating func withdraw(_ id: WaiterID) -> Waiter? {
        let waiter = id.isLease ? leasers.remove(id.sequence) : callers.remove(id.sequence)
        guard waiter != nil else { return nil }
        totalWithdrawals += 1
        unreserveIfUnneeded()
        return waiter
    }

    /// A leased connection is given back. It becomes a lane again, unless it is not `reusable` (it has a
    /// subscription, or replies are still to come) or out of date.
    public mutating func leaseReturned(
        _ id: ConnectionID, reusable: Bool, at now: MonotonicInstant, into actions: inout [Action]
    ) {
        guard let position = position(of: id), connections[position].state == .leased else { return }
        connections[position].load = 0
        connections[position].lastUsed = now
        guard reusable, !isClosed, !isOutdated(connections[position], at: now) else {
            move(position, to: .draining)
            actions.append(.drain(id))
            return
        }
        move(position, to: .ready)
        if let idleTimeout = limits.idleTimeout { arm(now + idleTimeout, into: &actions) }
    }

    /// The number of requests on the way on a connection has changed to this. The clock is read only when it is 0.
    @inlinable public mutating func loadChanged(
        _ id: ConnectionID, to load: Int, at now: @autoclosure () -> MonotonicInstant
    ) {
        guard let position = position(of: id) else { return }
        connections[position].load = load
        if load == 0 { connections[position].lastUsed = now() }
    }

    // MARK: Parts

    private var isLeaserFirst: Bool {
        guard let caller = callers.firstOrdinal, let leaser = leasers.firstOrdinal else { return true }
        return leaser < caller
    }

    @inlinable mutating func use(_ position: Int, _ need: Int, at now: MonotonicInstant) -> ConnectionID {
        connections[position].load += need
        connections[position].lastUsed = now
        return connections[position].id
    }

    @usableFromInline mutating func lease(_ position: Int, at now: MonotonicInstant) -> ConnectionID {
        move(position, to: .leased)
        connections[position].lastUsed = now
        return connections[position].id
    }

    /// The lane with room and the fewest requests; the last used one when equal.
    @inlinable func lane(_ need: Int) -> Int? {
        var best: Int?
        for position in connections.indices {
            let connection = connections[position]
            guard connection.state == .ready, connection.load + need <= limits.pipelineDepth else { continue }
            guard let current = best else {
                best = position
                continue
            }
            let rival = connections[current]
            if connection.load < rival.load || (connection.load == rival.load && connection.lastUsed > rival.lastUsed) {
                best = position
            }
        }
        return best
    }

    /// A connection without calls that may be leased: the reserved one, or the lane unused for the longest time.
    @usableFromInline var leasable: Int? {
        guard connections.count(where: { $0.state == .leased }) < limits.maximumLeases else { return nil }
        var best: Int?
        for position in connections.indices where connections[position].load == 0 {
            switch connections[position].state {
            case .reserved: return position
            case .ready:
                if let current = best, connections[current].lastUsed <= connections[position].lastUsed { continue }
                best = position
            case .connecting, .leased, .draining: continue
            }
        }
        return best
    }

    /// Keeps new calls off a lane when someone waits for a lease and no further connection can be opened:
    /// under load a lane would never be empty by itself.
    private mutating func reserveIfNeeded() {
        guard !leasers.isEmpty, connections.count >= limits.maximumConnections, leasable == nil else { return }
        var ready: Int?
        var taken = 0
        var readyCount = 0
        for position in connections.indices {
            switch connections[position].state {
            case .connecting, .draining, .reserved: return  // One comes free without this.
            case .leased: taken += 1
            case .ready:
                readyCount += 1
                if let current = ready, connections[current].load <= connections[position].load { continue }
                ready = position
            }
        }
        guard let ready, taken < limits.maximumLeases, readyCount > 1 || limits.maximumConnections == 1 else { return }
        move(ready, to: .reserved)
    }

    mutating func unreserveIfUnneeded() {
        guard leasers.isEmpty else { return }
        for position in connections.indices where connections[position].state == .reserved {
            move(position, to: .ready)
        }
    }

    /// Whether waiting makes sense. While the breaker is open it does for those who find a lane, or an attempt
    /// that has just begun or may begin now.
    private func mayHope(at now: MonotonicInstant) -> Bool {
        guard phase == .breakerOpen else { return true }
        if connections.contains(where: { $0.state == .ready || $0.state == .reserved }) { return true }
        if let probe = connections.first(where: { $0.state == .connecting }) {
            return now < probe.startedAt + limits.initialBackoff
        }
        return earliestProbe.map { $0 <= now } ?? true
    }

    private var earliestProbe: MonotonicInstant? {
        lastFailure.map { $0 + min(limits.initialBackoff, limits.maximumBackoff) }
    }
}
