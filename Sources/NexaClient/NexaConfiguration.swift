import NexaProtocol

/// Where the servers are and how a client behaves.
public struct NexaConfiguration: Sendable, Hashable {
    /// The address of one server.
    public enum Endpoint: Sendable, Hashable, CustomStringConvertible {
        /// A host name or an IP address, and a port.
        case tcp(host: String, port: Int)
        /// The path of a Unix socket. A server of the same user asks for no password there.
        case unix(path: String)

        /// As it stands in a URI.
        public var description: String {
            switch self {
            case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .unix(let path): path
            }
        }
    }

    /// Who logs in.
    public struct Credentials: Sendable, Hashable, CustomStringConvertible {
        /// The user.
        public var username: String
        /// The password; `nil` for a Unix socket whose server trusts its own user.
        public var password: String?

        /// Creates credentials.
        public init(username: String, password: String?) {
            self.username = username
            self.password = password
        }

        /// The user name; never the password.
        public var description: String { password == nil ? username : "\(username):…" }
    }

    /// How many connections, and how long callers wait for one.
    public struct Pool: Sendable, Hashable {
        /// So many connections are kept open even when nobody uses them, from the making of the client on.
        public var minimumConnections = 0
        /// At most so many connections are open.
        public var maximumConnections = 16
        /// At most so many connections are being opened at the same time.
        public var maximumConcurrentConnects = 2
        /// At most so many callers wait for a connection; the next one fails at once.
        public var maximumWaiters = 1024
        /// How long a caller waits for a connection.
        public var acquireTimeout: Duration = .seconds(5)
        /// A connection without traffic is closed after this time; `nil` for never.
        public var idleTimeout: Duration? = .seconds(60)
        /// A connection is replaced after this time, so that new servers get their share; `nil` for never.
        public var maximumLifetime: Duration? = .seconds(3600)
        /// By which part the lifetime of each connection differs at most, so that they do not all end at once.
        public var lifetimeJitter = 0.1
        /// After so much time without a byte from the server, it is asked for a sign of life; `nil` for never.
        public var keepAliveInterval: Duration? = .seconds(30)
        /// At most so many requests are on their way on one connection.
        public var pipelineDepth = 256

        /// The defaults.
        public init() {}
    }

    /// How long to wait before trying a server again that could not be reached.
    public struct Backoff: Sendable, Hashable {
        /// The longest wait after the first failure; the actual one is a random part of it, and it doubles each time.
        public var initial: Duration = .milliseconds(50)
        /// The longest wait.
        public var maximum: Duration = .seconds(2)
        /// After so many failures in a row callers are told of the failure at once instead of waiting, except for
        /// those who find out whether the server is back.
        public var failuresUntilBreak = 8

        /// The defaults.
        public init() {}
    }

    /// When a call whose connection broke is sent again. It always is when nothing of it had left.
    public struct Retry: Sendable, Hashable {
        /// How often a call is sent at most, the first time included.
        public var maximumAttempts = 3
        /// Whether calls that only read are sent again.
        public var retriesReads = true

        /// The defaults.
        public init() {}
    }

    /// Whether connections are encrypted.
    ///
    /// There is no "if the server can": whoever sits in between could answer that it cannot.
    public enum TLS: Sendable, Hashable {
        /// Nothing is encrypted.
        case disabled
        /// Everything is, and the server's certificate is verified, always.
        case required(TLSOptions = TLSOptions())
    }

    /// Whom to trust, and as whom to appear. Files are in PEM and read when the client connects first.
    public struct TLSOptions: Sendable, Hashable {
        /// The certificates of the authorities to trust; `nil` for those that the system trusts.
        public var caFile: String?
        /// The name that the server's certificate must be for; `nil` for the host of the endpoint.
        public var serverName: String?
        /// The client's own certificate and those that lead to its authority, for servers that want one.
        public var certificateFile: String?
        /// The key of that certificate, without a password; `nil` when it is in the same file.
        public var keyFile: String?

