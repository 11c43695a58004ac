import NexaServer

/// What the command line and the environment of `nexadb` say.
struct Options {
    enum Action: Equatable {
        case run
        case resetRootPassword
        case backup(String)
        case restore(String)
        case verify(String)
        case check
        case compact
        case help
        case version
    }

    var action = Action.run
    var dataDirectory = "./nexadb_data"
    var host: String?
    var port: UInt16?
    var socketPath: String?
    var tlsCertificate: String?
    var tlsKey: String?
    var tlsClientCA: String?
    var durability = "sync"
    var rootPassword: String?
    var insecureDefaults = false
    var exitWhenIdle = false
    var logRecovery = "strict"
    var reactors: Int?
    var changeHistoryAge: Duration?
    var changeHistoryBytes: Int?
    var backupDirectory: String?
    var importDirectory: String?
    var isVerbose = false

    /// One option: everything that help and parsing need to know of it.
    struct Definition {
        var flag: String
        var placeholder: String?
        var environment: String?
        var help: String
        var set: @Sendable (inout Options, String) throws(Problem) -> Void
    }

    struct Problem: Error {
        var message: String
    }

    static let definitions: [Definition] = [
        Definition(
            flag: "--data-dir", placeholder: "DIR", environment: "NEXADB_DATA_DIR",
            help: "where the documents are (default ./nexadb_data)"
        ) { $0.dataDirectory = $1 },
        Definition(
            flag: "--host", placeholder: "ADDRESS", environment: "NEXADB_BINARY_HOST",
            help: "IP address to listen on (default 127.0.0.1; 0.0.0.0 for every network)"
        ) { $0.host = $1 },
        Definition(
            flag: "--port", placeholder: "N", environment: "NEXADB_BINARY_PORT",
            help: "TCP port (default 6970; 0 lets the system choose)"
        ) { options, text throws(Problem) in
            guard let port = UInt16(text) else {
                throw Problem(message: "a port is a number from 0 to 65535, not '\(text)'")
            }
            options.port = port
        },
        Definition(
            flag: "--socket", placeholder: "PATH", environment: "NEXADB_SOCKET",
            help: "Unix socket to listen on; alone it turns TCP off. No password for the same user"
        ) { $0.socketPath = $1 },
        Definition(
            flag: "--tls-cert", placeholder: "FILE", environment: "NEXADB_TLS_CERT",
            help: "TLS on the TCP port: the certificate and its chain (PEM); SIGHUP reads it again"
        ) { $0.tlsCertificate = $1 },
        Definition(
            flag: "--tls-key", placeholder: "FILE", environment: "NEXADB_TLS_KEY",
            help: "the key of that certificate (PEM; default: in the same file)"
        ) { $0.tlsKey = $1 },
        Definition(
            flag: "--tls-client-ca", placeholder: "FILE", environment: "NEXADB_TLS_CLIENT_CA",
            help: "clients must show a certificate of these authorities (PEM)"
        ) { $0.tlsClientCA = $1 },
        Definition(
            flag: "--durability", placeholder: "sync|os", environment: "NEXADB_DURABILITY",
            help: "what an acknowledged write survives: loss of power (sync, default) or of the process (os)"
        ) { options, text throws(Problem) in
            guard text == "sync" || text == "os" else {
                throw Problem(message: "durability is 'sync' or 'os', not '\(text)'")
            }
            options.durability = text
        },
        Definition(
            flag: "--log-recovery", placeholder: "HOW", environment: nil,
            help:
                "a damaged commit log: 'strict' refuses to start (default), 'discard-after-damage' goes on without the rest"
        ) { options, text throws(Problem) in
            guard text == "strict" || text == "discard-after-damage" else {
                throw Problem(message: "log recovery is 'strict' or 'discard-after-damage', not '\(text)'")
            }
            options.logRecovery = text
        },
        Definition(
            flag: "--change-history", placeholder: "TIME", environment: "NEXADB_CHANGE_HISTORY",
            help: "for how long change streams can resume, such as 90m or 24h (default 24h; 0 for hardly at all)"
        ) { options, text throws(Problem) in
            guard let number = scaled(text, ["": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400]) else {
                throw Problem(message: "a time is a number with s, m, h or d, not '\(text)'")
            }
            options.changeHistoryAge = .seconds(number)
        },
        Definition(
            flag: "--change-history-size", placeholder: "SIZE", environment: "NEXADB_CHANGE_HISTORY_SIZE",
            help: "how much log is kept for that at most, such as 512M or 4G (default 1G)"
        ) { options, text throws(Problem) in
            guard let number = scaled(text, ["": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]) else {
                throw Problem(message: "a size is a number with K, M, G or T, not '\(text)'")
            }
            options.changeHistoryBytes = number
        },
        Definition(
            flag: "--reactors", placeholder: "N", environment: "NEXADB_REACTORS",
            help: "threads that serve connections (default: one for each processor)"
        ) { options, text throws(Problem) in
            guard let count = Int(text), (1...256).contains(count) else {
                throw Problem(message: "the number of reactors is from 1 to 256, not '\(text)'")
            }
            options.reactors = count
        },
        Definition(
            flag: "--backup-directory", placeholder: "DIR", environment: "NEXADB_BACKUP_DIRECTORY",
            help: "below which administrators may have backups made from elsewhere"
        ) { $0.backupDirectory = $1 },
        Definition(
            flag: "--import-directory", placeholder: "DIR", environment: "NEXADB_IMPORT_DIRECTORY",
            help: "below which administrators may have exports of MongoDB imported"
        ) { $0.importDirectory = $1 },
        Definition(
            flag: "--insecure-defaults", placeholder: nil, environment: nil,
            help: "first start: root gets the password of the old tutorials; loopback only"
        ) { options, _ in options.insecureDefaults = true },
        Definition(
            flag: "--exit-when-idle", placeholder: nil, environment: nil,
            help: "leave when the last connection is closed"
        ) { options, _ in options.exitWhenIdle = true },
        Definition(
            flag: "--reset-root-password", placeholder: nil, environment: nil,
            help: "give root a new password while no server runs on the data directory, and leave"
        ) { options, _ in options.action = .resetRootPassword },
        Definition(flag: "--verbose", placeholder: nil, environment: nil, help: "log more") { options, _ in
            options.isVerbose = true
        },
        Definition(flag: "--help", placeholder: nil, environment: nil, help: "show this text") { options, _ in
            options.action = .help
        },
        Definition(flag: "--version", placeholder: nil, environment: nil, help: "show the version") { options, _ in
            options.action = .version
        }
    ]

