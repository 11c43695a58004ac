import NexaQuery
import NexaValue

/// Turns the documents of a pipeline into stages.
struct PipelineCompiler {
    static let maximumStages = 100
    static let maximumDepth = 10

    let environment: PipelineEnvironment
    /// How many pipelines are around this one.
    let depth: Int

    static let names = [
        "$match", "$project", "$addFields", "$set", "$unset", "$group", "$sort", "$limit", "$skip", "$unwind", "$count",
        "$sortByCount", "$lookup", "$facet", "$bucket", "$sample", "$replaceRoot", "$replaceWith", "$unionWith",
        "$merge", "$out", VectorSearchSource.name
    ]

    func stages(_ pipeline: [Document]) throws(EngineError) -> [PipelineStage] {
        guard pipeline.count <= Self.maximumStages else {
            throw EngineError(
                .limit, "The pipeline has \(pipeline.count) stages; the limit is \(Self.maximumStages)")
        }
        guard depth <= Self.maximumDepth else {
            throw EngineError(.limit, "Pipelines nest deeper than \(Self.maximumDepth) levels")
        }
        var stages: [PipelineStage] = []
        for (position, stage) in pipeline.enumerated() {
            guard stage.count == 1, let (name, operand) = stage.first.map({ ($0.key, $0.value) }) else {
                throw Self.error("Stage \(position) must be a document with one field, such as {$match: …}")
            }
            if name == "$merge" || name == "$out", position != pipeline.count - 1 || depth > 0 {
                throw Self.error("\(name) can only be the last stage of a pipeline")
            }
            if name == VectorSearchSource.name {
                throw Self.error("$vectorSearch can only be the first stage of a pipeline")
            }
            do throws(EngineError) {
                stages += try compile(name, operand)
            } catch {
                throw EngineError(error.code, "Stage \(position) (\(name)): \(error.message)", advice: error.advice)
            }
        }
        return stages
    }

    static func error(_ message: String) -> EngineError { EngineError(.badRequest, message) }

    private func compile(_ name: String, _ operand: Value) throws(EngineError) -> [PipelineStage] {
        switch name {
        case "$match": return [try MatchStage(environment, try document(operand))]
        case "$limit": return [LimitStage(environment, try count(operand, from: 1))]
        case "$skip": return [SkipStage(environment, try count(operand, from: 0))]
        case "$sample":
            let size = try fields(operand, ["size"], [])["size"]
            return [SampleStage(environment, try count(size ?? .null, from: 1))]
        case "$sort":
            guard operand.document?.isEmpty != true else { throw Self.error("it needs at least one field") }
            let order = try translatingQuery { () throws(QueryError) in try SortOrder(compiling: operand) }
            return [SortStage(environment, order)]
        case "$count":
            guard let field = operand.string, !field.isEmpty, field.utf8.first != 0x24, !field.utf8.contains(0x2E)
            else {
                throw Self.error("it needs the name of a field, without $ and dots")
            }
            return [CountStage(environment, field)]
        case "$project": return [try project(try document(operand))]
        case "$addFields", "$set": return [ComputeStage(environment, try computed(try document(operand)), keeping: nil)]
        case "$unset":
            let names = operand.array?.compactMap(\.string) ?? operand.string.map { [$0] } ?? []
            guard !names.isEmpty, !names.contains(""), operand.array.map({ $0.count == names.count }) ?? true else {
                throw Self.error("it needs the name of a field, or several in an array")
            }
            return [try select(Document(names.map { ($0, 0) }))]
        case "$replaceRoot":
            let root = try fields(operand, ["newRoot"], [])["newRoot"]
            return [ReplaceRootStage(environment, try environment.compile(root ?? .null))]
        case "$replaceWith": return [ReplaceRootStage(environment, try environment.compile(operand))]
        case "$unwind": return [try unwind(operand)]
        case "$group": return [try group(try document(operand))]
        case "$sortByCount":
            let key = try input(operand)
            let count = GroupStage.Field(name: "count", input: .constant(1), makeColumn: try column("$sum"))
            let order = try translatingQuery { () throws(QueryError) in try SortOrder(compiling: ["count": -1]) }
            return [GroupStage(environment, name: name, key: key, fields: [count]), SortStage(environment, order)]
        case "$bucket":
            let order = try translatingQuery { () throws(QueryError) in try SortOrder(compiling: ["_id": 1]) }
            return [try bucket(try document(operand)), SortStage(environment, order)]
        case "$lookup": return [try lookup(try document(operand))]
        case "$unionWith":
            if let name = operand.string {
                return [UnionStage(environment, InnerPipeline(collection: name, stages: []))]
            }
            let fields = try self.fields(operand, ["coll"], ["pipeline"])
            let inner = try inner(fields["coll"], fields["pipeline"])
            _ = try PipelineCompiler(environment: environment, depth: depth + 1).stages(inner.stages)
            return [UnionStage(environment, inner)]
        case "$facet":
            var facets: [(name: String, stages: [PipelineStage])] = []
            for (name, pipeline) in try document(operand) {
                try checkName(name)
                let compiler = PipelineCompiler(environment: environment, depth: depth + 1)
                facets.append((name, try compiler.stages(try Self.documents(pipeline))))
            }
            guard !facets.isEmpty else { throw Self.error("it needs at least one pipeline") }
            return [FacetStage(environment, facets)]
        case "$merge": return [try merge(operand)]
        case "$out": return [try out(operand)]
        default:
            throw EngineError(QueryError.unknownStage(name, known: Self.names))
        }
    }

