/// The commands that move documents in and out.
extension CommandTable {
    static let data: [CommandSpecification] = [
        .init(
            section: .data, names: ["import"],
            usage: "import <file|-> [collection] [--on-error stop|skip|FILE] [--skip N] [--limit N]",
            summary: "Insert a document for each line of JSON",
            details: [
                "Reads NDJSON from a file or, with -, from standard input. The first line that cannot be stored stops it;",
                "--on-error skip goes on, --on-error FILE also writes such lines there and the reasons to FILE.why.",
                "Batches are written as they come: when it stops, what was counted is stored."
            ], arguments: [.file, .collection],
            flags: [
                .init("--on-error", "stop|skip|FILE", "what becomes of lines that cannot be stored", .file),
                .init("--skip", "N", "pass over the first N"),
                .init("--limit", "N", "take N at most")
            ], isWrite: true
        ) { (session, call) async throws(ShellError) in
            try await session.importDocuments(call.arguments, call.specification, call.interruption)
            return .none
        },
        .init(
            section: .data, names: ["export"], usage: "export [collection] [file|-] [--filter json] [--limit N]",
            summary: "Write every document as a line of JSON",
            details: [
                "A file appears under its name only when it is whole.",
                "A single argument is a file when it is - or has a dot or a slash, else a collection."
            ], arguments: [.collection, .file],
            flags: [
                .init("--filter", "json", "only documents that match", .json),
                .init("--limit", "N", "write N at most")
            ]
        ) { (session, call) async throws(ShellError) in
            try await session.exportDocuments(call.arguments, call.specification, call.interruption)
            return .none
        }
    ]
}
