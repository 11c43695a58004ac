import NexaClient

/// Where to connect, from flags and environment; flags win.
struct ConnectionPlan {
    var configuration: NexaConfiguration
    /// How the server is named to a person: `host:port`, or a folder.
    var display: String
    var username: String
    var location: Location

    /// - Throws: `UsageError` when flags contradict each other or the URL cannot be used.
    init(_ invocation: Invocation, environment: [String: String]) throws(UsageError) {
        let isLocal = invocation.localDirectory != nil
        // The environment speaks of another server than that of a folder.
        let environment = isLocal ? [:] : environment
        let url = invocation.url ?? (Self.namesServer(invocation) ? nil : Self.given(environment, "NEXADB_URI"))
        do throws(NexaError) {
            if let url {
                configuration = try NexaConfiguration(uri: url)
            } else {
                var present = environment
                present["NEXADB_URI"] = nil
                configuration = try NexaConfiguration(environment: present)
            }
        } catch {
            throw UsageError(error.message)
        }
        if invocation.url != nil {
            guard invocation.host == nil, invocation.port == nil, invocation.localDirectory == nil else {
                throw UsageError("--url already names the server: leave --host, --port and --local out")
            }
            guard configuration.credentials?.password == nil else {
                throw UsageError(
                    "a password in --url is seen by everybody who lists processes; use --password-file or NEXADB_PASSWORD"
                )
            }
        }
        if isLocal, invocation.host != nil || invocation.port != nil {
            throw UsageError("--local starts a server of its own: leave --host and --port out")
        }
        if invocation.url == nil {
            var (host, port) = ("localhost", 6970)
            if case .tcp(let named, let number)? = configuration.endpoints.first {
                if Self.given(environment, "NEXADB_HOST") != nil { host = named }
                port = number
            }
            host = invocation.host ?? host
            port = invocation.port.map(Int.init) ?? port
            if url == nil || invocation.host != nil || invocation.port != nil {
                configuration.endpoints = [.tcp(host: host, port: port)]
            }
        }
        if let given = invocation.tls {
            guard !isLocal else { throw UsageError("--local needs no TLS: its server is on this machine") }
            configuration.tls = .required(Self.merged(given, into: configuration.tls))
        }
        username =
            invocation.username ?? configuration.credentials?.username
            ?? Self.given(environment, "NEXADB_USERNAME") ?? "root"
        configuration.credentials = .init(username: username, password: configuration.credentials?.password)
        configuration.applicationName = "nexa"
        configuration.connectTimeout = invocation.connectTimeout
        configuration.operationTimeout = invocation.timeout > .zero ? invocation.timeout : .seconds(100 * 365 * 86_400)
        // Opened when they are needed: four batches of an import on their way, a watch, samples for completion, an open
        // transaction, a pipeline being read.
        configuration.pool.maximumConnections = 8
        // After an outage a command waits that long for the server to come back. That of a folder does not come back by
        // itself: it is started again.
        configuration.pool.acquireTimeout = isLocal ? .milliseconds(500) : invocation.connectTimeout
        location = Location(
            database: invocation.database ?? configuration.database, collection: invocation.collection)
        display = invocation.localDirectory ?? configuration.endpoints.first?.description ?? ""
    }

    /// Flags count more than the URL and the environment.
    private static func merged(
        _ given: NexaConfiguration.TLSOptions, into tls: NexaConfiguration.TLS
    ) -> NexaConfiguration.TLSOptions {
        guard case .required(var options) = tls else { return given }
        options.caFile = given.caFile ?? options.caFile
        options.serverName = given.serverName ?? options.serverName
        options.certificateFile = given.certificateFile ?? options.certificateFile
        options.keyFile = given.keyFile ?? options.keyFile
        return options
    }

    private static func namesServer(_ invocation: Invocation) -> Bool {
        invocation.host != nil || invocation.port != nil || invocation.localDirectory != nil
    }

    private static func given(_ environment: [String: String], _ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Which line of `~/.nexapass` is meant.
    var passwordKey: PasswordTable.Key {
        var key = PasswordTable.Key(host: "localhost", port: "", database: location.database, user: username)
        switch configuration.endpoints.first {
        case .tcp(let host, let port): (key.host, key.port) = (host, "\(port)")
        case .unix, nil: break
        }
        return key
    }

    /// Whether every endpoint is on this machine.
    var isLoopback: Bool {
        configuration.endpoints.allSatisfy { endpoint in
            switch endpoint {
            case .unix: true
            case .tcp(let host, _): host == "localhost" || host == "::1" || host.hasPrefix("127.")
            }
        }
    }
}
