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
        let database = location.database
        try await call { () async throws(NexaError) in
            try await client.database(database).createCollection(name)
        }
        try show { (console) throws(OutputError) in try console.success("Collection '\(name)' created") }
    }

    func dropCollection(_ command: CommandCall) throws(ShellError) -> Effect {
        .ask(.dropCollection(try name(command, "Collection name")))
    }

    // MARK: The rest

    func ping() async throws(ShellError) {
        let elapsed = try await call { () async throws(NexaError) in try await client.ping() }
        let milliseconds = Double(elapsed.components.attoseconds) / 1e15 + Double(elapsed.components.seconds) * 1000
        try show { (console) throws(OutputError) in
            try console.success("Pong (\((milliseconds * 100).rounded() / 100) ms)")
        }
    }

    func help(_ arguments: ArgumentReader) throws(ShellError) {
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
