import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// The life of one connection. Except for writing, all of it happens on the reactor's thread.
extension ClientDriver {
    func connect(_ lane: Lane) {
        guard !lane.isTornDown else { return }
        if telemetry.wantsConnections { telemetry.emit(.connectStarted(connection: lane.number)) }
        let deadline = MonotonicInstant.now + configuration.connectTimeout
        if configuration.tls != .disabled {
            // What can be wrong before anything is sent is said before.
            do throws(NexaError) { try tls.prepare() } catch { return connectFailed(lane, isFinal: true, error) }
        }
        let connector = Connector(configuration.endpoints, deadline: deadline, memory: addresses, on: reactor) {
            [self] result in
            lane.connector = nil
            switch result {
            case .success(let (socket, address, endpoint)): connected(lane, socket, address, endpoint)
            case .failure(let error):
                connectFailed(
                    lane, isRefused: error.isRefusedConnect, .connectFailed(error, configuration.endpoints))
            }
        }
        lane.connector = connector
        connector.start()
    }

    func connectFailed(_ lane: Lane, isFinal: Bool = false, isRefused: Bool = false, _ error: NexaError) {
        step { state, effects in
            lane.connectError = error
            lane.isConnectFailureFinal = isFinal
            lane.isConnectRefused = isRefused
            var actions: [Machine.Action] = []
            lane.machine.close(.loginRefused, into: &actions)
            carry(actions, lane, &state, &effects)
        }
    }

    /// The socket is there: log in.
    private func connected(
        _ lane: Lane, _ socket: StreamSocket, _ address: SocketAddress,
        _ endpoint: NexaConfiguration.Endpoint
    ) {
        guard !lane.isTornDown else { return socket.close() }
        lane.endpoint = endpoint.description
        guard configuration.tls != .disabled else { return reached(lane, socket, isPrivate: address.isLocal) }
        secure(lane, socket, endpoint)
    }

    /// The connection is as safe as it gets: log in.
    func reached(_ lane: Lane, _ socket: StreamSocket, isPrivate: Bool) {
        do throws(TransportError) {
            try reactor.register(socket.descriptor, lane)
        } catch {
            socket.close()
            return connectFailed(lane, .connectFailed(error, configuration.endpoints))
        }
        socket.setUserTimeout(configuration.operationTimeout + .seconds(30))
        lane.socket = socket
        telemetry.count(.sockets, 1)
        logIn(lane, isPrivate: isPrivate)
        // What came right behind the handshake lies in the filter, and no event will tell of it.
        if lane.secure != nil { reactor.runSoon { lane.ready(.readable) } }
    }

    /// The server let the client in, and grants this.
    func loggedIn(_ lane: Lane, _ granted: Negotiated) {
        step { state, effects in
            lane.negotiated = granted
            var begun: [Machine.Action] = []
            lane.machine.authenticated(into: &begun)
            state.negotiated = granted
            let now = MonotonicInstant.now
            if telemetry.wantsConnections {
                effects.add {
                    $0.news.append(.connectSucceeded(connection: lane.number, elapsed: now - lane.startedAt))
                }
            }
            state.lastConnectError = nil
            var actions: [Pool.Action] = []
            state.pool.connectSucceeded(lane.id, jitter: .random(in: 0..<1), at: now, into: &actions)
            carry(begun, lane, &state, &effects)
            carry(actions, &state, &effects)
            serve(&state, &effects)
        }
    }

    // MARK: Reading

    /// Takes whole frames off the bytes and gives the replies to their callers; returns how many bytes that were.
    func received(_ bytes: RawSpan, on lane: Lane) -> Int {
        var offset = 0
        // The arrays of the last time: reading allocates nothing but the payloads.
        var frames: [Frame] = []
        swap(&frames, &lane.spareFrames)
        defer { if frames.capacity <= Lane.keptFrames { swap(&frames, &lane.spareFrames) } }
        repeat {
            frames.removeAll(keepingCapacity: true)
            var violation: Machine.CloseReason?
            let isHandshake = lane.negotiated == nil
            do throws(FrameError) {
                while let frame = try lane.decoder.frame(in: bytes, at: offset) {
                    frames.append(frame)
                    offset = frame.payload.upperBound
                    if isHandshake { break }
                }
            } catch {
                violation =
                    if case .tooLarge(let byteCount, _) = error { .replyTooLarge(byteCount: byteCount) } else {
                        .protocolViolation("\(error)")
                    }
            }
            let handshake = handle(frames, of: bytes, on: lane, violation)
            if handshake, let frame = frames.first {
                loginReplied(lane, frame.header.type, bytes.extracting(frame.payload))
            }
        } while !frames.isEmpty && !lane.isTornDown
        return offset
    }

