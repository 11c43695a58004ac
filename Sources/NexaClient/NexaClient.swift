import NexaProtocol
import NexaValue

/// A client of NexaDB: a pool of connections that any number of tasks share.
///
/// ```swift
/// let client = try NexaClient(uri: "nexadb://root:secret@localhost:6970/shop")
/// let users = client.database().collection("users", of: User.self)
/// let id = try await users.insert(User(name: "Ada", age: 36))
/// ```
///
/// Connections are opened when they are needed and opened again when they break; there is nothing to start.
/// Cancelling a task returns at once and harms neither the connection nor other calls. Call `shutdown` at the
/// end, or let `run()` do it.
public final class NexaClient: Sendable {
    /// What the client was made with.
    public let configuration: NexaConfiguration
    let core: ClientCore

    /// Makes a client; it connects with the first call, or at once with `minimumConnections`.
    ///
    /// - Parameters:
    ///   - configuration: where the servers are, and how to behave.
    ///   - log: where messages go; nowhere by default.
    ///   - observer: what is told of connections and calls, for metrics.
    public init(_ configuration: NexaConfiguration, log: NexaLog? = nil, observer: (any NexaObserver)? = nil) {
        self.configuration = configuration
        core = ClientCore(configuration, Telemetry(log: log, observer: observer))
        core.start()
    }

    /// Makes a client for a connection URI, such as `nexadb://user:password@host:6970/database`.
    ///
    /// - Throws: `NexaError` with `.invalidConfiguration` that lists every problem of the URI.
    public convenience init(
        uri: String, log: NexaLog? = nil, observer: (any NexaObserver)? = nil
    ) throws(NexaError) {
        self.init(try NexaConfiguration(uri: uri), log: log, observer: observer)
    }

    /// Waits until the task is cancelled, then shuts the client down gracefully. Optional: calls work without it.
    public func run() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        await withTaskCancellationHandler {
            for await _ in stream {}
        } onCancel: {
            continuation.finish()
        }
        await shutdown()
    }

    /// Lets calls on their way finish, for `grace` at most, then closes all connections.
    ///
    /// New calls fail with `.shutDown` at once. Always returns within the grace time; calling it again is harmless.
    public func shutdown(drainingFor grace: Duration = .seconds(10)) async {
        await core.shutdown(drainingFor: grace)
    }

    /// Makes a client for the time of a closure and shuts it down behind it.
    public static func withClient<R>(
        _ configuration: NexaConfiguration, log: NexaLog? = nil, observer: (any NexaObserver)? = nil,
        isolation: isolated (any Actor)? = #isolation, _ body: (NexaClient) async throws -> sending R
    ) async throws -> sending R {
        let client = NexaClient(configuration, log: log, observer: observer)
        do {
            let result = try await body(client)
            await client.shutdown()
            return result
        } catch {
            await client.shutdown(drainingFor: .zero)
            throw error
        }
    }

    /// The client's own thread as an executor: `withTaskExecutorPreference(try client.executor) { … }`.
    ///
    /// Code that makes many small calls saves a change of threads with each of them there. Do not block it: no
    /// connection of this client is served meanwhile.
    /// - Throws: `NexaError` when the client was shut down, or the system gives it no thread.
    public var executor: any TaskExecutor {
        get throws(NexaError) { try core.executor() }
    }

    /// The client's connections at this moment, for metrics.
    public var poolSnapshot: PoolSnapshot { core.poolSnapshot }

    /// A database by name; without a name, that of the configuration.
    public func database(_ name: String? = nil) -> NexaDatabase {
        NexaDatabase(name: name ?? configuration.database, core: core)
    }

    /// A database by name.
    public subscript(name: String) -> NexaDatabase { database(name) }

    /// Asks the server for a sign of life, and returns how long it took.
    ///
    /// - Throws: `NexaError` when no server answers in time.
    @discardableResult
    public func ping(_ options: CallOptions = .standard) async throws(NexaError) -> Duration {
        let start = MonotonicInstant.now
        _ = try await core.reply(to: .ping, operation: "ping", options: options, wantsPayload: false)
        return MonotonicInstant.now - start
    }

    /// Asks the server how long it has been running.
    ///
    /// - Returns: `nil` for an original 3.0 server, which does not say.
    /// - Throws: `NexaError` when no server answers in time.
    public func uptime(_ options: CallOptions = .standard) async throws(NexaError) -> Duration? {
        let reply = try await core.reply(to: .ping, operation: "uptime", options: options)
        // Whatever a peer says must fit into a `Duration`.
        guard let seconds = try reply.fields()["uptime"]?.double, seconds >= 0, seconds < 1e15 else { return nil }
        return .seconds(seconds)
    }

    /// What the server said of itself at login; connects when there is no connection yet.
    ///
    /// - Throws: `NexaError` when no server can be reached.
    public func serverInfo(_ options: CallOptions = .standard) async throws(NexaError) -> ServerInfo {
        ServerInfo(try await core.negotiated(options: options))
    }

    /// The names of the databases that the user may read, in order.
    ///
    /// - Throws: `NexaError` when the call fails.
    public func databaseNames(_ options: CallOptions = .standard) async throws(NexaError) -> [String] {
        let reply = try await core.reply(
            to: .listDatabases(viaCollections: false), operation: "databaseNames", options: options)
        return try reply.names("databases")
    }
}
