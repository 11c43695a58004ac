import NexaProtocol
import NexaValue

/// One request of a pipeline on its way, whatever its reply's type.
private class PipelinedCall {
    let operation: StaticString
    var request = Request.ping
    /// Holds the frame.
    var pending: PendingCall
    var required: RequiredCapabilities = []
    var isIdempotent = false
    /// What became of it; `nil` until then.
    var answer: Result<Answer, NexaError>?

    init(_ operation: StaticString, _ times: PendingCall.Times) {
        self.operation = operation
        pending = PendingCall(times)
    }

    /// Fills in what is to be sent to this server.
    func prepare(for server: Negotiated, _ options: CallOptions) throws(NexaError) {}
}

private final class TypedPipelinedCall<Reply: Sendable>: PipelinedCall {
    private let typed: NexaRequest<Reply>
    private var draft: NexaRequest<Reply>.Draft?

    init(_ request: NexaRequest<Reply>, _ times: PendingCall.Times) {
        typed = request
        super.init(request.operation, times)
    }

    override func prepare(for server: Negotiated, _ options: CallOptions) throws(NexaError) {
        var draft = try typed.draft(server)
        if let durability = options.wireDurability { draft.request.demand(durability) }
        self.draft = draft
        request = draft.request
        required = draft.request.requiredCapabilities.union(draft.required)
        isIdempotent = draft.isIdempotent
    }

    var outcome: Result<Reply, NexaError> {
        guard let answer, let draft else { return .failure(failure ?? .shutDown(delivery: .notSent)) }
        do throws(NexaError) {
            return .success(try typed.read(try answer.get(), draft))
        } catch {
            // An insert whose id was made for it has happened when the id is there.
            if error.code == .duplicateID, let id = draft.madeID, let reply = id as? Reply { return .success(reply) }
            return .failure(error)
        }
    }

    private var failure: NexaError? {
        if case .failure(let error)? = answer { error } else { nil }
    }
}

extension NexaClient {
    /// Sends all requests together, in one write on one connection, and returns all outcomes, in order.
    ///
    /// ```swift
    /// let (ada, count, removed) = await client.pipeline(
    ///     users.requests.read("ada"), users.requests.count(), users.requests.delete("bob"))
    /// print(try ada.get()?.name ?? "nobody", try count.get(), try removed.get())
    /// ```
    ///
    /// The server executes them in order. Each has its own outcome: one that fails does not stop those behind it.
    /// What broke with the connection is sent again, by itself, where that is safe.
    public func pipeline<each Reply: Sendable>(
        _ request: repeat NexaRequest<each Reply>, options: CallOptions = .standard
    ) async -> (repeat Result<each Reply, NexaError>) {
        await core.pipeline(repeat each request, options: options)
    }
}

extension NexaConnection {
    /// Sends all requests together, in one write, and returns all outcomes, in order; as `NexaClient.pipeline`.
    public func pipeline<each Reply: Sendable>(
        _ request: repeat NexaRequest<each Reply>, options: CallOptions = .standard
    ) async -> (repeat Result<each Reply, NexaError>) {
        await core.pipeline(repeat each request, options: options)
    }
}

extension ClientCore {
    func pipeline<each Reply: Sendable>(
        _ request: repeat NexaRequest<each Reply>, options: CallOptions
    ) async -> (repeat Result<each Reply, NexaError>) {
        let start = MonotonicInstant.now
        let times = times(from: start, options)
        let calls = (repeat TypedPipelinedCall(each request, times))
        var all: [PipelinedCall] = []
        for call in repeat each calls { all.append(call) }
        await run(all, start, options)
        return (repeat (each calls).outcome)
    }

