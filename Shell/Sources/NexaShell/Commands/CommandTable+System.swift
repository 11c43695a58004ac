/// The commands about the shell and its server.
extension CommandTable {
    static let system: [CommandSpecification] = [
        .init(section: .system, names: ["ping"], usage: "ping", summary: "Ask the server for a sign of life") {
            (session, _) async throws(ShellError) in
            try await session.ping()
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
