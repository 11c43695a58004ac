import Glibc
import PTYKit
import TestKit
import Testing

/// `\e`, Ctrl-X Ctrl-E and `\s`.
@Suite struct OutsideEditorTests {
    /// An editor that notes what it was given and replaces it.
    private func fixture(_ text: String, then code: Int = 0) throws -> ShellFixture {
        let fixture = try ShellFixture()
        let script = try fixture.folder.write(
            "editor",
            """
            #!/bin/sh
            stat -c %a "$1" > '\(fixture.folder.path)/mode'
            stat -c %a "$(dirname "$1")" >> '\(fixture.folder.path)/mode'
            cat "$1" > '\(fixture.folder.path)/given'
            echo "$1" > '\(fixture.folder.path)/name'
            stty -a | grep -o '[-]*icanon' >> '\(fixture.folder.path)/mode'
            printf '%s' '\(text)' > "$1"
            exit \(code)

            """)
        chmod(script, 0o700)
        fixture.environment["EDITOR"] = script
        return fixture
    }

    @Test func theLastCommandIsEditedAndRunsOnEnter() throws {
        let fixture = try fixture("use films\n")
        let session = try fixture.open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("\\e\r")
        #expect(session.prompts("nexa(movies)> use films"))
        session.send("\r")
        #expect(session.prompts("nexa(films)>"))
        #expect(fixture.folder.read("given") == "use movies\n")
        #expect(fixture.folder.read("mode") == "600\n700\nicanon\n")
        let name = try #require(fixture.folder.read("name"))
        #expect(access(String(name.dropLast()), F_OK) != 0, "the file is gone")
    }

    @Test func theKeyEditsTheLine() throws {
        let fixture = try fixture("use films")
        let session = try fixture.open()
        session.send("use mov")
        #expect(session.prompts("nexa> use mov"))
        session.send("\u{18}\u{5}")
        #expect(session.prompts("nexa> use films"))
        session.send("x\r")
        #expect(session.prompts("nexa(filmsx)>"))
        #expect(fixture.folder.read("given") == "use mov\n")
    }

    @Test func aFileIsEdited() throws {
        let fixture = try fixture("use films")
        let path = try fixture.folder.write("script.nexa", "use old\n")
        let session = try fixture.open(columns: 200)
        session.send("\\e \(path)\r")
        #expect(session.prompts("nexa> use films"))
        #expect(fixture.folder.read("given") == "use old\n")
        #expect(fixture.folder.read("script.nexa") == "use films")
    }

    @Test func manyLinesAreKeptAside() throws {
        let text = (0..<30).map { "use c\($0)" }.joined(separator: "\n")
        let session = try fixture(text).open()
        session.send("\\e\r")
        #expect(session.sees("[edited 30 lines, "))
        session.send("\r")
        #expect(session.prompts("nexa(c29)>"))
    }

    @Test func anEditorThatFailsChangesNothing() throws {
        let session = try fixture("use films", then: 3).open()
        session.send("\\e\r")
        #expect(session.sees("ended with code 3"))
        #expect(session.prompts("nexa>"))
        session.send("use a\u{18}\u{5}")
        #expect(session.prompts("nexa> use a"))
        session.send("\r")
        #expect(session.prompts("nexa(a)>"))
    }

    @Test func aScriptHasNobodyToEdit() throws {
        let outcome = try ShellFixture().run(["-e", "\\e"])
        #expect(outcome.exitCode == 3)
    }

    @Test func theHistoryIsShownAndWritten() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open(columns: 200)
        session.send("use a\r")
        #expect(session.prompts("nexa(a)>"))
        session.send("use b\r")
        #expect(session.prompts("nexa(b)>"))
        session.send("\\s\r")
        #expect(session.wait { $0.screen.text.contains("use a\nuse b\n\\s\n") })
        session.send("\\s \(fixture.folder.path)/out\r")
        #expect(session.sees("✓ Wrote 4 command(s) to "))
        #expect(fixture.folder.read("out")?.hasPrefix("use a\nuse b\n\\s\n") == true)
    }

    @Test func theKeysAreListed() throws {
        let outcome = try ShellFixture().run(["-e", "help keys"])
        #expect(outcome.output.contains("Ctrl-X Ctrl-E"))
        #expect(outcome.lines.contains { $0.contains("Tab") && $0.contains("complete the word") })
    }
}
