/// The commands about how results look and where they go.
extension CommandTable {
    static let output: [CommandSpecification] = [
        .init(
            section: .output, names: ["\\format"], usage: "\\format [name]",
            summary: "Choose how documents are written",
            details: ["Formats: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", "))"],
            arguments: [.word(OutputFormat.allCases.map(\.rawValue))]
        ) { (session, call) async throws(ShellError) in
            try session.chooseFormat(call)
            return .none
        },
        .init(
            section: .output, names: ["\\x"], usage: "\\x [on|off|auto]", summary: "A line for each field, or not",
            details: ["auto: when a table would be wider than the screen. Without an argument it changes on and off."],
            arguments: [.word(Presentation.Expansion.allCases.map(\.rawValue))]
        ) { (session, call) async throws(ShellError) in
            try session.chooseExpansion(call)
            return .none
        },
        .init(
            section: .output, names: ["\\pager"], usage: "\\pager [on|off|command]",
            summary: "Show long output through a program",
            details: [
                "on: the program of NEXA_PAGER or PAGER, else less. Leaving it ends the command that it shows."
            ], arguments: [.word(["on", "off"])]
        ) { (session, call) async throws(ShellError) in
            try session.choosePager(call)
            return .none
        },
        .init(
            section: .output, names: ["\\o"], usage: "\\o [file | |command]",
            summary: "Send results to a file or a program", details: ["Without an argument they are shown again."],
            arguments: [.file]
        ) { (session, call) async throws(ShellError) in
            try await session.redirectOutput(call)
            return .none
        },
        .init(
            section: .output, names: ["\\last"], usage: "\\last [format]",
            summary: "Show the last result again, perhaps in another format",
            details: ["The server is not asked again; 16 MB of a result are kept."],
            arguments: [.word(OutputFormat.allCases.map(\.rawValue))]
        ) { (session, call) async throws(ShellError) in
            try session.printLast(call)
            return .none
        },
        .init(
            section: .output, names: ["\\timing"], usage: "\\timing [on|off]", summary: "Show how long commands take",
            arguments: [.word(["on", "off"])]
        ) { (session, call) async throws(ShellError) in
            try session.chooseTiming(call)
            return .none
        }
    ]
}
