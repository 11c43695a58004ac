/// The commands that find documents.
extension CommandTable {
    static let queries: [CommandSpecification] = [
        .init(
            section: .queries, names: ["query", "find"],
            usage: "query [json] [--sort f,-g] [--skip N] [--limit N | --all] [--fields a,b]",
            summary: "Query documents",
            details: [
                "Shows the first 100 documents that match; it shows the next ones, --all all of them.",
                "Example: query {year: {$gte: 2000}} --sort -year --limit 5",
                "Example: query {} --project {title: 1, cast: {$slice: 2}}"
            ], arguments: [.json],
            flags: [
                .init("--sort", "f,-g", "order by these fields, - descending", .field),
                .init("--skip", "N", "pass over the first N"),
                .init("--limit", "N", "show N at most; 0: all"),
                .init("--all", nil, "show all of them, as --limit 0"),
                .init("--fields", "a,b", "show these fields only", .field),
                .init("--project", "json", "show what a projection makes: $slice, $elemMatch, expressions"),
                .init("--hint", "index", "use this index, or _id_ for none", .index)
            ], isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.query(call.arguments)
            return .none
        },
        .init(
            section: .queries, names: ["it", "next"], usage: "it", summary: "Show the next page of the last query"
        ) { (session, _) async throws(ShellError) in
            try await session.showNextPage()
            return .none
        },
        .init(
            section: .queries, names: ["count"], usage: "count [json]", summary: "Count documents", arguments: [.json],
            isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.count(call.arguments)
            return .none
        },
        .init(
            section: .queries, names: ["distinct"], usage: "distinct <field> [json]",
            summary: "List the different values of a field",
            details: [
                "Of an array each element counts.", "Example: distinct year",
                "Example: distinct cast.name {year: {$gte: 2000}}"
            ], arguments: [.field, .json]
        ) { (session, call) async throws(ShellError) in
            try await session.distinct(call)
            return .none
        },
        .init(
            section: .queries, names: ["aggregate"], usage: "aggregate <stages|@file> [--limit N]",
            summary: "Run an aggregation pipeline",
            details: [
                "The stages are MongoDB's: $match, $sort, $group, $project, $set, $unwind, $lookup, $facet, $bucket, …",
                "A pipeline that ends in $merge or $out writes. Shows the first 100 documents; --limit 0 shows all of them.",
                "Example: aggregate [{$match: {year: {$gte: 2000}}}, {$group: {_id: '$year', films: {$sum: 1}}}]",
                "Example: aggregate @report.json --limit 0"
            ], arguments: [.pipeline], flags: [.init("--limit", "N", "show N at most; 0: all")]
        ) { (session, call) async throws(ShellError) in
            try await session.aggregate(call)
            return .none
        }
    ]
}
