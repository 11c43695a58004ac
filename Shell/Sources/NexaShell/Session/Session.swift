import NexaClient
import NexaValue

/// The state behind the prompt: a client, the current database and collection, and a question that waits.
actor Session {
    /// What became of a command.
    struct Reply: Sendable {
        var location: Location
        var error: ShellError?
        /// The next line of input is the answer to a question.
        var asksForConfirmation = false
        var leaves = false
    }

    /// What stays the same for all commands.
    struct Settings: Sendable {
        var limit: Int?
        var assumesYes = false
        /// The documents of `import -`; `nil` when standard input is a terminal.
        var input: ByteInput?
        var version = ""
        /// Starts the embedded server again when it is gone; `nil` for any other server, whose client finds it again.
        var reopen: (@Sendable () async -> Result<LocalServer.Running, ShellError>)?
    }

    /// Something that is only done after `yes`.
    enum Confirmable: Sendable {
        case dropDatabase(String)
        case dropCollection(String)
    }

    private(set) var server: LocalServer.Running
    private var hasLostServer = false
    let console: Console
    let settings: Settings
    var location: Location
    private var question: Confirmable?

    var client: NexaClient { server.client }

    init(_ server: LocalServer.Running, _ console: Console, _ settings: Settings, at location: Location) {
        self.server = server
        self.console = console
        self.settings = settings
        self.location = location
    }

    /// What a command leaves behind besides its output.
    enum Effect {
        case none
        case leave
        case ask(Confirmable)
    }

    /// Runs one command.
    func run(_ command: CommandAssembler.Command, interruption: Interruption) async -> Reply {
        await reply { (session) async throws(ShellError) -> Effect in
            if let fault = command.fault { throw ShellError(fault) }
            let word = String(command.text.prefix { !$0.isWhitespace })
            guard let known = CommandTable.find(word) else {
                throw .plain("Unknown command: \(word.lowercased())", hint: "Type 'help' to see available commands")
            }
            try await session.reopenIfLost()
            let call = CommandCall(
                specification: known, arguments: ArgumentReader(command.text), text: command.text,
                interruption: interruption)
            return try await known.action(session, call)
        }
    }

    /// Takes the line that answers the question of the last reply.
    func answer(_ line: String, interruption: Interruption) async -> Reply {
        let question = question
        self.question = nil
        return await reply { (session) async throws(ShellError) -> Effect in
            guard let question else { return .none }
            let isYes = line.trimmed.lowercased() == "yes"
            guard isYes else { throw .plain("Drop cancelled") }
            try await session.confirmed(question)
            return .none
        }
    }

    private func reply(_ body: (isolated Session) async throws(ShellError) -> Effect) async -> Reply {
        do throws(ShellError) {
            switch try await body(self) {
            case .none: return Reply(location: location)
            case .leave: return Reply(location: location, leaves: true)
            case .ask(let question):
                guard !settings.assumesYes else {
                    try await confirmed(question)
                    return Reply(location: location)
                }
                self.question = question
                try show { (console) throws(OutputError) in
                    try console.warning(question.warning)
                    try console.note("Type 'yes' to confirm:", .yellow)
                }
                return Reply(location: location, asksForConfirmation: true)
            }
        } catch {
            if error.exit == .noConnection { hasLostServer = true }
            return Reply(location: location, error: error)
        }
    }

    private func reopenIfLost() async throws(ShellError) {
        guard hasLostServer, let reopen = settings.reopen else { return }
        let lost = server.client
        switch await reopen() {
        case .success(let running): server = running
        case .failure(let error): throw error
        }
        hasLostServer = false
        await lost.shutdown(drainingFor: .zero)
    }

    // MARK: Helpers of the commands

    /// The collection that commands go to.
    func collection() throws(ShellError) -> NexaCollection<Document> {
        guard let name = location.collection else {
            throw .plain("No collection selected. Use 'use <collection>' first.")
        }
        return client.database(location.database).collection(name)
    }

    /// Prints; a failure becomes the command's.
    func show(_ body: (Console) throws(OutputError) -> Void) throws(ShellError) {
        try attempt { () throws(OutputError) in try body(console) }
    }

    /// Calls the server.
    func call<R: Sendable>(_ body: () async throws(NexaError) -> R) async throws(ShellError) -> R {
        do throws(NexaError) {
            return try await body()
        } catch {
            throw ShellError(error)
        }
    }

    /// Reads arguments; a fault in them becomes the command's.
    func parse<R>(_ body: () throws(CommandFault) -> R) throws(ShellError) -> R {
        do throws(CommandFault) {
            return try body()
        } catch {
            throw ShellError(error)
        }
    }
}

extension Session.Confirmable {
    var warning: String {
        switch self {
        case .dropDatabase(let name): "You are about to drop database '\(name)'"
        case .dropCollection(let name): "You are about to drop collection '\(name)'"
        }
    }
}

extension ShellError {
    /// What a call to the server threw: the server's own words where it gave any.
    init(_ error: NexaError) {
        switch error.code {
        case .cancelled: self.init("Cancelled", exit: .interrupted)
        case .connectFailed, .connectionLost, .authenticationFailed, .shutDown, .poolExhausted:
            self.init(error.serverMessage ?? error.message, exit: .noConnection)
        case .timedOut: self.init(error.serverMessage ?? error.message, exit: .timeout)
        default: self.init(error.serverMessage ?? error.message)
        }
        if error.delivery == .maybeExecuted, error.code != .cancelled {
            hint = "The command may have been executed all the same."
        }
    }
}

extension StringProtocol {
    /// The text without blanks at its ends.
    var trimmed: String {
        let start = firstIndex { !$0.isWhitespace } ?? endIndex
        let end = lastIndex { !$0.isWhitespace }.map { index(after: $0) } ?? start
        return String(self[start..<end])
    }
}
