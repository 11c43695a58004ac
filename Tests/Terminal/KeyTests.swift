import Glibc
import PTYKit
import TestKit
import Testing

/// Each line of `help keys` is tried: the list and the tests cannot part.
@Suite struct KeyTests {
    /// What is typed, after `\u{5}\u{15}` emptied the line, and what shows that it worked.
    private static let tries: [(label: String, try: @Sendable (Session) -> Bool)] = [
        ("Enter", { typed($0, "use k\r", "nexa(k)>") }),
        ("Alt-Enter", { typed($0, "use a\u{1B}\ruse k\r", "nexa(k)>") && $0.sees("collection 'a'") }),
        ("Tab", { typed($0, "databa\t", "nexa(k)> databases") }),
        ("Ctrl-_", { typed($0, "databa\t", "nexa(k)> databases") && more($0, "\u{1F}", "nexa(k)> databa") }),
        ("Ctrl-C", { typed($0, "use dropped", "nexa(k)> use dropped") && more($0, "\u{3}", "nexa(k)>") }),
        (
            "Ctrl-D",
            { session in
                typed(session, "use xk\u{2}\u{2}\u{4}", "nexa(k)> use k")
                    && more(session, "\u{5}\u{15}create", "nexa(k)> create")
                    && more(session, "\u{4}", "nexa(k)> create") && session.sees("create_collection")
            }
        ),
        // Under a shell with job control: SignalTests.ctrlZStopsAndComesBack.
        ("Ctrl-Z", { _ in true }),
        ("Up, Down", { typed($0, "use\u{1B}[A", "nexa(k)> use k") && more($0, "\u{1B}[B", "nexa(k)> use") }),
        ("Ctrl-P, Ctrl-N", { typed($0, "\u{10}", "nexa(k)> use k") && more($0, "\u{E}", "nexa(k)>") }),
        (
            "Ctrl-R, Ctrl-S",
            { session in
                guard typed(session, "use older\rping\ruse k\r", "nexa(k)>"), session.sees("'older'") else {
                    return false
                }
                session.send("\u{12}use")
                guard session.sees("bck:use") else { return false }
                session.send("\u{12}")
                guard session.sees("nexa(k)> use older\nbck:use") else { return false }
                session.send("\u{13}")
                return session.sees("fwd:use")
            }
        ),
        (
            "Ctrl-G",
            { session in
                session.send("\u{12}use")
                guard session.sees("bck:use") else { return false }
                return more(session, "\u{7}", "nexa(k)>")
            }
        ),
        ("Ctrl-A, Home", { typed($0, "b\u{1}a\u{5}c\u{1B}[HX\u{1B}OHY\u{1B}[1~Z", "nexa(k)> ZYXabc") }),
        ("Ctrl-E, End", { typed($0, "a\u{1}\u{5}b\u{1}\u{1B}[Fc\u{1}\u{1B}OFd\u{1}\u{1B}[4~e", "nexa(k)> abcde") }),
        ("Ctrl-B, Left", { typed($0, "bd\u{2}c\u{1B}[D\u{1B}ODa", "nexa(k)> abcd") }),
        ("Ctrl-F, Right", { typed($0, "acd\u{1}\u{6}b\u{1B}[C\u{1B}OCe", "nexa(k)> abcde") }),
        ("Alt-B, Ctrl-Left", { typed($0, "one two\u{1B}bx\u{1}\u{5}\u{1B}[1;5Dy", "nexa(k)> one yxtwo") }),
        (
            "Alt-F, Ctrl-Right",
            {
                typed($0, "one two\u{1}\u{1B}fx\u{1}\u{1B}[1;5Cy", "nexa(k)> onexy two")
                    || more($0, "", "nexa(k)> onexytwo") || more($0, "", "nexa(k)> one yxtwo")
            }
        ),
        ("Delete", { typed($0, "abc\u{1}\u{1B}[3~", "nexa(k)> bc") }),
        ("Ctrl-W", { typed($0, "one two\u{17}", "nexa(k)> one") }),
        ("Alt-D", { typed($0, "one two\u{1}\u{1B}d", "nexa(k)>  two") }),
        ("Ctrl-U", { typed($0, "one\u{15}", "nexa(k)>") }),
        ("Ctrl-K", { typed($0, "one two\u{1}\u{6}\u{6}\u{6}\u{B}", "nexa(k)> one") }),
        ("Ctrl-Y", { typed($0, "one\u{1}\u{B}\u{19}\u{19}", "nexa(k)> oneone") }),
        ("Ctrl-L", { typed($0, "one\u{C}", "nexa(k)> one") && $0.wait { $0.screen.row == 0 } }),
        ("Ctrl-X Ctrl-E", { typed($0, "use\u{18}\u{5}", "nexa(k)> use") && $0.sees("ended with code 1") }),
        ("Ctrl-V", { typed($0, "a\u{16}\u{1}b", "nexa(k)> a^Ab") })
    ]

