public import NexaEngine

extension NexaServer {
    /// How a server listens, stores and limits.
    public struct Configuration: Sendable {
        /// Where the documents are; made when it is not there.
        public var dataDirectory: String
        /// The TCP address to listen on; `nil` for none. The default is loopback: a server that everyone may
        /// reach is a decision.
        public var host: String? = "127.0.0.1"
        /// The TCP port; 0 for one that the system chooses.
        public var port: UInt16 = 6970
        /// Encrypts the connections of the TCP port; `nil` for a port without TLS. The Unix socket has none.
        public var tls: TLS?
        /// The path of a Unix socket to listen on; `nil` for none. Clients of the same user need no password there.
        public var socketPath: String?
        /// How safe a write is before its reply, where the request does not say.
        public var durability: Durability = .sync
        /// The password that `root` gets on the first start; `nil` to have one made.
        public var rootPassword: String?
        /// Gives `root` the password of the old tutorials on the first start; refused unless the host is loopback.
        public var insecureDefaults = false
        /// Shut down when the last connection is closed (after the first was opened, or 30 s without any).
        public var exitWhenIdle = false
        /// Threads that serve connections.
        public var reactors: Int
        /// Threads for long queries and password hashing.
        public var workers: Int
        /// Connections beyond this are refused with an error.
        public var maximumConnections = 20_000
        /// The largest request, in bytes.
        public var maximumFrameBytes = 64 << 20
        /// The largest result of one query, in bytes.
        public var maximumResultBytes = 48 << 20
        /// Bytes that one sort of a query keeps in memory; what is more goes on in files.
        public var maximumSortBytes = 256 << 20
        /// Bytes that one stage of a pipeline keeps in memory: sorting and grouping go on in files, other stages fail.
        public var maximumStageBytes = 100 << 20
        /// The largest request before login, in bytes.
        public var maximumLoginBytes = 64 << 10
        /// How long a connection may take to log in.
        public var loginTimeout: Duration = .seconds(10)
        /// Wrong passwords on one connection before it is closed.
        public var maximumLoginAttempts = 5
        /// A transaction that takes longer is aborted.
        public var transactionTimeout: Duration = .seconds(60)
        /// How long `shutdown` waits for what was received.
        public var shutdownGrace: Duration = .seconds(10)
        /// How often a change stream without events is told how far it is, so that its token does not grow too old.
        public var changeProgressInterval: Duration = .seconds(10)
        /// Below which clients may have backups made; `nil` for nowhere. A client over the Unix socket of the same user may
        /// have them anywhere.
        public var backupDirectory: String?
        /// Below which clients may have exports of MongoDB imported; `nil` for nowhere.
        public var importDirectory: String?
        /// Memory for caches and tuning of the storage.
        public var engine = EngineOptions()
        /// Where the server says what happens.
        public var log: ServerLog = .silent

        /// The files of a TLS port, in PEM. They are read at the start and by `reloadCertificates()`.
        public struct TLS: Sendable, Hashable {
            /// The server's certificate and those that lead to its authority.
            public var certificateFile: String
            /// The key of that certificate, without a password.
            public var keyFile: String
            /// Clients must show a certificate of one of these authorities; `nil` to ask for none.
            public var clientCAFile: String?

            /// Names the files.
            public init(certificateFile: String, keyFile: String, clientCAFile: String? = nil) {
                self.certificateFile = certificateFile
                self.keyFile = keyFile
                self.clientCAFile = clientCAFile
            }
        }

        /// The defaults of `nexadb` over a data directory.
        public init(dataDirectory: String) {
            self.dataDirectory = dataDirectory
            let cores = ProcessInfo.coreCount
            reactors = cores
            workers = max(2, cores)
        }

        /// For tests and embedding: an ephemeral loopback port, or only a Unix socket when a path is given.
        public static func ephemeral(
            dataDirectory: String, socketPath: String? = nil, rootPassword: String = "secret"
        ) -> Configuration {
            var configuration = Configuration(dataDirectory: dataDirectory)
            configuration.port = 0
            configuration.host = socketPath == nil ? "127.0.0.1" : nil
            configuration.socketPath = socketPath
            configuration.rootPassword = rootPassword
            return configuration
        }
    }
}
