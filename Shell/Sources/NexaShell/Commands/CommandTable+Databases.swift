/// The commands about databases.
extension CommandTable {
    static let databases: [CommandSpecification] = [
        .init(
            section: .databases, names: ["databases", "\\l"], usage: "databases", summary: "List all databases",
            isInOriginalHelp: true
        ) { (session, _) async throws(ShellError) in
            try await session.listDatabases()
            return .none
        },
        .init(
            section: .databases, names: ["use_db", "\\c"], usage: "use_db <database>", summary: "Switch to a database",
            arguments: [.database], isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try session.useDatabase(call)
            return .none
        },
        .init(
            section: .databases, names: ["create_db"], usage: "create_db <name>", summary: "Create a new database",
            details: ["Names are lower-case letters, digits and underscores."], arguments: [.text], isWrite: true,
            isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.createDatabase(call)
            return .none
        },
        .init(
            section: .databases, names: ["drop_db"], usage: "drop_db <name>",
            summary: "Drop a database (requires confirmation)",
            details: ["The next input line must be 'yes', also in a script. The option --yes answers for you."],
            arguments: [.database], isWrite: true, isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in try session.dropDatabase(call) }
    ]
}
