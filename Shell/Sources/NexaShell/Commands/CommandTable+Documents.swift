/// The commands that create, read and change documents.
extension CommandTable {
    static let documents: [CommandSpecification] = [
        .init(
            section: .documents, names: ["create", "insert"], usage: "create <json>", summary: "Create a document",
            details: [
                "An \"_id\" in the document becomes its id; otherwise the server makes one.",
                "Example: create {\"title\": \"The Matrix\", \"year\": 1999}"
            ], arguments: [.json], isWrite: true, isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.create(call.arguments)
            return .none
        },
        .init(
            section: .documents, names: ["insert_many"], usage: "insert_many <json array>",
            summary: "Create several documents",
            details: ["Example: insert_many [{\"title\": \"Alien\"}, {\"title\": \"Aliens\"}]"], arguments: [.json],
            isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.insertMany(call.arguments)
            return .none
        },
        .init(
            section: .documents, names: ["read", "get"], usage: "read <id>", summary: "Show one document",
            arguments: [.documentID]
        ) { (session, call) async throws(ShellError) in
            try await session.read(call.arguments, call.specification)
            return .none
        },
        .init(
            section: .documents, names: ["update"], usage: "update <doc_id> <json>", summary: "Update a document",
            details: [
                "The fields given replace those of the document, the others stay. Update operators do more: $set, $unset,",
                "$inc, $mul, $min, $max, $rename, $push, $pull, $addToSet, $pop, $currentDate, $bit.",
                "Example: update m1 {\"year\": 1999}",
                "Example: update m1 {$inc: {views: 1}, $push: {tags: 'classic'}}"
            ], arguments: [.documentID, .json],
            flags: [
                .init("--upsert", nil, "insert the document when there is none; with operators"), arrayFilters
            ], isWrite: true, isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.update(call)
            return .none
        },
        .init(
            section: .documents, names: ["update_many"], usage: "update_many <filter> <update> [--upsert]",
            summary: "Update all documents that match",
            details: [
                "Each document is updated at once; all of them together are not, unless in a transaction.",
                "Example: update_many {year: {$lt: 1950}} {$set: {era: 'classic'}}",
                "Example: update_many {} {$mul: {'prices.$[p].amount': 2}} --array-filters [{'p.currency': 'EUR'}]"
            ], arguments: [.json, .json],
            flags: [.init("--upsert", nil, "insert a document when none matches"), arrayFilters], isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.updateMany(call)
            return .none
        },
        .init(
            section: .documents, names: ["replace"], usage: "replace <doc_id> <json> [--upsert]",
            summary: "Put another document in the place of one",
            details: [
                "Its id and the time of its creation stay, everything else goes.",
                "Example: replace m1 {title: 'Alien', year: 1979}", "Example: replace m1 @alien.json --upsert"
            ], arguments: [.documentID, .json],
            flags: [.init("--upsert", nil, "insert the document when there is none")], isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.replace(call)
            return .none
        },
        .init(
            section: .documents, names: ["find_and_modify"],
            usage: "find_and_modify <filter> <update>|--replace <json>|--delete [--sort f,-g] [--after] [--upsert]",
            summary: "Change or delete one document and show it",
            details: [
                "Finding and changing are one step: of several callers each gets another document.",
                "Shows the document as it was, or with --after as it is.",
                "Example: find_and_modify {state: 'new'} {$set: {state: 'taken'}} --sort priority --after",
                "Example: find_and_modify {queue: 'mail'} --delete --sort _created_at"
            ], arguments: [.json, .json],
            flags: [
                .init("--sort", "f,-g", "which one is the first, - descending", .field),
                .init("--after", nil, "show the document as it is after the change"),
                .init("--replace", nil, "what follows the filter is a whole document"),
                .init("--delete", nil, "delete the document"),
                .init("--upsert", nil, "insert a document when none matches"), arrayFilters
            ], isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.findAndModify(call)
            return .none
        },
        .init(
            section: .documents, names: ["delete"], usage: "delete <doc_id> [doc_id…]", summary: "Delete a document",
            details: ["Example: delete m1", "Example: delete m1 m2 'an id with blanks'"],
            arguments: [.documentID], isWrite: true, isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.delete(call)
            return .none
        },
        .init(
            section: .documents, names: ["delete_many"], usage: "delete_many <json>",
            summary: "Delete all documents that match (requires confirmation)",
            details: [
                "Says how many there are, and deletes them when the next input line is 'yes'; --yes answers for you.",
                "Example: delete_many {year: {$lt: 1950}}", "Example: delete_many {}"
            ], arguments: [.json], isWrite: true
        ) { (session, call) async throws(ShellError) in try await session.deleteMany(call) },
        .init(
            section: .documents, names: ["bulk_write"], usage: "bulk_write <json array> [--unordered] [--atomic]",
            summary: "Make many writes in one request",
            details: [
                "The writes are MongoDB's: insertOne, updateOne, updateMany, replaceOne, deleteOne, deleteMany.",
                "The first that fails ends it, unless --unordered. With --atomic all are made or none.",
                "Example: bulk_write [{insertOne: {document: {_id: 1}}}, {deleteMany: {filter: {old: true}}}]",
                "Example: bulk_write @writes.json --atomic"
            ], arguments: [.json],
            flags: [
                .init("--unordered", nil, "go on behind a write that fails"),
                .init("--atomic", nil, "make all writes or none")
            ], isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.bulkWrite(call)
            return .none
        }
    ]

    private static let arrayFilters = CommandFlag(
        "--array-filters", "json", "which elements $[name] means: [{'name.field': …}]", .json)
}
