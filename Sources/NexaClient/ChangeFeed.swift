import NexaProtocol
import NexaValue

/// What an iterator over changes shares: the connection, the events that came, and how to go on after a break.
///
/// The connection is given back when the last reference goes, or when the stream ends.
final class ChangeFeed {
    /// What comes next.
    enum Item {
        case change(Reply.Change)
        case gap(since: ResumeToken?)
    }

    private let core: ClientCore
    private var request: Request.Subscribe
    private let options: CallOptions
    private var machine: WatchMachine
    private var lease: ConnectionLease?
    private var events: EventBatch?
    private var nextEvent = 0
    private var failure: NexaError?

    /// The place behind the last change that was returned, if the server tells.
    var token: ResumeToken? { machine.token.map { ResumeToken($0) } }

    /// Whether another event has come already.
    var hasWaitingEvents: Bool { nextEvent < events?.count ?? 0 }

    init(_ core: ClientCore, _ request: Request.Subscribe, from start: ChangeStart, options: CallOptions) {
        self.core = core
        self.request = request
        self.options = options
        switch start {
        case .now: machine = WatchMachine()
        case .after(let token): machine = WatchMachine(after: token.bytes)
        }
    }

    /// Subscribes, unless that has happened.
    func begin(isolation: isolated (any Actor)?) async throws(NexaError) {
        while true {
            switch machine.next {
            case .receive, .reportGap: return
            default: try await step(isolation: isolation)
            }
        }
    }

    /// The next change, or word of a gap.
    func next(isolation: isolated (any Actor)?) async throws(NexaError) -> Item {
        while true {
            switch machine.next {
            case .receive:
                if let change = try waiting() { return .change(change) }
                try await receive(isolation: isolation)
            case .reportGap(let since):
                machine.gapReported()
                return .gap(since: since.map { ResumeToken($0) })
            default: try await step(isolation: isolation)
            }
        }
    }

    /// The next change, if it has come already: nobody needs to wait for it.
    func waiting() throws(NexaError) -> Reply.Change? {
        guard let events, machine.isStreaming else { return nil }
        while nextEvent < events.count {
            let change = try read(events, nextEvent)
            nextEvent += 1
            machine.received(token: change.token)
            // Otherwise it only said how far the subscription is.
            if change.operation != nil { return change }
        }
        return nil
    }

    /// Connects or subscribes.
    private func step(isolation: isolated (any Actor)?) async throws(NexaError) {
        switch machine.next {
        case .connect(let failures):
            do throws(NexaError) {
                try await pause(failures, isolation: isolation)
                let lease = try await core.lease(operation: "watch", options: options)
                self.lease = lease
                machine.connected(grantsTokens: lease.server.granted.contains(.resumeTokens))
            } catch {
                // The pool has tried for as long as a call may take; who just begins wants to know.
                try lost(error, isLasting: !machine.wasSubscribed)
            }
        case .subscribe(let after):
            guard let lease else { return machine.lost(.passing) }
            do throws(NexaError) {
                lease.acceptEvents()
                request.after = after
                let reply = try await lease.core.reply(to: .subscribe(request), operation: "watch", options: options)
                if machine.subscribed(token: try reply.fields()["token"]?.bytes) {
                    let hasGap = if case .reportGap = machine.next { true } else { false }
                    core.telemetry.emit(.changeStreamResumed(gap: hasGap), log: options.log)
                }
            } catch {
                try lost(error)
            }
        case .fail(let ending):
            release()
            throw (failure ?? Self.error(of: ending)).during("watch")
        case .receive, .reportGap: return
        }
    }

    private func receive(isolation: isolated (any Actor)?) async throws(NexaError) {
        guard let lease else { return machine.lost(.passing) }
        do throws(NexaError) {
            nextEvent = 0
            events = nil
            events = try await lease.nextEvents()
        } catch {
            try lost(error)
        }
    }

