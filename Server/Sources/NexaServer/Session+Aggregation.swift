import NexaEngine
import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// The pipelines of a connection whose results had more than a page, and who asks for them at the moment.
final class OpenCursors: Sendable {
    /// How many a connection may have.
    static let maximumCount = 64
    /// After how long without a request one is forgotten.
    static let idleTimeout = Duration.seconds(600)

    private struct Entry {
        var execution: AggregationExecution
        var control: CurrentControl
        /// The pipeline ends in `$merge` or `$out`.
        var isWriting: Bool
        var lastUse: ContinuousClock.Instant
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var last: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Keeps a pipeline, and returns the name by which it goes on; `nil` when there are too many.
    func add(_ execution: AggregationExecution, _ control: CurrentControl, isWriting: Bool) -> [UInt8]? {
        state.withLock { state in
            guard state.entries.count < Self.maximumCount else { return nil }
            state.last += 1
            state.entries[state.last] = Entry(
                execution: execution, control: control, isWriting: isWriting, lastUse: .now)
            return withUnsafeBytes(of: state.last.bigEndian) { Array($0) }
        }
    }

    /// Forgets those that were not used for long; false when none is left.
    func sweep() -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            state.entries = state.entries.filter { now - $0.value.lastUse < Self.idleTimeout }
            return !state.entries.isEmpty
        }
    }

    /// Forgets all of them.
    func removeAll() { state.withLock { $0.entries = [:] } }

    /// Takes a pipeline out, to go on with it.
    func take(_ name: [UInt8]) -> (AggregationExecution, CurrentControl, isWriting: Bool)? {
        guard name.count == 8 else { return nil }
        let number = name.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return state.withLock { state in
            state.entries.removeValue(forKey: number).map { ($0.execution, $0.control, $0.isWriting) }
        }
    }
}

/// Who may end a pipeline: the request that it works for at the moment.
final class CurrentControl: Sendable {
    private let control = Mutex<WorkControl?>(nil)

    func set(_ new: WorkControl?) { control.withLock { $0 = new } }
    func check() throws(EngineError) { try control.withLock { $0 }?.check() }
}

extension Session {
    func aggregate(_ aggregate: Request.Aggregate) {
        let namespace = aggregate.namespace
        switch aggregate.step {
        case .begin(let pipeline):
            let current = CurrentControl()
            var options = AggregationOptions()
            options.transaction = transaction
            options.maximumStageBytes = shared.configuration.maximumStageBytes
            options.check = { () throws(EngineError) in try current.check() }
            do throws(EngineError) {
                let execution = try shared.engine.aggregate(
                    database: namespace.database, collection: namespace.collection, pipeline: pipeline,
                    options: options)
                guard !aggregate.isExplained else { return explain(execution, current) }
                carryOn(execution, current, isWriting: aggregate.target != nil, aggregate)
            } catch {
                reply(.failure(RequestError(error)))
            }
        case .goOn(let name):
            guard let (execution, current, isWriting) = cursors.take(name) else {
                return reply(
                    .failure(
                        RequestError(
                            "There is no such cursor; it was read to its end, closed, or not used for 10 minutes",
                            code: .notFound)))
            }
            // The user may have lost the right to write since the first page.
            if isWriting, case .user(let user, _) = login, !user.may(.write, database: namespace.database) {
                return reply(
                    .failure(
                        RequestError(
                            "Permission denied: You don't have 'write' access to database '\(namespace.database)'",
                            code: .permissionDenied)))
            }
            carryOn(execution, current, isWriting: isWriting, aggregate)
        case .close(let name):
            let isClosed = cursors.take(name) != nil
            reply(.fields(["closed": .bool(isClosed)]))
        }
    }

    private func explain(_ execution: AggregationExecution, _ current: CurrentControl) {
        runOnWorker { (control) throws(EngineError) in
            current.set(control)
            defer { current.set(nil) }
            let plan = try execution.explain { () throws(EngineError) in try control.check() }
            return .fields(["plan": .document(plan)])
        }
    }

    /// Works until a page is full, on another thread: a pipeline may sort, write and look things up.
    private func carryOn(
        _ execution: AggregationExecution, _ current: CurrentControl, isWriting: Bool, _ request: Request.Aggregate
    ) {
        if request.page != nil { sweepCursorsLater() }
        let maximumBytes = shared.configuration.maximumResultBytes
        let cursors = cursors
        runOnWorker { (control) throws(EngineError) in
            current.set(control)
            defer { current.set(nil) }
            var progress = QueryExecution.Progress.more
            while progress == .more {
                progress = try execution.step(budget: 512)
                if let page = request.page {
                    if execution.collectedCount >= page.documents || execution.collectedBytes >= page.bytes { break }
                } else if execution.collectedBytes > maximumBytes {
                    throw EngineError(
                        .limit, "The result is larger than the limit of \(maximumBytes) bytes",
                        advice: "Fetch it in pages, or reduce it in the pipeline")
                }
                try control.check()
            }
            let (documents, count) = execution.take()
            var result = PendingReply.QueryResult(documents: documents, documentCount: count, count: count)
            if progress == .more {
                result.next = cursors.add(execution, current, isWriting: isWriting)
                guard result.next != nil else {
                    throw EngineError(
                        .limit, "The connection has \(OpenCursors.maximumCount) unfinished results, which is the limit",
                        advice: "Read them to their end, or close them")
                }
            }
            return .documents(request.namespace, result)
        }
    }

    /// Looks once a minute whether cursors are to be forgotten, as long as there are some.
    private func sweepCursorsLater() {
        guard cursorTimer == nil else { return }
        cursorTimer = reactor.schedule(at: .now + .seconds(60)) { [weak self] in
            guard let self else { return }
            cursorTimer = nil
            if cursors.sweep() { sweepCursorsLater() }
        }
    }

    func distinct(_ distinct: Request.Distinct) {
        do throws(EngineError) {
            let execution = try shared.engine.distinct(
                database: distinct.namespace.database, collection: distinct.namespace.collection, field: distinct.field,
                filter: distinct.filter, transaction: transaction)
            runOnWorker { (control) throws(EngineError) in
                while try execution.step(budget: 4096) == .more { try control.check() }
                let values = execution.values
                return .fields(["values": .array(values), "count": .int(Int64(values.count))])
            }
        } catch {
            reply(.failure(RequestError(error)))
        }
    }
}
