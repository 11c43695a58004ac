import Glibc
import NexaTransport
import Synchronization
import TestKit
import Testing

/// Echoes length-prefixed messages (u32 big-endian, then the bytes).
private final class Echo: ChannelHandler {
    let closed: Promise<ChannelCloseReason>
    init(closed: Promise<ChannelCloseReason> = Promise()) { self.closed = closed }

    func channel(_ channel: Channel, received bytes: RawSpan) -> Int {
        var consumed = 0
        while bytes.byteCount - consumed >= 4 {
            if channel.isAboveHighWater {
                channel.pauseReading()
                break
            }
            let length = Int(UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: consumed, as: UInt32.self)))
            guard bytes.byteCount - consumed - 4 >= length else { break }
            channel.write(bytes.extracting(consumed..<consumed + 4 + length))
            consumed += 4 + length
        }
        return consumed
    }
    func channelDrained(_ channel: Channel) { channel.resumeReading() }
    func channelClosed(_ channel: Channel, reason: ChannelCloseReason) { closed.fulfil(reason) }
}

private func message(_ body: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: UInt32(body.count).bigEndian) { [UInt8]($0) } + body
}

/// A peer with blocking calls, for tests only.
private struct BlockingPeer {
    let socket: StreamSocket
    init(_ socket: StreamSocket) {
        self.socket = socket
        let flags = fcntl(socket.descriptor, F_GETFL)
        _ = fcntl(socket.descriptor, F_SETFL, flags & ~O_NONBLOCK)
    }
    func send(_ bytes: some Collection<UInt8>) {
        var rest = [UInt8](bytes)[...]
        while !rest.isEmpty {
            guard case .moved(let count) = rest.withUnsafeBytes({ socket.write($0) }) else { return }
            rest = rest.dropFirst(count)
        }
    }
    /// Reads exactly so many bytes, fewer at the end of the stream.
    func receive(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let result = bytes.withUnsafeMutableBytes {
                socket.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
            }
            guard case .moved(let moved) = result else { break }
            filled += moved
        }
        return Array(bytes.prefix(filled))
    }
}

