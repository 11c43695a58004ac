import Glibc
import NexaTransport
import Synchronization

/// Whether a server should go on, and who is ending it. Blocking waits are for threads of their own.
final class Lifecycle: Sendable {
    private enum Phase { case starting, running, ending, ended }
    private struct State {
        var phase = Phase.starting
        var hadConnection = false
        var isRequested = false
    }

    /// With `exitWhenIdle`, how long the first connection may take.
    static let firstConnectionTimeout = 30

    private let state = Mutex(State())
    private let requested = Semaphore()
    private let finished = Semaphore()
    private let exitWhenIdle: Bool

    init(exitWhenIdle: Bool) { self.exitWhenIdle = exitWhenIdle }

    func started() { state.withLock { if $0.phase == .starting { $0.phase = .running } } }

    func hasConnection() { state.withLock { $0.hadConnection = true } }

    func becameIdle() {
        if exitWhenIdle { request() }
    }

    /// Asks for the end of the server; again without effect.
    func request() {
        let isFirst = state.withLock { state in
            defer { state.isRequested = true }
            return !state.isRequested
        }
        if isFirst { requested.signal() }
    }

    /// Waits for `request`.
    func wait() {
        guard exitWhenIdle else { return requested.wait() }
        if requested.wait(seconds: Self.firstConnectionTimeout) { return }
        if state.withLock({ $0.hadConnection }) { requested.wait() }
    }

    /// True for the one caller that must end the server; the others return when it has done so.
    func beginShutdown() -> Bool {
        let isMine = state.withLock { state in
            guard state.phase == .running || state.phase == .starting else { return false }
            state.phase = .ending
            return true
        }
        request()
        if !isMine {
            finished.wait()
            finished.signal()
        }
        return isMine
    }

    func endShutdown() {
        state.withLock { $0.phase = .ended }
        finished.signal()
    }

    func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }
}
