import NexaValue
import Synchronization

/// Everything the shell says. Talk (✓ ✗ ⚠) and data go to the streams that the mode asks for.
///
/// A failed write is kept and ends the command; nothing is lost silently.
struct Console: Sendable {
    /// Standard output itself; data may go elsewhere, see `output`.
    let standardOutput: any ByteSink
    let errors: any ByteSink
    /// What commands can change: the looks, and where data goes.
    let state: OutputState
    /// Hears of each document that is shown; completion learns its fields from them.
    var noteShown: (@Sendable (Document) -> Void)?

    init(output: any ByteSink, errors: any ByteSink, presentation: Presentation) {
        standardOutput = output
        self.errors = errors
        state = OutputState(presentation)
    }

    /// How things look now.
    var presentation: Presentation { state.presentation }

    /// Where data goes now: the file of `-o` or `\\o`, a pager, or standard output.
    var output: any ByteSink { state.redirection ?? state.page ?? standardOutput }

    /// Where and on what results are shown now.
    var target: OutputTarget {
        let presentation = presentation
        if let file = state.redirection { return OutputTarget(sink: file) }
        return OutputTarget(
            sink: state.page ?? standardOutput, screen: presentation.screen, isColoured: presentation.coloursOutput)
    }

    /// The colours of the original shell.
    enum Colour: String {
        case green = "32", red = "31", yellow = "33", blue = "34", cyan = "36", bold = "1"
    }

    private func talk(_ text: String, _ colour: Colour?) throws(OutputError) {
        let presentation = presentation
        if presentation.talksOnOutput {
            try OutputTarget(
                sink: state.page ?? standardOutput, screen: presentation.screen,
                isColoured: presentation.coloursOutput
            ).line(text, colour)
        } else {
            try OutputTarget(sink: errors, isColoured: presentation.coloursErrors).line(text, colour)
        }
    }

    /// `✓ …`, in green.
    func success(_ text: String) throws(OutputError) {
        if presentation.isQuiet, !presentation.talksOnOutput { return }
        try talk("✓ " + text, .green)
    }

    /// `✗ …`, in red.
    func failure(_ text: String) throws(OutputError) { try talk("✗ " + text, .red) }

    /// `⚠ …`, in yellow.
    func warning(_ text: String) throws(OutputError) { try talk("⚠ " + text, .yellow) }

    /// A line of talk in a colour of its own.
    func note(_ text: String, _ colour: Colour? = nil) throws(OutputError) {
        try talk(text, colour)
    }

    /// What was probably meant: on standard error, because no script expects it among the lines of the original.
    func suggestion(_ text: String) throws(OutputError) {
        try output.flush()
        try OutputTarget(sink: errors, isColoured: presentation.coloursErrors).line(text, .yellow)
    }

    /// A line that is a result.
    func result(_ text: String, _ colour: Colour? = nil) throws(OutputError) {
        try target.line(text, colour)
    }

    /// Ends the file or program that data went to.
    ///
    /// - Parameter isWhole: whether all commands did what they were to do; only then an atomic file gets its name.
    func endRedirection(isWhole: Bool) throws(OutputError) {
        guard let redirection = state.redirection else { return }
        state.redirect(to: nil)
        if let file = redirection as? OutputFile { try file.close(isWhole: isWhole) }
        _ = (redirection as? ReaderProcess)?.closeAndWait()
    }

    /// Sends everything that waits in buffers.
    func flush() throws(OutputError) {
        try output.flush()
        try standardOutput.flush()
        try errors.flush()
    }
}

/// What commands can change about the output of a run: its looks, and where data goes.
final class OutputState: Sendable {
    private struct State {
        var presentation: Presentation
        var redirection: (any ByteSink)?
        var page: (any ByteSink)?
    }

    /// The documents of the last result.
    let last = LastResult()
    private let state: Mutex<State>

    init(_ presentation: Presentation) { state = Mutex(State(presentation: presentation)) }

    /// How things look now.
    var presentation: Presentation { state.withLock { $0.presentation } }

    /// The file or program that data goes to instead of standard output.
    var redirection: (any ByteSink)? { state.withLock { $0.redirection } }

    /// What stands between this command and the screen: the sink that starts a pager.
    var page: (any ByteSink)? { state.withLock { $0.page } }

    /// Changes the looks.
    func change(_ body: (inout Presentation) -> Void) { state.withLock { body(&$0.presentation) } }

    /// Sends data elsewhere, or to standard output again.
    func redirect(to sink: (any ByteSink)?) { state.withLock { $0.redirection = sink } }

    /// Puts a sink in front of the screen, or takes it away.
    func setPage(_ sink: (any ByteSink)?) { state.withLock { $0.page = sink } }
}

/// A sink, and what is known about who looks at it.
struct OutputTarget: Sendable {
    var sink: any ByteSink
    var screen = ScreenKind.none
    var isColoured = false

    /// Whether a terminal may see it, which must not mistake text for commands.
    var isHarmless: Bool { isColoured || screen != .none }

    func write(_ text: String) throws(OutputError) { try sink.write(text) }

    /// Indented JSON.
    func json(_ text: String) throws(OutputError) {
        guard isColoured else { return try line(text) }
        try sink.write(JSONColours.coloured(TerminalText.harmless(text)) + "\n")
    }

    /// A line in a colour; a terminal cannot mistake it for commands.
    func line(_ text: String, _ colour: Console.Colour? = nil) throws(OutputError) {
        let safe = isHarmless ? TerminalText.harmless(text) : text
        guard isColoured, let colour else { return try sink.write(safe + "\n") }
        try sink.write("\u{1B}[\(colour.rawValue)m\(safe)\u{1B}[0m\n")
    }
}
