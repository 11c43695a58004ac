import PTYKit
import TestKit
import Testing

@Suite struct EditingTests {
    @Test func promptsAndGoesOnCtrlD() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        #expect(session.screen.everything.contains("Type 'help' for commands or 'exit' to quit."))
        #expect(session.screen.everything.contains("✓ Connected to NexaDB v"))
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("\u{4}")
        #expect(session.finish() == 0)
        #expect(session.screen.text.contains("Goodbye! 👋"))
        #expect(!session.screen.text.contains("^D"))
    }

    @Test func editsInTheMiddle() throws {
        let session = try ShellFixture().open()
        session.send("use mvies")
        #expect(session.prompts("nexa> use mvies"))
        session.send("\u{1B}[D\u{1B}[D\u{1B}[D\u{1B}[Do")  // four to the left, then the letter
        #expect(session.prompts("nexa> use movies"))
        session.send("\u{1}xx\u{5}2\u{2}\u{2}\u{4}")  // start, end, back twice, delete forward
        #expect(session.prompts("nexa> xxuse movie2"))
        session.send("\u{1B}[H\u{1B}[3~\u{1B}OH\u{1B}[3~\u{1B}[F\u{7F}\r")
        #expect(session.prompts("nexa(movie)>"))
    }

    @Test func killsAndYanksWords() throws {
        let session = try ShellFixture().open()
        session.send("one two three")
        session.send("\u{17}")
        #expect(session.prompts("nexa> one two"))
        session.send("\u{15}")
        #expect(session.prompts("nexa>"))
        session.send("\u{19}use x\u{1B}[1;5D\u{B}y\r")
        #expect(session.sees("Unknown command: one") || session.sees("nexa(y)>"))
    }

    @Test(arguments: ["C", "POSIX", "de_DE.ISO-8859-1", "C.UTF-8"])
    func charactersBeyondASCIISurviveEveryLocale(_ locale: String) throws {
        let session = try ShellFixture(["LANG": locale, "LC_ALL": locale]).open()
        session.send("use café-日本-🎬\r")
        #expect(session.sees("✓ Switched to collection 'café-日本-🎬'"))
        #expect(session.prompts("nexa(café-日本-🎬)>"))
    }

    @Test func badBytesBecomeVisibleInsteadOfVanishing() throws {
        let session = try ShellFixture().open()
        session.send([UInt8]("use a".utf8) + [0xFF, 0xC3] + [UInt8]("b\r".utf8))
        #expect(session.sees("✓ Switched to collection 'a\u{FFFD}\u{FFFD}b'"))
    }

    @Test func historyGoesUpAndDownAndSurvives() throws {
        let fixture = try ShellFixture()
        let first = try fixture.open()
        first.send("use movies\r")
        #expect(first.prompts("nexa(movies)>"))
        first.send("count\r")
        #expect(first.sees("Document count: 0"))
        first.send("\u{1B}[A")
        #expect(first.prompts("nexa(movies)> count"))
        first.send("\u{1B}[A")
        #expect(first.prompts("nexa(movies)> use movies"))
        first.send("\u{1B}[B")
        #expect(first.prompts("nexa(movies)> count"))
        first.send("\u{3}use\u{1B}OA")  // only what begins with what was typed
        #expect(first.prompts("nexa(movies)> use movies"))
        first.signal(9)
        _ = first.finish()

        let second = try fixture.open()
        second.send("\u{1B}[A")
        #expect(second.prompts("nexa> count"))
        second.send("\u{15}\u{12}movies")
        #expect(second.sees("bck:movies"))
        second.send("\r")
        #expect(second.prompts("nexa(movies)>"))
    }

    @Test func secretsAndBlankLinesAreNotInTheHistory() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("use people\r")
        #expect(session.prompts("nexa(people)>"))
        session.send("create {\"password\": \"canary\"}\r")
        #expect(session.sees("✓ Document created"))
        session.send(" count\r")
        #expect(session.sees("✓ Document count: 1"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        #expect(fixture.folder.read(".nexadb_history") == "#V2\nuse people\nexit\n")
    }

    @Test func historyFilesOfEarlierShellsAreKept() throws {
        let fixture = try ShellFixture()
        _ = try fixture.folder.write(".nexadb_history", "#V2\nquery {\\\\n}\nuse old\n")
        let session = try fixture.open()
        session.send("\u{1B}[A")
        #expect(session.prompts("nexa> use old"))
        session.send("er\r")
        #expect(session.prompts("nexa(older)>"))
        #expect(fixture.folder.read(".nexadb_history") == "#V2\nquery {\\\\n}\nuse old\nuse older\n")
    }

    @Test func noHistoryIsNoHistory() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open(["--no-history"])
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        #expect(fixture.folder.read(".nexadb_history") == nil)
    }

    @Test func ctrlCDropsTheLine() throws {
        let session = try ShellFixture().open()
        session.send("\u{3}")
        #expect(session.sees("Use 'exit' to quit"))
        #expect(session.prompts("nexa>"))
        // Ctrl-C makes the terminal drop what nobody has read yet.
        session.send("use half")
        #expect(session.sees("use half"))
        session.send("\u{3}")
        #expect(session.sees("use half^C"))
        session.send("use whole\r")
        #expect(session.prompts("nexa(whole)>"))
        #expect(!session.screen.text.contains("'half'"))
    }

    @Test func openBracketsContinueOnTheNextLine() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("use movies\rcreate {\r")
        #expect(session.prompts("         ...>"))
        session.send("\"title\": \"Alien\",\r\"year\": 1979\r}\r")
        #expect(session.sees("✓ Document created: "))
        session.send("query {\r")
        #expect(session.prompts("         ...>"))
        session.send("\u{3}")
        #expect(session.prompts("nexa(movies)>"))
        session.send("count {\r")
        #expect(session.prompts("         ...>"))
        session.send("\r")  // a blank line gives up as well
        #expect(session.prompts("nexa(movies)>"))
        session.send("query {\"year\" 1}\r")
        #expect(session.sees("              ^"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        let history = try #require(fixture.folder.read(".nexadb_history"))
        #expect(history.contains("create {\\n\"title\": \"Alien\",\\n\"year\": 1979\\n}\n"))
    }

    @Test func faultsThatNoLineCanMendAreReportedAtOnce() throws {
        let session = try ShellFixture().open()
        session.send("use m\rquery {\"year\" {\"$gte\": 2000\r")
        #expect(session.sees("✗ Error: expected ':' at line 1 column 15"))
        #expect(session.prompts("nexa(m)>"))
    }

    @Test func resizingKeepsTheText() throws {
        let session = try ShellFixture().open()
        let name = String(repeating: "0123456789", count: 10)
        session.send("use \(name)")
        #expect(session.wait { $0.screen.cursorLine.hasSuffix("6789") && $0.screen.row > 0 })
        session.resize(columns: 40, rows: 24)
        session.send("x")
        #expect(session.wait { $0.screen.cursorLine.hasSuffix("x") })
        session.resize(columns: 120, rows: 24)
        session.send("y\r")
        #expect(session.wrote("✓ Switched to collection '\(name)xy'"))
    }

    @Test(arguments: ["dumb", "unknown-terminal", "vt220", "screen", "linux"])
    func oddTerminalsWork(_ name: String) throws {
        let session = try ShellFixture(["TERM": name]).open()
        session.send("use movies\r")
        #expect(session.sees("✓ Switched to collection 'movies'"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        if name == "dumb" { #expect(!session.log.contains(0x1B) || !session.wrote("\u{1B}[32m", seconds: 0)) }
    }
}
