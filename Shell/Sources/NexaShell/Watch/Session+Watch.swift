import NexaClient
import NexaValue
import Synchronization

/// `watch`.
extension Session {
    /// Why a watch ended.
    enum WatchEnd: Sendable {
        /// As many changes as were wanted, or the time is up, or Ctrl-C.
        case done
        /// The server of the folder is gone.
        case serverIsGone
        case failed(ShellError)
    }

    func watch(_ call: CommandCall) async throws(ShellError) {
        let given = try parse { () throws(CommandFault) in try WatchArguments(call.arguments) }
        guard !given.endsBackground else { return try await endBackgroundWatch() }
        guard !given.isBackground else { return try await watchInBackground(given) }
        let name = given.collection ?? location.collection
        let display = WatchDisplay(console, namesDatabase: false)
        let place = WatchPlace(given.token)
        defer { display.finish() }
        var isStopped = false
        watching: while true {
            let source = WatchSource(
                database: client.database(location.database), collection: name, given: given, display: display,
                place: place)
            // The server of a folder does not come back by itself.
            let guarded = settings.reopen == nil ? nil : client
            let work = Task { await Self.watch(source, guarded) }
            let stopped = Mutex(false)
            let end = await withTaskCancellationHandler {
                await call.interruption.handled(by: {
                    stopped.withLock { $0 = true }
                    work.cancel()
                }) {
                    await work.value
                }
            } onCancel: {
                work.cancel()
            }
            isStopped = stopped.withLock { $0 } || Task.isCancelled
            switch end {
            case _ where isStopped: break watching
            case .done: break watching
            case .failed(let error): throw error
            case .serverIsGone:
                try await reopenLostServer()
                display.tell(
                    place.token == nil
                        ? "the server was gone and is back: changes may be missing here"
                        : "the server was gone and is back: going on behind the last change")
            }
        }
        display.finish()
        let counted = "\(display.count) change(s)"
        guard !isStopped || console.presentation.mode == .interactive else {
            let rest = place.token.map { "; go on with: watch \(name.map { $0 + " " } ?? "")--resume \($0)" } ?? ""
            throw ShellError("Stopped after \(counted)\(rest)", exit: .interrupted)
        }
        try show { (console) throws(OutputError) in try console.success(counted) }
    }

    /// Shows changes until there is a reason to end.
    nonisolated static func watch(_ source: WatchSource, _ guarded: NexaClient?) async -> WatchEnd {
        await withTaskGroup(of: WatchEnd.self) { group in
            group.addTask { await source.run() }
            group.addTask {
                await source.tick(guarded)
            }
            let end = await group.next() ?? .done
            group.cancelAll()
            return end
        }
    }

    /// Where a watch is: the place behind the last change.
    final class WatchPlace: Sendable {
        private let last: Mutex<ResumeToken?>

        init(_ token: ResumeToken?) { last = Mutex(token) }

        var token: ResumeToken? {
            get { last.withLock { $0 } }
            set { last.withLock { $0 = newValue } }
        }
    }

    /// What is watched.
    struct WatchSource: Sendable {
        let database: NexaDatabase
        let collection: String?
        let given: WatchArguments
        let display: WatchDisplay
        let place: WatchPlace

        /// Takes changes until there were enough of them.
        func run() async -> WatchEnd {
            while true {
                do throws(NexaError) {
                    return try await stream()
                } catch {
                    if error.code == .cancelled { return .done }
                    guard error.code == .changeHistoryLost, given.token != place.token else {
                        return .failed(ShellError(error))
                    }
                    // It was watched, but for too long there was no connection.
                    display.tell("gap: the server has not kept the changes since; watching from now on")
                    place.token = nil
                }
            }
        }

        private func stream() async throws(NexaError) -> WatchEnd {
            let display = display
            let log = NexaLog(minimumLevel: .info) { _, message, metadata in
                guard message.description == "change stream resumed", metadata["gap"] != "true" else { return }
                display.tell("the connection was lost and is back: no change is missing")
            }
            let start = place.token.map { ChangeStart.after($0) } ?? .now
            let options = CallOptions(log: log)
            if let collection {
                var changes = database.collection(collection).watch(
                    given.operations, where: Filter(given.filter), from: start, options: options
                ).makeAsyncIterator()
                if let token = try await changes.begin(), place.token == nil { place.token = token }
                display.begin()
                while true { if let end = take(try await changes.nextEncoded()) { return end } }
            }
            var changes = database.watch(
                given.operations, where: Filter(given.filter), from: start, options: options
            ).makeAsyncIterator()
            if let token = try await changes.begin(), place.token == nil { place.token = token }
            display.begin()
            while true { if let end = take(try await changes.nextEncoded()) { return end } }
        }

        private func take(_ change: EncodedChange) -> WatchEnd? {
            do throws(ShellError) {
                try display.show(change)
            } catch {
                return .failed(error)
            }
            if let token = change.token { place.token = token }
            return given.count.map { display.count >= $0 } == true ? .done : nil
        }

        /// Draws the line below the changes each second, and looks whether the time is up and the server is there.
        func tick(_ guarded: NexaClient?) async -> WatchEnd {
            let end = given.seconds.map { Clock.now + $0 }
            while true {
                display.tick()
                let left = end.map { max(0, $0 - Clock.now) } ?? 1
                do {
                    try await Task.sleep(for: .seconds(min(left, 1)))
                } catch {
                    return .done
                }
                if let end, Clock.now >= end { return .done }
                guard let guarded else { continue }
                do throws(NexaError) {
                    _ = try await guarded.ping()
                } catch {
                    if ShellError(error).exit == .noConnection { return .serverIsGone }
                }
            }
        }
    }
}
