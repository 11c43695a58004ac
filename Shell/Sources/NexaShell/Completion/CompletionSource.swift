/// Where names for completion come from. `Completer` asks all of its sources; others can be added beside those here.
protocol CompletionSource: Sendable {
    /// What fits a target. Never waits: what is not known yet is fetched in the background, and the answer says so.
    ///
    /// - Returns: `nil` when the source has nothing to do with the target.
    func answer(_ target: CompletionContext.Target, _ query: CompletionQuery) -> CompletionAnswer?
}

/// What a source may want to know besides the target.
struct CompletionQuery: Sendable {
    /// Where commands go.
    var location: Location
    /// What is there of the word.
    var prefix: String
}

/// What a source knows.
struct CompletionAnswer: Sendable, Equatable {
    var candidates: [CompletionCandidate] = []
    /// Whether more will be known soon; `CompletionCatalog.changed` tells when.
    var isPending = false

    init(_ candidates: [CompletionCandidate], isPending: Bool = false) {
        self.candidates = candidates
        self.isPending = isPending
    }

    init(names: [String], isPending: Bool = false) {
        self.init(names.map { CompletionCandidate($0) }, isPending: isPending)
    }
}

/// One name that may be completed.
struct CompletionCandidate: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case name
        /// A folder: a slash follows it, and more may.
        case folder
        /// `true`, `false`, `null`: never in quotes.
        case literal
    }

    var text: String
    var kind = Kind.name

    init(_ text: String, _ kind: Kind = .name) {
        self.text = text
        self.kind = kind
    }
}

/// What the shell itself knows: commands, flags, words, operators.
struct TableCompletion: CompletionSource {
    func answer(_ target: CompletionContext.Target, _ query: CompletionQuery) -> CompletionAnswer? {
        switch target {
        case .command:
            // Without a letter typed, one name of each command is enough.
            let commands = CommandTable.all
            return CompletionAnswer(names: query.prefix.isEmpty ? commands.map(\.name) : commands.flatMap(\.names))
        case .flag(let name, let used):
            let flags = CommandTable.find(name)?.flags ?? []
            return CompletionAnswer(names: flags.map(\.name).filter { !used.contains($0) })
        case .argument(.command):
            return CompletionAnswer(names: CommandTable.all.flatMap(\.names) + [HelpText.keysTopic])
        case .argument(.word(let words)): return CompletionAnswer(names: words)
        case .keyword(let group): return CompletionAnswer(names: group.words)
        default: return nil
        }
    }
}

/// The variables of the session, and those that the shell itself reads.
struct VariableCompletion: CompletionSource {
    let variables: ShellVariables

    func answer(_ target: CompletionContext.Target, _ query: CompletionQuery) -> CompletionAnswer? {
        guard target == .variable else { return nil }
        return CompletionAnswer(names: Array(Set(variables.names + ShellVariables.specials.map(\.name))).sorted())
    }
}
