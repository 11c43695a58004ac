import CNexaSystem
import Glibc

/// The outcome of one non-blocking accept.
public enum AcceptResult: Sendable {
    /// A connection and where it came from (`nil` for an unnamed Unix socket).
    case accepted(StreamSocket, SocketAddress?)
    /// Nobody is waiting; readiness will be reported.
    case wouldBlock
    /// The process or the system is out of descriptors or memory. Connections keep waiting in the backlog;
    /// accepting again at once would spin, so pause first (as `Listener` does).
    case exhausted(TransportError)
    /// The listening socket itself is broken.
    case failed(TransportError)
}

/// A socket that accepts connections.
public struct ListeningSocket: Sendable {
    /// Connections the kernel may hold ready (it applies `net.core.somaxconn` as well).
    public static let backlog: CInt = 4096

    /// The file descriptor. Non-blocking and closed on `exec`.
    public let descriptor: CInt
    /// Where the socket listens; the real port when 0 was asked for.
    public let address: SocketAddress

    /// Starts to listen.
    ///
    /// A Unix socket file left behind by a process that no longer listens is replaced; one that is in use
    /// is reported as `EADDRINUSE`. The file is created with exactly `permissions`.
    ///
    /// - Parameters:
    ///   - address: an IP address (port 0 picks a free one) or a path.
    ///   - permissions: the mode of a Unix socket's file. Connecting needs write permission.
    public init(address: SocketAddress, permissions: mode_t = 0o600) throws(TransportError) {
        let descriptor = nexa_socket(address.family)
        guard descriptor >= 0 else { throw .current("socket", subject: address.description) }
        do throws(TransportError) {
            if address.isUnix {
                // Linux takes the mode of the file from the socket's inode, so there is no moment in which
                // the file is open to others.
                guard fchmod(descriptor, permissions) == 0 else {
                    throw .current("fchmod", subject: address.description)
                }
                try Self.removeStaleFile(at: address)
            } else {
                _ = nexa_set_reuse_address(descriptor)
                if address.family == AF_INET6 { _ = nexa_set_ipv6_only(descriptor) }
            }
            try address.withSystemAddress { (raw, length) throws(TransportError) in
                guard nexa_bind(descriptor, raw, length) == 0 else {
                    throw .current("bind", subject: address.description)
                }
            }
            guard listen(descriptor, Self.backlog) == 0 else { throw .current("listen", subject: address.description) }
        } catch {
            _ = Glibc.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        if address.isUnix {
            self.address = address
        } else {
            var system = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let known = nexa_local_address(descriptor, &system, &length) == 0
            self.address = (known ? SocketAddress(system: system, length: length) : nil) ?? address
        }
    }

    /// Takes one connection, if one is waiting. TCP connections get `TCP_NODELAY`.
    public func accept() -> AcceptResult {
        while true {
            var system = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let accepted = nexa_accept(descriptor, &system, &length)
            if accepted >= 0 {
                if !address.isUnix { _ = nexa_set_no_delay(accepted) }
                let peer = SocketAddress(system: system, length: length)
                return .accepted(StreamSocket(adopting: accepted), peer?.path == "" ? nil : peer)
            }
            switch errno {
            // The peer went away while it waited, or the network said something about one connection.
            case EINTR, ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
                ENETUNREACH:
                continue
            case EAGAIN: return .wouldBlock
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(.current("accept"))
            default: return .failed(.current("accept"))
            }
        }
    }

    /// Closes the descriptor and removes the file of a Unix socket.
    public func close() {
        // The file first: once the descriptor is closed another process may put its own file there.
        if let path = address.path { unlink(path) }
        _ = Glibc.close(descriptor)
    }

    /// Removes a socket file that nobody listens on. Anything else at that path is left alone.
    private static func removeStaleFile(at address: SocketAddress) throws(TransportError) {
        guard let path = address.path else { return }
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        let probe: StreamSocket
        do throws(TransportError) {
            probe = try StreamSocket.connect(to: address)
        } catch {
            if error.code == ECONNREFUSED { unlink(path) }
            return
        }
        probe.close()
        throw TransportError("bind", code: EADDRINUSE, subject: address.description)
    }
}
