import NexaClient
import NexaManual

/// One command-line option: its names, its argument, its line of help and what it sets.
struct Option: Sendable {
    /// Whether the option takes a value.
    enum Argument: Sendable, Equatable {
        case none
        /// `--name VALUE`, `--name=VALUE`, `-nVALUE`.
        case required(String)
        /// As `required`, but the next word is only taken when it does not begin with `-`.
        case optional(String)
    }

    var names: [String]
    var argument: Argument
    var help: String
    var apply: @Sendable (inout Invocation, String) throws(UsageError) -> Void

    init(
        _ names: [String], _ argument: Argument = .none, _ help: String,
        _ apply: @escaping @Sendable (inout Invocation, String) throws(UsageError) -> Void
    ) {
        self.names = names
        self.argument = argument
        self.help = help
        self.apply = apply
    }
}

/// Every option. The parser and `--help` read this table.
enum OptionTable {
    /// Options under a heading of `--help`.
    struct Section: Sendable {
        var title: String
        var options: [Option]
    }

    static let sections = [connection, commands, output, about]

    private static let connection = Section(
        title: "Connection",
        options: [
            Option(["-h", "--host"], .optional("HOST"), "server (localhost, or NEXADB_HOST); -h alone is --help") {
                (invocation, value) throws(UsageError) in
                if value.isEmpty { invocation.showsHelp = true } else { invocation.host = value }
            },
            Option(["-P", "--port"], .required("PORT"), "port (6970, or NEXADB_BINARY_PORT)") {
                (invocation, value) throws(UsageError) in
                guard let port = UInt16(value), port > 0 else {
                    throw UsageError("--port wants a number from 1 to 65535, not '\(value)'")
                }
                invocation.port = port
            },
            Option(["--url", "--uri"], .required("URL"), "nexadb://user@host:port/database, all in one (or NEXADB_URI)")
            {
                $0.url = $1
            },
            Option(["--local"], .required("DIR"), "the database in DIR, served by nexadb as long as this shell runs") {
                $0.localDirectory = $1
            },
            Option(["-u", "--username"], .required("USER"), "user (root, or NEXADB_USERNAME)") { $0.username = $1 },
            Option(["-p", "--password"], .optional("PASSWORD"), "password; without a value it is asked for") {
                $0.passwords.append($1.isEmpty ? .prompt : .value($1))
            },
            Option(["--password-file"], .required("FILE"), "password from a file only you can read") {
                $0.passwords.append(.file($1))
            },
            Option(["--password-fd"], .required("N"), "password from an open descriptor") {
                (invocation, value) throws(UsageError) in
                guard let descriptor = Int32(value), descriptor >= 0 else {
                    throw UsageError("--password-fd wants the number of an open descriptor, not '\(value)'")
                }
                invocation.passwords.append(.descriptor(descriptor))
            },
            Option(["--password-stdin"], .none, "password from the first line of standard input") { (invocation, _) in
                invocation.passwords.append(.standardInput)
            },
            Option(["-d", "--database"], .required("NAME"), "start in this database (default, or NEXADB_DATABASE)") {
                $0.database = $1
            },
            Option(["--collection"], .required("NAME"), "start in this collection") { $0.collection = $1 },
            Option(["--tls"], .none, "encrypt the connection (or NEXADB_TLS=true, or a nexadbs:// URL)") {
                (invocation, _) in invocation.tls = invocation.tls ?? .init()
            },
            Option(["--tls-ca-file"], .required("FILE"), "TLS that trusts these authorities (or NEXADB_TLS_CA_FILE)") {
                tls(&$0, \.caFile, $1)
            },
            Option(["--tls-cert"], .required("FILE"), "TLS with a certificate of your own") {
                tls(&$0, \.certificateFile, $1)
            },
            Option(["--tls-key"], .required("FILE"), "the key of that certificate") { tls(&$0, \.keyFile, $1) },
            Option(["--tls-server-name"], .required("NAME"), "TLS with a server whose certificate is for NAME") {
                tls(&$0, \.serverName, $1)
            },
            Option(["--connect-timeout"], .required("SECONDS"), "give up connecting after that long (5)") {
                (invocation, value) throws(UsageError) in
                invocation.connectTimeout = try seconds(value, "--connect-timeout")
                guard invocation.connectTimeout > .zero else { throw UsageError("--connect-timeout must be above 0") }
            },
            Option(["--timeout"], .required("SECONDS"), "give up a command after that long (0: never)") {
                (invocation, value) throws(UsageError) in
                invocation.timeout = try seconds(value, "--timeout")
            }
        ])

