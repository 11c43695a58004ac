/// Decides how a change stream goes on: a state machine without I/O, for whoever has connections.
///
/// Perform `next`, tell the machine what came of it, and repeat. The promise: every change that was selected is
/// received once and in order, or a gap is reported, or the stream fails; nothing is missed in silence.
///
/// ```
/// connect ──connected──▶ subscribe ──subscribed──▶ (reportGap) ──▶ receive ─┐
///    ▲                       │                                     ▲  │     │ received
///    └────────── lost ───────┴─────────────────────────────────────┴──┴─────┘
/// ```
public struct WatchMachine: Sendable {
    /// What to do now.
    public enum Step: Sendable, Equatable {
        /// Take a connection, after a pause that grows with the number of attempts that failed in a row.
        case connect(failures: Int)
        /// Send SUBSCRIBE_CHANGES: behind this token, or from now on.
        case subscribe(after: [UInt8]?)
        /// Tell the consumer that changes behind the token (`nil` when there is none) may be missing.
        case reportGap(since: [UInt8]?)
        /// Take the next event.
        case receive
        /// Tell the consumer that the stream is over, and why.
        case fail(Ending)
    }

    /// Why a stream is over.
    public enum Ending: Sendable, Equatable {
        /// The connected server has no tokens, and the consumer wants to begin behind one.
        case unsupported
        /// The server has not kept the changes behind the token.
        case historyLost
        /// What happened would happen again.
        case failed
    }

    /// What ended a connection, or kept it from coming about.
    public enum Cause: Sendable, Equatable {
        /// Another attempt may succeed.
        case passing
        /// The server has not kept the changes behind the token.
        case historyLost
        /// Another attempt would end in the same way.
        case lasting
    }

    private enum State: Sendable, Equatable {
        case disconnected
        case connected
        case gap
        case streaming
        case ended(Ending)
    }

    /// How often the first subscription is tried; later ones are tried until the consumer gives up.
    public static let firstAttempts = 3

    private var state = State.disconnected
    private var failures = 0
    private var grantsTokens = false
    /// There was a subscription, so that changes may be missed.
    public private(set) var wasSubscribed = false
    /// There is a gap that the consumer was not told of.
    private var hasGap = false
    private var gapSince: [UInt8]?
    /// Behind this everything is still to come.
    public private(set) var token: [UInt8]?

    /// Begins behind a token, or with the first subscription.
    public init(after token: [UInt8]? = nil) {
        self.token = token
    }

    /// Whether the next step is to take an event.
    public var isStreaming: Bool { if case .streaming = state { true } else { false } }

    /// What to do now.
    public var next: Step {
        switch state {
        case .disconnected: .connect(failures: failures)
        case .connected: .subscribe(after: grantsTokens ? token : nil)
        case .gap: .reportGap(since: gapSince)
        case .streaming: .receive
        case .ended(let ending): .fail(ending)
        }
    }

    /// There is a connection.
    public mutating func connected(grantsTokens: Bool) {
        guard state == .disconnected else { return }
        self.grantsTokens = grantsTokens
        state = !grantsTokens && token != nil && !wasSubscribed ? .ended(.unsupported) : .connected
    }

    /// The server has accepted the subscription, beginning at a token if it has tokens.
    ///
    /// - Returns: true when the stream goes on after an interruption.
    @discardableResult
    public mutating func subscribed(token start: [UInt8]?) -> Bool {
        guard state == .connected else { return false }
        let isResumed = wasSubscribed
        let since = token
        // Only one who gave a token to a server that understands it is told of everything behind.
        if wasSubscribed, !grantsTokens || since == nil, !hasGap {
            hasGap = true
            gapSince = since
        }
        // A token of before would pass over what comes from a server that has none.
        token = grantsTokens ? since ?? start : nil
        wasSubscribed = true
        failures = 0
        state = hasGap ? .gap : .streaming
        return isResumed
    }

    /// The consumer knows of the gap.
    public mutating func gapReported() {
        guard state == .gap else { return }
        state = .streaming
        hasGap = false
        gapSince = nil
    }

    /// An event, or word of how far the subscription is, was received and will be given to the consumer.
    public mutating func received(token: [UInt8]?) {
        guard state == .streaming, grantsTokens, let token else { return }
        self.token = token
    }

    /// There is no connection, or none any more; all events that it brought were received before.
    public mutating func lost(_ cause: Cause) {
        switch (state, cause) {
        case (.ended, _): return
        case (_, .historyLost): state = .ended(.historyLost)
        case (_, .lasting): state = .ended(.failed)
        case (_, .passing):
            failures = state == .streaming ? 0 : failures + 1
            state = !wasSubscribed && failures >= Self.firstAttempts ? .ended(.failed) : .disconnected
        }
    }
}
