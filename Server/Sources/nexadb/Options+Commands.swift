/// The commands of `nexadb`. The parser, `--help`, the manual page and the completions read this table.
extension Options {
    /// One command: everything that help and parsing need to know of it.
    struct Command {
        var word: String
        var placeholder: String?
        var kind = Kind.directory
        var help: String
        var action: @Sendable (String) -> Action
    }

    static let commands: [Command] = [
        Command(
            word: "start", placeholder: nil, help: "start a server in the background, and wait until it listens"
        ) { _ in .start },
        Command(
            word: "stop", placeholder: nil, help: "have the server of the data directory leave, and wait for that"
        ) { _ in .stop },
        Command(
            word: "restart", placeholder: nil, help: "stop, then start with the given options, else with those it had"
        ) { _ in .restart },
        Command(word: "status", placeholder: nil, help: "tell whether a server has the data directory, and which") {
            _ in .status
        },
        Command(
            word: "backup", placeholder: "DIR",
            help: "make a backup in a new directory, also while a server runs"
        ) { .backup($0) },
        Command(word: "restore", placeholder: "BACKUP", help: "make the data directory of a backup") { .restore($0) },
        Command(word: "verify", placeholder: "BACKUP", help: "compare the files of a backup with their checksums") {
            .verify($0)
        },
        Command(
            word: "check", placeholder: nil,
            help: "compare documents, indexes and log with each other, while no server runs"
        ) { _ in .check },
        Command(
            word: "compact", placeholder: nil,
            help: "rewrite the tables without what was deleted, also while a server runs"
        ) { _ in .compact }
    ]
}
