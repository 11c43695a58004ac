import Glibc
import PTYKit
import TestKit
import Testing

/// Pastes of every kind, and typing ahead.
@Suite struct PasteTests {
    /// Everything that `\echo` wrote, in order.
    private func echoed(_ session: Session) -> [Int] {
        // Typed, the blank is two; the first line of output stands behind the end of bracketed paste.
        String(decoding: session.log, as: UTF8.self).split(whereSeparator: \.isNewline).compactMap { line in
            guard let mark = line.firstRange(of: "n: ") else { return nil }
            return Int(line[mark.upperBound...])
        }
    }

    @Test(arguments: ["\r", "\n", "\r\n"])
    func tenThousandPastedLinesRunInOrder(_ end: String) throws {
        let session = try ShellFixture().open(rows: 50)
        session.paste((0..<10_000).map { "\\echo n:  \($0)" }.joined(separator: end) + end)
        #expect(session.sees("[pasted 10000 lines, "))
        session.send("\r")
        #expect(session.wrote("n: 9999\r", seconds: 60))
        #expect(echoed(session) == Array(0..<10_000))
    }

    @Test(arguments: ["\r", "\n"])
    func tenThousandLinesWithoutBracketsRunInOrder(_ end: String) throws {
        let session = try ShellFixture().open(rows: 50)
        session.send((0..<10_000).map { "\\echo n:  \($0)" + end }.joined())
        #expect(session.wrote("n: 9999\r", seconds: 120))
        #expect(echoed(session) == Array(0..<10_000))
    }

    @Test(arguments: [1, 20, 21])
    func linesAreDrawnUpToAScreenful(_ count: Int) throws {
        let session = try ShellFixture().open(rows: 40)
        session.paste((0..<count).map { "\\echo n:  \($0)" }.joined(separator: "\r"))
        if count > 20 { #expect(session.sees("[pasted 21 lines, ")) } else { #expect(session.sees("n:  \(count - 1)")) }
        #expect(echoed(session).isEmpty)
        session.send("\r")
        #expect(session.wrote("n: \(count - 1)\r"))
        #expect(echoed(session) == Array(0..<count))
    }

    @Test(arguments: ["typed", "pasted", "ahead"])
    func aLineOfAMebibyteArrivesWhole(_ way: String) throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        let text = String(repeating: "0123456789abcdef", count: 65_536)
        let line = "create {\"_id\": \"big\", \"text\": \"\(text)\"}"
        var server: pid_t?
        defer { if let server { kill(server, SIGCONT) } }
        switch way {
        case "pasted":
            session.paste(line)
            #expect(session.sees("[pasted 1 line, 1048 KB"))
        case "ahead":
            let child = try #require(SignalTests.child(of: session.process))
            SignalTests.stop(child)
            server = child
            session.send("count\r")
            #expect(session.wait { !$0.screen.isBracketingPaste })
            // No more than a terminal holds; what does not fit is written when the command is done.
            session.send(String(line.prefix(3000)))
            kill(child, SIGCONT)
            session.send(String(line.dropFirst(3000)))
        default: session.send(line)
        }
        session.send("\r")
        #expect(session.wrote("✓ Document created: big", seconds: 120))
        session.send("exit\r")
        #expect(session.finish() == 0)
        #expect(try fixture.run(["-e", "use movies", "-e", "read big"]).output.contains("\"\(text)\""))
    }

    @Test func escapesAndControlCharactersInAPasteAreText() throws {
        let session = try ShellFixture().open(columns: 200)
        session.paste("use a\u{1B}b\u{3}c\u{12}d\u{4}e")
        #expect(session.wait { $0.screen.cursorLine.contains("use a^[b^Cc^Rd^De") })
        session.send("\r")
        #expect(session.sees("✓ Switched to collection 'a"))
        session.send("use whole\r")
        #expect(session.prompts("nexa(whole)>"))
    }

    @Test func aPasteWhoseEndIsLostIsLeftByCtrlC() throws {
        let session = try ShellFixture().open()
        session.send("\u{1B}[200~use lost\r")
        session.send("\u{3}")
        #expect(session.wait { $0.screen.cursorLine == "nexa>" && $0.screen.text.contains("^C") })
        session.send("use found\r")
        #expect(session.prompts("nexa(found)>"))
        #expect(!session.wrote("'lost'", seconds: 0))
    }

    @Test func anEndMarkWithoutABeginIsHarmless() throws {
        let session = try ShellFixture().open()
        session.send("use a\u{1B}[201~b\r")
        #expect(session.sees("Switched to collection"))
        session.send("\u{3}use c\r")
        #expect(session.prompts("nexa(c)>"))
    }

    @Test func aPasteInTheMiddleOfALineKeepsItsEnds() throws {
        let session = try ShellFixture().open()
        session.send("use abyz\u{2}\u{2}")
        session.paste("日本")
        #expect(session.wait { $0.screen.cursorLine == "nexa> use ab日本yz" })
        session.send("\r")
        #expect(session.prompts("nexa(ab日本yz)>"))
    }

    @Test func twoPastesAndTypingBecomeOneText() throws {
        let session = try ShellFixture().open(rows: 50)
        session.paste((0..<30).map { "\\echo n:  \($0)\r" }.joined())
        #expect(session.sees("[pasted 30 lines, "))
        session.paste("\\echo n:  30\r")
        #expect(session.sees("[pasted 1 line, "))
        session.send("\\echo n:  31\r")
        #expect(session.wrote("n: 31\r"))
        #expect(echoed(session) == Array(0..<32))
    }

    @Test func typingAheadOfCommandsLosesNothing() throws {
        let session = try ShellFixture().open(rows: 50)
        let server = try #require(SignalTests.child(of: session.process))
        SignalTests.stop(server)
        defer { kill(server, SIGCONT) }
        session.send("ping\r")
        #expect(session.wait { !$0.screen.isBracketingPaste })
        for number in 0..<100 { session.send("\\echo n:  \(number)\r") }
        kill(server, SIGCONT)
        #expect(session.wrote("n: 99\r"))
        #expect(echoed(session) == Array(0..<100))
    }
}
