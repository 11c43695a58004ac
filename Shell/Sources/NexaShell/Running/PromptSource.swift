/// Lines that a person types.
final class PromptSource: LineSource {
    private let editor: LineEditor
    private let isColoured: Bool
    /// The rest of a paste.
    private var waiting: ArraySlice<Substring> = []
    /// What PROMPT1 says; `nil`: the prompt of the original.
    var template: String?
    private let server: PromptTemplate.Server

    init(_ editor: LineEditor, isColoured: Bool, server: PromptTemplate.Server) {
        self.editor = editor
        self.server = server
        self.isColoured = isColoured
    }

    /// Whether lines of a paste wait: they are not commented on one by one.
    var isPasting: Bool { !waiting.isEmpty }

    func next(_ purpose: LinePurpose) -> LineEvent {
        if let line = waiting.popFirst() { return entered(String(line), purpose) }
        prepareCompletion(purpose)
        switch editor.readLine(LineEditor.Prompt(text: Self.prompt(purpose, template, server), isColoured: isColoured))
        {
        case .line(let text):
            waiting = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
            return entered(waiting.popFirst().map(String.init) ?? "", purpose)
        case .interrupted(let wasEmpty):
            waiting = []
            return .interrupted(wasEmpty: wasEmpty)
        case .end: return .end
        case .signal(let signal): return .signal(signal)
        }
    }

    /// Puts a text at the next prompt, to be changed or run.
    func offer(_ text: String) { editor.offered = text }

    /// Keeps the lines of a command that goes on: completion has to know them.
    private func entered(_ line: String, _ purpose: LinePurpose) -> LineEvent {
        switch purpose {
        case .command: editor.openText = line + "\n"
        case .continuation: if editor.openText.utf8.count < Self.maximumOpenBytes { editor.openText += line + "\n" }
        case .answer: break
        }
        return .line(line)
    }

    /// Of a longer command no more is looked at.
    private static let maximumOpenBytes = 1 << 20

    private func prepareCompletion(_ purpose: LinePurpose) {
        editor.isAnswer = purpose == .answer
        switch purpose {
        case .command(let location):
            editor.openText = ""
            editor.location = location
            // Not for a collection that the next line, typed already, may leave again.
            editor.completer?.catalog.moved(to: location, asksAhead: editor.input.waitingBytes == 0)
        case .continuation(let location): editor.location = location
        case .answer: break
        }
    }

    /// Drops what is left of a paste.
    func discardPaste() { waiting = [] }

    /// The prompt shows where commands go; the database only when it is not the default one.
    static func prompt(
        _ purpose: LinePurpose, _ template: String? = nil, _ server: PromptTemplate.Server = .init(user: "", name: "")
    ) -> String {
        func text(_ location: Location) -> String {
            template.map { PromptTemplate.text($0, location, server) } ?? location.prompt
        }
        switch purpose {
        case .command(let location): return text(location)
        case .continuation(let location):
            return String(repeating: " ", count: max(3, CharacterWidth.of(text(location)) - 5)) + "...> "
        case .answer: return "> "
        }
    }
}

/// The database and the collection that commands go to.
struct Location: Sendable, Equatable {
    var database = "default"
    var collection: String?
    /// Whether they are part of a transaction.
    var isInTransaction = false

    /// `nexa> `, `nexa(movies)> `, `nexa(staging:)> `, `nexa(staging:movies)> `; with a `*` before the `>` in a transaction.
    var prompt: String {
        let name = TerminalText.harmless(collection ?? "")
        let end = isInTransaction ? "*> " : "> "
        if database == "default" { return (collection == nil ? "nexa" : "nexa(\(name))") + end }
        return "nexa(\(TerminalText.harmless(database)):\(name))" + end
    }
}