extension TransportTests {
    @Suite struct ChannelTests {
        @Test(arguments: [1, 2, 3] as [UInt64])
        func everySplitOfTheBytesGivesTheSameMessages(seed: UInt64) async throws {
            var random = SplitMix64(seed: seed)
            let reactor = try Reactor()
            defer { reactor.shutdown() }
            let pair = try StreamSocket.pair()
            try await reactor.perform { _ = try Channel(pair.0, on: reactor, handler: Echo()) }
            let peer = BlockingPeer(pair.1)
            defer { pair.1.close() }
            var all: [UInt8] = []
            for _ in 0..<200 {
                let size = Int.random(in: 0..<(Bool.random(using: &random) ? 40 : 20_000), using: &random)
                all += message((0..<size).map { UInt8(truncatingIfNeeded: $0) })
            }
            let expected = all
            async let received = Task.detached { peer.receive(expected.count) }.value
            var rest = all[...]
            while !rest.isEmpty {
                let count = min(
                    rest.count, Int.random(in: 1..<(Bool.random(using: &random) ? 9 : 9000), using: &random))
                peer.send(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(await received == expected, "seed \(seed)")
        }

        @Test func aPeerThatDoesNotReadIsSlowedDownAndLosesNothing() async throws {
            let reactor = try Reactor()
            defer { reactor.shutdown() }
            let pair = try StreamSocket.pair()
            let worst = Locked(0)
            try await reactor.perform {
                let channel = try Channel(pair.0, on: reactor, handler: Echo())
                channel.highWater = 64 << 10
                channel.lowWater = 16 << 10
                reactor.setTurnEndHook { worst.withLock { $0 = max($0, channel.pendingOutput) } }
            }
            let body = [UInt8](repeating: 7, count: 10_000)
            let count = 2000
            let peer = BlockingPeer(pair.1)
            defer { pair.1.close() }
            let sender = Task.detached { for _ in 0..<count { peer.send(message(body)) } }
            let received = await Task.detached { () -> Int in
                var good = 0
                for _ in 0..<count where peer.receive(10_004) == message(body) { good += 1 }
                return good
            }.value
            await sender.value
            #expect(received == count)
            #expect(worst.withLock { $0 } < 256 << 10, "output stays near the high-water mark")
        }

        @Test func theLastReplyArrivesEvenWhenInputWasLeftUnread() async throws {
            final class Refuser: ChannelHandler {
                func channel(_ channel: Channel, received bytes: RawSpan) -> Int {
                    channel.write("no".utf8)
                    channel.closeAfterFlush()
                    return 0
                }
                func channelClosed(_ channel: Channel, reason: ChannelCloseReason) {}
            }
            let reactor = try Reactor()
            defer { reactor.shutdown() }
            let listener = try ListeningSocket(address: try #require(SocketAddress(numericHost: "127.0.0.1", port: 0)))
            try await reactor.perform {
                _ = try Listener(listener, on: reactor) { socket, peer in
                    _ = try? Channel(socket, peer: peer, on: reactor, handler: Refuser())
                }
            }
            for _ in 0..<50 {
                let socket = try StreamSocket.connect(to: listener.address)
                let answer = await Task.detached { () -> [UInt8] in
                    let peer = BlockingPeer(socket)
                    // Blocking mode was set after the connect began: wait for it first.
                    var waiting = pollfd(fd: socket.descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&waiting, 1, 5000)
                    peer.send([UInt8](repeating: 1, count: 100_000))
                    return peer.receive(3)
                }.value
                #expect(answer == Array("no".utf8))
                socket.close()
            }
        }

        @Test func unconsumedInputIsLimited() async throws {
            let reactor = try Reactor()
            defer { reactor.shutdown() }
            let pair = try StreamSocket.pair()
            let closed = Promise<ChannelCloseReason>()
            try await reactor.perform {
                let channel = try Channel(pair.0, on: reactor, handler: Echo(closed: closed))
                channel.maximumInput = 100_000
            }
            let peer = BlockingPeer(pair.1)
            let sender = Task.detached { peer.send([0x7F, 0xFF, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 500_000)) }
            #expect(await closed.value == .inputTooLarge)
            await sender.value
            pair.1.close()
        }

        /// In a process of its own, where nobody else opens descriptors.
        @Test func aThousandConnectionsAreServedAndReleased() async throws {
            await #expect(processExitsWith: .success) {
                let before = await OwnProcess.settledSockets()
                let reactor = try Reactor()
                let directory = try TemporaryDirectory()
                let address = SocketAddress.unix(directory.path + "/socket")
                let listener = try ListeningSocket(address: address)
                let closed = Locked(0)
                try await reactor.perform {
                    _ = try Listener(listener, on: reactor) { socket, _ in
                        let reason = Promise<ChannelCloseReason>()
                        _ = try? Channel(socket, on: reactor, handler: Echo(closed: reason))
                        Task {
                            _ = await reason.value
                            closed.withLock { $0 += 1 }
                        }
                    }
                }
                var peers: [BlockingPeer] = []
                for _ in 0..<1000 { peers.append(BlockingPeer(try StreamSocket.connect(to: address))) }
                let bytes = message([1, 2, 3])
                for peer in peers { peer.send(bytes) }
                for peer in peers { #expect(peer.receive(bytes.count) == bytes) }
                for peer in peers { peer.socket.close() }
                while closed.withLock({ $0 }) < 1000 { await Task.yield() }
                reactor.shutdown()
                // Not ==: the runtime closes an eventfd of its own at some time.
                #expect(OwnProcess.openSockets() <= before)
                var status = stat()
                #expect(lstat(directory.path + "/socket", &status) != 0, "the socket file is removed")
            }
        }
    }
}
