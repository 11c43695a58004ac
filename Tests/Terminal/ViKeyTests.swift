import Glibc
import PTYKit
import TestKit
import Testing

/// vi keys, which ~/.editrc chooses: what libedit does wrong with them must not come back.
@Suite struct ViKeyTests {
    private func open(_ prepare: (ShellFixture) throws -> Void = { _ in }) throws -> Session {
        let fixture = try ShellFixture()
        _ = try fixture.folder.write(".editrc", "nexa:bind -v\n")
        try prepare(fixture)
        return try fixture.open()
    }

    /// libedit types again what it remembers, and that began with another `.`: no key was read any more.
    @Test func aRepetitionThatRepeatsItselfEnds() throws {
        let session = try open()
        session.send("ab\u{1B}")
        session.send("x\u{3}")
        #expect(session.prompts("nexa>"))
        session.send("..\u{1B}0D")
        #expect(session.prompts("nexa>"))
        session.send(".")
        // What was repeated ended with ESC, which takes the first of these.
        session.send("\u{3}\u{3}")
        session.send("use after\r")
        #expect(session.prompts("nexa(after)>"))
    }

    @Test func aChangeIsRepeated() throws {
        let session = try open()
        session.send("use abcdef\u{1B}03lllll")
        session.send("x..\r")
        #expect(session.prompts("nexa(abc)>"), "\(session.screen.text)")
        session.send("use 12345678\u{1B}0")
        session.send("wx3.\r")
        #expect(session.prompts("nexa(5678)>"), "\(session.screen.text)")
        session.send("xuse b\u{1B}0x")
        session.send("$aa\u{1B}.\r")
        #expect(session.prompts("nexa(baa)>"), "\(session.screen.text)")
    }

    /// libedit takes Ctrl-C for a part of the pattern, and at ESC it runs what it found.
    @Test(arguments: ["\u{3}", "\u{7}", "\u{1B}"])
    func aSearchThatIsLeftRunsNothing(_ key: String) throws {
        let session = try open()
        session.send("use films\ruse other\r")
        #expect(session.prompts("nexa(other)>"))
        session.send("\u{1B}/film")
        #expect(session.wait { $0.screen.cursorLine.hasPrefix("/film") })
        session.send(key)
        #expect(session.prompts("nexa(other)>"))
        session.send("iuse after\r")
        #expect(session.prompts("nexa(after)>"))
        #expect(session.wait { $0.screen.text.ranges(of: "collection 'films'").count == 1 })
    }

    @Test func aSearchFindsWhatWasTypedInThisSession() throws {
        let session = try open()
        session.send("use films\ruse other\r")
        #expect(session.prompts("nexa(other)>"))
        session.send("\u{1B}/filx\u{7F}m\r")
        #expect(session.prompts("nexa(other)> use films"))
        session.send("\r")
        #expect(session.prompts("nexa(films)>"))
        session.send("\u{1B}")
        session.send("kk\r")
        #expect(session.prompts("nexa(other)>"), "\(session.screen.text)")
        // Ctrl-C and an end of the pattern that is deleted are ends of the search, not of the line after it.
        session.send("\u{1B}/f\u{7F}\u{7F}")
        session.send("iuse \u{1B}ax\r")
        #expect(session.prompts("nexa(x)>"), "\(session.screen.text)")
    }

    /// libedit would start vi and run the text without a word.
    @Test func theEditorOfViIsThatOfTheShell() throws {
        let session = try open { fixture in
            let editor = try fixture.folder.write("editor", "#!/bin/sh\nprintf 'use edited' > \"$1\"\n")
            chmod(editor, 0o755)
            fixture.environment["VISUAL"] = editor
        }
        session.send("use draft\u{1B}")
        session.send("v")
        #expect(session.wait { $0.screen.cursorLine.hasSuffix("nexa> use edited") }, "\(session.screen.text)")
        session.send("\r")
        #expect(session.prompts("nexa(edited)>"))
    }
}
