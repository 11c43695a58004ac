import NexaProtocol
import Synchronization

/// Change events between the reactor, which adds them, and the one task that takes them.
final class EventQueue: Sendable {
    private typealias Waiter = UnsafeContinuation<Result<EventBatch, NexaError>, Never>

    private struct State {
        var batches: [EventBatch] = []
        var frameCount = 0
        var byteCount = 0
        var isFull = false
        var end: NexaError?
        var waiter: Waiter?
    }

    private let maximumFrames: Int
    private let maximumBytes: Int
    private let state = Mutex(State())

    init(maximumFrames: Int, maximumBytes: Int) {
        self.maximumFrames = max(1, maximumFrames)
        self.maximumBytes = max(1, maximumBytes)
    }

    /// Adds events. Returns true when no more should be read until `next` says so.
    func append(_ batch: EventBatch) -> Bool {
        let (waiter, isFull) = state.withLock { state -> (Waiter?, Bool) in
            guard state.end == nil else { return (nil, false) }
            if let waiter = state.waiter {
                state.waiter = nil
                return (waiter, false)
            }
            state.batches.append(batch)
            state.frameCount += batch.count
            state.byteCount += batch.bytes.count
            state.isFull = state.frameCount >= maximumFrames || state.byteCount >= maximumBytes
            return (nil, state.isFull)
        }
        waiter?.resume(returning: .success(batch))
        return isFull
    }

    /// No event follows those that are there.
    func finish(_ error: NexaError) {
        let waiter = state.withLock { state -> Waiter? in
            guard state.end == nil else { return nil }
            state.end = error
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: .failure(error))
    }

    /// The events that came first, as soon as there are any, and whether reading had stopped and may go on.
    nonisolated(nonsending) func next() async -> (Result<EventBatch, NexaError>, mayRead: Bool) {
        var mayRead = false
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: Waiter) in
                let result = state.withLock { state -> Result<EventBatch, NexaError>? in
                    if Task.isCancelled { return .failure(.cancelled(delivery: .notSent)) }
                    if !state.batches.isEmpty {
                        let batch = state.batches.removeFirst()
                        state.frameCount -= batch.count
                        state.byteCount -= batch.bytes.count
                        mayRead =
                            state.isFull && state.frameCount <= maximumFrames / 2
                            && state.byteCount <= maximumBytes / 2
                        if mayRead { state.isFull = false }
                        return .success(batch)
                    }
                    if let end = state.end { return .failure(end) }
                    // A second consumer would be a mistake; it is told so rather than left waiting for ever.
                    if state.waiter != nil { return .failure(.secondConsumer) }
                    state.waiter = continuation
                    return nil
                }
                if let result { continuation.resume(returning: result) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: .failure(.cancelled(delivery: .notSent)))
        }
        return (result, mayRead)
    }
}
