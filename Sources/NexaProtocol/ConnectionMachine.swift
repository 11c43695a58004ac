/// The state of one client connection: which requests are on their way, whose reply comes next, and what
/// is due when. It does no I/O; a driver feeds it with what happened and carries out the actions it returns.
///
/// The protocol has no request ids, so everything rests on one rule: every reply belongs to the oldest
/// request that has none. The machine therefore never forgets a request whose caller went away (its reply
/// still has to be passed over), and ends the connection at the first frame that fits no request.
///
/// Delivery is decided by bytes. A request is *not sent* as long as its last byte cannot have left, because
/// a server executes whole frames only; from then on it *may have been executed* until its reply is there.
public struct ConnectionMachine<Token: Sendable>: Sendable {
    /// Where the connection stands.
    public enum State: Sendable, Equatable {
        /// The socket is being connected. Goes to `handshaking` or `closed`.
        case connecting
        /// CONNECT was sent. Goes to `ready` or `closed`.
        case handshaking
        /// Requests are taken. Goes to `draining` or `closed`.
        case ready
        /// No more requests are taken; those on their way are answered. Goes to `closed`.
        case draining
        /// Nothing follows.
        case closed
    }

    /// Names a request on this connection.
    public struct SlotID: Sendable, Hashable {
        @usableFromInline let sequence: UInt64

        @inlinable init(sequence: UInt64) { self.sequence = sequence }
    }

    /// Whether a request that failed may have been executed.
    public enum Delivery: Sendable, Hashable { case notSent, maybeExecuted }

    /// Why a request failed.
    public enum Failure: Sendable, Hashable {
        case cancelled
        case timedOut
        /// The connection ended.
        case closed(CloseReason)
    }

    /// Why the connection ended.
    public enum CloseReason: Sendable, Hashable {
        /// The server closed it.
        case endOfStream
        /// A read or a write failed with this error number.
        case failed(CInt)
        /// Connecting and logging in took too long.
        case connectTimedOut
        /// A reply is overdue and nothing has come since.
        case silentServer
        /// A frame that cannot be: not NexaDB's protocol, or an answer to nothing.
        case protocolViolation(String)
        /// The oldest request's reply is larger than a frame may be.
        case replyTooLarge(byteCount: Int)
        /// The login was refused.
        case loginRefused
        /// All requests were answered after `drain()`.
        case drained
        /// The owner closed it.
        case requested
    }

    /// What the driver has to do, in order, after it released its lock.
    public enum Action: Sendable {
        /// The frame just received is the reply to CONNECT.
        case handshakeReply(FrameHeader)
        /// The frame just received is the reply for this token.
        case complete(Token, FrameHeader)
        /// The frame just received is a change event.
        case event(FrameHeader)
        /// Nothing has been heard for a while: submit a keep-alive PING with `submitKeepAlive`.
        case keepAlive
        /// The request has ended without a reply.
        case fail(Token, Failure, Delivery)
        /// Take so many bytes off the end of the out buffer: the last request is withdrawn.
        case retract(byteCount: Int)
        /// Call `tick` at this time (replaces the time asked for before).
        case setDeadline(MonotonicInstant)
        /// Close the socket. No action follows.
        case close(CloseReason)
    }

    /// The numbers that bound a connection.
    public struct Limits: Sendable, Hashable {
        /// At most so many requests are on their way.
        public var pipelineDepth: Int
        /// How long after its deadline the oldest request may go without any byte from the server before the
        /// server counts as silent.
        public var silence: Duration
        /// After so much time without a byte from the server, it is asked for a sign of life; `nil` for never.
        public var keepAlive: Duration?

        /// Sets all three.
        public init(pipelineDepth: Int = 256, silence: Duration = .seconds(5), keepAlive: Duration? = nil) {
            self.pipelineDepth = pipelineDepth
            self.silence = silence
            self.keepAlive = keepAlive
        }
    }

    @usableFromInline enum Phase: Sendable {
        case waiting(Token)
        /// The caller has gone, or it is a PING of the connection's own; the reply will be passed over.
        case abandoned
        case handshake
    }

