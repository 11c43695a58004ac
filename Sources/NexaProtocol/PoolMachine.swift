/// Which connection a call uses, when to open another one, and who waits. No I/O, no locks, no clock.
///
/// A few pipelined connections are shared by all calls. A server works on one frame at a time per
/// connection, so another connection is opened while every open one has more than `busyLoad` requests on
/// its way. Callers wait, in order, only while no connection has room.
public struct PoolMachine<Waiter: Sendable>: Sendable {
    /// Names a connection; never used twice.
    public struct ConnectionID: Sendable, Hashable, CustomStringConvertible {
        let number: UInt64
        /// The number, for logs.
        public var description: String { "\(number)" }
    }

    /// The numbers that bound a pool.
    public struct Limits: Sendable, Hashable {
        /// Connections open or being opened.
        public var maximumConnections: Int
        /// Connections being opened.
        public var maximumConcurrentConnects: Int
        /// Callers waiting; the next one is refused.
        public var maximumWaiters: Int
        /// Requests on the way on one connection.
        public var pipelineDepth: Int
        /// Requests on the way on every connection that make another connection worth while.
        public var busyLoad: Int
        /// The longest wait after a first failure.
        public var initialBackoff: Duration
        /// The longest wait after any number of failures.
        public var maximumBackoff: Duration

        /// The defaults of the client.
        public init(
            maximumConnections: Int = 16, maximumConcurrentConnects: Int = 2, maximumWaiters: Int = 1024,
            pipelineDepth: Int = 256, busyLoad: Int = 8, initialBackoff: Duration = .milliseconds(50),
            maximumBackoff: Duration = .seconds(2)
        ) {
            self.maximumConnections = maximumConnections
            self.maximumConcurrentConnects = maximumConcurrentConnects
            self.maximumWaiters = maximumWaiters
            self.pipelineDepth = pipelineDepth
            self.busyLoad = busyLoad
            self.initialBackoff = initialBackoff
            self.maximumBackoff = maximumBackoff
        }
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
        case setDeadline(ContinuousClock.Instant)
        /// Close a connection that nobody has used for a while.
        case closeIdle(ConnectionID)
    }

    /// Names a waiter.
    public struct WaiterID: Sendable, Hashable {
        let sequence: UInt64
    }

    enum ConnectionState: Sendable, Equatable {
        /// Being opened. Goes to `ready`, or away.
        case connecting
        /// Takes calls. Goes to `draining`, or away.
        case ready
        /// Takes no more calls. Goes away.
        case draining
    }

    struct Connection: Sendable {
        let id: ConnectionID
        var state: ConnectionState
        var load = 0
        var lastUsed: ContinuousClock.Instant
    }

    struct Waiting: Sendable {
        /// `nil` once the waiter was served or has gone.
        var waiter: Waiter?
        var deadline: ContinuousClock.Instant
    }

    /// What bounds it.
    public let limits: Limits
    /// A connection without requests is closed after this time.
    public let idleTimeout: Duration?
    var connections: [Connection] = []
    var waiters: Ring<Waiting>
    var firstWaiter: UInt64 = 0
    /// Waiters that are still there.
    public private(set) var waiterCount = 0
    private var nextNumber: UInt64 = 1
    /// Failed attempts in a row.
    public private(set) var failures = 0
    private var mayConnectAt: ContinuousClock.Instant?
    private var lastFailure: ContinuousClock.Instant?
    private var hasEverConnected = false
    private var isClosed = false
    private var armedDeadline: ContinuousClock.Instant?

    /// An empty pool; connections are opened when they are needed.
    public init(limits: Limits, idleTimeout: Duration?) {
        self.limits = limits
        self.idleTimeout = idleTimeout
        waiters = Ring()
    }

    /// Connections open or being opened.
    public var connectionCount: Int { connections.count }

    // MARK: Calls

    /// The connection that a call should use now, or `nil` when it has to wait. `load` counts it in.
    public mutating func choose(at now: ContinuousClock.Instant, into actions: inout [Action]) -> ConnectionID? {
        guard !isClosed else { return nil }
        guard let position = leastLoaded, waiterCount == 0 else { return nil }
        if connections[position].load >= limits.busyLoad { openIfAllowed(at: now, into: &actions) }
        connections[position].load += 1
        connections[position].lastUsed = now
        return connections[position].id
    }

