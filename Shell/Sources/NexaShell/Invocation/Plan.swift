/// What an invocation means where it runs: the mode, the looks, and what happens after an error.
struct Plan: Sendable, Equatable {
    var presentation: Presentation
    /// Whether commands are read from standard input after those of `-e` and `-f`.
    var readsStandardInput: Bool
    /// Whether standard input is a person at a terminal.
    var prompts: Bool
    /// Whether prompts go to /dev/tty because standard output is no terminal.
    var promptsOnTerminalDevice: Bool
    var stopsOnError: Bool

    /// The streams and variables that the decision depends on.
    struct Surroundings: Sendable, Equatable {
        var inputIsTerminal: Bool
        var outputIsTerminal: Bool
        var errorsAreTerminal: Bool
        var environment: [String: String]
    }

    init(_ invocation: Invocation, in surroundings: Surroundings) throws(UsageError) {
        let isOneShot = !invocation.sources.isEmpty
        let mode: Presentation.Mode
        if isOneShot, !invocation.isInteractive {
            mode = .oneShot
        } else if surroundings.inputIsTerminal {
            guard surroundings.outputIsTerminal || invocation.isInteractive else {
                throw UsageError(
                    "standard output is no terminal, so typing would be blind; use -e COMMAND, or -i to prompt anyway")
            }
            mode = .interactive
        } else if invocation.format != nil || invocation.isQuiet || invocation.outputFile != nil {
            mode = .script
        } else {
            mode = .classicScript
        }
        prompts = mode == .interactive
        promptsOnTerminalDevice = prompts && !surroundings.outputIsTerminal
        readsStandardInput = mode != .oneShot
        stopsOnError = invocation.stopsOnError ?? (mode == .oneShot)

        let showsMachineFormat =
            mode == .script || (mode == .oneShot && (!surroundings.outputIsTerminal || invocation.outputFile != nil))
        presentation = Presentation()
        presentation.mode = mode
        presentation.format = invocation.format ?? (showsMachineFormat ? .ndjson : .pretty)
        presentation.isFormatNamed = invocation.format != nil
        presentation.shape = invocation.shape
        presentation.showsTiming = invocation.showsTiming
        if surroundings.outputIsTerminal {
            presentation.screen = .terminal(1)
            if mode == .interactive { presentation.pager = Self.pager(invocation, surroundings.environment) }
        }
        presentation.isQuiet = invocation.isQuiet
        presentation.isVerbose = invocation.isVerbose
        // Only for those who asked for JSON by name; a person who pipes data elsewhere reads the errors.
        presentation.reportsErrorsAsJSON =
            (mode == .script || mode == .oneShot) && (invocation.format == .json || invocation.format == .ndjson)
        presentation.coloursOutput = Self.colours(
            invocation, terminal: surroundings.outputIsTerminal, surroundings.environment)
        presentation.coloursErrors = Self.colours(
            invocation, terminal: surroundings.errorsAreTerminal, surroundings.environment)
        switch invocation.progress {
        case .auto: presentation.progress = surroundings.errorsAreTerminal && !invocation.isQuiet ? .bar : .none
        case .plain: presentation.progress = .lines
        case .none: presentation.progress = .none
        }
    }

    private static func pager(_ invocation: Invocation, _ environment: [String: String]) -> PagerChoice {
        if let choice = invocation.pager { return choice }
        // A terminal that cannot move its cursor cannot show a pager either.
        return environment["TERM"] == "dumb" ? .never : .standard(environment)
    }

    private static func colours(_ invocation: Invocation, terminal: Bool, _ environment: [String: String]) -> Bool {
        switch invocation.colour {
        case .always: return true
        case .never: return false
        case .auto:
            if let off = environment["NO_COLOR"], !off.isEmpty { return false }
            if let on = environment["CLICOLOR_FORCE"], !on.isEmpty, on != "0" { return true }
            return terminal && environment["TERM"] != "dumb"
        }
    }
}
