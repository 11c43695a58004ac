import NexaTransport

// @unchecked: used on the reactor's thread only.
/// The handshake on one connected socket, before anything else is said on it.
///
/// The connect deadline ends it: the driver then calls `cancel`.
final class TLSHandshake: EventHandler, @unchecked Sendable {
    private let socket: FilteredSocket
    private let reactor: Reactor
    private var completion: ((Result<FilteredSocket, NexaError>) -> Void)?
    private let endpoint: String

    /// Takes over the socket; it is open again for its owner only after success.
    init(
        _ socket: StreamSocket, _ filter: any StreamFilter, endpoint: String, on reactor: Reactor,
        _ completion: @escaping (Result<FilteredSocket, NexaError>) -> Void
    ) {
        self.socket = FilteredSocket(socket, filter)
        self.endpoint = endpoint
        self.reactor = reactor
        self.completion = completion
    }

    func start() {
        do throws(TransportError) {
            try reactor.register(socket.socket.descriptor, self)
        } catch {
            let completion = completion
            self.completion = nil
            socket.socket.close()
            completion?(.failure(.tlsFailed(FilterFailure("\(error)", mayPass: true), endpoint)))
            return
        }
        advance()
    }

    /// Gives up without a word to the completion.
    func cancel() {
        guard completion != nil else { return }
        completion = nil
        reactor.deregister(socket.socket.descriptor)
        socket.socket.close()
    }

    func ready(_ events: Readiness) { advance() }

    func reactorStopped() {
        guard completion != nil else { return }
        completion = nil
        socket.socket.close()
    }

    private func advance() {
        guard completion != nil else { return }
        switch socket.shakeHands() {
        case .pending(let wantsWriting): reactor.setWriteInterest(socket.socket.descriptor, wantsWriting)
        case .done: finish(.success(socket))
        case .failed(let code):
            let failure =
                socket.failure
                ?? FilterFailure(
                    "The server ended the connection in the middle of the TLS handshake (\(TransportError.words(for: code)))",
                    mayPass: true)
            finish(.failure(.tlsFailed(failure, endpoint)))
        }
    }

    private func finish(_ result: Result<FilteredSocket, NexaError>) {
        let completion = completion
        self.completion = nil
        reactor.deregister(socket.socket.descriptor)
        if case .failure = result { socket.socket.close() }
        completion?(result)
    }
}

extension ClientDriver {
    /// The socket is there: make it a safe one.
    func secure(_ lane: Lane, _ socket: StreamSocket, _ endpoint: NexaConfiguration.Endpoint) {
        let filter: any StreamFilter
        do throws(NexaError) {
            filter = try tls.filter(for: endpoint)
        } catch {
            socket.close()
            return connectFailed(lane, isFinal: true, error)
        }
        let handshake = TLSHandshake(socket, filter, endpoint: lane.endpoint, on: reactor) { [self] result in
            lane.handshake = nil
            switch result {
            case .success(let secure):
                lane.secure = secure
                reached(lane, socket, isPrivate: true)
            case .failure(let error):
                let mayPass = (error.underlying as? FilterFailure)?.mayPass ?? false
                connectFailed(lane, isFinal: !mayPass, error)
            }
        }
        lane.handshake = handshake
        handshake.start()
    }
}
