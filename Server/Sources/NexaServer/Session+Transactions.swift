import NexaEngine
import NexaProtocol
import NexaTransport
import NexaValue

/// The transaction of a connection. Its reads and writes go through the same calls as all others.
extension Session {
    /// Why a request cannot be part of a transaction; `nil` when it can, or when there is none.
    func refusalInTransaction(_ request: Request) -> RequestError? {
        if let refusedTransaction {
            switch request.type {
            case .ping, .disconnect, .cancel, .commitTransaction, .abortTransaction: return nil
            default: return refusedTransaction
            }
        }
        guard transaction != nil else { return nil }
        switch request.type {
        case .create:
            // A document, not a database or a collection: those are no part of a transaction.
            if case .insert(let insert) = request, CollectionMarker(insert.document) == nil { return nil }
        case .read, .update, .delete, .query, .batchWrite, .updateMany, .deleteMany, .findAndModify, .bulkWrite,
            .aggregate, .distinct, .explain, .vectorSearch, .queryTOON, .exportTOON, .ping, .disconnect,
            .commitTransaction, .abortTransaction, .cancel,
            .listCollections, .listDatabases:
            return nil
        default: break
        }
        return RequestError("\(request.type) cannot be part of a transaction; commit or abort it first")
    }

    /// A transaction could not begin. What its client has sent behind it already is no part of any, and is refused too.
    func refuse(_ begin: Request.BeginTransaction, _ refusal: RequestError) {
        if begin.isPipelined { refusedTransaction = refusal }
    }

    func begin(_ begin: Request.BeginTransaction) {
        guard transaction == nil else {
            let refusal = RequestError("The connection has a transaction already; commit or abort it first")
            refuse(begin, refusal)
            return reply(.failure(refusal))
        }
        do throws(EngineError) {
            let transaction = try shared.engine.beginTransaction()
            self.transaction = transaction
            var limit = shared.configuration.transactionTimeout
            if let wanted = begin.maximumMilliseconds { limit = min(limit, .milliseconds(wanted)) }
            transactionTimer = reactor.schedule(at: .now + limit) { [weak self] in
                // It stays the connection's until the client has been told.
                self?.transactionTimer = nil
                transaction.abort(because: "The transaction took longer than \(limit) and was aborted")
            }
            reply(.fields(["message": "Transaction begun"]))
        } catch {
            refuse(begin, RequestError(error))
            reply(.failure(RequestError(error)))
        }
    }

    func commit(_ commit: Request.CommitTransaction) {
        if let refusal = refusedTransaction {
            // Half of what was meant to be together is worse than nothing.
            endOfTransaction()?.abort()
            return reply(.failure(refusal))
        }
        guard let transaction = endOfTransaction() else { return reply(.failure(Self.noTransaction)) }
        let slot = begin(.write)
        transaction.commit(durability: durability(commit.durability), isDeferred: true) { [self] result in
            complete(slot, with: PendingReply(result) { .fields(["message": "Transaction committed"]) })
        }
    }

    func abortTransaction() {
        let wasRefused = refusedTransaction != nil
        let transaction = endOfTransaction()
        guard transaction != nil || wasRefused else { return reply(.failure(Self.noTransaction)) }
        transaction?.abort()
        reply(.fields(["message": "Transaction aborted"]))
    }

    /// Takes the transaction from the connection. What is left undone is aborted by whoever lets go of it.
    func endOfTransaction() -> Transaction? {
        refusedTransaction = nil
        if let transactionTimer { reactor.cancel(transactionTimer) }
        transactionTimer = nil
        defer { transaction = nil }
        return transaction
    }

    private static var noTransaction: RequestError {
        RequestError("The connection has no transaction", code: .noTransaction)
    }
}
