import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// A connection that belongs to one user: for calls in a fixed order, and for change events.
///
/// ```swift
/// let lease = try await core.lease(operation: "watch", options: options)
/// defer { lease.release() }
/// lease.acceptEvents(buffering: 256)
/// _ = try await lease.core.reply(to: subscribe, operation: "watch", options: options)
/// while true { for payload in try await lease.nextEvents() { … } }
/// ```
///
/// It is given back by `release`, or when the last reference to it goes. A connection that took events, or
/// that still owes replies, is closed instead of given to someone else.
final class ConnectionLease: Sendable {
    /// What the server of this connection grants.
    let server: Negotiated
    let lane: Lane
    let driver: ClientDriver
    /// Tells this lease of the connection from earlier and later ones.
    let serial: UInt64

    /// Makes calls on this connection.
    var core: ClientCore { ClientCore(driver.configuration, on: self) }

    init(_ lane: Lane, _ server: Negotiated, serial: UInt64, driver: ClientDriver) {
        self.lane = lane
        self.server = server
        self.serial = serial
        self.driver = driver
        driver.telemetry.count(.leases, 1)
    }

    deinit {
        driver.telemetry.count(.leases, -1)
        driver.giveBack(lane, serial)
    }

    /// Gives the connection back. Calls that are still on their way are answered; new ones fail.
    func release() {
        driver.giveBack(lane, serial)
    }

    /// Sees to it that nobody gets the connection after this lease: it is closed when it is given back.
    func discard() { driver.discard(lane, serial) }

    /// Sends a request together with the next one that is made on this connection. Nobody hears of its reply: what follows
    /// must fail if it does.
    func lead(with request: Request, operation: StaticString, options: CallOptions) throws(NexaError) {
        let call = PendingCall(core.times(from: .now, options))
        try core.encode(request, into: call, operation, options)
        call.prepare(.reply, requiring: request.requiredCapabilities, wantsPayload: false, on: self, call.times)
        driver.lead(with: call, lane, serial)
    }

    /// Takes change events from now on; to be called before SUBSCRIBE_CHANGES is sent.
    ///
    /// - Parameters:
    ///   - frames: with so many events waiting to be taken, the socket is not read any more, so that a slow
    ///     consumer slows the server down instead of filling memory. What one read brought is kept whole.
    ///   - bytes: the same, by the size of the events.
    func acceptEvents(buffering frames: Int = 1024, bytes: Int = 4 << 20) {
        driver.acceptEvents(self, EventQueue(maximumFrames: frames, maximumBytes: bytes))
    }

    /// The payloads of the events that have come since, at least one. For one consumer.
    ///
    /// - Throws: `NexaError`: `.cancelled`, or why the connection ended, once every event has been taken.
    nonisolated(nonsending) func nextEvents() async throws(NexaError) -> EventBatch {
        guard let events = driver.events(of: self) else {
            throw .connectionLost(nil, delivery: .notSent, endpoint: server.endpoint)
        }
        let (result, mayRead) = await events.next()
        if mayRead { driver.resumeReading(lane) }
        return try result.get()
    }
}

extension ClientCore {
    /// Takes a connection for the caller alone, within its `timeout` and the pool's `acquireTimeout`.
    nonisolated(nonsending) func lease(
        operation: StaticString, options: CallOptions
    ) async throws(NexaError) -> ConnectionLease {
        if let lease { return lease }
        let driver = try driver(operation)
        let now = MonotonicInstant.now
        let call = PendingCall(times(from: now, options))
        call.prepare(.lease, call.times)
        switch await driver.send(call) {
        case .leased(let lease): return lease
        case .failed(let error): throw error.during(operation)
        case .connected(let server), .reply(_, _, let server):
            throw NexaError.connectionLost(nil, delivery: .notSent, endpoint: server.endpoint)
        }
    }
}

extension ClientDriver {
    /// The pool has given the connection to one user.
    func grant(_ lane: Lane, _ server: Negotiated) -> ConnectionLease {
        lane.leaseSerial += 1
        lane.isLeased = true
        return ConnectionLease(lane, server, serial: lane.leaseSerial, driver: self)
    }

    /// Starts a call that may use no other connection than the one its caller has leased.
    func start(_ call: PendingCall, on lease: ConnectionLease, _ state: inout State, _ effects: inout Effects) {
        let lane = lease.lane
        guard lane.isLeased, lane.leaseSerial == lease.serial else {
            return finishAll(call, .failed(.leaseIsOver(lease.server)), &effects)
        }
        guard lane.machine.state == .ready else {
            let reason = lane.machine.closeReason ?? .requested
            return finishAll(call, .failed(.failed(.closed(reason), .notSent, endpoint: lane.endpointName)), &effects)
        }
        guard lane.machine.load + call.followers.count < configuration.pool.pipelineDepth else {
            return finishAll(call, .failed(.pipelineFull(lease.server)), &effects)
        }
        if let leading = lane.leading.take() {
            // It may have waited for long; its time is that of the call that it goes with.
            leading.prepare(.reply, requiring: leading.required, wantsPayload: false, on: lease, call.times)
            submit(leading, on: lane, &state, &effects)
        }
        submit(call, on: lane, &state, &effects)
    }

    func lead(with call: PendingCall, _ lane: Lane, _ serial: UInt64) {
        state.withLock { _ in
            if lane.isLeased, lane.leaseSerial == serial { lane.leading = call }
        }
    }

    func discard(_ lane: Lane, _ serial: UInt64) {
        state.withLock { _ in
            if lane.isLeased, lane.leaseSerial == serial { lane.isDiscarded = true }
        }
    }

    func giveBack(_ lane: Lane, _ serial: UInt64) {
        step { state, effects in
            guard lane.isLeased, lane.leaseSerial == serial else { return }
            lane.isLeased = false
            lane.leading = nil
            var actions: [Pool.Action] = []
            state.pool.leaseReturned(
                lane.id, reusable: lane.machine.isReusable && lane.out.isEmpty && !lane.isDiscarded, at: .now,
                into: &actions)
            carry(actions, &state, &effects)
            serve(&state, &effects)
        }
    }

    // MARK: Events

    func acceptEvents(_ lease: ConnectionLease, _ events: EventQueue) {
        state.withLock { _ in
            let lane = lease.lane
            guard lane.isLeased, lane.leaseSerial == lease.serial, lane.events == nil else { return }
            lane.events = events
            lane.machine.acceptEvents()
            if let reason = lane.machine.closeReason { events.finish(lane.endError(reason)) }
        }
    }

    func events(of lease: ConnectionLease) -> EventQueue? {
        state.withLock { _ in lease.lane.leaseSerial == lease.serial ? lease.lane.events : nil }
    }

    /// The consumer is too far behind. On the reactor's thread.
    func pauseReading(_ lane: Lane) {
        lane.isReadingPaused = true
        step { state, effects in
            var actions: [Machine.Action] = []
            lane.machine.readingPaused(true, at: .now, into: &actions)
            carry(actions, lane, &state, &effects)
        }
    }

    /// The consumer has caught up.
    func resumeReading(_ lane: Lane) {
        reactor.execute { [self] in
            guard lane.isReadingPaused, !lane.isTornDown else { return }
            lane.isReadingPaused = false
            step { state, effects in
                var actions: [Machine.Action] = []
                lane.machine.readingPaused(false, at: .now, into: &actions)
                carry(actions, lane, &state, &effects)
            }
            lane.ready(.hangup)
        }
    }
}
