import CLineEditor
import Glibc

/// Takes lines from a source, makes commands of them and has the session run them.
///
/// Lives on the main thread; see `TaskRunner`.
final class CommandLoop {
    /// Why a loop ended.
    enum End: Equatable {
        /// The source is at its end.
        case endOfInput
        /// `exit` was said, or an error stops the run.
        case leave
        /// The process has to end by this signal.
        case signal(CInt)
    }

    private let session: Session
    private let console: Console
    private let runner: TaskRunner
    private let history: HistoryStore?
    private var location: Location
    /// What the process will end with: the code of the first failure.
    private(set) var exitCode = ExitCode.success
    /// Gives the answer to a question when the source is at its end: with `-e`, the next text.
    var nextAnswer: () -> String? = { nil }

    init(_ session: Session, _ console: Console, _ runner: TaskRunner, history: HistoryStore?, location: Location) {
        self.session = session
        self.console = console
        self.runner = runner
        self.history = history
        self.location = location
    }

    private var isInteractive: Bool { console.presentation.mode == .interactive }

    /// Runs everything a source gives.
    ///
    /// - Parameters:
    ///   - file: the name that stands before the position of errors.
    ///   - stopsOnError: whether the first failure ends the run.
    func run(_ source: any LineSource, file: String? = nil, stopsOnError: Bool) -> End {
        let prompts = source is PromptSource
        var assembler = CommandAssembler(prompts ? .reportAtOnce : .nextCommandWord)
        var entry: [String] = []
        while true {
            let isContinuing = assembler.isContinuing
            switch source.next(isContinuing ? .continuation(location) : .command(location)) {
            case .line(let line):
                if prompts, isContinuing, line.allSatisfy(\.isWhitespace), (source as? PromptSource)?.isPasting != true
                {
                    assembler.discard()  // a blank line gives an open command up
                    entry = []
                    continue
                }
                entry.append(line)
                let commands = assembler.append(line)
                if prompts, !assembler.isContinuing {
                    remember(entry)
                    entry = []
                }
                if let end = run(commands, source, file, stopsOnError) { return end }
            case .interrupted(let wasEmpty):
                if wasEmpty, !isContinuing {
                    show { () throws(OutputError) in
                        try console.note("Use 'exit' to quit", .yellow)
                        try console.flush()
                    }
                }
                assembler.discard()
                entry = []
            case .end:
                if let rest = assembler.finish(), let end = run([rest], source, file, stopsOnError) { return end }
                return .endOfInput
            case .signal(let signal): return .signal(signal)
            case .failure(let error):
                fail(error, nil, file)
                return .leave
            }
        }
    }

    private func remember(_ lines: [String]) {
        var entry = lines.joined(separator: "\n")
        while let last = entry.last, last.isWhitespace { entry.removeLast() }
        if !entry.isEmpty { history?.add(entry) }
    }

    /// Runs commands of one line; the answer to a question is what follows, on the same line or on the next.
    private func run(
        _ commands: [CommandAssembler.Command], _ source: any LineSource, _ file: String?, _ stopsOnError: Bool
    ) -> End? {
        var commands = commands[...]
        while let command = commands.popFirst() {
            var reply = execute { [session] in await session.run(command, interruption: $0) }
            while case .finished(let answer) = reply, answer.asksForConfirmation {
                show { () throws(OutputError) in try console.flush() }
                let text: String
                if let next = commands.popFirst() {
                    text = next.text
                } else if case .line(let line) = source.next(.answer) {
                    text = line
                } else {
                    text = nextAnswer() ?? ""
                }
                reply = execute { [session] in await session.answer(text, interruption: $0) }
            }
            if case .finished(let answer) = reply, let user = answer.asksForPassword {
                show { () throws(OutputError) in try console.flush() }
                switch NewPassword.ask(for: user, signals: runner.signals) {
                case .success(let password):
                    reply = execute { [session] _ in await session.answer(password: .success(password)) }
                case .failure(.signal(let signal)) where signal != SIGINT: return .signal(signal)
                case .failure(let error):
                    let failure = ShellError(error)
                    reply = execute { [session] _ in await session.answer(password: .failure(failure)) }
                }
                if isInteractive { nexa_terminal_remember(STDIN_FILENO) }
            }
            switch reply {
            case .signal(let signal): return .signal(signal)
            case .finished(let reply):
                location = reply.location
                if let error = reply.error {
                    fail(error, command, file)
                    if error.exit == .interrupted {
                        (source as? PromptSource)?.discardPaste()
                        if !isInteractive { return .signal(SIGINT) }
                        return nil
                    }
                    if stopsOnError { return .leave }
                }
                show { () throws(OutputError) in try console.flush() }
                if reply.leaves { return .leave }
            }
            if outputIsBroken { return .leave }
        }
        return nil
    }

    private func execute(
        _ body: @escaping @Sendable (Interruption) async -> Session.Reply
    ) -> TaskRunner.Outcome<Session.Reply> {
        let interruption = Interruption()
        return runner.run(interruption) { await body(interruption) }
    }

    /// Standard output cannot be written any more: going on would only lose more.
    private(set) var outputIsBroken = false

    private func show(_ body: () throws(OutputError) -> Void) {
        do throws(OutputError) {
            try body()
        } catch {
            guard !outputIsBroken else { return }
            outputIsBroken = true
            if exitCode == .success { exitCode = .file }
            try? console.errors.write("✗ Error: \(error)\n")
            try? console.errors.flush()
        }
    }

    /// Shows why something failed, and notes the exit code.
    func fail(_ error: ShellError, _ command: CommandAssembler.Command?, _ file: String?) {
        if exitCode == .success { exitCode = error.exit }
        show { () throws(OutputError) in
            try ErrorReport(error, command: command, file: file).print(on: console)
            try console.flush()
        }
    }
}

/// The lines that tell of an error.
struct ErrorReport {
    let error: ShellError
    let command: CommandAssembler.Command?
    let file: String?

    init(_ error: ShellError, command: CommandAssembler.Command?, file: String?) {
        self.error = error
        self.command = command
        self.file = file
    }

    func print(on console: Console) throws(OutputError) {
        if error.exit == .interrupted { return try console.warning(error.message) }
        let position = command.flatMap { command in
            error.offset.map { TextPosition(of: $0, in: command.text) }
        }
        var message = error.message
        var place = ""
        if let position {
            message += " at line \(position.line) column \(position.column)"
        }
        if let file, let command {
            let line = command.line + (position?.line ?? 1) - 1
            place = "\(file):\(line)" + (position.map { ":\($0.column)" } ?? "") + ": "
        }
        try console.failure((error.isPlain ? "" : place.isEmpty ? "Error: " : "") + place + message)
        if let command, let position, console.presentation.showsCaret {
            for line in position.pointer(in: command.text) { try console.note(line) }
        }
        if console.presentation.showsCaret {
            for line in error.pointer { try console.note(line) }
        }
        if let hint = error.hint { try console.note(hint, .blue) }
    }
}
