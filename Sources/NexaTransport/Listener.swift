import NexaProtocol

/// Accepts connections on a reactor and hands them over.
public final class Listener: EventHandler {
    /// Connections taken in one turn before other descriptors get theirs.
    static let acceptsPerTurn = 64
    /// Pause after the process ran out of descriptors. Waiting connections stay in the backlog meanwhile.
    static let pauseWhenExhausted: Duration = .milliseconds(100)

    private let socket: ListeningSocket
    private let reactor: Reactor
    private let onAccept: (StreamSocket, SocketAddress?) -> Void
    private let onError: (TransportError) -> Void
    private var isClosed = false
    private var isPaused = false

    /// Starts to accept. Must be called on the reactor's thread.
    ///
    /// - Parameters:
    ///   - onAccept: owns the socket it is given.
    ///   - onError: told when descriptors ran out (accepting goes on after a pause) or the listener broke.
    public init(
        _ socket: ListeningSocket, on reactor: Reactor, onError: @escaping (TransportError) -> Void = { _ in },
        onAccept: @escaping (StreamSocket, SocketAddress?) -> Void
    ) throws(TransportError) {
        self.socket = socket
        self.reactor = reactor
        self.onAccept = onAccept
        self.onError = onError
        try reactor.register(socket.descriptor, self)
    }

    /// Where the listener listens.
    public var address: SocketAddress { socket.address }

    /// Stops accepting and closes the socket. Connections already handed over are not affected.
    public func close() {
        reactor.preconditionOnThread()
        guard !isClosed else { return }
        isClosed = true
        reactor.deregister(socket.descriptor)
        socket.close()
    }

    /// Accepts those who wait.
    public func ready(_ events: Readiness) {
        acceptSome()
    }

    /// Closes the socket.
    public func reactorStopped() {
        guard !isClosed else { return }
        isClosed = true
        socket.close()
    }

    private func acceptSome() {
        guard !isClosed, !isPaused else { return }
        for _ in 0..<Self.acceptsPerTurn {
            switch socket.accept() {
            case .accepted(let connection, let peer):
                onAccept(connection, peer)
                if isClosed { return }
            case .wouldBlock: return
            case .exhausted(let error):
                onError(error)
                isPaused = true
                _ = reactor.schedule(at: .now + Self.pauseWhenExhausted) { [weak self] in
                    self?.isPaused = false
                    self?.acceptSome()
                }
                return
            case .failed(let error):
                onError(error)
                close()
                return
            }
        }
        reactor.runSoon { [weak self] in self?.acceptSome() }
    }
}
