import Synchronization

/// How a running command hears of Ctrl-C.
///
/// Most commands are simply cancelled. One that has something to bring to an end first (an import waits for the batches
/// on their way) registers a handler: the first Ctrl-C calls it, the second cancels.
final class Interruption: Sendable {
    private struct State {
        var handler: (@Sendable () -> Void)?
        var wasRaised = false
        var isShielded = false
    }

    private let state = Mutex(State())

    /// Whether Ctrl-C was pressed during this command.
    var wasRaised: Bool { state.withLock { $0.wasRaised } }

    /// Runs `body`; meanwhile the first Ctrl-C calls `handler` instead of cancelling.
    func handled<R, Failure: Error>(
        isolation: isolated (any Actor)? = #isolation, by handler: @escaping @Sendable () -> Void,
        _ body: () async throws(Failure) -> R
    ) async throws(Failure) -> R {
        state.withLock { $0.handler = handler }
        defer { state.withLock { $0.handler = nil } }
        return try await body()
    }

    /// Whether Ctrl-C is meant for another program, such as a pager; it is passed over then.
    func shield(_ isOn: Bool) { state.withLock { $0.isShielded = isOn } }

    /// Notes a Ctrl-C; returns false when the command has to be cancelled.
    func raise(isInterrupt: Bool = true) -> Bool {
        if isInterrupt, state.withLock({ $0.isShielded }) { return true }
        let handler = state.withLock { state -> (@Sendable () -> Void)? in
            state.wasRaised = true
            defer { state.handler = nil }
            return state.handler
        }
        handler?()
        return handler != nil
    }
}
