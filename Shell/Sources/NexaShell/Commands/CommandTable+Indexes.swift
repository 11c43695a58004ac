/// The commands about indexes and plans.
extension CommandTable {
    static let indexes: [CommandSpecification] = [
        .init(
            section: .indexes, names: ["indexes", "\\di"], usage: "indexes [collection]",
            summary: "List the indexes of a collection",
            details: [
                "With their fields (- descending), what they are, and how far those are that are being built.",
                "Example: indexes", "Example: indexes movies"
            ], arguments: [.collection]
        ) { (session, call) async throws(ShellError) in
            try await session.listIndexes(call)
            return .none
        },
        .init(
            section: .indexes, names: ["create_index"],
            usage: "create_index <field>[,-field…] [--unique] [--sparse] [--partial json] [--ttl time] [--name name]",
            summary: "Make an index and wait until it is built",
            details: [
                "With --dims it is one of vectors, for vector_search and similar; see also --metric, --quantization, --m, --ef.",
                "Writes go on meanwhile. Ctrl-C stops the waiting, not the building; --no-wait does not wait at all.",
                "Example: create_index year,-score", "Example: create_index email --unique --sparse",
                "Example: create_index seen --ttl 24h",
                "Example: create_index {city: 1, age: -1} --partial {active: true}",
                "Example: create_index plot_embedding --dims 768 --metric cosine"
            ], arguments: [.field],
            flags: [
                .init("--unique", nil, "refuse a second document with the same values"),
                .init("--sparse", nil, "leave out documents that have none of the fields"),
                .init("--partial", "json", "leave out documents that do not match", .json),
                .init("--ttl", "time", "delete documents so long after the time in the field: 90s, 15m, 24h, 7d"),
                .init("--name", "name", "the name; made of the fields without it"),
                .init("--no-wait", nil, "return while the index is being built")
            ] + dimensions + graph, isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.createIndex(call)
            return .none
        },
        .init(
            section: .indexes, names: ["drop_index"], usage: "drop_index <name>", summary: "Drop an index",
            details: ["Example: drop_index year_1", "Example: drop_index 'by name'"], arguments: [.index],
            isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.dropIndex(call)
            return .none
        },
        .init(
            section: .indexes, names: ["explain"], usage: "explain <command>",
            summary: "Show how a query, a count or a change by filter finds its documents",
            details: [
                "The query is carried out; nothing is changed. Of a pipeline the first $match, $sort and $limit are shown.",
                "Documents are not limited to the first 100, unless --limit says so.",
                "Example: explain query {year: {$gte: 2000}} --sort -score --limit 10",
                "Example: explain delete_many {year: 1999}"
            ], arguments: [.command, .json],
            flags: [
                .init("--sort", "f,-g", "order by these fields, - descending", .field),
                .init("--skip", "N", "pass over the first N"),
                .init("--limit", "N", "return N at most"),
                .init("--fields", "a,b", "these fields only", .field),
                .init("--hint", "index", "use this index, or _id_ for none", .index)
            ]
        ) { (session, call) async throws(ShellError) in
            try await session.explain(call)
            return .none
        }
    ]
}
