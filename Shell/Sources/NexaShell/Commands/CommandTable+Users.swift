/// The commands about users.
extension CommandTable {
    static let users: [CommandSpecification] = [
        .init(
            section: .users, names: ["users", "\\du"], usage: "users", summary: "List the users",
            details: ["For administrators.", "Example: users", "Example: \\du"]
        ) { (session, _) async throws(ShellError) in
            try await session.listUsers()
            return .none
        },
        .init(
            section: .users, names: ["whoami"], usage: "whoami", summary: "Show the user of this session",
            details: ["Example: whoami"]
        ) { (session, _) async throws(ShellError) in
            try await session.whoAmI()
            return .none
        },
        .init(
            section: .users, names: ["create_user"],
            usage: "create_user <user> [--role role] [--db database=access] [--password-file file]",
            summary: "Make a user; asks for the password",
            details: [
                "The role holds in every database: admin, write, read (without --role) or guest. With --db, which may be",
                "repeated, the user may do only that with only those databases: read, write or admin.",
                "Example: create_user ann --role write",
                "Example: create_user bob --role guest --db shop=write,staging=read"
            ], arguments: [.text], flags: [role, grant, passwordFile], isWrite: true
        ) { (session, call) async throws(ShellError) in try await session.createUser(call) },
        .init(
            section: .users, names: ["update_user"],
            usage: "update_user <user> [--role role] [--db database=access] [--revoke database] [--no-grants]",
            summary: "Change what a user may do",
            details: [
                "It counts for connections that are open, too.", "Example: update_user ann --role read --db shop=write",
                "Example: update_user bob --revoke staging"
            ], arguments: [.user],
            flags: [
                role, grant, .init("--revoke", "database", "take the grant on a database away", .database),
                .init("--no-grants", nil, "take all grants away, so that the role holds everywhere")
            ], isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.updateUser(call)
            return .none
        },
        .init(
            section: .users, names: ["drop_user"], usage: "drop_user <user>",
            summary: "Remove a user (requires confirmation)",
            details: ["The user's connections are closed.", "Example: drop_user ann"], arguments: [.user], isWrite: true
        ) { (session, call) async throws(ShellError) in try session.askToDropUser(call) },
        .init(
            section: .users, names: ["passwd"], usage: "passwd [user] [--password-file file]",
            summary: "Change a password; asks for the new one",
            details: [
                "Without a name the own one. It is asked for twice, on the terminal itself, and shown nowhere.",
                "Example: passwd", "Example: passwd ann --password-file /run/secrets/ann"
            ], arguments: [.user], flags: [passwordFile], isWrite: true
        ) { (session, call) async throws(ShellError) in try await session.changePassword(call) },
        .init(
            section: .users, names: ["api_keys"], usage: "api_keys [user]", summary: "List API keys",
            details: ["Without a name the own ones.", "Example: api_keys", "Example: api_keys ann"], arguments: [.user]
        ) { (session, call) async throws(ShellError) in
            try await session.listAPIKeys(call)
            return .none
        },
        .init(
            section: .users, names: ["create_api_key"], usage: "create_api_key [user] [--label text]",
            summary: "Make an API key, and show it once",
            details: [
                "It logs its user in in place of the password.", "Example: create_api_key --label 'nightly report'",
                "Example: create_api_key ann"
            ], arguments: [.user], flags: [.init("--label", "text", "what the key is for")], isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.createAPIKey(call)
            return .none
        },
        .init(
            section: .users, names: ["revoke_api_key"], usage: "revoke_api_key <prefix> [user]",
            summary: "Revoke an API key",
            details: [
                "Connections that logged in with it are closed. The prefix is what api_keys shows.",
                "Example: revoke_api_key nxdb_0123abcdef", "Example: revoke_api_key nexadb_0123abcd ann"
            ], arguments: [.text, .user], isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.revokeAPIKey(call)
            return .none
        }
    ]

    private static let role = CommandFlag(
        "--role", "role", "what the user may do in all databases", .word(["admin", "write", "read", "guest"]))
    private static let grant = CommandFlag("--db", "database=access", "a database, and read, write or admin", .database)
    private static let passwordFile = CommandFlag(
        "--password-file", "file", "take the password from the first line of a file of one's own (mode 0600)", .file)
}