    @usableFromInline struct Slot: Sendable {
        @usableFromInline var phase: Phase
        @usableFromInline var deadline: MonotonicInstant
        /// The offset, in all bytes ever appended, behind the request's last byte.
        @usableFromInline var endsAtByte: UInt64
        @usableFromInline var byteCount: Int

        @inlinable init(phase: Phase, deadline: MonotonicInstant, endsAtByte: UInt64, byteCount: Int) {
            self.phase = phase
            self.deadline = deadline
            self.endsAtByte = endsAtByte
            self.byteCount = byteCount
        }
    }

    /// Where the connection stands.
    public private(set) var state = State.connecting
    /// Why the connection has ended; `nil` before.
    public private(set) var closeReason: CloseReason?
    /// What bounds it.
    public let limits: Limits
    @usableFromInline var slots: Ring<Slot>
    /// The sequence number of the oldest slot.
    @usableFromInline var firstSequence: UInt64 = 0
    @usableFromInline var abandonedCount = 0
    /// All bytes of requests ever appended; those taken out for writing; those the kernel certainly has.
    @usableFromInline var appended: UInt64 = 0
    @usableFromInline var taken: UInt64 = 0
    @usableFromInline var sent: UInt64 = 0
    @usableFromInline var isWriting = false
    private var handshakeDeadline: MonotonicInstant?
    /// When the last bytes came.
    public private(set) var lastReceived: MonotonicInstant?
    @usableFromInline var takesEvents = false
    @usableFromInline var isReadingPaused = false
    @usableFromInline var armedDeadline: MonotonicInstant?

    /// A connection about to be made, which has until `deadline` to be ready.
    public init(limits: Limits = Limits(), deadline: MonotonicInstant) {
        self.limits = limits
        slots = Ring(minimumCapacity: min(limits.pipelineDepth, 64))
        handshakeDeadline = deadline
    }

    /// Requests on their way, abandoned ones included.
    @inlinable public var load: Int { slots.count }

    /// Whether a request can be submitted now.
    @inlinable public var hasRoom: Bool { state == .ready && slots.count < limits.pipelineDepth }

    // MARK: The life of the connection

    /// The driver has made this machine and starts to connect.
    public mutating func begin(into actions: inout [Action]) {
        arm(into: &actions)
    }

    /// The socket is connected and CONNECT, of so many bytes, stands in the out buffer; again when a reply asks for
    /// another message of the login.
    public mutating func connected(handshakeByteCount: Int, at now: MonotonicInstant) {
        guard state == .connecting || state == .handshaking, let handshakeDeadline else { return }
        state = .handshaking
        lastReceived = now
        appended += UInt64(handshakeByteCount)
        slots.append(
            Slot(phase: .handshake, deadline: handshakeDeadline, endsAtByte: appended, byteCount: handshakeByteCount))
    }

    /// The reply to CONNECT was good.
    public mutating func authenticated(into actions: inout [Action]) {
        guard state == .handshaking else { return }
        state = .ready
        handshakeDeadline = nil
        arm(into: &actions)
    }

    /// Change events are welcome from now on; before, one ends the connection.
    public mutating func acceptEvents() {
        takesEvents = true
    }

    /// Whether someone else may use the connection now: nothing is on its way, and nothing will come unasked.
    public var isReusable: Bool { state == .ready && slots.isEmpty && !takesEvents }

    /// The driver stopped reading, or goes on: a server that is not listened to is not silent.
    public mutating func readingPaused(
        _ isPaused: Bool, at now: MonotonicInstant, into actions: inout [Action]
    ) {
        guard state != .closed, isPaused != isReadingPaused else { return }
        isReadingPaused = isPaused
        lastReceived = now
        if !isPaused { arm(into: &actions) }
    }

    /// Takes no more requests, and closes when those on their way are answered.
    public mutating func drain(into actions: inout [Action]) {
        switch state {
        case .ready:
            state = .draining
            closeIfDrained(into: &actions)
        case .connecting, .handshaking: close(.requested, into: &actions)
        case .draining, .closed: break
        }
    }