        /// Creates options.
        public init(
            caFile: String? = nil, serverName: String? = nil, certificateFile: String? = nil, keyFile: String? = nil
        ) {
            self.caFile = caFile
            self.serverName = serverName
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// Where the client may send the password itself, to a server that does not know SCRAM-SHA-256 (one of 3.0).
    ///
    /// A server that knows it never sees the password, and has to prove that it knows it too.
    public enum PlainLogin: String, Sendable, Hashable, CaseIterable {
        /// Where nobody can read it on the way: over TLS, to a Unix socket, or to this machine. The default.
        case `private`
        /// Everywhere. Whoever is between client and server can ask for the password and read it.
        case always
        /// Nowhere.
        case never
    }

    /// The servers, tried in this order.
    public var endpoints: [Endpoint]
    /// Who logs in; required except on a trusted Unix socket.
    public var credentials: Credentials?
    /// Whether connections are encrypted. It needs the package trait `TLS`:
    /// `.package(url: …, from: …, traits: ["TLS"])`.
    public var tls = TLS.disabled
    /// Where the password itself may be sent.
    public var plainLogin = PlainLogin.private
    /// The database of `client.database()`.
    public var database = "default"
    /// How many connections.
    public var pool = Pool()
    /// How long between attempts to connect.
    public var backoff = Backoff()
    /// What is sent again.
    public var retry = Retry()
    /// The time to reach a server and log in.
    public var connectTimeout: Duration = .seconds(5)
    /// The time for a whole call, waiting and connecting included.
    public var operationTimeout: Duration = .seconds(30)
    /// The largest request or reply, in bytes.
    public var maximumFrameBytes = 64 << 20
    /// The name of this program, for the server's log.
    public var applicationName: String?

    /// One server by host and port.
    public init(host: String = "127.0.0.1", port: Int = 6970) {
        endpoints = [.tcp(host: host, port: port)]
    }

    /// One server by the path of its Unix socket.
    public init(unixSocket path: String) {
        endpoints = [.unix(path: path)]
    }

    /// Reads the environment: `NEXADB_URI` wins; else `NEXADB_HOST`, `NEXADB_BINARY_PORT`, `NEXADB_USERNAME`,
    /// `NEXADB_PASSWORD` and `NEXADB_DATABASE` each replace a default, and `NEXADB_TLS` (`true` or `false`) with
    /// `NEXADB_TLS_CA_FILE` say whether connections are encrypted.
    ///
    /// - Parameter environment: names and values; the process environment is never read behind your back.
    /// - Throws: `NexaError` with `.invalidConfiguration` that names every variable at fault.
    public init(environment: [String: String]) throws(NexaError) {
        if let uri = environment["NEXADB_URI"], !uri.isEmpty {
            try self.init(uri: uri)
            return
        }
        var port = 6970
        if let text = environment["NEXADB_BINARY_PORT"], !text.isEmpty {
            guard let number = Int(text), (1...65535).contains(number) else {
                throw NexaError(
                    .invalidConfiguration, "NEXADB_BINARY_PORT must be a number from 1 to 65535, not '\(text)'")
            }
            port = number
        }
        self.init(host: environment["NEXADB_HOST"].flatMap { $0.isEmpty ? nil : $0 } ?? "127.0.0.1", port: port)
        if let username = environment["NEXADB_USERNAME"], !username.isEmpty {
            credentials = Credentials(username: username, password: environment["NEXADB_PASSWORD"])
        }
        if let database = environment["NEXADB_DATABASE"], !database.isEmpty { self.database = database }
        switch environment["NEXADB_TLS"] ?? "" {
        case "", "false": break
        case "true":
            tls = .required(TLSOptions(caFile: environment["NEXADB_TLS_CA_FILE"].flatMap { $0.isEmpty ? nil : $0 }))
        case let text: throw NexaError(.invalidConfiguration, "NEXADB_TLS must be true or false, not '\(text)'")
        }
    }
}

extension PoolLimits {
    init(_ configuration: NexaConfiguration) {
        self.init()
        let pool = configuration.pool
        maximumConnections = max(1, pool.maximumConnections)
        minimumConnections = min(max(0, pool.minimumConnections), maximumConnections)
        maximumConcurrentConnects = max(1, pool.maximumConcurrentConnects)
        maximumWaiters = max(0, pool.maximumWaiters)
        pipelineDepth = max(1, pool.pipelineDepth)
        initialBackoff = configuration.backoff.initial
        maximumBackoff = configuration.backoff.maximum
        breakerThreshold = max(1, configuration.backoff.failuresUntilBreak)
        idleTimeout = pool.idleTimeout
        maximumLifetime = pool.maximumLifetime
        lifetimeJitter = min(max(0, pool.lifetimeJitter), 1)
    }
}
