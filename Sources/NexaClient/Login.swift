import NexaProtocol
import NexaSCRAM
import NexaValue
import Synchronization

/// The messages by which one connection logs in. A state machine without I/O.
///
/// The password itself is never in the first message. A server of this version proves with SCRAM-SHA-256 that it knows the
/// password, as the client does. A server of 3.0 answers that the password is missing; it gets the password only where
/// the configuration allows that.
struct Login {
    /// What to do next.
    enum Step {
        case send(Request.Connect)
        /// Make the keys, off the reactor, and call `stretched`.
        case stretch(ScramClient.Challenge)
        case done(Reply.Connected)
        case failed(NexaError, isFinal: Bool)
    }

    private enum State {
        case new
        case scram(ScramClient)
        case stretching(ScramClient, ScramClient.Challenge)
        /// Without SCRAM, or the exchange as it was when the proof was sent.
        case lastMessage(ScramClient?)
    }

    private let configuration: NexaConfiguration
    private let endpoint: String
    /// Whether this server may see the password.
    private let mayBePlain: Bool
    private var state = State.new

    /// - Parameter isPrivate: nobody else can read what is sent: it is encrypted, or does not leave the machine.
    init(_ configuration: NexaConfiguration, endpoint: String, isPrivate: Bool) {
        self.configuration = configuration
        self.endpoint = endpoint
        mayBePlain =
            switch configuration.plainLogin {
            case .always: true
            case .private: isPrivate
            case .never: false
            }
    }

    private var username: String { configuration.credentials?.username ?? "root" }

    private func connect(password: String? = nil, scram: String? = nil) -> Request.Connect {
        Request.Connect(
            username: username, password: password, capabilities: Capability.all,
            applicationName: configuration.applicationName, scram: scram)
    }

    /// The first message.
    mutating func start() -> Request.Connect {
        guard configuration.credentials?.password != nil else {
            state = .lastMessage(nil)
            return connect()
        }
        let client = ScramClient(username: username)
        state = .scram(client)
        return connect(scram: client.first)
    }

    /// The keys were made.
    mutating func stretched(_ keys: ScramKeys) -> Step {
        guard case .stretching(var client, let challenge) = state else { return unexpected("keys") }
        let proof = client.proof(challenge, keys: keys)
        state = .lastMessage(client)
        return .send(connect(scram: proof))
    }

    /// The server answered.
    mutating func replied(_ type: MessageType, _ fields: Document) -> Step {
        switch (type, state) {
        case (.success, .scram(var client)):
            if let message = Reply.Challenge(fields)?.scram {
                do throws(ScramError) {
                    let challenge = try client.challenge(message)
                    state = .stretching(client, challenge)
                    return .stretch(challenge)
                } catch {
                    return refused("The server's SCRAM message cannot be used: \(error)")
                }
            }
            return done(fields, provenBy: nil)
        case (.success, .lastMessage(let client)): return done(fields, provenBy: client)
        case (.error, .scram) where wantsPassword(fields):
            guard mayBePlain else { return .failed(.plainLoginRefused(configuration, endpoint), isFinal: true) }
            state = .lastMessage(nil)
            return .send(connect(password: configuration.credentials?.password))
        case (.error, .scram), (.error, .lastMessage): return failed(fields)
        default: return unexpected("a \(type) frame")
        }
    }

    /// A server of 3.0 misses the password; one of this version may have no verifier of it yet.
    private func wantsPassword(_ fields: Document) -> Bool {
        let message = fields["error"]?.string ?? ""
        return message.hasPrefix("Missing 'username' or 'password'")
            || fields["code"]?.string == ServerErrorCode.scramUnavailable.rawValue
    }

    private func done(_ fields: Document, provenBy client: ScramClient?) -> Step {
        guard fields["authenticated"]?.bool == true else { return unexpected("a reply without 'authenticated'") }
        let reply = Reply.Connected(fields)
        if let client {
            do throws(ScramError) {
                try client.verify(reply.scram ?? "")
            } catch {
                return refused(
                    "The server could not prove that it knows the password: somebody may pretend to be it (\(error))")
            }
        } else if configuration.credentials?.password != nil, !mayBePlain {
            return refused("The server let the client in without proving that it knows the password")
        }
        return .done(reply)
    }

    private func failed(_ fields: Document) -> Step {
        let code = fields["code"]?.string.map(ServerErrorCode.init(rawValue:))
        let error = NexaError(
            reply: fields["error"]?.string ?? "", code: code, operation: "connect", endpoint: endpoint)
        let mayPass = code == .overloaded || code == .shuttingDown
        if mayPass || error.code == .authenticationFailed || error.code == .tlsFailed {
            return .failed(error, isFinal: !mayPass)
        }
        return .failed(
            NexaError(
                .authenticationFailed, "The server refused the login; serverMessage says why", delivery: .notSent,
                operation: "connect", endpoint: endpoint, serverMessage: error.serverMessage), isFinal: true)
    }

    private func refused(_ message: String) -> Step {
        .failed(NexaError(.authenticationFailed, message, operation: "connect", endpoint: endpoint), isFinal: true)
    }

    private func unexpected(_ what: String) -> Step {
        .failed(.notNexaDB("\(what) as reply to CONNECT", endpoint), isFinal: false)
    }
}

/// The keys that the password of a client leads to, which take milliseconds to make: all connections but the first
/// find them here.
final class ScramKeyCache: Sendable {
    private struct Entry {
        var salt: [UInt8]
        var iterations: Int
        var keys: ScramKeys
    }

    /// Servers that keep their users apart give each a salt of its own.
    private static let maximumEntries = 8

    private let entries = Mutex<[Entry]>([])

    func keys(for challenge: ScramClient.Challenge) -> ScramKeys? {
        entries.withLock { entries in
            entries.first { $0.salt == challenge.salt && $0.iterations == challenge.iterations }?.keys
        }
    }

    func store(_ keys: ScramKeys, for challenge: ScramClient.Challenge) {
        entries.withLock { entries in
            if entries.count >= Self.maximumEntries { entries.removeFirst() }
            entries.append(Entry(salt: challenge.salt, iterations: challenge.iterations, keys: keys))
        }
    }
}
