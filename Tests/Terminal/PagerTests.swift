import Glibc
import PTYKit
import TestKit
import Testing

/// Long output at a terminal: tables that fit, and the pager.
@Suite struct PagerTests {
    /// A shell on a collection of `count` small documents.
    private func open(
        _ pager: [String: String], count: Int = 60, columns: Int = 80, arguments: [String] = []
    ) throws -> (ShellFixture, Session) {
        let fixture = try ShellFixture(["TERM": "xterm-256color"])
        let documents = (0..<count).map {
            "{\"_id\":\"d\(1_000_000 + $0)\",\"n\":\($0),\"t\":\"text of some length\"}\n"
        }
        let made = try fixture.run(["-e", "import - m"], input: documents.joined())
        try #require(made.exitCode == 0, "\(made.errors)")
        fixture.environment["NEXA_PAGER"] = nil
        fixture.environment.merge(pager) { $1 }
        let session = try fixture.open(
            ["--collection", "m"] + arguments, columns: columns, prompt: "nexa(m)>")
        return (fixture, session)
    }

    @Test func lessShowsWhatIsTallerThanTheScreen() throws {
        let (_, session) = try open([:], arguments: ["--no-color"])
        #expect(session.wait { $0.modes.local & UInt32(ISIG) == 0 })
        let modes = session.modes
        session.send("query --limit 0\r")
        #expect(session.sees("✓ Found 60 document(s):"))
        #expect(session.prompts(":"))
        session.send("G")
        #expect(session.sees("\"n\": 59"))
        #expect(session.sees("(END)"))
        session.send("q")
        #expect(session.prompts("nexa(m)>"))
        #expect(session.wait { $0.modes == modes }, "\(session.modes) instead of \(modes)")
        session.send("count\r")
        #expect(session.sees("✓ Document count: 60"))
        session.send("exit\r")
        #expect(session.finish() == 0)
    }

    @Test func whatFitsOnTheScreenNeedsNoPager() throws {
        let folder = try TemporaryDirectory()
        let (_, session) = try open(["NEXA_PAGER": "touch '\(folder["pager-ran"])'; cat"])
        session.send("query --limit 1\r")
        #expect(session.sees("\"n\": 0"))
        session.send("query --limit 3 --fields n\r")
        #expect(session.sees("\"n\": 2"))
        #expect(session.prompts("nexa(m)>"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        #expect(access(folder["pager-ran"], F_OK) != 0)
    }

    @Test func thePagerGetsEverythingOnce() throws {
        let fixture = try ShellFixture()
        let paged = fixture.folder["paged"]
        let (_, session) = try open(["PAGER": "cat > '\(paged)'"])
        session.send("query --limit 50\r")
        #expect(session.wait { _ in fixture.folder.read("paged")?.contains("Only the first 50") == true })
        #expect(session.prompts("nexa(m)>"))
        let lines = try #require(fixture.folder.read("paged")).split(separator: "\n").map(String.init)
        #expect(lines.filter { $0.contains("\"_id\"") }.count == 50)
        #expect(lines.first?.contains("✓ Found 50 document(s):") == true)
        #expect(lines.last?.contains("⚠ Only the first 50 documents are shown; 'it' shows more") == true)
        session.send("\\pager off\r")
        session.send("it\r")
        #expect(session.sees("\"n\": 59"))
        #expect(session.sees("[60]"))
        #expect(session.prompts("nexa(m)>"))
    }

    @Test func leavingThePagerEndsTheQuery() throws {
        let (_, session) = try open(["NEXA_PAGER": "head -n 3"], count: 50_000)
        session.send("\\format ndjson\r")
        #expect(session.sees("Format: ndjson"))
        session.send("query --all\r")
        #expect(session.sees("d1000002"))
        #expect(session.prompts("nexa(m)>"))
        #expect(!session.screen.text.contains("✗"))
        #expect(!session.screen.text.contains("d1000003"))
        session.send("count\r")
        #expect(session.sees("50000"))
    }

    @Test(arguments: ["no-such-pager -x", "exec no-such-pager", "/dev/null"])
    func withoutAPagerEverythingIsShown(_ command: String) throws {
        let (_, session) = try open(["NEXA_PAGER": command])
        session.send("query --limit 0\r")
        #expect(session.sees("\"n\": 59"))
        #expect(session.prompts("nexa(m)>"))
        let ids = session.screen.everything.split(separator: "\n").filter { $0.contains("\"_id\"") }
        #expect(ids.count == 60)
    }

    @Test func ctrlCInThePagerIsThePagers() throws {
        let (_, session) = try open([:], count: 20_000)
        session.send("\\format ndjson\r")
        #expect(session.prompts("nexa(m)>"))
        session.send("query --all\r")
        #expect(session.prompts(":"))
        // Ctrl-C throws away what was typed behind it: less draws the screen anew when it has seen it.
        let drawn = session.log.count
        session.send("\u{3}")
        #expect(session.wait { $0.log.count > drawn && $0.screen.cursorLine == ":" })
        // On a busy machine it may see it only after that. A slash that got lost makes the rest a walk of a million lines: each
        // try begins at the top.
        var isFound = false
        for _ in 0..<6 where !isFound {
            session.send("g")
            session.send("/d1000900\r")
            isFound = session.sees("d1000900", seconds: 5)
        }
        #expect(isFound, "\(session.screen.text)")
        session.send("q")
        #expect(session.prompts("nexa(m)>"))
        session.send("count\r")
        #expect(session.sees("20000"))
    }

    // MARK: Tables

    @Test func tablesFollowTheWidthOfTheScreen() throws {
        let (_, session) = try open(["NEXA_PAGER": ""], columns: 60)
        session.send("\\format table\r")
        session.send("query --limit 3\r")
        #expect(session.sees("… cut:"))
        #expect(session.sees("│ d1000002 │"))
        #expect(session.screen.text.contains("┌──────────┬"))
        session.resize(columns: 140, rows: 24)
        session.send("\\last\r")
        #expect(session.sees("_created_at"))
        #expect(session.sees("text of some length"))
        session.send("\\x auto\r")
        #expect(session.sees("Vertical: auto"))
        session.resize(columns: 40, rows: 24)
        session.send("query {n: 7}\r")
        #expect(session.sees("-[ 1 ]---"))
        #expect(session.sees("_id         | d1000007"))
        session.send("\\x off\r\\last csv\r")
        #expect(session.sees("d1000007,"))
    }

    @Test func aPersonIsToldHowLongThingsTake() throws {
        let (_, session) = try open(["NEXA_PAGER": ""])
        session.send("\\timing\r")
        #expect(session.sees("Timing: on"))
        session.send("count\r")
        #expect(session.sees("Time: "))
        #expect(session.screen.text.contains(" ms"))
        session.send("\\timing off\r")
        #expect(session.sees("Timing: off"))
    }
}
