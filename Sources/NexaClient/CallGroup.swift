import Synchronization

/// The calls of one pipeline, whose caller is resumed once, when the last of them has ended.
final class CallGroup: Sendable {
    typealias Continuation = UnsafeContinuation<[CallOutcome], Never>

    private struct State {
        var outcomes: [CallOutcome?]
        var remaining: Int
        var continuation: Continuation?
    }

    private let state: Mutex<State>

    init(count: Int) {
        state = Mutex(State(outcomes: Array(repeating: nil, count: count), remaining: count))
    }

    /// To be called before the calls are handed to the driver.
    func resumeAtEnd(_ continuation: Continuation) {
        state.withLock { $0.continuation = continuation }
    }

    func finish(_ index: Int, _ outcome: CallOutcome) {
        let ended = state.withLock { state -> (Continuation, [CallOutcome])? in
            guard state.outcomes[index] == nil else { return nil }
            state.outcomes[index] = outcome
            state.remaining -= 1
            guard state.remaining == 0, let continuation = state.continuation else { return nil }
            state.continuation = nil
            return (continuation, state.outcomes.compactMap { $0 })
        }
        if let (continuation, outcomes) = ended { continuation.resume(returning: outcomes) }
    }
}
