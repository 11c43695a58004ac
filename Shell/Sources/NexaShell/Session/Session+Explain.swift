import NexaClient
import NexaValue

/// `explain`.
extension Session {
    func explain(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        if let search = try vectorSearch(in: call) { return try await explainVectorSearch(search) }
        if let pipeline = try vectorPipeline(in: call) { return try await explainVectorPipeline(pipeline, collection) }
        let query = try explained(call, collection)
        let plan = try await self.call { () async throws(NexaError) in try await query.find.explain() }
        try presentOne(plan.document) { (console) throws(OutputError) in
            try console.success("Plan of \(query.what):")
            for line in Self.tree(plan, sort: query.sort) { try console.result(line, .cyan) }
            let counts = [
                ("returned", plan.returned), ("keys examined", plan.keysExamined),
                ("documents examined", plan.documentsExamined)
            ]
            let text = counts.map { "\(Amount.grouped($0.1)) \($0.0)" }.joined(separator: ", ")
            try console.result("\(text), \(Amount.duration(plan.elapsed))")
            if !plan.rejectedPlans.isEmpty {
                try console.result("also possible: " + plan.rejectedPlans.map(Self.title).joined(separator: "; "))
            }
            if let advice = Self.advice(plan, query.filter) { try console.note(advice, .blue) }
        }
    }

    /// The call of `vector_search` that is to be explained.
    private func vectorSearch(in call: CommandCall) throws(ShellError) -> CommandCall? {
        var reader = call.arguments
        guard !reader.isAtBracket(), try parse({ () throws(CommandFault) in try reader.word() }) == "vector_search"
        else { return nil }
        var inner = call
        inner.arguments = reader
        return inner
    }

    /// The pipeline that is to be explained, when it begins with a vector search.
    private func vectorPipeline(in call: CommandCall) throws(ShellError) -> [Document]? {
        var reader = call.arguments
        guard !reader.isAtBracket(), let word = try parse({ () throws(CommandFault) in try reader.word() }),
            (CommandTable.find(word)?.name ?? word) == "aggregate"
        else { return nil }
        var inner = call
        inner.arguments = reader
        inner.specification.flags += CommandTable.find("aggregate")?.flags ?? []
        var arguments = try CommandArguments(inner)
        guard let value = try arguments.json("a list of stages, such as [{$match: {…}}]") else { return nil }
        let stages = try Self.stages(value, at: inner.arguments.firstOffset)
        guard stages.first?.first?.key == "$vectorSearch" else { return nil }
        try arguments.end()
        return stages
    }

    private struct Explained {
        var find: NexaQuery<Document>
        var filter: Document
        var sort: String
        var what: String
    }

    /// The query that a command makes.
    private func explained(
        _ call: CommandCall, _ collection: NexaCollection<Document>
    ) throws(ShellError) -> Explained {
        var reader = call.arguments
        guard !reader.isAtBracket() else { return try explainedQuery("query", call, collection) }
        let offset = reader.offset()
        guard let word = try parse({ () throws(CommandFault) in try reader.word() }) else {
            throw .plain("Command required", hint: "Usage: \(call.specification.usage)")
        }
        var inner = call
        inner.arguments = reader
        let name = CommandTable.find(word)?.name ?? word
        switch name {
        case "query", "count", "update_many", "delete_many", "find_and_modify":
            return try explainedQuery(name, inner, collection)
        case "distinct":
            _ = try parse { () throws(CommandFault) in try inner.arguments.word() }
            return try explainedQuery(name, inner, collection)
        case "aggregate": return try explainedPipeline(inner, collection)
        default:
            throw ShellError(
                CommandFault(
                    "cannot explain \(name); it explains query, count, distinct, aggregate, update_many, delete_many, "
                        + "find_and_modify and vector_search", at: offset))
        }
    }

    private func explainedQuery(
        _ name: String, _ call: CommandCall, _ collection: NexaCollection<Document>
    ) throws(ShellError) -> Explained {
        var call = call
        // The flags of the command that is explained are fine, too.
        let own = call.specification.flags
        call.specification.flags += (CommandTable.find(name)?.flags ?? []).filter { flag in
            !own.contains { $0.name == flag.name }
        }
        var arguments = try CommandArguments(call)
        let filter = try arguments.document() ?? [:]
        if name == "update_many" || name == "find_and_modify" { _ = try arguments.document() }
        try arguments.end()
        var find = collection.find(Filter(filter))
        let order = try arguments.text(of: "--sort") ?? ""
        if !order.isEmpty { find = find.sort(Self.order(order)) }
        if let skip = try arguments.number(of: "--skip") { find = find.skip(skip) }
        if let limit = try arguments.number(of: "--limit"), limit > 0 { find = find.limit(limit) }
        if name == "find_and_modify" { find = find.limit(1) }
        if let index = try arguments.text(of: "--hint") { find = find.hint(index) }
        if let fields = try arguments.text(of: "--fields") {
            find = find.select(fields.split(separator: ",").map(String.init))
        }
        return Explained(find: find, filter: filter, sort: order, what: name)
    }

