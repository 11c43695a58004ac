/// The commands about collections.
extension CommandTable {
    static let collections: [CommandSpecification] = [
        .init(
            section: .collections, names: ["collections", "\\d"], usage: "collections",
            summary: "List collections in current database",
            details: ["\\d with a name describes that collection."], arguments: [.collection], isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            if call.arguments.hasMore, call.text.hasPrefix("\\") {
                try await session.describe(call)
            } else {
                try await session.listCollections()
            }
            return .none
        },
        .init(
            section: .collections, names: ["describe"], usage: "describe [collection]",
            summary: "Show size, indexes and fields of a collection",
            details: [
                "The fields are those of the first and the last 500 documents, with their types, how many documents lack",
                "them, and an example.", "Example: describe", "Example: describe movies"
            ], arguments: [.collection]
        ) { (session, call) async throws(ShellError) in
            try await session.describe(call)
            return .none
        },
        .init(
            section: .collections, names: ["use"], usage: "use <collection>", summary: "Switch to a collection",
            arguments: [.collection], isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try session.use(call)
            return .none
        },
        .init(
            section: .collections, names: ["create_collection"],
            usage: "create_collection <name> [--dims N] [--metric cosine|l2|dot] [--field field]",
            summary: "Create an empty collection",
            details: [
                "With --dims it gets an index of vectors in the field 'vector', or the one that --field names.",
                "Example: create_collection movies", "Example: create_collection films --dims 768 --metric dot"
            ], arguments: [.text],
            flags: dimensions + [.init("--field", "field", "the field with the vectors", .field)] + graph, isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.createCollection(call)
            return .none
        },
        .init(
            section: .collections, names: ["drop_collection", "drop"], usage: "drop_collection <name>",
            summary: "Drop a collection (requires confirmation)", arguments: [.collection], isWrite: true
        ) { (session, call) async throws(ShellError) in try session.dropCollection(call) }
    ]
}
