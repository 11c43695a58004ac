/// The commands that follow changes.
extension CommandTable {
    static let changes: [CommandSpecification] = [
        .init(
            section: .changes, names: ["watch"],
            usage: "watch [collection] [--ops insert,update,delete,drop] [--filter json] [--count N] [--for S] [&]",
            summary: "Show changes as they happen, until Ctrl-C",
            details: [
                "Without a collection, and when none is in use: of all collections of the database. A terminal gets a line",
                "for each change; a pipe gets each event as one line of JSON at once, with the token to go on from.",
                "A connection that breaks is found again, and a line says whether changes may be missing. --filter is about",
                "the document after an insert or an update; deletions always come.",
                "With & at its end it goes on in the background: changes appear above the prompt, at which other commands",
                "can be typed. 'watch -' ends it.", "Example: watch films --ops insert &", "Example: watch -"
            ], arguments: [.collection],
            flags: [
                .init("--ops", "LIST", "some of insert,update,delete,drop", .word(WatchArguments.words)),
                .init("--filter", "json", "only inserts and updates that lead to such documents", .json),
                .init("--count", "N", "end after N changes"),
                .init("--for", "S", "end after S seconds"),
                .init("--resume", "TOKEN", "begin behind the event with this token")
            ]
        ) { (session, call) async throws(ShellError) in
            try await session.watch(call)
            return .none
        }
    ]
}
