/// Why a command failed, in the words of its `✗` line.
struct ShellError: Error, Sendable, Equatable {
    /// What follows `✗ `, or `✗ Error: ` when `isPlain` is false.
    var message: String
    /// Whether the message stands alone, without `Error: `.
    var isPlain = false
    /// What to do about it: a line of its own, such as `Usage: …`.
    var hint: String?
    /// What the process says at its end.
    var exit: ExitCode
    /// The byte of the command that is wrong.
    var offset: Int?
    /// Lines that show the place of the fault, when it is not in the command.
    var pointer: [String] = []
    /// Whether nobody has to hear of it: the reader of the output had enough.
    var isSilent = false
    /// What was probably meant; it is told on standard error, below everything else.
    var suggestion: String?
    /// The kind of failure in one word, for programs: that of the client or the server, where there is one.
    var code: String?

    init(_ message: String, exit: ExitCode = .commandFailed) {
        self.message = message
        self.exit = exit
    }

    /// A complaint in the original's own words, with its hint.
    static func plain(_ message: String, hint: String? = nil) -> ShellError {
        var error = ShellError(message)
        error.isPlain = true
        error.hint = hint
        return error
    }

    /// A fault in the text of the command.
    init(_ fault: CommandFault) {
        self.init(fault.message)
        offset = fault.offset
        suggestion = fault.suggestion
        code = "syntax"
    }
}

/// What the process ends with.
enum ExitCode: Int32, Sendable, CaseIterable {
    case success = 0
    /// Cannot connect or log in, or the connection was lost.
    case noConnection = 1
    /// Flags are wrong, or a prompt is needed and there is no terminal.
    case usage = 2
    /// A command failed.
    case commandFailed = 3
    /// An import or export finished without some of the documents.
    case partial = 4
    /// A local file could not be read or written.
    case file = 5
    /// The time limit passed.
    case timeout = 6
    /// A fault of this program.
    case internalError = 70
    /// Stopped by Ctrl-C; the process ends by the signal where it can.
    case interrupted = 130
}
