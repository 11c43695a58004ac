import NexaEngine
import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// What the sessions of all reactors share.
final class ServerShared: Sendable {
    let configuration: NexaServer.Configuration
    let startTime = ContinuousClock.now
    let engine: Engine
    let workers: WorkerPool
    let changes: ChangeHub
    let userChanges: UserChangeHub
    let throttle = LoginThrottle()
    /// `nil` for a server without TLS.
    let tls: ServerTLS?
    /// Open connections of all reactors.
    let connectionCount = Atomic<Int>(0)
    /// The grace time is over: long queries give up.
    let isStopping = Atomic<Bool>(false)
    /// Called after a connection was closed, with the number of those left.
    let onClose: @Sendable (Int) -> Void

    init(
        _ configuration: NexaServer.Configuration, engine: Engine, workers: WorkerPool, changes: ChangeHub,
        userChanges: UserChangeHub,
        tls: ServerTLS?,
        onClose: @escaping @Sendable (Int) -> Void
    ) {
        self.configuration = configuration
        self.engine = engine
        self.workers = workers
        self.changes = changes
        self.userChanges = userChanges
        self.tls = tls
        self.onClose = onClose
    }
}

/// One reactor of a server, with its sessions and its scratch memory.
final class ReactorContext: @unchecked Sendable {
    // Unchecked: everything that changes is only used on the reactor's thread.
    let shared: ServerShared
    let reactor: Reactor
    private var sessions: [ObjectIdentifier: Session] = [:]
    // Every reply goes through it, one at a time: checking that at run time costs more than writing the head.
    @exclusivity(unchecked) private var writer = MessagePackWriter(capacity: 4096)
    private var isDraining = false
    private let waker = ChangeHub.Waker()
    private var waitingForChanges: [ObjectIdentifier: Session] = [:]

    init(_ shared: ServerShared, reactor: Reactor) {
        self.shared = shared
        self.reactor = reactor
        // Writes that arrived in one turn are committed together.
        reactor.execute { [engine = shared.engine] in
            reactor.setTurnEndHook { engine.flushPending() }
        }
        shared.changes.add(waker) { [weak self] in
            guard let self else { return }
            self.reactor.execute { self.wakeSubscribers() }
        }
        shared.userChanges.add { [weak self] in
            guard let self else { return }
            self.reactor.execute { self.usersChanged() }
        }
    }

    /// Gives a reused, empty writer to encode one reply into.
    func withWriter(_ body: (inout MessagePackWriter) -> Void) {
        body(&writer)
        writer.removeAll(keepingAtMost: 64 << 10)
    }

    /// Has `pumpChanges` called after the next commit. The caller then looks whether there was one just before.
    func waitForChanges(_ session: Session) {
        waitingForChanges[ObjectIdentifier(session)] = session
        shared.changes.arm(waker)
    }

    private func wakeSubscribers() {
        let woken = waitingForChanges
        waitingForChanges.removeAll(keepingCapacity: true)
        for session in woken.values { session.changesArrived() }
    }

    /// Forgets `waitForChanges`.
    func stopWaiting(_ session: Session) {
        waitingForChanges[ObjectIdentifier(session)] = nil
    }

    /// Takes over an accepted socket, on this reactor's thread.
    func accept(_ socket: StreamSocket, peer: SocketAddress?, isTrustedPeer: Bool) {
        guard !isDraining else {
            close(socket)
            return
        }
        let session = Session(self, isTrustedPeer: isTrustedPeer)
        do throws(TransportError) {
            try session.open(socket, peer: peer)
            sessions[ObjectIdentifier(session)] = session
        } catch {
            shared.configuration.log(.warning, "connection lost while accepting it", [("reason", "\(error)")])
            released()
        }
    }

    /// Lets every session answer what it received, then close.
    func drain() {
        isDraining = true
        for session in sessions.values { session.drain() }
    }

    func closed(_ session: Session) {
        if sessions.removeValue(forKey: ObjectIdentifier(session)) != nil { released() }
    }

    /// Some user was changed: whoever may no longer be here goes.
    func usersChanged() {
        for session in sessions.values { session.usersChanged() }
    }

    private func close(_ socket: StreamSocket) {
        socket.close()
        released()
    }

    private func released() {
        let left = shared.connectionCount.subtract(1, ordering: .acquiringAndReleasing).newValue
        shared.onClose(left)
    }
}
