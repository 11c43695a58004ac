import NexaClient
import NexaValue

/// The commands that tell what is stored: `describe` and `stats`.
extension Session {
    /// So many documents are looked at from either end of a collection.
    private static let sampled = 500

    func describe(_ call: CommandCall) async throws(ShellError) {
        var arguments = try CommandArguments(call)
        let collection = try stored(arguments.word())
        try arguments.end()
        let statistics = try await self.call { () async throws(NexaError) in try await collection.statistics() }
        let indexes = try await self.call { () async throws(NexaError) in try await collection.indexes() }
        let vectors = try await vectors(of: collection)
        if statistics.documents == 0, indexes.isEmpty { try await checkExistence(of: collection.name) }
        let sample = try await sample(collection, statistics.documents)
        guard console.presentation.format == .pretty else {
            let description = Self.description(collection.name, location.database, statistics, indexes, sample, vectors)
            return try DocumentPrinter.printSingle(.document(description), console)
        }
        try show { (console) throws(OutputError) in
            try console.success("Collection '\(collection.name)' of database '\(location.database)'")
            for line in Columns.aligned(Self.summary(statistics)) { try console.result(line) }
        }
        if !indexes.isEmpty {
            let sizes = Dictionary(statistics.indexes.map { ($0.name, $0) }) { first, _ in first }
            let rows = indexes.map { index in
                let size = sizes[index.name]
                return [
                    index.name, index.columns[0], size.map { Amount.grouped($0.entries) } ?? "",
                    size.map { Amount.bytes($0.bytes) } ?? "", index.columns[1]
                ].map(Value.string)
            }
            try show { (console) throws(OutputError) in try console.result("Indexes:") }
            try print(rows: rows, columns: ["name", "fields", "entries", "size", "properties"])
        }
        for vector in vectors {
            try show { (console) throws(OutputError) in
                try console.result(
                    "Vectors in \(vector.field): \(Amount.grouped(vector.count)) of \(vector.dimensions) dimensions, "
                        + "\(vector.metric.rawValue), \(Amount.bytes(vector.memoryBytes)) in memory")
            }
        }
        guard sample.documents > 0 else { return }
        let whole = sample.documents >= statistics.documents && statistics.isExact
        let which = whole ? "all" : "the first and last \(Amount.grouped(sample.documents))"
        try show { (console) throws(OutputError) in try console.result("Fields of \(which) documents:") }
        let rows = sample.fields.map { field in
            [
                field.path, field.typeText, Amount.share(sample.documents - field.present, of: sample.documents),
                field.exampleText(40)
            ].map(Value.string)
        }
        try print(rows: rows, columns: ["field", "types", "missing", "example"])
        guard sample.isCut else { return }
        try show { (console) throws(OutputError) in
            try console.warning("Only the first \(FieldSample.maximumFields) fields are shown")
        }
    }

    /// None where the server has no vectors.
    private func vectors(
        of collection: NexaCollection<Document>
    ) async throws(ShellError) -> [VectorFieldStatistics] {
        try await call { () async throws(NexaError) in
            do throws(NexaError) {
                return try await collection.vectorStatistics()
            } catch {
                guard error.code == .unsupported else { throw error }
                return []
            }
        }
    }

    private func checkExistence(of name: String) async throws(ShellError) {
        let database = client.database(location.database)
        let names = try await call { () async throws(NexaError) in try await database.collectionNames() }
        guard !names.contains(name) else { return }
        var error = ShellError("Collection '\(name)' not found")
        error.hint = "'collections' lists the collections of database '\(location.database)'"
        throw error
    }

    /// Looks at the documents of both ends of the collection, or at all of a small one.
    private func sample(
        _ collection: NexaCollection<Document>, _ count: Int
    ) async throws(ShellError) -> FieldSample {
        let half = Self.sampled
        let documents = try await call { () async throws(NexaError) in
            guard count > 2 * half else { return try await collection.find().limit(2 * half).collect() }
            let first = try await collection.find().limit(half).collect()
            return first + (try await collection.find().sort([.descending("_id")]).limit(half).collect())
        }
        var sample = FieldSample()
        for document in documents { sample.add(document) }
        return sample
    }

