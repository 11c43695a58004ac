import Glibc
import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// Accepts connections on the first reactor and spreads them over all.
final class Acceptor: Sendable {
    private let shared: ServerShared
    private let contexts: [ReactorContext]
    private let lifecycle: Lifecycle
    private let turn = Atomic<Int>(0)

    init(shared: ServerShared, contexts: [ReactorContext], lifecycle: Lifecycle) {
        self.shared = shared
        self.contexts = contexts
        self.lifecycle = lifecycle
    }

    /// Where a listener listens, and how to end it.
    struct Listening {
        var port: UInt16?
        var close: @Sendable () -> Void
    }

    /// Listens on a TCP address; a name is resolved to its first address.
    func listen(host: String, port: UInt16) throws(ServerError) -> Listening {
        let numeric = host == "localhost" ? "127.0.0.1" : host
        guard let address = SocketAddress(numericHost: numeric, port: port) else {
            throw ServerError(
                .invalidConfiguration, "'\(host)' is not an IP address; use for example 127.0.0.1, ::1 or 0.0.0.0")
        }
        return try listen(address, describedAs: "\(host):\(port)")
    }

    /// Listens on a Unix socket that only this user may open. A socket left behind by a dead server is replaced.
    func listen(path: String) throws(ServerError) -> Listening {
        // The lock on the data directory is ours by now, so no living server of these data owns the socket.
        if (try? StreamSocket.connect(to: .unix(path)))?.close() == nil { unlink(path) }
        var listening = try listen(.unix(path), describedAs: path)
        let close = listening.close
        listening.close = {
            close()
            unlink(path)
        }
        return listening
    }

    private func listen(_ address: SocketAddress, describedAs name: String) throws(ServerError) -> Listening {
        do throws(TransportError) {
            let socket = try ListeningSocket(address: address)
            let port = socket.address.port
            let listener = ListenerBox()
            contexts[0].reactor.execute { [self] in
                do throws(TransportError) {
                    listener.listener = try Listener(
                        socket, on: contexts[0].reactor,
                        onError: { [log = shared.configuration.log] error in
                            log(.error, "cannot accept connections", [("reason", "\(error)")])
                        },
                        onAccept: { [self] socket, peer in accept(socket, peer: peer) })
                } catch {
                    shared.configuration.log(.error, "cannot accept connections", [("reason", "\(error)")])
                    socket.close()
                }
            }
            return Listening(port: port) { [reactor = contexts[0].reactor] in
                reactor.execute { listener.close() }
            }
        } catch {
            throw ServerError(.cannotListen, "Cannot listen on \(name): \(error)")
        }
    }

    private func accept(_ socket: StreamSocket, peer: SocketAddress?) {
        lifecycle.hasConnection()
        let count = shared.connectionCount.add(1, ordering: .acquiringAndReleasing).newValue
        guard count <= shared.configuration.maximumConnections else {
            refuse(socket, peer)
            return
        }
        let isTrustedPeer = peer?.isUnix != false && socket.peerCredentials?.userID == geteuid()
        let index = turn.add(1, ordering: .relaxed).oldValue % contexts.count
        let context = contexts[index]
        if context.reactor.isOnThread {
            context.accept(socket, peer: peer, isTrustedPeer: isTrustedPeer)
        } else if !context.reactor.execute({ context.accept(socket, peer: peer, isTrustedPeer: isTrustedPeer) }) {
            refuse(socket, peer)
        }
    }

    /// Too many connections: says so, so that the client does not wait in silence. Behind TLS that would take a
    /// handshake, and the close has to do.
    private func refuse(_ socket: StreamSocket, _ peer: SocketAddress?) {
        defer {
            socket.close()
            _ = shared.connectionCount.subtract(1, ordering: .acquiringAndReleasing)
        }
        guard shared.tls == nil || peer?.isUnix != false else { return }
        var writer = MessagePackWriter()
        Reply.encodeError(
            "Too many connections (limit \(shared.configuration.maximumConnections)); close some or raise the limit",
            code: .overloaded, into: &writer)
        writer.span.withUnsafeBytes { _ = socket.write($0) }
    }
}

/// Holds a listener for the reactor whose thread alone uses it.
private final class ListenerBox: @unchecked Sendable {
    // Unchecked: only touched on the reactor's thread.
    var listener: Listener?

    func close() {
        listener?.close()
        listener = nil
    }
}
