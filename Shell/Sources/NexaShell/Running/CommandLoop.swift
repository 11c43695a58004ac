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
        /// `exit` was said.
        case leave
        /// An error stops the run.
        case stopped
        /// The process has to end by this signal.
        case signal(CInt)
    }

    let session: Session
    let console: Console
    let runner: TaskRunner
    let history: HistoryStore?
    private(set) var location: Location
    /// Whether the first error ends a script; `\errexit` changes it. A person at the prompt is never sent away.
    var stopsOnError: Bool
    /// Whether commands that nobody typed are shown on standard error before they run.
    var echoes = false
    /// Counts what commands take, for --verbose.
    var meter: WireMeter?
    /// Connects anew: to the server of a URL, or to the present one.
    var connect: (String?) -> Connected = { _ in .failure(ShellError("there is nothing to connect with")) }
    /// Whether errors decide how the process ends; those of a start-up file that nobody asked for do not.
    var countsErrors = true
    /// How deep `\i` is nested.
    var includeDepth = 0
    /// Where a person types, once he does.
    weak var prompt: PromptSource?
    /// The command that was typed last, without `\e` itself.
    var lastEntry = ""
    /// What `\watch` repeats.
    private var previous: CommandAssembler.Command?
    /// How many commands were run.
    private var number = 0
    private var variablesSeen = -1
    private var historyDatabase: String?
    /// What the process will end with: the code of the first failure.
    private(set) var exitCode = ExitCode.success
    /// Gives the answer to a question when the source is at its end: with `-e`, the next text.
    var nextAnswer: () -> String? = { nil }

    /// What became of connecting.
    enum Connected {
        case success(LocalServer.Running, Location?)
        case failure(ShellError)
        case signal(CInt)
    }

    init(
        _ session: Session, _ console: Console, _ runner: TaskRunner, history: HistoryStore?, location: Location,
        stopsOnError: Bool
    ) {
        self.session = session
        self.stopsOnError = stopsOnError
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
    func run(_ source: any LineSource, file: String? = nil) -> End {
        session.conditionals.beginFile()
        let end = runLines(of: source, file)
        let open = session.conditionals.endFile()
        guard end == .endOfInput, open > 0 else { return end }
        fail(ShellError("the end is reached with \(open) \\if without \\endif"), nil, file)
        return stopsOnError && !(source is PromptSource) ? .stopped : end
    }

    private func runLines(of source: any LineSource, _ file: String?) -> End {
        let prompts = source is PromptSource
        variablesSeen = -1
        if let typed = source as? PromptSource { prompt = typed }
        var assembler = CommandAssembler(prompts ? .reportAtOnce : .nextCommandWord)
        var entry: [String] = []
        while true {
            let isContinuing = assembler.isContinuing
            applyVariables(source)
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
                if let end = run(commands, source, file) { return end }
            case .interrupted(let wasEmpty):
                if wasEmpty, !isContinuing, !leaveConditional() {
                    show { () throws(OutputError) in
                        try console.note("Use 'exit' to quit", .yellow)
                        try console.flush()
                    }
                }
                assembler.discard()
                entry = []
            case .end:
                if let rest = assembler.finish(), let end = run([rest], source, file) { return end }
                return .endOfInput
            case .signal(let signal): return .signal(signal)
            case .failure(let error):
                fail(error, nil, file)
                return .stopped
            }
        }
    }

    private func remember(_ lines: [String]) {
        var entry = lines.joined(separator: "\n")
        while let last = entry.last, last.isWhitespace { entry.removeLast() }
        if !entry.isEmpty { history?.add(entry) }
        if !entry.hasPrefix("\\e"), !entry.isEmpty { lastEntry = entry }
    }

    /// Runs commands of one line; the answer to a question is what follows, on the same line or on the next.
    private func run(
        _ commands: [CommandAssembler.Command], _ source: any LineSource, _ file: String?
    ) -> End? {
        var commands = commands[...]
        let prompts = source is PromptSource
        while let command = commands.popFirst() {
            number += 1
            echo(command, prompts)
            let start = Clock.now
            _ = meter?.take()
            var reply = execute { [session] in await session.run(command, interruption: $0) }
            while case .finished(let answer) = reply, answer.asksForConfirmation {
                show { () throws(OutputError) in try console.flush() }
                let text: String
                if let next = commands.popFirst() {
                    text = next.text
                } else {
                    switch source.next(.answer) {
                    case .line(let line): text = line
                    case .signal(let signal): return .signal(signal)
                    default: text = nextAnswer() ?? ""
                    }
                }
                reply = execute { [session] in await session.answer(text, interruption: $0) }
            }
            tellTaken(since: start)
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
                    if stopsOnError, !prompts { return .stopped }
                }
                show { () throws(OutputError) in try console.flush() }
                if reply.leaves { return .leave }
                if let request = reply.request {
                    let end = perform(request, command, file)
                    if let end, end != .stopped || !prompts { return end }
                } else if reply.error == nil {
                    previous = command
                }
            }
            if outputIsBroken { return .stopped }
        }
        return nil
    }

    /// The command that `\watch` repeats, once more.
    func repeatPrevious() -> (TaskRunner.Outcome<Session.Reply>, CommandAssembler.Command)? {
        guard let previous else { return nil }
        return (execute { [session] in await session.run(previous, interruption: $0, isPaged: false) }, previous)
    }

    private func echo(_ command: CommandAssembler.Command, _ prompts: Bool) {
        guard echoes, !prompts, !session.conditionals.isSkipping || command.specification?.isConditional == true else {
            return
        }
        show { () throws(OutputError) in
            try console.output.flush()
            try console.errors.write(command.text + "\n")
            try console.errors.flush()
        }
    }

    private func tellTaken(since start: Double) {
        guard let reading = meter?.take(), reading.requests > 0 else { return }
        show { () throws(OutputError) in
            try console.flush()
            try console.errors.write("  \(reading.text(seconds: Clock.now - start))\n")
        }
    }

    /// Ctrl-C at an empty prompt leaves an `\if` that passes over commands.
    private func leaveConditional() -> Bool {
        guard session.conditionals.isSkipping, session.conditionals.leave() else { return false }
        show { () throws(OutputError) in
            try console.note("Left the \\if", .yellow)
            try console.flush()
        }
        return true
    }

    /// Brings what variables decide up to date, before a line is read.
    private func applyVariables(_ source: any LineSource) {
        let generation = session.variables.generation
        guard generation != variablesSeen || location.database != historyDatabase else { return }
        variablesSeen = generation
        historyDatabase = location.database
        (source as? PromptSource)?.template = session.variables.text("PROMPT1")
        session.settings.completion?.catalog.samples = session.variables.text("SAMPLING") != "off"
        guard let history else { return }
        history.redaction = session.variables.text("HISTREDACT").flatMap(HistoryRedaction.init) ?? .remove
        if let path = session.variables.text("HISTFILE") {
            history.use(path: expandingHome(path.replacing(":DB", with: location.database)))
        }
    }

    /// Another server may have another database.
    func moved(to location: Location) { self.location = location }

    func execute(
        _ body: @escaping @Sendable (Interruption) async -> Session.Reply
    ) -> TaskRunner.Outcome<Session.Reply> {
        let interruption = Interruption()
        let outcome = runner.run(interruption) { await body(interruption) }
        // A script that was told to end does so also when the command was just done.
        if !isInteractive, interruption.wasRaised, case .finished(let reply) = outcome, reply.error == nil {
            return .signal(SIGINT)
        }
        return outcome
    }

    /// Standard output cannot be written any more: going on would only lose more.
    private(set) var outputIsBroken = false

    func show(_ body: () throws(OutputError) -> Void) {
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
        if exitCode == .success, countsErrors { exitCode = error.exit }
        show { () throws(OutputError) in
            try ErrorReport(error, command: command, file: file, number: command == nil ? nil : number)
                .print(on: console)
            try console.flush()
        }
    }
}
