extension Options {
    /// The text of `--help`, made of the definitions.
    static var help: String {
        var text = "usage: nexadb [options]\n       nexadb command [options]\n\nThe NexaDB server.\n\n"
        for command in commands {
            let left = "  \(command.word)" + (command.placeholder.map { " \($0)" } ?? "")
            text += left + String(repeating: " ", count: max(1, 26 - left.count)) + command.help + "\n"
        }
        text += "\n"
        for definition in definitions where definition.group != .hidden {
            let left = "  \(definition.flag)" + (definition.placeholder.map { " \($0)" } ?? "")
            text += left + String(repeating: " ", count: max(1, 26 - left.count)) + definition.help + "\n"
            if let name = definition.environment { text += String(repeating: " ", count: 26) + "[\(name)]\n" }
        }
        return text + """

            The first start makes the user root, with the password of NEXADB_ROOT_PASSWORD or one that is
            printed once. --reset-root-password takes the new password from NEXADB_ROOT_PASSWORD; without
            that it asks on a terminal, and elsewhere makes one and prints it on standard output.
            backup and compact work on the data directory, or ask a server for it: the one of --socket, or of
            --host and --port with the password of root in NEXADB_ROOT_PASSWORD. The backup is then made on
            the server's machine, and from elsewhere only below its --backup-directory.
            A --config file has options without their dashes, 'cache-size = 4G' or 'verbose = true' in a line,
            and comments behind #. The environment wins over it, and the command line over both.
            start keeps nexadb.pid and nexadb.log among the data. stop, restart and status find the server by the
            lock on the data directory, so that a pid file of a dead server misleads nobody.
            Commands end with code 0, or 1 when something failed, 2 for wrong usage, 3 when check or verify
            found damage or status no server. start is content with a server that runs, stop with none.
            SIGTERM and SIGINT answer what was received, then leave with code 0.

            """
    }
}
