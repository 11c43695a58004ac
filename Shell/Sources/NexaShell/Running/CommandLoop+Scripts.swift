import CLineEditor
import Glibc
import NexaClient

/// What commands ask of the loop.
extension CommandLoop {
    /// Deeper nesting of `\i` is an error: a file that includes itself ends there.
    static let maximumIncludeDepth = 32

    /// Does it; returns how the run ends, if it does.
    func perform(_ request: LoopRequest, _ command: CommandAssembler.Command, _ file: String?) -> End? {
        switch request {
        case .stopOnError(let stops):
            stopsOnError = stops
            return nil
        case .include(let path, let isRelative): return include(path, isRelative, command, file)
        case .watch(let arguments): return watch(arguments, command, file)
        case .system(let text): return system(text, command, file)
        case .edit(let path): return edit(path, command, file)
        case .history(let path): return showHistory(path, command, file)
        case .newPassword(let user): return newPassword(user, command, file)
        case .connect(let url):
            switch connect(url) {
            case .signal(let signal): return .signal(signal)
            case .failure(let error): return failed(error, command, file)
            case .success(let running, let location):
                let reply = execute { [session] _ in await session.connected(running, at: location) }
                guard case .finished(let reply) = reply else { return .signal(SIGTERM) }
                moved(to: reply.location)
                show { () throws(OutputError) in
                    try console.success("Connected to NexaDB v\(running.info.version ?? "3.0")")
                    try console.flush()
                }
                return nil
            }
        }
    }

    func failed(_ error: ShellError, _ command: CommandAssembler.Command, _ file: String?) -> End? {
        fail(error, command, file)
        return stopsOnError ? .stopped : nil
    }

    private func newPassword(_ user: String, _ command: CommandAssembler.Command, _ file: String?) -> End? {
        show { () throws(OutputError) in try console.flush() }
        let password = NewPassword.ask(for: user, signals: runner.signals)
        // The question has the terminal remembered in its own way.
        if console.presentation.mode == .interactive { nexa_terminal_remember(STDIN_FILENO) }
        if case .failure(.signal(let signal)) = password, signal != SIGINT { return .signal(signal) }
        let answer = password.mapError { ShellError($0) }
        switch execute({ [session] _ in await session.answer(password: answer) }) {
        case .signal(let signal): return .signal(signal)
        case .finished(let reply):
            show { () throws(OutputError) in try console.flush() }
            guard let error = reply.error else { return nil }
            if error.exit == .interrupted, console.presentation.mode != .interactive {
                fail(error, command, file)
                return .signal(SIGINT)
            }
            return failed(error, command, file)
        }
    }

    // MARK: Files

    private func include(
        _ path: String, _ isRelative: Bool, _ command: CommandAssembler.Command, _ file: String?
    ) -> End? {
        guard includeDepth < Self.maximumIncludeDepth else {
            return failed(
                ShellError("files are included more than \(Self.maximumIncludeDepth) deep: does one include itself?"),
                command, file)
        }
        var path = path
        if isRelative, !path.hasPrefix("/"), let file, let slash = file.lastIndex(of: "/") {
            path = String(file[...slash]) + path
        }
        let lines: ByteInput
        do throws(ShellError) {
            lines = try ByteInput(path: path, signals: runner.signals)
        } catch {
            return failed(error, command, file)
        }
        includeDepth += 1
        defer { includeDepth -= 1 }
        let end = run(lines, file: path)
        return end == .endOfInput ? nil : end
    }

    // MARK: \watch

    private func watch(
        _ arguments: RepeatArguments, _ command: CommandAssembler.Command, _ file: String?
    ) -> End? {
        var left = arguments.count
        while left != 0 {
            guard let (outcome, repeated) = repeatPrevious() else {
                return failed(ShellError("\\watch repeats the command before it, and there is none"), command, file)
            }
            guard case .finished(let reply) = outcome else {
                if case .signal(let signal) = outcome { return .signal(signal) }
                return nil
            }
            if let error = reply.error {
                if error.exit == .interrupted { return interrupted() }
                return failed(error, repeated, file)
            }
            show { () throws(OutputError) in try console.flush() }
            if outputIsBroken { return .stopped }
            left = left.map { $0 - 1 }
            if let minimum = arguments.minimum, let count = reply.documentCount, count < minimum { return nil }
            guard left != 0 else { return nil }
            switch pause(arguments.seconds) {
            case .finished(true): break
            case .finished(false): return interrupted()
            case .signal(let signal): return .signal(signal)
            }
        }
        return nil
    }

    /// Waits; false when Ctrl-C ended it.
    private func pause(_ seconds: Double) -> TaskRunner.Outcome<Bool> {
        runner.run(Interruption()) {
            do {
                try await Task.sleep(for: .seconds(seconds))
                return true
            } catch {
                return false
            }
        }
    }

    private func interrupted() -> End? { console.presentation.mode == .interactive ? nil : .signal(SIGINT) }

    // MARK: The system's shell

    private func system(_ text: String, _ command: CommandAssembler.Command, _ file: String?) -> End? {
        show { () throws(OutputError) in try console.flush() }
        let isTerminal = isatty(STDIN_FILENO) == 1
        let shell = getenv("SHELL").map { String(cString: $0) } ?? "/bin/sh"
        guard !text.isEmpty || isTerminal else {
            return failed(.plain("Command required", hint: "Usage: \\! <command>"), command, file)
        }
        // A script's own lines are not the input of its commands.
        if isTerminal { nexa_terminal_restore() }
        let words = text.isEmpty ? [shell] : ["/bin/sh", "-c", text]
        let process = withCStrings(words) { nexa_spawn_attached(words[0], $0, isTerminal ? 1 : 0) }
        guard process > 0 else {
            return failed(
                ShellError("cannot start \(words[0]): \(systemMessage(errno))", exit: .file), command, file)
        }
        var code: CInt = 0
        var ending: CInt?
        var runs = true
        while runs {
            runs = nexa_wait_child_or(process, runner.signals, &code) == 0
            // Also what came just when it ended.
            let signal = nexa_signals_take()
            guard signal != 0, signal != SIGWINCH else { continue }
            // Ctrl-C at a terminal has reached it already.
            if runs, signal != SIGINT || !isTerminal { kill(process, signal) }
            if signal != SIGINT || console.presentation.mode != .interactive { ending = signal }
        }
        try? session.variables.set("SHELL_EXIT_CODE", "\(code)")
        return ending.map { .signal($0) }
    }
}
