import NexaEngine
import NexaProtocol
import Synchronization

/// Whether a long piece of work should go on: whoever does it asks now and then.
final class WorkControl: Sendable {
    /// By which CANCEL names the request.
    let tag: UInt64?
    private let deadline: ContinuousClock.Instant?
    private let maximumMilliseconds: Int
    private let isCanceled = Atomic<Bool>(false)
    private let session: Session

    init(_ control: RequestControl, for session: Session) {
        tag = control.tag
        maximumMilliseconds = control.maximumMilliseconds ?? 0
        deadline = control.maximumMilliseconds.map { .now + .milliseconds($0) }
        self.session = session
    }

    /// Nobody wants the result any more; from any thread.
    func cancel() { isCanceled.store(true, ordering: .relaxed) }

    /// Throws when the work should end.
    ///
    /// - Throws: `.cancelled` when the client said so, its connection is gone or its time is over, `.shuttingDown`.
    func check() throws(EngineError) {
        if isCanceled.load(ordering: .relaxed) {
            throw EngineError(.cancelled, "The request was cancelled by the client")
        }
        if session.isGone { throw EngineError(.cancelled, "The connection was closed") }
        if session.shared.isStopping.load(ordering: .relaxed) {
            throw EngineError(.shuttingDown, "The server is shutting down", advice: "Connect again in a moment")
        }
        if let deadline, deadline <= .now {
            throw EngineError(
                .cancelled, "The request took longer than its limit of \(maximumMilliseconds) ms",
                advice: "Allow more time, or ask for less")
        }
    }
}

extension Session {
    /// Does the request at hand on a worker thread, and answers it with what `work` returns; nothing else of the
    /// connection starts before.
    ///
    /// - Parameter slot: the place of the reply, where it has one already.
    func runOnWorker(
        answering slot: ReplyOrder.Slot? = nil,
        _ work: @escaping @Sendable (WorkControl) throws(EngineError) -> PendingReply
    ) {
        if slot != nil { order.holdBack() }
        let slot = slot ?? begin(.exclusive)
        let control = WorkControl(requestControl, for: self)
        running = control
        let isAccepted = shared.workers.submit { [self] in
            let result = Result { () throws(EngineError) in
                // It may have waited long for the worker.
                try control.check()
                return try work(control)
            }
            complete(slot, with: PendingReply(result) { $0 })
        }
        if !isAccepted { complete(slot, with: .failure(Self.overloaded)) }
    }

    /// Ends the work on the request with a tag, if it is being worked on.
    func cancelWork(_ payload: RawSpan) {
        guard let running, let tag = running.tag, Request.canceledTag(payload) == tag else { return }
        running.cancel()
    }
}
