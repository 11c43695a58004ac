import Glibc
import NexaValue

/// The commands about how results look and where they go.
extension Session {
    /// `\format`
    func chooseFormat(_ call: CommandCall) throws(ShellError) {
        guard let word = try word(of: call) else {
            return try tell("Format: \(console.presentation.format.rawValue) (\(Self.formats))")
        }
        let format = try format(word)
        console.state.change {
            $0.format = format
            $0.isFormatNamed = true
        }
        try tell("Format: \(format.rawValue)")
    }

    private static var formats: String { OutputFormat.allCases.map(\.rawValue).joined(separator: ", ") }

    private func format(_ word: String) throws(ShellError) -> OutputFormat {
        guard let format = OutputFormat(rawValue: word.lowercased()) else {
            throw .plain("No such format: \(word)", hint: "Formats: \(Self.formats)")
        }
        return format
    }

    /// `\x`
    func chooseExpansion(_ call: CommandCall) throws(ShellError) {
        var choice = Presentation.Expansion.on
        if let word = try word(of: call) {
            guard let named = Presentation.Expansion(rawValue: word.lowercased()) else {
                throw .plain("\\x wants on, off or auto, not '\(word)'", hint: "Usage: \(call.specification.usage)")
            }
            choice = named
        } else if console.presentation.expansion == .on {
            choice = .auto
        }
        console.state.change { $0.expansion = choice }
        try tell("Vertical: \(choice.rawValue)")
    }

    /// `\timing`
    func chooseTiming(_ call: CommandCall) throws(ShellError) {
        let isOn = try onOrOff(call) ?? !console.presentation.showsTiming
        console.state.change { $0.showsTiming = isOn }
        try tell("Timing: \(isOn ? "on" : "off")")
    }

    private func onOrOff(_ call: CommandCall) throws(ShellError) -> Bool? {
        switch try word(of: call)?.lowercased() {
        case nil: return nil
        case "on": return true
        case "off": return false
        case let word?:
            throw .plain(
                "\(call.specification.name) wants on or off, not '\(word)'", hint: "Usage: \(call.specification.usage)")
        }
    }

    /// `\pager`
    func choosePager(_ call: CommandCall) throws(ShellError) {
        switch Self.rest(of: call) {
        case "": break
        case "off", "never": console.state.change { $0.pager = .never }
        case "on", "auto": console.state.change { $0.pager = .standard() }
        case let command: console.state.change { $0.pager = .command(command) }
        }
        switch console.presentation.pager {
        case .never: try tell("Pager: off")
        case .command(let command): try tell("Pager: \(command ?? PagerChoice.less)")
        }
    }

    /// `\o`
    func redirectOutput(_ call: CommandCall) async throws(ShellError) {
        try await endRedirection()
        let target = Self.rest(of: call)
        guard !target.isEmpty else { return }
        if target.hasPrefix("|") {
            let command = target.dropFirst().trimmed
            guard !command.isEmpty else { throw .plain("Command required", hint: "Usage: \(call.specification.usage)") }
            console.state.redirect(to: try ReaderProcess(command, name: "'\(command)'"))
        } else {
            guard let path = try word(of: call) else { return }
            console.state.redirect(to: try OutputFile(path, .replace))
        }
    }

    /// Ends the file or program of the last `\o`.
    private func endRedirection() async throws(ShellError) {
        guard let redirection = console.state.redirection else { return }
        console.state.redirect(to: nil)
        if let file = redirection as? OutputFile {
            try attempt { () throws(OutputError) in try file.close(isWhole: true) }
        } else if let reader = redirection as? ReaderProcess {
            guard let code = await reader.close(), code != 0 else { return }
            try show { (console) throws(OutputError) in
                try console.warning("The command of \\o ended with exit code \(code)")
            }
        }
    }

    /// `\last`
    func printLast(_ call: CommandCall) throws(ShellError) {
        var named: OutputFormat?
        if let word = try word(of: call) { named = try format(word) }
        let last = console.state.last.content
        guard last.total > 0 else { throw .plain("There is no last result") }
        var printer = DocumentPrinter(
            console, last.kind, columns: last.columns, format: named, keepsResult: false)
        for encoded in last.documents {
            if Task.isCancelled { throw ShellError("Cancelled", exit: .interrupted) }
            guard let document = try? MessagePack.decodeDocument(encoded) else { continue }
            try printer.print(document)
        }
        try printer.finish()
        guard last.documents.count < last.total else { return }
        try show { (console) throws(OutputError) in
            try console.warning(
                "Only the first \(last.documents.count) of \(last.total) documents were kept; run the query again")
        }
    }

    // MARK: Arguments

    private func word(of call: CommandCall) throws(ShellError) -> String? {
        var arguments = call.arguments
        return try parse { () throws(CommandFault) in try arguments.word() }
    }

    /// What stands behind the command word, as it was written.
    private static func rest(of call: CommandCall) -> String {
        String(call.text.drop { !$0.isWhitespace }).trimmed
    }

    private func tell(_ text: String) throws(ShellError) {
        if console.presentation.isQuiet, !console.presentation.talksOnOutput { return }
        try show { (console) throws(OutputError) in try console.note(text, .blue) }
    }
}

extension PagerChoice {
    /// The pager when nobody names one.
    static let less = "less"

    /// The pager of NEXA_PAGER, of PAGER, or less; an empty one and `cat` mean none.
    static func standard(_ environment: [String: String]) -> PagerChoice {
        guard let command = environment["NEXA_PAGER"] ?? environment["PAGER"] else { return .command(nil) }
        return command.isEmpty || command == "cat" ? .never : .command(command)
    }

    /// The same, of the environment of the process.
    static func standard() -> PagerChoice {
        var environment: [String: String] = [:]
        for name in ["NEXA_PAGER", "PAGER"] {
            if let value = getenv(name) { environment[name] = String(cString: value) }
        }
        return standard(environment)
    }
}
