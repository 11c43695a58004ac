import NexaClient
import NexaValue

/// `aggregate` and `distinct`.
extension Session {
    func aggregate(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        let offset = call.arguments.firstOffset
        let value = try arguments.json("a list of stages, such as [{$match: {…}}]")
        try arguments.end()
        guard let value else {
            var error = ShellError.plain("Stages required", hint: "Usage: \(call.specification.usage)")
            error.hint? += "\nFor example: aggregate [{$group: {_id: '$year', films: {$sum: 1}}}]"
            throw error
        }
        let stages = try Self.stages(value, at: offset)
        let limit = try arguments.number(of: "--limit") ?? settings.limit ?? Self.defaultLimit
        let pipeline = collection.aggregate(stages)
        guard !Self.writes(stages) else {
            try await self.call { () async throws(NexaError) in try await pipeline.run() }
            return try show { (console) throws(OutputError) in try console.success("Documents merged") }
        }
        try await list(pipeline, limit: limit)
    }

    /// Whether the pipeline returns nothing but writes.
    static func writes(_ stages: [Document]) -> Bool { stages.last?.first?.key == "$merge" }

    /// A list of stages, or a single one.
    static func stages(_ value: Value, at offset: Int) throws(ShellError) -> [Document] {
        if let stage = value.document { return [stage] }
        let stages = value.array?.compactMap(\.document) ?? []
        guard stages.count == value.array?.count else {
            throw ShellError(CommandFault("expected a list of stages, each a JSON object", at: offset))
        }
        return stages
    }

    /// Shows the documents that a pipeline gives, as `query` shows its own.
    private func list(_ documents: NexaAggregation<Document>, limit: Int) async throws(ShellError) {
        var iterator = documents.makeAsyncIterator()
        var printer = DocumentPrinter(console)
        var waiting: [Document] = []
        var count = 0
        var isCut = false
        let isClassic = console.presentation.isClassic
        do {
            while let document = try await call({ () async throws(NexaError) in try await iterator.next() }) {
                guard limit == 0 || count < limit else {
                    isCut = true
                    break
                }
                count += 1
                // The head line of a classic list counts it.
                if isClassic { waiting.append(document) } else { try printer.print(document) }
            }
        } catch {
            if !isClassic { try printer.finish() }
            throw error
        }
        if isClassic {
            if waiting.isEmpty {
                return try show { (console) throws(OutputError) in try console.warning("No documents found") }
            }
            try show { (console) throws(OutputError) in try console.success("Found \(count) document(s):") }
            for document in waiting {
                if Task.isCancelled { throw ShellError("Cancelled", exit: .interrupted) }
                try printer.print(document)
            }
        }
        try printer.finish()
        if isCut { try tellCut(limit) }
    }

    func distinct(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        guard let field = arguments.word(), !field.isEmpty else {
            throw .plain("Field required", hint: "Usage: \(call.specification.usage)")
        }
        let filter = Filter(try arguments.document("a filter, such as {year: 1999}") ?? [:])
        try arguments.end()
        let values = try await self.call { () async throws(NexaError) in try await collection.distinct(field, filter) }
        let texts = values.map { (try? JSON.string($0, .init(nonFiniteNumbers: .extendedForm))) ?? "" }
        try show { (console) throws(OutputError) in
            switch console.presentation.format {
            case .pretty where values.isEmpty: try console.warning("No values found")
            case .pretty:
                try console.success("Found \(values.count) value(s):")
                for (index, text) in texts.enumerated() { try console.listEntry("  [\(index + 1)] ", text) }
            case .json: try console.result(texts.isEmpty ? "[]" : "[\n\(texts.joined(separator: ",\n"))\n]")
            case .ids: for value in values { try console.result(DocumentPrinter.idText(value)) }
            default: for text in texts { try console.result(text) }
            }
        }
    }
}

extension ArgumentReader {
    /// Where the first argument stands.
    var firstOffset: Int {
        var copy = self
        return copy.offset()
    }

    /// Whether there are arguments.
    var hasMore: Bool {
        var copy = self
        return !copy.isAtEnd()
    }
}
