public import NexaEngine
import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// A NexaDB server inside this process: what `nexadb` runs, and what tests and Swift programs start.
///
/// ```swift
/// let server = try await NexaServer.start(.ephemeral(dataDirectory: "/tmp/example"))
/// let client = try NexaClient(uri: "nexadb://root:secret@127.0.0.1:\(server.port ?? 0)")
/// …
/// await server.shutdown()
/// ```
///
/// An acknowledged write is on the disk: the process may end at any moment without losing one.
public final class NexaServer: Sendable {
    /// The TCP port that the server listens on, or `nil` without TCP.
    public let port: UInt16?
    /// The Unix socket that the server listens on, if any.
    public let socketPath: String?
    /// The password made for `root` when the data directory was new and none was given.
    public let generatedRootPassword: String?
    /// The engine, for programs that work on the documents without a connection.
    public let engine: Engine

    private let shared: ServerShared
    private let contexts: [ReactorContext]
    private let listeners: Mutex<[Listening]>
    private let lifecycle: Lifecycle

    private struct Listening: Sendable {
        let close: @Sendable () -> Void
    }

    /// Starts a server and returns when it accepts connections.
    ///
    /// - Throws: `ServerError` when the data directory or an address cannot be used; nothing is left behind then.
    public static func start(_ configuration: Configuration) async throws(ServerError) -> NexaServer {
        let result: Result<NexaServer, ServerError> = await onThread { () throws(ServerError) in
            try startBlocking(configuration)
        }
        return try result.get()
    }

    /// Starts a server on the calling thread and returns when it accepts connections.
    ///
    /// - Throws: `ServerError` when the data directory or an address cannot be used; nothing is left behind then.
    public static func startBlocking(_ configuration: Configuration) throws(ServerError) -> NexaServer {
        try NexaServer(configuration)
    }

    /// Checks what can be checked of a configuration without starting: its limits, the certificates and their key.
    ///
    /// - Throws: `ServerError` that names what is wrong.
    public static func check(_ configuration: Configuration) throws(ServerError) {
        try configuration.check()
        if let files = configuration.tls { _ = try ServerTLS(files) }
    }

    private init(_ configuration: Configuration) throws(ServerError) {
        try configuration.check()
        let tls = try configuration.tls.map { (files) throws(ServerError) in try ServerTLS(files) }
        ProcessInfo.raiseDescriptorLimit()
        let changes = ChangeHub()
        let userChanges = UserChangeHub()
        let (engine, generatedPassword) = try Self.openEngine(configuration, changes, userChanges)
        self.engine = engine
        generatedRootPassword = generatedPassword
        let lifecycle = Lifecycle(exitWhenIdle: configuration.exitWhenIdle)
        self.lifecycle = lifecycle
        var reactors: [Reactor] = []
        do {
            let workers = try WorkerPool(threads: configuration.workers, maximumJobs: 10_000)
            shared = ServerShared(
                configuration, engine: engine, workers: workers, changes: changes, userChanges: userChanges, tls: tls
            ) { left in
                if left == 0 { lifecycle.becameIdle() }
            }
            for number in 0..<max(1, configuration.reactors) {
                reactors.append(try Reactor(name: "nexa-reactor-\(number)"))
            }
            contexts = reactors.map { [shared] in ReactorContext(shared, reactor: $0) }
            let acceptor = Acceptor(shared: shared, contexts: contexts, lifecycle: lifecycle)
            let tcp = try configuration.host.map { try acceptor.listen(host: $0, port: configuration.port) }
            let unix = try configuration.socketPath.map { try acceptor.listen(path: $0) }
            port = tcp?.port
            socketPath = configuration.socketPath
            listeners = Mutex([tcp?.close, unix?.close].compactMap { $0 }.map(Listening.init(close:)))
        } catch {
            for reactor in reactors { reactor.shutdown() }
            engine.close()
            throw error as? ServerError ?? ServerError(.cannotListen, "\(error)")
        }
        lifecycle.started()
        configuration.log(
            .info, "ready",
            [
                ("data", configuration.dataDirectory), ("port", port.map { "\($0)" } ?? "none"),
                ("tls", tls == nil ? "off" : "on")
            ]
                + (socketPath.map { [("socket", $0)] } ?? []))
    }

    /// The connections that are open now.
    public var connectionCount: Int { shared.connectionCount.load(ordering: .relaxed) }

