/// Which connection a call uses, when to open another one, and who waits. No I/O, no locks, no clock.
///
/// Most connections are *lanes*: pipelined, shared by all calls. A server works on one frame at a time per
/// connection, so another lane is opened while every open one has more than `busyLoad` requests on its way.
/// A connection can also be *leased*: it then belongs to one user until it is given back. Leases never take
/// the last connection there may be, unless only one is allowed.
///
/// Callers wait only while no connection has room, in the order in which they came. Nothing is remembered
/// about timers: `tick` looks at the clock and at what is there, so one that comes late, early or twice is
/// harmless.
public struct PoolMachine<Waiter: Sendable>: Sendable {
    /// Names a connection; never used twice.
    public struct ConnectionID: Sendable, Hashable, CustomStringConvertible {
        /// Counts up from 1 for each client.
        public let number: UInt64
        /// The number, for logs.
        public var description: String { "\(number)" }
    }

    /// Where the pool stands.
    public enum Phase: Sendable, Hashable {
        /// The last attempt to connect, if any, succeeded. Goes to `failing` (or at once to `breakerOpen`) when
        /// one fails, and to `draining`.
        case open
        /// Attempts fail; callers wait while the pool goes on trying. Goes to `open` when one succeeds, to
        /// `breakerOpen` after `breakerThreshold` failures in a row, and to `draining`.
        case failing
        /// Callers are refused at once with the cause, unless they come just when the next attempt is due.
        /// Goes to `open` when one succeeds, and to `draining`.
        case breakerOpen
        /// `close` was called and connections are still there. Goes to `closed` with the last of them.
        case draining
        /// Nothing follows.
        case closed
    }

    /// What a caller wants.
    public enum Demand: Sendable, Hashable {
        /// Room for so many requests on one lane.
        case requests(Int)
        /// A connection of its own.
        case lease
    }

    /// Why a waiter did not get a connection.
    public enum Refusal: Sendable, Hashable {
        /// `maximumWaiters` wait already.
        case tooManyWaiters
        /// Its time to wait is over.
        case timedOut
        /// No server could be reached, or none let the user in.
        case connectFailed
        /// The pool is closed.
        case closed
    }

    /// What the driver has to do.
    public enum Action: Sendable {
        /// Open a connection and report `connectSucceeded` or `connectFailed`.
        case connect(ConnectionID)
        /// The waiter does not get a connection.
        case refuse(Waiter, Refusal)
        /// Call `tick` at this time (replaces the time asked for before).
        case setDeadline(MonotonicInstant)
        /// No `tick` is needed any more.
        case cancelDeadline
        /// Let the calls on this connection finish and close it. It is given to nobody any more; report `closed`.
        case drain(ConnectionID)
    }

    /// Names a waiter.
    public struct WaiterID: Sendable, Hashable {
        let isLease: Bool
        let sequence: UInt64
    }

    @usableFromInline enum ConnectionState: Sendable, Hashable {
        /// Being opened. Goes to `ready`, to `draining` when it is out of date by then, or away.
        case connecting
        /// Takes calls. Goes to `reserved`, `leased` or `draining`, or away.
        case ready
        /// Takes no more calls, since someone waits to lease it. Goes to `leased` when its last call has ended,
        /// back to `ready` when nobody waits any more, to `draining`, or away.
        case reserved
        /// Belongs to one user. Goes to `ready` or `draining` when it is given back, or away.
        case leased
        /// Takes no more calls. Goes away.
        case draining
    }

    @usableFromInline struct Connection: Sendable, Hashable {
        @usableFromInline let id: ConnectionID
        @usableFromInline var state: ConnectionState
        /// Requests on their way.
        @usableFromInline var load = 0
        /// Connections of an older generation are replaced.
        var generation: UInt64
        var startedAt: MonotonicInstant
        @usableFromInline var lastUsed: MonotonicInstant
        var expiresAt: MonotonicInstant?
    }

    /// What bounds it.
    public let limits: PoolLimits
    /// Where it stands.
    public internal(set) var phase = Phase.open
    /// Failed attempts to connect in a row, as the backoff and the breaker count them: without the probes between them.
    public internal(set) var failures = 0
    /// Failed attempts to connect in a row, all of them.
    public internal(set) var failedAttempts = 0
    /// The time of the next attempt to connect when nobody waits; `nil` for now.
    public internal(set) var mayConnectAt: MonotonicInstant?
    /// The time of the next attempt while someone waits, when that is cheap: nobody listened at the last one.
    public internal(set) var probeAt: MonotonicInstant?
    /// Grows with every change of a connection's state.
    public internal(set) var changeCount: UInt64 = 0
    /// Attempts to connect that succeeded.
    public internal(set) var totalConnects = 0
    /// Callers whose time ran out while they waited.
    public internal(set) var totalTimeouts = 0
    /// Callers who went away while they waited.
    public internal(set) var totalWithdrawals = 0

