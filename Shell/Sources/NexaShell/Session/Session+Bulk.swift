import NexaClient
import NexaValue

/// `bulk_write`.
extension Session {
    func bulkWrite(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        let offset = call.arguments.firstOffset
        guard let value = try arguments.json("a list of writes, such as [{insertOne: {document: {…}}}]") else {
            throw .plain("Writes required", hint: "Usage: \(call.specification.usage)")
        }
        try arguments.end()
        guard let list = value.array else {
            throw ShellError(CommandFault("expected a list of writes", at: offset))
        }
        var writes: [BulkOperation] = []
        for (index, value) in list.enumerated() {
            guard let write = BulkOperation(value) else {
                throw ShellError(
                    CommandFault(
                        "write \(index + 1) is none of insertOne {document}, updateOne and updateMany {filter, update, "
                            + "upsert}, replaceOne {filter, replacement, upsert}, deleteOne and deleteMany {filter}",
                        at: offset))
            }
            writes.append(write)
        }
        let operations = writes
        let isOrdered = !arguments.has("--unordered")
        let isAtomic = arguments.has("--atomic")
        let result = try await self.call { () async throws(NexaError) in
            try await collection.bulk(ordered: isOrdered, atomic: isAtomic) { bulk in
                for operation in operations { operation.add(to: &bulk) }
            }
        }
        try report(result)
    }

    private func report(_ result: BulkWriteResult) throws(ShellError) {
        var failures: [(number: Int, text: String)] = []
        for (index, outcome) in result.outcomes.enumerated() {
            guard case .failure(let error) = outcome, error.delivery != .notSent else { continue }
            failures.append((index + 1, error.serverMessage ?? error.message))
        }
        let counts = "inserted \(result.insertedIDs.count), matched \(result.matched), modified \(result.modified), "
        try show { (console) throws(OutputError) in
            try console.success("Made \(result.succeeded) write(s): \(counts)deleted \(result.deleted)")
        }
        try printForPrograms([
            "inserted_ids": .array(result.insertedIDs.map { .string($0.rawValue) }),
            "matched": .int(Int64(result.matched)), "modified": .int(Int64(result.modified)),
            "deleted": .int(Int64(result.deleted)),
            "failures": .array(
                failures.map { ["write": .int(Int64($0.number)), "error": .string($0.text)] })
        ])
        let count = result.outcomes.count - result.succeeded
        guard let first = failures.first else {
            if let error = result.firstError { throw ShellError(error) }
            return
        }
        var error = ShellError(
            "\(count) of \(result.outcomes.count) write(s) not made; write \(first.number): \(first.text)")
        let others = failures.dropFirst().prefix(9).map { "write \($0.number): \($0.text)" }
        if !others.isEmpty { error.hint = others.joined(separator: "\n") }
        throw error
    }
}

/// One write in the words of MongoDB's `bulkWrite`.
enum BulkOperation: Sendable {
    case insert(Document)
    case update(Filter, Update, isMany: Bool, upsert: Bool)
    case replace(Filter, Document, upsert: Bool)
    case delete(Filter, isMany: Bool)

    /// `nil` for what is no write.
    init?(_ value: Value) {
        guard let operation = value.document, operation.count == 1, let (name, operand) = operation.first,
            let fields = operand.document
        else { return nil }
        let filter = fields["filter"]?.document.map { Filter($0) }
        let upsert = fields["upsert"]?.bool ?? false
        switch name {
        case "insertOne":
            guard let document = fields["document"]?.document else { return nil }
            self = .insert(document)
        case "updateOne", "updateMany":
            guard let filter, let update = fields["update"]?.document else { return nil }
            let filters = fields["arrayFilters"]?.array?.compactMap(\.document) ?? []
            let whole = filters.reduce(Update(update)) { $0.arrayFilter(Filter($1)) }
            self = .update(filter, whole, isMany: name == "updateMany", upsert: upsert)
        case "replaceOne":
            guard let filter, let replacement = fields["replacement"]?.document else { return nil }
            self = .replace(filter, replacement, upsert: upsert)
        case "deleteOne", "deleteMany":
            guard let filter else { return nil }
            self = .delete(filter, isMany: name == "deleteMany")
        default: return nil
        }
    }

    func add(to bulk: inout BulkWrite<Document>) {
        switch self {
        case .insert(let document): bulk.insert(document)
        case .update(let filter, let update, true, let upsert): bulk.updateMany(filter, update, upsert: upsert)
        case .update(let filter, let update, false, let upsert): bulk.updateOne(filter, update, upsert: upsert)
        case .replace(let filter, let document, let upsert):
            bulk.replaceOne(filter, with: document, upsert: upsert)
        case .delete(let filter, true): bulk.deleteMany(filter)
        case .delete(let filter, false): bulk.deleteOne(filter)
        }
    }
}