    // MARK: Operands

    private func document(_ value: Value) throws(EngineError) -> Document {
        guard case .document(let document) = value else {
            throw Self.error("it needs a document, found \(value.kindName)")
        }
        return document
    }

    static func documents(_ value: Value) throws(EngineError) -> [Document] {
        guard case .array(let values) = value else { throw error("a pipeline is an array, found \(value.kindName)") }
        var documents: [Document] = []
        for value in values {
            guard case .document(let document) = value else {
                throw error("a stage is a document, found \(value.kindName)")
            }
            documents.append(document)
        }
        return documents
    }

    private func count(_ value: Value, from least: Int64) throws(EngineError) -> Int {
        guard let number = value.int, number >= least else {
            throw Self.error("it needs a whole number from \(least) up, found \(value.kindName)")
        }
        return Int(clamping: number)
    }

    private func fields(_ value: Value, _ required: [String], _ optional: [String]) throws(EngineError) -> Document {
        let fields = try document(value)
        for name in fields.keys where !required.contains(name) && !optional.contains(name) {
            throw Self.error("it has no field '\(name)'; it takes \((required + optional).joined(separator: ", "))")
        }
        for name in required where fields[name] == nil { throw Self.error("it lacks '\(name)'") }
        return fields
    }

    private func text(_ fields: Document, _ name: String) throws(EngineError) -> String {
        guard let text = fields[name]?.string, !text.isEmpty else { throw Self.error("'\(name)' must be a text") }
        return text
    }

    private func input(_ value: Value) throws(EngineError) -> GroupStage.Input {
        let expression = try environment.compile(value)
        if let constant = expression.constant { return .constant(constant) }
        if let path = expression.fieldPath { return .path(FieldPathReader(path), expression) }
        return .expression(expression)
    }

    private func column(_ name: String) throws(EngineError) -> () -> AccumulatorColumn {
        guard let makeColumn = AccumulatorColumn.named(name) else {
            throw EngineError(QueryError.unknownStage(name, known: AccumulatorColumn.names))
        }
        return makeColumn
    }

    private func accumulators(_ document: Document) throws(EngineError) -> [GroupStage.Field] {
        var fields: [GroupStage.Field] = []
        for (name, value) in document {
            try checkName(name)
            guard case .document(let call) = value, call.count == 1,
                let (function, operand) = call.first.map({ ($0.key, $0.value) })
            else { throw Self.error("'\(name)' needs one accumulator, such as {$sum: 1}") }
            let isCount = function == "$count"
            guard !isCount || operand.document?.isEmpty == true else { throw Self.error("$count takes {}") }
            fields.append(
                GroupStage.Field(
                    name: name, input: isCount ? .constant(1) : try input(operand), makeColumn: try column(function)))
        }
        return fields
    }

    /// Refuses what names no field at the top of a document.
    private func checkName(_ name: String) throws(EngineError) {
        guard !name.isEmpty, !name.utf8.contains(0x2E), name.utf8.first != 0x24 else {
            throw Self.error("the name of a field cannot be empty, have dots or begin with $: '\(name)'")
        }
    }

    /// The parts of a path that a stage writes to.
    private func path(_ text: String) throws(EngineError) -> [String] {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 100, parts.allSatisfy({ !$0.isEmpty && $0.utf8.first != 0x24 }) else {
            throw Self.error("'\(text.prefix(200))' is no name of a field")
        }
        return parts
    }

    // MARK: Stages

    private func group(_ operand: Document) throws(EngineError) -> PipelineStage {
        guard let key: Value = operand["_id"] else { throw Self.error("it needs _id, the key of the groups") }
        var rest = operand
        rest["_id"] = nil
        return GroupStage(environment, key: try input(key), fields: try accumulators(rest))
    }