    private static func typed(_ session: Session, _ keys: String, _ line: String) -> Bool {
        session.send("\u{5}\u{15}")
        guard session.wait(until: { $0.screen.cursorLine.hasSuffix(">") }) else { return false }
        return more(session, keys, line)
    }

    private static func more(_ session: Session, _ keys: String, _ line: String) -> Bool {
        session.send(keys)
        return session.prompts(line, seconds: 5)
    }

    @Test func everyListedKeyWorks() throws {
        let fixture = try ShellFixture(["EDITOR": "/bin/false"])
        let help = try fixture.run(["-e", "help keys"]).lines
        // A line is two blanks, the keys, two blanks or more, and what they do.
        let labels = help.filter { $0.hasPrefix("  ") }.compactMap { line -> String? in
            let text = line.dropFirst(2)
            return text.firstRange(of: "  ").map { String(text[..<$0.lowerBound]) }
        }
        #expect(labels == labels.filter { label in Self.tries.contains { $0.label == label } })
        #expect(Set(labels) == Set(Self.tries.map(\.label)))
        let session = try fixture.open()
        for (label, attempt) in Self.tries {
            #expect(attempt(session), "\(label): \(session.screen.text)")
            session.send("\u{7}\u{3}")
            #expect(session.prompts("nexa(k)>"), "after \(label): \(session.screen.text)")
        }
    }

    @Test func viKeysWorkToo() throws {
        let fixture = try ShellFixture()
        _ = try fixture.folder.write(".editrc", "nexa:bind -v\n")
        let session = try fixture.open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("use xmvie")
        #expect(session.prompts("nexa(movies)> use xmvie"))
        // ESC leaves the insert mode at once; then commands: to the beginning, a word on, delete a character.
        session.send("\u{1B}")
        session.send("0wx")
        #expect(session.prompts("nexa(movies)> use mvie"))
        session.send("lio\u{1B}A2")
        #expect(session.prompts("nexa(movies)> use movie2"))
        session.send("\r")
        #expect(session.prompts("nexa(movie2)>"))
        session.paste("use pasted")
        #expect(session.prompts("nexa(movie2)> use pasted"))
        session.send("\r")
        #expect(session.prompts("nexa(pasted)>"))
        session.send("databa\t")
        #expect(session.prompts("nexa(pasted)> databases"))
        session.send("\u{3}")
        #expect(session.prompts("nexa(pasted)>"))
        session.send("\u{1B}[A")
        #expect(session.prompts("nexa(pasted)> use pasted"))
        session.send("\u{3}")
        #expect(session.prompts("nexa(pasted)>"))
        // Nothing to delete is no reason to leave.
        session.send("\u{1B}[3~")
        session.send("iuse left\r")
        #expect(session.prompts("nexa(left)>"))
        session.send("\u{1B}")
        session.send("x")
        session.send("\u{3}use here\r")
        #expect(session.prompts("nexa(here)>"))
        // No commands of the line editor itself: a quote that is not closed would end the shell.
        session.send("\u{1B}:bind \"x\r")
        session.send("\u{3}use on\r")
        #expect(session.prompts("nexa(on)>"))
        session.send("\u{4}")
        #expect(session.finish() == 0)
    }

    @Test func aBadLineInEditrcKeepsNobodyOut() throws {
        let fixture = try ShellFixture()
        _ = try fixture.folder.write(".editrc", "nonsense here\nnexa:bind ^A nonsense-function\n")
        let session = try fixture.open()
        session.send("se x\u{1}u\r")
        #expect(session.prompts("nexa(x)>"))
    }

    @Test func wideCharactersAtTheRightEdge() throws {
        let session = try ShellFixture().open(columns: 20)
        session.send("use a日本語日本語日")
        #expect(session.wait { $0.screen.cursorLine.hasSuffix("日") })
        session.send("\u{2}\u{2}x\u{5}y\r")
        #expect(session.wrote("✓ Switched to collection 'a日本語日本x語日y'"))
    }

    @Test func combiningMarksAndEmojiAreWhole() throws {
        let session = try ShellFixture().open()
        session.send("use e\u{301}👩‍👩‍👧x\u{7F}\r")
        #expect(session.wrote("✓ Switched to collection 'e\u{301}👩‍👩‍👧'"))
    }
}
