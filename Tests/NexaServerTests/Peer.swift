import Glibc
import NexaProtocol
import NexaTransport
import NexaValue
import Testing

/// A blocking peer that sends and reads exactly what a test says, over NexaDB's own frames.
final class Peer {
    let descriptor: CInt
    private var buffer: [UInt8] = []

    struct Gone: Error, CustomStringConvertible {
        var description: String
    }

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Gone(description: "connect: errno \(errno)") }
        var one: CInt = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(4))
        // A test that waits for an answer that never comes fails instead of hanging.
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                Glibc.send(descriptor, raw.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Gone(description: "send: errno \(errno)") }
            sent += count
        }
    }

    func send(_ request: Request) throws { try send(Self.frame(request)) }

    static func frame(_ request: Request) -> [UInt8] {
        var writer = MessagePackWriter()
        request.encodeFrame(into: &writer)
        return writer.bytes
    }

    static func frame(type: UInt8, payload: [UInt8]) -> [UInt8] {
        var writer = MessagePackWriter()
        let start = writer.beginFrame(MessageType(rawValue: type))
        writer.writeRaw(payload)
        writer.endFrame(start)
        return writer.bytes
    }

    /// The next frame, or `nil` when the server closed.
    func receive() throws -> (type: MessageType, fields: Document)? {
        guard let (type, payload) = try receiveBytes() else { return nil }
        return (type, try MessagePack.decodeDocument(payload))
    }

    /// The next frame with its payload as it came, or `nil` when the server closed.
    func receiveBytes() throws -> (type: MessageType, payload: [UInt8])? {
        while true {
            let arrived = buffer
            if let frame = try FrameDecoder().frame(in: arrived.span.bytes, at: 0) {
                buffer.removeFirst(frame.payload.upperBound)
                return (frame.header.type, Array(arrived[frame.payload]))
            }
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 { return nil }
            guard count > 0 else {
                if errno == ECONNRESET { return nil }
                throw Gone(description: "recv: errno \(errno)")
            }
            buffer.append(contentsOf: chunk[..<count])
        }
    }

    @discardableResult
    func ask(_ request: Request) throws -> (type: MessageType, fields: Document) {
        try send(request)
        guard let reply = try receive() else { throw Gone(description: "the server closed the connection") }
        return reply
    }

    @discardableResult
    func logIn(
        username: String = "root", password: String = "secret", capabilities: [Capability] = Capability.all
    ) throws -> Peer {
        let reply = try ask(.connect(.init(username: username, password: password, capabilities: capabilities)))
        guard reply.type == .success else { throw Gone(description: "login: \(reply.fields)") }
        return self
    }
}

extension Request.Namespace {
    static let films = Request.Namespace(database: "default", collection: "films")
}

func encoded(_ document: Document) -> [UInt8] { MessagePack.encode(document) }
