/// What a client tells of itself, for metrics and traces.
public enum NexaEvent: Sendable {
    /// A connection is being opened. Connections are numbered from 1.
    case connectStarted(connection: Int)
    /// A connection is logged in; the time includes resolving the name, connecting and the login.
    case connectSucceeded(connection: Int, elapsed: Duration)
    /// A connection could not be opened: the `attempt`th failure in a row. The next attempt comes after
    /// `retryIn`, if someone wants a connection by then. The log warns of the 1st, 2nd, 4th, 8th … of them.
    case connectFailed(connection: Int, NexaError, attempt: Int, retryIn: Duration?)
    /// A connection has ended; without a reason when the client closed it, as one that was idle or too old.
    case connectionClosed(connection: Int, reason: NexaError?)
    /// A connection of the pool came, went, or is used in another way.
    case poolChanged(PoolSnapshot)
    /// A call has ended. The sizes are those of its frames.
    case operationFinished(name: StaticString, elapsed: Duration, bytesOut: Int, bytesIn: Int, error: NexaError?)
    /// A call is sent again, for the `attempt`th time in all, because of an error that repeating may mend.
    case operationRetried(name: StaticString, attempt: Int, after: NexaError)
    /// A change stream goes on after its connection broke; with a gap when events may be missing.
    case changeStreamResumed(gap: Bool)
}

/// Takes what a client tells of itself.
public protocol NexaObserver: Sendable {
    /// Called on the thread where it happens, often the client's own, and outside its locks; it must not block.
    func observe(_ event: NexaEvent)
}

/// The connections of a client at one moment, and what has happened to it so far.
public struct PoolSnapshot: Sendable, Hashable {
    /// Connections being opened.
    public var connecting = 0
    /// Open connections without a call on its way.
    public var idle = 0
    /// Open connections that are at work for everyone.
    public var active = 0
    /// Connections that belong to one `withConnection` or one change stream.
    public var leased = 0
    /// Connections that will be closed when their calls have ended.
    public var draining = 0
    /// Calls that wait for a connection.
    public var waiters = 0
    /// Logins that succeeded so far.
    public var totalConnects = 0
    /// Calls whose time to wait for a connection ran out so far.
    public var totalTimeouts = 0
    /// Calls that were cancelled while they waited so far.
    public var totalCancelledWaits = 0

    /// Nothing.
    public init() {}

    init(_ pool: Pool) {
        let census = pool.census
        connecting = census.connecting
        idle = census.idle
        active = census.active
        leased = census.leased
        draining = census.draining
        waiters = pool.waiterCount
        totalConnects = pool.totalConnects
        totalTimeouts = pool.totalTimeouts
        totalCancelledWaits = pool.totalWithdrawals
    }
}

/// The log and the observer of a client, and which of their messages come of which event.
struct Telemetry: Sendable {
    var log: NexaLog?
    var observer: (any NexaObserver)?
    #if DEBUG
        /// What the client's test watches.
        var ledger = Ledger.current
    #endif

    init(log: NexaLog?, observer: (any NexaObserver)?) {
        self.log = log
        self.observer = observer
    }

    /// Whether anyone wants to know of connections.
    var wantsConnections: Bool { observer != nil || log != nil }
    /// Whether anyone wants to know of every change of the pool.
    var wantsPool: Bool { observer != nil || wants(.trace, log) }

    /// Whether anyone wants to know of every call.
    func wantsOperations(_ callLog: NexaLog?) -> Bool { observer != nil || wants(.debug, callLog ?? log) }

    private func wants(_ level: NexaLog.Level, _ log: NexaLog?) -> Bool {
        log.map { $0.minimumLevel <= level } ?? false
    }

    func emit(_ event: NexaEvent, log callLog: NexaLog? = nil) {
        observer?.observe(event)
        guard let log = callLog ?? log else { return }
        switch event {
        case .connectStarted(let id): log(.trace, "connecting", ["connection": "\(id)"])
        case .connectSucceeded(let id, let elapsed):
            log(.debug, "connected", ["connection": "\(id)", "elapsed": "\(elapsed)"])
        case .connectFailed(let id, let error, let attempt, let delay):
            // Probing for a server that is down fails often.
            log(
                attempt & (attempt - 1) == 0 ? .warning : .debug, "cannot connect",
                [
                    "connection": "\(id)", "error": "\(error)", "attempt": "\(attempt)",
                    "retry_in": delay.map { "\($0)" } ?? "never"
                ])
        case .connectionClosed(let id, nil): log(.debug, "connection closed", ["connection": "\(id)"])
        case .connectionClosed(let id, let error?):
            log(.info, "connection lost", ["connection": "\(id)", "error": "\(error)"])
        case .poolChanged(let pool):
            log(
                .trace, "pool changed",
                [
                    "connecting": "\(pool.connecting)", "idle": "\(pool.idle)", "active": "\(pool.active)",
                    "leased": "\(pool.leased)", "draining": "\(pool.draining)", "waiters": "\(pool.waiters)"
                ])
        case .operationFinished(let name, let elapsed, _, _, let error):
            log(
                .debug, error == nil ? "call finished" : "call failed",
                ["operation": "\(name)", "elapsed": "\(elapsed)"].merging(error.map { ["error": "\($0)"] } ?? [:]) {
                    $1
                })
        case .operationRetried(let name, let attempt, let error):
            log(.info, "call sent again", ["operation": "\(name)", "attempt": "\(attempt)", "error": "\(error)"])
        case .changeStreamResumed(let hasGap): log(.info, "change stream resumed", ["gap": "\(hasGap)"])
        }
    }
}
