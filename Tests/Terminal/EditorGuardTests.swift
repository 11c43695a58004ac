import Glibc
import PTYKit
import TestKit
import Testing

/// What libedit does wrong by itself: none of it may come back with a newer libedit or a simplification here.
@Suite struct EditorGuardTests {
    /// Between two prompts the terminal must not be in canonical mode, where lines are cut at 4,095 bytes.
    @Test func theTerminalIsNeverCanonicalWhileACommandRuns() throws {
        let session = try ShellFixture().open()
        let server = try #require(SignalTests.child(of: session.process))
        SignalTests.stop(server)
        defer { kill(server, SIGCONT) }
        session.send("ping\r")
        #expect(session.wait { !$0.screen.isBracketingPaste })
        #expect(!session.modes.isCanonical)
        #expect(!session.modes.echoes)
        #expect(session.modes.local & UInt32(ISIG) != 0, "Ctrl-C is a signal while a command runs")
        kill(server, SIGCONT)
        #expect(session.sees("✓ Pong"))
        #expect(session.wait { $0.screen.isBracketingPaste && $0.modes.local & UInt32(ISIG) == 0 })
    }

    /// A line longer than the kernel's limit, sent at once with what follows it.
    @Test(arguments: [4094, 4095, 4096, 4097, 6000, 20_000])
    func noLineIsCut(_ length: Int) throws {
        let session = try ShellFixture().open()
        let name = String((0..<length).map { _ in "x" })
        session.send("ping\r\\echo <\(name)>\rping\r")
        #expect(session.wrote("<\(name)>\r"))
        session.send("exit\r")
        #expect(session.finish() == 0)
    }

    /// libedit's buffer is not ended behind the last character.
    @Test func whatWasDeletedDoesNotComeBack() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("use averylongname\u{15}use ab\u{1B}[A\u{1B}[Bc\r")
        #expect(session.prompts("nexa(abc)>"))
        session.send("use averylongname\u{17}x\t\u{3}")
        #expect(session.prompts("nexa(abc)>"))
        #expect(fixture.folder.read(".nexadb_history") == "#V2\nuse abc\n")
    }

    /// libedit reads one byte per call where there is no terminal: it must not be asked there.
    @Test func pipesAreReadInBulk() throws {
        let blank = String(repeating: "\n", count: 500_000)
        let outcome = try ShellFixture().run([], input: blank + "\\! grep syscr /proc/$PPID/io\n")
        let line = try #require(outcome.lines.first { $0.contains("syscr:") })
        let calls = try #require(Int(line.split(separator: " ").last ?? ""))
        #expect(calls < 20_000)
    }

    /// The prompt's colour ends before its last blank: libedit drops a sequence at the very end.
    @Test func theColourOfThePromptEnds() throws {
        let session = try ShellFixture().open()
        #expect(session.wrote("\u{1B}[1;32mnexa>\u{1B}[0m "))
    }

    /// libedit's own history file is read, and never truncated by a failed load.
    @Test func aHistoryThatLibeditWroteIsKept() throws {
        let fixture = try ShellFixture()
        _ = try fixture.folder.write(".nexadb_history", "_HiStOrY_V2_\nuse\\040old\n")
        let session = try fixture.open()
        session.send("\u{1B}[Aer\r")
        #expect(session.prompts("nexa(older)>"))
        #expect(fixture.folder.read(".nexadb_history") == "#V2\nuse old\nuse older\n")
    }

    /// No question is ever sent to the terminal, and without one not a single escape sequence.
    @Test func nothingIsAskedOfTheTerminal() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("use movies\rcreate\t\t\u{15}exit\r")
        #expect(session.finish() == 0)
        for query in ["\u{1B}[6n", "\u{1B}[c", "\u{1B}[>", "\u{1B}Z", "\u{1B}]"] {
            #expect(!session.wrote(query, seconds: 0), "\(query.dropFirst())")
        }
        let outcome = try fixture.run([], input: "use movies\ncollections\nnonsense\n")
        #expect(!outcome.output.contains("\u{1B}") && !outcome.errors.contains("\u{1B}"))
    }

    @Test func repeatedLinesAreOneEntryAndLaterOnesStillCome() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("use a\ruse a\ruse a\ruse b\r")
        #expect(session.prompts("nexa(b)>"))
        #expect(fixture.folder.read(".nexadb_history") == "#V2\nuse a\nuse b\n")
    }
}
