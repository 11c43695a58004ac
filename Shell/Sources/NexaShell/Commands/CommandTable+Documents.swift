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
            details: ["The fields given replace those of the document, the others stay."],
            arguments: [.documentID, .json], isWrite: true, isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.update(call.arguments, call.specification)
            return .none
        },
        .init(
            section: .documents, names: ["delete"], usage: "delete <doc_id>", summary: "Delete a document",
            arguments: [.documentID], isWrite: true, isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try await session.delete(call.arguments, call.specification)
            return .none
        }
    ]
}
