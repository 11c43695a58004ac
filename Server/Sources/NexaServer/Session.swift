import Glibc
import NexaEngine
import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// One connection of a client: frames in, requests to the engine, replies out in order.
///
/// Everything happens on the reactor's thread; completions from other threads are brought there first.
final class Session: @unchecked Sendable {
    // Unchecked: the state belongs to the reactor's thread, and `Channel` checks that it is used there. Other
    // threads only hold the reference, to hand it back to `complete`.

    /// Who is logged in, and what was negotiated.
    enum Login {
        case none(failures: Int)
        case user(User, capabilities: Set<Capability>)
    }

    let context: ReactorContext
    var shared: ServerShared { context.shared }
    var reactor: Reactor { context.reactor }
    private(set) var channel: Channel?
    /// The same user as the server on the other end of a Unix socket.
    let isTrustedPeer: Bool
    var login = Login.none(failures: 0)
    /// By what the user is logged in.
    var userLogin: UserLogin?
    /// What the users were like when the login was last looked at; see `refreshLogin`.
    var seenUserGeneration = UInt64.max
    /// The change at hand is one that ends the user's other sessions.
    var isChangingOwnPassword = false
    /// The user was deleted, or the password or key of the login is not valid any more.
    var hasLoginEnded = false
    /// Requests that the user was not permitted.
    var refusalCount = 0
    var scramExchange: ScramExchange?
    /// Before login: the last CONNECT asked for the codes of errors.
    var wantsErrorCodes = false
    var order = ReplyOrder()
    private var decoder: FrameDecoder
    private var requests = RequestDecoder()
    /// What the request at hand says about how long it may take.
    var requestControl: RequestControl { requests.control }
    /// The work that a worker does for this connection.
    var running: WorkControl?
    /// How many bytes behind the next request were looked through for a CANCEL of the running one.
    private var lookedAhead = 0
    /// Where the last read looked.
    var collectionHint = CollectionHint()
    /// The peer sent its last byte, or the server leaves: what arrived is answered, then the session ends.
    private var isEnding = false
    /// Nothing more is read: too many wrong passwords, or a goodbye.
    private var isClosing = false
    private var loginTimer: Reactor.TimerID?
    private var isPausedByOrder = false
    /// What the requests of this connection belong to, until it is committed or aborted.
    var transaction: Transaction?
    var transactionTimer: Reactor.TimerID?
    /// Why a transaction could not begin whose first requests may be on their way.
    var refusedTransaction: RequestError?
    /// Results that are fetched in pages.
    let cursors = OpenCursors()
    var cursorTimer: Reactor.TimerID?
    /// The change events that this connection gets.
    var subscription: ChangeSubscription?
    private let gone = Atomic<Bool>(false)

    /// True when the connection is closed; from any thread.
    var isGone: Bool { gone.load(ordering: .relaxed) }

    init(_ context: ReactorContext, isTrustedPeer: Bool) {
        self.context = context
        self.isTrustedPeer = isTrustedPeer
        decoder = FrameDecoder(maximumPayloadByteCount: context.shared.configuration.maximumLoginBytes)
    }

    /// Takes over an accepted socket.
    func open(_ socket: StreamSocket, peer: SocketAddress?) throws(TransportError) {
        var filter: (any StreamFilter)?
        if let tls = shared.tls, peer?.isUnix == false {
            filter = tls.filter()
            // Never without: whoever connects to this port expects TLS.
            guard filter != nil else {
                socket.close()
                throw TransportError("TLS", code: ENOMEM, subject: peer?.description)
            }
        }
        let channel = try Channel(socket, peer: peer, filter: filter, on: reactor, handler: self)
        // Room for the login and what a hasty client sends right behind it.
        channel.maximumInput = shared.configuration.maximumLoginBytes + 256 << 10
        self.channel = channel
        loginTimer = reactor.schedule(at: .now + shared.configuration.loginTimeout) { [weak self] in
            self?.loginTimedOut()
        }
    }

    /// Answers what has arrived, then closes.
    func drain() {
        isEnding = true
        closeIfDrained()
    }

