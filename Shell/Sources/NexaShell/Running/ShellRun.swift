import CLineEditor
import Glibc
import NexaClient

/// One run of the shell: connect, take commands, leave.
final class ShellRun {
    let invocation: Invocation
    let plan: Plan
    private let connection: ConnectionPlan
    let environment: [String: String]
    let signals: CInt
    private let console: Console
    private let completion: CompletionService?
    private let notices: NoticeBoard?
    private let standardInput: ByteInput
    private let variables = ShellVariables()
    /// Only for --verbose.
    let meter: WireMeter?

    init(
        _ invocation: Invocation, _ plan: Plan, _ connection: ConnectionPlan, _ environment: [String: String],
        _ signals: CInt
    ) {
        var invocation = invocation
        // `\cd` must not change which folder that is.
        invocation.localDirectory = invocation.localDirectory.map(Self.absolute)
        self.invocation = invocation
        self.plan = plan
        meter = invocation.isVerbose ? WireMeter() : nil
        self.connection = connection
        self.environment = environment
        self.signals = signals
        let completion = plan.prompts ? CompletionService() : nil
        self.completion = completion
        notices = plan.prompts ? NoticeBoard() : nil
        var console = Console(
            output: DescriptorSink(STDOUT_FILENO, name: "standard output"),
            errors: DescriptorSink(STDERR_FILENO, name: "standard error"), presentation: plan.presentation)
        if let catalog = completion?.catalog { console.noteShown = { catalog.noteShown($0) } }
        self.console = console
        standardInput = ByteInput(STDIN_FILENO, name: "standard input", signals: signals)
    }

    private static func absolute(_ path: String) -> String {
        guard !path.isEmpty, !path.hasPrefix("/"), let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        var path = path[...]
        while path.hasPrefix("./") { path = path.dropFirst(2).drop { $0 == "/" } }
        return String(cString: current) + (path.isEmpty || path == "." ? "" : "/" + path)
    }

    func warnOfVisiblePassword() {
        warn("A password on the command line can be seen by others; use --password-file, -p alone or NEXADB_PASSWORD")
    }

    /// Warnings about the run itself never stand among data, not even among the lines of a classic script.
    private func warn(_ text: String) {
        try? console.errors.write("⚠ \(text)\n")
        try? console.errors.flush()
    }

    /// For a person, once; never among data.
    private func hint(_ text: String) {
        let safe = TerminalText.harmless(text)
        try? console.errors.write(console.presentation.coloursErrors ? "\u{1B}[34m\(safe)\u{1B}[0m\n\n" : safe + "\n\n")
        try? console.errors.flush()
    }

    func run() -> Int32 {
        let runner = TaskRunner(signals: signals)
        var configuration = connection.configuration
        do throws(PasswordError) {
            configuration.credentials = try credentials()
        } catch {
            switch error {
            case .signal(let signal): return die(signal)
            case .unusable(let reason):
                warn(reason)
                return ExitCode.usage.rawValue
            }
        }
        announce()
        let connected: LocalServer.Running
        switch runner.run(
            Interruption(),
            { [invocation, environment, configuration, meter] in
                await Self.connect(invocation, configuration, environment, meter)
            })
        {
        case .signal(let signal): return die(signal)
        case .finished(.failure(let error)):
            if error.exit == .interrupted { return die(SIGINT) }
            return reportNoConnection(error)
        case .finished(.success(let running)): connected = running
        }
        return serve(connected, runner)
    }

    private func credentials() throws(PasswordError) -> NexaConfiguration.Credentials {
        var credentials = connection.configuration.credentials ?? .init(username: connection.username, password: nil)
        guard credentials.password == nil || !invocation.passwords.isEmpty else { return credentials }
        // The server of a folder trusts its own user; a password is only used when one is given.
        let isLocal = invocation.localDirectory != nil
        if isLocal, invocation.passwords.isEmpty { return .init(username: connection.username, password: nil) }
        let finder = PasswordFinder(
            invocation: invocation, environment: environment, standardInput: standardInput, signals: signals)
        let found = try finder.find(connection)
        if found.isDefault, !invocation.isQuiet { warn("Using the default password") }
        credentials.password = found.password
        return credentials
    }