    private func bucket(_ operand: Document) throws(EngineError) -> PipelineStage {
        let fields = try fields(.document(operand), ["groupBy", "boundaries"], ["default", "output"])
        guard let boundaries = fields["boundaries"]?.array, boundaries.count >= 2,
            zip(boundaries, boundaries.dropFirst()).allSatisfy({ ValueOrder.compare($0, $1) < 0 })
        else { throw Self.error("'boundaries' needs at least two values in rising order") }
        guard boundaries.allSatisfy({ ValueOrder.areOfOneKind($0, boundaries[0]) }) else {
            throw Self.error("'boundaries' needs values of one kind")
        }
        if let other: Value = fields["default"], let last = boundaries.last {
            guard ValueOrder.compare(other, boundaries[0]) < 0 || ValueOrder.compare(other, last) >= 0 else {
                throw Self.error("'default' must be below the lowest of the boundaries, or not below the highest")
            }
        }
        var branches: [Value] = []
        for (low, high) in zip(boundaries, boundaries.dropFirst()) {
            let isInside: Value = [
                "$and": [["$gte": ["$$key", ["$literal": low]]], ["$lt": ["$$key", ["$literal": high]]]]
            ]
            branches.append(["case": isInside, "then": ["$literal": low]])
        }
        var choice: Document = ["branches": .array(branches)]
        if let other: Value = fields["default"] { choice["default"] = ["$literal": other] }
        let key: Value = [
            "$let": ["vars": ["key": fields["groupBy"] ?? .null], "in": ["$switch": .document(choice)]]
        ]
        let output = try fields["output"].map { (value) throws(EngineError) in try document(value) }
        return GroupStage(
            environment, name: "$bucket", key: try input(key),
            fields: try accumulators(output ?? ["count": ["$sum": 1]]))
    }

    private func select(_ projection: Document) throws(EngineError) -> PipelineStage {
        SelectStage(
            environment, try translatingQuery { () throws(QueryError) in try Projection(compiling: projection) })
    }

    /// `$project`: the fields that are chosen by 1 and 0 are a projection, the others are computed.
    private func project(_ operand: Document) throws(EngineError) -> PipelineStage {
        guard !operand.isEmpty else { throw Self.error("it needs at least one field") }
        var chosen = Document()
        var computed: [(path: [String], expression: Expression)] = []
        try split(operand, at: [], depth: 0, &chosen, &computed)
        if computed.isEmpty { return try select(chosen) }
        let excludes = chosen.contains { name, value in name != "_id" && value == 0 }
        guard !excludes else {
            throw Self.error("it cannot leave out fields and compute others; use $unset and $addFields")
        }
        let kept = try translatingQuery { () throws(QueryError) in
            try Projection(compiling: chosen, reserving: computed.map(\.path))
        }
        return ComputeStage(environment, computed, keeping: kept)
    }

    private func split(
        _ document: Document, at path: [String], depth: Int, _ chosen: inout Document,
        _ computed: inout [(path: [String], expression: Expression)]
    ) throws(EngineError) {
        guard depth < 50 else { throw EngineError(.limit, "the projection nests deeper than 50 levels") }
        for (name, value) in document {
            let inner = path + name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            switch value {
            case .bool, .int, .uint, .double:
                let isKept = value.bool ?? (value.double != 0)
                chosen[inner.joined(separator: ".")] = .int(isKept ? 1 : 0)
            case .document(let fields) where fields.isEmpty:
                throw Self.error("'\(inner.joined(separator: "."))' is an empty document, which selects nothing")
            case .document(let fields) where fields.first?.key.utf8.first != 0x24:
                try split(fields, at: inner, depth: depth + 1, &chosen, &computed)
            default: computed.append((inner, try environment.compile(value)))
            }
        }
    }

    private func computed(
        _ document: Document
    ) throws(EngineError) -> [(path: [String], expression: Expression)] {
        guard !document.isEmpty else { throw Self.error("it needs at least one field") }
        var fields: [(path: [String], expression: Expression)] = []
        try add(document, at: [], depth: 0, to: &fields)
        let paths = fields.map(\.path).sorted { $0.lexicographicallyPrecedes($1) }
        for (one, other) in zip(paths, paths.dropFirst()) where other.starts(with: one) {
            let (part, whole) = (other.joined(separator: "."), one.joined(separator: "."))
            throw Self.error("it sets '\(part)', and '\(whole)' as well")
        }
        return fields
    }

    private func add(
        _ document: Document, at path: [String], depth: Int, to fields: inout [(path: [String], expression: Expression)]
    ) throws(EngineError) {
        guard depth < 50 else { throw EngineError(.limit, "the fields nest deeper than 50 levels") }
        for (name, value) in document {
            let parts = try self.path(name)
            if case .document(let inner) = value, let first = inner.first?.key, first.utf8.first != 0x24 {
                try add(inner, at: path + parts, depth: depth + 1, to: &fields)
            } else {
                fields.append((path + parts, try environment.compile(value)))
            }
        }
    }

