import CNexaSystem
import Glibc

/// The outcome of one non-blocking read or write.
public enum TransferResult: Sendable, Equatable {
    /// So many bytes were moved; at least one.
    case moved(Int)
    /// Nothing can be moved now; readiness will be reported.
    case wouldBlock
    /// The peer has closed its side (reads only).
    case endOfStream
    /// The connection failed with this error number.
    case failed(CInt)
}

/// Who is at the other end of a Unix domain socket, as the kernel recorded it at `connect`.
public struct PeerCredentials: Sendable, Hashable {
    /// The effective user of the peer.
    public var userID: UInt32
    /// The effective group of the peer.
    public var groupID: UInt32
    /// The process that connected; it may have ended since.
    public var processID: Int32
}

/// A connected, or connecting, non-blocking stream socket: a thin wrapper around its descriptor.
///
/// It does not close itself; whoever owns it calls `close()` exactly once, after deregistering it.
public struct StreamSocket: Sendable, Hashable {
    /// The file descriptor. Non-blocking and closed on `exec`.
    public let descriptor: CInt

    /// Takes over a non-blocking descriptor.
    public init(adopting descriptor: CInt) { self.descriptor = descriptor }

    /// Starts to connect. Writability reports the end of it; `connectError()` tells how it went.
    public static func connect(to address: SocketAddress) throws(TransportError) -> StreamSocket {
        let descriptor = nexa_socket(address.family)
        guard descriptor >= 0 else { throw .current("socket", subject: address.description) }
        let socket = StreamSocket(adopting: descriptor)
        if !address.isUnix { _ = nexa_set_no_delay(descriptor) }
        do throws(TransportError) {
            try address.withSystemAddress { (raw, length) throws(TransportError) in
                while nexa_connect(descriptor, raw, length) != 0 {
                    switch errno {
                    case EINTR: continue
                    case EINPROGRESS, EALREADY, EISCONN: return
                    default: throw .current("connect", subject: address.description)
                    }
                }
            }
        } catch {
            socket.close()
            throw error
        }
        return socket
    }

    /// Two sockets connected to each other.
    public static func pair() throws(TransportError) -> (StreamSocket, StreamSocket) {
        var descriptors: (CInt, CInt) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &descriptors) {
            nexa_socketpair($0.assumingMemoryBound(to: CInt.self).baseAddress!)
        }
        guard result == 0 else { throw .current("socketpair") }
        return (StreamSocket(adopting: descriptors.0), StreamSocket(adopting: descriptors.1))
    }

    /// How a connect ended: `nil` for well, otherwise the error.
    public func connectError(to subject: SocketAddress? = nil) -> TransportError? {
        let code = nexa_socket_error(descriptor)
        return code == 0 ? nil : TransportError("connect", code: code, subject: subject?.description)
    }

    /// Lets the kernel give the connection up when sent bytes stay unacknowledged for this long.
    public func setUserTimeout(_ timeout: Duration) {
        let milliseconds = max(1, min(timeout / .milliseconds(1), Double(UInt32.max)))
        _ = nexa_set_user_timeout(descriptor, UInt32(milliseconds))
    }

    /// Reads what is there, at most as much as fits. The buffer must not be empty.
    public func read(into buffer: UnsafeMutableRawBufferPointer) -> TransferResult {
        guard let base = buffer.baseAddress, buffer.count > 0 else { return .wouldBlock }
        while true {
            let count = nexa_receive(descriptor, base, buffer.count)
            if count > 0 { return .moved(count) }
            if count == 0 { return .endOfStream }
            if errno == EINTR { continue }
            return errno == EAGAIN || errno == EWOULDBLOCK ? .wouldBlock : .failed(errno)
        }
    }

    /// Writes what the kernel takes; never raises SIGPIPE. The buffer must not be empty.
    public func write(_ buffer: UnsafeRawBufferPointer) -> TransferResult {
        guard let base = buffer.baseAddress, buffer.count > 0 else { return .wouldBlock }
        while true {
            let count = nexa_send(descriptor, base, buffer.count)
            if count >= 0 { return .moved(count) }
            if errno == EINTR { continue }
            return errno == EAGAIN || errno == EWOULDBLOCK ? .wouldBlock : .failed(errno)
        }
    }

    /// Tells the peer that no more bytes will come.
    public func shutdownWriting() {
        _ = Glibc.shutdown(descriptor, CInt(SHUT_WR))
    }

    /// Ends both directions; a reader on any thread sees the end. The descriptor stays open.
    public func shutdownBoth() {
        _ = Glibc.shutdown(descriptor, CInt(SHUT_RDWR))
    }

    /// Closes the descriptor.
    public func close() {
        // Not repeated after EINTR: Linux has released the descriptor by then.
        _ = Glibc.close(descriptor)
    }

    /// The process at the other end of a Unix domain socket; `nil` for other sockets.
    public var peerCredentials: PeerCredentials? {
        var credentials = PeerCredentials(userID: .max, groupID: .max, processID: 0)
        guard
            nexa_peer_credentials(
                descriptor, &credentials.userID, &credentials.groupID, &credentials.processID) == 0,
            credentials.processID != 0
        else { return nil }
        return credentials
    }
}
