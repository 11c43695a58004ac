import NexaEngine
import NexaProtocol
import NexaTransport
import NexaValue

/// What one connection is told of changes. Used on the reactor's thread, or by the worker that reads for it.
final class ChangeSubscription: @unchecked Sendable {
    // Unchecked: while `isReading` a worker has the cursor, otherwise the reactor's thread.
    let cursor: ChangeCursor
    let request: Request.Subscribe
    /// Whether events have tokens, and the database under `ns`.
    let hasTokens: Bool
    /// A worker is reading.
    var isReading = false
    /// A commit wakes the subscription.
    var isWaiting = false
    /// `runSoon` will go on.
    var isContinuing = false
    var progressTimer: Reactor.TimerID?
    var sentPosition: ChangePosition

    init(_ cursor: ChangeCursor, _ request: Request.Subscribe, hasTokens: Bool) {
        self.cursor = cursor
        self.request = request
        self.hasTokens = hasTokens
        sentPosition = cursor.position
    }

    /// Encodes the events that come next, up to about `maximumBytes` of them or of the log.
    func fill(
        _ writer: inout MessagePackWriter, for user: User, maximumBytes: Int
    ) throws(EngineError) -> ChangeCursor.Progress {
        try cursor.read(scanning: maximumBytes, permitting: { user.may(.read, database: $0) }) { event in
            let head = Reply.ChangeHead(
                operation: event.kind.rawValue, database: event.database, collection: event.collection,
                timestamp: Double(event.microseconds) / 1e6, id: event.id)
            Reply.encodeChange(
                head, document: event.document, updates: event.updates, removed: event.removed,
                token: hasTokens ? event.position.bytes : nil, into: &writer)
            sentPosition = event.position
            return writer.count < maximumBytes
        }
    }
}

/// Change events: read from the log when something was committed, as fast as the socket takes them.
///
/// Whoever reads slowly has a position in the log and, at most, the high-water mark of the channel in memory.
extension Session {
    /// Bytes of events or of log that one turn of the reactor handles for one connection.
    private static var inlineBytes: Int { 128 << 10 }
    /// The same for one job of a worker.
    private static var workerBytes: Int { 1 << 20 }
    /// How long to wait for a worker when all are busy and too many wait.
    private static var workerRetry: Duration { .milliseconds(20) }

    /// Answers SUBSCRIBE_CHANGES; a second subscription takes the place of the first.
    func subscribe(_ request: Request.Subscribe) {
        guard case .user(_, let capabilities) = login else { return }
        let hasTokens = capabilities.contains(.resumeTokens)
        do throws(EngineError) {
            var selection = ChangeSelection(
                database: request.database, collection: request.collection,
                kinds: Set(ChangeKind.allCases.filter { request.selects($0.rawValue) }))
            var position: ChangePosition?
            if hasTokens {
                selection.filter = request.filter
                if let token = request.after {
                    guard let read = ChangePosition(bytes: token) else {
                        throw EngineError(.badRequest, "Field 'after' is not a token of a change event")
                    }
                    position = read
                }
            }
            let cursor = try shared.engine.changes(selection, after: position)
            endSubscription()
            let subscription = ChangeSubscription(cursor, request, hasTokens: hasTokens)
            self.subscription = subscription
            let token = hasTokens ? cursor.position.bytes : nil
            reply { Reply.encodeSubscribed(request, token: token, into: &$0) }
            continueSoon(subscription)
        } catch {
            reply(.failure(RequestError(error)))
        }
    }

    /// Ends the subscription, if there is one.
    func endSubscription() {
        if let timer = subscription?.progressTimer { reactor.cancel(timer) }
        if subscription != nil { context.stopWaiting(self) }
        subscription = nil
    }

    /// Something was committed.
    func changesArrived() {
        subscription?.isWaiting = false
        pumpChanges()
    }