    private static func summary(_ statistics: CollectionStatistics) -> [[String]] {
        let about = statistics.isExact ? "" : "about "
        let average = Amount.bytes(Int(statistics.averageBytes.rounded()))
        return [
            ["Documents:", about + Amount.grouped(statistics.documents)],
            [
                "Size:",
                "\(about)\(Amount.bytes(statistics.bytes)), \(average) each, "
                    + "\(Amount.bytes(statistics.fileBytes)) in files"
            ]
        ]
    }

    private static func description(
        _ name: String, _ database: String, _ statistics: CollectionStatistics, _ indexes: [NexaIndex],
        _ sample: FieldSample, _ vectors: [VectorFieldStatistics]
    ) -> Document {
        var document: Document = ["collection": .string(name), "database": .string(database)]
        for (key, value) in statistics.shown { document[key] = .some(value) }
        let sizes = Dictionary(statistics.indexes.map { ($0.name, $0) }) { first, _ in first }
        document["indexes"] = .array(
            indexes.map { index in
                var shown = index.shown
                if let size = sizes[index.name] {
                    shown["entries"] = .int(Int64(size.entries))
                    shown["bytes"] = .int(Int64(size.bytes))
                }
                return .document(shown)
            })
        if !vectors.isEmpty {
            document["vectors"] = .array(
                vectors.map { vector in
                    [
                        "field": .string(vector.field), "dimensions": .int(Int64(vector.dimensions)),
                        "metric": .string(vector.metric.rawValue), "count": .int(Int64(vector.count)),
                        "memory_bytes": .int(Int64(vector.memoryBytes))
                    ]
                })
        }
        document["sampled"] = .int(Int64(sample.documents))
        document["fields"] = .array(sample.fields.map { .document($0.shown(of: sample.documents)) })
        return document
    }

    // MARK: The database

    func statistics(_ call: CommandCall) async throws(ShellError) {
        var arguments = try CommandArguments(call)
        let name = arguments.word() ?? location.database
        try arguments.end()
        let client = client
        let statistics = try await self.call { () async throws(NexaError) in
            try await client.database(name).statistics()
        }
        let collections = statistics.collections.sorted { $0.key < $1.key }
        let documents = collections.map { name, statistics in
            var document: Document = ["collection": .string(name)]
            for (key, value) in statistics.shown { document[key] = .some(value) }
            document["index_bytes"] = .int(Int64(statistics.indexes.reduce(0) { $0 + $1.bytes }))
            return document
        }
        let rows = collections.map { name, statistics in
            let indexBytes = statistics.indexes.reduce(0) { $0 + $1.bytes }
            return [
                name, Amount.grouped(statistics.documents), Amount.bytes(statistics.bytes),
                Amount.bytes(Int(statistics.averageBytes.rounded())), Amount.bytes(statistics.fileBytes),
                "\(statistics.indexes.count)", Amount.bytes(indexBytes)
            ]
        }
        try list(
            "Database '\(name)': \(collections.count) collection(s)", empty: "No collections found",
            columns: ["collection", "documents", "size", "each", "in files", "indexes", "size of indexes"],
            rows: rows, documents: documents)
        guard console.presentation.format == .pretty, !rows.isEmpty else { return }
        try show { (console) throws(OutputError) in
            try console.result(
                "In all \(Amount.grouped(statistics.documents)) documents, \(Amount.bytes(statistics.bytes)), "
                    + "\(Amount.bytes(statistics.fileBytes)) in files, indexes \(Amount.bytes(statistics.indexBytes))")
            if !statistics.isExact { try console.note("The numbers of large collections are estimates.") }
        }
    }
}

extension CollectionStatistics {
    /// The numbers as programs read them.
    fileprivate var shown: Document {
        [
            "documents": .int(Int64(documents)), "bytes": .int(Int64(bytes)), "average_bytes": .double(averageBytes),
            "file_bytes": .int(Int64(fileBytes)), "exact": .bool(isExact)
        ]
    }
}
