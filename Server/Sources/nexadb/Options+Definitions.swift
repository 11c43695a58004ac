import NexaManual

/// The options of `nexadb`. The parser, `--help`, the manual page and the completions read this table.
extension Options {
    static let definitions: [Definition] = [
        Definition(
            flag: "--data-dir", placeholder: "DIR", kind: .directory, group: .command, environment: "NEXADB_DATA_DIR",
            help: "where the documents are (default ./nexadb_data; for start and the like ~/.local/share/nexadb)"
        ) { $0.givenDataDirectory = $1 },
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
            flag: "--socket", placeholder: "PATH", kind: .file, environment: "NEXADB_SOCKET",
            help: "Unix socket to listen on; alone it turns TCP off. No password for the same user"
        ) { $0.socketPath = $1 },
        Definition(
            flag: "--tls-cert", placeholder: "FILE", kind: .file, environment: "NEXADB_TLS_CERT",
            help: "TLS on the TCP port: the certificate and its chain (PEM); SIGHUP reads it again"
        ) { $0.tlsCertificate = $1 },
        Definition(
            flag: "--tls-key", placeholder: "FILE", kind: .file, environment: "NEXADB_TLS_KEY",
            help: "the key of that certificate (PEM; default: in the same file)"
        ) { $0.tlsKey = $1 },
        Definition(
            flag: "--tls-client-ca", placeholder: "FILE", kind: .file, environment: "NEXADB_TLS_CLIENT_CA",
            help: "clients must show a certificate of these authorities (PEM)"
        ) { $0.tlsClientCA = $1 },
        Definition(
            flag: "--durability", placeholder: "sync|os", kind: .words(["sync", "os"]),
            environment: "NEXADB_DURABILITY",
            help: "what an acknowledged write survives: loss of power (sync, default) or of the process (os)"
        ) { options, text throws(Problem) in
            guard text == "sync" || text == "os" else {
                throw Problem(message: "durability is 'sync' or 'os', not '\(text)'")
            }
            options.durability = text
        },
        Definition(
            flag: "--log-recovery", placeholder: "HOW", kind: .words(["strict", "discard-after-damage"]),
            environment: nil,
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
            flag: "--cache-size", placeholder: "SIZE", environment: "NEXADB_CACHE_SIZE",
            help: "memory for caches, such as 512M or 8G (default: a quarter of the memory of machine or container)"
        ) { options, text throws(Problem) in
            guard let number = scaled(text, ["": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]),
                (1 << 20)...(1 << 44) ~= number
            else {
                throw Problem(message: "a size is a number with M, G or T, from 1M to 16T, not '\(text)'")
            }
            options.cacheBytes = number
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
            flag: "--backup-directory", placeholder: "DIR", kind: .directory, environment: "NEXADB_BACKUP_DIRECTORY",
            help: "below which administrators may have backups made from elsewhere"
        ) { $0.backupDirectory = $1 },
        Definition(
            flag: "--import-directory", placeholder: "DIR", kind: .directory, environment: "NEXADB_IMPORT_DIRECTORY",
            help: "below which administrators may have exports of MongoDB imported"
        ) { $0.importDirectory = $1 },
        Definition(
            flag: "--config", placeholder: "FILE", kind: .file, environment: "NEXADB_CONFIG",
            help: "a file with options, as 'port = 6971' in a line; environment and flags win over it"
        ) { _, _ in },
        Definition(
            flag: "--insecure-defaults", placeholder: nil, environment: nil,
            help: "first start: root gets the password of the old tutorials; loopback only"
        ) { options, _ in options.insecureDefaults = true },
        Definition(
            flag: "--exit-when-idle", placeholder: nil, environment: nil,
            help: "leave when the last connection is closed"
        ) { options, _ in options.exitWhenIdle = true },
        Definition(
            flag: "--reset-root-password", placeholder: nil, group: .command, environment: nil,
            help: "give root a new password while no server runs on the data directory, and leave"
        ) { options, _ in options.action = .resetRootPassword },
        Definition(flag: "--verbose", placeholder: nil, environment: nil, help: "log more") { options, _ in
            options.isVerbose = true
        },
        Definition(
            flag: "--wait", placeholder: "SECONDS", group: .command, environment: nil,
            help: "how long start, stop and restart wait for the server (default 60)"
        ) { options, text throws(Problem) in
            guard let seconds = Int(text), (0...86_400).contains(seconds) else {
                throw Problem(message: "a number of seconds from 0 to 86400, not '\(text)'")
            }
            options.patience = seconds
        },
        Definition(
            flag: "--log-file", placeholder: "FILE", kind: .file, environment: "NEXADB_LOG_FILE",
            help: "where a server that start has started says what happens (default nexadb.log among the data)"
        ) { $0.logFile = $1 },
        Definition(
            flag: "--detached", placeholder: nil, group: .hidden, environment: nil,
            help: "what start gives the server: tell of the start on descriptor 3, and keep a pid file"
        ) { options, _ in options.isDetached = true },
        Definition(flag: "--help", placeholder: nil, group: .about, environment: nil, help: "show this text") {
            options, _ in
            options.action = .help
        },
        Definition(
            flag: "--completions", placeholder: "SHELL", kind: .words(CompletionShell.allCases.map(\.rawValue)),
            group: .about, environment: nil, help: "print completions for bash, zsh or fish"
        ) { options, text throws(Problem) in
            guard let shell = CompletionShell(rawValue: text) else {
                throw Problem(message: "completions are for bash, zsh and fish, not '\(text)'")
            }
            options.action = .completions(shell)
        },
        Definition(
            flag: "--man", placeholder: nil, group: .about, environment: nil,
            help: "print the manual page: nexadb --man | man -l -"
        ) { options, _ in options.action = .manual },
        Definition(
            flag: "--check-config", placeholder: nil, group: .about, environment: nil,
            help: "check all options and the certificates, and print the options as a configuration file"
        ) { options, _ in options.action = .checkConfiguration },
        Definition(flag: "--version", placeholder: nil, group: .about, environment: nil, help: "show the version") {
            options, _ in
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
}