    /// Adds a caller to those who wait. Refused at once when too many wait.
    public mutating func wait(
        _ waiter: Waiter, until deadline: ContinuousClock.Instant, at now: ContinuousClock.Instant,
        into actions: inout [Action]
    ) -> WaiterID? {
        guard !isClosed else {
            actions.append(.refuse(waiter, .closed))
            return nil
        }
        // Places of waiters that have gone stay in the ring until those before them are served: bounded too.
        guard waiterCount < limits.maximumWaiters, waiters.count < 4 * limits.maximumWaiters else {
            actions.append(.refuse(waiter, .tooManyWaiters))
            return nil
        }
        waiters.append(Waiting(waiter: waiter, deadline: deadline))
        waiterCount += 1
        // The server may be back: a caller who comes during a long pause asks at once, and is not told of an old failure.
        if let due = mayConnectAt, let lastFailure {
            mayConnectAt = min(due, lastFailure + min(limits.initialBackoff, limits.maximumBackoff))
        }
        openForWaiters(at: now, into: &actions)
        arm(deadline, into: &actions)
        return WaiterID(sequence: firstWaiter + UInt64(waiters.count) - 1)
    }

    /// The next waiter and the connection it gets, as long as there are both.
    public mutating func nextServed(at now: ContinuousClock.Instant) -> (waiter: Waiter, connection: ConnectionID)? {
        guard waiterCount > 0, let position = leastLoaded else { return nil }
        while let waiting = waiters.popFirst() {
            firstWaiter += 1
            guard let waiter = waiting.waiter else { continue }
            waiterCount -= 1
            connections[position].load += 1
            connections[position].lastUsed = now
            return (waiter, connections[position].id)
        }
        return nil
    }

    /// A waiter has gone. Returns it, or `nil` when it was served or refused before.
    public mutating func withdraw(_ id: WaiterID) -> Waiter? {
        guard id.sequence >= firstWaiter, id.sequence - firstWaiter < UInt64(waiters.count) else { return nil }
        let position = Int(id.sequence - firstWaiter)
        guard let waiter = waiters[position].waiter else { return nil }
        waiters[position].waiter = nil
        waiterCount -= 1
        trimWaiters()
        return waiter
    }

    // MARK: Connections

    /// The number of requests on the way on a connection has changed to this. The clock is read only when it is 0.
    public mutating func loadChanged(
        _ id: ConnectionID, to load: Int, at now: @autoclosure () -> ContinuousClock.Instant
    ) {
        guard let position = connections.firstIndex(where: { $0.id == id }) else { return }
        connections[position].load = load
        if load == 0 { connections[position].lastUsed = now() }
    }

    /// A connection is logged in.
    public mutating func connectSucceeded(
        _ id: ConnectionID, at now: ContinuousClock.Instant, into actions: inout [Action]
    ) {
        guard let position = connections.firstIndex(where: { $0.id == id }) else { return }
        connections[position].state = .ready
        connections[position].load = 0
        connections[position].lastUsed = now
        failures = 0
        mayConnectAt = nil
        hasEverConnected = true
        if let idleTimeout { arm(now + idleTimeout, into: &actions) }
    }

    /// A connection could not be opened.
    ///
    /// Everyone who waits is refused when trying again cannot help (`isFinal`: the login was refused), or
    /// when no server has ever been reached. After an outage callers wait out their time instead, while the
    /// pool tries again.
    /// - Parameter jitter: a random number in 0 ..< 1, for the time until the next attempt.
    public mutating func connectFailed(
        _ id: ConnectionID, isFinal: Bool, jitter: Double, at now: ContinuousClock.Instant,
        into actions: inout [Action]
    ) {
        guard remove(id) else { return }
        failures += 1
        lastFailure = now
        mayConnectAt = now + backoff(jitter: jitter)
        if isFinal || !hasEverConnected, leastLoaded == nil, !connections.contains(where: { $0.state == .connecting }) {
            refuseAll(.connectFailed, into: &actions)
        }
        if waiterCount > 0 { arm(mayConnectAt ?? now, into: &actions) }
    }

    /// A connection takes no more calls.
    public mutating func drained(_ id: ConnectionID) {
        guard let position = connections.firstIndex(where: { $0.id == id }) else { return }
        connections[position].state = .draining
    }

    /// A connection has ended.
    public mutating func closed(_ id: ConnectionID, at now: ContinuousClock.Instant, into actions: inout [Action]) {
        guard remove(id) else { return }
        openForWaiters(at: now, into: &actions)
    }

