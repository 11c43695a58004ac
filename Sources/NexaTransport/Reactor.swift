import CNexaSystem
import Glibc
public import NexaProtocol
import Synchronization

/// What happened to a registered descriptor.
public struct Readiness: OptionSet, Sendable {
    /// The bits.
    public let rawValue: UInt8
    /// Wraps bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// There may be bytes (or a connection, or the end of the stream) to read.
    public static let readable = Readiness(rawValue: 1)
    /// Output that came back short may go on, or a connect has finished.
    public static let writable = Readiness(rawValue: 2)
    /// The peer closed its side, or the connection failed. Reading tells which.
    public static let hangup = Readiness(rawValue: 4)
}

/// What the reactor calls for a registered descriptor, always on the reactor's thread.
public protocol EventHandler: AnyObject {
    /// The descriptor became ready. Events are edge-triggered: one call per change, so a handler reads or
    /// writes until the call would block, or arranges to continue with `Reactor.runSoon`.
    func ready(_ events: Readiness)
    /// The reactor is shutting down: release the descriptor. No call follows.
    func reactorStopped()
}

/// Work that an object has for later in the turn; see `Reactor.runSoon`.
public protocol DeferredWork: AnyObject {
    /// Does it, on the reactor's thread, behind the closures of `runSoon`.
    func runDeferred()
}

// @unchecked: `shared`, `threadID` and the two descriptors are safe from any thread; all other state belongs
// to the reactor's thread, and every way to it goes through `preconditionOnThread()`.
/// One thread that waits for descriptors, deadlines and work handed over by other threads.
///
/// A turn of the reactor is: wait (epoll) → handlers of ready descriptors → expired timers → closures and
/// Swift jobs handed over → the turn-end hook → flush of all channels that were written to. The hook is the
/// place for work shared by everything that arrived together, such as one storage commit for many requests.
///
/// The reactor is also a `TaskExecutor` (`Task(executorPreference: reactor)`), so asynchronous code can run
/// on the thread that owns its connection, without a hop.
///
/// `execute` and `enqueue` may be used from any thread; everything else only on the reactor's thread,
/// which is checked. Call `shutdown()` when done: the running thread keeps the reactor alive.
public final class Reactor: @unchecked Sendable {
    /// Names a scheduled timer.
    public struct TimerID: Hashable, Sendable {
        let id: DeadlineHeap<MonotonicInstant, () -> Void>.ID
    }

    struct Shared {
        var closures: [@Sendable () -> Void] = []
        var jobs: [UnownedJob] = []
        /// The thread is in, or about to enter, `epoll_wait` without having seen later additions.
        var isAsleep = false
        /// One wake-up was written, or is being written, and has not been read yet.
        var isSignalled = false
        var isStopping = false
        var isStopped = false
        var thread: SystemThread?
    }

    struct Registration {
        var generation: UInt32 = 0
        var events: UInt32 = 0
        var handler: (any EventHandler)?
    }

    static let wakeupWord = UInt64.max
    static let eventsPerTurn = 256
    /// How often jobs that jobs enqueue are run before descriptors get their turn again.
    static let jobRoundsPerTurn = 16
    /// Size of the buffer that all connections of a reactor read into.
    static let scratchSize = 128 << 10

    let epoll: CInt
    let wakeup: CInt
    let spinning: Duration
    let threadID = Atomic<UInt>(0)
    let shared = Mutex(Shared())

    // Owned by the reactor's thread, whose checks are `preconditionOnThread`. Those of exclusive access at run time took
    // half of a microsecond of every round trip; nothing here is passed `inout` to code that comes back.
    @exclusivity(unchecked) var registrations: [Registration] = []
    @exclusivity(unchecked) var nextGeneration: UInt32 = 0
    @exclusivity(unchecked) var timers = DeadlineHeap<MonotonicInstant, () -> Void>()
    @exclusivity(unchecked) var soon: [() -> Void] = []
    @exclusivity(unchecked) var spareSoon: [() -> Void] = []
    @exclusivity(unchecked) var deferred: [any DeferredWork] = []
    @exclusivity(unchecked) var spareDeferred: [any DeferredWork] = []
    @exclusivity(unchecked) var localJobs: [UnownedJob] = []
    @exclusivity(unchecked) var spareJobs: [UnownedJob] = []
    @exclusivity(unchecked) var closures: [@Sendable () -> Void] = []
    @exclusivity(unchecked) var turnEnd: (() -> Void)?
    @exclusivity(unchecked) var dirtyChannels: [Channel] = []
    @exclusivity(unchecked) var spareOutputs: [[UInt8]] = []
    let scratch: UnsafeMutableRawBufferPointer

