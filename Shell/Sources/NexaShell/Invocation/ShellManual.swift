import NexaManual

/// What `--man` and `--completions` are made of: the tables of options and commands, and what stands below.
enum ShellManual {
    static var manual: ProgramManual {
        var manual = ProgramManual(
            name: "nexa", version: Shell.version, summary: "the shell of NexaDB",
            synopsis: [
                "[options]", "[options] toon export collection file",
                "[options] toon import file collection [--replace]"
            ],
            description: [
                "nexa talks to a NexaDB server: at a prompt with editing, history and completion, or as a filter in "
                    + "scripts. With --local it needs no server: it runs nexadb over a folder for as long as shells use it.",
                "Without -e and -f, commands come from the terminal or, line by line, from standard input. A command "
                    + "goes on over lines until its brackets are closed; a semicolon separates commands on one line. JSON "
                    + "may be relaxed: keys without quotes, single quotes, commas at the end.",
                "Results go to standard output and talk to standard error, except at the prompt and for scripts on "
                    + "standard input without an output format, which see both as they did in NexaDB 3.0."
            ],
            optionGroups: OptionTable.sections.map { section in
                ProgramManual.OptionGroup(section.title, section.options.map(described))
            },
            exitCodes: exitCodes,
            environment: EnvironmentTable.rows.map { .init($0.names.joined(separator: ", "), $0.summary) },
            files: files, examples: examples,
            seeAlso: ["nexadb(1)", "editrc(5)"])
        manual.subcommands = CommandTable.toon.map { command in
            ProgramManual.Command(
                command.names, usage: command.usage, summary: command.summary, argument: .words(["export", "import"]))
        }
        manual.promptCommands = CommandSection.allCases.compactMap { section in
            let commands = CommandTable.all.filter { $0.section == section }.map(described)
            return commands.isEmpty ? nil : ProgramManual.CommandGroup(section.rawValue, commands)
        }
        manual.keys = KeyTable.rows.map { ProgramManual.Entry($0.keys, $0.summary) }
        return manual
    }

    private static func described(_ option: Option) -> ProgramManual.Option {
        var described = ProgramManual.Option(option.names, summary: option.help)
        switch option.argument {
        case .none: break
        case .required(let name): described.value = name
        case .optional(let name):
            described.value = name
            described.isValueOptional = true
        }
        described.kind = kind(of: option, value: described.value)
        return described
    }

    /// What completion offers for an option's value.
    private static func kind(of option: Option, value: String?) -> ProgramManual.ValueKind {
        switch option.names.last {
        case "--format": return .words(OutputFormat.allCases.map(\.rawValue))
        case "--color": return .words(Invocation.ColourChoice.allCases.map(\.rawValue))
        case "--progress": return .words(Invocation.ProgressChoice.allCases.map(\.rawValue))
        case "--completions": return .words(CompletionShell.allCases.map(\.rawValue))
        case "--pager": return .words(["auto", "never"])
        case "--keys": return .words(OutputShape.Keys.allCases.map(\.rawValue))
        case "-e": return .words(CommandTable.all.flatMap(\.names).filter { !$0.hasPrefix("\\") })
        default: break
        }
        switch value {
        case "FILE": return .file
        case "DIR": return .directory
        default: return .text
        }
    }

    private static func described(_ command: CommandSpecification) -> ProgramManual.Command {
        ProgramManual.Command(
            command.names, usage: command.usage, summary: command.summary, details: command.details,
            options: command.flags.map { ProgramManual.Option([$0.name], value: $0.value, summary: $0.summary) })
    }

    /// Every code of `ExitCode`, and those of signals.
    static let exitCodes: [ProgramManual.Entry] = [
        .init("0", "Everything is done."),
        .init("1", "There is no connection, or the login failed."),
        .init("2", "The options are wrong, or a question had to be asked and there is no terminal."),
        .init("3", "A command failed; scripts on standard input go on and end with this."),
        .init("4", "An import or export is finished, but some documents were left out."),
        .init("5", "A file of this machine could not be read or written."),
        .init("6", "The time of --timeout has passed."),
        .init("70", "A fault of nexa itself."),
        .init(
            "129, 130, 141, 143",
            "Ended by SIGHUP, SIGINT, SIGPIPE, SIGTERM: really, so that the caller sees the signal."),
        .init(
            "137",
            "Killed by SIGKILL, which no program notices: what was acknowledged is stored, but the terminal stays as the "
                + "prompt had it. Type: stty sane")
    ]

    static let files: [ProgramManual.Entry] = [
        .init("~/.nexadb_history", "The history of the prompt, without passwords."),
        .init("~/.nexarc", "Commands that are run before the first prompt."),
        .init("~/.editrc", "Settings of the line editor, such as: bind -v"),
        .init("DIR/nexadb.sock", "Where the server of --local DIR listens while shells use it.")
    ]

    private static let examples: [ProgramManual.Entry] = [
        .init("nexa -u root -p", "A prompt on the server of this machine"),
        .init(
            "cat movies.ndjson | nexa --local ./data -e 'use movies' -e 'import -'",
            "Documents into a folder, no server"),
        .init(
            "nexa --local ./data -e 'use movies' -e 'query {year: 1994} --limit 0' | jq -r .title",
            "One document a line for other programs"),
        .init("eval \"$(nexa --completions bash)\"", "Completion in this bash")
    ]
}