    private func explainedPipeline(
        _ call: CommandCall, _ collection: NexaCollection<Document>
    ) throws(ShellError) -> Explained {
        var call = call
        call.specification.flags += CommandTable.find("aggregate")?.flags ?? []
        var arguments = try CommandArguments(call)
        guard let value = try arguments.json("a list of stages, such as [{$match: {…}}]") else {
            throw .plain("Stages required", hint: "Usage: explain aggregate <stages|@file>")
        }
        try arguments.end()
        var filter = Filter.all
        var keys: [Sort] = []
        var limit: Int?
        var used = 0
        stages: for stage in try Self.stages(value, at: call.arguments.firstOffset) {
            guard stage.count == 1, let (name, operand) = stage.first else { break }
            switch (name, operand) {
            case ("$match", .document(let match)) where keys.isEmpty && limit == nil: filter = filter && Filter(match)
            case ("$sort", .document(let fields)) where keys.isEmpty && limit == nil:
                keys = fields.map { Sort($0.key, ($0.value.int ?? 1) < 0 ? .descending : .ascending) }
            case ("$limit", .int(let count)) where limit == nil: limit = Int(clamping: count)
            default: break stages
            }
            used += 1
        }
        var find = collection.find(filter).sort(keys)
        if let limit { find = find.limit(limit) }
        let order = keys.map { $0.direction == .descending ? "-\($0.path)" : $0.path }.joined(separator: ",")
        return Explained(
            find: find, filter: filter.document, sort: order,
            what: "what feeds the pipeline (its first \(used) stage(s))")
    }

    // MARK: Drawing

    /// The plan as a tree, its root first.
    static func tree(_ explanation: QueryExplanation, sort: String) -> [String] {
        let plan = explanation.winningPlan
        let document = explanation.document["winning_plan"]?.document ?? [:]
        guard plan.sort == "memory" else { return branch(plan, document, "", isLast: true) }
        let root = "└─ SORT in memory" + (sort.isEmpty ? "" : ": \(sort)")
        return [root] + branch(plan, document, "   ", isLast: true)
    }

    /// - Parameter document: the plan as the server sent it; it has the fields of an index in their order.
    private static func branch(
        _ plan: QueryExplanation.Plan, _ document: Document, _ indent: String, isLast: Bool
    ) -> [String] {
        var lines = [indent + (isLast ? "└─ " : "├─ ") + title(plan) + (plan.sort == "source" ? ", in order" : "")]
        let below = indent + (isLast ? "   " : "│  ")
        let fields = document["bounds"]?.document?.keys.filter { plan.bounds[$0] != nil } ?? plan.bounds.keys.sorted()
        let rows = fields.map { ["\($0):", (plan.bounds[$0] ?? []).joined(separator: ", ")] }
        let stem = plan.inputs.isEmpty ? "   " : "│  "
        lines += Columns.aligned(rows, indent: 0).map { below + stem + $0 }
        let inputs = document["inputs"]?.array ?? []
        for (index, input) in plan.inputs.enumerated() {
            let document = index < inputs.count ? inputs[index].document ?? [:] : [:]
            lines += branch(input, document, below, isLast: index == plan.inputs.count - 1)
        }
        return lines
    }

    private static func title(_ plan: QueryExplanation.Plan) -> String {
        var text = plan.stage
        switch plan.stage {
        case "COLLSCAN": text += " all documents"
        case "IDHACK": text += " documents by their ids"
        case "IDSCAN": text += " a range of ids"
        case "IXSCAN": text += " index \(plan.index ?? ""), then the documents"
        case "COUNT_SCAN": text += " index \(plan.index ?? "") alone"
        case "OR": text += " either of \(plan.inputs.count)"
        case "EOF": text += " nothing to look at"
        default: if let index = plan.index { text += " \(index)" }
        }
        return plan.isBackward ? text + ", backward" : text
    }

    /// What would make it faster, when much was looked at for little.
    static func advice(_ plan: QueryExplanation, _ filter: Document) -> String? {
        guard plan.winningPlan.stage == "COLLSCAN", plan.documentsExamined >= 100,
            plan.documentsExamined / 10 >= plan.returned
        else { return nil }
        let fields = filter.keys.filter { !$0.hasPrefix("$") && $0 != "_id" }
        guard !fields.isEmpty else { return nil }
        return "No index serves it. Perhaps: create_index \(fields.prefix(3).joined(separator: ","))"
    }
}