    /// Returns true when the first frame is the reply to CONNECT.
    private func handle(_ frames: [Frame], of bytes: RawSpan, on lane: Lane, _ violation: Machine.CloseReason?) -> Bool
    {
        var effects = Effects()
        var actions: [Machine.Action] = []
        swap(&effects.completed, &lane.spareCompleted)
        swap(&actions, &lane.spareActions)
        var isHandshakeReply = false
        let (server, events) = state.withLock { state -> (Negotiated?, EventQueue?) in
            lane.machine.receivedBytes(at: .now)
            for (index, frame) in frames.enumerated() {
                actions.removeAll(keepingCapacity: true)
                lane.machine.received(frame.header, into: &actions)
                if case .handshakeReply = actions.first { isHandshakeReply = true }
                carry(actions, lane, frame: index, &state, &effects)
            }
            if let violation {
                actions.removeAll(keepingCapacity: true)
                if lane.negotiated == nil { lane.connectError = .notNexaDB(violation.words, lane.endpoint) }
                lane.machine.close(violation, into: &actions)
                carry(actions, lane, &state, &effects)
            }
            if !frames.isEmpty { serve(&state, &effects) }
            return (lane.negotiated, lane.events)
        }
        func payload(_ index: Int) -> [UInt8] {
            bytes.extracting(frames[index].payload).withUnsafeBytes { Array($0) }
        }
        // No call is known here any more when its caller goes on.
        actions.removeAll(keepingCapacity: true)
        swap(&actions, &lane.spareActions)
        for ended in effects.completed {
            guard let server else { continue }
            let type = frames[ended.frame].header.type
            let isNeeded = ended.wantsPayload || !type.isPlainSuccess
            let outcome = CallOutcome.reply(type: type, payload: isNeeded ? payload(ended.frame) : [], server: server)
            if let (group, index) = ended.group { group.finish(index, outcome) }
            ended.continuation?.resume(returning: outcome)
        }
        effects.completed.removeAll(keepingCapacity: true)
        swap(&effects.completed, &lane.spareCompleted)
        if let events, let indices = effects.others?.events, !indices.isEmpty,
            events.append(EventBatch(indices.map { frames[$0].payload }, of: bytes))
        {
            pauseReading(lane)
        }
        carryOut(effects)
        return isHandshakeReply
    }

    func readingFailed(_ lane: Lane, _ code: CInt) {
        // A server that wants a certificate of the client says so behind the handshake.
        if lane.negotiated == nil, let failure = lane.secure?.failure {
            return connectFailed(lane, isFinal: !failure.mayPass, .tlsFailed(failure, lane.endpoint))
        }
        connectionEnded(lane, .failed(code))
    }

    func connectionEnded(_ lane: Lane, _ reason: Machine.CloseReason) {
        step { state, effects in
            var actions: [Machine.Action] = []
            lane.machine.close(reason, into: &actions)
            carry(actions, lane, &state, &effects)
        }
    }

    // MARK: Writing

    /// Makes the caller the writer, unless there is one.
    func claimWriting(_ lane: Lane, _ effects: inout Effects) {
        guard !lane.isWriteClaimed, lane.socket != nil else { return }
        lane.isWriteClaimed = true
        if effects.writer == nil { effects.writer = lane } else { effects.add { $0.moreWriters.append(lane) } }
    }

    /// Writes everything appended so far and in the meantime. The caller holds the claim to write.
    /// - Parameter moved: what it has just written.
    func write(_ lane: Lane, moved count: Int = 0) {
        var moved = count
        while true {
            var mustClose = false
            let mayGoOn = state.withLock { _ -> Bool in
                // Whoever ended the connection has closed the socket, unless a system call was on its way.
                let hasSent = lane.isSending
                lane.machine.didWrite(moved, isDone: true)
                lane.isSending = false
                guard !lane.isDead, lane.machine.state != .closed, !lane.out.isEmpty else {
                    lane.isWriteClaimed = false
                    mustClose = lane.isDead && hasSent
                    return false
                }
                swap(&lane.out, &lane.writing)
                swap(&lane.isOutSecret, &lane.isWritingSecret)
                lane.out.removeAll(keepingCapacity: lane.out.capacity <= Lane.keptBufferBytes)
                lane.machine.willWrite()
                lane.isSending = true
                return true
            }
            if mustClose { closeSocket(lane) }
            guard mayGoOn else { return }
            lane.written = 0
            guard let count = sendPending(lane) else { return }
            moved = count
        }
    }

    /// Sends the writer's buffer; `nil` when the rest has to wait or the connection has failed.
    private func sendPending(_ lane: Lane) -> Int? {
        guard let socket = lane.socket else { return nil }
        let start = lane.written
        while lane.written < lane.writing.count {
            let result = lane.writing.withUnsafeBytes { raw in
                let rest = UnsafeRawBufferPointer(rebasing: raw[lane.written...])
                return lane.secure?.write(rest) ?? socket.write(rest)
            }
            switch result {
            case .moved(let count): lane.written += count
            case .wouldBlock:
                pauseWriting(lane, moved: lane.written - start)
                return nil
            case .endOfStream, .failed:
                let code: CInt = if case .failed(let code) = result { code } else { 0 }
                writingFailed(lane, moved: lane.written - start, code)
                return nil
            }
        }
        lane.forgetSecrets()
        if lane.secure?.hasPendingOutput == true { awaitWritability(lane) }
        return lane.written - start
    }

