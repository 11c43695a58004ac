extension ProgramManual {
    /// When the pages were last gone through: a build on another day makes the same page.
    private static let date = "2026-11-21"

    /// The manual page, in the man macros of roff: for a file `name.1`, or `name --man | man -l -`.
    ///
    /// It holds ASCII only, so that every formatter reads it without knowing its encoding.
    public var manualPage: String {
        var page = Roff()
        page.line(
            ".TH \(Roff.escaped(name.uppercased())) 1 \(Self.date) \"NexaDB \(Roff.escaped(version))\" \"NexaDB Manual\""
        )
        // Names such as NEXADB_ROOT_PASSWORD must not be broken: no hyphenation, and a ragged right margin for that.
        page.line(".nh")
        page.line(".ad l")
        page.section("NAME")
        page.line("\(Roff.escaped(name)) \\- \(Roff.escaped(summary))")
        page.section("SYNOPSIS")
        for (index, form) in synopsis.enumerated() {
            if index > 0 { page.line(".br") }
            page.line("\\fB\(Roff.escaped(name))\\fR \(Roff.escaped(form))")
        }
        page.section("DESCRIPTION")
        for (index, paragraph) in description.enumerated() {
            if index > 0 { page.line(".PP") }
            page.text(paragraph)
        }
        writeCommands(to: &page)
        page.section("OPTIONS")
        for group in optionGroups {
            page.line(".SS \(Roff.escaped(group.title))")
            for option in group.options { page.option(option) }
        }
        writePrompt(to: &page)
        for (title, entries) in [("EXIT STATUS", exitCodes), ("ENVIRONMENT", environment), ("FILES", files)] {
            guard !entries.isEmpty else { continue }
            page.section(title)
            for entry in entries { page.item("\\fB\(Roff.escaped(entry.term))\\fR", entry.text) }
        }
        if !examples.isEmpty { page.section("EXAMPLES") }
        for (index, example) in examples.enumerated() {
            if index > 0 { page.line(".PP") }
            page.text(example.text + ":")
            page.line(".PP")
            page.line(".RS 4")
            page.line(".nf")
            for line in example.term.split(separator: "\n") { page.text(String(line)) }
            page.line(".fi")
            page.line(".RE")
        }
        if !seeAlso.isEmpty {
            page.section("SEE ALSO")
            page.text(seeAlso.joined(separator: ", "))
        }
        return page.output
    }

    private func writeCommands(to page: inout Roff) {
        guard !subcommands.isEmpty else { return }
        page.section("COMMANDS")
        for command in subcommands { page.command(command) }
    }

    private func writePrompt(to page: inout Roff) {
        if !promptCommands.isEmpty { page.section("COMMANDS AT THE PROMPT AND IN SCRIPTS") }
        for group in promptCommands {
            page.line(".SS \(Roff.escaped(group.title))")
            for command in group.commands { page.command(command) }
        }
        if !keys.isEmpty { page.section("KEYS") }
        for key in keys { page.item("\\fB\(Roff.escaped(key.term))\\fR", key.text) }
    }
}

/// Lines of roff.
private struct Roff {
    private(set) var output = ""

    mutating func line(_ line: String) { output += line + "\n" }

    mutating func section(_ title: String) { line(".SH \(title)") }

    /// Text that is not markup; a line must not begin with a control character of roff.
    mutating func text(_ text: String) {
        let escaped = Self.escaped(text)
        line(escaped.hasPrefix(".") || escaped.hasPrefix("\\(aq") ? "\\&" + escaped : escaped)
    }

    mutating func item(_ term: String, _ text: String) {
        line(".TP")
        line(term)
        self.text(text)
    }

    mutating func option(_ option: ProgramManual.Option) {
        var term = option.names.map { "\\fB\(Self.escaped($0))\\fR" }.joined(separator: ", ")
        if let value = option.value {
            let value = "\\fI\(Self.escaped(value))\\fR"
            term += option.isValueOptional ? " [\(value)]" : " \(value)"
        }
        var text = option.summary
        if let name = option.environment { text += ". Environment: \(name)" }
        item(term, text)
    }

    mutating func command(_ command: ProgramManual.Command) {
        item("\\fB\(Self.escaped(command.usage))\\fR", command.summary + ".")
        if command.names.count > 1 {
            line(".br")
            text("Also: \(command.names.dropFirst().joined(separator: ", "))")
        }
        // Lines of one sentence flow together; what ends one, and an example, ends a line here as well.
        var endsLine = true
        for detail in command.details {
            // A leading blank begins a line by itself.
            if endsLine || detail.hasPrefix("Example"), !detail.hasPrefix(" ") { line(".br") }
            text(detail)
            endsLine = [".", ":", ")"].contains { detail.hasSuffix($0) } || detail.hasPrefix("Example")
        }
        guard !command.options.isEmpty else { return }
        line(".RS")
        for option in command.options { self.option(option) }
        line(".RE")
    }

    /// Text as roff shows it: hyphens that can be copied, quotes that stay as they are, other scripts by their numbers.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "'": result += "\\(aq"
            case "\"": result += "\\(dq"
            case "`": result += "\\(ga"
            case "^": result += "\\(ha"
            case "~": result += "\\(ti"
            case _ where scalar.value < 32: result += " "
            case _ where scalar.isASCII: result.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                result += "\\[u\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)]"
            }
        }
        return result
    }
}
