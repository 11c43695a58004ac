import Glibc
import PTYKit
import TestKit
import Testing

/// What the process ends with, for each cause, in each mode.
@Suite struct ExitCodeTests {
    /// The ways in which commands come.
    enum Mode: CaseIterable {
        /// Through a pipe, without flags: what the original could do.
        case classicScript
        /// Through a pipe, with a format.
        case script
        /// With `-e`.
        case oneShot
        /// Typed at a terminal.
        case interactive

        static let automatic: [Mode] = [.classicScript, .script, .oneShot]
    }

    private let nexa = Products.executable("nexa")

    /// Runs commands, one per line, in a mode.
    private func end(
        _ mode: Mode, _ commands: [String], _ arguments: [String], _ environment: [String: String]
    ) throws -> CInt {
        switch mode {
        case .classicScript:
            return try Program.run(
                nexa, arguments, input: commands.joined(separator: "\n"), environment: environment
            ).exitCode
        case .script:
            return try Program.run(
                nexa, arguments + ["--ids"], input: commands.joined(separator: "\n"), environment: environment
            ).exitCode
        case .oneShot:
            return try Program.run(
                nexa, arguments + ["--keep-going"] + commands.flatMap { ["-e", $0] }, input: nil,
                environment: environment
            ).exitCode
        case .interactive:
            let session = try Session(nexa, arguments, environment: environment)
            for command in commands + ["exit"] { session.send(command + "\r") }
            return try #require(session.finish(), "\(session.screen.text)")
        }
    }

    private func end(_ mode: Mode, _ commands: String..., arguments: [String] = []) throws -> CInt {
        let fixture = try ShellFixture()
        return try end(mode, commands, ["--local", fixture.database] + arguments, fixture.environment)
    }

    /// A person has seen the errors: the end of a session at the prompt is no error.
    private func code(_ code: CInt, _ mode: Mode) -> CInt { mode == .interactive ? 0 : code }

    @Test(arguments: Mode.allCases) func done(_ mode: Mode) throws {
        #expect(try end(mode, "use m", "create {_id: 1}", "read 1", "count") == 0)
    }

    @Test(arguments: Mode.allCases) func noConnection(_ mode: Mode) throws {
        let nowhere = ["--host", "127.0.0.1", "--port", "1"]
        #expect(try end(mode, ["count"], nowhere, [:]) == 1)
        let server = try ServerFixture()
        #expect(try end(mode, ["count"], server.arguments, ["NEXADB_PASSWORD": "wrong"]) == 1)
        // Lost on the way, and not opened again.
        let gone = ["\\! kill -9 \(server.process)", "ping"]
        let arguments = server.arguments + ["--connect-timeout", "0.3"]
        #expect(try end(mode, gone, arguments, server.environment) == code(1, mode))
    }

    @Test(arguments: Mode.allCases) func wrongUsage(_ mode: Mode) throws {
        #expect(try end(mode, "count", arguments: ["--bogus"]) == 2)
        #expect(try end(mode, "count", arguments: ["--set", "1=2"]) == 2)
        if mode != .interactive {  // a password is asked for, and there is no terminal
            #expect(try end(mode, ["count"], ["--port", "1", "-p"], [:]) == 2)
        }
    }

    @Test(arguments: Mode.allCases) func aCommandFailed(_ mode: Mode) throws {
        for failing in [
            "bogus", "read none", "query {\"year\" 1}", "query {a: {$bogus: 1}}", "delete none", "query {a: $unset}",
            "\\endif", "\\if true"
        ] {
            #expect(try end(mode, "use m", failing, "count") == code(3, mode), "\(failing)")
        }
        #expect(try end(mode, "create {a: 1}", arguments: ["--read-only"]) == code(3, mode))
    }

