import NexaClient
import NexaValue

/// The commands that change and delete documents.
extension Session {
    // MARK: Change

    func update(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        guard let word = arguments.word(), let fields = try arguments.document() else {
            throw .plain("Document ID and JSON data required", hint: "Usage: \(call.specification.usage)")
        }
        try arguments.end()
        let id = DocumentID(word)
        let filters = try arrayFilters(arguments)
        let isOperators = fields.first?.key.hasPrefix("$") == true
        guard isOperators || (filters.isEmpty && !arguments.has("--upsert")) else {
            throw ShellError("--upsert and --array-filters need update operators, such as {$set: {…}}")
        }
        if arguments.has("--upsert") {
            let update = Self.update(fields, filters)
            let result = try await self.call { () async throws(NexaError) in
                try await collection.updateOne(["_id": .string(word)], update, upsert: true)
            }
            return try acknowledge(
                result.upsertedID == nil ? "updated" : "created", word,
                result.upsertedID == nil ? "Document updated" : "Document inserted")
        }
        let wasFound = try await self.call { () async throws(NexaError) in
            filters.isEmpty
                ? try await collection.update(id, set: fields)
                : try await collection.update(id, Self.update(fields, filters))
        }
        guard wasFound else { throw ShellError("Not found") }
        try acknowledge("updated", word, "Document updated")
    }

    func updateMany(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        guard let filter = try arguments.document("a filter, such as {year: 1999}"),
            let fields = try arguments.document("an update, such as {$set: {…}}")
        else {
            throw .plain("Filter and update required", hint: "Usage: \(call.specification.usage)")
        }
        try arguments.end()
        let update = Self.update(try operators(fields), try arrayFilters(arguments))
        let result = try await self.call { () async throws(NexaError) in
            try await collection.updateMany(Filter(filter), update, upsert: arguments.has("--upsert"))
        }
        try report(result, "Matched \(result.matched), modified \(result.modified) document(s)")
    }

    func replace(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        guard let word = arguments.word(), let document = try arguments.document() else {
            throw .plain("Document ID and JSON data required", hint: "Usage: \(call.specification.usage)")
        }
        try arguments.end()
        let result = try await self.call { () async throws(NexaError) in
            try await collection.replace(DocumentID(word), with: document, upsert: arguments.has("--upsert"))
        }
        guard result.matched > 0 || result.upsertedID != nil else {
            var error = ShellError("Not found")
            error.hint = "--upsert inserts the document when there is none"
            throw error
        }
        try acknowledge(
            result.upsertedID == nil ? "replaced" : "created", word,
            result.upsertedID == nil ? "Document replaced" : "Document inserted")
    }

    func findAndModify(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        let usage = "Usage: \(call.specification.usage)"
        guard let filterDocument = try arguments.document("a filter, such as {state: 'new'}") else {
            throw .plain("Filter required", hint: usage)
        }
        let filter = Filter(filterDocument)
        let change = try arguments.document("an update, such as {$set: {…}}, or a document with --replace")
        try arguments.end()
        let sort = Self.order(try arguments.text(of: "--sort"))
        let isUpsert = arguments.has("--upsert")
        let returning = arguments.has("--after") ? ReturnedDocument.after : .before
        let found: Document?
        if arguments.has("--delete") {
            guard change == nil, !isUpsert, !arguments.has("--after"), !arguments.has("--replace") else {
                throw .plain("--delete takes a filter and --sort only", hint: usage)
            }
            found = try await self.call { () async throws(NexaError) in
                try await collection.findOneAndDelete(filter, sort: sort)
            }
        } else {
            guard let change else { throw .plain("An update, --replace or --delete required", hint: usage) }
            if arguments.has("--replace") {
                found = try await self.call { () async throws(NexaError) in
                    try await collection.findOneAndReplace(
                        filter, with: change, sort: sort, upsert: isUpsert, returning: returning)
                }
            } else {
                let update = Self.update(try operators(change), try arrayFilters(arguments))
                found = try await self.call { () async throws(NexaError) in
                    try await collection.findOneAndUpdate(
                        filter, update, sort: sort, upsert: isUpsert, returning: returning)
                }
            }
        }
        guard let found else {
            return try show { (console) throws(OutputError) in
                try console.warning(
                    isUpsert && returning == .before ? "No document was there; one was inserted" : "No documents found")
            }
        }
        try print(document: found)
    }

