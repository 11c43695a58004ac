import NexaClient
import NexaValue

/// The commands about databases, collections and the shell itself.
extension Session {
    /// What was asked after a `drop`, done.
    func confirmed(_ question: Confirmable) async throws(ShellError) {
        switch question {
        case .dropDatabase(let name):
            try await call { () async throws(NexaError) in try await client.database(name).drop() }
            try show { (console) throws(OutputError) in
                try console.success("Database '\(name)' dropped successfully")
            }
            guard location.database == name else { return }
            location = Location()
            try show { (console) throws(OutputError) in try console.note("→ Switched to default database", .blue) }
        case .dropCollection(let name):
            let database = location.database
            try await call { () async throws(NexaError) in
                try await client.database(database).collection(name).drop()
            }
            try show { (console) throws(OutputError) in try console.success("Collection dropped") }
        case .deleteDocuments(let filter, _, let name): try await deleteDocuments(filter, name)
        case .dropUser(let name): try await dropUser(name)
        }
    }

    /// The first argument; without it the command complains and shows how it is written.
    private func name(_ command: CommandCall, _ what: String) throws(ShellError) -> String {
        var arguments = command.arguments
        let word = try parse { () throws(CommandFault) in try arguments.word() }
        guard let word, !word.isEmpty else {
            throw .plain("\(what) required", hint: "Usage: \(command.specification.usage)")
        }
        return word
    }

    // MARK: Databases

    func listDatabases() async throws(ShellError) {
        let names = try await call { () async throws(NexaError) in try await client.databaseNames() }
        try list(names, "database", current: location.database)
    }

    private func list(_ names: [String], _ what: String, current: String?) throws(ShellError) {
        guard console.presentation.format == .pretty else {
            return try print(rows: names.map { [.string($0)] }, columns: ["name"])
        }
        try show { (console) throws(OutputError) in
            if names.isEmpty { return try console.warning("No \(what)s found") }
            try console.success("Found \(names.count) \(what)(s):")
            for (index, name) in names.enumerated() {
                try console.listEntry("\(name == current ? "*" : " ") [\(index + 1)] ", name)
            }
        }
    }

    func useDatabase(_ command: CommandCall) throws(ShellError) {
        let name = try name(command, "Database name")
        location = Location(database: name)
        try show { (console) throws(OutputError) in
            try console.success("Switched to database '\(name)' (collection reset)")
        }
    }

    func createDatabase(_ command: CommandCall) async throws(ShellError) {
        let name = try name(command, "Database name")
        guard name.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }) else {
            throw .plain("Database name must be lowercase alphanumeric with underscores")
        }
        try await call { () async throws(NexaError) in try await client.database(name).create() }
        try show { (console) throws(OutputError) in try console.success("Database created") }
    }

    func dropDatabase(_ command: CommandCall) throws(ShellError) -> Effect {
        let name = try name(command, "Database name")
        if name == "default" { throw .plain("Cannot drop the default database") }
        return .ask(.dropDatabase(name))
    }

    // MARK: Collections

    func listCollections() async throws(ShellError) {
        let database = location.database
        let names = try await call { () async throws(NexaError) in
            try await client.database(database).collectionNames()
        }
        try list(names, "collection", current: location.collection)
    }

    func use(_ command: CommandCall) throws(ShellError) {
        let name = try name(command, "Collection name")
        location.collection = name
        try show { (console) throws(OutputError) in try console.success("Switched to collection '\(name)'") }
    }

    func createCollection(_ command: CommandCall) async throws(ShellError) {
        let name = try name(command, "Collection name")
        var arguments = try CommandArguments(command)
        _ = arguments.word()
        try arguments.end()
        try checkVectorFlags(arguments)
        let database = client.database(location.database)
        try await call { () async throws(NexaError) in try await database.createCollection(name) }
        let field = try arguments.text(of: "--field") ?? "vector"
        let index = try await createVectorIndex(database.collection(name), on: field, arguments)
        try show { (console) throws(OutputError) in
            try console.success("Collection '\(name)' created" + (index.isEmpty ? "" : " with the index \(index)"))
        }
    }

    func dropCollection(_ command: CommandCall) throws(ShellError) -> Effect {
        .ask(.dropCollection(try name(command, "Collection name")))
    }

    // MARK: The rest

    func help(_ arguments: ArgumentReader) throws(ShellError) {
        var arguments = arguments
        let word = try parse { () throws(CommandFault) in try arguments.word() }
        guard let word else {
            let text = HelpText.overview(version: settings.version)
            return try show { (console) throws(OutputError) in try console.result(text, .cyan) }
        }
        if word.lowercased() == HelpText.keysTopic {
            return try show { (console) throws(OutputError) in try console.result(KeyTable.text, .cyan) }
        }
        guard let command = CommandTable.find(word) else {
            throw .unknownCommand(word)
        }
        try show { (console) throws(OutputError) in try console.result(HelpText.about(command), .cyan) }
    }
}

extension Console {
    /// One line of a numbered list, its name in cyan.
    func listEntry(_ marker: String, _ name: String) throws(OutputError) {
        let target = target
        let safe = target.isHarmless ? TerminalText.harmless(name) : name
        try target.write(target.isColoured ? "\(marker)\u{1B}[36m\(safe)\u{1B}[0m\n" : "\(marker)\(safe)\n")
    }
}
