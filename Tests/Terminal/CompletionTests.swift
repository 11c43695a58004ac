import Glibc
import PTYKit
import TestKit
import Testing

/// Tab, as a person uses it.
@Suite struct CompletionTests {
    private func movies() throws -> (ShellFixture, Session) {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("insert_many [{\"_id\": \"m1\", \"title\": \"Alien\", \"year\": 1979, \"genre\": \"horror\"}]\r")
        #expect(session.sees("✓ Created 1 document(s)"))
        #expect(session.prompts("nexa(movies)>"))
        return (fixture, session)
    }

    /// Presses Tab until the line is what it should be: the answer of the server may come after the first.
    private func complete(_ session: Session, to line: String) -> Bool {
        for _ in 0..<50 {
            session.send("\t")
            if session.prompts(line, seconds: 0.4) { return true }
        }
        return false
    }

    @Test func commandsAreCompleted() throws {
        let session = try ShellFixture().open()
        session.send("databa\t")
        #expect(session.prompts("nexa> databases"))
        session.send("\r")
        #expect(session.sees("✓ Found"))
    }

    @Test func collectionsFieldsOperatorsAndIdsAreCompleted() throws {
        let (_, session) = try movies()
        session.send("use mov")
        #expect(complete(session, to: "nexa(movies)> use movies"))
        session.send("\u{15}query {\"ti")
        #expect(complete(session, to: "nexa(movies)> query {\"title\":"))
        session.send("\u{15}query {year: {$gt\t")
        session.send("e\t")
        #expect(session.prompts("nexa(movies)> query {year: {$gte:"))
        session.send("1970}}\r")
        #expect(session.sees("✓ Found 1 document(s):"))
        #expect(session.prompts("nexa(movies)>"))
        session.send("read \t")
        #expect(session.prompts("nexa(movies)> read m1"))
        session.send("\u{15}query {genre: \"ho\t")
        #expect(session.prompts("nexa(movies)> query {genre: \"horror"))
    }

    @Test func theSecondTabListsInColumnsAndTheLineComesBack() throws {
        let session = try ShellFixture().open()
        session.send("create\t")
        session.send("\t")
        #expect(session.sees("create_collection"))
        #expect(session.sees("create_db"))
        #expect(session.prompts("nexa> create"))
        session.send("_db\u{15}use x\r")
        #expect(session.prompts("nexa(x)>"))
    }

    @Test func aListBelowALineOfSeveralRowsHarmsNothing() throws {
        let session = try ShellFixture().open(columns: 40)
        let long = String(repeating: "x", count: 60)
        session.send("use \(long); create")
        #expect(session.wait { $0.screen.cursorLine.hasSuffix("create") })
        session.send("\t\t")
        #expect(session.sees("create_db"))
        #expect(session.wait { $0.screen.cursorLine.hasSuffix("create") })
        session.send("\u{1}\u{5}\u{17}use y\r")
        #expect(session.prompts("nexa(y)>"))
    }

    @Test func manyNamesAreOnlyListedWhenWanted() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("use c\r")
        #expect(session.prompts("nexa(c)>"))
        let fields = (0..<150).map { "f\($0): \($0)" }.joined(separator: ", ")
        session.paste("create {\(fields)}")
        session.send("\r")
        #expect(session.sees("✓ Document created"))
        #expect(session.prompts("nexa(c)>"))
        session.send("count {f")
        for _ in 0..<50 where !session.sees("Display all 150? y/n", seconds: 0.4) { session.send("\t") }
        session.send("n")
        #expect(session.prompts("nexa(c)> count {f"))
        session.send("\t")
        #expect(session.wait { $0.screen.cursorLine.hasPrefix("Display all 150? y/n") })
        session.send("y")
        #expect(session.sees("f149"))
        #expect(session.prompts("nexa(c)> count {f"))
        session.send("149\t")
        #expect(session.prompts("nexa(c)> count {f149:"))
        session.send("149}\r")
        #expect(session.sees("✓ Document count: 1"))
    }

    @Test func aCompletionCanBeTakenBack() throws {
        let session = try ShellFixture().open()
        session.send("databa\t")
        #expect(session.prompts("nexa> databases"))
        session.send("\u{1F}")
        #expect(session.prompts("nexa> databa"))
    }

    @Test func inTheMiddleOfALine() throws {
        let session = try ShellFixture().open()
        session.send("datab; use x\u{1}\u{6}\u{6}\u{6}\u{6}\u{6}\t")
        #expect(session.wait { $0.screen.cursorLine.hasPrefix("nexa> databases ; use x") })
    }

    @Test func filesAreCompleted() throws {
        let fixture = try ShellFixture()
        _ = try fixture.folder.write("movies.ndjson", "{\"a\": 1}\n")
        mkdir(fixture.folder["folder"], 0o700)
        let session = try fixture.open(columns: 200)
        session.send("import \(fixture.folder.path)/mov\t")
        #expect(session.wait { $0.screen.cursorLine.hasSuffix("/movies.ndjson") })
        session.send("\u{15}import \(fixture.folder.path)/fol\t")
        #expect(session.wait { $0.screen.cursorLine.hasSuffix("/folder/") })
    }

    /// A server that stands still: Tab rings the bell, and what is typed meanwhile is there.
    @Test func aServerThatDoesNotAnswerHoldsNobodyUp() throws {
        let session = try ShellFixture().open()
        let server = try #require(SignalTests.child(of: session.process))
        SignalTests.stop(server)
        defer { kill(server, SIGCONT) }
        session.send("use m\t")
        session.send("ovies")
        #expect(session.prompts("nexa> use movies"))
        #expect(session.log.contains(7))
        kill(server, SIGCONT)
        session.send("\r")
        #expect(session.prompts("nexa(movies)>"))
    }

    @Test func tabIsTextInAPaste() throws {
        let session = try ShellFixture().open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.paste("create {\"a\":\t\"x\ty\"}")
        session.send("\r")
        #expect(session.sees("✗ Error") || session.sees("✓ Document created"))
        // Without brackets around it too: many bytes at once are no keys.
        session.send("create {\"_id\": \"t\",\t\"b\":\t1}\r")
        #expect(session.sees("✓ Document created: t"))
    }

    @Test func answersAreNotCompleted() throws {
        let session = try ShellFixture().open()
        session.send("drop_db staging\r")
        #expect(session.sees("Type 'yes' to confirm:"))
        session.send("databa\t\r")
        #expect(session.sees("✗ Drop cancelled"))
    }
}
