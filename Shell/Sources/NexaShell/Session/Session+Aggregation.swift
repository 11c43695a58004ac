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
            if settings.isReadOnly { throw .readOnly(call.specification) }
            try await self.call { () async throws(NexaError) in try await pipeline.run() }
            return try show { (console) throws(OutputError) in
                try console.success(stages.last?["$out"] == nil ? "Documents merged" : "Collection replaced")
            }
        }
        try await printFound(pipeline, limit: limit > 0 ? limit : .max)
    }

    /// Whether the pipeline returns nothing but writes.
    static func writes(_ stages: [Document]) -> Bool {
        stages.last.map { $0["$merge"] != nil || $0["$out"] != nil } ?? false
    }

    /// A list of stages, or a single one.
    static func stages(_ value: Value, at offset: Int) throws(ShellError) -> [Document] {
        if let stage = value.document { return [stage] }
        let stages = value.array?.compactMap(\.document) ?? []
        guard stages.count == value.array?.count else {
            throw ShellError(CommandFault("expected a list of stages, each a JSON object", at: offset))
        }
        return stages
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
        guard console.presentation.format == .pretty else {
            return try print(rows: values.map { [$0] }, columns: ["value"])
        }
        try show { (console) throws(OutputError) in
            if values.isEmpty { return try console.warning("No values found") }
            try console.success("Found \(values.count) value(s):")
            for (index, value) in values.enumerated() {
                let text = (try? JSON.string(value, .init(nonFiniteNumbers: .extendedForm))) ?? ""
                try console.listEntry("  [\(index + 1)] ", text)
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
