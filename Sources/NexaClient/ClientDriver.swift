import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// Runs the machines: takes the lock, tells a machine what happened, releases the lock, does what it says.
///
/// One lock guards the pool and all connections; it is held for tens of nanoseconds, and nothing is resumed,
/// written or called back inside it.
final class ClientDriver: Sendable {
    struct State {
        var pool: Pool
        var lanes: [Pool.ConnectionID: Lane] = [:]
        /// What the last login granted.
        var negotiated: Negotiated?
        /// Why the last attempt to connect failed; `nil` after a success.
        var lastConnectError: NexaError?
        var isShutDown = false
        var poolDeadline: MonotonicInstant?
        /// Resumed when the last connection is closed.
        var drained: [UnsafeContinuation<Void, Never>] = []
    }

    let configuration: NexaConfiguration
    let telemetry: Telemetry
    let reactor: Reactor
    let scramKeys = ScramKeyCache()
    let spareCalls = SpareCalls()
    let tls: ClientTLS
    let state: Mutex<State>
    /// The pool's timer; used on the reactor's thread only.
    private let poolTimer = ReactorBox<Reactor.TimerID?>(nil)
    /// Used on the reactor's thread only.
    let addresses = AddressMemory()

    init(_ configuration: NexaConfiguration, _ telemetry: Telemetry) throws(TransportError) {
        self.configuration = configuration
        tls = ClientTLS(configuration.tls)
        self.telemetry = telemetry
        reactor = try Reactor(name: "nexa-client")
        state = Mutex(State(pool: Pool(limits: PoolLimits(configuration))))
        telemetry.count(.drivers, 1)
    }

    deinit {
        telemetry.count(.drivers, -1)
    }

    /// Opens the connections that shall always be there.
    func openMinimum() {
        step { state, effects in
            var actions: [Pool.Action] = []
            state.pool.start(at: .now, into: &actions)
            carry(actions, &state, &effects)
        }
    }

    /// Takes the lock for one step and carries out what comes of it.
    func step(_ body: (inout State, inout Effects) -> Void) {
        var effects = Effects()
        state.withLock { state in
            let before = state.pool.changeCount
            body(&state, &effects)
            if state.pool.changeCount != before, telemetry.wantsPool {
                let snapshot = PoolSnapshot(state.pool)
                effects.add { $0.news.append(.poolChanged(snapshot)) }
            }
        }
        carryOut(effects)
    }

    // MARK: Calls

