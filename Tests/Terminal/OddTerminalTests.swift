import Glibc
import PTYKit
import TestKit
import Testing

/// Terminals that know little, streams that are closed, widths nobody has.
@Suite struct OddTerminalTests {
    @Test(arguments: ["dumb", "unknown", "", "emacs", "vt100", "ansi", "xterm", "screen-256color", "linux"])
    func everyTerminalGetsAPromptAndKeepsTheText(_ name: String) throws {
        let fixture = try ShellFixture(["TERM": name])
        let session = try fixture.open()
        // Inside Emacs the buffer is the editor: whole lines come from there.
        session.send(name == "emacs" ? "use movies\r" : "use moviez\u{7F}s\r")
        #expect(session.sees("✓ Switched to collection 'movies'"))
        if name != "emacs" { session.send("\u{3}") }
        session.send(name == "emacs" ? "databases\r" : "databa\t\r")
        #expect(session.sees("✓ Found"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        if name == "dumb" { #expect(!session.wrote("\u{1B}[3", seconds: 0), "no colours") }
    }

    @Test func everyEncodingOfTheKeysIsKnown() throws {
        // xterm, application mode, linux, vt220, rxvt
        for (home, end, delete) in [
            ("[H", "[F", "[3~"), ("OH", "OF", "[3~"), ("[1~", "[4~", "[3~"), ("[7~", "[8~", "[3~")
        ] {
            let session = try ShellFixture(["TERM": "vt220"]).open()
            session.send("xuse movie\u{1B}\(home)\u{1B}\(delete)\u{1B}\(end)s\r")
            #expect(session.sees("✓ Switched to collection 'movies'"))
        }
    }

    @Test(arguments: [1, 2, 5, 10, 1000])
    func everyWidthWorks(_ columns: Int) throws {
        let fixture = try ShellFixture()
        let session = try Session(
            fixture.nexa, ["--local", fixture.database], environment: fixture.environment, columns: columns, rows: 24)
        session.companion = fixture
        #expect(session.wait { $0.screen.isBracketingPaste })
        session.send("use movies; create\t\t\u{15}use films\r")
        #expect(session.wrote("films'"))
        session.send("exit\r")
        #expect(session.finish() == 0)
    }

    @Test func resizingInAnyStepKeepsTheText() throws {
        let session = try ShellFixture().open(columns: 120)
        let name = String(repeating: "0123456789", count: 15)
        session.send("use \(name)")
        #expect(session.wait { $0.screen.cursorLine.hasSuffix("789") })
        var text = name
        for (columns, key) in zip([40, 90, 17, 1, 500, 80], "abcdef") {
            session.resize(columns: columns, rows: 24)
            session.send(String(key))
            text.append(key)
            #expect(session.wait { $0.screen.cursorLine.hasSuffix(String(key)) })
        }
        session.send("\r")
        #expect(session.wrote("✓ Switched to collection '\(text)'"))
    }

    @Test func resizingWhileACommandRunsOrAListIsAsked() throws {
        let session = try ShellFixture().open()
        let server = try #require(SignalTests.child(of: session.process))
        SignalTests.stop(server)
        defer { kill(server, SIGCONT) }
        session.send("ping\r")
        #expect(session.wait { !$0.screen.isBracketingPaste })
        session.resize(columns: 40, rows: 24)
        kill(server, SIGCONT)
        #expect(session.sees("✓ Pong"))
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
    }

    /// libedit reads nothing then, so that no end of the input is seen.
    @Test func aTerminalThatGoesAwayDuringACommandEndsTheShell() throws {
        let session = try ShellFixture().open()
        session.send("\\! echo be''gun; trap '' HUP; sleep 1\r")
        #expect(session.sees("begun"))
        session.hangUp()
        #expect(session.finish() != nil)
    }

    @Test func aTerminalThatGoesAwayEndsTheShell() throws {
        let fixture = try ShellFixture()
        let first = try fixture.open()
        let shell = first.process
        first.hangUp()
        #expect(first.finish() != nil)
        #expect(kill(shell, 0) != 0)
    }

    @Test func closedStreamsAreNoTrouble() throws {
        let fixture = try ShellFixture()
        for streams in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "<&- 2>&-"] {
            let session = try Session(
                "/bin/sh",
                [
                    "-c",
                    "'\(fixture.nexa)' --local '\(fixture.database)' -e 'use movies' -e count \(streams); echo \"code $?\""
                ],
                environment: fixture.environment)
            #expect(session.wait { $0.screen.text.contains("code ") }, "\(streams)")
            #expect(
                !session.screen.text.contains("code 1"), "killed by a signal with \(streams): \(session.screen.text)")
        }
    }

    @Test func theShellWorksWithoutATerminalOfItsOwn() throws {
        let fixture = try ShellFixture()
        let session = try Session(
            "/bin/sh",
            [
                "-c",
                "setsid -w '\(fixture.nexa)' --local '\(fixture.database)' -e 'use movies' -e count </dev/null; echo code $?"
            ],
            environment: fixture.environment)
        #expect(session.sees("code 0"))
    }
}