    private func awaitWritability(_ lane: Lane) {
        reactor.execute { [self] in
            guard !lane.isTornDown, let socket = lane.socket else { return }
            reactor.setWriteInterest(socket.descriptor, true)
        }
    }

    /// The kernel takes no more: the claim stays taken until the socket is writable again.
    private func pauseWriting(_ lane: Lane, moved: Int) {
        let mustClose = state.withLock { _ -> Bool in
            lane.machine.didWrite(moved, isDone: true)
            lane.isSending = false
            return lane.isDead
        }
        if mustClose { return closeSocket(lane) }
        awaitWritability(lane)
    }

    private func writingFailed(_ lane: Lane, moved: Int, _ code: CInt) {
        let mustClose = state.withLock { _ -> Bool in
            lane.machine.didWrite(moved, isDone: true)
            lane.isSending = false
            lane.isWriteClaimed = false
            return lane.isDead
        }
        if mustClose { closeSocket(lane) }
        // What the server still said comes first: a reply may lie in the socket already.
        reactor.execute { [self] in
            if !lane.isTornDown { lane.ready(.hangup) }
            connectionEnded(lane, .failed(code))
        }
    }

    /// Goes on writing where the kernel took no more.
    func socketIsWritable(_ lane: Lane) {
        guard !lane.isTornDown, let socket = lane.socket else { return }
        reactor.setWriteInterest(socket.descriptor, false)
        switch lane.secure?.flush() {
        case nil, .done?: break
        case .blocked?: return reactor.setWriteInterest(socket.descriptor, true)
        case .failed(let code)?: return connectionEnded(lane, .failed(code))
        }
        let isMine = state.withLock { _ -> Bool in
            guard lane.isWriteClaimed, !lane.isSending, !lane.isDead else { return false }
            lane.machine.resumeWriting()
            lane.isSending = true
            return true
        }
        guard isMine, let moved = sendPending(lane) else { return }
        write(lane, moved: moved)
    }

    // MARK: Time and end

    /// Closes the socket and tells the pool. The machine has been closed before.
    func tearDown(_ lane: Lane) {
        guard !lane.isTornDown else { return }
        lane.isTornDown = true
        lane.connector?.cancel()
        lane.connector = nil
        lane.handshake?.cancel()
        lane.handshake = nil
        lane.login = nil
        if let timer = lane.timer { reactor.cancel(timer) }
        lane.timer = nil
        lane.input.removeAll()
        if let socket = lane.socket {
            reactor.deregister(socket.descriptor)
            lane.secure?.endWriting()
            socket.shutdownBoth()
        }
        release(lane)
    }

    /// Closes the socket, unless its writer is just using it and will do so.
    private func release(_ lane: Lane) {
        let mayClose = state.withLock { _ -> Bool in
            lane.isDead = true
            return !lane.isSending
        }
        if mayClose { closeSocket(lane) }
    }

    /// Closes the socket and tells the pool, which counts the connection until then. On any thread.
    private func closeSocket(_ lane: Lane) {
        if let socket = lane.socket {
            socket.close()
            telemetry.count(.sockets, -1)
        }
        step { state, effects in
            state.lanes[lane.id] = nil
            var actions: [Pool.Action] = []
            let now = MonotonicInstant.now
            if lane.negotiated == nil {
                let error = lane.connectError ?? .connectTimedOut(configuration)
                state.lastConnectError = error
                state.pool.connectFailed(
                    lane.id, isFinal: lane.isConnectFailureFinal, isRefused: lane.isConnectRefused,
                    jitter: .random(in: 0..<1), at: now, into: &actions)
                if telemetry.wantsConnections {
                    let event = NexaEvent.connectFailed(
                        connection: lane.number, error, attempt: state.pool.failedAttempts,
                        retryIn: state.pool.nextAttempt.map { max($0 - now, .zero) })
                    effects.add { $0.news.append(event) }
                }
            } else {
                state.pool.closed(lane.id, at: now, into: &actions)
                if telemetry.wantsConnections {
                    effects.add {
                        $0.news.append(.connectionClosed(connection: lane.number, reason: lane.lossReason))
                    }
                }
            }
            carry(actions, &state, &effects)
            serve(&state, &effects)
            if state.isShutDown, state.lanes.isEmpty {
                let drained = state.drained
                effects.add { $0.drained = drained }
                state.drained = []
            }
        }
    }

    /// The client was dropped without a shutdown.
    func reactorStopped(_ lane: Lane) {
        guard !lane.isTornDown else { return }
        lane.isTornDown = true
        lane.events?.finish(.shutDown(delivery: .notSent))
        release(lane)
    }
}