    private func unwind(_ operand: Value) throws(EngineError) -> PipelineStage {
        var fields: Document = ["path": operand]
        if case .document = operand {
            fields = try self.fields(operand, ["path"], ["includeArrayIndex", "preserveNullAndEmptyArrays"])
        }
        guard let path = fields["path"]?.string, path.utf8.first == 0x24, path.utf8.count > 1 else {
            throw Self.error("the path begins with $, such as \"$items\"")
        }
        let keepsEmpty: Value = fields["preserveNullAndEmptyArrays"] ?? false
        guard let keepsEmpty = keepsEmpty.bool else {
            throw Self.error("'preserveNullAndEmptyArrays' is true or false, found \(keepsEmpty.kindName)")
        }
        let index = try fields["includeArrayIndex"].map { (_) throws(EngineError) in
            try self.path(try text(fields, "includeArrayIndex"))
        }
        return UnwindStage(
            environment, path: try self.path(String(path.dropFirst())), indexField: index, keepsEmpty: keepsEmpty)
    }

    private func inner(_ collection: Value?, _ pipeline: Value?) throws(EngineError) -> InnerPipeline {
        guard let name = collection?.string, !name.isEmpty else {
            throw Self.error("it needs the name of a collection")
        }
        return InnerPipeline(
            collection: name,
            stages: try pipeline.map { (value) throws(EngineError) in try Self.documents(value) } ?? [])
    }

    private func lookup(_ operand: Document) throws(EngineError) -> PipelineStage {
        let fields = try fields(
            .document(operand), ["from", "as"], ["localField", "foreignField", "let", "pipeline"])
        let inner = try inner(fields["from"], fields["pipeline"])
        var match: (local: Expression, foreign: String)?
        if fields["localField"] != nil || fields["foreignField"] != nil {
            match = (
                try environment.compile(.string("$" + (try text(fields, "localField")))),
                try text(fields, "foreignField")
            )
        } else if fields["pipeline"] == nil {
            throw Self.error("it needs localField and foreignField, or a pipeline")
        }
        var variables: [(name: String, value: Expression)] = []
        if let bound: Value = fields["let"] {
            for (name, value) in try document(bound) {
                try translatingQuery { () throws(QueryError) in try Expression.checkVariableName(name, for: "let") }
                variables.append((name, try environment.compile(value)))
            }
        }
        // Compiled once here, so that a mistake is told before anything is read.
        let names = Dictionary(variables.map { ($0.name, Value.null) }) { $1 }
        _ = try PipelineCompiler(environment: environment.adding(names), depth: depth + 1).stages(inner.stages)
        let place = try self.path(try text(fields, "as"))
        return LookupStage(environment, inner, as: place, match: match, variables: variables)
    }

    private func merge(_ operand: Value) throws(EngineError) -> PipelineStage {
        if let target = operand.string {
            return MergeStage(environment, into: target, matched: .merge, unmatched: .insert)
        }
        let fields = try fields(operand, ["into"], ["on", "whenMatched", "whenNotMatched"])
        guard fields["on"] == nil || fields["on"] == "_id" || fields["on"] == ["_id"] else {
            throw Self.error("documents are matched by _id only")
        }
        guard let matched = MergeStage.Matched(rawValue: fields["whenMatched"]?.string ?? "merge") else {
            throw Self.error("whenMatched is one of replace, merge, keepExisting, fail")
        }
        guard let unmatched = MergeStage.Unmatched(rawValue: fields["whenNotMatched"]?.string ?? "insert") else {
            throw Self.error("whenNotMatched is one of insert, discard, fail")
        }
        return MergeStage(environment, into: try text(fields, "into"), matched: matched, unmatched: unmatched)
    }

    private func out(_ operand: Value) throws(EngineError) -> PipelineStage {
        guard environment.transaction == nil else {
            throw EngineError(
                .badRequest, "it replaces a collection as a commit of its own, which cannot be part of a transaction",
                advice: "Use $merge, or run the pipeline outside of the transaction")
        }
        var target = operand.string
        if case .document = operand {
            let fields = try fields(operand, ["coll"], ["db"])
            guard fields["db"] == nil || fields["db"] == .string(environment.database) else {
                throw Self.error("it writes into the database of the pipeline, '\(environment.database)', only")
            }
            target = fields["coll"]?.string
        }
        guard let target, !target.isEmpty else { throw Self.error("it needs the name of a collection") }
        return OutStage(environment, to: target)
    }
}
