import Glibc
import NexaProtocol
import NexaTransport
import NexaValue

/// How fast the load generator would be against a server that does nothing: it sends ready replies and a
/// thread beside it sends them back. What a server reaches of this is the server; above it nothing can be seen.
enum Ceiling {
    static func measure(_ cell: Cell, seconds: Double) throws(BenchmarkError) -> Measurement {
        do throws(TransportError) {
            guard let address = SocketAddress(numericHost: "127.0.0.1", port: 0) else {
                throw TransportError("socket address", code: EINVAL)
            }
            let listener = try ListeningSocket(address: address)
            let thread = try SystemThread(name: "echo") { echo(listener, count: cell.connections) }
            let result = run(cell, seconds: seconds, port: listener.address.port ?? 0)
            thread.join()
            return try result.get()
        } catch {
            throw BenchmarkError("\(error)")
        }
    }

    /// The connections end with this function, which ends the thread of the echo.
    private static func run(_ cell: Cell, seconds: Double, port: UInt16) -> Result<Measurement, TransportError> {
        do throws(BenchmarkError) {
            var connections: [Connection<NexaReplyScanner>] = []
            for _ in 0..<cell.connections { connections.append(try Connection(port: port)) }
            var writer = MessagePackWriter()
            let document: Document = ["_id": .string(RequestTemplates.idPlaceholder), "text": .string(filler)]
            Reply.encodeFrame(document, into: &writer)
            var templates = RequestTemplates(order: .random(below: 1000), numberForm: .bigEndian)
            templates.add(writer.bytes)
            var requests = RequestSequence(templates, seed: 1)
            return .success(
                try LoadGenerator.run(
                    connections, depth: cell.depth, requests: &requests, length: .nanoseconds(Int64(seconds * 1e9))))
        } catch {
            return .failure(TransportError("echo (\(error))", code: EPROTO))
        }
    }

    private static let filler = String(repeating: "x", count: 600)

    /// Accepts `count` connections and sends back what comes in until every one has ended.
    private static func echo(_ listener: ListeningSocket, count: Int) {
        var waiting = [pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)]
        var open = 0
        var accepted = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while accepted < count || open > 0 {
            // Nobody connects any more, for whatever reason: the generator reports its side of it.
            guard poll(&waiting, nfds_t(waiting.count), 5000) > 0 else { break }
            for index in waiting.indices.dropFirst() where waiting[index].revents != 0 {
                let socket = StreamSocket(adopting: waiting[index].fd)
                if !pass(socket, &buffer) {
                    socket.close()
                    waiting[index].fd = -1
                    open -= 1
                }
            }
            if waiting[0].revents != 0, case .accepted(let socket, _) = listener.accept() {
                waiting.append(pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0))
                open += 1
                accepted += 1
            }
        }
        listener.close()
    }

    /// Sends one read's worth back; false when the connection has ended.
    private static func pass(_ socket: StreamSocket, _ buffer: inout [UInt8]) -> Bool {
        let result = buffer.withUnsafeMutableBytes { socket.read(into: $0) }
        guard case .moved(let count) = result else { return result == .wouldBlock }
        var sent = 0
        while sent < count {
            switch buffer.withUnsafeBytes({ socket.write(UnsafeRawBufferPointer(rebasing: $0[sent..<count])) }) {
            case .moved(let moved): sent += moved
            case .wouldBlock:
                var writable = pollfd(fd: socket.descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&writable, 1, 5000) > 0 else { return false }
            case .endOfStream, .failed: return false
            }
        }
        return true
    }
}
