import NexaTransport
import Synchronization

/// A proxy in front of a server that cuts connections after random numbers of bytes, in either direction.
///
/// What lies before the cut arrives, so a request may be executed and its reply lost. The same seed draws the
/// same numbers; which connection gets which depends on the schedule of the test.
public final class FaultyLink: Sendable {
    /// The port on 127.0.0.1 that clients connect to.
    public let port: Int
    /// How many connections have been cut.
    public var cutCount: Int { state.withLock { $0.cuts } }

    private struct State {
        var random: UInt64
        var cuts = 0
        var isHealed = false
    }

    private let reactor: Reactor
    private let state: Mutex<State>
    private let target: SocketAddress
    private let bytesUntilCut: ClosedRange<Int>
    private let cutsRequests: Bool

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - target: the server.
    ///   - seed: what the random numbers follow from.
    ///   - bytesUntilCut: how much of one direction passes before a connection is cut.
    ///   - cutsRequests: whether that may be what the client sends; otherwise it is what the server sends.
    public init(to target: SocketAddress, seed: UInt64, bytesUntilCut: ClosedRange<Int>, cutsRequests: Bool = true)
        throws
    {
        guard let address = SocketAddress(numericHost: "127.0.0.1", port: 0) else {
            throw ScriptError("127.0.0.1 is no address here")
        }
        let socket = try ListeningSocket(address: address)
        port = Int(socket.address.port ?? 0)
        self.target = target
        self.bytesUntilCut = bytesUntilCut
        self.cutsRequests = cutsRequests
        state = Mutex(State(random: seed))
        let reactor = try Reactor(name: "faulty-link")
        self.reactor = reactor
        reactor.execute { [weak self] in
            _ = try? Listener(socket, on: reactor) { connection, _ in
                guard let self else { return connection.close() }
                self.accept(connection)
            }
        }
    }

    /// Cuts no further connection.
    public func heal() {
        state.withLock { $0.isHealed = true }
    }

    /// Closes everything at once.
    public func stop() {
        reactor.shutdown()
    }

    private func accept(_ connection: StreamSocket) {
        guard let server = try? StreamSocket.connect(to: target) else { return connection.close() }
        let (isUpstream, budget) = (draw(2) == 0 && cutsRequests, bytesUntilCut.lowerBound + draw(bytesUntilCut.count))
        let up = Pipe(self, budget: isUpstream ? budget : .max)
        let down = Pipe(self, budget: isUpstream ? .max : budget)
        guard let client = try? Channel(connection, on: reactor, handler: up) else { return server.close() }
        guard let upstream = try? Channel(server, on: reactor, handler: down) else { return client.close() }
        up.other = upstream
        down.other = client
    }

    /// A number below `count`, after SplitMix64.
    private func draw(_ count: Int) -> Int {
        state.withLock { state in
            state.random &+= 0x9E37_79B9_7F4A_7C15
            var bits = state.random
            bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
            bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
            return Int((bits ^ (bits >> 31)) % UInt64(count))
        }
    }

    /// Whether the connection shall be cut now.
    fileprivate func cuts() -> Bool {
        state.withLock { state in
            guard !state.isHealed else { return false }
            state.cuts += 1
            return true
        }
    }

    /// One direction of one connection; on the reactor's thread only.
    private final class Pipe: ChannelHandler {
        private let link: FaultyLink
        private var budget: Int
        var other: Channel?

        init(_ link: FaultyLink, budget: Int) {
            self.link = link
            self.budget = budget
        }

        func channel(_ channel: Channel, received bytes: RawSpan) -> Int {
            guard bytes.byteCount >= budget, link.cuts() else {
                budget = budget == .max ? .max : max(1, budget - bytes.byteCount)
                other?.write(bytes)
                other?.flushNow()
                return bytes.byteCount
            }
            other?.write(bytes.extracting(first: budget))
            other?.flushNow()
            // The other side sees an orderly end, this one may see a reset.
            other?.close()
            channel.close()
            return bytes.byteCount
        }

        func channelReachedEnd(_ channel: Channel) {
            other?.closeAfterFlush()
            channel.close()
        }

        func channelClosed(_ channel: Channel, reason: ChannelCloseReason) {
            let other = other
            self.other = nil
            other?.closeAfterFlush()
        }
    }
}
