import NexaClient
import NexaValue

/// The commands for administrators of the server's data.
extension Session {
    func backUp(_ call: CommandCall) async throws(ShellError) {
        var arguments = try CommandArguments(call)
        guard let directory = arguments.word(), !directory.isEmpty else {
            throw .plain("Directory required", hint: "Usage: \(call.specification.usage)")
        }
        try arguments.end()
        let client = client
        let made = try await self.call { () async throws(NexaError) in try await client.backUp(to: directory) }
        try show { (console) throws(OutputError) in
            try console.success(
                "Backup made in \(made.directory) on the server: \(made.fileCount) file(s), "
                    + Amount.bytes(made.byteCount))
        }
        try printForPrograms([
            "directory": .string(made.directory), "files": .int(Int64(made.fileCount)),
            "bytes": .int(Int64(made.byteCount)), "sequence": .int(Int64(made.sequence))
        ])
    }

    func compact() async throws(ShellError) {
        let client = client
        let sizes = try await call { () async throws(NexaError) in try await client.compact() }
        try show { (console) throws(OutputError) in
            try console.success("Compacted: \(Amount.bytes(sizes.before)) before, \(Amount.bytes(sizes.after)) now")
        }
        try printForPrograms([
            "bytes_before": .int(Int64(sizes.before)), "bytes_after": .int(Int64(sizes.after))
        ])
    }

    func importMongo(_ call: CommandCall) async throws(ShellError) {
        var arguments = try CommandArguments(call)
        guard let directory = arguments.word(), let source = arguments.word() else {
            throw .plain("Directory and database required", hint: "Usage: \(call.specification.usage)")
        }
        let collection = arguments.word()
        try arguments.end()
        let into = try arguments.text(of: "--into")
        let drops = arguments.has("--drop")
        let client = client
        let database = location.database
        let result = try await self.call { () async throws(NexaError) in
            guard let collection else {
                return try await client.importMongoDatabase(
                    from: directory, database: source, into: into ?? database, dropExisting: drops)
            }
            return try await client.database(database).collection(into ?? collection).importMongo(
                from: directory, database: source, collection: collection, dropExisting: drops)
        }
        let rows = result.collections.map { collection in
            let count: Value = .int(Int64(collection.documents))
            return [.string(collection.name), count]
        }
        let total = result.collections.reduce(0) { $0 + $1.documents }
        try show { (console) throws(OutputError) in
            try console.success("Imported \(total) document(s) into \(rows.count) collection(s)")
            for text in result.warnings { try console.warning(text) }
        }
        try print(rows: rows, columns: ["collection", "documents"])
    }
}
