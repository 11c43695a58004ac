import Glibc
import PTYKit
import Testing

/// Much input at once: what libedit alone would cut, join or lose.
@Suite struct InputTests {
    /// A program that shows what is in a collection, so that nothing has to be read from the screen.
    private func ids(_ fixture: ShellFixture, _ collection: String) throws -> [String] {
        try fixture.run(["-e", "use \(collection)", "-e", "query --limit 0", "--ids"]).lines
    }

    @Test func aThousandPastedLinesAllRun() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open(rows: 50)
        #expect(session.screen.isBracketingPaste)
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        let lines = (0..<1000).map { "create {\"_id\": \"p\(1000 + $0)\"}" }
        session.paste(lines.joined(separator: "\r") + "\r")
        #expect(session.sees("[pasted 1000 lines, "))
        session.send("\r")
        #expect(session.wrote("✓ Document created: p1999", seconds: 60))
        session.send("exit\r")
        #expect(session.finish() == 0)
        #expect(try ids(fixture, "movies") == (1000..<2000).map { "p\($0)" })
    }

    @Test func aThousandLinesTypedAheadAllRun() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open(rows: 50)
        session.send("use movies\r" + (0..<1000).map { "create {\"_id\": \"t\(1000 + $0)\"}\r" }.joined())
        #expect(session.wrote("✓ Document created: t1999", seconds: 60))
        session.send("exit\r")
        #expect(session.finish() == 0)
        #expect(try ids(fixture, "movies") == (1000..<2000).map { "t\($0)" })
    }

    @Test func aSmallPasteIsEditedBeforeItRuns() throws {
        let session = try ShellFixture().open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.paste("create {\r  \"a\": 1\r}")
        #expect(session.prompts("}"))
        #expect(!session.screen.text.contains("created"))
        session.send("\r")
        #expect(session.sees("✓ Document created"))
    }

    @Test func ctrlCDiscardsAPaste() throws {
        let session = try ShellFixture().open()
        session.paste((0..<50).map { "use c\($0)\r" }.joined())
        #expect(session.sees("[pasted 50 lines, "))
        session.send("\u{3}use other\r")
        #expect(session.prompts("nexa(other)>"))
        #expect(!session.wrote("collection 'c1'", seconds: 0))
    }

    @Test(arguments: ["typed", "pasted", "ahead"])
    func aLineOf64KiBArrivesWhole(_ way: String) throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        let vector = (0..<9000).map { "0.\($0 % 10)\($0 % 7)\($0 % 3)1" }.joined(separator: ",")
        let line = "create {\"_id\": \"big\", \"text\": \"\(vector)\"}"
        #expect(line.utf8.count > 60_000)
        switch way {
        case "typed":
            session.send("use movies\r")
            #expect(session.prompts("nexa(movies)>"))
            session.send(line + "\r")
        case "pasted":
            session.send("use movies\r")
            #expect(session.prompts("nexa(movies)>"))
            session.paste(line)
            #expect(session.sees("[pasted 1 line, "))
            session.send("\r")
        default: session.send("use movies\r" + line + "\r")
        }
        #expect(session.wrote("✓ Document created: big", seconds: 60))
        session.send("exit\r")
        #expect(session.finish() == 0)
        let found = try fixture.run(["-e", "use movies", "-e", "read big"]).output
        #expect(found.contains("\"\(vector)\""))
    }

    /// In canonical mode, which libedit leaves the terminal in while a command runs, the kernel cuts lines at 4,095 bytes.
    @Test func aLongLineTypedWhileACommandRunsIsNotCut() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        let server = try #require(SignalTests.child(of: session.process))
        SignalTests.stop(server)
        defer { kill(server, SIGCONT) }
        session.send("count\r")
        #expect(session.wait { !$0.screen.isBracketingPaste })  // it is running
        let text = (0..<1500).map { "word\($0)" }.joined(separator: " ")
        session.send("create {\"_id\": \"ahead\", \"text\": \"\(text)\"}\r")
        kill(server, SIGCONT)
        #expect(session.wrote("✓ Document created: ahead"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        #expect(try fixture.run(["-e", "use movies", "-e", "read ahead"]).output.contains("\"\(text)\""))
    }

    @Test func whatIsTypedAheadOfTheEndStaysForTheParent() throws {
        let fixture = try ShellFixture()
        let script =
            "'\(fixture.nexa)' --local '\(fixture.database)'; echo status $?; IFS= read -r line; echo \"got $line\""
        let session = try Session("/bin/sh", ["-c", script], environment: fixture.environment)
        #expect(session.prompts("nexa>"))
        session.send("exit\rnext line\r")
        #expect(session.sees("status 0"))
        #expect(session.sees("got next line"))
    }

    @Test func controlCharactersInAPasteAreText() throws {
        let session = try ShellFixture().open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.paste("create {\"a\":\t1}")
        session.send("\r")
        #expect(session.sees("✓ Document created"))
    }
}
