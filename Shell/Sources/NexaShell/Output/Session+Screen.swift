import Glibc

/// What stands around each command: the pager, and the time that it took.
extension Session {
    /// Above so many seconds a person is told how long a command took.
    private static let slow = 0.5

    /// Runs one command with the pager of the moment between it and the screen, then says how long it took.
    ///
    /// - Parameter command: which one; `nil`: without a pager.
    func showing(
        _ command: CommandSpecification?, _ interruption: Interruption, _ body: (isolated Session) async -> Reply
    ) async -> Reply {
        let screen = openScreen(command, interruption)
        let start = Clock.now
        var reply = await body(self)
        let elapsed = Clock.now - start
        console.state.setPage(nil)
        if let screen {
            do throws(OutputError) {
                try await screen.sink.finish()
            } catch {
                if reply.error == nil, !error.isReaderGone { reply.error = ShellError(error.description, exit: .file) }
            }
            screen.close()
        }
        if reply.error?.isSilent == true { reply.error = nil }
        tellTime(elapsed, isInteractive: screen != nil, wasPaged: screen?.sink.wasPaged ?? false)
        return reply
    }

    private func openScreen(_ command: CommandSpecification?, _ interruption: Interruption) -> Screen? {
        let presentation = console.presentation
        guard presentation.mode == .interactive, case .command(let pager) = presentation.pager,
            let size = presentation.screen.size, let command, Self.isPaged(command)
        else { return nil }
        let modes = TerminalModes()
        let sink = PagedSink(console.standardOutput, screen: size, command: pager) {
            // Ctrl-C is the pager's from now on, and the terminal has to be as programs expect it.
            interruption.shield(true)
            modes.lend()
        }
        console.state.setPage(sink)
        return Screen(sink: sink, interruption: interruption, modes: modes)
    }

    /// Commands that write for as long as they run, or have other programs write, do without a pager.
    private static func isPaged(_ command: CommandSpecification) -> Bool {
        switch command.section {
        case .data, .changes, .scripts: false
        case .output: command.name == "\\last"
        default: true
        }
    }

    private func tellTime(_ elapsed: Double, isInteractive: Bool, wasPaged: Bool) {
        let presentation = console.presentation
        let isSlow = elapsed > Self.slow && presentation.mode == .interactive && !wasPaged
        guard presentation.showsTiming || isSlow else { return }
        let text = presentation.showsTiming ? "Time: \(Self.milliseconds(elapsed)) ms" : "(\(Self.seconds(elapsed)) s)"
        // A failure to write is kept by the sink and met again by the loop.
        if presentation.mode == .interactive {
            try? console.note(text)
        } else {
            try? console.errors.write(text + "\n")
        }
    }

    /// `12.345`
    static func milliseconds(_ seconds: Double) -> String { fixed(seconds * 1000, digits: 3) }

    /// `0.52`
    static func seconds(_ seconds: Double) -> String { fixed(seconds, digits: 2) }

    private static func fixed(_ value: Double, digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { (product, _) in product * 10 }
        let rounded = Int((min(max(0, value), 1e12) * Double(scale)).rounded())
        let fraction = String(rounded % scale)
        return "\(rounded / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}

/// The screen while one command runs.
private struct Screen {
    let sink: PagedSink
    let interruption: Interruption
    let modes: TerminalModes

    func close() {
        modes.takeBack()
        interruption.shield(false)
    }
}