    /// Reads the files of TLS again, for connections from now on: certificates can be renewed while the server runs.
    ///
    /// - Throws: `ServerError` when a file cannot be used; the old certificates stay then.
    public func reloadCertificates() throws(ServerError) {
        do throws(ServerError) {
            try shared.tls?.reload()
            if shared.tls != nil { shared.configuration.log(.info, "certificates were read again") }
        } catch {
            shared.configuration.log(.error, "the old certificates stay", [("reason", error.message)])
            throw error
        }
    }

    /// Returns when something asked the server to leave: `requestShutdown`, or the last connection with `exitWhenIdle`.
    public func waitUntilShutdownRequested() {
        lifecycle.wait()
    }

    /// Lets `waitUntilShutdownRequested` return.
    public func requestShutdown() {
        lifecycle.request()
    }

    /// Stops accepting, answers what was received, closes the connections and the engine.
    ///
    /// Returns within the grace time of the configuration, with connections that did not finish cut off.
    /// Calling it again waits for the first call.
    public func shutdown() async {
        _ = await Self.onThread { [self] () throws(ServerError) in shutdownBlocking() }
    }

    /// Runs what blocks on a thread of its own: a task must not block.
    private static func onThread<Success: Sendable>(
        _ body: @escaping @Sendable () throws(ServerError) -> Success
    ) async -> Result<Success, ServerError> {
        await withCheckedContinuation { continuation in
            do throws(TransportError) {
                let thread = try SystemThread(name: "nexa-lifecycle") {
                    continuation.resume(returning: Result(catching: body))
                }
                thread.detach()
            } catch {
                continuation.resume(returning: Result(catching: body))
            }
        }
    }

    /// `shutdown()` on the calling thread, which must not be one of the server's own.
    public func shutdownBlocking() {
        guard lifecycle.beginShutdown() else { return }
        for listener in listeners.withLock({ $0 }) { listener.close() }
        for context in contexts {
            context.reactor.execute { context.drain() }
        }
        let deadline = ContinuousClock.now + shared.configuration.shutdownGrace
        while connectionCount > 0, ContinuousClock.now < deadline { lifecycle.pause(milliseconds: 2) }
        if connectionCount > 0 {
            shared.configuration.log(.warning, "cutting off connections", [("count", "\(connectionCount)")])
        }
        shared.isStopping.store(true, ordering: .relaxed)
        shared.workers.shutdown()
        for context in contexts { context.reactor.shutdown() }
        engine.close()
        shared.configuration.log(.info, "stopped")
        lifecycle.endShutdown()
    }

    private static func openEngine(
        _ configuration: Configuration, _ changes: ChangeHub, _ userChanges: UserChangeHub
    ) throws(ServerError) -> (Engine, String?) {
        do throws(EngineError) {
            var options = configuration.engine
            let log = configuration.log
            let onNotice = options.onNotice
            options.onNotice = { notice in
                log(notice.isWarning ? .warning : .info, "storage", [("notice", notice.message)])
                onNotice(notice)
            }
            options.onCommit = { [onCommit = options.onCommit] in
                changes.committed()
                onCommit()
            }
            options.onUsersChange = { [onUsersChange = options.onUsersChange] in
                userChanges.changed()
                onUsersChange()
            }
            let engine = try Engine.open(at: configuration.dataDirectory, options: options)
            let password = try engine.bootstrapRoot(
                password: configuration.insecureDefaults ? "nexadb123" : configuration.rootPassword)
            return (engine, password)
        } catch {
            throw ServerError(.cannotOpenData, error.description)
        }
    }
}

/// Why a server could not start.
public struct ServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What could not be done.
    public enum Code: Sendable, Hashable {
        case invalidConfiguration
        case cannotOpenData
        case cannotListen
    }

    /// What could not be done.
    public let code: Code
    /// Why, and what to do about it.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

extension NexaServer.Configuration {
    func check() throws(ServerError) {
        guard host != nil || socketPath != nil else {
            throw ServerError(.invalidConfiguration, "Nothing to listen on: give a host, a socket path, or both")
        }
        guard tls == nil || host != nil else {
            throw ServerError(.invalidConfiguration, "TLS is for the TCP port: give a host, or leave TLS out")
        }
        if insecureDefaults, let host, !["127.0.0.1", "::1", "localhost"].contains(host) {
            throw ServerError(
                .invalidConfiguration,
                "--insecure-defaults gives root a password that everyone knows; it needs a loopback --host, not '\(host)'"
            )
        }
    }
}
