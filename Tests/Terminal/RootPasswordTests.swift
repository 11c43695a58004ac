import Glibc
import PTYKit
import TestKit
import Testing

/// A folder made by `--local` has a root whose password nobody knows; `--reset-root-password` gives it one.
@Suite struct RootPasswordTests {
    private let nexadb = Products.executable("nexadb")
    private let nexa = Products.executable("nexa")

    /// A folder with one document, made by a shell without a server.
    private func makeFolder() throws -> TemporaryDirectory {
        let folder = try TemporaryDirectory()
        let made = try Program.run(
            nexa, ["--local", folder["data"], "-e", "use films", "-e", "create {_id: 'gilda'}"],
            environment: ["HOME": folder.path])
        try #require(made.exitCode == 0, "\(made.errors)")
        #expect(!made.errors.contains("password"), "a script is told nothing of it")
        return folder
    }

    private func reset(
        _ folder: TemporaryDirectory, _ environment: [String: String] = [:]
    ) throws -> Program.Outcome {
        try Program.run(
            nexadb, ["--data-dir", folder["data"], "--reset-root-password"], input: nil, environment: environment)
    }

    /// Counts the films over TCP as root.
    private func count(_ folder: TemporaryDirectory, password: String) throws -> Program.Outcome {
        let server = try Session(nexadb, ["--data-dir", folder["data"], "--port", "0"], environment: [:], columns: 300)
        try #require(server.sees("port="), "\(server.screen.text)")
        let word = server.screen.text.split { $0 == " " || $0 == "\n" }.first { $0.hasPrefix("port=") }
        defer {
            server.signal(SIGTERM)
            _ = server.finish()
        }
        return try Program.run(
            nexa,
            ["--host", "127.0.0.1", "--port", word.map { String($0.dropFirst(5)) } ?? "", "-e", "use films; count"],
            environment: ["HOME": folder.path, "NEXADB_PASSWORD": password])
    }

    @Test func aChosenPasswordOpensTheFolderOverTCP() throws {
        let folder = try makeFolder()
        let outcome = try reset(folder, ["NEXADB_ROOT_PASSWORD": "correct-horse"])
        #expect(outcome.exitCode == 0)
        #expect(outcome.errors == "The password of root is changed.\n")
        #expect(outcome.output.isEmpty)
        #expect(try count(folder, password: "correct-horse").output == "1\n")
        #expect(try count(folder, password: "wrong").exitCode == 1)
        // Once more: the old one ends.
        #expect(try reset(folder, ["NEXADB_ROOT_PASSWORD": "battery"]).exitCode == 0)
        #expect(try count(folder, password: "correct-horse").exitCode == 1)
        #expect(try count(folder, password: "battery").output == "1\n")
    }

    @Test func aMadePasswordIsTheOnlyLineOfTheOutput() throws {
        let folder = try makeFolder()
        let outcome = try reset(folder)
        #expect(outcome.exitCode == 0)
        #expect(outcome.errors == "The new password of root, shown only this once:\n")
        let password = try #require(outcome.lines.first)
        #expect(outcome.lines.count == 1)
        #expect(password.utf8.count >= 16)
        #expect(try count(folder, password: password).output == "1\n")
    }

    @Test func aTerminalIsAskedWithoutEcho() throws {
        let folder = try makeFolder()
        let session = try Session(nexadb, ["--data-dir", folder["data"], "--reset-root-password"], environment: [:])
        #expect(session.sees("(empty to have one made):"))
        #expect(!session.modes.echoes)
        session.send("correct-horse\r")
        #expect(session.sees("Again:"))
        session.send("correct-horse\r")
        #expect(session.finish() == 0)
        #expect(session.modes.echoes)
        #expect(!session.screen.text.contains("horse"))
        #expect(try count(folder, password: "correct-horse").output == "1\n")
    }

    @Test(arguments: ["one\rother\r", "\u{3}", "half\u{3}", "\u{4}"]) func givingUpChangesNothing(_ keys: String) throws
    {
        let folder = try makeFolder()
        #expect(try reset(folder, ["NEXADB_ROOT_PASSWORD": "correct-horse"]).exitCode == 0)
        let session = try Session(nexadb, ["--data-dir", folder["data"], "--reset-root-password"], environment: [:])
        #expect(session.sees("(empty to have one made):"))
        session.send(keys)
        #expect(session.finish() == 1)
        #expect(session.screen.text.contains("nothing was changed"))
        #expect(session.modes.echoes)
        #expect(try count(folder, password: "correct-horse").output == "1\n")
    }

    @Test func aFolderInUseIsRefused() throws {
        let folder = try makeFolder()
        let server = try Session(nexadb, ["--data-dir", folder["data"], "--port", "0"], environment: [:], columns: 300)
        try #require(server.sees("port="))
        let outcome = try reset(folder, ["NEXADB_ROOT_PASSWORD": "correct-horse"])
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("is in use by"), "\(outcome.errors)")
        server.signal(SIGTERM)
        _ = server.finish()
        #expect(try reset(folder, ["NEXADB_ROOT_PASSWORD": ""]).errors.contains("The password is empty"))
    }

    @Test func aPersonWithANewFolderIsToldOnce() throws {
        let fixture = try ShellFixture()
        for isFirst in [true, false] {
            let session = try fixture.open(columns: 200)
            #expect(session.screen.text.contains("--reset-root-password") == isFirst)
            session.send("exit\r")
            #expect(session.finish() == 0)
        }
    }
}
