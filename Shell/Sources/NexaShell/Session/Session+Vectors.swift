import NexaClient
import NexaValue

/// The commands about vectors.
extension Session {
    func vectorSearch(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        let search = try VectorArguments(&arguments, call)
        let matches = try await self.call { () async throws(NexaError) in
            try await collection.nearest(
                to: search.vector, limit: search.limit, filter: search.filter, search: search.options)
        }
        try show(matches)
    }

    func similar(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        guard let id = arguments.word(), !id.isEmpty else {
            throw .plain("Document ID required", hint: "Usage: \(call.specification.usage)")
        }
        let limit = try VectorArguments.limit(&arguments)
        try arguments.end()
        let filter = Filter(try arguments.document(of: "--filter") ?? [:])
        let options = try VectorArguments.options(arguments)
        let matches = try await self.call { () async throws(NexaError) in
            try await collection.similar(to: DocumentID(id), limit: limit, filter: filter, search: options)
        }
        try show(matches)
    }

    /// The documents that were found, in the lines of the original; for programs each has its similarity in a field.
    private func show(_ matches: [VectorMatch<Document>]) throws(ShellError) {
        guard console.presentation.isClassic else {
            return try print(documents: matches.map { Self.withSimilarity($0) })
        }
        if matches.isEmpty {
            return try show { (console) throws(OutputError) in try console.warning("No similar documents found") }
        }
        try show { (console) throws(OutputError) in
            try console.success("Found \(matches.count) similar document(s):")
        }
        for (index, match) in matches.enumerated() {
            try checkCancellation()
            try show { (console) throws(OutputError) in
                try console.result("")
                try console.result("[\(index + 1)] \(Self.percent(match.similarity))% match", .bold)
            }
            try DocumentPrinter.printPretty(.document(match.document), console)
        }
    }

    private static func withSimilarity(_ match: VectorMatch<Document>) -> Document {
        var fields: [(String, Value)] = [(CellText.similarity, .double(match.similarity))]
        for (key, value) in match.document where key != CellText.similarity { fields.append((key, value)) }
        return Document(fields)
    }

    /// `97.53`: a similarity of 1 is 100.00.
    static func percent(_ similarity: Double) -> String {
        guard similarity.isFinite, abs(similarity) < 1e12 else { return "\(similarity)" }
        let hundredths = Int((similarity * 10_000).rounded())
        let digits = String(hundredths.magnitude)
        let padded = String(repeating: "0", count: max(0, 3 - digits.count)) + digits
        return (hundredths < 0 ? "-" : "") + padded.dropLast(2) + "." + padded.suffix(2)
    }

    /// `explain vector_search …`.
    func explainVectorSearch(_ call: CommandCall) async throws(ShellError) {
        var call = call
        call.specification = CommandTable.find("vector_search") ?? call.specification
        let collection = try collection()
        var arguments = try CommandArguments(call)
        let search = try VectorArguments(&arguments, call)
        let plan = try await self.call { () async throws(NexaError) in
            try await collection.explainNearest(
                to: search.vector, limit: search.limit, filter: search.filter, search: search.options)
        }
        try presentOne(plan.document) { (console) throws(OutputError) in
            try console.success("Plan of vector_search:")
            for line in Self.lines(plan) { try console.result(line, .cyan) }
        }
    }

    /// `explain aggregate [{$vectorSearch: …}, …]`.
    func explainVectorPipeline(
        _ stages: [Document], _ collection: NexaCollection<Document>
    ) async throws(ShellError) {
        let explanation = try await call { () async throws(NexaError) in
            try await collection.aggregate(stages).explain()
        }
        try presentOne(explanation.document) { (console) throws(OutputError) in
            try console.success("Plan of what feeds the pipeline, its $vectorSearch:")
            let plan = explanation.vectorPlan
            for line in plan.map(Self.lines) ?? ["└─ EOF nothing to search"] { try console.result(line, .cyan) }
            let later = stages.dropFirst().compactMap { $0.first?.key }
            if !later.isEmpty { try console.result("then \(later.joined(separator: ", "))") }
            try console.result(
                "\(Amount.grouped(explanation.returned)) returned, \(Amount.duration(explanation.elapsed))")
        }
    }

    private static func lines(_ plan: VectorPlan) -> [String] {
        let rows = plan.document.filter { !["stage", "index"].contains($0.key) }.map { key, value in
            ["\(key.replacing("_", with: " ")):", value.string ?? (try? JSON.string(value)) ?? ""]
        }
        return ["└─ " + title(plan)] + Columns.aligned(rows, indent: 6)
    }

    private static func title(_ plan: VectorPlan) -> String {
        let index = plan.document["index"]?.string ?? ""
        return switch plan.stage {
        case "VECTOR_INDEX": "VECTOR_INDEX walk through the graph of index \(index)"
        case "VECTOR_SCAN": "VECTOR_SCAN compare with every vector of index \(index)"
        case "INDEX_SCAN": "INDEX_SCAN compare with the vectors that an index of the filter finds"
        case "DOCUMENT_SCAN": "DOCUMENT_SCAN compare with the documents that match"
        case "EOF": "EOF nothing to search"
        default: plan.stage
        }
    }

    // MARK: Indexes

