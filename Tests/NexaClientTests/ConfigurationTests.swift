import NexaClient
import Testing

@Suite struct ConfigurationTests {
    struct Good: Sendable {
        var uri: String
        var endpoints: [NexaConfiguration.Endpoint]
        var user: NexaConfiguration.Credentials?
        var database = "default"
    }

    static let good: [Good] = [
        Good(uri: "nexadb://localhost", endpoints: [.tcp(host: "localhost", port: 6970)]),
        Good(
            uri: "nexadb://root:secret@db.example:7000/shop", endpoints: [.tcp(host: "db.example", port: 7000)],
            user: .init(username: "root", password: "secret"), database: "shop"),
        Good(
            uri: "nexa://a%40b:p%40s%2Fs@h1,[::1]:6971,h3:1/",
            endpoints: [.tcp(host: "h1", port: 6970), .tcp(host: "::1", port: 6971), .tcp(host: "h3", port: 1)],
            user: .init(username: "a@b", password: "p@s/s")),
        Good(
            uri: "nexadb://root:p@ss:word@host/db", endpoints: [.tcp(host: "host", port: 6970)],
            user: .init(username: "root", password: "p@ss:word"), database: "db"),
        Good(
            uri: "nexadb://root@host", endpoints: [.tcp(host: "host", port: 6970)],
            user: .init(username: "root", password: nil)),
        Good(
            uri: "nexadb+unix:///run/nexa.sock?database=shop", endpoints: [.unix(path: "/run/nexa.sock")],
            database: "shop"),
        Good(
            uri: "nexadb+unix://root@/run/a%20b", endpoints: [.unix(path: "/run/a b")],
            user: .init(username: "root", password: nil)),
        Good(uri: "nexadb://h/caf%C3%A9", endpoints: [.tcp(host: "h", port: 6970)], database: "café")
    ]

    @Test(arguments: good) func readsURIs(good: Good) throws {
        let configuration = try NexaConfiguration(uri: good.uri)
        #expect(configuration.endpoints == good.endpoints)
        #expect(configuration.credentials == good.user)
        #expect(configuration.database == good.database)
        #expect(try NexaConfiguration(uri: configuration.uri) == configuration)
        if let password = good.user?.password { #expect(!configuration.redactedURI.contains(password)) }
    }

    @Test func readsOptions() throws {
        let configuration = try NexaConfiguration(
            uri: "nexadb://h?maxConnections=3&timeout=250ms&connectTimeout=2s&idleTimeout=never&appName=my%20app")
        #expect(configuration.pool.maximumConnections == 3)
        #expect(configuration.operationTimeout == .milliseconds(250))
        #expect(configuration.connectTimeout == .seconds(2))
        #expect(configuration.pool.idleTimeout == nil)
        #expect(configuration.applicationName == "my app")
        #expect(try NexaConfiguration(uri: configuration.uri) == configuration)
    }

    static let bad: [(uri: String, part: String)] = [
        ("localhost:6970", "must begin with nexadb://"), ("mongodb://h", "not a scheme of NexaDB"),
        ("nexadb://", "a host is missing"), ("nexadb://h:0", "port '0'"), ("nexadb://h:65536", "port '65536'"),
        ("nexadb://h:abc", "port 'abc'"), ("nexadb://::1", "in brackets"), ("nexadb://[::1", "closing bracket"),
        ("nexadb://:pw@h", "user name is empty"), ("nexadb://u:%zz@h", "password has a %"),
        ("nexadb://h/a/b", "no '/'"), ("nexadb://h?maxconection=3", "did you mean maxConnections?"),
        ("nexadb://h?timeout=5", "with a unit"), ("nexadb://h?maxConnections=0", "from 1"),
        ("nexadb://h?tls=maybe", "tls must be true or false"),
        ("nexadb://h?caFile=/x", "caFile is of no use without tls=true"), ("nexadbs://h?caFile=", "caFile is empty"),
        ("nexadb://h?plainLogin=yes", "plainLogin must be private, always or never"),
        ("nexadb+unix://host/run/x", "three slashes"),
        ("nexadb+unix://", "path of the socket is missing"), ("nexadb://u%ff@h", "not UTF-8"),
        ("nexadb://h%20x", "no host name has"), ("nexadb://h&timeout=5s", "no host name has"),
        ("nexadb://h%25x", "no host name has")
    ]

    @Test(arguments: bad) func refusesURIs(bad: (uri: String, part: String)) {
        do throws(NexaError) {
            _ = try NexaConfiguration(uri: bad.uri)
            Issue.record("\(bad.uri) was accepted")
        } catch {
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains(bad.part), "\(error.message)")
        }
    }

