import NexaStorage

/// Counts the commits of one request that are on their way.
final class CommitTracker: Sendable {
    private struct State {
        var count = 0
        var bytes = 0
        var failures: [(write: Int, error: EngineError)] = []
        var whenSettled: (@Sendable () -> Void)?
    }

    private let state = Monitor(State())

    /// True when nothing is on its way.
    var isSettled: Bool { state.withLock { $0.count == 0 } }

    /// True when so much is on its way that its makers should wait.
    var isFull: Bool { state.withLock { $0.count >= 1024 || $0.bytes >= 8 << 20 } }

    /// Counts a commit, before it can end.
    func begin() { state.withLock { $0.count += 1 } }

    /// Adds to the bytes on their way; the return value is to be taken off at the end.
    func add(bytes: Int) { state.withLock { $0.bytes += bytes } }

    /// A commit ended, or was never made.
    func end(_ result: Result<Void, EngineError>, of write: Int) {
        let whenSettled = state.withLock { state -> (@Sendable () -> Void)? in
            state.count -= 1
            if case .failure(let error) = result { state.failures.append((write, error)) }
            guard state.count == 0 else { return nil }
            state.bytes = 0
            defer { state.whenSettled = nil }
            return state.whenSettled
        }
        state.wakeAll()
        whenSettled?()
    }

    /// Takes the failures that were told so far.
    func takeFailures() -> [(write: Int, error: EngineError)] {
        state.withLock { state in
            defer { state.failures = [] }
            return state.failures
        }
    }

    /// Blocks until nothing is on its way.
    func settle() { state.wait(until: { $0.count == 0 }, deadline: { _ in nil }, then: { _ in }) }

    /// Calls `body` once nothing is on its way.
    func whenSettled(_ body: @escaping @Sendable () -> Void) {
        let isSettled = state.withLock { state in
            if state.count > 0 { state.whenSettled = body }
            return state.count == 0
        }
        if isSettled { body() }
    }
}
