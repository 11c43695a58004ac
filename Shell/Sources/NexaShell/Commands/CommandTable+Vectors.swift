/// The commands about vectors.
extension CommandTable {
    static let vectors: [CommandSpecification] = [
        .init(
            section: .vectors, names: ["vector_search"],
            usage: "vector_search [0.1, 0.2, 0.3] [limit] [dimensions]", summary: "Search by vector similarity",
            details: [
                "Shows the 10 documents, or as many as the limit says, whose vectors are nearest, without the vectors.",
                "The vector may be in a file: @vector.json holds the list, or a document with it.",
                "Example: vector_search [0.1, 0.95, 0.1, 0.8] 3",
                "Example: vector_search @query.json 20 --filter {year: {$gte: 2000}} --field plot_embedding"
            ], arguments: [.vector, .text], flags: searching, isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.vectorSearch(call)
            return .none
        },
        .init(
            section: .vectors, names: ["similar"], usage: "similar <doc_id> [limit]",
            summary: "Find the documents most similar to one",
            details: [
                "The document itself is left out.", "Example: similar m1",
                "Example: similar m1 5 --filter {year: 1999} --min 0.8"
            ], arguments: [.documentID, .text], flags: searching
        ) { (session, call) async throws(ShellError) in
            try await session.similar(call)
            return .none
        },
        .init(
            section: .vectors, names: ["build_index"],
            usage: "build_index [field] [--m N] [--ef N] [--quantization none|float16|int8]",
            summary: "Build the graph of a vector index anew",
            details: [
                "For other numbers, or after many changes; searches and writes go on meanwhile.",
                "Example: build_index",
                "Example: build_index plot_embedding --m 32 --ef 400"
            ], arguments: [.field], flags: graph, isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.buildIndex(call)
            return .none
        }
    ]

    private static let searching: [CommandFlag] = [
        .init("--filter", "json", "find only documents that match", .json),
        .init("--field", "field", "the field with the vectors; 'vector' without it", .field),
        .init("--exact", nil, "compare with every vector: slower, and misses nothing"),
        .init("--candidates", "N", "look at more candidates: finds more of the nearest, more slowly"),
        .init("--min", "similarity", "leave out what is less similar, such as 0.8"),
        .init("--fields", "a,b", "show these fields only", .field),
        .init("--vectors", nil, "show the vectors, too")
    ]

    /// How the graph of a vector index is made.
    static let graph: [CommandFlag] = [
        .init("--m", "N", "the neighbours of a vector in the graph; 16 without it"),
        .init("--ef", "N", "the candidates that are looked at for them; 200 without it"),
        .init(
            "--quantization", "kind", "how vectors are kept in memory: none, float16 or int8",
            .word(["none", "float16", "int8"]))
    ]

    /// What makes an index, or a collection, one of vectors.
    static let dimensions: [CommandFlag] = [
        .init("--dims", "N", "an index of vectors with so many dimensions"),
        .init("--metric", "metric", "how near two vectors are: cosine, dot or l2", .word(["cosine", "dot", "l2"]))
    ]
}