    /// Makes a vector index, for `create_index --dims` and `create_collection --dims`; returns its name.
    func createVectorIndex(
        _ collection: NexaCollection<Document>, on field: String, _ arguments: CommandArguments
    ) async throws(ShellError) -> String {
        guard let dimensions = try arguments.number(of: "--dims", in: 1...16_384) else { return "" }
        let metric =
            try arguments.choice(of: "--metric", VectorMetric.init(rawValue:), VectorArguments.metrics) ?? .cosine
        let quantization = try VectorArguments.quantization(arguments) ?? .none
        let connections = try arguments.number(of: "--m", in: 2...128) ?? 16
        let candidates = try arguments.number(of: "--ef", in: 1...4096) ?? 200
        let waits = !arguments.has("--no-wait")
        let progress = IndexProgress(console)
        defer { progress.finish() }
        return try await call { () async throws(NexaError) in
            try await collection.createVectorIndex(
                on: field, dimensions: dimensions, metric: metric, quantization: quantization,
                maxConnections: connections, efConstruction: candidates, waits: waits
            ) { progress.show($0, of: $1) }
        }
    }

    /// Without dimensions there are no vectors that the other flags could be about.
    func checkVectorFlags(_ arguments: CommandArguments) throws(ShellError) {
        guard !arguments.has("--dims") else { return }
        for flag in ["--metric", "--quantization", "--m", "--ef", "--field"] where arguments.has(flag) {
            throw ShellError(
                CommandFault("\(flag) is about vectors: say --dims, too", at: arguments.offset(of: flag)))
        }
    }

    func buildIndex(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        let field = arguments.word() ?? "vector"
        try arguments.end()
        let quantization = try VectorArguments.quantization(arguments)
        let connections = try arguments.number(of: "--m", in: 2...128)
        let candidates = try arguments.number(of: "--ef", in: 1...4096)
        let progress = IndexProgress(console)
        defer { progress.finish() }
        let count: Int
        do throws(NexaError) {
            count = try await collection.buildVectorIndex(
                on: field, maxConnections: connections, efConstruction: candidates, quantization: quantization
            ) { progress.show($0, of: $1) }
        } catch {
            var failure = ShellError(error)
            if error.code == .notFound {
                failure.hint = "A vector index is made with: create_index \(field) --dims <dimensions>"
            }
            throw failure
        }
        try show { (console) throws(OutputError) in
            try console.success("Vector index of '\(field)' built: \(Amount.grouped(count)) vector(s)")
        }
        try printForPrograms(["field": .string(field), "vectors": .int(Int64(count))])
    }
}

/// The arguments of `vector_search`: a vector, a limit, the number of dimensions, and flags.
struct VectorArguments {
    let vector: [Float]
    let limit: Int
    let filter: Filter
    let options: VectorSearchOptions

    static let metrics = VectorMetric.allCases.map(\.rawValue)

    init(_ arguments: inout CommandArguments, _ call: CommandCall) throws(ShellError) {
        let offset = call.arguments.firstOffset
        let wanted = "a vector, such as [0.1, 0.2, 0.3] or @file.json"
        guard let value = try arguments.json(wanted) else {
            throw .plain("Vector required", hint: "Usage: vector_search [0.1, 0.2, 0.3] [limit] [dimensions]")
        }
        let options = try Self.options(arguments)
        self.options = options
        // A file may hold a whole document.
        let list = value.document?[path: options.field] ?? value
        guard let vector = Self.vector(list), !vector.isEmpty else {
            throw ShellError(CommandFault("expected \(wanted)", at: offset))
        }
        self.vector = vector
        limit = try Self.limit(&arguments)
        if let dimensions = try arguments.number("the number of dimensions", in: 1...Int.max),
            dimensions != vector.count
        {
            throw ShellError("the vector has \(vector.count) dimensions, not \(dimensions)")
        }
        try arguments.end()
        filter = Filter(try arguments.document(of: "--filter") ?? [:])
    }

    private static func vector(_ value: Value) -> [Float]? {
        if case .vector(let numbers) = value { return numbers }
        guard let elements = value.array else { return nil }
        var numbers: [Float] = []
        numbers.reserveCapacity(elements.count)
        for element in elements {
            guard let number = element.double, number.isFinite else { return nil }
            numbers.append(Float(number))
        }
        return numbers
    }

    /// 10 unless it is said.
    static func limit(_ arguments: inout CommandArguments) throws(ShellError) -> Int {
        try arguments.number("the limit", in: 0...10_000) ?? 10
    }

    static func options(_ arguments: CommandArguments) throws(ShellError) -> VectorSearchOptions {
        var least: Double?
        if let text = try arguments.text(of: "--min") {
            guard let number = Double(text), number.isFinite else {
                throw ShellError(CommandFault("--min wants a number", at: arguments.offset(of: "--min")))
            }
            least = number
        }
        return VectorSearchOptions(
            field: try arguments.text(of: "--field") ?? "vector",
            candidates: try arguments.number(of: "--candidates", in: 1...100_000), isExact: arguments.has("--exact"),
            minimumSimilarity: least,
            fields: try arguments.text(of: "--fields")?.split(separator: ",").map(String.init) ?? [],
            includesVector: arguments.has("--vectors"))
    }

    static func quantization(_ arguments: CommandArguments) throws(ShellError) -> VectorQuantization? {
        try arguments.choice(
            of: "--quantization", VectorQuantization.init(rawValue:), VectorQuantization.allCases.map(\.rawValue))
    }
}
