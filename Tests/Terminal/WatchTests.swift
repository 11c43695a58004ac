import Glibc
import PTYKit
import TestKit
import Testing

/// `watch` at a terminal and in a pipe.
@Suite struct WatchTests {
    private func watching(_ fixture: ShellFixture, columns: Int = 100) throws -> PTYKit.Session {
        let session = try fixture.open(columns: columns)
        session.send("use c\r")
        #expect(session.prompts("nexa(c)>"))
        session.send("watch\r")
        try #require(session.sees("watching: 0 change(s)"), "\(session.screen.text)")
        return session
    }

    @Test func changesAppearAsTheyHappen() throws {
        let fixture = try ShellFixture()
        let session = try watching(fixture)
        let text = String(repeating: "日", count: 200)
        #expect(try fixture.run(["-e", "use c; create {_id: 'doc_1', t: '\(text)\\u001b[31m'}"]).exitCode == 0)
        #expect(try fixture.run(["-e", "use c; update doc_1 {n: 5}; delete doc_1"]).exitCode == 0)
        #expect(session.sees("insert c doc_1 {\"_id\":\"doc_1\""))
        #expect(session.sees("update c doc_1 {\"n\":5"))
        #expect(session.sees("delete c doc_1"))
        #expect(session.sees("watching: 3 change(s)"))
        let lines = session.screen.text.split(separator: "\n")
        let inserted = try #require(lines.first { $0.contains("insert c doc_1") })
        #expect(inserted.hasSuffix("…"), "cut to the width: \(inserted)")
        let word = inserted.prefix(12)
        #expect(word.wholeMatch(of: /\d\d:\d\d:\d\d\.\d\d\d/) != nil, "\(word)")
        session.send("\u{3}")
        #expect(session.sees("✓ 3 change(s)"))
        #expect(session.prompts("nexa(c)>"))
        session.send("count\r")
        #expect(session.sees("✓ Document count: 0"))
    }

    /// A pager would collect changes until the screen is full.
    @Test(arguments: ["NEXA_PAGER", "PAGER"]) func noPagerStandsBeforeChanges(_ variable: String) throws {
        let fixture = try ShellFixture(["TERM": "xterm-256color"])
        fixture.environment["NEXA_PAGER"] = nil
        fixture.environment[variable] = "touch '\(fixture.folder["paged"])'; cat"
        let session = try fixture.open(columns: 100, rows: 5)
        session.send("watch c\r")
        try #require(session.sees("watching: 0 change(s)"), "\(session.screen.text)")
        for number in 1...8 {
            #expect(try fixture.run(["-q", "-e", "use c; create {_id: 'd\(number)'}"]).exitCode == 0)
            #expect(session.sees("insert c d\(number)"), "\(session.screen.text)")
        }
        session.send("\u{3}")
        #expect(session.sees("✓ 8 change(s)"))
        #expect(session.prompts("nexa>"))
        #expect(access(fixture.folder["paged"], F_OK) != 0)
    }

