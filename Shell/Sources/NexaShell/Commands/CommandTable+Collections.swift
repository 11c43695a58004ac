/// The commands about collections.
extension CommandTable {
    static let collections: [CommandSpecification] = [
        .init(
            section: .collections, names: ["collections", "\\d"], usage: "collections",
            summary: "List collections in current database", isInOriginalHelp: true
        ) { (session, _) async throws(ShellError) in
            try await session.listCollections()
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
            section: .collections, names: ["create_collection"], usage: "create_collection <name>",
            summary: "Create an empty collection", arguments: [.text], isWrite: true
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
