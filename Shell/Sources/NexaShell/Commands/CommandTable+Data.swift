/// The commands that move documents in and out.
extension CommandTable {
    static let data: [CommandSpecification] = [
        .init(
            section: .data, names: ["import"],
            usage: "import <file|-> [collection] [--format F] [--mode M] [--on-error stop|skip|FILE] [flags]",
            summary: "Read documents from NDJSON, JSON, CSV, TSV or TOON",
            details: [
                "Reads a file, packed by gzip or not, or standard input (-). The format is what the file's name or its",
                "first bytes say, or --format: ndjson, json (an array, or objects one behind the other), csv, tsv, ejson, toon.",
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
            section: .data, names: ["export"],
            usage: "export [collection] [file|-] [--format F] [--filter json] [flags]",
            summary: "Write documents as NDJSON, JSON, CSV, TSV or TOON",
            details: [
                "The format is what the file's name says, or --format: ndjson, json (an array), csv, tsv, ejson (canonical",
                "Extended JSON, in which every number says its type), toon. import reads back all of them, but for the kinds",
                "of values that TOON does not know, such as times: they come back as text.",
                "A file appears under its name only when it is whole. A single argument is a file when it is - or has a dot",
                "or a slash, else a collection.",
                "The columns of csv and tsv are --fields, else all fields of the first 1000 documents (or 4 MiB); fields that",
                "come up later go to --extra-column NAME as JSON, else the exit code is 4.",
                "export --all DIR writes every collection of the database and a manifest with counts and checksums;",
                "import DIR checks them and brings them back."
            ], arguments: [.collection, .file],
            flags: [
                .init("--format", "F", DataFormat.names, .word(DataFormat.allCases.map(\.rawValue))),
                .init("--filter", "json", "only documents that match", .json),
                .init("--fields", "a,b.c", "only these fields, and _id", .field),
                .init("--sort", "f,-g", "in this order", .field),
                .init("--limit", "N", "write N at most"),
                .init("--extra-column", "NAME", "the column for fields that have none"),
                .init("--gzip", nil, "pack the output"),
                .init("--atomic", nil, "refuse what cannot appear whole; regular files always do"),
                .init("--all", nil, "every collection of the database, to a folder")
            ]
        ) { (session, call) async throws(ShellError) in
            try await session.exportDocuments(call.arguments, call.specification, call.interruption)
            return .none
        }
    ]
}