    private func read(_ events: EventBatch, _ index: Int) throws(NexaError) -> Reply.Change {
        do throws(MessagePackError) {
            return try Reply.Change(events.bytes, at: events.ranges[index])
        } catch {
            let error = NexaError(
                .protocolViolation, "The server sent a change event that cannot be read: \(error)",
                delivery: .answered, operation: "watch", endpoint: lease?.server.endpoint)
            failure = error
            machine.lost(.lasting)
            release()
            throw error
        }
    }

    // MARK: Breaks

    /// The connection is gone; throws when that is the caller's wish.
    private func lost(_ error: NexaError, isLasting: Bool = false) throws(NexaError) {
        release()
        failure = error
        switch error.code {
        case .cancelled, .shutDown:
            machine.lost(.lasting)
            throw error.during("watch")
        case .changeHistoryLost: machine.lost(.historyLost)
        case .connectionLost, .connectFailed, .timedOut, .poolExhausted, .overloaded:
            machine.lost(isLasting ? .lasting : .passing)
        default: machine.lost(.lasting)
        }
    }

    private func release() {
        lease?.release()
        lease = nil
    }

    /// Waits before another attempt; the pool has waits of its own between attempts to connect.
    private func pause(_ failures: Int, isolation: isolated (any Actor)?) async throws(NexaError) {
        guard failures > 0 else { return }
        let backoff = core.configuration.backoff
        let longest = min(backoff.initial * (1 << min(failures - 1, 16)), backoff.maximum)
        do {
            try await Task.sleep(for: longest * Double.random(in: 0.5..<1))
        } catch {
            throw .cancelled(delivery: .notSent)
        }
    }

    private static func error(of ending: WatchMachine.Ending) -> NexaError {
        switch ending {
        case .unsupported:
            NexaError(.unsupported, "The connected server lacks 'resume-token' and cannot go on behind a token")
        case .historyLost:
            NexaError(.changeHistoryLost, "The server has not kept the changes behind the token")
        case .failed: NexaError(.connectionLost, "The change stream broke and could not be resumed")
        }
    }
}

extension ChangeFeed {
    /// Reads a change as a model.
    static func decode<Model: NexaModel>(
        _ change: Reply.Change, as model: Model.Type, _ coding: ModelCoding
    ) throws(NexaError) -> Change<Model> {
        func malformed(_ what: String) -> NexaError {
            NexaError(
                .protocolViolation, "The server sent a change event without \(what)", delivery: .answered,
                operation: "watch")
        }
        func id() throws(NexaError) -> DocumentID {
            guard let id = change.id.flatMap(DocumentID.init) else { throw malformed("a document's key") }
            return id
        }
        func full() throws(NexaError) -> Model? {
            guard let range = change.document else { return nil }
            if let document = try free(range, change) as? Model { return document }
            return try EncodedDecoder.decode(model, change.bytes, at: range.lowerBound, coding)
        }
        /// A free document is not read through `Codable`.
        func free(_ range: Range<Int>, _ change: Reply.Change) throws(NexaError) -> Document? {
            model == Document.self ? try document(range, change) : nil
        }
        switch change.operation.flatMap(ChangeKind.init) {
        case .insert?:
            guard let document = try full() else { throw malformed("the document") }
            return .inserted(try id(), document)
        case .update?:
            let changed = try change.updates.map { range throws(NexaError) in try document(range, change) }
            return .updated(try id(), changed: changed ?? [:], removed: change.removed, full: try full())
        case .delete?: return .deleted(try id())
        case .dropCollection?, .dropDatabase?: return .dropped
        case nil: throw malformed("a known operation")
        }
    }

    private static func document(_ range: Range<Int>, _ change: Reply.Change) throws(NexaError) -> Document {
        do throws(MessagePackError) {
            var reader = MessagePackReader(change.bytes.span.bytes, at: range.lowerBound)
            return try reader.readDocument()
        } catch {
            throw NexaError(
                .protocolViolation, "The server sent a change event that cannot be read: \(error)",
                delivery: .answered, operation: "watch")
        }
    }
}
