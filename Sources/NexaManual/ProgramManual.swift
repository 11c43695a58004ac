/// What a program tells of itself: its options, commands, exit codes, variables and files.
///
/// The programs make it at run time of the tables that they parse with; the manual page (`manualPage`) and the
/// completions (`completions(for:)`) are made of it, so that none of them can say something else than the program does.
public struct ProgramManual: Sendable {
    /// The program's name, as it is typed.
    public var name: String
    /// The version, without a word in front.
    public var version: String
    /// One line about it, without a full stop.
    public var summary: String
    /// How it is called, one form each, without the name.
    public var synopsis: [String]
    /// Paragraphs of the description.
    public var description: [String]
    /// The options under their headings.
    public var optionGroups: [OptionGroup]
    /// Words that stand in front of the options: `nexadb start`.
    public var subcommands: [Command] = []
    /// What can be typed at a prompt of the program, under headings. Completions do not offer them.
    public var promptCommands: [CommandGroup] = []
    /// The keys of its prompt, under headings.
    public var keys: [Entry] = []
    /// What its exit codes mean.
    public var exitCodes: [Entry]
    /// The variables that it reads.
    public var environment: [Entry]
    /// The files that it reads and writes.
    public var files: [Entry]
    /// Commands to start from, each with what it does.
    public var examples: [Entry]
    /// Other pages, such as `nexadb(1)`.
    public var seeAlso: [String]

    /// Gathers what a program tells of itself.
    public init(
        name: String, version: String, summary: String, synopsis: [String], description: [String],
        optionGroups: [OptionGroup], exitCodes: [Entry], environment: [Entry], files: [Entry], examples: [Entry],
        seeAlso: [String]
    ) {
        self.name = name
        self.version = version
        self.summary = summary
        self.synopsis = synopsis
        self.description = description
        self.optionGroups = optionGroups
        self.exitCodes = exitCodes
        self.environment = environment
        self.files = files
        self.examples = examples
        self.seeAlso = seeAlso
    }

    /// A term and what it means.
    public struct Entry: Sendable, Hashable {
        /// The term: a code, a variable, a path, a key.
        public var term: String
        /// What it means.
        public var text: String

        /// A term and what it means.
        public init(_ term: String, _ text: String) {
            self.term = term
            self.text = text
        }
    }

    /// What the value of an option, or the argument of a command, is.
    public enum ValueKind: Sendable, Hashable {
        case text
        case file
        case directory
        /// One of these words.
        case words([String])
    }

    /// One option.
    public struct Option: Sendable, Hashable {
        /// Its names with their hyphens.
        public var names: [String]
        /// What its value is called; `nil` when it takes none.
        public var value: String?
        /// Whether the value may be left out.
        public var isValueOptional = false
        /// What the value is.
        public var kind = ValueKind.text
        /// One line about it.
        public var summary: String
        /// The variable that says the same.
        public var environment: String?

        /// Describes an option.
        public init(
            _ names: [String], value: String? = nil, isValueOptional: Bool = false, kind: ValueKind = .text,
            summary: String, environment: String? = nil
        ) {
            self.names = names
            self.value = value
            self.isValueOptional = isValueOptional
            self.kind = kind
            self.summary = summary
            self.environment = environment
        }
    }

    /// Options under a heading.
    public struct OptionGroup: Sendable {
        /// The heading.
        public var title: String
        /// The options.
        public var options: [Option]

        /// Options under a heading.
        public init(_ title: String, _ options: [Option]) {
            self.title = title
            self.options = options
        }
    }

    /// One command.
    public struct Command: Sendable {
        /// Its word, and other words for it.
        public var names: [String]
        /// How it is written.
        public var usage: String
        /// One line about it.
        public var summary: String
        /// More lines about it.
        public var details: [String] = []
        /// What its argument is; `nil` when it takes none.
        public var argument: ValueKind?
        /// The options of its own.
        public var options: [Option] = []

        /// Describes a command.
        public init(
            _ names: [String], usage: String, summary: String, details: [String] = [], argument: ValueKind? = nil,
            options: [Option] = []
        ) {
            self.names = names
            self.usage = usage
            self.summary = summary
            self.details = details
            self.argument = argument
            self.options = options
        }
    }

    /// Commands under a heading.
    public struct CommandGroup: Sendable {
        /// The heading.
        public var title: String
        /// The commands.
        public var commands: [Command]

        /// Commands under a heading.
        public init(_ title: String, _ commands: [Command]) {
            self.title = title
            self.commands = commands
        }
    }

    /// Every option, in the order of the groups.
    var options: [Option] { optionGroups.flatMap(\.options) }
}

/// The shells that completions can be made for.
public enum CompletionShell: String, Sendable, CaseIterable {
    case bash, zsh, fish
}

extension ProgramManual {
    /// A script that teaches a shell to complete this program's command line.
    ///
    /// For bash and fish it is sourced; for zsh it is sourced, or a file `_name` in a folder of `fpath`.
    public func completions(for shell: CompletionShell) -> String {
        switch shell {
        case .bash: bashCompletions
        case .zsh: zshCompletions
        case .fish: fishCompletions
        }
    }
}