    static func connect(
        _ invocation: Invocation, _ configuration: NexaConfiguration, _ environment: [String: String],
        _ meter: WireMeter?
    ) async -> Result<LocalServer.Running, ShellError> {
        // The client keeps the password to log in again; a core would hand it on.
        if configuration.credentials?.password != nil { nexa_forbid_core() }
        do throws(ShellError) {
            if let directory = invocation.localDirectory {
                return .success(
                    try await LocalServer(directory, environment: environment, meter: meter)
                        .connect(configuration))
            }
            let client = NexaClient(configuration, observer: meter)
            do throws(NexaError) {
                let info = try await client.serverInfo(CallOptions(timeout: configuration.connectTimeout))
                return .success(LocalServer.Running(client: client, info: info, process: nil))
            } catch {
                await client.shutdown(drainingFor: .zero)
                throw ShellError(error)
            }
        } catch {
            return .failure(error)
        }
    }

    // MARK: The lines around a session

    private var greets: Bool { console.presentation.talksOnOutput && !invocation.isQuiet }

    private func announce() {
        guard greets else { return }
        try? console.result(Banner.text(version: Shell.version), .cyan)
        try? console.note("Connecting to \(connection.display)...", .cyan)
        try? console.flush()
    }

    private func reportNoConnection(_ error: ShellError) -> Int32 {
        try? console.failure("Connection failed: \(error.message)")
        if invocation.localDirectory == nil {
            try? console.note("Make sure NexaDB server is running:", .blue)
            try? console.note("  $ nexadb start", .blue)
        }
        try? console.flush()
        // Whatever went wrong before the first command: there is no connection.
        return error.exit == .file ? error.exit.rawValue : ExitCode.noConnection.rawValue
    }

    // MARK: Commands

    private func serve(_ server: LocalServer.Running, _ runner: TaskRunner) -> Int32 {
        if let path = invocation.outputFile {
            do throws(ShellError) {
                console.state.redirect(to: try OutputFile(path, invocation.outputMode))
            } catch {
                try? console.failure("Error: \(error.message)")
                try? console.flush()
                close(server, runner)
                return error.exit.rawValue
            }
        }
        if greets {
            try? console.success("Connected to NexaDB v\(server.info.version ?? "3.0")")
            try? console.note("")
            try? console.flush()
        }
        if server.isNewFolder, !invocation.isQuiet, plan.prompts,
            isatty(STDERR_FILENO) == 1
        {
            hint(LocalServer.passwordHint(connection.display))
        }
        var settings = Session.Settings()
        settings.limit = invocation.limit
        settings.assumesYes = invocation.assumesYes
        settings.input = isatty(STDIN_FILENO) == 1 ? nil : standardInput
        settings.version = Shell.version
        settings.isReadOnly = invocation.isReadOnly
        settings.completion = completion
        settings.notices = notices
        completion?.begin(server.client.configuration)
        if invocation.localDirectory != nil {
            settings.reopen = { [invocation, environment, meter, configuration = server.client.configuration] in
                await Self.connect(invocation, configuration, environment, meter)
            }
        }
        let session = Session(server, console, settings, at: connection.location, variables: variables)
        let history = plan.prompts && invocation.usesHistory ? HistoryStore(path: historyPath) : nil
        let loop = CommandLoop(
            session, console, runner, history: history, location: connection.location,
            stopsOnError: plan.stopsOnError)
        loop.echoes = invocation.echoesCommands
        loop.meter = meter
        loop.connect = { [weak session] url in
            guard let session else { return .failure(ShellError("the session is over")) }
            return self.connectAnew(url, session, runner)
        }
        var end = runStartupFile(loop)
        setVariables()
        if end == .endOfInput { end = takeCommands(loop, history) }
        // A signal that came just when the last command was done still decides how a script ends.
        if !plan.prompts, end == .endOfInput || end == .leave {
            let late = nexa_signals_take()
            if late == SIGINT || late == SIGTERM || late == SIGHUP { end = .signal(late) }
        }
        if case .endOfInput = end, plan.readsStandardInput, console.presentation.talksOnOutput {
            try? console.note("")
            try? console.note("Goodbye! 👋", .blue)
        }
        var code = loop.exitCode
        var outputIsBroken = loop.outputIsBroken
        do throws(OutputError) {
            try console.flush()
            let isWhole = (code == .success || plan.prompts) && (end == .endOfInput || end == .leave)
            try console.endRedirection(isWhole: isWhole)
        } catch {
            if !outputIsBroken { try? console.failure("Error: \(error)") }
            outputIsBroken = true
        }
        if outputIsBroken, code == .success || plan.prompts { code = .file }
        nexa_terminal_restore()
        history?.trim()
        close(session, runner)
        if case .signal(let signal) = end { return die(signal) }
        if code == .commandFailed, plan.presentation.mode == .classicScript, environment["NEXA_COMPAT_EXIT"] == "1" {
            return ExitCode.success.rawValue
        }
        // A person has seen the errors; only a script's exit code tells of them. What could not be written nobody saw.
        return plan.prompts && !outputIsBroken ? ExitCode.success.rawValue : code.rawValue
    }

