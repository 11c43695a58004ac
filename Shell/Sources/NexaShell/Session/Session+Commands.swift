import NexaClient
import NexaValue

/// One branch for each command of the table, and those about databases and collections.
extension Session {
    func perform(
        _ command: CommandSpecification, _ arguments: ArgumentReader, _ interruption: Interruption
    ) async throws(ShellError) -> Effect {
        switch command.kind {
        case .databases: try await listDatabases()
        case .useDatabase: try useDatabase(arguments, command)
        case .createDatabase: try await createDatabase(arguments, command)
        case .dropDatabase: return try dropDatabase(arguments, command)
        case .collections: try await listCollections()
        case .use: try use(arguments, command)
        case .createCollection: try await createCollection(arguments, command)
        case .dropCollection: return try dropCollection(arguments, command)
        case .create: try await create(arguments)
        case .insertMany: try await insertMany(arguments)
        case .read: try await read(arguments, command)
        case .query: try await query(arguments)
        case .update: try await update(arguments, command)
        case .delete: try await delete(arguments, command)
        case .count: try await count(arguments)
        case .vectorSearch: try vectorSearch(arguments, command)
        case .importDocuments: try await importDocuments(arguments, command, interruption)
        case .exportDocuments: try await exportDocuments(arguments, command, interruption)
        case .ping: try await ping()
        case .help: try help(arguments)
        case .exit:
            if console.presentation.talksOnOutput {
                try show { (console) throws(OutputError) in try console.note("Goodbye! 👋", .blue) }
            }
            return .leave
        }
        return .none
    }

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
        }
    }

    /// The first argument; without it the command complains and shows how it is written.
    private func name(
        _ arguments: ArgumentReader, _ what: String, _ command: CommandSpecification
    ) throws(ShellError) -> String {
        var arguments = arguments
        let word = try parse { () throws(CommandFault) in try arguments.word() }
        guard let word, !word.isEmpty else { throw .plain("\(what) required", hint: "Usage: \(command.usage)") }
        return word
    }

    // MARK: Databases

    private func listDatabases() async throws(ShellError) {
        let names = try await call { () async throws(NexaError) in try await client.databaseNames() }
        try list(names, "database", current: location.database)
    }

    private func list(_ names: [String], _ what: String, current: String?) throws(ShellError) {
        try show { (console) throws(OutputError) in
            switch console.presentation.format {
            case .pretty:
                if names.isEmpty { return try console.warning("No \(what)s found") }
                try console.success("Found \(names.count) \(what)(s):")
                for (index, name) in names.enumerated() {
                    try console.listEntry("\(name == current ? "*" : " ") [\(index + 1)] ", name)
                }
            case .ids: for name in names { try console.result(name) }
            case .json, .ndjson:
                let documents = names.map { Value.document(["name": .string($0)]) }
                let lines = documents.map { (try? JSON.string($0)) ?? "" }
                if console.presentation.format == .ndjson {
                    for line in lines { try console.result(line) }
                } else {
                    try console.result(lines.isEmpty ? "[]" : "[\n\(lines.joined(separator: ",\n"))\n]")
                }
            }
        }
    }

    private func useDatabase(_ arguments: ArgumentReader, _ command: CommandSpecification) throws(ShellError) {
        let name = try name(arguments, "Database name", command)
        location = Location(database: name)
        try show { (console) throws(OutputError) in
            try console.success("Switched to database '\(name)' (collection reset)")
        }
    }

    private func createDatabase(
        _ arguments: ArgumentReader, _ command: CommandSpecification
    ) async throws(ShellError) {
        let name = try name(arguments, "Database name", command)
        guard name.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }) else {
            throw .plain("Database name must be lowercase alphanumeric with underscores")
        }
        try await call { () async throws(NexaError) in try await client.database(name).create() }
        try show { (console) throws(OutputError) in try console.success("Database created") }
    }

    private func dropDatabase(_ arguments: ArgumentReader, _ command: CommandSpecification) throws(ShellError) -> Effect
    {
        let name = try name(arguments, "Database name", command)
        if name == "default" { throw .plain("Cannot drop the default database") }
        return .ask(.dropDatabase(name))
    }

    // MARK: Collections

    private func listCollections() async throws(ShellError) {
        let database = location.database
        let names = try await call { () async throws(NexaError) in
            try await client.database(database).collectionNames()
        }
        try list(names, "collection", current: location.collection)
    }

    private func use(_ arguments: ArgumentReader, _ command: CommandSpecification) throws(ShellError) {
        let name = try name(arguments, "Collection name", command)
        location.collection = name
        try show { (console) throws(OutputError) in try console.success("Switched to collection '\(name)'") }
    }

    private func createCollection(
        _ arguments: ArgumentReader, _ command: CommandSpecification
    ) async throws(ShellError) {
        let name = try name(arguments, "Collection name", command)
        let database = location.database
        try await call { () async throws(NexaError) in
            try await client.database(database).createCollection(name)
        }
        try show { (console) throws(OutputError) in try console.success("Collection '\(name)' created") }
    }

    private func dropCollection(
        _ arguments: ArgumentReader, _ command: CommandSpecification
    ) throws(ShellError) -> Effect {
        .ask(.dropCollection(try name(arguments, "Collection name", command)))
    }

    // MARK: The rest

    private func ping() async throws(ShellError) {
        let elapsed = try await call { () async throws(NexaError) in try await client.ping() }
        let milliseconds = Double(elapsed.components.attoseconds) / 1e15 + Double(elapsed.components.seconds) * 1000
        try show { (console) throws(OutputError) in
            try console.success("Pong (\((milliseconds * 100).rounded() / 100) ms)")
        }
    }

    private func help(_ arguments: ArgumentReader) throws(ShellError) {
        var arguments = arguments
        let word = try parse { () throws(CommandFault) in try arguments.word() }
        guard let word else {
            let text = HelpText.overview(version: settings.version)
            return try show { (console) throws(OutputError) in try console.result(text, .cyan) }
        }
        guard let command = CommandTable.find(word) else {
            throw .plain("Unknown command: \(word.lowercased())", hint: "Type 'help' to see available commands")
        }
        try show { (console) throws(OutputError) in try console.result(HelpText.about(command), .cyan) }
    }
}

extension Console {
    /// One line of a numbered list, its name in cyan.
    func listEntry(_ marker: String, _ name: String) throws(OutputError) {
        let safe = presentation.coloursOutput ? TerminalText.harmless(name) : name
        try output.write(presentation.coloursOutput ? "\(marker)\u{1B}[36m\(safe)\u{1B}[0m\n" : "\(marker)\(safe)\n")
    }
}