    /// Nobody gets a connection any more. Returns the connections there are.
    public mutating func close(into actions: inout [Action]) -> [ConnectionID] {
        isClosed = true
        refuseAll(.closed, into: &actions)
        return connections.map(\.id)
    }

    // MARK: Time

    /// The time asked for by `setDeadline` has come.
    public mutating func tick(_ now: ContinuousClock.Instant, into actions: inout [Action]) {
        armedDeadline = nil
        guard !isClosed else { return }
        for position in 0..<waiters.count where waiters[position].deadline <= now {
            guard let waiter = waiters[position].waiter else { continue }
            waiters[position].waiter = nil
            waiterCount -= 1
            actions.append(.refuse(waiter, .timedOut))
        }
        trimWaiters()
        if leastLoaded == nil { openForWaiters(at: now, into: &actions) }
        var next: ContinuousClock.Instant?
        func consider(_ deadline: ContinuousClock.Instant) { next = next.map { min($0, deadline) } ?? deadline }
        for position in 0..<waiters.count where waiters[position].waiter != nil { consider(waiters[position].deadline) }
        if waiterCount > 0, let mayConnectAt, mayConnectAt > now { consider(mayConnectAt) }
        if let idleTimeout {
            for connection in connections where connection.state == .ready {
                let due = connection.load > 0 ? now + idleTimeout : connection.lastUsed + idleTimeout
                if due <= now { actions.append(.closeIdle(connection.id)) } else { consider(due) }
            }
        }
        if let next { arm(next, into: &actions) }
    }

    // MARK: Parts

    /// The ready connection with room and the fewest requests; the last used one when equal.
    private var leastLoaded: Int? {
        var best: Int?
        for position in connections.indices {
            let connection = connections[position]
            guard connection.state == .ready, connection.load < limits.pipelineDepth else { continue }
            guard let current = best else {
                best = position
                continue
            }
            let rival = connections[current]
            if connection.load < rival.load || (connection.load == rival.load && connection.lastUsed > rival.lastUsed) {
                best = position
            }
        }
        return best
    }

    /// Opens a connection when those being opened will not do for everyone who waits.
    private mutating func openForWaiters(at now: ContinuousClock.Instant, into actions: inout [Action]) {
        guard waiterCount > 0 else { return }
        let connecting = connections.count { $0.state == .connecting }
        if connecting == 0 || waiterCount > connecting * limits.busyLoad { openIfAllowed(at: now, into: &actions) }
    }

    private mutating func openIfAllowed(at now: ContinuousClock.Instant, into actions: inout [Action]) {
        guard !isClosed, connections.count < limits.maximumConnections else { return }
        guard connections.count(where: { $0.state == .connecting }) < limits.maximumConcurrentConnects else { return }
        if let mayConnectAt, mayConnectAt > now {
            arm(mayConnectAt, into: &actions)
            return
        }
        // While a server cannot be reached, one attempt at a time finds out when it is back.
        if failures > 0, connections.contains(where: { $0.state == .connecting }) { return }
        let id = ConnectionID(number: nextNumber)
        nextNumber += 1
        connections.append(Connection(id: id, state: .connecting, lastUsed: now))
        actions.append(.connect(id))
    }

    private mutating func remove(_ id: ConnectionID) -> Bool {
        guard let position = connections.firstIndex(where: { $0.id == id }) else { return false }
        connections.remove(at: position)
        return true
    }

    private mutating func refuseAll(_ refusal: Refusal, into actions: inout [Action]) {
        while let waiting = waiters.popFirst() {
            firstWaiter += 1
            if let waiter = waiting.waiter { actions.append(.refuse(waiter, refusal)) }
        }
        waiterCount = 0
    }

    private mutating func trimWaiters() {
        while let first = waiters.first, first.waiter == nil {
            _ = waiters.popFirst()
            firstWaiter += 1
        }
    }

    /// 50 ms, 100 ms, 200 ms, … up to the maximum, of which a random part is waited.
    private func backoff(jitter: Double) -> Duration {
        var longest = limits.initialBackoff
        for _ in 1..<max(2, min(failures, 20)) where longest < limits.maximumBackoff { longest = longest * 2 }
        return min(longest, limits.maximumBackoff) * jitter
    }

    private mutating func arm(_ deadline: ContinuousClock.Instant, into actions: inout [Action]) {
        if let armedDeadline, armedDeadline <= deadline { return }
        armedDeadline = deadline
        actions.append(.setDeadline(deadline))
    }
}
