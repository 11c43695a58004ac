import Glibc
import NexaTransport

/// One connection of the load generator: a non-blocking socket with its two buffers.
final class Connection<Scanner: ReplyScanner> {
    /// How long a server may be silent while it owes a reply.
    static var patience: CInt { 30_000 }

    let socket: StreamSocket
    /// Bytes to send; `sent` of them are gone.
    var output: [UInt8] = []
    private var sent = 0
    private var scanner = Scanner()
    /// Received bytes; `start..<end` wait to be understood.
    private var input = [UInt8](repeating: 0, count: 1 << 18)
    private var start = 0
    private var end = 0

    /// Connects over loopback and waits until it is done.
    init(port: UInt16) throws(BenchmarkError) {
        guard let address = SocketAddress(numericHost: "127.0.0.1", port: port) else {
            throw BenchmarkError("port \(port) is none")
        }
        do throws(TransportError) {
            socket = try StreamSocket.connect(to: address)
        } catch {
            throw BenchmarkError("\(error)")
        }
        var waiting = pollfd(fd: socket.descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&waiting, 1, Self.patience)
        if let error = socket.connectError(to: address) {
            socket.close()
            throw BenchmarkError("\(error)")
        }
    }

    deinit { socket.close() }

    /// Why the last failed reply failed.
    var failure: String? { scanner.failure }

    /// What the socket must be ready for.
    var interest: Int16 { Int16(sent < output.count ? POLLIN | POLLOUT : POLLIN) }

    /// Sends what the kernel takes now.
    func flush() throws(BenchmarkError) {
        while sent < output.count {
            let result = output.withUnsafeBytes { socket.write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
            switch result {
            case .moved(let count): sent += count
            case .wouldBlock: return
            case .endOfStream: throw BenchmarkError("the server closed the connection")
            case .failed(let code): throw BenchmarkError("send: \(TransportError.words(for: code))")
            }
        }
        output.removeAll(keepingCapacity: true)
        sent = 0
    }

    /// Receives what is there, at most as much as fits.
    ///
    /// - Returns: the number of bytes.
    @discardableResult
    func receive() throws(BenchmarkError) -> Int {
        if start == end {
            start = 0
            end = 0
        } else if end == input.count {
            // Only the first piece of a reply is moved; a reply larger than the buffer makes it grow.
            if start > 0 {
                input.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
                end -= start
                start = 0
            }
            if end > input.count / 2 { input.append(contentsOf: repeatElement(0, count: input.count)) }
        }
        let result = input.withUnsafeMutableBytes {
            socket.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[end...]))
        }
        switch result {
        case .moved(let count):
            end += count
            return count
        case .wouldBlock: return 0
        case .endOfStream: throw BenchmarkError("the server closed the connection")
        case .failed(let code): throw BenchmarkError("receive: \(TransportError.words(for: code))")
        }
    }

    /// The outcome of the next reply, or `nil` when it has not arrived whole.
    func nextReply() throws(BenchmarkError) -> ReplyOutcome? {
        let bytes = input
        return try scanner.next(in: bytes.span.extracting(0..<end), at: &start)
    }

    /// Sends a request and waits for its reply, for everything that is not measured.
    ///
    /// - Returns: the bytes of the reply.
    /// - Throws: also when the reply says that the request failed.
    func exchange(_ request: [UInt8]) throws(BenchmarkError) -> [UInt8] {
        output.append(contentsOf: request)
        var reply: [UInt8] = []
        while true {
            try flush()
            let before = start
            let outcome = try nextReply()
            reply.append(contentsOf: input[before..<start])
            if let outcome {
                guard outcome == .success else { throw BenchmarkError(failure ?? "refused without a word") }
                return reply
            }
            var waiting = pollfd(fd: socket.descriptor, events: interest, revents: 0)
            guard poll(&waiting, 1, Self.patience) != 0 else {
                throw BenchmarkError("no reply within \(Self.patience / 1000) s")
            }
            if waiting.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { try receive() }
        }
    }
}