    @usableFromInline var connections: [Connection] = []
    @usableFromInline var callers = WaitQueue<Waiter>()
    @usableFromInline var leasers = WaitQueue<Waiter>()
    /// The place of the next waiter among all of them.
    var nextOrdinal: UInt64 = 0
    var nextNumber: UInt64 = 1
    var generation: UInt64 = 0
    var lastFailure: MonotonicInstant?
    /// The first failure in a row.
    var outageStart: MonotonicInstant?
    var hasEverConnected = false
    var armedDeadline: MonotonicInstant?

    /// An empty pool; connections are opened when they are needed, or by `start`.
    public init(limits: PoolLimits) {
        self.limits = limits
    }

    /// Connections open or being opened, the draining ones included.
    public var connectionCount: Int { connections.count }
    /// Callers who wait.
    @inlinable public var waiterCount: Int { callers.count + leasers.count }
    /// Whether `close` was called.
    @inlinable public var isClosed: Bool { phase == .draining || phase == .closed }

    /// How many connections are there, by what they do.
    public var census: PoolCensus {
        var census = PoolCensus()
        for connection in connections {
            switch connection.state {
            case .connecting: census.connecting += 1
            case .ready where connection.load == 0: census.idle += 1
            case .ready, .reserved: census.active += 1
            case .leased: census.leased += 1
            case .draining: census.draining += 1
            }
        }
        return census
    }

    /// Opens the connections that shall always be there.
    public mutating func start(at now: MonotonicInstant, into actions: inout [Action]) {
        openAsNeeded(at: now, into: &actions)
    }

    /// Nobody gets a connection any more, and everyone who waits is told so. The driver drains the connections.
    public mutating func close(into actions: inout [Action]) {
        guard !isClosed else { return }
        phase = connections.isEmpty ? .closed : .draining
        refuseAll(.closed, into: &actions)
        for position in connections.indices { move(position, to: .draining) }
        mayConnectAt = nil
        probeAt = nil
        if armedDeadline != nil { actions.append(.cancelDeadline) }
        armedDeadline = nil
    }

    // MARK: Parts

    @inlinable func position(of id: ConnectionID) -> Int? {
        // A loop: the closure of `firstIndex` would be allocated, twice for every call, where this is not specialised.
        for position in connections.indices where connections[position].id == id { return position }
        return nil
    }

    mutating func move(_ position: Int, to state: ConnectionState) {
        guard connections[position].state != state else { return }
        connections[position].state = state
        changeCount += 1
    }

    mutating func refuseAll(_ refusal: Refusal, into actions: inout [Action]) {
        while let next = popNextWaiter() { actions.append(.refuse(next, refusal)) }
    }

    /// The waiter who came first.
    private mutating func popNextWaiter() -> Waiter? {
        guard let caller = callers.firstOrdinal else { return leasers.popFirst() }
        if let leaser = leasers.firstOrdinal, leaser < caller { return leasers.popFirst() }
        return callers.popFirst()
    }

    mutating func arm(_ deadline: MonotonicInstant, into actions: inout [Action]) {
        guard !isClosed else { return }
        if let armedDeadline, armedDeadline <= deadline { return }
        armedDeadline = deadline
        actions.append(.setDeadline(deadline))
    }
}

/// The numbers that bound a pool.
public struct PoolLimits: Sendable, Hashable {
    /// Connections open or being opened.
    public var maximumConnections = 16
    /// Connections kept open even when nobody uses them.
    public var minimumConnections = 0
    /// Connections being opened.
    public var maximumConcurrentConnects = 2
    /// Callers waiting; the next one is refused.
    public var maximumWaiters = 1024
    /// Requests on the way on one connection.
    public var pipelineDepth = 256
    /// Requests on the way on every connection that make another connection worth while.
    public var busyLoad = 8
    /// The longest wait after a first failure.
    public var initialBackoff: Duration = .milliseconds(50)
    /// The longest wait after any number of failures.
    public var maximumBackoff: Duration = .seconds(2)
    /// The shortest pause between two attempts while someone waits and nobody listens.
    public var initialProbe: Duration = .milliseconds(1)
    /// So many failures in a row open the breaker.
    public var breakerThreshold = 8
    /// A connection that nobody has used for this time is closed.
    public var idleTimeout: Duration?
    /// A connection is replaced after about this time.
    public var maximumLifetime: Duration?
    /// By which part the lifetime of each connection differs, at most, so that they do not all end at once.
    public var lifetimeJitter = 0.1

    /// The defaults.
    public init() {}

    /// Leases at the same time: all connections but one, since the other calls go on.
    var maximumLeases: Int { max(1, maximumConnections - 1) }
}

/// How many connections do what.
public struct PoolCensus: Sendable, Hashable {
    /// Being opened.
    public var connecting = 0
    /// Open, without a request on its way.
    public var idle = 0
    /// Open and at work.
    public var active = 0
    /// Leased to one user.
    public var leased = 0
    /// About to be closed.
    public var draining = 0

    /// Nothing.
    public init() {}
}
