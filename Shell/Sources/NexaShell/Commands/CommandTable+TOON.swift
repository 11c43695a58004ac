/// TOON, the notation for prompts of language models.
extension CommandTable {
    static let toon: [CommandSpecification] = [
        .init(
            section: .data, names: ["toon"],
            usage: "toon export <collection> <file|-> | toon import <file|-> <collection> [--replace]",
            summary: "Write a collection as TOON, or read it back",
            details: [
                "TOON is a notation for prompts of language models: tables take fewer tokens than JSON. What export writes,",
                "import reads back, unless --prompt has changed it. An import is one commit, of all documents or none.",
                "From a terminal's own shell: nexa toon export films films.toon; nexa toon import films.toon films"
            ], arguments: [.word(["export", "import"]), .text, .text],
            flags: [
                .init("--replace", nil, "import: instead of the documents that are there, in the same commit"),
                .init("--lenient", nil, "import: also text with wrong counts, and what NexaDB 3.0 wrote"),
                .init("--prompt", nil, "export: flat tables without embeddings, for the fewest tokens"),
                .init(
                    "--delimiter", "D", "export: comma, tab or pipe between values", .word(["comma", "tab", "pipe"]))
            ]
        ) { (session, call) async throws(ShellError) in
            try await session.toon(call)
            return .none
        }
    ]
}
