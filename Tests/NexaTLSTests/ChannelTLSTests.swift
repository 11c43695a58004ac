import NexaTLS
import NexaTransport
import Synchronization
import TestKit
import Testing

/// A channel behind TLS, against a client that reads when the test says so.
@Suite(.timeLimit(.minutes(20))) struct ChannelTLSTests {
    // @unchecked: used on the reactor's thread only, apart from the two promises and the flag.
    private final class Handler: ChannelHandler, @unchecked Sendable {
        let drained = Promise<Int>()
        let closed = Promise<ChannelCloseReason>()
        let received = Collector<UInt8>()

        func channel(_ channel: Channel, received bytes: RawSpan) -> Int {
            bytes.withUnsafeBytes { for byte in $0 { received.add(byte) } }
            return bytes.byteCount
        }

        func channelDrained(_ channel: Channel) { drained.fulfil(channel.pendingOutput) }

        func channelClosed(_ channel: Channel, reason: ChannelCloseReason) { closed.fulfil(reason) }
    }

    /// The two ends, hands shaken.
    private func connect(
        _ reactor: Reactor, _ handler: Handler, then body: @escaping @Sendable (Channel) -> Void
    ) async throws -> FilteredSocket {
        let server = try TLSContext.server(
            certificateFile: TestCertificates.file("server.pem"), keyFile: TestCertificates.file("server.key"))
        let client = try TLSContext.client(caFile: TestCertificates.file("ca.pem"))
        let (near, far) = try StreamSocket.pair()
        let filter = try server.acceptedConnection()
        reactor.execute {
            guard let channel = try? Channel(far, filter: filter, on: reactor, handler: handler) else { return }
            body(channel)
        }
        let socket = FilteredSocket(near, try client.connection(to: "localhost"))
        while socket.shakeHands() != .done { await Task.yield() }
        return socket
    }

    private func read(_ socket: FilteredSocket) -> (bytes: [UInt8], result: TransferResult) {
        var buffer = [UInt8](repeating: 0, count: 100_000)
        let result = buffer.withUnsafeMutableBytes { socket.read(into: $0).result }
        guard case .moved(let count) = result else { return ([], result) }
        return (Array(buffer[..<count]), result)
    }

    @Test func outputWaitsForASlowReaderAndItsEndIsSaid() async throws {
        let reactor = try Reactor()
        let handler = Handler()
        let sent = (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let full = Promise<Bool>()
        // Written before the handshake has begun: it waits for that.
        let socket = try await connect(reactor, handler) { channel in
            channel.write(sent)
            full.fulfil(channel.isAboveHighWater)
        }
        #expect(await full.value)
        #expect(!handler.drained.isFulfilled)
        var arrived: [UInt8] = []
        while arrived.count < sent.count {
            let (bytes, result) = read(socket)
            arrived += bytes
            if case .failed(let code) = result { Issue.record("errno \(code)") }
            await Task.yield()
        }
        #expect(arrived == sent)
        #expect(await handler.drained.value <= 256 << 10)
        reactor.execute { socket.endWriting() }
        #expect(await handler.closed.value == .endOfStream)
        var last = TransferResult.wouldBlock
        while last == .wouldBlock { last = read(socket).result }
        #expect(last == .endOfStream)
        socket.socket.close()
        reactor.shutdown()
    }

    /// Without close_notify nobody knows whether somebody cut the end off.
    @Test func aConnectionThatIsCutIsNoEnd() async throws {
        let reactor = try Reactor()
        let handler = Handler()
        let socket = try await connect(reactor, handler) { _ in }
        var written = TransferResult.wouldBlock
        while written == .wouldBlock { written = [UInt8]([1, 2, 3]).withUnsafeBytes { socket.write($0) } }
        while handler.received.count < 3 { await Task.yield() }
        socket.socket.close()
        guard case .failed = await handler.closed.value else {
            Issue.record("it looked like an end")
            return
        }
        #expect(handler.received.all == [1, 2, 3])
        reactor.shutdown()
    }
}
