/// Connections: how they come and go.
extension PoolMachine {
    /// A connection is logged in.
    /// - Parameter jitter: a random number in 0 ..< 1, for the length of its life.
    public mutating func connectSucceeded(
        _ id: ConnectionID, jitter: Double = 0.5, at now: MonotonicInstant, into actions: inout [Action]
    ) {
        guard let position = position(of: id), connections[position].state == .connecting, !isClosed else { return }
        forgetFailures()
        hasEverConnected = true
        totalConnects += 1
        connections[position].lastUsed = now
        if let lifetime = limits.maximumLifetime {
            let factor = 1 + limits.lifetimeJitter * (2 * jitter - 1)
            connections[position].expiresAt = now + lifetime * max(0, factor)
        }
        guard connections[position].generation == generation else {
            // `clear` was called while it was being opened: it may be logged in with what no longer holds.
            move(position, to: .draining)
            actions.append(.drain(id))
            return
        }
        move(position, to: .ready)
        openAsNeeded(at: now, into: &actions)
        if let idleTimeout = limits.idleTimeout { arm(now + idleTimeout, into: &actions) }
        if let expiry = connections[position].expiresAt { arm(expiry, into: &actions) }
    }

    /// A connection could not be opened.
    ///
    /// Everyone who waits is refused when trying again cannot help (`isFinal`: the login was refused), when no
    /// server has ever been reached, and when the breaker opens. During a short outage callers wait out their
    /// time instead, while the pool tries again.
    ///
    /// When nobody listened (`isRefused`), finding out costs next to nothing. Then those who wait do not sit out the
    /// pause: the pool probes in between, first every millisecond, later in steps of a thirty-second of the outage so
    /// far, `initialBackoff` at most. Probes do not count for the backoff and the breaker, so they end with it.
    /// - Parameters:
    ///   - isFinal: trying again cannot help.
    ///   - isRefused: the machine answered that nobody listens there.
    ///   - jitter: a random number in 0 ..< 1, for the time until the next attempt.
    public mutating func connectFailed(
        _ id: ConnectionID, isFinal: Bool, isRefused: Bool = false, jitter: Double, at now: MonotonicInstant,
        into actions: inout [Action]
    ) {
        let startedAt = position(of: id).map { connections[$0].startedAt } ?? now
        guard remove(id), !isClosed else { return }
        failedAttempts += 1
        lastFailure = now
        let begin = outageStart ?? now
        outageStart = begin
        // One that began within the pause was a probe.
        if mayConnectAt.map({ $0 <= startedAt }) ?? true {
            failures += 1
            phase = failures >= limits.breakerThreshold ? .breakerOpen : .failing
            mayConnectAt = now + backoff(jitter: jitter)
        }
        let longest = min(limits.initialBackoff, limits.maximumBackoff)
        let step = min(max((now - begin) / 32, limits.initialProbe), longest)
        probeAt = isRefused && phase == .failing ? now + step * (1 - jitter / 2) : nil
        let isHopeless = isFinal || !hasEverConnected || phase == .breakerOpen
        let mayBeServed = connections.contains { $0.state != .draining && $0.state != .leased }
        if isHopeless, !mayBeServed { refuseAll(.connectFailed, into: &actions) }
        openAsNeeded(at: now, into: &actions)
    }

    /// A connection takes no more calls; the driver has found out by itself.
    public mutating func drained(_ id: ConnectionID) {
        guard let position = position(of: id) else { return }
        move(position, to: .draining)
    }

    /// A connection has ended: its descriptor is closed.
    public mutating func closed(_ id: ConnectionID, at now: MonotonicInstant, into actions: inout [Action]) {
        guard remove(id), !isClosed else { return }
        openAsNeeded(at: now, into: &actions)
    }

    /// Replaces every connection, as after a change of the password or of the primary server: those without
    /// calls now, those at work when their calls have ended, leased ones when they are given back.
    public mutating func clear(at now: MonotonicInstant, into actions: inout [Action]) {
        guard !isClosed else { return }
        generation += 1
        forgetFailures()
        for position in connections.indices {
            switch connections[position].state {
            case .ready, .reserved:
                move(position, to: .draining)
                actions.append(.drain(connections[position].id))
            case .connecting, .leased, .draining: break
            }
        }
        openAsNeeded(at: now, into: &actions)
    }

    // MARK: Time

