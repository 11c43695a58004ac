import NexaClient
import NexaEngine
import NexaServer
import NexaTestSupport
import NexaTransport
import NexaValue
import TestKit
import Testing

/// A whole client and a whole server.
@Suite(.serialized, .timeLimit(.minutes(20))) struct LiveTLSTests {
    private final class Live: Sendable {
        let server: NexaServer
        let folder: TemporaryDirectory

        init(certificate: String? = "server", clientCA: String? = nil) async throws {
            folder = try TemporaryDirectory()
            var configuration = NexaServer.Configuration.ephemeral(dataDirectory: folder["data"])
            configuration.durability = .os
            if let certificate {
                // In files of its own, which a test may replace.
                try Self.install(certificate, folder)
                configuration.tls = .init(
                    certificateFile: folder["server.pem"], keyFile: folder["server.key"],
                    clientCAFile: try clientCA.map { try TestCertificates.file($0) })
            }
            server = try await NexaServer.start(configuration)
        }

        static func install(_ certificate: String, _ folder: TemporaryDirectory) throws {
            for kind in ["pem", "key"] {
                try Files.write(
                    Files.read(TestCertificates.file("\(certificate).\(kind)")), to: folder["server.\(kind)"])
            }
        }

        func configuration(
            host: String = "localhost", _ change: (inout NexaConfiguration.TLSOptions) throws -> Void = { _ in }
        ) throws -> NexaConfiguration {
            var configuration = NexaConfiguration(host: host, port: Int(server.port ?? 0))
            configuration.credentials = .init(username: "root", password: "secret")
            var options = NexaConfiguration.TLSOptions(caFile: try TestCertificates.file("ca.pem"))
            try change(&options)
            configuration.tls = .required(options)
            return configuration
        }
    }

    private func with(
        _ live: Live, _ configuration: NexaConfiguration, _ body: (NexaClient) async throws -> Void
    ) async throws {
        let client = NexaClient(configuration)
        let result: Result<Void, any Error>
        do { result = .success(try await body(client)) } catch { result = .failure(error) }
        await client.shutdown(drainingFor: .seconds(2))
        await live.server.shutdown()
        try result.get()
    }

    /// The error of a ping.
    private func failure(_ live: Live, _ configuration: NexaConfiguration) async throws -> NexaError? {
        var found: NexaError?
        try await with(live, configuration) { client in
            do throws(NexaError) { try await client.ping() } catch { found = error }
        }
        return found
    }

    @Test(arguments: ["localhost", "127.0.0.1"]) func documentsOfEverySize(host: String) async throws {
        let live = try await Live()
        try await with(live, live.configuration(host: host)) { client in
            let things = client.database().collection("things")
            // Around the sizes of a record, and far beyond what a socket takes at once.
            for size in [0, 1, 16_000, 16_384, 20_000, 65_536, 70_000, 1 << 20, 9 << 20] {
                let text = String(repeating: "x", count: size)
                let id = try await things.insert(["size": .int(Int64(size)), "text": .string(text)])
                let found = try #require(try await things[id])
                #expect(found["text"]?.string?.utf8.count == size)
            }
            #expect(try await things.count([:]) == 9)
        }
    }

    @Test func largeResultsAreReadSlowly() async throws {
        let live = try await Live()
        try await with(live, live.configuration()) { client in
            let things = client.database().collection("things")
            let text = String(repeating: "y", count: 2000)
            let documents = (0..<2000).map { ["n": .int(Int64($0)), "text": .string(text)] as Document }
            _ = try await things.insert(contentsOf: documents)
            var count = 0
            for try await thing in things.find() {
                #expect(thing["text"]?.string?.utf8.count == 2000)
                count += 1
                if count % 100 == 0 { await Task.yield() }
            }
            #expect(count == 2000)
        }
    }

    @Test func manyTasksShareFewConnections() async throws {
        let live = try await Live()
        var configuration = try live.configuration()
        configuration.pool.maximumConnections = 3
        try await with(live, configuration) { client in
            let things = client.database().collection("things")
            await withTaskGroup(of: Bool.self) { group in
                for number in 0..<400 {
                    group.addTask {
                        let text = String(repeating: "z", count: number * 37)
                        guard let id = try? await things.insert(["n": .int(Int64(number)), "t": .string(text)]),
                            let found = try? await things[id]
                        else { return false }
                        return found["n"] == .int(Int64(number)) && found["t"]?.string == text
                    }
                }
                for await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test func clientCertificates() async throws {
        let live = try await Live(clientCA: "ca.pem")
        let good = try live.configuration {
            $0.certificateFile = try TestCertificates.file("client.pem")
            $0.keyFile = try TestCertificates.file("client.key")
        }
        #expect(try await failure(live, good) == nil)
        for own in [nil, "stranger"] {
            let live = try await Live(clientCA: "ca.pem")
            let bad = try live.configuration {
                $0.certificateFile = try own.map { try TestCertificates.file($0 + ".pem") }
                $0.keyFile = try own.map { try TestCertificates.file($0 + ".key") }
            }
            let error = try await failure(live, bad)
            #expect(error?.code == .tlsFailed, "\(error as Any)")
            #expect(error?.message.contains("certificate") == true)
        }
    }

    @Test(arguments: [("expired", "expired on"), ("elsewhere", "is for elsewhere.example"), ("self", "caFile")])
    func badCertificatesAreExplainedAtOnce(certificate: String, words: String) async throws {
        let live = try await Live(certificate: certificate)
        var configuration = try live.configuration()
        configuration.pool.acquireTimeout = .seconds(60)
        let error = try await failure(live, configuration)
        #expect(error?.code == .tlsFailed)
        #expect(error?.message.contains(words) == true, "\(error as Any)")
        #expect(error?.delivery == .notSent)
    }

    @Test func anotherNameMayBeExpected() async throws {
        let live = try await Live(certificate: "elsewhere")
        let configuration = try live.configuration { $0.serverName = "elsewhere.example" }
        #expect(try await failure(live, configuration) == nil)
    }

    @Test func aClientWithoutTLSIsToldSo() async throws {
        let live = try await Live()
        var configuration = try live.configuration()
        configuration.tls = .disabled
        let error = try await failure(live, configuration)
        #expect(error?.code == .tlsFailed)
        #expect(error?.message.contains("wants TLS") == true, "\(error as Any)")
    }

    @Test func aServerWithoutTLSIsNamed() async throws {
        let live = try await Live(certificate: nil)
        let error = try await failure(live, live.configuration())
        #expect(error?.code == .tlsFailed)
        #expect(error?.message.contains("does not speak TLS") == true, "\(error as Any)")
    }

    @Test func aServerThatSaysNothingRunsIntoTheDeadline() async throws {
        let server = try ScriptedServer { await $0.stall() }
        defer { server.stop() }
        var configuration = NexaConfiguration(host: "127.0.0.1", port: server.port)
        configuration.tls = .required(.init(caFile: try TestCertificates.file("ca.pem")))
        configuration.connectTimeout = .milliseconds(200)
        configuration.pool.acquireTimeout = .milliseconds(300)
        let client = NexaClient(configuration)
        do throws(NexaError) {
            try await client.ping()
            Issue.record("somebody answered")
        } catch {
            #expect(error.code == .connectFailed)
        }
        await client.shutdown()
    }

    @Test func filesThatAreMissing() async throws {
        let live = try await Live()
        let error = try await failure(live, live.configuration { $0.caFile = "/nowhere/ca.pem" })
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("/nowhere/ca.pem") == true)
        var configuration = NexaServer.Configuration.ephemeral(dataDirectory: live.folder["more"])
        configuration.tls = .init(certificateFile: "/nowhere/a.pem", keyFile: "/nowhere/a.key")
        do {
            _ = try await NexaServer.start(configuration)
            Issue.record("it started")
        } catch {
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains("/nowhere/a.pem"))
        }
    }

    @Test func renewedCertificatesServeFromTheNextConnectionOn() async throws {
        let live = try await Live(certificate: "server")
        let renewed = try live.configuration { $0.serverName = "renewed.example" }
        let old = NexaClient(try live.configuration())
        try await old.ping()
        try Live.install("renewed", live.folder)
        try live.server.reloadCertificates()
        try await old.ping()
        try Files.write([], to: live.folder["server.pem"])
        #expect(throws: ServerError.self) { try live.server.reloadCertificates() }
        await old.shutdown()
        #expect(try await failure(live, renewed) == nil)
    }

    @Test func aConnectionThatNeverShakesHandsIsClosed() async throws {
        let folder = try TemporaryDirectory()
        var configuration = NexaServer.Configuration.ephemeral(dataDirectory: folder["data"])
        configuration.loginTimeout = .milliseconds(100)
        configuration.tls = .init(
            certificateFile: try TestCertificates.file("server.pem"), keyFile: try TestCertificates.file("server.key"))
        let server = try await NexaServer.start(configuration)
        let address = try #require(SocketAddress(numericHost: "127.0.0.1", port: server.port ?? 0))
        let sockets = try (0..<3).map { _ in try StreamSocket.connect(to: address) }
        // Each of them sends the beginning of a handshake, or nothing, and waits.
        for (number, socket) in sockets.enumerated() {
            var written = number == 0
            while !written {
                if case .moved = [UInt8]([22, 3, 1]).withUnsafeBytes({ socket.write($0) }) { written = true }
                await Task.yield()
            }
        }
        while server.connectionCount < 3 { await Task.yield() }
        while server.connectionCount > 0 { await Task.yield() }
        for socket in sockets { socket.close() }
        await server.shutdown()
    }
}
