import NexaProtocol
import NexaSCRAM
import NexaTransport
import NexaValue

/// From the socket to a connection that takes requests. On the reactor's thread.
extension ClientDriver {
    /// The connection is there: send the first message.
    func logIn(_ lane: Lane, isPrivate: Bool) {
        var login = Login(configuration, endpoint: lane.endpoint, isPrivate: isPrivate)
        let first = login.start()
        lane.login = login
        sendLogin(lane, first)
    }

    /// A reply to CONNECT.
    func loginReplied(_ lane: Lane, _ type: MessageType, _ payload: RawSpan) {
        do throws(MessagePackError) {
            let fields = try Reply.fields(payload)
            if let step = lane.login?.replied(type, fields) { carryOut(step, lane) }
        } catch {
            connectFailed(lane, .notNexaDB("the reply to CONNECT: \(error)", lane.endpoint))
        }
    }

    private func carryOut(_ step: Login.Step, _ lane: Lane) {
        switch step {
        case .send(let message): sendLogin(lane, message)
        case .stretch(let challenge): stretch(challenge, lane)
        case .failed(let error, let isFinal): connectFailed(lane, isFinal: isFinal, error)
        case .done(let reply):
            lane.login = nil
            loggedIn(lane, Negotiated(reply, endpoint: lane.endpoint))
        }
    }

    private func sendLogin(_ lane: Lane, _ message: Request.Connect) {
        var frame = MessagePackWriter(capacity: 1024)
        frame.isSecret = true
        Request.connect(message).encodeFrame(into: &frame)
        step { _, effects in
            frame.append(to: &lane.out)
            lane.isOutSecret = true
            lane.machine.connected(handshakeByteCount: frame.count, at: .now)
            claimWriting(lane, &effects)
        }
    }

    /// Makes the keys on a thread of its own: meanwhile the reactor serves the other connections.
    private func stretch(_ challenge: ScramClient.Challenge, _ lane: Lane) {
        if let keys = scramKeys.keys(for: challenge) { return stretched(lane, keys) }
        let password = configuration.credentials?.password ?? ""
        do throws(TransportError) {
            try SystemThread(name: "nexa-login") { [self] in
                let keys = ScramKeys(password: password, salt: challenge.salt, iterations: challenge.iterations)
                scramKeys.store(keys, for: challenge)
                reactor.execute { [self] in stretched(lane, keys) }
            }.detach()
        } catch {
            connectFailed(lane, .connectFailed(error, configuration.endpoints))
        }
    }

    private func stretched(_ lane: Lane, _ keys: ScramKeys) {
        guard !lane.isTornDown, let step = lane.login?.stretched(keys) else { return }
        carryOut(step, lane)
    }
}
