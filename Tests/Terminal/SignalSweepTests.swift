import Glibc
import PTYKit
import TestKit
import Testing

/// Signals at the prompt, while a command runs, and at random moments.
@Suite struct SignalSweepTests {
    /// The modes of the terminal as `stty` shows them.
    private static let script = """
        trap : INT
        stty -a > "$HOME/before"
        "$NEXA" --local "$HOME/data"
        echo "code $?"
        stty -a > "$HOME/after"
        echo done
        """

    private func wrapped() throws -> (ShellFixture, Session) {
        let fixture = try ShellFixture()
        fixture.environment["NEXA"] = fixture.nexa
        let session = try Session("/bin/sh", ["-c", Self.script], environment: fixture.environment)
        session.companion = fixture
        #expect(session.prompts("nexa>"))
        return (fixture, session)
    }

    @Test(arguments: [SIGTERM, SIGHUP, SIGQUIT])
    func aSignalWhileACommandRunsRestoresTheTerminal(_ signal: CInt) throws {
        let (fixture, session) = try wrapped()
        let shell = try #require(SignalTests.child(of: session.process))
        let server = try #require(SignalTests.child(of: shell))
        SignalTests.stop(server)
        defer { kill(server, SIGCONT) }
        session.send("ping\r")
        #expect(session.wait { !$0.screen.isBracketingPaste })
        kill(shell, signal)
        #expect(session.sees("done"))
        #expect(session.sees("code \(128 + signal)"))
        #expect(fixture.folder.read("after") == fixture.folder.read("before"))
    }

    @Test func ctrlCDropsAContinuation() throws {
        let session = try ShellFixture().open()
        session.send("query {\r")
        #expect(session.prompts("   ...>"))
        session.send("a: 1,\u{3}")
        #expect(session.prompts("nexa>"))
        session.send("use clean\r")
        #expect(session.prompts("nexa(clean)>"))
    }

    @Test func ctrlCEndsAPause() throws {
        let session = try ShellFixture().open()
        session.send("\\echo once\r\\watch 3600\r")
        #expect(session.wait { !$0.screen.isBracketingPaste && $0.screen.text.contains("once") })
        session.send("\u{3}")
        #expect(session.prompts("nexa>"))
        session.send("use on\r")
        #expect(session.prompts("nexa(on)>"))
    }

    @Test func ctrlBackslashIsNoEndOfARunningCommand() throws {
        let session = try ShellFixture().open()
        let server = try #require(SignalTests.child(of: session.process))
        SignalTests.stop(server)
        defer { kill(server, SIGCONT) }
        session.send("ping\r")
        #expect(session.wait { !$0.screen.isBracketingPaste })
        session.send("\u{1C}")
        session.send("\u{3}")
        #expect(session.prompts("nexa>"))
        kill(server, SIGCONT)
        session.send("use on\r")
        #expect(session.prompts("nexa(on)>"))
    }

    @Test func aCommandThatRunsCanBeStoppedAndContinued() throws {
        let fixture = try ShellFixture()
        let session = try Session("/bin/bash", ["--norc", "-i"], environment: fixture.environment)
        session.send("PS1='sh$ '\r")
        #expect(session.prompts("sh$"))
        session.send("'\(fixture.nexa)' --local '\(fixture.database)'\r")
        #expect(session.prompts("nexa>"))
        let shell = try #require(SignalTests.child(of: session.process))
        let server = try #require(SignalTests.child(of: shell))
        SignalTests.stop(server)
        defer { kill(server, SIGCONT) }
        session.send("ping\r")
        #expect(session.wait { !$0.screen.isBracketingPaste })
        session.send("\u{1A}")
        #expect(session.sees("Stopped"))
        #expect(session.prompts("sh$"))
        session.send("echo $((40+2))\r")
        #expect(session.sees("42"))
        kill(server, SIGCONT)
        session.send("fg\r")
        #expect(session.sees("✓ Pong"))
        session.send("use back\r")
        #expect(session.prompts("nexa(back)>"))
        session.send("exit\r")
        #expect(session.prompts("sh$"))
    }