    @Test(arguments: Mode.allCases) func documentsWereLeftOut(_ mode: Mode) throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("data.ndjson", "{\"_id\": 1}\n{bad\n{\"_id\": 2}\n")
        #expect(try end(mode, "import \(file) m --on-error skip", "use m", "count") == code(4, mode))
    }

    @Test(arguments: Mode.allCases) func aFileCannotBeUsed(_ mode: Mode) throws {
        #expect(try end(mode, "import /missing/file m") == code(5, mode))
        #expect(try end(mode, "use m", "export /missing/folder/out.ndjson") == code(5, mode))
        #expect(try end(mode, "\\i /missing/file") == code(5, mode))
        #expect(try end(mode, "\\cd /missing/folder") == code(5, mode))
        guard mode != .interactive else { return }
        let fixture = try ShellFixture()
        let flags = mode == .script ? "--ids" : mode == .oneShot ? "-e databases" : ""
        let full = "echo databases | '\(nexa)' --local '\(fixture.database)' \(flags) >/dev/full"
        #expect(try Program.run("/bin/sh", ["-c", full], environment: fixture.environment).exitCode == 5)
    }

    @Test(arguments: Mode.allCases) func theTimeLimitPassed(_ mode: Mode) throws {
        let server = try ServerFixture()
        // Its threads stop only when one of them gets to see the signal.
        let stop =
            "\\! kill -STOP \(server.process); "
            + "while grep -L '^State:.T' /proc/\(server.process)/task/*/status | grep -q .; do :; done"
        let commands = ["ping", stop, "use m", "count", "\\! kill -CONT \(server.process)"]
        let arguments = server.arguments + ["--timeout", "0.4"]
        let ended = try end(mode, commands, arguments, server.environment)
        #expect(ended == code(6, mode))
        kill(server.process, SIGCONT)
    }

    @Test(arguments: Mode.allCases, [SIGINT, SIGTERM, SIGHUP]) func signals(_ mode: Mode, _ signal: CInt) throws {
        let name = [SIGINT: "INT", SIGTERM: "TERM", SIGHUP: "HUP"][signal] ?? ""
        // Ctrl-C is an everyday thing at a prompt.
        let expected = mode == .interactive && signal == SIGINT ? 0 : 128 + signal
        #expect(try end(mode, "ping", "\\! kill -\(name) $PPID", "ping") == expected)
    }

    @Test(arguments: Mode.automatic) func nobodyReads(_ mode: Mode) throws {
        let fixture = try ShellFixture()
        let documents = (0..<3000).map { "{\"_id\":\($0),\"pad\":\"\(String(repeating: "x", count: 200))\"}\n" }
            .joined()
        #expect(try fixture.run(["-e", "import - c"], input: documents).exitCode == 0)
        let script = "use c\nquery --limit 0\nquery --limit 0\n"
        let outcome =
            switch mode {
            case .classicScript: try fixture.run([], input: script, closesOutputAfter: 1)
            case .script: try fixture.run(["--ndjson"], input: script, closesOutputAfter: 1)
            default: try fixture.run(["-q", "-e", script], input: nil, closesOutputAfter: 1)
            }
        #expect(outcome.exitCode == 128 + SIGPIPE)
        #expect(!outcome.errors.contains("✗"))
    }

    @Test(arguments: Mode.allCases) func aFaultOfTheShellItself(_ mode: Mode) throws {
        #expect(try end(mode, "ping", "\\! kill -ILL $PPID; sleep 1", "ping") == 70)
        let outcome = try ShellFixture().run(["-e", "\\! kill -TRAP $PPID; sleep 1"])
        #expect(outcome.exitCode == 70)
        #expect(outcome.errors.contains("Please report it"))
    }

    @Test(arguments: Mode.allCases) func theOldCodeOfFailedCommands(_ mode: Mode) throws {
        let fixture = try ShellFixture(["NEXA_COMPAT_EXIT": "1"])
        func end(_ commands: String...) throws -> CInt {
            try self.end(mode, commands, ["--local", fixture.database], fixture.environment)
        }
        // The original had no scripts but those through a pipe, and no other code for a failed command.
        #expect(try end("bogus") == (mode == .classicScript ? 0 : code(3, mode)))
        #expect(try end("import /missing/file m") == code(5, mode))
        let nowhere = ["--host", "127.0.0.1", "--port", "1"]
        #expect(try self.end(mode, ["count"], nowhere, fixture.environment) == 1)
    }

    @Test func theFirstFailureDecides() throws {
        let fixture = try ShellFixture()
        #expect(try fixture.run([], input: "import /missing/file m\nbogus\n").exitCode == 5)
        #expect(try fixture.run([], input: "bogus\nimport /missing/file m\n").exitCode == 3)
    }
}
