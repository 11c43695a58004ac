public import NexaProtocol
import NexaTransport
public import NexaValue
import Synchronization

/// A server that does exactly what a test says, byte by byte.
///
/// ```swift
/// let server = try ScriptedServer { peer in
///     try await peer.login()
///     _ = try await peer.receive(.ping)
///     peer.reply(["status": "ok"], as: .pong)
///     peer.cut()
/// }
/// defer { server.stop() }
/// ```
///
/// The script runs once for each connection, in a task of its own. When it returns or throws, the connection
/// is closed.
public final class ScriptedServer: Sendable {
    /// The port on 127.0.0.1.
    public let port: Int
    /// How many connections have been accepted.
    public var connectionCount: Int { accepted.withLock { $0 } }

    private let reactor: Reactor
    private let accepted = Mutex(0)

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - port: 0 picks a free one.
    ///   - script: what to do with each connection.
    public init(
        port: Int = 0, _ script: @escaping @Sendable (ScriptedPeer) async throws -> Void
    ) throws {
        let address = SocketAddress(numericHost: "127.0.0.1", port: UInt16(port))
        guard let address else { throw ScriptError("127.0.0.1 is no address here") }
        let socket = try ListeningSocket(address: address)
        self.port = Int(socket.address.port ?? 0)
        let reactor = try Reactor(name: "scripted-server")
        self.reactor = reactor
        reactor.execute { [weak self] in
            _ = try? Listener(socket, on: reactor) { connection, _ in
                self?.accepted.withLock { $0 += 1 }
                let peer = ScriptedPeer(reactor)
                guard let channel = try? Channel(connection, on: reactor, handler: peer) else { return }
                peer.attach(channel)
                Task {
                    try? await script(peer)
                    peer.finish()
                }
            }
        }
    }

    /// Closes everything at once.
    public func stop() {
        reactor.shutdown()
    }
}

/// Why a script cannot go on.
public struct ScriptError: Error, Sendable, CustomStringConvertible {
    /// What happened.
    public let description: String
    init(_ description: String) { self.description = description }
}

/// A request as a script received it.
public struct ScriptedRequest: Sendable {
    /// The type of the frame.
    public let type: MessageType
    /// The decoded payload; a vector is the list of its numbers, packed or not.
    public let fields: Document
    /// The payload as it came.
    public let payload: [UInt8]
}

// @unchecked: `channel` and `drainWaiters` belong to the reactor's thread, the rest is guarded by the mutex.
/// The script's side of one connection.
public final class ScriptedPeer: ChannelHandler, @unchecked Sendable {
    private struct State {
        var requests: [ScriptedRequest] = []
        var waiter: CheckedContinuation<ScriptedRequest, any Error>?
        var isClosed = false
    }

    private let reactor: Reactor
    private let state = Mutex(State())
    private var channel: Channel?
    private var drainWaiters: [CheckedContinuation<Void, Never>] = []

    init(_ reactor: Reactor) { self.reactor = reactor }

    func attach(_ channel: Channel) { self.channel = channel }

    // MARK: What a script does

