/// The commands of scripts: variables, files of commands, conditions, and what surrounds the shell.
extension CommandTable {
    static let scripts: [CommandSpecification] = variables + files + conditions + surroundings

    private static let variables: [CommandSpecification] = [
        .init(
            section: .scripts, names: ["\\set"], usage: "\\set [name [value]]", summary: "Set a variable, or list them",
            details: [
                "A bare $name is replaced where an argument or a JSON value stands, never inside quotes and never",
                "before a colon: query {year: {$gte: $y}}. What is no JSON is a string there.",
                "The shell itself reads:"
            ] + ShellVariables.specials.map { "  \($0.name): \($0.summary)" },
            arguments: [.variable, .text]
        ) { (session, call) async throws(ShellError) in
            try session.setVariable(call)
            return .none
        },
        .init(
            section: .scripts, names: ["\\unset"], usage: "\\unset <name>", summary: "Forget a variable",
            arguments: [.variable]
        ) { (session, call) async throws(ShellError) in
            try session.unsetVariable(call)
            return .none
        },
        .init(
            section: .scripts, names: ["\\echo"], usage: "\\echo [-n] [text]", summary: "Write text to standard output",
            details: ["-n leaves the line end out. Outside quotes, blanks become one."], arguments: [.text]
        ) { (session, call) async throws(ShellError) in
            try session.echo(call, toErrors: false)
            return .none
        },
        .init(
            section: .scripts, names: ["\\warn"], usage: "\\warn [-n] [text]", summary: "Write text to standard error",
            arguments: [.text]
        ) { (session, call) async throws(ShellError) in
            try session.echo(call, toErrors: true)
            return .none
        }
    ]

    private static let files: [CommandSpecification] = [
        .init(
            section: .scripts, names: ["\\i"], usage: "\\i <file>", summary: "Run the commands of a file",
            arguments: [.file]
        ) { (session, call) async throws(ShellError) in
            .loop(.include(try session.fileName(call), fromIncludingFile: false))
        },
        .init(
            section: .scripts, names: ["\\ir"], usage: "\\ir <file>",
            summary: "Run a file, seen from the folder of this one", arguments: [.file]
        ) { (session, call) async throws(ShellError) in
            .loop(.include(try session.fileName(call), fromIncludingFile: true))
        },
        .init(
            section: .scripts, names: ["\\errexit"], usage: "\\errexit on|off",
            summary: "Whether the first error ends the script", arguments: [.word(["on", "off"])]
        ) { (session, call) async throws(ShellError) in .loop(.stopOnError(try session.onOff(call))) },
        .init(
            section: .scripts, names: ["\\watch"], usage: "\\watch [seconds] [c=N] [m=N]",
            summary: "Repeat the command before, until Ctrl-C",
            details: ["c=N: N times. m=N: until a run gives fewer than N documents. Without a number: each 2 seconds."],
            arguments: [.text]
        ) { (session, call) async throws(ShellError) in
            let arguments = try session.parse { () throws(CommandFault) in try RepeatArguments(call.arguments) }
            return .loop(.watch(arguments))
        }
    ]

    private static let conditions: [CommandSpecification] = [
        .init(
            section: .scripts, names: ["\\if"], usage: "\\if <condition>", summary: "Run what follows on a condition",
            details: [
                "Up to \\elif, \\else or \\endif. A condition is true or false (also on, off, yes, no, 1, 0),",
                "defined NAME, A = B, A != B, or one of these behind not."
            ], arguments: [.variable], isConditional: true
        ) { (session, call) async throws(ShellError) in
            try session.beginIf(call)
            return .none
        },
        .init(
            section: .scripts, names: ["\\elif"], usage: "\\elif <condition>", summary: "Else, on another condition",
            arguments: [.variable], isConditional: true
        ) { (session, call) async throws(ShellError) in
            try session.elseIf(call)
            return .none
        },
        .init(
            section: .scripts, names: ["\\else"], usage: "\\else", summary: "Else", isConditional: true
        ) { (session, _) async throws(ShellError) in
            try session.conditionals.otherwise()
            return .none
        },
        .init(
            section: .scripts, names: ["\\endif"], usage: "\\endif", summary: "The end of \\if", isConditional: true
        ) { (session, _) async throws(ShellError) in
            try session.conditionals.end()
            return .none
        }
    ]

    private static let surroundings: [CommandSpecification] = [
        .init(
            section: .scripts, names: ["\\!"], usage: "\\! [command]", summary: "Run a command of the system's shell",
            details: [
                "The rest of the line is the command, as it stands: $name is the shell's own there.",
                "SHELL_EXIT_CODE holds what it ended with. Without a command a shell opens."
            ], arguments: [.text], isRawLine: true
        ) { (_, call) async throws(ShellError) in .loop(.system(call.rest)) },
        .init(
            section: .scripts, names: ["\\cd"], usage: "\\cd [folder]", summary: "Change the current folder",
            arguments: [.file]
        ) { (session, call) async throws(ShellError) in
            try session.changeFolder(call)
            return .none
        },
        .init(
            section: .scripts, names: ["\\connect"], usage: "\\connect [url]", summary: "Go to another server",
            details: ["As nexadb://user@host:port/database. Without a URL: the same server, anew."], arguments: [.text]
        ) { (session, call) async throws(ShellError) in .loop(.connect(try session.optionalWord(call))) },
        .init(
            section: .scripts, names: ["\\reconnect"], usage: "\\reconnect", summary: "Open the connection anew"
        ) { (_, _) async throws(ShellError) in .loop(.connect(nil)) }
    ]
}
