import Glibc
import PTYKit
import TestKit
import Testing

/// `nexadb --tls-cert` and `nexa --tls`.
@Suite struct TLSTests {
    private let nexa = Products.executable("nexa")

    private final class Server {
        let folder: TemporaryDirectory
        let session: Session
        let port: String

        init(_ options: [String] = []) throws {
            folder = try TemporaryDirectory()
            for kind in ["pem", "key"] {
                try Files.write(Files.read(TestCertificates.file("server.\(kind)")), to: folder["server.\(kind)"])
            }
            session = try Session(
                Products.executable("nexadb"),
                [
                    "--data-dir", folder["data"], "--port", "0", "--tls-cert", folder["server.pem"], "--tls-key",
                    folder["server.key"]
                ] + options,
                environment: ["NEXADB_ROOT_PASSWORD": "secret"], columns: 300)
            try #require(session.wait { $0.screen.text.contains("tls=on") }, "\(session.screen.text)")
            let word = session.screen.text.split { $0 == " " || $0 == "\n" }.first { $0.hasPrefix("port=") }
            port = word.map { String($0.dropFirst(5)) } ?? ""
        }
    }

    private func run(
        _ server: Server, _ arguments: [String], _ environment: [String: String] = [:]
    ) throws -> Program.Outcome {
        var environment = environment
        environment["NEXADB_PASSWORD"] = "secret"
        return try Program.run(
            nexa, ["--port", server.port] + arguments + ["--ids", "-e", "databases"], environment: environment)
    }

    @Test func everyWayToAskForTLS() throws {
        let server = try Server()
        let ca = try TestCertificates.file("ca.pem")
        for (arguments, environment) in [
            (["--tls-ca-file", ca], [:]), (["--tls", "--tls-ca-file=\(ca)", "-h", "127.0.0.1"], [:]),
            ([], ["NEXADB_TLS": "true", "NEXADB_TLS_CA_FILE": ca]),
            (["--tls"], ["NEXADB_TLS": "true", "NEXADB_TLS_CA_FILE": ca]),
            (["--tls-ca-file", ca, "--tls-server-name", "db.example"], [:])
        ] {
            let outcome = try run(server, arguments, environment)
            #expect(outcome.exitCode == 0, "\(arguments): \(outcome.errors)")
            #expect(outcome.output == "default\n")
        }
        let url = try Program.run(
            nexa, ["--url", "nexadbs://root@localhost:\(server.port)?caFile=\(ca)", "--ids", "-e", "databases"],
            environment: ["NEXADB_PASSWORD": "secret"])
        #expect(url.output == "default\n", "\(url.errors)")
    }

    @Test func whatIsWrongIsSaid() throws {
        let server = try Server()
        let ca = try TestCertificates.file("ca.pem")
        for (arguments, words) in [
            (["--tls"], "caFile"), ([], "TLS"),
            (["--tls-ca-file", ca, "--tls-server-name", "x.example"], "is for localhost, db.example")
        ] {
            let outcome = try run(server, arguments)
            #expect(outcome.exitCode == 1, "\(arguments): \(outcome.errors)")
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
        }
        let local = try Program.run(nexa, ["--local", server.folder["other"], "--tls", "-e", "ping"])
        #expect(local.exitCode == 2)
    }

    @Test func hangupReadsTheCertificatesAgain() throws {
        let server = try Server()
        let arguments = ["--tls-ca-file", try TestCertificates.file("ca.pem"), "--tls-server-name", "renewed.example"]
        #expect(try run(server, arguments).exitCode == 1)
        try Files.write([], to: server.folder["server.pem"])
        kill(server.session.process, SIGHUP)
        #expect(server.session.sees("the old certificates stay"))
        for kind in ["pem", "key"] {
            try Files.write(Files.read(TestCertificates.file("renewed.\(kind)")), to: server.folder["server.\(kind)"])
        }
        kill(server.session.process, SIGHUP)
        #expect(server.session.sees("certificates were read again"))
        #expect(try run(server, arguments).exitCode == 0)
    }

    @Test func aCertificateOfOnesOwn() throws {
        let ca = try TestCertificates.file("ca.pem")
        let server = try Server(["--tls-client-ca", ca])
        let mine = [
            "--tls-cert", try TestCertificates.file("client.pem"), "--tls-key", try TestCertificates.file("client.key")
        ]
        let outcome = try run(server, ["--tls-ca-file", ca] + mine)
        #expect(outcome.output == "default\n", "\(outcome.errors)")
        #expect(try run(server, ["--tls-ca-file", ca]).exitCode == 1)
    }

    @Test func aKeyAloneIsRefused() throws {
        let outcome = try Program.run(Products.executable("nexadb"), ["--tls-key", "x"])
        #expect(outcome.exitCode == 2)
        #expect(outcome.errors.contains("--tls-cert"))
    }
}
