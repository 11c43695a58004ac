import NexaEngine
import NexaProtocol
import NexaSCRAM
import NexaTransport

/// CONNECT: the password itself, a SCRAM-SHA-256 exchange, or nothing on a socket of the same user.
///
/// ```
/// CONNECT {username, capabilities, scram: client-first}   →   SUCCESS {authenticated: false, scram: server-first}
/// CONNECT {username, capabilities, scram: client-final}   →   SUCCESS {authenticated: true, …, scram: server-final}
/// ```
///
/// A server of 3.0 answers the first one with "Missing 'username' or 'password' field", and stays open for another.
extension Session {
    static let wrongPassword = RequestError("Invalid username or password", code: .notAuthenticated)
    static let overloaded = RequestError(
        "Too much is waiting for a worker thread; try again in a moment", code: .overloaded)
    private static let throttled = RequestError(
        "Too many failed logins from this address; wait a minute and try again", code: .overloaded)

    func logIn(_ connect: Request.Connect) {
        wantsErrorCodes = connect.capabilities.contains(.errorCodes)
        if let message = connect.scram { return scram(message, connect) }
        if connect.password == nil, isTrustedPeer, let login = shared.engine.logInTrusted(username: connect.username) {
            return reply(.connected(accept(login, connect)))
        }
        guard let password = connect.password else {
            return reply(.failure(RequestError("Missing 'username' or 'password' field in CONNECT message")))
        }
        admitted(connect.username) { [self] slot in check(password, connect, slot) }
    }

    /// Goes on at once, or later where logins failed before. Nothing else of this connection starts until then.
    private func admitted(_ username: String, _ body: @escaping (ReplyOrder.Slot) -> Void) {
        let slot = begin(.exclusive)
        switch shared.throttle.admit(address: channel?.peer, username: username, at: .now) {
        case .now: body(slot)
        case .later(let delay):
            _ = reactor.schedule(at: .now + delay) { [self] in
                if !isGone { body(slot) }
            }
        case .refused:
            audit("login-throttled", user: username, level: .warning)
            complete(slot, with: .failure(Self.throttled))
        }
    }

    // MARK: The password itself

    private func check(_ password: String, _ connect: Request.Connect, _ slot: ReplyOrder.Slot) {
        let engine = shared.engine
        if let login = engine.logInFast(username: connect.username, password: password) {
            return finish(slot, login, connect)
        }
        // Hashing takes tens of milliseconds: not on the reactor.
        let isAccepted = shared.workers.submit { [self] in
            let login = engine.logIn(username: connect.username, password: password)
            reactor.execute { [self] in finish(slot, login, connect) }
        }
        if !isAccepted { complete(slot, with: .failure(Self.overloaded)) }
    }

    private func finish(
        _ slot: ReplyOrder.Slot, _ login: UserLogin?, _ connect: Request.Connect, scram: String? = nil
    ) {
        guard let login else {
            shared.throttle.failed(address: channel?.peer, username: connect.username, at: .now)
            audit("login-failed", user: connect.username, level: .warning)
            complete(slot, with: .failure(Self.wrongPassword))
            return loginFailed()
        }
        shared.throttle.succeeded(username: connect.username)
        complete(slot, with: .connected(accept(login, connect, scram: scram)))
    }

    private func accept(_ login: UserLogin, _ connect: Request.Connect, scram: String? = nil) -> Reply.Connected {
        let granted = Capability.all.filter(connect.capabilities.contains)
        let user = login.user
        var how = [("application", connect.applicationName ?? "")]
        if let prefix = login.keyPrefix { how.append(("key", prefix)) }
        audit("login", user: user.name, how)
        loggedIn(login, capabilities: Set(granted))
        let engine = shared.engine
        if engine.noteLogin(login) { _ = shared.workers.submit { engine.recordLogin(login) } }
        return Reply.Connected(
            username: user.name, role: user.role.rawValue, capabilities: granted, serverVersion: NexaServer.version,
            scram: scram)
    }

    // MARK: SCRAM

    /// An exchange whose second message is awaited.
    struct ScramExchange {
        var server: ScramServer
        var verifiers: [ScramVerifier]
    }

    private func scram(_ message: String, _ connect: Request.Connect) {
        guard message.utf8.starts(with: "c=".utf8) else { return beginScram(message) }
        guard let exchange = scramExchange else {
            return reply(.failure(RequestError("CONNECT with 'scram' begins with the client's first message")))
        }
        scramExchange = nil
        guard exchange.server.username.utf8.elementsEqual(connect.username.utf8) else {
            return reply(.failure(RequestError("The user name differs from that of the first message")))
        }
        admitted(connect.username) { [self] slot in
            do throws(ScramError) {
                let (signature, verifier) = try exchange.server.finish(message, anyOf: exchange.verifiers)
                finish(
                    slot, shared.engine.logIn(username: connect.username, provenFor: verifier), connect,
                    scram: signature)
            } catch .wrongProof {
                finish(slot, nil, connect)
            } catch {
                complete(slot, with: .failure(RequestError("\(error)")))
            }
        }
    }

    private func beginScram(_ message: String) {
        do throws(ScramError) {
            var server = try ScramServer(clientFirst: message)
            guard let verifiers = shared.engine.scramVerifiers(username: server.username),
                let verifier = verifiers.first
            else {
                return reply(
                    .failure(
                        RequestError(
                            "The password was set before this server knew SCRAM: log in once with the password itself",
                            code: .scramUnavailable)))
            }
            let challenge = server.challenge(verifier)
            scramExchange = ScramExchange(server: server, verifiers: verifiers)
            reply(.fields(Reply.Challenge(scram: challenge).fields))
        } catch {
            reply(.failure(RequestError("\(error)")))
        }
    }
}