    @Test func everyProblemIsToldAtOnceAndThePasswordNever() {
        do throws(NexaError) {
            _ = try NexaConfiguration(uri: "nexadb://root:hunter2@h:99999/db?timeout=5&maxConnection=2")
            Issue.record("accepted")
        } catch {
            #expect(error.message.contains("99999") && error.message.contains("timeout"))
            #expect(error.message.contains("maxConnections?"))
            #expect(!"\(error)".contains("hunter2"))
        }
    }

    @Test func readsTheEnvironmentItIsGiven() throws {
        let plain = try NexaConfiguration(environment: [:])
        #expect(plain == NexaConfiguration())
        let parts = try NexaConfiguration(environment: [
            "NEXADB_HOST": "db", "NEXADB_BINARY_PORT": "7000", "NEXADB_USERNAME": "u", "NEXADB_PASSWORD": "p",
            "NEXADB_DATABASE": "d"
        ])
        #expect(parts.uri == "nexadb://u:p@db:7000/d")
        let whole = try NexaConfiguration(environment: ["NEXADB_URI": "nexadb://x", "NEXADB_HOST": "db"])
        #expect(whole.endpoints == [.tcp(host: "x", port: 6970)])
        #expect(throws: NexaError.self) { try NexaConfiguration(environment: ["NEXADB_BINARY_PORT": "x"]) }
    }

    @Test func tlsIsAskedForByTheSchemeOrAnOption() throws {
        let plain = try NexaConfiguration(uri: "nexadb://h?tls=false")
        #expect(plain.tls == .disabled)
        for uri in ["nexadbs://h", "nexadb://h?tls=true", "nexas://h?tls=true"] {
            #expect(try NexaConfiguration(uri: uri).tls == .required())
        }
        let full = try NexaConfiguration(
            uri: "nexadbs://h?caFile=/a%20b&serverName=n&certificateFile=/c&keyFile=/k&plainLogin=never")
        #expect(
            full.tls == .required(.init(caFile: "/a b", serverName: "n", certificateFile: "/c", keyFile: "/k")))
        #expect(full.plainLogin == .never)
        let environment = try NexaConfiguration(environment: ["NEXADB_TLS": "true", "NEXADB_TLS_CA_FILE": "/ca"])
        #expect(environment.tls == .required(.init(caFile: "/ca")))
        #expect(throws: NexaError.self) { try NexaConfiguration(environment: ["NEXADB_TLS": "1"]) }
    }

    /// Any configuration survives the way through its own URI.
    @Test func randomConfigurationsSurviveTheirURI() throws {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("aZ09-._~:/?#[]@!$&'()*+,;=% é日😀")
        func text(_ length: ClosedRange<Int>) -> String {
            String(
                (0..<Int.random(in: length, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "x" })
        }
        for _ in 0..<2000 {
            var configuration = NexaConfiguration(host: "h", port: Int.random(in: 1...65535, using: &random))
            configuration.credentials = .init(username: text(1...8), password: text(0...8))
            configuration.database = text(1...8).replacing("/", with: "_")
            configuration.applicationName = text(1...8)
            configuration.pool.maximumConnections = Int.random(in: 1...99, using: &random)
            configuration.operationTimeout = .milliseconds(Int.random(in: 1...99_999, using: &random))
            configuration.plainLogin = .allCases.randomElement(using: &random) ?? .never
            if Bool.random(using: &random) {
                configuration.tls = .required(
                    .init(caFile: text(1...8), serverName: Bool.random(using: &random) ? text(1...8) : nil))
            }
            #expect(try NexaConfiguration(uri: configuration.uri) == configuration, "\(configuration.uri)")
        }
    }
}
