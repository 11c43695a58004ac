import NexaProtocol
import NexaTransport

// @unchecked: used on the reactor's thread only.
/// The addresses of names for a moment, so that probing a server that is down is not probing the name servers, too.
final class AddressMemory: @unchecked Sendable {
    static let period: Duration = .seconds(1)

    private var known: [NexaConfiguration.Endpoint: (addresses: [SocketAddress], until: MonotonicInstant)] = [:]

    subscript(endpoint: NexaConfiguration.Endpoint) -> [SocketAddress]? {
        get {
            guard let entry = known[endpoint], entry.until > .now else { return nil }
            return entry.addresses
        }
        set { known[endpoint] = newValue.map { ($0, .now + Self.period) } }
    }
}

// @unchecked: used on the reactor's thread only.
/// Opens one connection to the first of several endpoints that answers.
///
/// The addresses of the endpoints are tried in order; the next attempt starts when one fails, or 250 ms
/// after it began (the connection attempt delay of RFC 8305), and the first to succeed wins.
final class Connector: @unchecked Sendable {
    static let attemptDelay: Duration = .milliseconds(250)

    /// A connection, where it leads, and the endpoint by which that was found.
    typealias Connected = (socket: StreamSocket, address: SocketAddress, endpoint: NexaConfiguration.Endpoint)
    typealias Completion = (Result<Connected, TransportError>) -> Void

    private let reactor: Reactor
    private let endpoints: [NexaConfiguration.Endpoint]
    private let deadline: MonotonicInstant
    private let memory: AddressMemory
    private var completion: Completion?
    private var addresses: [(address: SocketAddress, endpoint: NexaConfiguration.Endpoint)] = []
    private var nextEndpoint = 0
    private var isResolving = false
    private var attempts: [Attempt] = []
    private var stagger: Reactor.TimerID?
    private var lastError = TransportError("connect", code: 0)

    init(
        _ endpoints: [NexaConfiguration.Endpoint], deadline: MonotonicInstant, memory: AddressMemory,
        on reactor: Reactor, _ completion: @escaping Completion
    ) {
        self.endpoints = endpoints
        self.deadline = deadline
        self.memory = memory
        self.reactor = reactor
        self.completion = completion
    }

    func start() {
        reactor.preconditionOnThread()
        advance()
    }

    /// Gives up without a word to the completion.
    func cancel() {
        completion = nil
        finish()
    }

    /// Starts the next attempt there is.
    private func advance() {
        guard completion != nil else { return }
        if let stagger { reactor.cancel(stagger) }
        stagger = nil
        if !addresses.isEmpty {
            attempt(addresses.removeFirst())
        } else if !isResolving, nextEndpoint < endpoints.count {
            resolve(endpoints[nextEndpoint])
        } else if attempts.isEmpty, !isResolving {
            complete(.failure(lastError))
        }
    }

    private func resolve(_ endpoint: NexaConfiguration.Endpoint) {
        nextEndpoint += 1
        switch endpoint {
        case .unix(let path):
            addresses.append((.unix(path), endpoint))
            advance()
        case .tcp(let host, let port):
            guard let port = UInt16(exactly: port) else {
                lastError = TransportError("resolve", code: 0, subject: endpoint.description)
                return advance()
            }
            if let known = memory[endpoint] {
                addresses += known.map { ($0, endpoint) }
                return advance()
            }
            isResolving = true
            Resolver.resolve(host, port: port, deadline: deadline, on: reactor) { [self] result in
                isResolving = false
                switch result {
                case .success(let found):
                    memory[endpoint] = found
                    addresses += found.map { ($0, endpoint) }
                case .failure(let error): lastError = error
                }
                advance()
            }
        }
    }

    private func attempt(_ target: (address: SocketAddress, endpoint: NexaConfiguration.Endpoint)) {
        do throws(TransportError) {
            let attempt = Attempt(try StreamSocket.connect(to: target.address), target, self)
            do throws(TransportError) {
                try reactor.register(attempt.socket.descriptor, attempt, forWriting: true)
            } catch {
                attempt.socket.close()
                throw error
            }
            attempts.append(attempt)
        } catch {
            lastError = error
            return advance()
        }
        stagger = reactor.schedule(at: .now + Self.attemptDelay) { [weak self] in self?.advance() }
    }

    fileprivate func ended(_ attempt: Attempt) {
        guard completion != nil, attempts.contains(where: { $0 === attempt }) else { return }
        if let error = attempt.socket.connectError(to: attempt.target.address) {
            lastError = error
            discard(attempt)
            return advance()
        }
        attempts.removeAll { $0 === attempt }
        reactor.deregister(attempt.socket.descriptor)
        complete(.success((attempt.socket, attempt.target.address, attempt.target.endpoint)))
    }

    private func discard(_ attempt: Attempt) {
        attempts.removeAll { $0 === attempt }
        reactor.deregister(attempt.socket.descriptor)
        attempt.socket.close()
    }

    private func complete(_ result: Result<Connected, TransportError>) {
        let completion = completion
        self.completion = nil
        finish()
        completion?(result)
    }

    private func finish() {
        if let stagger { reactor.cancel(stagger) }
        stagger = nil
        addresses = []
        for attempt in attempts { discard(attempt) }
    }

    /// One socket on its way.
    fileprivate final class Attempt: EventHandler {
        let socket: StreamSocket
        let target: (address: SocketAddress, endpoint: NexaConfiguration.Endpoint)
        private let connector: Connector

        init(
            _ socket: StreamSocket, _ target: (address: SocketAddress, endpoint: NexaConfiguration.Endpoint),
            _ connector: Connector
        ) {
            self.socket = socket
            self.target = target
            self.connector = connector
        }

        func ready(_ events: Readiness) {
            connector.ended(self)
        }

        func reactorStopped() {
            socket.close()
        }
    }
}