    // MARK: Delete

    func delete(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        var words: [String] = []
        while let word = arguments.word() { words.append(word) }
        if !arguments.isAtEnd {
            var error = ShellError("delete takes ids, not JSON")
            error.hint = "To delete what a filter means: delete_many <json>"
            throw error
        }
        guard !words.isEmpty else {
            throw .plain("Document ID required", hint: "Usage: delete <doc_id>")
        }
        var missing: [String] = []
        for word in words {
            let wasFound = try await self.call { () async throws(NexaError) in
                try await collection.delete(DocumentID(word))
            }
            guard wasFound else {
                missing.append(word)
                continue
            }
            try show { (console) throws(OutputError) in
                try console.success("Document deleted: \(word)")
                if console.presentation.format == .ids { try console.result(word) }
            }
        }
        guard !missing.isEmpty else { return }
        throw ShellError(words.count == 1 ? "Not found" : "Not found: \(missing.joined(separator: ", "))")
    }

    func deleteMany(_ call: CommandCall) async throws(ShellError) -> Effect {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        guard let document = try arguments.document("a filter, such as {year: {$lt: 1950}}") else {
            var error = ShellError.plain("Filter required", hint: "Usage: \(call.specification.usage)")
            error.hint? += "; {} means every document"
            throw error
        }
        try arguments.end()
        let filter = Filter(document)
        let count = try await self.call { () async throws(NexaError) in try await collection.count(filter) }
        guard count > 0 else {
            try reportDeleted(0)
            return .none
        }
        return .ask(.deleteDocuments(filter, count: count, collection: collection.name))
    }

    /// What `delete_many` asked about, done.
    func deleteDocuments(_ filter: Filter, _ name: String) async throws(ShellError) {
        let collection = database().collection(name)
        let count = try await call { () async throws(NexaError) in try await collection.deleteMany(filter) }
        try reportDeleted(count)
    }

    private func reportDeleted(_ count: Int) throws(ShellError) {
        try show { (console) throws(OutputError) in try console.success("Deleted \(count) document(s)") }
        try printForPrograms(["deleted": .int(Int64(count))])
    }

    // MARK: Parts

    private func report(_ result: UpdateResult, _ line: String) throws(ShellError) {
        try show { (console) throws(OutputError) in
            try console.success(line)
            if let id = result.upsertedID { try console.success("Document created: \(id.rawValue)") }
        }
        var fields: Document = ["matched": .int(Int64(result.matched)), "modified": .int(Int64(result.modified))]
        if let id = result.upsertedID { fields["upserted_id"] = .string(id.rawValue) }
        try printForPrograms(fields)
    }

    private static func update(_ operators: Document, _ filters: [Document]) -> Update {
        filters.reduce(Update(operators)) { $0.arrayFilter(Filter($1)) }
    }

    /// A document of update operators.
    private func operators(_ document: Document) throws(ShellError) -> Document {
        guard let first = document.first else { throw ShellError("the update is empty; write {$set: {…}}") }
        guard first.key.hasPrefix("$") else {
            throw ShellError("'\(first.key)' is no update operator; to set fields write {$set: {\(first.key): …}}")
        }
        return document
    }

    private func arrayFilters(_ arguments: CommandArguments) throws(ShellError) -> [Document] {
        guard let value = try arguments.json(of: "--array-filters") else { return [] }
        let filters = value.array?.compactMap(\.document) ?? value.document.map { [$0] } ?? []
        guard !filters.isEmpty, filters.count == value.array?.count ?? 1 else {
            throw ShellError(
                CommandFault(
                    "--array-filters wants a list of filters, such as [{'e.score': {$lt: 5}}]",
                    at: arguments.offset(of: "--array-filters")))
        }
        return filters
    }

    /// `year,-title` as keys of an order.
    static func order(_ text: String?) -> [Sort] {
        (text ?? "").split(separator: ",").map {
            $0.hasPrefix("-") ? Sort(String($0.dropFirst()), .descending) : Sort(String($0))
        }
    }
}
