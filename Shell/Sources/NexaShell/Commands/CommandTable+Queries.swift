/// The commands that find documents.
extension CommandTable {
    static let queries: [CommandSpecification] = [
        .init(
            section: .queries, names: ["query", "find"],
            usage: "query [json] [--sort f,-g] [--skip N] [--limit N] [--fields a,b]", summary: "Query documents",
            details: [
                "Shows the first 100 documents that match; --limit 0 shows all of them.",
                "Example: query {year: {$gte: 2000}} --sort -year --limit 5"
            ], arguments: [.json],
            flags: [
                .init("--sort", "f,-g", "order by these fields, - descending", .field),
                .init("--skip", "N", "pass over the first N"),
                .init("--limit", "N", "show N at most; 0: all"),
                .init("--fields", "a,b", "show these fields only", .field)
            ], isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.query(call.arguments)
            return .none
        },
        .init(
            section: .queries, names: ["count"], usage: "count [json]", summary: "Count documents", arguments: [.json],
            isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.count(call.arguments)
            return .none
        }
    ]
}
