import Glibc
import NexaClient
import NexaValue
import TestKit
import Testing

@testable import NexaShell

@Suite struct CommandAssemblerTests {
    private func commands(
        _ lines: [String], _ recovery: CommandAssembler.Recovery = .nextCommandWord
    ) -> [CommandAssembler.Command] {
        var assembler = CommandAssembler(recovery)
        var commands: [CommandAssembler.Command] = []
        for line in lines { commands += assembler.append(line) }
        if let rest = assembler.finish() { commands.append(rest) }
        return commands
    }

    @Test func aLineIsACommand() {
        #expect(commands(["use movies", "", "   ", "  count  "]).map(\.text) == ["use movies", "count"])
        #expect(commands(["use movies", "", "count"]).map(\.line) == [1, 3])
    }

    @Test func semicolonsSeparateOutsideBracketsAndQuotes() {
        #expect(
            commands(["use a; count ;; query {\"x\": \"a;b\"}; read 'a;b'"]).map(\.text) == [
                "use a", "count", "query {\"x\": \"a;b\"}", "read 'a;b'"
            ])
        #expect(commands([#"create {a: "q\";\"", b: ';'}; count"#]).count == 2)
    }

    @Test func openBracketsGoOn() {
        let found = commands(["create {", "  \"a\": [1,", "2]", "}", "count"])
        #expect(found.map(\.text) == ["create {\n  \"a\": [1,\n2]\n}", "count"])
        #expect(found.map(\.line) == [1, 5])
        #expect(found.allSatisfy { $0.fault == nil })
    }

    @Test func bracketsInQuotesAndCommentsDoNotCount() {
        #expect(commands(["create {\"a\": \"}\", b: '{'}"]).map(\.fault) == [nil])
        #expect(commands(["create {a: 1, // }", "b: 2 /* } */ }", "count"]).map(\.text).last == "count")
        #expect(commands(["import //server/share/file", "count"]).count == 2)
    }

    @Test func apostrophesInWordsAreText() {
        #expect(commands(["delete o'brien", "count"]).map(\.text) == ["delete o'brien", "count"])
        #expect(commands(["read a\"b"]).map(\.fault) == [nil])
    }

    @Test func anOpenQuoteCannotBeClosedByMoreLines() {
        let found = commands(["create {\"a\": \"x}", "count"])
        #expect(found.map(\.text) == ["create {\"a\": \"x}", "count"])
        #expect(found[0].fault == CommandFault("expected a closing quote", at: 13))
    }

    @Test func mismatchedBracketsAreWrong() {
        #expect(commands(["query {\"a\": [1}"]).map(\.fault) == [CommandFault("expected ']'", at: 14)])
        #expect(commands(["delete a}b"]).map(\.fault) == [nil])
    }

    @Test func aCommandWordEndsABrokenCommandInAScript() {
        let found = commands(["use movies", "query {\"year\":", "count", "create {", "count: 1, query: 2", "}"])
        #expect(found.map(\.text) == ["use movies", "query {\"year\":", "count", "create {\ncount: 1, query: 2\n}"])
        #expect(found.map(\.line) == [1, 2, 3, 4])
        #expect(found[1].fault?.message == "the command ends, expected '}'")
        #expect(found[3].fault == nil)
    }

    @Test func aCommandWordIsTextAtATerminal() {
        #expect(commands(["create {a: [", "count", "]}"], .reportAtOnce).count >= 1)
        var assembler = CommandAssembler(.reportAtOnce)
        let none = assembler.append("create {a: [")
        #expect(none.isEmpty)
        #expect(assembler.isContinuing)
    }

    @Test func whatCannotBeMendedIsReportedAtOnceAtATerminal() {
        let broken = "query {\"year\" {\"$gte\": 2000"
        #expect(commands([broken], .reportAtOnce).map { $0.fault?.offset } == [14])
        var script = CommandAssembler(.nextCommandWord)
        #expect(script.append(broken).isEmpty)
        var terminal = CommandAssembler(.reportAtOnce)
        #expect(terminal.append("query {\"year\": {\"$gte\":").isEmpty)
        #expect(terminal.append("2000}}").map(\.fault) == [nil])
    }

    @Test func theEndOfInputEndsAnOpenCommand() {
        let found = commands(["query {\"a\": 1"])
        #expect(found.count == 1)
        #expect(found[0].fault == CommandFault("the command ends, expected '}'", at: 13))
    }

    @Test func nestingHasALimit() {
        let deep = "query " + String(repeating: "[", count: 257)
        #expect(commands([deep])[0].fault == CommandFault("nested deeper than 256 levels", at: 262))
        let most = "query " + String(repeating: "[", count: 256) + String(repeating: "]", count: 256)
        #expect(commands([most])[0].fault == nil)
    }

    @Test func aTooLongCommandIsAnErrorAndIsNotKept() {
        var assembler = CommandAssembler(.nextCommandWord)
        let megabyte = String(repeating: "x", count: 1 << 20)
        #expect(assembler.append("create {\"a\":").isEmpty)
        for _ in 0..<65 { _ = assembler.append("\"\(megabyte)\",") }
        #expect(assembler.pendingText.utf8.count <= CommandAssembler.maximumByteCount)
        let ended = assembler.append("}")
        #expect(ended.map(\.fault?.message) == ["a command longer than 64 MiB"])
        #expect(assembler.append("count").map(\.text) == ["count"])
    }

    @Test func noBytesLoseTheAssemblerItsWay() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let alphabet = Array("{}[]\"'\\;/*: \tab$é日\u{0}")
        for _ in 0..<2000 {
            var assembler = CommandAssembler(Bool.random(using: &random) ? .reportAtOnce : .nextCommandWord)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let line = String(
                    (0..<Int.random(in: 0...40, using: &random)).map { _ in
                        alphabet.randomElement(using: &random) ?? "x"
                    })
                for command in assembler.append(line) {
                    let bounds = 0...command.text.utf8.count
                    #expect(command.fault.map { bounds.contains($0.offset) } ?? true, "seed \(seed)")
                }
            }
            _ = assembler.finish()
            #expect(assembler.append("count").map(\.text) == ["count"], "seed \(seed)")
        }
    }
}

