import NexaClient

/// `begin`, `commit` and `rollback`.
extension Session {
    func begin(_ call: CommandCall) async throws(ShellError) {
        let arguments = try CommandArguments(call)
        try arguments.end()
        guard transaction == nil else {
            throw .plain("There is an open transaction already", hint: "End it with 'commit' or 'rollback' first.")
        }
        let seconds = try arguments.number(of: "--timeout", in: 1...86_400)
        let durability = try arguments.choice(
            of: "--durability", CallOptions.Durability.init(rawValue:), ["sync", "os"])
        let options = TransactionOptions(
            durability: durability, timeout: seconds.map { .seconds($0) }, maximumAttempts: 1)
        let client = client
        transaction = try await self.call { () async throws(NexaError) in
            try await OpenTransaction.begin(client, options)
        }
        try show { (console) throws(OutputError) in try console.success("Transaction begun") }
    }

    func commit() async throws(ShellError) {
        let open = try takeTransaction()
        do throws(NexaError) {
            try await open.commit()
        } catch {
            var failure = ShellError(error)
            switch error.code {
            case .writeConflict:
                failure.hint = "Nothing of it was done. Begin it again, and run its commands again."
            case .cancelled where error.delivery == .maybeExecuted:
                failure.message = "Cancelled; whether the transaction was committed is not known"
            default: if error.delivery == .answered { failure.hint = "Nothing of it was done." }
            }
            throw failure
        }
        try show { (console) throws(OutputError) in try console.success("Transaction committed") }
    }

    func rollBack() async throws(ShellError) {
        await (try takeTransaction()).rollBack()
        try show { (console) throws(OutputError) in try console.success("Transaction rolled back") }
    }

    private func takeTransaction() throws(ShellError) -> OpenTransaction {
        guard let open = transaction else {
            throw .plain("There is no open transaction", hint: "'begin' begins one.")
        }
        transaction = nil
        lastPage = nil  // it reads in the transaction
        return open
    }

    /// Rolls back what is still open; returns whether there was something.
    func abandonTransaction() async -> Bool {
        guard let open = transaction else { return false }
        transaction = nil
        lastPage = nil
        await open.rollBack()
        return true
    }

    /// Refuses commands that cannot be part of the open transaction.
    func checkTransaction(_ command: CommandSpecification) throws(ShellError) {
        guard transaction != nil, command.isWrite else { return }
        switch command.section {
        case .documents, .queries, .transactions: return
        case .data where command.names.first == "import": return
        default:
            throw .plain(
                "\(command.name) cannot be part of a transaction", hint: "End it with 'commit' or 'rollback' first.")
        }
    }

    /// What an error of the server means for the open transaction: after some it is over.
    func noteTransaction(_ error: NexaError) {
        guard transaction != nil else { return }
        switch error.code {
        case .noTransaction, .writeConflict, .connectionLost, .connectFailed, .shutDown: transactionIsOver = true
        default: break
        }
    }

    /// Ends a transaction that an error has ended on the server; says so in the error.
    func endLostTransaction(_ error: ShellError) async -> ShellError {
        guard transactionIsOver else { return error }
        transactionIsOver = false
        guard await abandonTransaction() else { return error }
        var error = error
        let lines = [error.hint, "The transaction was rolled back; 'begin' begins another one."].compactMap { $0 }
        error.hint = lines.joined(separator: "\n")
        return error
    }
}