    /// The connection is over, for this reason: fails everything that has no reply.
    public mutating func close(_ reason: CloseReason, into actions: inout [Action]) {
        guard state != .closed else { return }
        state = .closed
        closeReason = reason
        var failure = reason
        while let slot = slots.popFirst() {
            firstSequence += 1
            if case .waiting(let token) = slot.phase {
                actions.append(.fail(token, .closed(failure), delivery(of: slot)))
            }
            // Only the oldest request is to blame for the size of its reply.
            if case .replyTooLarge = reason { failure = .endOfStream }
        }
        abandonedCount = 0
        actions.append(.close(reason))
    }

    // MARK: Requests

    /// Adds a request whose bytes the caller appends to the out buffer. The machine must have room.
    @inlinable public mutating func submit(
        _ token: Token, byteCount: Int, deadline: MonotonicInstant, into actions: inout [Action]
    ) -> SlotID {
        precondition(hasRoom, "ask hasRoom first")
        appended += UInt64(byteCount)
        slots.append(Slot(phase: .waiting(token), deadline: deadline, endsAtByte: appended, byteCount: byteCount))
        if armedDeadline.map({ deadline < $0 }) ?? true { arm(deadline, into: &actions) }
        return SlotID(sequence: firstSequence + UInt64(slots.count) - 1)
    }

    /// Adds the PING that `keepAlive` asked for, whose bytes the caller appends to the out buffer.
    ///
    /// Returns false, and nothing is to be appended, when it is not needed any more.
    public mutating func submitKeepAlive(
        byteCount: Int, at now: MonotonicInstant, into actions: inout [Action]
    ) -> Bool {
        guard state == .ready, slots.isEmpty else { return false }
        appended += UInt64(byteCount)
        slots.append(Slot(phase: .abandoned, deadline: now, endsAtByte: appended, byteCount: byteCount))
        abandonedCount += 1
        arm(into: &actions)
        return true
    }

    /// Adds bytes that are no request and have no reply, such as a CANCEL, which the caller appends to the out buffer.
    public mutating func submitUnanswered(byteCount: Int) {
        appended += UInt64(byteCount)
    }

    /// The caller of a request has gone. It ends at once; its reply, if it is on its way, will be passed over.
    ///
    /// Harmless for a request that has ended already.
    public mutating func abandon(_ id: SlotID, into actions: inout [Action]) {
        guard id.sequence >= firstSequence, id.sequence - firstSequence < UInt64(slots.count) else { return }
        end(at: Int(id.sequence - firstSequence), .cancelled, into: &actions)
        closeIfDrained(into: &actions)
    }

    // MARK: Bytes

    /// Everything appended so far was taken out of the out buffer to be written.
    @inlinable public mutating func willWrite() {
        taken = appended
        isWriting = true
    }

    /// The writer goes on with what was taken out before.
    public mutating func resumeWriting() {
        isWriting = true
    }

    /// The kernel took so many more bytes. `isDone` when the writer will not try again by itself.
    @inlinable public mutating func didWrite(_ byteCount: Int, isDone: Bool) {
        sent += UInt64(byteCount)
        assert(sent <= taken)
        if isDone { isWriting = false }
    }

    /// Bytes arrived, whether or not they make a frame: the server is alive.
    public mutating func receivedBytes(at now: MonotonicInstant) {
        lastReceived = now
    }

    /// A whole frame arrived.
    @inlinable public mutating func received(_ header: FrameHeader, into actions: inout [Action]) {
        guard state != .closed else { return }
        if header.type == .changeEvent, takesEvents { return actions.append(.event(header)) }
        guard isReply(header.type) else {
            return close(.protocolViolation("an unexpected \(header.type) frame"), into: &actions)
        }
        guard let slot = slots.popFirst() else {
            return close(.protocolViolation("a reply to no request"), into: &actions)
        }
        firstSequence += 1
        guard slot.endsAtByte <= taken else {
            // Put the slot's caller in the close: nobody can have answered what was never sent.
            if case .waiting(let token) = slot.phase {
                actions.append(.fail(token, .closed(.protocolViolation("a reply to an unsent request")), .notSent))
            }
            return close(.protocolViolation("a reply to an unsent request"), into: &actions)
        }
        switch slot.phase {
        case .waiting(let token): actions.append(.complete(token, header))
        case .abandoned: abandonedCount -= 1
        case .handshake: actions.append(.handshakeReply(header))
        }
        closeIfDrained(into: &actions)
        // The timer may stand at the deadline of a request that has been answered.
        if let due = keepAliveDeadline, armedDeadline.map({ due < $0 }) ?? true { arm(due, into: &actions) }
    }