    /// Sends a call and waits for its end. Cancelling the task ends it at once.
    nonisolated(nonsending) func send(_ call: PendingCall) async -> CallOutcome {
        telemetry.count(.calls, 1)
        defer { telemetry.count(.calls, -1) }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                step { state, effects in
                    call.continuation = continuation
                    start(call, &state, &effects)
                }
            }
        } onCancel: {
            cancel(call)
        }
    }

    func start(_ call: PendingCall, _ state: inout State, _ effects: inout Effects) {
        if call.isCancelled { return finishAll(call, .failed(.cancelled(delivery: .notSent)), &effects) }
        if state.isShutDown { return finishAll(call, .failed(.shutDown(delivery: .notSent)), &effects) }
        if let lease = call.lease { return start(call, on: lease, &state, &effects) }
        var actions: [Pool.Action] = []
        if let id = state.pool.choose(call.demand, at: call.times.start, into: &actions), let lane = state.lanes[id] {
            submit(call, on: lane, &state, &effects)
        } else if let waiter = state.pool.wait(
            call, for: call.demand, until: call.times.acquireDeadline, at: call.times.start, into: &actions)
        {
            call.place = .waiting(waiter)
        }
        carry(actions, &state, &effects)
        serve(&state, &effects)
    }

    func submit(_ call: PendingCall, on lane: Lane, _ state: inout State, _ effects: inout Effects) {
        var isAllSent = submitAlone(call, on: lane, &state, &effects)
        for follower in call.followers where !submitAlone(follower, on: lane, &state, &effects) { isAllSent = false }
        // What the pool counted in advance does not come.
        if !isAllSent { state.pool.loadChanged(lane.id, to: lane.machine.load, at: call.times.start) }
    }

    /// Returns false when the call has ended without being sent.
    private func submitAlone(
        _ call: PendingCall, on lane: Lane, _ state: inout State, _ effects: inout Effects
    ) -> Bool {
        func end(_ outcome: CallOutcome) -> Bool {
            finish(call, outcome, &effects)
            return false
        }
        guard lane.machine.hasRoom, let server = lane.negotiated else {
            // The pool and the machine disagree only when a connection is just ending.
            state.pool.drained(lane.id)
            return end(.failed(.connectionLost(nil, delivery: .notSent, endpoint: lane.endpointName)))
        }
        switch call.purpose {
        case .reply: break
        case .connection: return end(.connected(server))
        case .lease: return end(.leased(grant(lane, server)))
        }
        if call.isCancelled { return end(.failed(.cancelled(delivery: .notSent))) }
        guard call.required.isSubset(of: server.granted) else {
            return end(.failed(.lacking(call.required, server)))
        }
        var actions: [Machine.Action] = []
        let slot = lane.machine.submit(
            call, byteCount: call.frame.count, deadline: call.times.deadline, into: &actions)
        call.place = .submitted(lane, slot)
        call.frame.append(to: &lane.out)
        if call.frame.isSecret { lane.isOutSecret = true }
        carry(actions, lane, &state, &effects)
        claimWriting(lane, &effects)
        return true
    }

    func cancel(_ call: PendingCall) {
        step { state, effects in
            switch call.place {
            case .new: call.isCancelled = true
            case .waiting(let id):
                guard state.pool.withdraw(id) != nil else { return }
                finishAll(call, .failed(.cancelled(delivery: .notSent)), &effects)
                // A lane may have been kept free for it.
                serve(&state, &effects)
            case .submitted(let lane, let slot):
                var actions: [Machine.Action] = []
                lane.machine.abandon(slot, into: &actions)
                carry(actions, lane, &state, &effects)
                serve(&state, &effects)
            case .finished: break
            }
        }
    }

    /// Tells the server that nobody waits for a request any more.
    private func stop(_ tag: UInt64, on lane: Lane, _ effects: inout Effects) {
        guard lane.negotiated?.granted.contains(.cancellation) == true else { return }
        guard lane.machine.state == .ready || lane.machine.state == .draining else { return }
        var frame = MessagePackWriter(capacity: 32)
        Request.encodeCancel(tag: tag, into: &frame)
        lane.machine.submitUnanswered(byteCount: frame.count)
        lane.out.append(contentsOf: frame.bytes)
        claimWriting(lane, &effects)
    }

    /// Decides the outcome of a call, once.
    func finish(_ call: PendingCall, _ outcome: CallOutcome, _ effects: inout Effects) {
        if case .finished = call.place { return effects.add { $0.unwanted.append(outcome) } }
        call.place = .finished
        if let group = call.group { return effects.add { $0.grouped.append((group.0, group.index, outcome)) } }
        guard let continuation = call.continuation else { return }
        call.continuation = nil
        effects.add { $0.resumed.append((continuation, outcome)) }
    }

    /// The same for a call that was never sent, and for those that were to be sent behind it.
    func finishAll(_ call: PendingCall, _ outcome: CallOutcome, _ effects: inout Effects) {
        finish(call, outcome, &effects)
        for follower in call.followers { finish(follower, outcome, &effects) }
    }

    /// Gives connections to those who wait, as long as there are both.
    func serve(_ state: inout State, _ effects: inout Effects) {
        guard state.pool.waiterCount > 0 else { return }
        let now = MonotonicInstant.now
        var actions: [Pool.Action] = []
        while let (call, id) = state.pool.nextServed(at: now, into: &actions) {
            if let lane = state.lanes[id] {
                submit(call, on: lane, &state, &effects)
            } else {
                finishAll(call, .failed(.connectionLost(nil, delivery: .notSent, endpoint: nil)), &effects)
            }
        }
        carry(actions, &state, &effects)
    }

    // MARK: Actions

    /// Carries out what the pool says, as far as it belongs under the lock.
    func carry(_ actions: [Pool.Action], _ state: inout State, _ effects: inout Effects) {
        for action in actions {
            switch action {
            case .connect(let id):
                let machine = Machine(
                    limits: .init(
                        pipelineDepth: configuration.pool.pipelineDepth,
                        keepAlive: configuration.pool.keepAliveInterval),
                    deadline: .now + configuration.connectTimeout)
                let lane = Lane(
                    id: id, machine: machine, maximumFrameBytes: configuration.maximumFrameBytes, driver: self)
                state.lanes[id] = lane
                var begun: [Machine.Action] = []
                lane.machine.begin(into: &begun)
                carry(begun, lane, &state, &effects)
                effects.add { $0.connects.append(lane) }
            case .refuse(let call, let refusal):
                finishAll(call, .failed(.refused(refusal, call, state.lastConnectError)), &effects)
            case .setDeadline(let deadline):
                state.poolDeadline = deadline
                effects.add { $0.movesPoolDeadline = true }
            case .cancelDeadline:
                state.poolDeadline = nil
                effects.add { $0.movesPoolDeadline = true }
            case .drain(let id):
                guard let lane = state.lanes[id] else { continue }
                var ended: [Machine.Action] = []
                lane.machine.drain(into: &ended)
                carry(ended, lane, &state, &effects)
            }
        }
    }

    /// Carries out what a connection's machine says, as far as it belongs under the lock.
    func carry(
        _ actions: [Machine.Action], _ lane: Lane, frame: Int = 0, _ state: inout State, _ effects: inout Effects
    ) {
        for action in actions {
            switch action {
            case .complete(let call, _):
                call.place = .finished
                effects.completed.append(
                    .init(
                        continuation: call.continuation, group: call.group, wantsPayload: call.wantsPayload,
                        frame: frame))
                call.continuation = nil
            case .handshakeReply: break  // Handled by `received`, which knows the payload.
            case .event: effects.add { $0.events.append(frame) }
            case .keepAlive: keepAlive(lane, &state, &effects)
            case .fail(let call, let failure, let delivery):
                finish(call, .failed(.failed(failure, delivery, endpoint: lane.endpointName)), &effects)
                if delivery == .maybeExecuted, let tag = call.tag { stop(tag, on: lane, &effects) }
            case .retract(let byteCount): lane.retract(byteCount)
            case .setDeadline(let deadline):
                lane.wantedDeadline = deadline
                effects.add { $0.deadlines.append(lane) }
            case .close(let reason):
                lane.events?.finish(state.isShutDown ? .shutDown(delivery: .notSent) : lane.endError(reason))
                effects.add { $0.closes.append(lane) }
            }
        }
        switch lane.machine.state {
        case .ready: state.pool.loadChanged(lane.id, to: lane.machine.load, at: lane.machine.lastReceived ?? .now)
        case .draining, .closed: if lane.negotiated != nil { state.pool.drained(lane.id) }
        case .connecting, .handshaking: break
        }
    }

    /// Asks a server that has been quiet for a while for a sign of life.
    private func keepAlive(_ lane: Lane, _ state: inout State, _ effects: inout Effects) {
        let ping = Self.keepAliveFrame
        var actions: [Machine.Action] = []
        guard lane.machine.submitKeepAlive(byteCount: ping.count, at: .now, into: &actions) else { return }
        lane.out.append(contentsOf: ping)
        carry(actions, lane, &state, &effects)
        claimWriting(lane, &effects)
    }

    private static let keepAliveFrame: [UInt8] = {
        var frame = MessagePackWriter()
        Request.ping.encodeFrame(into: &frame)
        return frame.bytes
    }()

    /// Does what must not be done under the lock.
    func carryOut(_ effects: Effects) {
        if let others = effects.others { begin(others) }
        if let lane = effects.writer { writeSoon(lane) }
        if let others = effects.others { end(others) }
    }

    private func begin(_ effects: OtherEffects) {
        // First of all: whoever is resumed finds what led to it told.
        for event in effects.news { telemetry.emit(event) }
        for (continuation, outcome) in effects.resumed { continuation.resume(returning: outcome) }
        for (group, index, outcome) in effects.grouped { group.finish(index, outcome) }
        guard effects.needsReactor else { return }
        if reactor.isOnThread {
            carryOutOnReactor(effects)
        } else {
            reactor.execute { [self] in carryOutOnReactor(effects) }
        }
    }

    private func end(_ effects: OtherEffects) {
        for lane in effects.moreWriters { writeSoon(lane) }
        for continuation in effects.drained { continuation.resume() }
    }

    /// On the reactor's thread, everything written in this turn leaves together.
    private func writeSoon(_ lane: Lane) {
        if reactor.isOnThread { reactor.runSoon(lane) } else { write(lane) }
    }

    private func carryOutOnReactor(_ effects: OtherEffects) {
        for lane in effects.connects { connect(lane) }
        for lane in effects.deadlines { moveTimer(of: lane) }
        for lane in effects.closes { tearDown(lane) }
        guard effects.movesPoolDeadline else { return }
        if let timer = poolTimer.value { reactor.cancel(timer) }
        guard let deadline = state.withLock({ $0.poolDeadline }) else { return }
        // Not weakly: an object that was ever known weakly is counted in a table beside it, which every call would feel.
        // The reactor lets its timers go when it ends.
        poolTimer.value = reactor.schedule(at: deadline) { [self] in poolTimerFired() }
    }

    func moveTimer(of lane: Lane) {
        guard !lane.isTornDown, let deadline = state.withLock({ _ in lane.wantedDeadline }) else { return }
        if let timer = lane.timer { reactor.cancel(timer) }
        lane.timer = reactor.schedule(at: deadline) { [self] in
            lane.timer = nil
            step { state, effects in
                if lane.machine.load == 0, !lane.isWriteClaimed {
                    lane.giveBuffersBack()
                    spareCalls.removeAll()
                }
                var actions: [Machine.Action] = []
                lane.machine.tick(.now, into: &actions)
                carry(actions, lane, &state, &effects)
                serve(&state, &effects)
            }
        }
    }

    private func poolTimerFired() {
        poolTimer.value = nil
        step { state, effects in
            state.poolDeadline = nil
            var actions: [Pool.Action] = []
            state.pool.tick(.now, into: &actions)
            carry(actions, &state, &effects)
            serve(&state, &effects)
        }
    }
}

// @unchecked: its owner touches it on the reactor's thread only.
/// A variable of the reactor's thread.
final class ReactorBox<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}