    /// The time asked for by `setDeadline` has come. At any other time this is harmless.
    public mutating func tick(_ now: MonotonicInstant, into actions: inout [Action]) {
        guard !isClosed else { return }
        let wasArmed = armedDeadline != nil
        armedDeadline = nil
        var expired: [Waiter] = []
        callers.expire(at: now) { expired.append($0) }
        leasers.expire(at: now) { expired.append($0) }
        totalTimeouts += expired.count
        for waiter in expired { actions.append(.refuse(waiter, .timedOut)) }
        unreserveIfUnneeded()
        var next: MonotonicInstant?
        func consider(_ deadline: MonotonicInstant) { next = next.map { min($0, deadline) } ?? deadline }
        retire(at: now, into: &actions, consider)
        openAsNeeded(at: now, into: &actions)
        if let deadline = callers.nextDeadline { consider(deadline) }
        if let deadline = leasers.nextDeadline { consider(deadline) }
        if let next { arm(next, into: &actions) }
        if wasArmed, armedDeadline == nil { actions.append(.cancelDeadline) }
    }

    /// Drains lanes that are too old or have been unused for too long, and says when the next one is due.
    private mutating func retire(
        at now: MonotonicInstant, into actions: inout [Action], _ consider: (MonotonicInstant) -> Void
    ) {
        var kept = connections.count { $0.state != .draining }
        for position in connections.indices where connections[position].state == .ready {
            let connection = connections[position]
            let isOld = connection.expiresAt.map { $0 <= now } ?? false
            let idleEnd = connection.load > 0 ? nil : limits.idleTimeout.map { connection.lastUsed + $0 }
            let isUnused = kept > limits.minimumConnections && (idleEnd.map { $0 <= now } ?? false)
            if isOld || isUnused {
                kept -= 1
                move(position, to: .draining)
                actions.append(.drain(connection.id))
                continue
            }
            if let expiry = connection.expiresAt { consider(expiry) }
            if let idleTimeout = limits.idleTimeout {
                // One at work, or kept for the minimum, is looked at again a whole period later.
                consider(idleEnd.map { $0 > now ? $0 : now + idleTimeout } ?? now + idleTimeout)
            }
        }
    }

    // MARK: Parts

    private mutating func forgetFailures() {
        phase = .open
        failures = 0
        failedAttempts = 0
        mayConnectAt = nil
        probeAt = nil
        lastFailure = nil
        outageStart = nil
    }

    /// The time of the next attempt; `nil` for now.
    public var nextAttempt: MonotonicInstant? {
        guard waiterCount > 0, let probeAt else { return mayConnectAt }
        return mayConnectAt.map { min($0, probeAt) }
    }

    func isOutdated(_ connection: Connection, at now: MonotonicInstant) -> Bool {
        connection.generation != generation || connection.expiresAt.map { $0 <= now } ?? false
    }

    /// Opens connections when those being opened will not do for everyone who waits, or for the minimum.
    mutating func openAsNeeded(at now: MonotonicInstant, into actions: inout [Action]) {
        // Those whom a connection waits for already are served next.
        var wanted = min(leasers.count - (leasable == nil ? 0 : 1), limits.maximumLeases)
        if let need = callers.firstNeed, lane(need) == nil {
            wanted += (callers.count + limits.busyLoad - 1) / limits.busyLoad
        }
        let connecting = connections.count { $0.state == .connecting }
        let present = connections.count { $0.state != .draining }
        wanted = max(wanted - connecting, limits.minimumConnections - present)
        for _ in 0..<max(0, wanted) {
            guard openIfAllowed(at: now, into: &actions) else { return }
        }
    }

    @discardableResult
    @usableFromInline mutating func openIfAllowed(at now: MonotonicInstant, into actions: inout [Action]) -> Bool {
        guard !isClosed, connections.count < limits.maximumConnections else { return false }
        let connecting = connections.count { $0.state == .connecting }
        guard connecting < limits.maximumConcurrentConnects else { return false }
        // While a server cannot be reached, one attempt at a time finds out when it is back.
        if failures > 0, connecting > 0 { return false }
        if let nextAttempt, nextAttempt > now {
            arm(nextAttempt, into: &actions)
            return false
        }
        let id = ConnectionID(number: nextNumber)
        nextNumber += 1
        changeCount += 1
        connections.append(
            Connection(id: id, state: .connecting, generation: generation, startedAt: now, lastUsed: now))
        actions.append(.connect(id))
        return true
    }

    private mutating func remove(_ id: ConnectionID) -> Bool {
        guard let position = position(of: id) else { return false }
        connections.remove(at: position)
        changeCount += 1
        if phase == .draining, connections.isEmpty { phase = .closed }
        return true
    }

    /// 50 ms, 100 ms, 200 ms, … up to the maximum, of which a random part is waited ("full jitter").
    private func backoff(jitter: Double) -> Duration {
        var longest = limits.initialBackoff
        for _ in 1..<max(2, min(failures, 20)) where longest < limits.maximumBackoff { longest = longest * 2 }
        return min(longest, limits.maximumBackoff) * jitter
    }
}