    private func run(_ calls: [PipelinedCall], _ start: MonotonicInstant, _ options: CallOptions) async {
        do throws(NexaError) {
            let server = try await negotiated(options: options)
            for call in calls {
                do throws(NexaError) {
                    try call.prepare(for: server, options)
                    try encode(call.request, into: call.pending, call.operation, options, isTagged: false)
                } catch {
                    call.answer = .failure(error)
                }
            }
        } catch {
            for call in calls { call.answer = .failure(error.during(call.operation)) }
        }
        var rest = calls.filter { $0.answer == nil }[...]
        while !rest.isEmpty {
            // No connection takes more at a time.
            let part = rest.prefix(configuration.pool.pipelineDepth)
            rest = rest.dropFirst(part.count)
            let outcomes = await send(part, start, options)
            for (call, outcome) in zip(part, outcomes) {
                let answer = await answer(call, outcome, start, options)
                call.answer = answer
                guard telemetry.wantsOperations(options.log) else { continue }
                switch answer {
                case .success(let answer):
                    let bytesIn = FrameHeader.byteCount + answer.payload.count
                    finished(call.operation, start, call.pending.frame.count, bytesIn, nil, options)
                case .failure(let error):
                    finished(call.operation, start, call.pending.frame.count, 0, error, options)
                }
            }
        }
    }

    private func send(
        _ calls: ArraySlice<PipelinedCall>, _ start: MonotonicInstant, _ options: CallOptions
    ) async -> [CallOutcome] {
        let driver: ClientDriver
        do throws(NexaError) {
            driver = try self.driver("pipeline")
        } catch {
            return calls.map { _ in .failed(error) }
        }
        let times = times(from: start, options)
        let group = CallGroup(count: calls.count)
        let pending = calls.enumerated().map { index, call in
            call.pending.prepare(.reply, requiring: call.required, on: lease, times)
            call.pending.group = (group, index)
            return call.pending
        }
        guard let first = pending.first else { return [] }
        first.followers = Array(pending.dropFirst())
        return await driver.send(first, group)
    }

    /// The answer to one request, which may have to be sent again by itself.
    private func answer(
        _ call: PipelinedCall, _ outcome: CallOutcome, _ start: MonotonicInstant, _ options: CallOptions
    ) async -> Result<Answer, NexaError> {
        do throws(NexaError) {
            switch outcome {
            case .reply(let type, let payload, let server):
                return .success(try RawReply(type: type, payload: payload, server: server).answer(call.operation))
            case .connected(let server):
                throw NexaError.connectionLost(nil, delivery: .notSent, endpoint: server.endpoint)
            case .leased(let lease):
                throw NexaError.connectionLost(nil, delivery: .notSent, endpoint: lease.server.endpoint)
            case .failed(let error):
                let mayRepeat = mayRepeat(call.request, call.isIdempotent, options)
                guard mayRetry(error, after: 1, mayRepeat) else { throw error.during(call.operation) }
                telemetry.emit(.operationRetried(name: call.operation, attempt: 2, after: error), log: options.log)
                call.pending.group = nil
                call.pending.followers = []
                let traits = Traits(operation: call.operation, required: call.required, isIdempotent: mayRepeat)
                return .success(
                    try await send(
                        call.pending, on: driver(call.operation), traits, options, start: start, attempt: 2,
                        mayHaveRun: error.delivery == .maybeExecuted
                    ).answer(call.operation))
            }
        } catch {
            return .failure(error)
        }
    }
}

extension ClientDriver {
    /// Sends a call and its followers on one connection and waits until all of them have ended.
    nonisolated(nonsending) func send(_ first: PendingCall, _ group: CallGroup) async -> [CallOutcome] {
        telemetry.count(.calls, 1)
        defer { telemetry.count(.calls, -1) }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                group.resumeAtEnd(continuation)
                step { state, effects in start(first, &state, &effects) }
            }
        } onCancel: {
            cancel(first)
            for follower in first.followers { cancel(follower) }
        }
    }
}

extension Request {
    /// Makes a write wait for this; others have nothing to wait for.
    fileprivate mutating func demand(_ durability: Durability) {
        switch self {
        case .insert(var insert):
            insert.durability = durability
            self = .insert(insert)
        case .update(var update):
            update.durability = durability
            self = .update(update)
        case .delete(var delete):
            delete.durability = durability
            self = .delete(delete)
        case .updateMany(var write):
            write.durability = durability
            self = .updateMany(write)
        case .deleteMany(var write):
            write.durability = durability
            self = .deleteMany(write)
        default: break
        }
    }
}