    // MARK: Time

    /// The time asked for by `setDeadline` has come.
    public mutating func tick(_ now: MonotonicInstant, into actions: inout [Action]) {
        guard state != .closed else { return }
        armedDeadline = nil
        if let handshakeDeadline, handshakeDeadline <= now { return close(.connectTimedOut, into: &actions) }
        // From the newest to the oldest, so that unsent ones at the end can be withdrawn one after the other.
        for position in stride(from: slots.count - 1, through: 0, by: -1) where slots[position].deadline <= now {
            if case .waiting = slots[position].phase { end(at: position, .timedOut, into: &actions) }
        }
        if let due = silenceDeadline, due <= now { return close(.silentServer, into: &actions) }
        closeIfDrained(into: &actions)
        if let due = keepAliveDeadline, due <= now { return actions.append(.keepAlive) }
        arm(into: &actions)
    }

    // MARK: Parts

    @inlinable func isReply(_ type: MessageType) -> Bool {
        type == .success || type == .error || type == .notFound || type == .pong || type == .duplicate
    }

    /// What is known about a request whose connection has ended, or that is withdrawn.
    private func delivery(of slot: Slot) -> Delivery {
        slot.endsAtByte > (isWriting ? taken : sent) ? .notSent : .maybeExecuted
    }

    /// Ends a waiting request without a reply.
    private mutating func end(at position: Int, _ failure: Failure, into actions: inout [Action]) {
        let slot = slots[position]
        guard case .waiting(let token) = slot.phase else { return }
        let isLast = position == slots.count - 1
        if isLast, slot.endsAtByte == appended, slot.endsAtByte - UInt64(slot.byteCount) >= taken {
            _ = slots.popLast()
            appended -= UInt64(slot.byteCount)
            actions.append(.retract(byteCount: slot.byteCount))
            actions.append(.fail(token, failure, .notSent))
            return
        }
        // It will be sent even if it has not been yet: taking it out of the middle would shift the others.
        slots[position].phase = .abandoned
        abandonedCount += 1
        actions.append(.fail(token, failure, .maybeExecuted))
        if abandonedCount > limits.pipelineDepth / 2, state == .ready { state = .draining }
    }

    @inlinable mutating func closeIfDrained(into actions: inout [Action]) {
        if state == .draining, slots.isEmpty || slots.count == abandonedCount { close(.drained, into: &actions) }
    }

    /// When to ask for a sign of life. While requests are on their way, their own deadlines do that.
    @inlinable var keepAliveDeadline: MonotonicInstant? {
        guard state == .ready, slots.isEmpty, !isReadingPaused, let lastReceived else { return nil }
        return limits.keepAlive.map { lastReceived + $0 }
    }

    /// When the server counts as silent: some time after the oldest request was due, unless bytes came since.
    private var silenceDeadline: MonotonicInstant? {
        guard let oldest = slots.first, !isReadingPaused else { return nil }
        let since = lastReceived.map { max($0, oldest.deadline) } ?? oldest.deadline
        return since + limits.silence
    }

    /// Asks for the next tick.
    private mutating func arm(into actions: inout [Action]) {
        guard state != .closed else { return }
        armedDeadline = nil
        var next = handshakeDeadline ?? silenceDeadline ?? keepAliveDeadline
        for position in 0..<slots.count {
            guard case .waiting = slots[position].phase else { continue }
            next = next.map { min($0, slots[position].deadline) } ?? slots[position].deadline
        }
        if let next { arm(next, into: &actions) }
    }

    @inlinable mutating func arm(_ deadline: MonotonicInstant, into actions: inout [Action]) {
        armedDeadline = deadline
        actions.append(.setDeadline(deadline))
    }
}