    /// A number with one of some units behind it.
    private static func scaled(_ text: String, _ units: [String: Int]) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), let unit = units[String(text.dropFirst(digits.count))] else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow ? nil : product
    }

    /// Reads the environment first, then the flags, which win.
    init(arguments: [String], environment: (String) -> String?) throws(Problem) {
        for definition in Self.definitions {
            guard let name = definition.environment, let value = environment(name), !value.isEmpty else { continue }
            do throws(Problem) {
                try definition.set(&self, value)
            } catch {
                throw Problem(message: "\(name): \(error.message)")
            }
        }
        rootPassword = environment("NEXADB_ROOT_PASSWORD")
        try readFlags(arguments)
        guard tlsCertificate != nil || (tlsKey == nil && tlsClientCA == nil) else {
            throw Problem(message: "--tls-key and --tls-client-ca are of no use without --tls-cert")
        }
    }

    private mutating func readFlags(_ arguments: [String]) throws(Problem) {
        var rest = arguments[...]
        try readCommand(&rest)
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1)
            let flag = argument == "-h" ? "--help" : argument == "-V" ? "--version" : String(parts.first ?? "")
            guard let definition = Self.definitions.first(where: { $0.flag == flag }) else {
                throw Problem(message: "unknown option '\(argument)'")
            }
            if definition.placeholder == nil {
                guard parts.count == 1 else { throw Problem(message: "\(flag) takes no value") }
                try definition.set(&self, "")
            } else {
                guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst(), !value.isEmpty else {
                    throw Problem(message: "\(flag) needs a value")
                }
                do throws(Problem) {
                    try definition.set(&self, value)
                } catch {
                    throw Problem(message: "\(flag): \(error.message)")
                }
            }
        }
    }

    /// A command in front of the flags.
    private mutating func readCommand(_ rest: inout ArraySlice<String>) throws(Problem) {
        guard let word = rest.first, !word.hasPrefix("-") else { return }
        guard let command = Self.commands.first(where: { $0.word == word }) else {
            throw Problem(message: "unknown command '\(word)'")
        }
        rest.removeFirst()
        var path = ""
        if let placeholder = command.placeholder {
            guard let given = rest.popFirst(), !given.isEmpty, !given.hasPrefix("-") else {
                throw Problem(message: "\(word) needs a \(placeholder)")
            }
            path = given
        }
        action = command.action(path)
    }

    /// One command: everything that help and parsing need to know of it.
    struct Command {
        var word: String
        var placeholder: String?
        var help: String
        var action: @Sendable (String) -> Action
    }

    static let commands: [Command] = [
        Command(
            word: "backup", placeholder: "DIR",
            help: "make a backup in a new directory, also while a server runs (see below)"
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

    /// The text of `--help`, made of the definitions.
    static var help: String {
        var text = "usage: nexadb [options]\n       nexadb command [options]\n\nThe NexaDB server.\n\n"
        for command in commands {
            let left = "  \(command.word)" + (command.placeholder.map { " \($0)" } ?? "")
            text += left + String(repeating: " ", count: max(1, 26 - left.count)) + command.help + "\n"
        }
        text += "\n"
        for definition in definitions {
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
            Commands end with code 0, or 1 when something failed, 2 for wrong usage, 3 when check or verify
            found damage.
            SIGTERM and SIGINT answer what was received, then leave with code 0.

            """
    }
}
