import Glibc
import NexaClient
import NexaValue

/// The commands about users, their passwords and their API keys.
extension Session {
    func listUsers() async throws(ShellError) {
        let client = client
        let users = try await call { () async throws(NexaError) in try await client.users.list() }
        try list(
            "Found \(users.count) user(s):", empty: "No users found",
            columns: ["user", "role", "databases", "API keys", "last login"],
            rows: users.map { [$0.name] + $0.columns },
            documents: users.map(\.shown))
    }

    func whoAmI() async throws(ShellError) {
        let client = client
        let info = try await call { () async throws(NexaError) in try await client.serverInfo() }
        try presentOne(["user": .string(info.username), "role": .string(info.role)]) {
            (console) throws(OutputError) in
            try console.result("\(info.username) (role \(info.role))")
        }
    }

    func createUser(_ call: CommandCall) async throws(ShellError) -> Effect {
        var arguments = try CommandArguments(call)
        let name = try userName(&arguments, call)
        let role = try arguments.choice(of: "--role", NexaUsers.Role.init(rawValue:), Self.roles) ?? .read
        let grants = try grants(arguments)
        let purpose = PasswordPurpose.create(user: name, role: role, grants: grants.isEmpty ? .none : .some(grants))
        return try await password(arguments, purpose)
    }

    func changePassword(_ call: CommandCall) async throws(ShellError) -> Effect {
        var arguments = try CommandArguments(call)
        let given = arguments.word()
        try arguments.end()
        let client = client
        var name = given ?? ""
        if name.isEmpty {
            name = try await self.call { () async throws(NexaError) in try await client.serverInfo() }.username
        }
        return try await password(arguments, .change(user: name))
    }

    /// Takes the password from its file, or has it asked for.
    private func password(
        _ arguments: CommandArguments, _ purpose: PasswordPurpose
    ) async throws(ShellError) -> Effect {
        guard let path = try arguments.text(of: "--password-file") else {
            passwordPurpose = purpose
            return .loop(.newPassword(user: purpose.user))
        }
        let text: String
        do throws(PasswordError) {
            text = try PasswordFinder.contents(expandingHome(path))
        } catch {
            throw ShellError(error)
        }
        let password = String(text.prefix { !$0.isNewline })
        guard !password.isEmpty else { throw ShellError("\(path) holds no password", exit: .file) }
        try await setPassword(password, purpose)
        return .none
    }

    func setPassword(_ password: String, _ purpose: PasswordPurpose) async throws(ShellError) {
        let client = client
        switch purpose {
        case .create(let user, let role, let grants):
            try await call { () async throws(NexaError) in
                try await client.users.create(user, password: password, role: role, grants: grants)
            }
            try show { (console) throws(OutputError) in
                try console.success("User '\(user)' created, role \(role.rawValue)")
            }
        case .change(let user):
            let own = try await call { () async throws(NexaError) in try await client.serverInfo() }.username
            try await call { () async throws(NexaError) in
                try await client.users.changePassword(of: user, to: password)
            }
            try show { (console) throws(OutputError) in try console.success("Password of '\(user)' changed") }
            if own == user { try await logInAgain(password) }
        }
    }

    /// Later connections need the new password; this client has the old one.
    private func logInAgain(_ password: String) async throws(ShellError) {
        var configuration = client.configuration
        guard configuration.credentials?.password != nil else { return }
        configuration.credentials?.password = password
        let fresh = NexaClient(configuration)
        do throws(NexaError) {
            let info = try await fresh.serverInfo()
            var running = server
            running.client = fresh
            running.info = info
            await adopt(running, at: nil)
        } catch {
            await fresh.shutdown(drainingFor: .zero)
            throw ShellError(error)
        }
    }

    func updateUser(_ call: CommandCall) async throws(ShellError) {
        var arguments = try CommandArguments(call)
        let name = try userName(&arguments, call)
        let role = try arguments.choice(of: "--role", NexaUsers.Role.init(rawValue:), Self.roles)
        let grants = try grants(arguments)
        let revoked = try arguments.texts(of: "--revoke").flatMap { $0.split(separator: ",").map(String.init) }
        let isFreed = arguments.has("--no-grants")
        guard role != nil || !grants.isEmpty || !revoked.isEmpty || isFreed else {
            throw .plain("Nothing to change", hint: "Usage: \(call.specification.usage)")
        }
        guard !isFreed || (grants.isEmpty && revoked.isEmpty) else {
            throw ShellError("--no-grants takes all grants away; leave --db and --revoke out")
        }
        let users = client.users
        try await self.call { () async throws(NexaError) in
            if let role { try await users.setRole(of: name, to: role) }
            if isFreed { try await users.setGrants(of: name, to: nil) }
            for (database, access) in grants.sorted(by: { $0.key < $1.key }) {
                try await users.grant(access, on: database, to: name)
            }
            for database in revoked { try await users.revoke(on: database, from: name) }
        }
        try show { (console) throws(OutputError) in try console.success("User '\(name)' updated") }
    }

    func askToDropUser(_ call: CommandCall) throws(ShellError) -> Effect {
        var arguments = try CommandArguments(call)
        return .ask(.dropUser(try userName(&arguments, call)))
    }

    func dropUser(_ name: String) async throws(ShellError) {
        let client = client
        try await call { () async throws(NexaError) in try await client.users.delete(name) }
        try show { (console) throws(OutputError) in try console.success("User '\(name)' dropped") }
    }