    /// Closes when the replies on their way have left; nothing more is read.
    func closeAfterReplies() {
        isClosing = true
        closeIfDrained()
    }

    // MARK: Replies

    /// Reserves a reply's place for a request that is answered later.
    func begin(_ kind: ReplyOrder.Kind) -> ReplyOrder.Slot { order.start(kind) }

    /// Answers a request; from any thread, once for each slot.
    func complete(_ slot: ReplyOrder.Slot, with reply: PendingReply) {
        if reactor.isOnThread {
            order.complete(slot, with: reply)
            sendReady()
        } else {
            reactor.execute { [self] in
                order.complete(slot, with: reply)
                sendReady()
            }
        }
    }

    /// Answers the request at hand, which waits for nothing.
    func reply(_ encode: (inout MessagePackWriter) -> Void) {
        guard let channel else { return }
        context.withWriter { writer in
            encode(&writer)
            channel.write(writer.span)
        }
    }

    /// Answers the request at hand with a reply that is ready.
    func reply(_ reply: PendingReply) {
        let withErrorCodes = hasErrorCodes
        self.reply { reply.encodeFrame(into: &$0, withErrorCodes: withErrorCodes) }
    }

    private var hasErrorCodes: Bool {
        if case .user(_, let capabilities) = login { capabilities.contains(.errorCodes) } else { wantsErrorCodes }
    }

    private func sendReady() {
        while let ready = order.next() { reply(ready) }
        guard let channel, channel.isOpen else { return }
        if isPausedByOrder, !channel.isAboveHighWater {
            isPausedByOrder = false
            channel.offerAgain()
        }
        closeIfDrained()
    }

    private func closeIfDrained() {
        guard order.isIdle, isClosing || (isEnding && !isPausedByOrder) else { return }
        channel?.closeAfterFlush()
    }

    // MARK: Login

    func loggedIn(_ userLogin: UserLogin, capabilities: Set<Capability>) {
        self.userLogin = userLogin
        login = .user(userLogin.user, capabilities: capabilities)
        requests.unpacksVectors = capabilities.contains(.packedVectors)
        // The user may have been changed since the password was checked.
        seenUserGeneration = .max
        refreshLogin()
        decoder.maximumPayloadByteCount = shared.configuration.maximumFrameBytes
        channel?.maximumInput = shared.configuration.maximumFrameBytes + 256 << 10
        if let loginTimer { reactor.cancel(loginTimer) }
        loginTimer = nil
    }

    /// Counts a wrong password; a connection has a few of them.
    func loginFailed() {
        guard case .none(let failures) = login else { return }
        login = .none(failures: failures + 1)
        if failures + 1 >= shared.configuration.maximumLoginAttempts { closeAfterReplies() }
    }

    private func loginTimedOut() {
        loginTimer = nil
        guard case .none = login else { return }
        reply(.failure(RequestError("Login took too long; connect again", code: .notAuthenticated)))
        channel?.closeAfterFlush()
    }

    // MARK: Frames

    /// Handles the frames that arrived whole and may start now; returns how many bytes that were.
    private func consume(_ bytes: RawSpan, from channel: Channel) -> Int {
        var offset = 0
        while !isClosing, channel.isOpen {
            if channel.isAboveHighWater {
                pause(channel)
                break
            }
            do throws(FrameError) {
                guard let frame = try decoder.frame(in: bytes, at: offset) else { break }
                let payload = bytes.extracting(frame.payload)
                guard handle(frame.header.type, payload) else {
                    waitForOrder(channel, bytes, from: offset)
                    break
                }
                lookedAhead = max(0, lookedAhead - (frame.payload.upperBound - offset))
                offset = frame.payload.upperBound
            } catch {
                // What follows cannot be trusted to be frames: say why, and close.
                guard order.isIdle else {
                    pause(channel)
                    break
                }
                shared.configuration.log(.warning, "unacceptable frame", [("peer", peerName), ("reason", "\(error)")])
                reply(.failure(RequestError("\(error)", code: .badRequest)))
                channel.closeAfterFlush()
                return bytes.byteCount
            }
        }
        closeIfDrained()
        return offset
    }

