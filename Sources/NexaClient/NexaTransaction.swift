import NexaProtocol
public import NexaValue

/// A transaction, lent for the time of a closure: everything read and written through it is of one moment, and
/// becomes visible together or not at all.
///
/// Reads see the state as of the first call and the transaction's own writes. Calls made on the client instead of the
/// transaction are not part of it.
public final class NexaTransaction: Sendable {
    private let core: ClientCore
    private let defaultDatabase: String
    /// How often the closure was run before, because other writers came first.
    public let attempt: Int

    init(_ core: ClientCore, database: String, attempt: Int) {
        self.core = core
        defaultDatabase = database
        self.attempt = attempt
    }

    /// A database by name; without a name, that of the configuration.
    public func database(_ name: String? = nil) -> NexaDatabase {
        NexaDatabase(name: name ?? defaultDatabase, core: core)
    }

    /// A database by name.
    public subscript(name: String) -> NexaDatabase { database(name) }

    /// A collection of the configuration's database, of free documents.
    public func collection(_ name: String) -> NexaCollection<Document> { database().collection(name) }

    /// A collection of the configuration's database.
    public func collection<Model: NexaModel>(_ name: String, of model: Model.Type) -> NexaCollection<Model> {
        database().collection(name, of: model)
    }
}

/// How a transaction is made.
public struct TransactionOptions: Sendable {
    /// How safe the commit must be before it is acknowledged; `nil` for the server's default.
    public var durability: CallOptions.Durability?
    /// The server aborts the transaction when it takes longer; its own limit, 60 seconds unless configured, stays.
    public var timeout: Duration?
    /// How often the closure is run, if other writers come first each time. Default 20.
    public var maximumAttempts: Int

    /// Creates options.
    public init(durability: CallOptions.Durability? = nil, timeout: Duration? = nil, maximumAttempts: Int = 20) {
        self.durability = durability
        self.timeout = timeout
        self.maximumAttempts = max(1, maximumAttempts)
    }
}

extension NexaClient {
    /// Runs a closure in a transaction, and commits what it did when it returns; when it throws, nothing was done.
    ///
    /// ```swift
    /// try await client.withTransaction { transaction in
    ///     let accounts = transaction.collection("accounts", of: Account.self)
    ///     guard let from = try await accounts["ada"], from.balance >= 10 else { throw Refused() }
    ///     try await accounts.update("ada", set: ["balance": .int(from.balance - 10)])
    ///     …
    /// }
    /// ```
    ///
    /// When somebody else changed a document that the transaction writes, the closure is run again from its
    /// beginning, in a new transaction, so it should have no other effects than those on the database.
    /// The isolation is that of a snapshot: two transactions that read the same documents and write different ones
    /// may both succeed.
    /// - Parameters:
    ///   - options: durability, time and number of attempts.
    ///   - isolation: where the closure runs: with its caller.
    ///   - body: what to do; it gets the transaction.
    /// - Throws: what the closure throws; `NexaError`: `.writeConflict` when the last attempt met one too,
    ///   `.noTransaction` when it took too long, `.unsupported` before anything is sent. `.connectionLost` with the
    ///   delivery `.maybeExecuted` means that the connection broke during the commit.
    public func withTransaction<R>(
        _ options: TransactionOptions = TransactionOptions(), isolation: isolated (any Actor)? = #isolation,
        _ body: (NexaTransaction) async throws -> sending R
    ) async throws -> sending R {
        let lease = try await core.lease(operation: "withTransaction", options: .standard)
        defer { lease.release() }
        let session = TransactionSession(lease, options)
        var attempt = 0
        while true {
            attempt += 1
            try await session.begin()
            let result: R
            do {
                result = try await body(
                    NexaTransaction(lease.core, database: configuration.database, attempt: attempt - 1))
            } catch let error as NexaError where error.code == .writeConflict && attempt < options.maximumAttempts {
                await session.abort()
                try await session.pause(before: attempt + 1)
                continue
            } catch {
                await session.abort()
                throw error
            }
            do throws(NexaError) {
                try await session.commit()
                return result
            } catch {
                guard error.code == .writeConflict, attempt < options.maximumAttempts else { throw error }
                try await session.pause(before: attempt + 1)
            }
        }
    }
}

/// The messages of one transaction after the other on a connection.
private struct TransactionSession: Sendable {
    let lease: ConnectionLease
    let options: TransactionOptions

    init(_ lease: ConnectionLease, _ options: TransactionOptions) {
        self.lease = lease
        self.options = options
    }

    func begin() async throws(NexaError) {
        var begin = Request.BeginTransaction(
            maximumMilliseconds: options.timeout.map { Int(clamping: Int64($0 / .milliseconds(1))) })
        if lease.server.granted.contains(.pipelinedTransactions) {
            // It goes with the first request, which fails if it does: a round trip less.
            begin.isPipelined = true
            return try lease.lead(with: .beginTransaction(begin), operation: "beginTransaction", options: .standard)
        }
        do throws(NexaError) {
            _ = try await lease.core.reply(
                to: .beginTransaction(begin), operation: "beginTransaction", options: .standard)
        } catch {
            // Whether it was begun is not known, and the next user of the connection must not be in it.
            if error.delivery == .maybeExecuted { lease.discard() }
            throw error
        }
    }

    func commit() async throws(NexaError) {
        let commit = Request.CommitTransaction(durability: CallOptions(durability: options.durability).wireDurability)
        do throws(NexaError) {
            _ = try await lease.core.reply(
                to: .commitTransaction(commit), operation: "commitTransaction", options: .standard)
        } catch {
            if error.delivery != .answered { lease.discard() }
            throw error
        }
    }

    /// Ends the transaction on the server, also when the task is cancelled; otherwise the connection goes.
    func abort() async {
        let core = lease.core
        let isAborted = await Task {
            do throws(NexaError) {
                _ = try await core.reply(
                    to: .abortTransaction, operation: "abortTransaction", options: CallOptions(timeout: .seconds(2)))
                return true
            } catch {
                return error.code == .noTransaction
            }
        }.value
        if !isAborted { lease.discard() }
    }

    /// Lets the others finish: a random time that grows with the number of attempts.
    func pause(before attempt: Int) async throws(NexaError) {
        let most = 0.5 * Double(1 << min(attempt, 8))
        do {
            try await Task.sleep(for: .milliseconds(Double.random(in: 0...most)))
        } catch {
            throw NexaError(.cancelled, "The task was cancelled", delivery: .notSent, operation: "withTransaction")
        }
    }
}