    /// Variables of the command line count more than those of a start-up file, which may use them all the same.
    private func setVariables() {
        for text in invocation.variables {
            let (name, value) = ShellVariables.assignment(text)
            do throws(ShellError) {
                try variables.set(name, value)
            } catch {
                warn("--set: \(error.message)")
            }
        }
    }

    /// Errors in it are shown, and it is gone on with the next line: nothing in it keeps a person out.
    private func runStartupFile(_ loop: CommandLoop) -> CommandLoop.End {
        let finder = StartupFile(invocation: invocation, environment: environment)
        guard let found = finder.find(forPerson: plan.prompts) else { return .endOfInput }
        setVariables()
        loop.countsErrors = found.isNamed
        loop.stopsOnError = false
        defer {
            loop.countsErrors = true
            loop.stopsOnError = plan.stopsOnError
        }
        let lines: ByteInput
        do throws(ShellError) {
            lines = try StartupFile.open(found.path, signals: signals)
        } catch {
            loop.fail(error, nil, nil)
            return .endOfInput
        }
        return loop.run(lines, file: found.path)
    }

    private func takeCommands(_ loop: CommandLoop, _ history: HistoryStore?) -> CommandLoop.End {
        var sources = invocation.sources[...]
        loop.nextAnswer = {
            guard case .command(let text)? = sources.first else { return nil }
            sources.removeFirst()
            return text
        }
        defer { loop.nextAnswer = { nil } }
        while let source = sources.popFirst() {
            let lines: any LineSource
            var file: String?
            switch source {
            case .command(let text): lines = TextLines(text)
            case .file("-"): lines = standardInput
            case .file(let path):
                file = path
                do throws(ShellError) {
                    lines = try ByteInput(path: path, signals: signals)
                } catch {
                    loop.fail(error, nil, nil)
                    if loop.stopsOnError { return .stopped }
                    continue
                }
            }
            let end = loop.run(lines, file: file)
            if end != .endOfInput { return end }
        }
        guard plan.readsStandardInput else { return .endOfInput }
        guard plan.prompts else { return loop.run(standardInput) }
        guard let prompt = makePrompt(history ?? HistoryStore(path: nil)) else {
            return loop.run(standardInput)
        }
        return loop.run(prompt)
    }

    private func makePrompt(_ history: HistoryStore) -> PromptSource? {
        nexa_terminal_remember(STDIN_FILENO)
        var display = STDOUT_FILENO
        if plan.promptsOnTerminalDevice {
            display = open("/dev/tty", O_RDWR | O_CLOEXEC)
            guard display >= 0 else { return nil }
        }
        guard let editor = LineEditor(history: history, display: display, signals: signals) else { return nil }
        editor.notices = notices
        if let completion {
            editor.completer = Completer(completion.catalog, [VariableCompletion(variables: variables)])
        }
        return PromptSource(
            editor, isColoured: plan.presentation.coloursOutput || plan.promptsOnTerminalDevice,
            server: .init(user: connection.username, name: connection.display))
    }

    private var historyPath: String? {
        if let path = environment["NEXA_HISTFILE"] { return path }
        return environment["HOME"].map { $0 + "/.nexadb_history" }
    }

    private func close(_ session: Session, _ runner: TaskRunner) {
        let left = runner.run(Interruption()) {
            await session.stopBackgroundWatch()
            return (hadTransaction: await session.abandonTransaction(), server: await session.server)
        }
        guard case .finished(let rest) = left else { return }
        if rest.hadTransaction { warn("The open transaction was rolled back") }
        close(rest.server, runner)
    }

    private func close(_ server: LocalServer.Running, _ runner: TaskRunner) {
        // The end of the process closes connections as well, and sooner.
        if server.process == nil, server.client.poolSnapshot.isAtRest { return }
        let closed = runner.run(Interruption()) { [completion] in
            await completion?.close()
            await server.client.shutdown(drainingFor: .seconds(1))
            return (server.process, server.client.configuration.endpoints.first)
        }
        guard case .finished((let process?, .unix(let path)?)) = closed else { return }
        LocalServer.waitForEnd(process, socket: path)
    }

    /// Ends the process by a signal, so that the parent sees it.
    private func die(_ signal: CInt) -> Int32 {
        try? console.flush()
        nexa_terminal_restore()
        nexa_signals_die(signal)
        return 128 + signal
    }
}

extension PoolSnapshot {
    /// Whether no request is on its way.
    fileprivate var isAtRest: Bool { connecting + active + leased + draining + waiters == 0 }
}
