import NexaManual
import NexaServer

extension Options {
    /// What `--man` and `--completions` are made of: the tables of options and commands, and what stands below.
    static var manual: ProgramManual {
        let groups: [(String, Group)] = [("Server", .server), ("Data and commands", .command), ("About", .about)]
        var manual = ProgramManual(
            name: "nexadb", version: NexaServer.version, summary: "the NexaDB server",
            synopsis: ["[options]", "command [options]"],
            description: [
                "nexadb serves the documents of a data directory over TCP, a Unix socket, or both. Without a command it "
                    + "runs in the foreground until SIGTERM or SIGINT, answers what it has received, and leaves with code "
                    + "0. SIGHUP reads the certificates again.",
                "The first start makes the user root, with the password of NEXADB_ROOT_PASSWORD or one that is shown "
                    + "once. --reset-root-password takes the new one from there as well; without that it asks on a "
                    + "terminal, and elsewhere makes one and prints it.",
                "start runs a server in a session of its own and returns when it listens, or says with the end of its "
                    + "log why it does not. stop, restart and status find the server by the lock on the data directory, so "
                    + "that the pid file of a dead server misleads nobody. start is content with a server that runs, and "
                    + "stop with none.",
                "A file that --config names has options of the server without their dashes, one in a line: cache-size = 4G, "
                    + "verbose = true, and comments behind #. The environment wins over it, and the command line over "
                    + "both. --check-config prints what holds in the end, with where it comes from.",
                "backup and compact work on the data directory, or ask a server for it: the one of --socket, or of "
                    + "--host and --port with the password of root in NEXADB_ROOT_PASSWORD. The backup is then made on the "
                    + "server's machine, and from elsewhere only below its --backup-directory."
            ],
            optionGroups: groups.map { title, group in
                ProgramManual.OptionGroup(title, definitions.filter { $0.group == group }.map(described))
            },
            exitCodes: [
                .init("0", "Done; for status: a server has the data directory."),
                .init("1", "Something failed; the message says what."),
                .init("2", "The options are wrong."),
                .init("3", "check or verify found damage; for status: no server has the data directory."),
                .init("130", "Ended by a second SIGTERM or SIGINT, without answering what it had received.")
            ],
            environment: [.init("NEXADB_ROOT_PASSWORD", "The password of root for the first start, and for commands.")]
                + definitions.compactMap { definition in
                    definition.environment.map { .init($0, "As \(definition.flag), which wins.") }
                } + [
                    .init("DATA_DIR, XDG_DATA_HOME", "Where start, stop, restart and status look without --data-dir.")
                ],
            files: [
                .init("./nexadb_data", "The data directory in the foreground."),
                .init("~/.local/share/nexadb", "The data directory of start, stop, restart and status."),
                .init("nexadb.pid", "In the data directory: the number of a server that start has started."),
                .init("nexadb.run", "There as well: how it was started, for restart and status."),
                .init("nexadb.log", "There as well: what it says. Above 16 MiB it becomes nexadb.log.1 at a start.")
            ],
            examples: [
                .init("nexadb start\nnexadb status\nnexadb stop", "A server in the background"),
                .init("nexadb --data-dir ./data --socket ./nexa.sock", "A server in the foreground, without TCP"),
                .init(
                    "nexadb backup /backups/monday --socket ./nexa.sock\nnexadb verify /backups/monday",
                    "A backup while it serves")
            ], seeAlso: ["nexa(1)"])
        manual.subcommands = commands.map { command in
            .init(
                [command.word], usage: command.word + (command.placeholder.map { " " + $0 } ?? ""),
                summary: command.help, argument: command.placeholder == nil ? nil : command.kind.described)
        }
        return manual
    }

    private static func described(_ definition: Definition) -> ProgramManual.Option {
        let names = [definition.flag == "--help" ? "-h" : definition.flag == "--version" ? "-V" : nil, definition.flag]
        return ProgramManual.Option(
            names.compactMap { $0 }, value: definition.placeholder, kind: definition.kind.described,
            summary: definition.help, environment: definition.environment)
    }
}

extension Options.Kind {
    fileprivate var described: ProgramManual.ValueKind {
        switch self {
        case .text: .text
        case .file: .file
        case .directory: .directory
        case .words(let words): .words(words)
        }
    }
}