    /// How much is read ahead while a worker is busy, in search of a CANCEL.
    private static var maximumLookAhead: Int { 64 << 10 }

    /// Nothing can be started now. While a worker is busy, reading goes on for a bit, and finds a CANCEL among the
    /// requests that wait.
    private func waitForOrder(_ channel: Channel, _ bytes: RawSpan, from offset: Int) {
        guard running != nil, bytes.byteCount - offset <= Self.maximumLookAhead else { return pause(channel) }
        isPausedByOrder = true
        var position = offset + lookedAhead
        // Bytes that are no frame are dealt with when it is their turn.
        while let frame = (try? decoder.frame(in: bytes, at: position)) ?? nil {
            if frame.header.type == .cancel { cancelWork(bytes.extracting(frame.payload)) }
            position = frame.payload.upperBound
        }
        lookedAhead = position - offset
    }

    private func pause(_ channel: Channel) {
        isPausedByOrder = true
        channel.pauseReading()
    }

    /// Starts a request; `false` when it has to wait for the replies before it.
    private func handle(_ type: MessageType, _ payload: RawSpan) -> Bool {
        if type == .cancel {
            cancelWork(payload)
            return true
        }
        guard order.canStart(Self.kind(of: type)) else { return false }
        running = nil
        do throws(RequestError) {
            let request = try decode(type, payload)
            perform(request)
        } catch {
            defer {
                if hasLoginEnded { closeAfterReplies() }
            }
            guard order.isIdle else {
                // Earlier writes are still on their way: this answer waits behind them.
                let slot = order.start(.write)
                order.complete(slot, with: .failure(error))
                return true
            }
            reply(.failure(error))
        }
        return true
    }

    private static func kind(of type: MessageType) -> ReplyOrder.Kind {
        switch type {
        case .create, .update, .delete, .batchWrite, .commitTransaction: .write
        // Whether it is answered at once or later, it waits for the writes before it.
        default: .immediate
        }
    }

    private func decode(_ type: MessageType, _ payload: RawSpan) throws(RequestError) -> Request {
        guard type != .connect else { return try requests.decode(type, payload) }
        refreshLogin()
        guard !hasLoginEnded else { throw Self.loginEnded }
        guard case .user(let user, _) = login else {
            throw RequestError("Not authenticated. Send CONNECT message with API key first.", code: .notAuthenticated)
        }
        let request = try requests.decode(type, payload)
        if let refusal = RequiredAccess(request).refusal(for: user) {
            auditRefusal(request, refusal)
            if case .beginTransaction(let begin) = request { refuse(begin, refusal) }
            throw refusal
        }
        if let refusal = refusalInTransaction(request) {
            if case .beginTransaction(let begin) = request { refuse(begin, refusal) }
            throw refusal
        }
        return request
    }

    var peerName: String { channel?.peer?.description ?? "unix socket" }
}

extension Session: ChannelHandler {
    func channel(_ channel: Channel, received bytes: RawSpan) -> Int { consume(bytes, from: channel) }

    func channelReachedEnd(_ channel: Channel) {
        // A client may send its last requests and close its side: it still gets the answers.
        drain()
    }

    func channelDrained(_ channel: Channel) {
        pumpChanges()
        guard isPausedByOrder else { return }
        isPausedByOrder = false
        channel.offerAgain()
    }

    func channelClosed(_ channel: Channel, reason: ChannelCloseReason) {
        if let failure = channel.filterFailure {
            shared.configuration.log(.info, "TLS failed", [("peer", peerName), ("reason", failure.message)])
        }
        self.channel = nil
        running = nil
        cursors.removeAll()
        if let cursorTimer { reactor.cancel(cursorTimer) }
        cursorTimer = nil
        endSubscription()
        endOfTransaction()?.abort(because: "The connection was closed")
        if let loginTimer { reactor.cancel(loginTimer) }
        loginTimer = nil
        isClosing = true
        gone.store(true, ordering: .relaxed)
        context.closed(self)
    }
}
