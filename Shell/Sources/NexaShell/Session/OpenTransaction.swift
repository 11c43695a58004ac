import NexaClient

/// A transaction that lasts from `begin` to `commit` or `rollback`, over any number of commands.
///
/// The client lends a transaction for the time of a closure; a task of its own keeps that closure waiting. When nobody
/// refers to the transaction any more, it is rolled back.
final class OpenTransaction: Sendable {
    /// Reads and writes in the transaction.
    let handle: NexaTransaction
    private let wishes: AsyncStream<Bool>.Continuation
    private let task: Task<Void, any Error>

    private struct RolledBack: Error {}

    private init(_ handle: NexaTransaction, _ wishes: AsyncStream<Bool>.Continuation, _ task: Task<Void, any Error>) {
        self.handle = handle
        self.wishes = wishes
        self.task = task
    }

    deinit { wishes.finish() }

    /// Begins a transaction.
    ///
    /// - Throws: `NexaError`, `.unsupported` when the server has no transactions.
    static func begin(_ client: NexaClient, _ options: TransactionOptions) async throws(NexaError) -> OpenTransaction {
        let (started, start) = AsyncStream.makeStream(of: NexaTransaction.self)
        let (wishes, wish) = AsyncStream.makeStream(of: Bool.self)
        let task = Task<Void, any Error> {
            defer { start.finish() }
            try await client.withTransaction(options) { transaction in
                start.yield(transaction)
                start.finish()
                for await commits in wishes {
                    if commits { return }
                    break
                }
                throw RolledBack()
            }
        }
        for await handle in started { return OpenTransaction(handle, wish, task) }
        // Ctrl-C came, or it could not be begun.
        if Task.isCancelled { task.cancel() }
        switch await task.result {
        case .failure(let error as NexaError): throw error
        default: throw NexaError(.cancelled, "The command was cancelled", operation: "beginTransaction")
        }
    }

    /// Makes everything that was done visible.
    ///
    /// - Throws: `NexaError`, `.writeConflict` when somebody else was first; nothing was done then.
    func commit() async throws(NexaError) {
        wishes.yield(true)
        // Ctrl-C ends the waiting for the server's answer.
        let task = task
        switch await withTaskCancellationHandler(operation: { await task.result }, onCancel: { task.cancel() }) {
        case .success: return
        case .failure(let error as NexaError): throw error
        case .failure: throw NexaError(.noTransaction, "The transaction was rolled back", operation: "commit")
        }
    }

    /// Undoes everything.
    func rollBack() async {
        wishes.yield(false)
        _ = await task.result
    }
}
