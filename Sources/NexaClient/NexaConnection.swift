import NexaProtocol

/// One connection, lent for the time of a closure. Calls made on it from one task are executed in order.
///
/// When it breaks, its calls fail and nothing is sent again: what they have in common would be lost.
public final class NexaConnection: Sendable {
    let core: ClientCore
    private let lease: ConnectionLease
    private let defaultDatabase: String

    init(_ lease: ConnectionLease, database: String) {
        self.lease = lease
        core = lease.core
        defaultDatabase = database
    }

    /// What the server of this connection said of itself at login.
    public var serverInfo: ServerInfo { ServerInfo(lease.server) }

    /// A database by name; without a name, that of the configuration.
    public func database(_ name: String? = nil) -> NexaDatabase {
        NexaDatabase(name: name ?? defaultDatabase, core: core)
    }

    /// A database by name.
    public subscript(name: String) -> NexaDatabase { database(name) }

    /// Asks the server for a sign of life, and returns how long it took.
    ///
    /// - Throws: `NexaError` when it does not answer in time.
    @discardableResult
    public func ping(_ options: CallOptions = .standard) async throws(NexaError) -> Duration {
        let start = MonotonicInstant.now
        _ = try await core.reply(to: .ping, operation: "ping", options: options)
        return MonotonicInstant.now - start
    }
}

extension NexaClient {
    /// Lends a connection to a closure, for calls that shall be executed in order, or be away from all others.
    ///
    /// ```swift
    /// try await client.withConnection { connection in
    ///     let users = connection.database().collection("users")
    ///     try await users.update("ada", set: ["seen": 1])
    ///     return try await users["ada"]
    /// }
    /// ```
    ///
    /// All connections of the pool but one can be lent at a time. With `maximumConnections = 1` the closure must
    /// not call the client itself, which would wait for the connection in vain.
    /// - Parameters:
    ///   - options: how long to wait for the connection.
    ///   - isolation: where the closure runs: with its caller.
    ///   - body: what to do with the connection.
    /// - Throws: `NexaError` when no connection can be had in time, and what the closure throws.
    public func withConnection<R>(
        _ options: CallOptions = .standard, isolation: isolated (any Actor)? = #isolation,
        _ body: (NexaConnection) async throws -> sending R
    ) async throws -> sending R {
        let lease = try await core.lease(operation: "withConnection", options: options)
        defer { lease.release() }
        return try await body(NexaConnection(lease, database: configuration.database))
    }

    /// Replaces all connections, as after a change of the password or of the primary server.
    ///
    /// Those without calls close at once, the others when their calls have ended; no call fails.
    public func replaceConnections() {
        core.replaceConnections()
    }
}

extension ServerInfo {
    init(_ negotiated: Negotiated) {
        self.init(
            version: negotiated.serverVersion, capabilities: negotiated.capabilities, username: negotiated.username,
            role: negotiated.role, endpoint: negotiated.endpoint)
    }
}

extension ClientCore {
    func replaceConnections() {
        guard let driver = try? driver("replaceConnections") else { return }
        driver.step { state, effects in
            var actions: [Pool.Action] = []
            state.pool.clear(at: .now, into: &actions)
            driver.carry(actions, &state, &effects)
            driver.serve(&state, &effects)
        }
    }
}
