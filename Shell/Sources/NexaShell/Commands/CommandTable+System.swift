/// The commands about the shell and its server.
extension CommandTable {
    static let system: [CommandSpecification] = [
        .init(
            section: .system, names: ["status", "\\conninfo"], usage: "status",
            summary: "Show server, uptime, user, database and latency",
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
            section: .system, names: ["backup"], usage: "backup <directory>",
            summary: "Have the server make a backup on its own machine",
            details: [
                "For administrators; the server goes on serving. The directory is below its --backup-directory, and not",
                "there yet or empty. 'nexadb restore' brings it back.", "Example: backup monday",
                "Example: backup /backups/2026-11-21"
            ], arguments: [.text]
        ) { (session, call) async throws(ShellError) in
            try await session.backUp(call)
            return .none
        },
        .init(
            section: .system, names: ["compact"], usage: "compact",
            summary: "Have the server give back the space of what was deleted",
            details: ["For administrators. Reading and writing go on meanwhile.", "Example: compact"], isWrite: true
        ) { (session, _) async throws(ShellError) in
            try await session.compact()
            return .none
        },
        .init(
            section: .data, names: ["import_mongo"],
            usage: "import_mongo <directory> <database> [collection] [--into name] [--drop]",
            summary: "Have the server import an export of MongoDB",
            details: [
                "For administrators. The server reads what mongodump and mongoexport wrote below its --import-directory,",
                "indexes included. A database goes into the current one, a collection into one of its name.",
                "Example: import_mongo dump shop", "Example: import_mongo dump shop orders --into old_orders --drop"
            ], arguments: [.text],
            flags: [
                .init("--into", "name", "another database, or with a collection another collection"),
                .init("--drop", nil, "drop collections of the same names before")
            ], isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.importMongo(call)
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