    private static let commands = Section(
        title: "Commands",
        options: [
            Option(["-e"], .required("COMMAND"), "run a command, then leave; may be repeated") {
                $0.sources.append(.command($1))
            },
            Option(["-f"], .required("FILE"), "run the commands of a file, - is standard input") {
                $0.sources.append(.file($1))
            },
            Option(["-i", "--interactive"], .none, "prompt after -e and -f, or although output is no terminal") {
                (invocation, _) in invocation.isInteractive = true
            },
            Option(["--stop-on-error"], .none, "stop at the first error (default with -e and -f)") {
                (invocation, _) in invocation.stopsOnError = true
            },
            Option(["--keep-going"], .none, "go on after errors (default for a script on standard input)") {
                (invocation, _) in invocation.stopsOnError = false
            },
            Option(["-y", "--yes"], .none, "do not ask before dropping") { (invocation, _) in
                invocation.assumesYes = true
            },
            Option(["--read-only"], .none, "refuse every command that writes, before it is sent") { (invocation, _) in
                invocation.isReadOnly = true
            },
            Option(["--echo"], .none, "show each command of a script on standard error before it runs") {
                (invocation, _) in invocation.echoesCommands = true
            },
            Option(["--set"], .required("NAME=VALUE"), "set a variable, for $NAME in commands; may be repeated") {
                (invocation, value) throws(UsageError) in
                let name = ShellVariables.assignment(value).name
                guard ShellVariables.isName(name) else {
                    throw UsageError("--set wants NAME=VALUE, a name of letters, digits and _, not '\(value)'")
                }
                invocation.variables.append(value)
            },
            Option(["--rc"], .required("FILE"), "run the commands of FILE first, instead of ~/.nexarc") {
                $0.startupFile = $1
            },
            Option(["-X", "--no-rc"], .none, "do not read ~/.nexarc") { (invocation, _) in
                invocation.readsStartupFile = false
            },
            Option(["--no-history"], .none, "neither read nor write ~/.nexadb_history") { (invocation, _) in
                invocation.usesHistory = false
            }
        ])

    private static let output = Section(
        title: "Output",
        options: [
            Option(["--format"], .required("FORMAT"), "pretty, json, ndjson, table, vertical, csv, tsv, toon or ids") {
                (invocation, value) throws(UsageError) in
                invocation.format = try choice(value, "--format")
            }
        ]
            + OutputFormat.allCases.map { format in
                Option(["--\(format.rawValue)"], .none, "the same as --format \(format.rawValue)") { (invocation, _) in
                    invocation.format = format
                }
            } + [
                Option(["--limit"], .required("N"), "documents a query shows (100; 0: all)") {
                    (invocation, value) throws(UsageError) in
                    guard let limit = Int(value), limit >= 0 else {
                        throw UsageError("--limit wants a number from 0, not '\(value)'")
                    }
                    invocation.limit = limit
                },
                Option(["--fields"], .required("A,B.C"), "show these fields only") { (invocation, value) in
                    invocation.shape.fields = value.split(separator: ",").map { $0.trimmed }
                },
                Option(["--null"], .required("TEXT"), "what stands for null in tables, csv and tsv") {
                    $0.shape.nullText = $1
                },
                Option(["--no-header"], .none, "leave the names of the columns out") { (invocation, _) in
                    invocation.shape.hasHeader = false
                },
                Option(["--extra-column"], .required("NAME"), "csv and tsv: a column for fields that come up late") {
                    $0.shape.extraColumn = $1
                },
                Option(["--max-width"], .required("N"), "the most cells a line of a table may take") {
                    (invocation, value) throws(UsageError) in
                    guard let width = Int(value), width >= 5 else {
                        throw UsageError("--max-width wants a number from 5, not '\(value)'")
                    }
                    invocation.shape.maximumWidth = width
                },
                Option(["--keys"], .required("ORDER"), "of the keys: sorted or stored") {
                    (invocation, value) throws(UsageError) in
                    invocation.shape.keys = try choice(value, "--keys")
                },
                Option(["-o", "--output"], .required("FILE"), "write results to a file, not to standard output") {
                    $0.outputFile = $1
                },
                Option(["--append"], .none, "-o: behind what is in the file") { (invocation, _) in
                    invocation.outputMode = .append
                },
                Option(["--atomic"], .none, "-o: the file appears only when it is whole") { (invocation, _) in
                    invocation.outputMode = .atomic
                },
                Option(["--pager"], .required("WHEN"), "auto, never, or a command: how a terminal shows long output") {
                    (invocation, value) in
                    invocation.pager = value == "never" ? .never : value == "auto" ? nil : .command(value)
                },
                Option(["--no-pager"], .none, "the same as --pager never") { (invocation, _) in
                    invocation.pager = .never
                },
                Option(["--timing"], .none, "show how long each command takes") { (invocation, _) in
                    invocation.showsTiming = true
                },
                Option(["-q", "--quiet"], .none, "no banner, no talk but errors and warnings") { (invocation, _) in
                    invocation.isQuiet = true
                },
                Option(["-v", "--verbose"], .none, "show codes of errors, and the bytes and time each command took") {
                    (invocation, _) in invocation.isVerbose = true
                },
                Option(["--color"], .required("WHEN"), "auto, always or never") {
                    (invocation, value) throws(UsageError) in
                    invocation.colour = try choice(value, "--color")
                },
                Option(["--no-color"], .none, "the same as --color never") { (invocation, _) in
                    invocation.colour = .never
                },
                Option(["--progress"], .required("HOW"), "auto, plain (a line each 5 seconds) or none") {
                    (invocation, value) throws(UsageError) in
                    invocation.progress = try choice(value, "--progress")
                }
            ])

