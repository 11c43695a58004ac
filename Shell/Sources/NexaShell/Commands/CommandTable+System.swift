/// The commands about the shell and its server.
extension CommandTable {
    static let system: [CommandSpecification] = [
        .init(
            section: .system, names: ["status", "\\conninfo"], usage: "status",
            summary: "Show server, user, database and latency",
            details: ["Example: status", "Example: \\conninfo"]
        ) { (session, _) async throws(ShellError) in
            try await session.status()
            return .none
        },
        .init(
            section: .system, names: ["stats"], usage: "stats [database]",
            summary: "Show how much the collections of a database hold",
            details: ["Example: stats", "Example: stats staging"], arguments: [.database]
        ) { (session, call) async throws(ShellError) in
            try await session.statistics(call)
            return .none
        },
        .init(
            section: .system, names: ["ping"], usage: "ping [n]", summary: "Ask the server for a sign of life",
            details: [
                "With a number so many times, one after the other, and a summary.", "Example: ping",
                "Example: ping 1000"
            ], arguments: [.text]
        ) { (session, call) async throws(ShellError) in
            try await session.ping(call)
            return .none
        },
        .init(
            section: .system, names: ["help", "\\?"], usage: "help [command]", summary: "Show this help",
            arguments: [.command], isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try session.help(call.arguments)
            return .none
        },
        .init(
            section: .system, names: ["exit", "quit", "\\q"], usage: "exit", summary: "Exit CLI", isInOriginalHelp: true
        ) { (session, _) async throws(ShellError) in
            if session.console.presentation.talksOnOutput {
                try session.show { (console) throws(OutputError) in try console.note("Goodbye! 👋", .blue) }
            }
            return .leave
        }
    ]
}
