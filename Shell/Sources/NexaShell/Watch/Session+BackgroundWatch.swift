import NexaClient

/// A watch that goes on while commands are typed and run: `watch … &`.
struct BackgroundWatch: Sendable {
    let display: WatchDisplay
    /// Ends with the watch, and says why it ended.
    let task: Task<Session.WatchEnd, Never>
}

/// `watch … &` and `watch -`.
extension Session {
    /// Begins a watch whose changes appear above the prompt.
    func watchInBackground(_ given: WatchArguments) async throws(ShellError) {
        guard let notices = settings.notices else {
            throw .plain("'watch … &' shows changes above the prompt, and there is none", hint: "Leave out the &.")
        }
        if let last = backgroundWatch {
            guard last.display.hasEnded else {
                throw .plain("There is a watch in the background already", hint: "'watch -' ends it.")
            }
        }
        let name = given.collection ?? location.collection
        let begun = Gate()
        let display = WatchDisplay(console, namesDatabase: false, board: notices, begun: begun)
        let source = WatchSource(
            database: client.database(location.database), collection: name, given: given, display: display,
            place: WatchPlace(given.token))
        let guarded = settings.reopen == nil ? nil : client
        let task = Task {
            let end = await Self.watch(source, guarded)
            display.end(Self.farewell(end, display.count, isStopped: Task.isCancelled))
            begun.open(false)
            return end
        }
        let hasBegun = await withTaskCancellationHandler {
            await begun.pass()
        } onCancel: {
            task.cancel()
        }
        guard hasBegun else {
            if case .failed(let error) = await task.value { throw error }
            throw ShellError("Cancelled", exit: .interrupted)
        }
        backgroundWatch = BackgroundWatch(display: display, task: task)
        let what = name.map { "'\($0)'" } ?? "database '\(location.database)'"
        try show { (console) throws(OutputError) in try console.success("Watching \(what); 'watch -' ends it") }
    }

    /// Ends the watch in the background.
    func endBackgroundWatch() async throws(ShellError) {
        guard let watch = backgroundWatch, !watch.display.hasEnded else {
            throw .plain("Nothing is watched in the background", hint: "'watch &' begins it.")
        }
        await stopBackgroundWatch()
        try show { (console) throws(OutputError) in try console.success("\(watch.display.count) change(s)") }
    }

    /// Ends it without a word, as leaving does.
    func stopBackgroundWatch() async {
        guard let watch = backgroundWatch else { return }
        backgroundWatch = nil
        watch.task.cancel()
        _ = await watch.task.value
    }

    /// What is said above the prompt when a watch ends by itself.
    private nonisolated static func farewell(_ end: WatchEnd, _ count: Int, isStopped: Bool) -> String? {
        guard !isStopped else { return nil }
        switch end {
        case .done: return "✓ \(count) change(s)"
        case .serverIsGone: return "⚠ the server is gone, and with it the watch; 'watch … &' begins another one"
        case .failed(let error): return "⚠ the watch has ended: \(TerminalText.harmless(error.message))"
        }
    }
}