    /// Waits for the next request.
    ///
    /// - Throws: `ScriptError` when the client closes first, or the request is of another type than expected.
    @discardableResult
    public func receive(_ expected: MessageType? = nil) async throws -> ScriptedRequest {
        let request = try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state -> Result<ScriptedRequest, any Error>? in
                if !state.requests.isEmpty { return .success(state.requests.removeFirst()) }
                if state.isClosed { return .failure(ScriptError("the client closed the connection")) }
                state.waiter = continuation
                return nil
            }
            if let result { continuation.resume(with: result) }
        }
        if let expected, expected != request.type {
            throw ScriptError("expected \(expected), received \(request.type)")
        }
        return request
    }

    /// Answers CONNECT as a server of this version that grants everything, or what is given. It checks no password;
    /// without `scram` among the capabilities it wants to see one, as servers of 3.0 do.
    public func login(capabilities: [Capability] = Capability.all, version: String? = "4.0.0") async throws {
        let connect = try await receive(.connect)
        if !capabilities.contains(.scram), connect.fields["password"] == nil {
            reply(["error": "Missing 'username' or 'password' field in CONNECT message"], as: .error)
            try await receive(.connect)
        }
        sendBytes(Self.loginFrame(capabilities: capabilities, version: version))
    }

    /// The bytes of the answer to CONNECT.
    public static func loginFrame(
        capabilities: [Capability] = Capability.all, version: String? = "4.0.0"
    ) -> [UInt8] {
        var writer = MessagePackWriter()
        Reply.Connected(username: "root", role: "admin", capabilities: capabilities, serverVersion: version)
            .encodeFrame(into: &writer)
        return writer.bytes
    }

    /// Sends a reply.
    public func reply(_ fields: Document, as type: MessageType = .success) {
        sendBytes(Self.frame(fields, as: type))
    }

    /// The bytes of a reply.
    public static func frame(_ fields: Document, as type: MessageType = .success) -> [UInt8] {
        var writer = MessagePackWriter()
        Reply.encodeFrame(fields, as: type, into: &writer)
        return writer.bytes
    }

    /// Sends bytes as they are, in one piece.
    public func sendBytes(_ bytes: [UInt8]) {
        reactor.execute { [self] in
            channel?.write(bytes)
            channel?.flushNow()
        }
    }

    /// Sends bytes and waits until the client's side has taken nearly all of them.
    public func sendAndDrain(_ bytes: [UInt8]) async {
        await withCheckedContinuation { continuation in
            let isRunning = reactor.execute { [self] in
                guard let channel, channel.isOpen else { return continuation.resume() }
                channel.highWater = 0
                channel.lowWater = 0
                channel.write(bytes)
                channel.flushNow()
                guard channel.pendingOutput > 0 else { return continuation.resume() }
                drainWaiters.append(continuation)
            }
            if !isRunning { continuation.resume() }
        }
    }

    /// Tells a script that waits for it.
    public func channelDrained(_ channel: Channel) {
        let waiters = drainWaiters
        drainWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// Closes the connection at once, after everything sent so far.
    public func cut() {
        reactor.execute { [self] in channel?.close() }
    }

    /// Does nothing until the client closes the connection.
    public func stall() async {
        while (try? await receive()) != nil {}
    }

    func finish() {
        reactor.execute { [self] in channel?.closeAfterFlush() }
    }

    // MARK: What happens

    /// Cuts frames off the bytes and keeps them for the script.
    public func channel(_ channel: Channel, received bytes: RawSpan) -> Int {
        var offset = 0
        let decoder = FrameDecoder()
        while let frame = try? decoder.frame(in: bytes, at: offset) {
            let payload = bytes.extracting(frame.payload)
            let bytes = payload.withUnsafeBytes { Array($0) }
            let unpacked = (try? PackedVector.unpacking(payload)) ?? bytes
            let fields = (try? MessagePack.decodeDocument(unpacked)) ?? [:]
            offset = frame.payload.upperBound
            deliver(ScriptedRequest(type: frame.header.type, fields: fields, payload: bytes))
        }
        return offset
    }

    private func deliver(_ request: ScriptedRequest) {
        let waiter = state.withLock { state -> CheckedContinuation<ScriptedRequest, any Error>? in
            guard let waiter = state.waiter else {
                state.requests.append(request)
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: request)
    }

    /// Tells a script that waits.
    public func channelClosed(_ channel: Channel, reason: ChannelCloseReason) {
        self.channel = nil
        channelDrained(channel)
        let waiter = state.withLock { state -> CheckedContinuation<ScriptedRequest, any Error>? in
            state.isClosed = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(throwing: ScriptError("the client closed the connection"))
    }
}
