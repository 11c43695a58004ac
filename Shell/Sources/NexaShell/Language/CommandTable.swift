/// One command of the shell: the words that name it, and what `help` says about it.
struct CommandSpecification: Sendable {
    /// What the command does; the session has one branch for each.
    enum Kind: Sendable, Hashable, CaseIterable {
        case databases, useDatabase, createDatabase, dropDatabase
        case collections, use, createCollection, dropCollection
        case create, insertMany, read, query, update, delete, count, vectorSearch
        case importDocuments, exportDocuments
        case ping, help, exit
    }

    var kind: Kind
    /// The command word first, then its other names.
    var names: [String]
    /// How it is written: `update <doc_id> <json>`.
    var usage: String
    /// One line about it.
    var summary: String
    /// More lines, for `help <command>`.
    var details: [String] = []

    var name: String { names[0] }
}

/// Every command. The parser, the rescue rule of scripts and `help` read this table.
enum CommandTable {
    static let all: [CommandSpecification] = [
        .init(kind: .databases, names: ["databases", "\\l"], usage: "databases", summary: "List all databases"),
        .init(
            kind: .useDatabase, names: ["use_db", "\\c"], usage: "use_db <database>", summary: "Switch to a database"),
        .init(
            kind: .createDatabase, names: ["create_db"], usage: "create_db <name>", summary: "Create a new database",
            details: ["Names are lower-case letters, digits and underscores."]),
        .init(
            kind: .dropDatabase, names: ["drop_db"], usage: "drop_db <name>",
            summary: "Drop a database (requires confirmation)",
            details: ["The next input line must be 'yes', also in a script. The option --yes answers for you."]),
        .init(
            kind: .collections, names: ["collections", "\\d"], usage: "collections",
            summary: "List collections in current database"),
        .init(kind: .use, names: ["use"], usage: "use <collection>", summary: "Switch to a collection"),
        .init(
            kind: .createCollection, names: ["create_collection"], usage: "create_collection <name>",
            summary: "Create an empty collection"),
        .init(
            kind: .dropCollection, names: ["drop_collection", "drop"], usage: "drop_collection <name>",
            summary: "Drop a collection (requires confirmation)"),
        .init(
            kind: .create, names: ["create", "insert"], usage: "create <json>", summary: "Create a document",
            details: [
                "An \"_id\" in the document becomes its id; otherwise the server makes one.",
                "Example: create {\"title\": \"The Matrix\", \"year\": 1999}"
            ]),
        .init(
            kind: .insertMany, names: ["insert_many"], usage: "insert_many <json array>",
            summary: "Create several documents",
            details: ["Example: insert_many [{\"title\": \"Alien\"}, {\"title\": \"Aliens\"}]"]),
        .init(kind: .read, names: ["read", "get"], usage: "read <id>", summary: "Show one document"),
        .init(
            kind: .query, names: ["query", "find"],
            usage: "query [json] [--sort f,-g] [--skip N] [--limit N] [--fields a,b]", summary: "Query documents",
            details: [
                "Shows the first 100 documents that match; --limit 0 shows all of them.",
                "Example: query {year: {$gte: 2000}} --sort -year --limit 5"
            ]),
        .init(
            kind: .update, names: ["update"], usage: "update <doc_id> <json>", summary: "Update a document",
            details: ["The fields given replace those of the document, the others stay."]),
        .init(kind: .delete, names: ["delete"], usage: "delete <doc_id>", summary: "Delete a document"),
        .init(kind: .count, names: ["count"], usage: "count [json]", summary: "Count documents"),
        .init(
            kind: .vectorSearch, names: ["vector_search"],
            usage: "vector_search [0.1, 0.2, 0.3] [limit] [dimensions]", summary: "Search by vector similarity"),
        .init(
            kind: .importDocuments, names: ["import"],
            usage: "import <file|-> [collection] [--on-error stop|skip|FILE] [--skip N] [--limit N]",
            summary: "Insert a document for each line of JSON",
            details: [
                "Reads NDJSON from a file or, with -, from standard input. The first line that cannot be stored stops it;",
                "--on-error skip goes on, --on-error FILE also writes such lines there and the reasons to FILE.why.",
                "Batches are written as they come: when it stops, what was counted is stored."
            ]),
        .init(
            kind: .exportDocuments, names: ["export"],
            usage: "export [collection] [file|-] [--filter json] [--limit N]",
            summary: "Write every document as a line of JSON",
            details: [
                "A file appears under its name only when it is whole.",
                "A single argument is a file when it is - or has a dot or a slash, else a collection."
            ]),
        .init(kind: .ping, names: ["ping"], usage: "ping", summary: "Ask the server for a sign of life"),
        .init(kind: .help, names: ["help", "\\?"], usage: "help [command]", summary: "Show this help"),
        .init(kind: .exit, names: ["exit", "quit", "\\q"], usage: "exit", summary: "Exit CLI")
    ]

    private static let byName: [String: CommandSpecification] = {
        var index: [String: CommandSpecification] = [:]
        for command in all {
            for name in command.names { index[name] = command }
        }
        return index
    }()

    /// The command a word names, in any case.
    static func find(_ word: String) -> CommandSpecification? { byName[word.lowercased()] }
}
