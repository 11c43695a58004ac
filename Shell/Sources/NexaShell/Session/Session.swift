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
        /// What the loop has to do.
        var request: LoopRequest?
        /// How many documents were shown, where there were any to show.
        var documentCount: Int?
    }

    /// What stays the same for all commands.
    struct Settings: Sendable {
        var limit: Int?
        var assumesYes = false
        /// The documents of `import -`; `nil` when standard input is a terminal.
        var input: ByteInput?
        var version = ""
        /// Completion at the prompt; `nil` where there is none.
        var completion: CompletionService?
        /// What is shown above the prompt; `nil` where there is none.
        var notices: NoticeBoard?
        /// Commands that write are refused.
        var isReadOnly = false
        /// Starts the embedded server again when it is gone; `nil` for any other server, whose client finds it again.
        var reopen: (@Sendable () async -> Result<LocalServer.Running, ShellError>)?
    }

    /// Something that is only done after `yes`.
    enum Confirmable: Sendable {
        case dropDatabase(String)
        case dropCollection(String)
        case deleteDocuments(Filter, count: Int, collection: String)
        case dropUser(String)
    }

    private(set) var server: LocalServer.Running
    private var hasLostServer = false
    let console: Console
    let settings: Settings
    var location: Location
    /// The last query that was shown, for `it`.
    var lastPage: QueryPage?
    /// `$name` in commands.
    nonisolated let variables: ShellVariables
    /// The `\if` blocks that are open.
    nonisolated let conditionals = Conditionals()
    /// How many documents the command showed; for `\watch m=N`.
    var documentCount: Int?
    /// What `begin` began; commands go through it.
    var transaction: OpenTransaction?
    /// What `watch … &` began; it may have ended by itself.
    var backgroundWatch: BackgroundWatch?
    /// Whether an error of the server has ended the transaction.
    var transactionIsOver = false
    private var question: Confirmable?
    /// What the password is for that the loop asks for.
    var passwordPurpose: PasswordPurpose?

    var client: NexaClient { server.client }

    init(
        _ server: LocalServer.Running, _ console: Console, _ settings: Settings, at location: Location,
        variables: ShellVariables = ShellVariables()
    ) {
        self.server = server
        self.variables = variables
        self.console = console
        self.settings = settings
        self.location = location
    }

    /// What a new password is for.
    enum PasswordPurpose: Sendable {
        case create(user: String, role: NexaUsers.Role, grants: [String: NexaUsers.Access]?)
        case change(user: String)
    }

    /// What a command leaves behind besides its output.
    enum Effect {
        case none
        case leave
        case ask(Confirmable)
        case loop(LoopRequest)
    }

    /// Runs one command.
    ///
    /// - Parameter isPaged: whether output that does not fit on the screen may go to a pager.
    func run(
        _ command: CommandAssembler.Command, interruption: Interruption, isPaged: Bool = true
    ) async -> Reply {
        await showing(isPaged ? command.specification : nil, interruption) { (session) in
            await session.carryOut(command, interruption)
        }
    }

    private func carryOut(_ command: CommandAssembler.Command, _ interruption: Interruption) async -> Reply {
        await reply { (session) async throws(ShellError) -> Effect in
            let known = command.specification
            if session.conditionals.isSkipping, known?.isConditional != true { return .none }
            if let fault = command.fault { throw ShellError(fault).suggesting(repairOf: command.text) }
            guard let known else { throw .unknownCommand(command.word, in: command.text) }
            if session.settings.isReadOnly, known.isWrite { throw .readOnly(known) }
            let expansion: VariableExpansion?
            if known.isConditional || known.isRawLine {
                expansion = nil
            } else {
                expansion = try session.parse { () throws(CommandFault) in try session.variables.expand(command.text) }
            }
            let text = expansion?.text ?? command.text
            try session.checkTransaction(known)
            if session.needsServer(known) { try await session.reopenIfLost() }
            session.documentCount = nil
            let call = CommandCall(
                specification: known, arguments: ArgumentReader(text), text: text, interruption: interruption)
            // Also when it failed: it may have been carried out in part.
            defer { if known.isWrite { session.settings.completion?.catalog.noteWrite() } }
            do throws(ShellError) {
                let effect = try await known.action(session, call)
                await session.hintAtNearName(known, text)
                session.hintAtNearField(known, call.arguments)
                return effect
            } catch {
                throw await session.explained(error, known, text, expansion)
            }
        }
    }

    /// Whether a command has to do with the server: commands of scripts have not.
    private func needsServer(_ command: CommandSpecification) -> Bool {
        command.section != .scripts && command.section != .output
    }

    /// Takes the line that answers the question of the last reply.
    func answer(_ line: String, interruption: Interruption) async -> Reply {
        let question = question
        self.question = nil
        return await reply { (session) async throws(ShellError) -> Effect in
            guard let question else { return .none }
            let isYes = line.trimmed.lowercased() == "yes"
            guard isYes else { throw .plain(question.refusal) }
            defer { session.settings.completion?.catalog.noteWrite() }
            try await session.doConfirmed(question)
            return .none
        }
    }

    /// Takes the password that the last reply asked for, or why there is none.
    func answer(password: Result<String, ShellError>) async -> Reply {
        let purpose = passwordPurpose
        passwordPurpose = nil
        return await reply { (session) async throws(ShellError) -> Effect in
            guard let purpose else { return .none }
            try await session.setPassword(try password.get(), purpose)
            return .none
        }
    }

    private func reply(_ body: (isolated Session) async throws(ShellError) -> Effect) async -> Reply {
        do throws(ShellError) {
            switch try await body(self) {
            case .none: return Reply(location: place, documentCount: documentCount)
            case .loop(let request): return Reply(location: place, request: request)
            case .leave: return Reply(location: place, leaves: true)
            case .ask(let question):
                guard !settings.assumesYes else {
                    try await doConfirmed(question)
                    return Reply(location: place)
                }
                self.question = question
                try show { (console) throws(OutputError) in
                    try console.warning(question.warning)
                    try console.note("Type 'yes' to confirm:", .yellow)
                }
                return Reply(location: place, asksForConfirmation: true)
            }
        } catch {
            if error.exit == .noConnection { hasLostServer = true }
            let error = await endLostTransaction(error)
            return Reply(location: place, error: error)
        }
    }

    /// Where commands go, as the prompt shows it.
    private var place: Location {
        var place = location
        place.isInTransaction = transaction != nil
        return place
    }

    /// Goes on with another connection, as the reply to `\connect`.
    func connected(_ running: LocalServer.Running, at location: Location?) async -> Reply {
        if await abandonTransaction() {
            try? console.warning("The open transaction was rolled back")
        }
        await adopt(running, at: location)
        return Reply(location: self.location)
    }

    /// Goes on with another connection.
    func adopt(_ running: LocalServer.Running, at location: Location?) async {
        await stopBackgroundWatch()
        let left = server.client
        server = running
        hasLostServer = false
        lastPage = nil
        if let location { self.location = location }
        await settings.completion?.connected(running.client.configuration)
        await left.shutdown(drainingFor: .zero)
    }

    /// Starts the server of a folder again, which a command found gone.
    func reopenLostServer() async throws(ShellError) {
        hasLostServer = true
        try await reopenIfLost()
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
        return database().collection(name)
    }

    /// The database that commands go to.
    func database() -> NexaDatabase { database(location.database) }

    /// A database, within the transaction if there is one.
    func database(_ name: String) -> NexaDatabase {
        transaction?.handle.database(name) ?? client.database(name)
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
            noteTransaction(error)
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
        case .deleteDocuments(_, let count, let name):
            "You are about to delete \(count) document(s) of collection '\(name)'"
        case .dropUser(let name): "You are about to drop user '\(name)' with all API keys"
        }
    }

    /// What is said when the answer is not yes.
    var refusal: String {
        switch self {
        case .dropDatabase, .dropCollection, .dropUser: "Drop cancelled"
        case .deleteDocuments: "Delete cancelled"
        }
    }
}

extension Session.PasswordPurpose {
    var user: String {
        switch self {
        case .create(let user, _, _), .change(let user): user
        }
    }
}

extension ShellError {
    /// What a call to the server threw: the server's own words where it gave any.
    init(_ error: NexaError) {
        switch error.code {
        case .cancelled: self.init("Cancelled", exit: .interrupted)
        // Of the client's settings a person knows nothing: nobody else uses its connections.
        case .poolExhausted: self.init("The server does not answer", exit: .noConnection)
        case .connectFailed, .connectionLost, .authenticationFailed, .shutDown:
            self.init(error.serverMessage ?? error.message, exit: .noConnection)
        case .timedOut: self.init(error.serverMessage ?? error.message, exit: .timeout)
        default: self.init(error.serverMessage ?? error.message)
        }
        code = error.code.description
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
