import Glibc
import PTYKit
import TestKit
import Testing

/// A server with a port and a password, and the ways to give that.
@Suite struct LoginTests {
    /// A server whose root has a password.
    private final class Server {
        let folder: TemporaryDirectory
        let session: Session
        var port = ""

        init(password: String) throws {
            folder = try TemporaryDirectory()
            session = try Session(
                Products.executable("nexadb"), ["--data-dir", folder.path + "/data", "--port", "0"],
                environment: ["NEXADB_ROOT_PASSWORD": password], columns: 200)
            try #require(session.wait { $0.screen.text.contains("port=") }, "\(session.screen.text)")
            let word = session.screen.text.split { $0 == " " || $0 == "\n" }.first { $0.hasPrefix("port=") }
            port = word.map { String($0.dropFirst(5)) } ?? ""
        }

        var arguments: [String] { ["--host", "127.0.0.1", "--port", port] }
    }

    private let nexa = Products.executable("nexa")

    @Test func everyWayToGiveThePassword() throws {
        let server = try Server(password: "correct-horse")
        let folder = try TemporaryDirectory()
        let file = try folder.write("password", "correct-horse\n")
        let ways: [([String], String, [String: String])] = [
            (["--password-file", file], "", [:]), (["--password-stdin"], "correct-horse\n", [:]),
            (["-p", "correct-horse"], "", [:]), ([], "", ["NEXADB_PASSWORD": "correct-horse"]),
            ([], "", ["NEXADB_PASSWORD_FILE": file]),
            // A file counts more than everything else.
            (["-p", "wrong", "--password-file", file], "", ["NEXADB_PASSWORD": "wrong"])
        ]
        for (arguments, input, environment) in ways {
            let outcome = try Program.run(
                nexa, server.arguments + arguments + ["--ids", "-e", "databases"], input: input,
                environment: environment)
            #expect(outcome.exitCode == 0, "\(arguments): \(outcome.errors)")
            #expect(outcome.output == "default\n")
        }
        let session = try Session(nexa, server.arguments + ["-p"], environment: ["HOME": folder.path])
        #expect(session.prompts("Password:"))
        session.send("correct-horse\r")
        #expect(session.prompts("nexa>"))
        session.send("ping\r")
        #expect(session.sees("✓ Pong"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        #expect(session.modes.echoes)
    }

    @Test func theFirstLineOfTheDataMayBeThePassword() throws {
        let server = try Server(password: "correct-horse")
        let outcome = try Program.run(
            nexa, server.arguments + ["--password-stdin", "-e", "import - c", "-e", "use c; count"],
            input: "correct-horse\n{\"a\":1}\n{\"a\":2}\n")
        #expect(outcome.output == "2\n", "\(outcome.errors)")
    }

    @Test func aWrongPasswordIsRefused() throws {
        let server = try Server(password: "correct-horse")
        let wrong = try Program.run(nexa, server.arguments + ["-e", "databases"], environment: ["NEXADB_PASSWORD": "x"])
        #expect(wrong.exitCode == 1)
        #expect(wrong.errors.hasPrefix("✗ Connection failed: Invalid username or password"))
        #expect(wrong.output.isEmpty)
        let standard = try Program.run(nexa, server.arguments, input: "count\n")
        #expect(standard.exitCode == 1)
        #expect(standard.errors == "⚠ Using the default password\n")
        #expect(!standard.output.contains("✓"))
    }

    @Test func aLostConnectionIsOpenedAgain() throws {
        let server = try Server(password: "correct-horse")
        let folder = try TemporaryDirectory()
        let session = try Session(
            nexa, server.arguments + ["--connect-timeout", "1"],
            environment: ["HOME": folder.path, "NEXADB_PASSWORD": "correct-horse"])
        #expect(session.prompts("nexa>"))
        session.send("use c\rcreate {\"_id\": 1}\r")
        #expect(session.sees("✓ Document created: 1"))
        server.session.signal(SIGKILL)
        _ = server.session.finish()
        session.send("count\r")
        #expect(session.sees("✗ Error: "))
        let again = try Session(
            Products.executable("nexadb"), ["--data-dir", server.folder.path + "/data", "--port", server.port],
            environment: [:], columns: 200)
        #expect(again.sees("port="))
        session.send("count\r")
        #expect(session.sees("✓ Document count: 1"), "\(session.screen.text)")
    }
}