    /// Sends events until there are none or the socket takes no more.
    func pumpChanges() {
        guard let subscription, let channel, channel.isOpen, !channel.isAboveHighWater,
            !subscription.isReading, !subscription.isWaiting, !subscription.isContinuing
        else { return }
        guard let user = currentReader(subscription) else { return endForbiddenSubscription() }
        if subscription.cursor.isCold { return readElsewhere(subscription, user) }
        var result = Result<ChangeCursor.Progress, EngineError>.success(.caughtUp)
        context.withWriter { writer in
            result = Result(catching: { () throws(EngineError) in
                try subscription.fill(&writer, for: user, maximumBytes: Self.inlineBytes)
            })
            if writer.count > 0 { channel.write(writer.span) }
        }
        proceed(subscription, result)
    }

    /// The user as of now, if there still is one who may see what was subscribed to.
    func currentReader(_ subscription: ChangeSubscription) -> User? {
        refreshLogin()
        guard case .user(let user, _) = login,
            RequiredAccess(.subscribe(subscription.request)).refusal(for: user) == nil
        else { return nil }
        return user
    }

    /// A subscriber who may not go on learns it from the end of the connection: events have no place for errors.
    func endForbiddenSubscription() {
        audit("subscription-ended", [("reason", "no longer permitted")], level: .warning)
        endSubscription()
        closeAfterReplies()
    }

    private func proceed(_ subscription: ChangeSubscription, _ result: Result<ChangeCursor.Progress, EngineError>) {
        guard self.subscription === subscription, let channel, channel.isOpen else { return }
        switch result {
        case .success(.more):
            // Above the mark, the channel says when it is time again; a small window is taken up anew then.
            if channel.isAboveHighWater { subscription.cursor.releaseMemory() } else { continueSoon(subscription) }
        case .success(.caughtUp):
            subscription.isWaiting = true
            context.waitForChanges(self)
            if subscription.cursor.hasMore { return continueSoon(subscription) }
            scheduleProgress(subscription)
        case .failure(let error):
            // The subscriber asks again with its token, and gets the reason as an answer.
            shared.configuration.log(
                .warning, "change stream ended", [("peer", peerName), ("reason", error.message)])
            channel.closeAfterFlush()
        }
    }

    private func continueSoon(_ subscription: ChangeSubscription) {
        guard !subscription.isContinuing else { return }
        subscription.isContinuing = true
        reactor.runSoon { [self] in
            subscription.isContinuing = false
            guard self.subscription === subscription else { return }
            subscription.isWaiting = false
            pumpChanges()
        }
    }

    /// Old log may have to come from the device: a worker reads it.
    private func readElsewhere(_ subscription: ChangeSubscription, _ user: User) {
        subscription.isReading = true
        let isAccepted = shared.workers.submit { [self] in
            var writer = MessagePackWriter(capacity: 64 << 10)
            let result = Result(catching: { () throws(EngineError) in
                try subscription.fill(&writer, for: user, maximumBytes: Self.workerBytes)
            })
            let bytes = writer.bytes
            reactor.execute { [self] in
                subscription.isReading = false
                guard self.subscription === subscription else { return }
                channel?.write(bytes)
                proceed(subscription, result)
            }
        }
        guard !isAccepted else { return }
        subscription.isReading = false
        subscription.isContinuing = true
        _ = reactor.schedule(at: .now + Self.workerRetry) { [self] in
            subscription.isContinuing = false
            if self.subscription === subscription { pumpChanges() }
        }
    }

    /// A subscriber whose events are rare learns how far it is, so that it can go on from there.
    private func scheduleProgress(_ subscription: ChangeSubscription) {
        guard subscription.hasTokens, subscription.progressTimer == nil,
            subscription.cursor.position != subscription.sentPosition
        else { return }
        subscription.progressTimer = reactor.schedule(at: .now + shared.configuration.changeProgressInterval) {
            [weak self] in
            subscription.progressTimer = nil
            guard let self, self.subscription === subscription, !subscription.isReading,
                subscription.cursor.position != subscription.sentPosition
            else { return }
            subscription.sentPosition = subscription.cursor.position
            reply { Reply.encodeProgress(token: subscription.sentPosition.bytes, into: &$0) }
        }
    }
}
