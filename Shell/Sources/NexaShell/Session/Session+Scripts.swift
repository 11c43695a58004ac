import Glibc
import NexaValue

/// The commands of scripts, as far as they concern the session.
extension Session {
    // MARK: Variables

    func setVariable(_ call: CommandCall) throws(ShellError) {
        var arguments = call.arguments
        let name = try parse { () throws(CommandFault) in try arguments.word() }
        guard let name else { return try listVariables() }
        try variables.set(name, arguments.rest)
    }

    private func listVariables() throws(ShellError) {
        let entries = variables.names.map { ($0, variables.written($0) ?? "") }
        switch console.presentation.format {
        case .json, .ndjson:
            var printer = DocumentPrinter(console)
            for (name, value) in entries {
                try printer.print(["name": .string(name), "value": .string(value)])
            }
            try printer.finish()
        default:
            try show { (console) throws(OutputError) in
                for (name, value) in entries { try console.result("\(name) = \(value)") }
            }
        }
    }

    func unsetVariable(_ call: CommandCall) throws(ShellError) {
        var arguments = call.arguments
        let offset = arguments.offset()
        let name = try parse { () throws(CommandFault) in try arguments.word() }
        guard let name else {
            throw .plain("Variable name required", hint: "Usage: \(call.specification.usage)")
        }
        guard variables.unset(name) else {
            var fault = CommandFault("variable \(name) is not set", at: offset)
            fault.suggestion = EditDistance.nearest(to: name, among: variables.names).map { "\\unset \($0)" }
            throw ShellError(fault)
        }
    }

    func echo(_ call: CommandCall, toErrors: Bool) throws(ShellError) {
        var arguments = call.arguments
        var words: [String] = []
        while let word = try parse({ () throws(CommandFault) in try arguments.word() }) { words.append(word) }
        var end = "\n"
        if words.first == "-n" {
            words.removeFirst()
            end = ""
        }
        let text = words.joined(separator: " ") + end
        try show { (console) throws(OutputError) in
            let isColoured =
                toErrors ? console.presentation.coloursErrors : console.presentation.coloursOutput
            try (toErrors ? console.errors : console.output).write(isColoured ? TerminalText.harmless(text) : text)
        }
    }

    // MARK: Conditions

    func beginIf(_ call: CommandCall) throws(ShellError) {
        guard !conditionals.isSkipping else { return try conditionals.begin(false) }
        do throws(ShellError) {
            try conditionals.begin(try condition(call))
        } catch {
            // Its commands must not run as if they stood outside of it.
            try conditionals.begin(false)
            throw error
        }
    }

    func elseIf(_ call: CommandCall) throws(ShellError) {
        guard conditionals.awaitsBranch else { return try conditionals.next(false) }
        do throws(ShellError) {
            try conditionals.next(try condition(call))
        } catch {
            try conditionals.next(false)
            throw error
        }
    }

    /// The variables are replaced only here, because in a block that is passed over nobody minds them.
    private func condition(_ call: CommandCall) throws(ShellError) -> Bool {
        let variables = variables
        let words = try parse { () throws(CommandFault) in
            var arguments = ArgumentReader(try variables.expand(call.text).text)
            var words: [String] = []
            while let word = try arguments.word() { words.append(word) }
            return words
        }
        return try Condition.holds(words) { variables.written($0) != nil }
    }

    // MARK: Arguments

    func fileName(_ call: CommandCall) throws(ShellError) -> String {
        guard let name = try optionalWord(call) else {
            throw .plain("File required", hint: "Usage: \(call.specification.usage)")
        }
        return expandingHome(name)
    }

    func optionalWord(_ call: CommandCall) throws(ShellError) -> String? {
        var arguments = call.arguments
        return try parse { () throws(CommandFault) in try arguments.word() }
    }

    func onOff(_ call: CommandCall) throws(ShellError) -> Bool {
        switch try optionalWord(call)?.lowercased() {
        case "on": return true
        case "off": return false
        default: throw .plain("on or off required", hint: "Usage: \(call.specification.usage)")
        }
    }

    func changeFolder(_ call: CommandCall) throws(ShellError) {
        let folder = expandingHome(try optionalWord(call) ?? "~")
        guard chdir(folder) == 0 else {
            throw ShellError("cannot go to \(folder): \(systemMessage(errno))", exit: .file)
        }
    }
}

/// A path whose `~` is the home folder.
func expandingHome(_ path: String) -> String {
    guard path == "~" || path.hasPrefix("~/"), let home = getenv("HOME") else { return path }
    return String(cString: home) + path.dropFirst()
}
