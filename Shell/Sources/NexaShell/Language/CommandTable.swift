/// One command of the shell: the words that name it, how it is written, and what it does.
struct CommandSpecification: Sendable {
    /// What carries a command out, on the session.
    typealias Action = @Sendable (isolated Session, CommandCall) async throws(ShellError) -> Session.Effect

    /// Where `help` and the manual page put the command.
    var section: CommandSection
    /// The command word first, then its other names.
    var names: [String]
    /// How it is written: `update <doc_id> <json>`.
    var usage: String
    /// One line about it.
    var summary: String
    /// More lines, for `help <command>`.
    var details: [String] = []
    /// What its arguments are, in their order; the last one goes for all that follow. Completion reads it.
    var arguments: [CommandArgument] = []
    /// The flags that it takes.
    var flags: [CommandFlag] = []
    /// What it does to stored data or to users; `--read-only` refuses these commands.
    var isWrite = false
    /// Whether the help of NexaDB 3.0.4 knew it; those lines stay as they were.
    var isInOriginalHelp = false
    /// Whether it is part of `\if … \endif`: carried out also where commands are passed over.
    var isConditional = false
    /// Whether the rest of its line belongs to it as it stands, without variables, quotes, brackets or `;`.
    var isRawLine = false
    /// What carries it out.
    var action: Action

    var name: String { names[0] }
}

/// One use of a command.
struct CommandCall: Sendable {
    /// The command that was named.
    var specification: CommandSpecification
    /// Stands behind the command word.
    var arguments: ArgumentReader
    /// The whole command, its variables replaced; offsets of faults are those in here.
    var text: String
    /// Where Ctrl-C goes while it runs.
    var interruption: Interruption

    /// Everything behind the command word, as it stands.
    var rest: String { arguments.rest }
}

/// The headings under which commands stand.
enum CommandSection: String, Sendable, CaseIterable {
    case databases = "Databases"
    case collections = "Collections"
    case documents = "Documents"
    case queries = "Queries"
    case vectors = "Vectors"
    case indexes = "Indexes"
    case data = "Import and export"
    case changes = "Changes"
    case transactions = "Transactions"
    case users = "Users"
    case output = "Output"
    case scripts = "Scripts and variables"
    case system = "System"
}

/// What an argument of a command is.
enum CommandArgument: Sendable, Hashable {
    case database, collection, documentID, field, index, user
    /// A filter, a document, an update: JSON whose keys are fields of the current collection.
    case json
    case pipeline
    case vector
    case file
    case command
    case variable
    /// One of these words.
    case word([String])
    /// Anything else.
    case text
}

/// A flag of a command: `--limit N`.
struct CommandFlag: Sendable, Hashable {
    /// With its two hyphens.
    var name: String
    /// What its value is called in the usage; `nil` when it takes none.
    var value: String?
    /// One line about it.
    var summary: String
    /// What its value is, for completion.
    var argument = CommandArgument.text

    init(_ name: String, _ value: String? = nil, _ summary: String, _ argument: CommandArgument = .text) {
        self.name = name
        self.value = value
        self.summary = summary
        self.argument = argument
    }
}

/// Every command. The parser, the rescue rule of scripts, completion, `help` and the manual page read this table.
///
/// The groups stand in the folder Commands, each beside what carries it out.
enum CommandTable {
    static let all: [CommandSpecification] =
        databases + collections + documents + queries + vectors + indexes + data + toon + changes + transactions + users
        + output + scripts + editing + system

    private static let byName: [String: CommandSpecification] = {
        var index: [String: CommandSpecification] = [:]
        for command in all {
            for name in command.names { index[name] = command }
        }
        return index
    }()

    /// The command a word names, in any case.
    static func find(_ word: String) -> CommandSpecification? { byName[word.lowercased()] }
}
