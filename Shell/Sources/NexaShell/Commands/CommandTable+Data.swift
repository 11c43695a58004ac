/// The commands that move documents in and out.
extension CommandTable {
    static let data: [CommandSpecification] = [
        .init(
            section: .data, names: ["import"],
            usage: "import <file|-> [collection] [--format F] [--mode M] [--on-error stop|skip|FILE] [flags]",
            summary: "Read documents from NDJSON, JSON, CSV or TSV",
            details: [
                "Reads a file, packed by gzip or not, or standard input (-). The format is what the file's name or its",
                "first bytes say, or --format: ndjson, json (an array, or objects one behind the other), csv, tsv, ejson.",
                "Batches are stored as they come, and only what the server acknowledged is counted. The first document",
                "that cannot be stored stops it, with its place and how to go on; --on-error skip goes on, --on-error FILE",
                "also writes such documents there and the reasons to FILE.why.",
                "CSV and TSV name their columns in the first line; a.b is a field of a document. Cells are what they look",
                "like: true, 12, 1.5, null, times of RFC 3339, JSON objects and arrays, else text; what stands in quotes is",
                "text. --types year:int,title:string says it (auto, string, int, double, bool, date, json)."
            ], arguments: [.file, .collection],
            flags: [
                .init(
                    "--format", "F", "auto, \(DataFormat.names)",
                    .word(["auto"] + DataFormat.allCases.map(\.rawValue))),
                .init(
                    "--mode", "M", "insert; upsert and replace whole documents; merge sets their fields",
                    .word(ImportArguments.Mode.allCases.map(\.rawValue))),
                .init("--on-error", "stop|skip|FILE", "what becomes of documents that cannot be stored", .file),
                .init("--skip", "N", "pass over the first N"),
                .init("--limit", "N", "take N at most"),
                .init("--id-field", "F", "the field whose value is the _id as well", .field),
                .init("--types", "F:T,…", "the types of columns of csv and tsv"),
                .init("--vector-field", "F", "the field with the vector, stored as 32-bit floats", .field),
                .init("--batch", "N", "documents sent together (1000; less when they are 4 MiB)"),
                .init("--jobs", "N", "batches worked on at a time (4)"),
                .init("--dry-run", nil, "read and check everything, write nothing"),
                .init("--create", nil, "create the collection first, even if no document comes")
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
