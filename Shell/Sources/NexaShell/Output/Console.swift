import NexaValue

/// Everything the shell says. Talk (✓ ✗ ⚠) and data go to the streams that the mode asks for.
///
/// A failed write is kept and ends the command; nothing is lost silently.
struct Console: Sendable {
    let output: any ByteSink
    let errors: any ByteSink
    let presentation: Presentation
    /// Hears of each document that is shown; completion learns its fields from them.
    var noteShown: (@Sendable (Document) -> Void)?

    /// The colours of the original shell.
    enum Colour: String {
        case green = "32", red = "31", yellow = "33", blue = "34", cyan = "36", bold = "1"
    }

    private var talk: any ByteSink { presentation.talksOnOutput ? output : errors }
    private var coloursTalk: Bool {
        presentation.talksOnOutput ? presentation.coloursOutput : presentation.coloursErrors
    }

    private func say(_ text: String, _ colour: Colour?, _ sink: any ByteSink, coloured: Bool) throws(OutputError) {
        try sink.write(Self.line(text, colour, coloured: coloured))
    }

    private static func line(_ text: String, _ colour: Colour?, coloured: Bool) -> String {
        guard coloured else { return text + "\n" }
        let safe = TerminalText.harmless(text)
        return colour.map { "\u{1B}[\($0.rawValue)m\(safe)\u{1B}[0m\n" } ?? safe + "\n"
    }

    /// `✓ …`, in green.
    func success(_ text: String) throws(OutputError) {
        if presentation.isQuiet, !presentation.talksOnOutput { return }
        try say("✓ " + text, .green, talk, coloured: coloursTalk)
    }

    /// `✗ …`, in red.
    func failure(_ text: String) throws(OutputError) { try say("✗ " + text, .red, talk, coloured: coloursTalk) }

    /// `⚠ …`, in yellow.
    func warning(_ text: String) throws(OutputError) { try say("⚠ " + text, .yellow, talk, coloured: coloursTalk) }

    /// A line of talk in a colour of its own.
    func note(_ text: String, _ colour: Colour? = nil) throws(OutputError) {
        try say(text, colour, talk, coloured: coloursTalk)
    }

    /// What was probably meant: on standard error, because no script expects it among the lines of the original.
    func suggestion(_ text: String) throws(OutputError) {
        try output.flush()
        try say(text, .yellow, errors, coloured: presentation.coloursErrors)
    }

    /// A line that is a result.
    func result(_ text: String, _ colour: Colour? = nil) throws(OutputError) {
        try say(text, colour, output, coloured: presentation.coloursOutput)
    }

    /// Sends everything that waits in buffers.
    func flush() throws(OutputError) {
        try output.flush()
        try errors.flush()
    }
}

/// How a run looks; `Invocation` decides it once.
struct Presentation: Sendable, Equatable {
    /// What the program takes itself for.
    enum Mode: Sendable, Equatable {
        /// A person types.
        case interactive
        /// Commands come through a pipe, and the lines are those the original always printed.
        case classicScript
        /// Commands come through a pipe, and a format was asked for.
        case script
        /// Commands came with `-e` or `-f`.
        case oneShot
    }

    /// How long work is reported on standard error.
    enum Progress: Sendable, Equatable {
        case none
        /// One line that is drawn again and again.
        case bar
        /// A line each 5 seconds.
        case lines
    }

    var mode = Mode.interactive
    var format = OutputFormat.pretty
    var coloursOutput = false
    var coloursErrors = false
    var isQuiet = false
    var progress = Progress.none
    /// Whether errors are JSON objects on standard error.
    var reportsErrorsAsJSON = false
    /// Whether errors show their code, and commands what they took.
    var isVerbose = false

    /// Whether ✓ ✗ ⚠ lines stand among the data on standard output.
    var talksOnOutput: Bool { mode == .interactive || mode == .classicScript }
    /// Whether results have the lines of the original around them.
    var isClassic: Bool { talksOnOutput && format == .pretty }
    /// Whether a fault in a command is shown with a caret under it.
    var showsCaret: Bool { mode != .classicScript }
}

/// How documents are written.
enum OutputFormat: String, Sendable, CaseIterable {
    /// Indented, keys in alphabetical order, numbered.
    case pretty
    /// One JSON array.
    case json
    /// One document per line.
    case ndjson
    /// One id per line.
    case ids
}

/// Text that a terminal cannot mistake for commands.
enum TerminalText {
    /// Replaces control characters, which could move the cursor or change the terminal, by `\u00XX`.
    static func harmless(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var safe = ""
        for scalar in text.unicodeScalars {
            if isControl(scalar) {
                safe += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            } else {
                safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        (scalar.value < 0x20 && scalar != "\n" && scalar != "\t") || (0x7F...0x9F).contains(scalar.value)
    }
}