    private static let about = Section(
        title: "About",
        options: [
            Option(["--help"], .none, "show this") { (invocation, _) in invocation.showsHelp = true },
            Option(["--completions"], .required("SHELL"), "print completions for bash, zsh or fish") {
                (invocation, value) throws(UsageError) in
                invocation.completions = try choice(value, "--completions")
            },
            Option(["--man"], .none, "print the manual page: nexa --man | man -l -") { (invocation, _) in
                invocation.showsManual = true
            },
            Option(["-V", "--version"], .none, "show the version") { (invocation, _) in
                invocation.showsVersion = true
            },
            Option(["--license"], .none, "show the licence") { (invocation, _) in invocation.showsLicense = true }
        ])

    private static func tls(
        _ invocation: inout Invocation, _ path: WritableKeyPath<NexaConfiguration.TLSOptions, String?>, _ value: String
    ) {
        invocation.tls = invocation.tls ?? .init()
        invocation.tls?[keyPath: path] = value
    }

    private static func seconds(_ text: String, _ option: String) throws(UsageError) -> Duration {
        guard let value = Double(text), value >= 0, value <= 1e9 else {
            throw UsageError("\(option) wants seconds, such as 2.5, not '\(text)'")
        }
        return .milliseconds(Int64((value * 1000).rounded(.up)))
    }

    private static func choice<Choice: RawRepresentable & CaseIterable>(
        _ text: String, _ option: String
    ) throws(UsageError) -> Choice where Choice.RawValue == String {
        if let choice = Choice(rawValue: text) { return choice }
        let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw UsageError("\(option) wants one of \(known), not '\(text)'")
    }

    /// What `--help` prints.
    static var helpText: String {
        var lines = ["nexa: the shell of NexaDB", "", "Usage: nexa [options]"]
        for section in sections {
            lines += ["", "\(section.title):"]
            for option in section.options {
                var left = "  " + option.names.joined(separator: ", ")
                switch option.argument {
                case .none: break
                case .required(let name): left += " \(name)"
                case .optional(let name): left += " [\(name)]"
                }
                let gap =
                    left.count < 30
                    ? String(repeating: " ", count: 30 - left.count) : "\n" + String(repeating: " ", count: 30)
                lines.append(left + gap + option.help)
            }
        }
        lines += [
            "", "Without -e and -f, commands come from the terminal or, line by line, from standard input.",
            "'help' at the prompt lists them. Example:",
            "  cat movies.ndjson | nexa --local ./data -e 'use movies' -e 'import -'", "",
            "Exit codes: 0 done, 1 no connection, 2 wrong usage, 3 a command failed, 4 some documents were left out,",
            "5 a file could not be read or written, 6 the time limit passed, 70 a fault of nexa."
        ]
        return lines.joined(separator: "\n")
    }
}