    @Test func changesAppearAboveWhatIsTyped() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open(columns: 60)
        session.send("use c\rwatch --ops insert,delete &\r")
        #expect(session.sees("✓ Watching 'c'; 'watch -' ends it"), "\(session.screen.text)")
        #expect(session.prompts("nexa(c)>"))
        // The second row of a line, with the cursor in its first.
        let text = "count {a: '" + String(repeating: "日", count: 30)
        session.send(text + "\u{1}")
        #expect(session.wait { $0.screen.text.contains("日日\n") || $0.screen.text.hasSuffix("日") })
        #expect(try fixture.run(["-q", "-e", "use c; create {_id: 'one'}; create {_id: 'two'}"]).exitCode == 0)
        #expect(session.sees("insert c two"), "\(session.screen.text)")
        #expect(session.wait { $0.screen.cursorLine.hasPrefix("nexa(c)> count {a: '日") }, "\(session.screen.text)")
        let lines = session.screen.text.split(separator: "\n").map(String.init)
        let place = try #require(lines.firstIndex { $0.hasPrefix("nexa(c)> count") })
        #expect(lines[place - 1].contains("insert c two") && lines[place - 2].contains("insert c one"))
        #expect(lines[place...].joined().filter { $0 == "日" }.count == 30, "\(session.screen.text)")
        // What was typed is still what is there.
        session.send("\u{5}'}\r")
        #expect(session.sees("✓ Document count: 0"))
        session.send("watch &\r")
        #expect(session.sees("✗ There is a watch in the background already"))
        session.send("delete one\r")
        #expect(session.sees("✓ Document deleted: one"))
        #expect(session.sees("delete c one"))
        session.send("watch -\r")
        #expect(session.sees("✓ 3 change(s)"))
        session.send("watch -\r")
        #expect(session.sees("✗ Nothing is watched in the background"))
        session.send("exit\r")
        #expect(session.finish() == 0)
    }

    @Test func aWatchInTheBackgroundEndsByItself() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open(columns: 100)
        session.send("watch c --count 1 &\r")
        #expect(session.sees("✓ Watching 'c'; 'watch -' ends it"))
        session.send("use c\rcreate {_id: 1}\r")
        #expect(session.sees("✓ 1 change(s)"))
        session.send("watch c --resume 00 &\rwatch c --ops x &\r")
        #expect(session.sees("--ops wants some of"), "\(session.screen.text)")
        #expect(session.screen.text.split(separator: "\n").filter { $0.contains("✗") }.count == 2)
        // Leaving does not wait for it.
        session.send("watch &\r")
        #expect(session.sees("✓ Watching 'c'"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        let piped = try fixture.run(["-e", "watch c &"])
        #expect(piped.exitCode == 3)
        #expect(piped.errors.contains("shows changes above the prompt, and there is none"))
    }

    @Test func aServerThatDiesLeavesNoSilentGap() throws {
        let fixture = try ShellFixture()
        let session = try watching(fixture)
        #expect(try fixture.run(["-e", "use c; create {_id: 1}"]).exitCode == 0)
        #expect(session.sees("insert c 1"))
        let server = try #require(SignalTests.child(of: session.process))
        kill(server, SIGKILL)
        #expect(session.sees("⚠ the server was gone and is back: going on behind the last change", seconds: 40))
        #expect(try fixture.run(["-e", "use c; create {_id: 2}"]).exitCode == 0)
        #expect(session.sees("insert c 2", seconds: 40))
        session.send("\u{3}")
        #expect(session.prompts("nexa(c)>"))
    }

    /// Runs a watch in a pipe while documents are inserted one after the other, until it ends.
    private func piped(_ fixture: ShellFixture, _ watch: String) throws -> Program.Outcome {
        let nexa = "'\(fixture.nexa)' --local '\(fixture.database)'"
        return try Program.run(
            "/bin/sh",
            [
                "-c",
                """
                \(nexa) -q -e "\(watch)" & watcher=$!
                i=0
                while kill -0 $watcher 2>/dev/null && [ $i -lt 200 ]; do
                  i=$((i+1)); \(nexa) -q -e "use c; create {n: $i}" >/dev/null
                done
                wait $watcher
                """
            ], environment: fixture.environment)
    }

    @Test func aPipeGetsALineOfJSONForEachChange() throws {
        let fixture = try ShellFixture()
        let outcome = try piped(fixture, "watch c --ops insert --count 2")
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(outcome.lines.count == 2, "\(outcome.output)")
        for line in outcome.lines {
            #expect(
                line.hasPrefix(
                    "{\"operationType\":\"insert\",\"ns\":{\"db\":\"default\",\"coll\":\"c\"},\"timestamp\":"))
            #expect(line.contains("\"fullDocument\":{\"_id\":"))
        }
        // What came after the first is told again from its token on.
        let first = try #require(outcome.lines.first)
        let token = try #require(first.firstMatch(of: /"token":"([0-9a-f]+)"/)).output.1
        let again = try fixture.run(["-q", "-e", "watch c --resume \(token) --count 1"])
        #expect(again.lines == [outcome.lines[1]], "\(again.errors)")
        // A database is watched where no collection is in use.
        let all = try fixture.run(["-q", "-e", "watch --resume \(token) --count 1"])
        #expect(all.lines == [outcome.lines[1]])
        let filtered = try fixture.run(["-q", "-e", "watch c --resume \(token) --filter {n: -1} --for 0.2"])
        #expect(filtered.exitCode == 0)
        #expect(filtered.output.isEmpty)
    }

    @Test func aSignalEndsAWatchInAPipe() throws {
        let fixture = try ShellFixture()
        let keeper = try fixture.open()
        for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] as [(CInt, CInt)] {
            let program = try BackgroundProgram(
                fixture.nexa, ["--local", fixture.database, "-q", "-e", "watch c"], environment: fixture.environment,
                output: fixture.folder["out"], errors: fixture.folder["errors"])
            // Until it watches, nobody is told.
            var round = 0
            while fixture.folder.read("out")?.isEmpty != false, round < 200 {
                round += 1
                #expect(try fixture.run(["-q", "-e", "use c; create {n: \(round)}"]).exitCode == 0)
            }
            program.signal(signal)
            #expect(program.finish() == code)
            let line = try #require(fixture.folder.read("out")?.split(separator: "\n").last)
            #expect(line.hasPrefix("{\"operationType\":\"insert\"") && line.hasSuffix("}"))
            if signal == SIGINT {
                let errors = fixture.folder.read("errors") ?? ""
                #expect(errors.contains("; go on with: watch c --resume "), "\(errors)")
            }
        }
        #expect(keeper.prompts("nexa>"))
    }

    @Test func argumentsAreChecked() throws {
        let fixture = try ShellFixture()
        for wrong in ["--ops x", "--count 0", "--for -1", "--resume zz", "--filter 1", "--bogus", "a b"] {
            #expect(try fixture.run(["-e", "watch c \(wrong)"]).exitCode == 3, "\(wrong)")
        }
    }
}
