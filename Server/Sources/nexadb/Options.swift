import NexaManual
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
        case start
        case stop
        case status
        case restart
        case help
        case manual
        case completions(CompletionShell)
        case version
        case checkConfiguration

        /// Whether it is about a server in the background.
        var isLifecycle: Bool { self == .start || self == .stop || self == .status || self == .restart }
    }

    var action = Action.run
    /// Where the documents are: as given, else what the action has by default.
    var dataDirectory: String {
        givenDataDirectory ?? (action.isLifecycle ? backgroundDataDirectory : Self.foregroundDataDirectory)
    }
    static let foregroundDataDirectory = "./nexadb_data"
    /// Where the commands of a server in the background look: they are given anywhere, so it is no relative path.
    private var backgroundDataDirectory = ""
    var givenDataDirectory: String?
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
    /// Bytes for the caches of documents and blocks together.
    var cacheBytes: Int?
    var backupDirectory: String?
    var importDirectory: String?
    var isVerbose = false
    /// The seconds that `start`, `stop` and `restart` wait.
    var patience = 60
    var logFile: String?
    /// Whether this is the server that `nexadb start` has started.
    var isDetached = false

    /// The options of the server as they were given, in an order in which later ones win.
    var given: [Given] = []
    /// The data directory, as it was given last.
    var givenPlace: Given?
    /// Those of the configuration file, which lose against them.
    var ofFile: [Given] = []

    /// One option as it was given.
    struct Given: Equatable {
        var flag: String
        /// `nil` for an option that takes none.
        var value: String?
        /// Whether the environment gave it.
        var isOfEnvironment = false
    }

    /// One option: everything that help and parsing need to know of it.
    struct Definition {
        var flag: String
        var placeholder: String?
        var kind = Kind.text
        var group = Group.server
        var environment: String?
        var help: String
        var set: @Sendable (inout Options, String) throws(Problem) -> Void
    }

    /// What a value is, for completion; paths are made absolute for a server in the background.
    enum Kind: Equatable {
        case text
        case file
        case directory
        /// One of these words.
        case words([String])

        var isPath: Bool { self == .file || self == .directory }
    }

    /// What an option is about.
    enum Group {
        /// How a server serves: `nexadb restart` gives it to the next one.
        case server
        /// Where the data are, and the commands of a server in the background.
        case command
        case about
        /// Not for people.
        case hidden
    }

    struct Problem: Error {
        var message: String
    }

    /// Reads the configuration file first, then the environment, then the flags, which win.
    init(arguments: [String], environment: (String) -> String?) throws(Problem) {
        if let file = Self.configurationFile(arguments, environment) { try readFile(file) }
        for definition in Self.definitions {
            guard let name = definition.environment, let value = environment(name), !value.isEmpty else { continue }
            do throws(Problem) {
                try definition.set(&self, value)
            } catch {
                throw Problem(message: "\(name): \(error.message)")
            }
            note(definition, value, isOfEnvironment: true)
        }
        backgroundDataDirectory = Self.backgroundDataDirectory(environment)
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
                note(definition, nil)
            } else {
                guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst(), !value.isEmpty else {
                    throw Problem(message: "\(flag) needs a value")
                }
                do throws(Problem) {
                    try definition.set(&self, value)
                } catch {
                    throw Problem(message: "\(flag): \(error.message)")
                }
                note(definition, value)
            }
        }
    }

    private mutating func note(_ definition: Definition, _ value: String?, isOfEnvironment: Bool = false) {
        let one = Given(flag: definition.flag, value: value, isOfEnvironment: isOfEnvironment)
        if definition.flag == "--data-dir" { givenPlace = one }
        guard definition.group == .server else { return }
        given.append(one)
    }

    /// As the installers of NexaDB 3.0 had it: `DATA_DIR`, else the data folder of the user.
    private static func backgroundDataDirectory(_ environment: (String) -> String?) -> String {
        if let named = environment("DATA_DIR"), !named.isEmpty { return named }
        if let data = environment("XDG_DATA_HOME"), data.hasPrefix("/") { return data + "/nexadb" }
        return (environment("HOME") ?? "") + "/.local/share/nexadb"
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
}
