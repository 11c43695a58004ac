import NexaProtocol
import NexaTransport
import NexaValue

/// What comes of a step under the lock.
extension ClientDriver {
    /// What is to be done once the lock is released. What nearly every step has; the rest is made when it is needed.
    struct Effects {
        var completed: [Completion] = []
        /// The one who is to write, as nearly always.
        var writer: Lane?
        private(set) var others: OtherEffects?

        /// Adds to the others.
        mutating func add(_ body: (OtherEffects) -> Void) {
            let others = others ?? OtherEffects()
            self.others = others
            body(others)
        }
    }

    // @unchecked: filled by one thread under the lock, and then handed on to be carried out.
    /// What some steps lead to.
    final class OtherEffects: @unchecked Sendable {
        var resumed: [(continuation: UnsafeContinuation<CallOutcome, Never>, outcome: CallOutcome)] = []
        /// The calls of pipelines; they come together at the end.
        var grouped: [(group: CallGroup, index: Int, outcome: CallOutcome)] = []
        /// Outcomes that came too late. They are let go outside the lock, which the end of a lease takes.
        var unwanted: [CallOutcome] = []
        /// For the observer.
        var news: [NexaEvent] = []
        /// Frames that are change events.
        var events: [Int] = []
        /// Those who are to write besides the one.
        var moreWriters: [Lane] = []
        var connects: [Lane] = []
        var closes: [Lane] = []
        var deadlines: [Lane] = []
        var movesPoolDeadline = false
        var drained: [UnsafeContinuation<Void, Never>] = []

        var needsReactor: Bool { !connects.isEmpty || !closes.isEmpty || !deadlines.isEmpty || movesPoolDeadline }
    }

    /// A call whose reply has come. It does not hold the call, which its caller may use again.
    struct Completion {
        let continuation: UnsafeContinuation<CallOutcome, Never>?
        let group: (CallGroup, index: Int)?
        let wantsPayload: Bool
        /// Which of the frames that were read is the reply.
        let frame: Int
    }
}
