import NexaValue

/// The lines that tell of an error.
struct ErrorReport {
    let error: ShellError
    let command: CommandAssembler.Command?
    /// The file that the command stands in.
    let file: String?
    /// Which command of the run it is, counted from 1.
    let number: Int?

    init(_ error: ShellError, command: CommandAssembler.Command?, file: String?, number: Int? = nil) {
        self.error = error
        self.command = command
        self.file = file
        self.number = number
    }

    /// Where the fault stands in the text of the command.
    private var position: TextPosition? {
        command.flatMap { command in error.offset.map { TextPosition(of: $0, in: command.text) } }
    }

    /// Where the fault, or else the command, stands in its source.
    private var place: (line: Int, column: Int?)? {
        guard let command else { return nil }
        guard let position else { return (command.line, nil) }
        return (
            command.line + position.line - 1,
            position.line == 1 ? command.column + position.column - 1 : position.column
        )
    }

    func print(on console: Console) throws(OutputError) {
        if console.presentation.reportsErrorsAsJSON { return try console.errors.write(json + "\n") }
        if error.exit == .interrupted { return try console.warning(error.message) }
        try console.failure(sentence(console))
        if let command, let position, console.presentation.showsCaret {
            for line in position.pointer(in: command.text) { try console.note(line) }
        }
        if console.presentation.showsCaret {
            for line in error.pointer { try console.note(line) }
        }
        if let hint = error.hint { try console.note(hint, .blue) }
        if let suggestion = error.suggestion { try console.suggestion("  did you mean: \(suggestion)") }
    }

    private func sentence(_ console: Console) -> String {
        var message = error.message
        if console.presentation.isVerbose, let code = error.code { message += " [\(code)]" }
        if let file, let place {
            let position = "\(place.line)" + (place.column.map { ":\($0)" } ?? "")
            return "\(file):\(position): \(message)"
        }
        // Of what the server finds wrong, the caret shows the place; its words stay as they are.
        if let position, error.code == nil || error.code == "syntax" {
            message += " at line \(position.line) column \(position.column)"
        }
        return (error.isPlain ? "" : "Error: ") + message
    }

    /// `{"error":{…}}`, for programs.
    private var json: String {
        var fields: Document = [
            "code": .string(error.code ?? error.exit.word), "message": .string(error.message)
        ]
        if let hint = error.hint { fields["hint"] = .string(hint) }
        if let suggestion = error.suggestion { fields["suggestion"] = .string(suggestion) }
        if let number { fields["command"] = .int(Int64(number)) }
        if let file { fields["file"] = .string(file) }
        if let place {
            fields["line"] = .int(Int64(place.line))
            if let column = place.column { fields["column"] = .int(Int64(column)) }
        }
        return (try? JSON.string(.document(["error": .document(fields)]))) ?? "{\"error\":{}}"
    }
}

extension ExitCode {
    /// The kind of failure, for errors that have no code of their own.
    var word: String {
        switch self {
        case .success: "none"
        case .noConnection: "noConnection"
        case .usage: "usage"
        case .commandFailed: "failed"
        case .partial: "partial"
        case .file: "file"
        case .timeout: "timedOut"
        case .internalError: "internal"
        case .interrupted: "interrupted"
        }
    }
}
