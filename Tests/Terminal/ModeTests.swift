import Glibc
import PTYKit
import TestKit
import Testing

/// The corners between a terminal and a pipe.
@Suite struct ModeTests {
    @Test func commandsThenAPrompt() throws {
        let session = try ShellFixture().open(["-e", "use movies", "-i"], prompt: "nexa(movies)>")
        session.send("count\r")
        #expect(session.sees("✓ Document count: 0"))
    }

    @Test func oneShotOnATerminalIsForPeople() throws {
        let fixture = try ShellFixture()
        let session = try Session(
            fixture.nexa, ["--local", fixture.database, "-e", "use c; create {_id: 'é'}; query; count"],
            environment: fixture.environment)
        #expect(session.finish() == 0)
        let text = session.screen.everything
        #expect(text.contains("[1]\n{\n  \"_created_at\": "))
        #expect(!text.contains("Found"))
        #expect(!text.contains("Connecting"))
        #expect(text.hasSuffix("\n1") || text.contains("\n}\n1\n"))
        #expect(session.wrote("\u{1B}[32m✓ Document created: é\u{1B}[0m", seconds: 0))
    }

    @Test func aPersonsErrorsAreNoExitCodeButLostOutputIs() throws {
        for (target, code) in [("/dev/null", CInt(0)), ("/dev/full", 5)] {
            let fixture = try ShellFixture()
            let command = "exec '\(fixture.nexa)' --local '\(fixture.database)' -i >\(target)"
            let session = try Session("/bin/sh", ["-c", command], environment: fixture.environment)
            #expect(code == 5 || session.prompts("nexa>"))
            session.send("bogus\rexit\r")
            #expect(session.finish() == code)
        }
    }

    @Test func outputToAFileWithPromptsOnTheTerminal() throws {
        let fixture = try ShellFixture()
        let command = "'\(fixture.nexa)' --local '\(fixture.database)' -i >'\(fixture.folder.path)/out'"
        let session = try Session("/bin/sh", ["-c", command], environment: fixture.environment)
        #expect(session.prompts("nexa>"))
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        let out = try #require(fixture.folder.read("out"))
        #expect(out.contains("✓ Switched to collection 'movies'\n"))
        #expect(!out.contains("\u{1B}") && !out.contains("nexa(movies)>"))

        let blind = "'\(fixture.nexa)' --local '\(fixture.database)' >'\(fixture.folder.path)/out'"
        let refused = try Session("/bin/sh", ["-c", blind], environment: fixture.environment)
        #expect(refused.sees("standard output is no terminal"))
        #expect(refused.finish() == 2)
    }

    @Test func coloursCanBeSwitchedOff() throws {
        let fixture = try ShellFixture(["NO_COLOR": "1"])
        let session = try fixture.open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        #expect(!session.wrote("\u{1B}[32m", seconds: 0))
        let forced = try fixture.run(["--color", "always", "-e", "use m"])
        #expect(forced.errors.contains("\u{1B}[32m✓"))
    }

    @Test func longImportsShowTheirProgress() throws {
        let fixture = try ShellFixture()
        let documents = (0..<60_000).map { "{\"_id\":\($0),\"text\":\"some text that takes a while\"}\n" }.joined()
        let file = try fixture.folder.write("data.ndjson", documents)
        let session = try fixture.open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("import \(file)\r")
        #expect(session.wrote("docs  ETA "))
        #expect(session.sees("✓ Imported 60000 document(s) into movies (0 rejected) in ", seconds: 300))
        #expect(!session.screen.text.contains("ETA"))
        // Nothing of it in a pipe.
        #expect(try !fixture.run(["-e", "import \(file) other"]).errors.contains("ETA"))
    }

    @Test func theTimeLimitHasItsExitCode() throws {
        let fixture = try ShellFixture()
        let pipe = fixture.folder.path + "/script"
        mkfifo(pipe, 0o600)
        let session = try Session(
            fixture.nexa, ["--local", fixture.database, "--timeout", "0.5", "-f", pipe],
            environment: fixture.environment)
        let script = Glibc.open(pipe, O_WRONLY)
        defer { close(script) }
        _ = "use m\n".withCString { write(script, $0, 6) }
        #expect(session.sees("✓ Switched"))
        let server = try #require(SignalTests.child(of: session.process))
        SignalTests.stop(server)
        defer { kill(server, SIGCONT) }
        _ = "count\n".withCString { write(script, $0, 6) }
        #expect(session.sees("✗ "))
        kill(server, SIGCONT)
        #expect(session.finish() == 6)
    }

    @Test func viKeysFromEditrc() throws {
        let fixture = try ShellFixture()
        _ = try fixture.folder.write(".editrc", "nexa:bind -v\n")
        let session = try fixture.open()
        session.send("use mvies")
        #expect(session.prompts("nexa> use mvies"))
        session.send("\u{1B}")
        session.send("0wlio\u{1B}A!\r")
        #expect(session.prompts("nexa(movies!)>"))
        session.send("use x\u{3}")
        #expect(session.prompts("nexa(movies!)>"))
        session.paste("use pasted")
        #expect(session.prompts("nexa(movies!)> use pasted"))
        session.send("!\r")
        #expect(session.prompts("nexa(pasted!)>"))
        session.send("\u{4}")
        #expect(session.finish() == 0)
    }

    @Test func stoppedWhileACommandRuns() throws {
        let fixture = try ShellFixture()
        let session = try Session("/bin/bash", ["--norc", "-i"], environment: fixture.environment)
        session.send("PS1='sh$ '\r")
        #expect(session.prompts("sh$"))
        session.send("'\(fixture.nexa)' --local '\(fixture.database)'\r")
        #expect(session.prompts("nexa>"))
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        let shell = try #require(SignalTests.child(of: session.process))
        let server = try #require(SignalTests.child(of: shell))
        SignalTests.stop(server)
        defer { kill(server, SIGCONT) }
        session.send("count\r")
        #expect(session.wait { !$0.screen.isBracketingPaste })
        session.send("\u{1A}")
        #expect(session.sees("Stopped"))
        #expect(session.prompts("sh$"))
        session.send("echo alive\r")
        #expect(session.sees("\nalive"))
        session.send("fg\r")
        kill(server, SIGCONT)
        #expect(session.sees("✓ Document count: 0"))
        #expect(session.prompts("nexa(movies)>"))
        session.send("exit\r")
        #expect(session.prompts("sh$"))
    }
}
