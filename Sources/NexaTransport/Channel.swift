/// Why a channel is closed.
public enum ChannelCloseReason: Sendable, Equatable {
    /// The owner closed it.
    case requested
    /// The peer closed its side.
    case endOfStream
    /// Reading or writing failed.
    case failed(TransportError)
    /// The handler left more than `Channel.maximumInput` bytes unconsumed.
    case inputTooLarge
    /// The reactor was shut down.
    case reactorStopped
}

/// What a channel tells its owner, on the reactor's thread.
public protocol ChannelHandler: AnyObject {
    /// All bytes that have arrived and were not consumed yet. Returns how many are consumed now; the rest is
    /// offered again with what follows. A handler that pauses reading may leave whole messages: they are
    /// offered again by `resumeReading()`.
    func channel(_ channel: Channel, received bytes: RawSpan) -> Int
    /// The peer will send no more bytes. The default writes what is pending and closes.
    func channelReachedEnd(_ channel: Channel)
    /// Output had been above the high-water mark and has been written out down to the low-water mark.
    func channelDrained(_ channel: Channel)
    /// The descriptor is closed. Called exactly once; no call follows.
    func channelClosed(_ channel: Channel, reason: ChannelCloseReason)
}

extension ChannelHandler {
    /// Writes what is pending and closes.
    public func channelReachedEnd(_ channel: Channel) { channel.closeAfterFlush(reason: .endOfStream) }
    /// Does nothing.
    public func channelDrained(_ channel: Channel) {}
}

/// A buffered connection that lives on a reactor.
///
/// *Input* is kept in a `StreamInput`: a channel owns input memory only while a message is incomplete.
///
/// *Output.* `write` appends; everything written in one turn is sent together at the end of the turn. When
/// the kernel takes less, the rest waits for writability. An empty output buffer goes back to a small pool,
/// so an idle connection owns no buffers.
///
/// Everything must happen on the reactor's thread.
public final class Channel: EventHandler {
    static let readsPerTurn = 4
    static let keptOutputCapacity = 64 << 10
    static let sparesKept = 32
    /// How long, and for how many bytes, a closing channel waits for the peer to close first.
    static let lingerTime: Duration = .seconds(1)
    static let lingerBytes = 1 << 20

    /// The reactor that runs this channel.
    public let reactor: Reactor
    /// The socket.
    public let socket: StreamSocket
    /// Where the peer is, when known.
    public let peer: SocketAddress?
    /// The socket behind its filter, when it has one.
    let filtered: FilteredSocket?
    /// The most input a handler may leave unconsumed (64 MiB + 64 KiB unless set).
    public var maximumInput = 64 << 20 + 64 << 10
    /// Pending output above which `isAboveHighWater` holds: the time to stop producing more.
    public var highWater = 1 << 20
    /// Pending output at which `channelDrained` is called after that.
    public var lowWater = 256 << 10

    enum State { case open, flushing(ChannelCloseReason), lingering(ChannelCloseReason), closed }

    var handler: (any ChannelHandler)?
    var state = State.open
    var input = StreamInput()
    var isReadingPaused = false
    /// An edge was reported whose bytes have not all been read.
    var mayHaveInput = false
    var isReadingEnded = false
    var isDelivering = false
    var isContinueScheduled = false
    // Used on the reactor's thread only, never while it is used already: run-time checks of that took a tenth of the
    // instructions of a small reply.
    @exclusivity(unchecked) var output: [UInt8] = []
    @exclusivity(unchecked) var outputStart = 0
    var isDirty = false
    var isWaitingToWrite = false
    var wasAboveHighWater = false
    var lingered = 0
    var lingerTimer: Reactor.TimerID?

    /// Registers the socket. On failure the socket is closed.
    ///
    /// - Parameter filter: what the bytes go through on their way, such as the server's side of TLS. The handler sees
    ///   only bytes of the protocol; what it writes before the handshake is done waits for that.
    public init(
        _ socket: StreamSocket, peer: SocketAddress? = nil, filter: (any StreamFilter)? = nil, on reactor: Reactor,
        handler: any ChannelHandler
    ) throws(TransportError) {
        self.socket = socket
        filtered = filter.map { FilteredSocket(socket, $0) }
        self.peer = peer
        self.reactor = reactor
        self.handler = handler
        do throws(TransportError) {
            try reactor.register(socket.descriptor, self)
        } catch {
            socket.close()
            throw error
        }
    }

    /// Why the filter gave up, if it did.
    public var filterFailure: FilterFailure? { filtered?.failure }
    /// Whether the channel still delivers input and takes output.
    public var isOpen: Bool { if case .open = state { true } else { false } }
    /// Bytes written and not yet taken by the kernel.
    public var pendingOutput: Int { output.count - outputStart }
    /// Whether more output should wait for `channelDrained`.
    public var isAboveHighWater: Bool { pendingOutput > highWater }
    /// Bytes that arrived and were not consumed.
    public var pendingInput: Int { input.count }

    /// Stops reading: the kernel's buffers fill, and the peer is slowed down.
    public func pauseReading() {
        reactor.preconditionOnThread()
        isReadingPaused = true
    }

    /// Goes on reading, after offering what had been left unconsumed.
    public func resumeReading() {
        reactor.preconditionOnThread()
        guard isReadingPaused else { return }
        isReadingPaused = false
        continueReadingSoon()
    }

    /// Offers what was left unconsumed once more, and goes on reading if that was paused.
    public func offerAgain() {
        reactor.preconditionOnThread()
        isReadingPaused = false
        continueReadingSoon()
    }

    /// Closes at once. Pending output is dropped.
    public func close(reason: ChannelCloseReason = .requested) {
        reactor.preconditionOnThread()
        if case .closed = state { return }
        finish(reason, deregister: true)
    }

    /// Writes what waits and reads what has come.
    public func ready(_ events: Readiness) {
        if events.contains(.writable) { flushNow() }
        if case .closed = state { return }
        if !events.isDisjoint(with: [.readable, .hangup]) {
            mayHaveInput = true
            readSome(untilEmpty: events.contains(.hangup))
        }
    }

    /// Closes the socket.
    public func reactorStopped() {
        if case .closed = state { return }
        finish(.reactorStopped, deregister: false)
    }

    func finish(_ reason: ChannelCloseReason, deregister: Bool) {
        state = .closed
        if deregister {
            reactor.deregister(socket.descriptor)
            if let lingerTimer { reactor.cancel(lingerTimer) }
        }
        lingerTimer = nil
        filtered?.endWriting()
        socket.close()
        input.removeAll()
        output = []
        outputStart = 0
        let handler = handler
        self.handler = nil
        handler?.channelClosed(self, reason: reason)
    }
}