    // MARK: API keys

    func listAPIKeys(_ call: CommandCall) async throws(ShellError) {
        var arguments = try CommandArguments(call)
        let name = arguments.word()
        try arguments.end()
        let client = client
        let keys = try await self.call { () async throws(NexaError) in try await client.users.apiKeys(of: name) }
        try list(
            "Found \(keys.count) API key(s):", empty: "No API keys found",
            columns: ["key", "label", "made", "last used"],
            rows: keys.map { key in
                ["\(key.prefix)…", key.label, Moment.text(key.createdAt), key.lastUsed.map(Moment.text) ?? "not lately"]
            }, documents: keys.map(\.shown))
    }

    func createAPIKey(_ call: CommandCall) async throws(ShellError) {
        var arguments = try CommandArguments(call)
        let name = arguments.word()
        try arguments.end()
        let label = try arguments.text(of: "--label") ?? ""
        let client = client
        let made = try await self.call { () async throws(NexaError) in
            try await client.users.createAPIKey(for: name, label: label)
        }
        var document: Document = ["api_key": .string(made.key)]
        for (key, value) in made.description.shown { document[key] = .some(value) }
        try show { (console) throws(OutputError) in
            try console.success("API key created; it is shown only now:")
        }
        try presentOne(document) { (console) throws(OutputError) in try console.result(made.key) }
    }

    func revokeAPIKey(_ call: CommandCall) async throws(ShellError) {
        var arguments = try CommandArguments(call)
        guard let key = arguments.word(), !key.isEmpty else {
            throw .plain("First characters of the key required", hint: "Usage: \(call.specification.usage)")
        }
        let name = arguments.word()
        try arguments.end()
        let prefix = key.hasSuffix("…") ? String(key.dropLast()) : key
        let client = client
        do throws(NexaError) {
            try await client.users.revokeAPIKey(prefix, of: name)
        } catch {
            var failure = ShellError(error)
            if error.code == .notFound { failure.hint = "'api_keys' lists the keys by their first 15 characters" }
            throw failure
        }
        try show { (console) throws(OutputError) in try console.success("API key revoked: \(prefix.prefix(15))…") }
    }

    // MARK: Arguments

    private static let roles = NexaUsers.Role.allCases.map(\.rawValue)

    private func userName(_ arguments: inout CommandArguments, _ call: CommandCall) throws(ShellError) -> String {
        guard let name = arguments.word(), !name.isEmpty else {
            throw .plain("User name required", hint: "Usage: \(call.specification.usage)")
        }
        try arguments.end()
        return name
    }

    /// `shop=write,staging=read`.
    private func grants(_ arguments: CommandArguments) throws(ShellError) -> [String: NexaUsers.Access] {
        var grants: [String: NexaUsers.Access] = [:]
        for text in try arguments.texts(of: "--db") {
            for part in text.split(separator: ",") {
                let pieces = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard pieces.count == 2, !pieces[0].isEmpty,
                    let access = NexaUsers.Access(rawValue: pieces[1].lowercased())
                else {
                    throw ShellError(
                        CommandFault(
                            "--db wants a database and read, write or admin: shop=write",
                            at: arguments.offset(of: "--db")))
                }
                grants[String(pieces[0])] = access
            }
        }
        return grants
    }
}

extension NexaUsers.User {
    private var sortedGrants: [(key: String, value: NexaUsers.Access)] {
        (grants ?? [:]).sorted { $0.key < $1.key }
    }

    /// Role, databases, keys and last login.
    fileprivate var columns: [String] {
        let databases = sortedGrants.map { "\($0.key)=\($0.value.rawValue)" }.joined(separator: ",")
        return [
            role.rawValue, grants == nil || role == .admin ? "all databases" : databases.isEmpty ? "none" : databases,
            "\(apiKeyCount)", lastLogin.map(Moment.text) ?? "never"
        ]
    }

    /// The user as programs read it.
    fileprivate var shown: Document {
        var document: Document = ["user": .string(name), "role": .string(role.rawValue)]
        if grants != nil {
            document["grants"] = .document(Document(sortedGrants.map { ($0.key, .string($0.value.rawValue)) }))
        }
        document["api_keys"] = .int(Int64(apiKeyCount))
        document["created_at"] = .string(Moment.text(createdAt))
        if let lastLogin { document["last_login"] = .string(Moment.text(lastLogin)) }
        if let passwordChangedAt { document["password_changed_at"] = .string(Moment.text(passwordChangedAt)) }
        return document
    }
}

extension NexaUsers.APIKey {
    /// The key as programs read it.
    fileprivate var shown: Document {
        var document: Document = [
            "prefix": .string(prefix), "label": .string(label), "created_at": .string(Moment.text(createdAt))
        ]
        if let lastUsed { document["last_used"] = .string(Moment.text(lastUsed)) }
        return document
    }
}

/// Moments as text.
enum Moment {
    /// `2026-11-21T12:04:05Z`.
    static func text(_ seconds: Double) -> String {
        guard seconds.isFinite, abs(seconds) < 1e12 else { return "\(seconds)" }
        var whole = time_t(seconds.rounded(.down))
        var parts = tm()
        guard gmtime_r(&whole, &parts) != nil else { return "\(seconds)" }
        var buffer = [CChar](repeating: 0, count: 64)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