@Suite struct ArgumentReaderTests {
    @Test func wordsFlagsAndJSON() throws {
        var arguments = ArgumentReader("update  'my id' {a: 1}")
        let word = try arguments.word()
        #expect(word == "my id")
        let json = try arguments.remainingJSON()
        #expect(json == ["a": 1])
        let isAtEnd = arguments.isAtEnd()
        #expect(isAtEnd)

        var query = ArgumentReader("query {a: {b: [1, 2]}} --limit=5 --sort -year")
        let isAtBracket = query.isAtBracket()
        #expect(isAtBracket)
        let filter = try query.bracketedJSON()
        #expect(filter == ["a": ["b": [1, 2]]])
        let limit = query.flag()
        #expect(limit?.value == "5")
        let flag = query.flag()
        let sort = try #require(flag)
        #expect(sort.name == "--sort")
        let value = try query.value(of: sort)
        #expect(value == "-year")
    }

    @Test func blanksInStringsSurvive() throws {
        var arguments = ArgumentReader("create {\"a\":  \"x   y\"}")
        let json = try arguments.remainingJSON()
        #expect(json == ["a": "x   y"])
    }

    @Test func faultsPointIntoTheCommand() {
        let text = "query {\"é\" {\"$gte\": 2000}}"
        var arguments = ArgumentReader(text)
        do {
            _ = try arguments.remainingJSON()
            Issue.record("the JSON is wrong")
        } catch {
            let position = TextPosition(of: error.offset, in: text)
            #expect(position == TextPosition(line: 1, column: 12))
        }
        #expect(throws: CommandFault("expected a closing quote", at: 5)) {
            var open = ArgumentReader("read 'x")
            _ = try open.word()
        }
    }

    @Test func queryFlags() throws {
        let query = try QueryArguments(
            ArgumentReader("query --skip 2 {year: 1999} --sort a,-b.c --limit 7 --fields title,year"), defaultLimit: 100
        )
        #expect(query.skip == 2)
        #expect(query.limit == 7)
        #expect(query.filter == ["year": 1999])
        #expect(query.sort.map(\.path) == ["a", "b.c"])
        #expect(query.sort.map(\.direction) == [.ascending, .descending])
        #expect(query.fields == ["title", "year"])
        let projected = try QueryArguments(
            ArgumentReader("query {n: 1} --project {l: {$slice: 2}} --limit 3"), defaultLimit: 100)
        #expect(projected.projection == ["l": ["$slice": 2]])
        #expect(projected.filter == ["n": 1] && projected.limit == 3)
        #expect(throws: CommandFault.self) { try QueryArguments(ArgumentReader("query --project n"), defaultLimit: 1) }
        #expect(throws: CommandFault.self) {
            try QueryArguments(ArgumentReader("query --project [1]"), defaultLimit: 1)
        }
        #expect(throws: CommandFault.self) { try QueryArguments(ArgumentReader("query --lmit 1"), defaultLimit: 1) }
        #expect(throws: CommandFault.self) { try QueryArguments(ArgumentReader("query abc"), defaultLimit: 1) }
        #expect(throws: CommandFault.self) { try QueryArguments(ArgumentReader("query {} {"), defaultLimit: 1) }
    }

    @Test func importAndExportArguments() throws {
        let given = try ImportArguments(
            ArgumentReader("import data.ndjson movies --on-error bad.ndjson --skip 10 --limit 5"))
        #expect(given?.source == "data.ndjson")
        #expect(given?.collection == "movies")
        #expect(given?.onError == .file("bad.ndjson"))
        #expect(given?.skip == 10)
        #expect(given?.limit == 5)
        #expect(try ImportArguments(ArgumentReader("import")) == nil)
        #expect(try ImportArguments(ArgumentReader("import -"))?.source == "-")

        let one = try ExportArguments(ArgumentReader("export movies"))
        #expect((one.collection, one.target) == ("movies", "-"))
        let file = try ExportArguments(ArgumentReader("export ./out"))
        #expect((file.collection, file.target) == (nil, "./out"))
        let both = try ExportArguments(ArgumentReader("export movies out --filter {year: 1} --limit 3"))
        #expect((both.collection, both.target, both.limit) == ("movies", "out", 3))
        #expect(both.filter == ["year": 1])
    }
}

@Suite struct TextPositionTests {
    @Test func theCaretStandsUnderTheCharacter() {
        setlocale(LC_CTYPE, "C.UTF-8")
        let text = "query {\"日本\" 1}"
        let position = TextPosition(of: text.utf8.count - 2, in: text)
        #expect(position.pointer(in: text) == ["  " + text, "  " + String(repeating: " ", count: 14) + "^"])
    }

    @Test func longLinesAreCutAroundTheCaret() {
        let text = String(repeating: "a", count: 500) + "!" + String(repeating: "b", count: 500)
        let lines = TextPosition(of: 500, in: text).pointer(in: text)
        #expect(lines.allSatisfy { $0.count <= 80 })
        let caret = lines[1].count - 1
        #expect(Array(lines[0])[caret] == "!")
    }

    @Test func theLineOfAManyLinedText() {
        let text = "create {\n\"a\": 1,\n\"b\" 2\n}"
        let position = TextPosition(of: 21, in: text)
        #expect(position == TextPosition(line: 3, column: 5))
        #expect(position.pointer(in: text)[0] == "  \"b\" 2")
    }
}