    /// Starts a reactor and its thread.
    ///
    /// - Parameters:
    ///   - name: the thread's name.
    ///   - spinning: how long to poll before sleeping. It buys latency (about 30 µs per wake-up on virtual
    ///     machines) for processor time, and only while there is traffic.
    /// - Throws: `TransportError` when the process is out of descriptors or threads.
    public init(name: String = "nexa-reactor", spinning: Duration = .zero) throws(TransportError) {
        let epoll = nexa_epoll_create()
        guard epoll >= 0 else { throw .current("epoll_create") }
        let wakeup = nexa_eventfd()
        guard wakeup >= 0 else {
            let error = TransportError.current("eventfd")
            _ = Glibc.close(epoll)
            throw error
        }
        guard nexa_epoll_add(epoll, wakeup, NEXA_EPOLLIN, Self.wakeupWord) == 0 else {
            let error = TransportError.current("epoll_ctl")
            _ = Glibc.close(wakeup)
            _ = Glibc.close(epoll)
            throw error
        }
        self.epoll = epoll
        self.wakeup = wakeup
        self.spinning = spinning
        scratch = .allocate(byteCount: Self.scratchSize, alignment: 16)
        do throws(TransportError) {
            let thread = try SystemThread(name: name) { [self] in run() }
            shared.withLock { $0.thread = thread }
        } catch {
            _ = Glibc.close(wakeup)
            _ = Glibc.close(epoll)
            throw error
        }
    }

    deinit {
        scratch.deallocate()
    }

    /// Whether the calling thread is the reactor's.
    public var isOnThread: Bool {
        threadID.load(ordering: .relaxed) == UInt(pthread_self())
    }

    /// Stops the program when called on another thread: the caller would race with the reactor.
    @inline(__always)
    public func preconditionOnThread() {
        precondition(isOnThread, "this must be called on the reactor's thread")
    }

    // MARK: Work from any thread

    /// Runs a closure on the reactor's thread, in the order of the calls.
    ///
    /// Many calls between two turns cost one wake-up together.
    /// - Returns: false when the reactor has stopped; the closure is then never run.
    @discardableResult
    public func execute(_ body: @escaping @Sendable () -> Void) -> Bool {
        let (accepted, wake) = shared.withLock { shared -> (Bool, Bool) in
            guard !shared.isStopped else { return (false, false) }
            shared.closures.append(body)
            return (true, shared.claimWakeup())
        }
        if wake { signal() }
        return accepted
    }

    /// Stops the reactor: the current turn ends, handlers that are still registered are told to release
    /// their descriptors, timers are dropped, the thread ends and its descriptors are closed.
    ///
    /// Returns after the thread has ended, except when called on the reactor's own thread, where the thread
    /// ends by itself after the current turn. Calling it again is harmless.
    public func shutdown() {
        let (thread, wake) = shared.withLock { shared -> (SystemThread?, Bool) in
            defer { shared.thread = nil }
            shared.isStopping = true
            return (shared.thread, !shared.isStopped && shared.claimWakeup())
        }
        if wake { signal() }
        if isOnThread { thread?.detach() } else { thread?.join() }
    }

    // MARK: Work on the reactor's thread

    /// Runs a closure later in this turn, or in the next one.
    public func runSoon(_ body: @escaping () -> Void) {
        preconditionOnThread()
        soon.append(body)
    }

    /// The same for work that is done again and again: nothing is allocated.
    public func runSoon(_ work: any DeferredWork) {
        preconditionOnThread()
        deferred.append(work)
    }

    /// Calls `body` once, on the reactor's thread, not before `deadline` and about a millisecond after it
    /// at most when the thread is free.
    public func schedule(at deadline: MonotonicInstant, _ body: @escaping () -> Void) -> TimerID {
        preconditionOnThread()
        return TimerID(id: timers.insert(body, at: deadline))
    }

    /// Cancels a timer. Harmless when it has fired or was cancelled before.
    public func cancel(_ timer: TimerID) {
        preconditionOnThread()
        timers.remove(timer.id)
    }

    /// Sets what is called at the end of every turn, after everything that was ready has been handled and
    /// before written channels are flushed. It must not block for longer than the connections can wait.
    public func setTurnEndHook(_ body: (() -> Void)?) {
        preconditionOnThread()
        turnEnd = body
    }

    func signal() {
        var one: UInt64 = 1
        // An eventfd write fails only when the counter would overflow; one signal is outstanding at most.
        while write(wakeup, &one, 8) < 0, errno == EINTR {}
    }
}

extension Reactor.Shared {
    /// Whether the caller has to write a wake-up, which it then must do.
    mutating func claimWakeup() -> Bool {
        guard isAsleep, !isSignalled else { return false }
        isSignalled = true
        return true
    }
}