    @Test func aStopFromOutsideKeepsTheLine() throws {
        let fixture = try ShellFixture()
        let session = try Session("/bin/bash", ["--norc", "-i"], environment: fixture.environment)
        session.send("PS1='sh$ '\r")
        #expect(session.prompts("sh$"))
        session.send("'\(fixture.nexa)' --local '\(fixture.database)'\r")
        #expect(session.prompts("nexa>"))
        session.send("use ha")
        #expect(session.prompts("nexa> use ha"))
        let shell = try #require(SignalTests.child(of: session.process))
        kill(shell, SIGSTOP)
        #expect(session.prompts("sh$"))
        session.send("fg\r")
        #expect(session.wait { $0.screen.text.contains("--local") && !$0.screen.cursorLine.hasSuffix("sh$") })
        session.send("lf\r")
        #expect(session.sees("✓ Switched to collection 'half'"))
    }

    @Test func aSecondCtrlCAtTheSamePromptIsNoCommandsEnd() throws {
        let session = try ShellFixture().open()
        for _ in 0..<20 { session.send("\u{3}") }
        session.send("ping\r")
        #expect(session.sees("✓ Pong"))
    }

    /// Signals at random moments of typing, completing and running: the terminal is as it was, the parent sees the
    /// signal, and the history has whole lines only. NEXA_SWEEP_RUNS makes it longer.
    @Test func signalsAtRandomMomentsLeaveNothingBehind() throws {
        let runs = getenv("NEXA_SWEEP_RUNS").flatMap { Int(String(cString: $0)) } ?? 12
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let fixture = try ShellFixture()
        fixture.environment["NEXA"] = fixture.nexa
        // Holds the server, so that each run only has to connect.
        let holder = try fixture.open(["--no-history"])
        let keys = [
            "use movies\r", "count\r", "create {\"a\": 1}\r", "databa\t", "\u{15}", "create\t\t", "query {\r", "\u{3}",
            "\u{1B}[A", "\u{12}us", "\u{7}", "ping\r", "\u{1B}[200~use x\ruse y\u{1B}[201~", "日本", "\u{17}"
        ]
        for run in 0..<runs {
            let signal = [SIGINT, SIGTERM, SIGHUP, SIGKILL][Int(random.next() % 4)]
            let session = try Session("/bin/sh", ["-c", Self.script], environment: fixture.environment)
            #expect(session.prompts("nexa>"), "seed \(seed), run \(run)")
            let shell = try #require(SignalTests.child(of: session.process))
            for _ in 0..<Int(random.next() % 30) { session.send(keys[Int(random.next() % UInt64(keys.count))]) }
            for _ in 0..<Int(random.next() % 4) { session.wait(seconds: 0.002) { _ in false } }
            kill(shell, signal)
            if signal == SIGINT {
                for _ in 0..<30 where !session.wrote("done", seconds: 0.2) {
                    session.send("\u{3}")
                    // A paste whose end is missing is only left when nothing follows the Ctrl-C for a while.
                    session.wait(seconds: 0.5) { _ in false }
                    session.send("\u{15}exit\r")
                }
            }
            #expect(session.wrote("done"), "seed \(seed), run \(run), signal \(signal): \(session.screen.text)")
            let code = signal == SIGINT ? 0 : 128 + signal
            #expect(session.wrote("code \(code)"), "seed \(seed), run \(run), signal \(signal)")
            if signal != SIGKILL {
                #expect(
                    fixture.folder.read("after") == fixture.folder.read("before"),
                    "seed \(seed), run \(run), signal \(signal)")
            }
        }
        holder.send("ping\r")
        #expect(holder.sees("✓ Pong"))
        let history = fixture.folder.read(".nexadb_history") ?? "#V2\n"
        #expect(history.hasPrefix("#V2\n") && history.hasSuffix("\n"))
    }
}
