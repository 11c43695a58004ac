import Glibc
import NexaValue
import TestKit
import Testing

@testable import NexaShell

/// Where the shell says that a command is wrong, against commands that were made wrong at a known place.
@Suite struct CaretTests {
    /// A command in pieces; the fault is at the beginning of one of them.
    private struct Broken {
        /// What stands before the command on its first line.
        var lead = ""
        var tokens: [String]
        /// What stands behind each token: a blank or a line feed.
        var gaps: [String]
        var wrong: Int

        var text: String { zip(tokens, gaps).map { $0 + $1 }.joined() }
        /// Everything before the fault, of the command.
        var before: String { zip(tokens, gaps).prefix(wrong).map { $0 + $1 }.joined() }
    }

    /// The cells a scalar of these tests takes, without the C library.
    private static func cells(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0x300...0x36F: 0
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xFF00...0xFF60, 0x1F300...0x1FAFF: 2
        default: 1
        }
    }

    private static let words = ["year", "日本", "é", "e\u{301}", "🎬x", "a b", "한국어", "Ünï", "x", "ｗｉｄｅ"]

    private static func string(_ random: inout SplitMix64) -> String {
        let word = words.randomElement(using: &random) ?? "x"
        let more = Int.random(in: 0..<8, using: &random) == 0 ? String(repeating: word, count: 20) : word
        return Bool.random(using: &random) ? "\"\(more)\"" : "'\(more)'"
    }

    private static func value(_ tokens: inout [String], depth: Int, _ random: inout SplitMix64) {
        switch Int.random(in: 0..<(depth > 2 ? 3 : 5), using: &random) {
        case 0: tokens.append("\(Int.random(in: -9...2000, using: &random))")
        case 1: tokens.append(["true", "null", "1.5e3"].randomElement(using: &random) ?? "true")
        case 2: tokens.append(string(&random))
        case 3:
            tokens.append("[")
            for index in 0..<Int.random(in: 1...3, using: &random) {
                if index > 0 { tokens.append(",") }
                value(&tokens, depth: depth + 1, &random)
            }
            tokens.append("]")
        default: object(&tokens, depth: depth + 1, &random)
        }
    }

    private static func object(_ tokens: inout [String], depth: Int, _ random: inout SplitMix64) {
        tokens.append("{")
        for index in 0..<Int.random(in: 1...3, using: &random) {
            if index > 0 { tokens.append(",") }
            // Different in each place, so that no key comes twice.
            tokens.append("\"\(tokens.count)\(words.randomElement(using: &random) ?? "")\"")
            tokens.append(":")
            value(&tokens, depth: depth, &random)
        }
        tokens.append("}")
    }

    private static func make(_ random: inout SplitMix64) -> Broken {
        while true {
            var tokens = [["query"], ["create"], ["update", "日本"]].randomElement(using: &random) ?? ["query"]
            let start = tokens.count
            object(&tokens, depth: 0, &random)
            let colons = tokens.indices.filter { tokens[$0] == ":" }
            let place: Int
            switch Int.random(in: 0..<6, using: &random) {
            case 0:  // a colon is missing
                place = colons.randomElement(using: &random) ?? start
                tokens.remove(at: place)
            case 1:  // what no value begins with
                place = (colons.randomElement(using: &random) ?? start) + 1
                tokens.insert(["@", "€", "＠", "§"].randomElement(using: &random) ?? "@", at: place)
            case 2:  // a comma is missing
                guard let comma = tokens.indices.filter({ tokens[$0] == "," }).randomElement(using: &random) else {
                    continue
                }
                place = comma
                tokens.remove(at: comma)
            case 3:  // the wrong bracket
                place = tokens.count - 1
                tokens[place] = "]"
            case 4:  // a variable that is not set
                place = (colons.randomElement(using: &random) ?? start) + 1
                tokens.insert("$nope", at: place)
                let taken = tokens[place + 1]
                guard taken != "{", taken != "[" else { continue }
                tokens.remove(at: place + 1)
            default:  // no value
                place = (colons.randomElement(using: &random) ?? start) + 1
                guard tokens[place] != "{", tokens[place] != "[" else { continue }
                tokens[place] = ","
            }
            let gaps = tokens.indices.map { index in
                index >= start && Int.random(in: 0..<12, using: &random) == 0 ? "\n" : " "
            }
            let lead = Bool.random(using: &random) ? "" : "read '日本' ;  "
            return Broken(lead: lead, tokens: tokens, gaps: gaps, wrong: place)
        }
    }

    /// What the shell finds wrong with the last command of a text.
    private static func fault(of text: String) -> (CommandAssembler.Command, ShellError)? {
        var assembler = CommandAssembler(.nextCommandWord)
        var found: CommandAssembler.Command?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            found = assembler.append(String(line)).last ?? found
        }
        guard let command = assembler.finish() ?? found else { return nil }
        if let fault = command.fault { return (command, ShellError(fault)) }
        do throws(CommandFault) {
            let expansion = try VariableExpansion(command.text) { _ in nil }
            var arguments = ArgumentReader(expansion.text)
            if command.text.hasPrefix("update") { _ = try arguments.word() }
            _ = try arguments.remainingJSON()
            return nil
        } catch {
            return (command, ShellError(error))
        }
    }

    @Test func theCaretStandsUnderTheFault() throws {
        setlocale(LC_CTYPE, "C.UTF-8")
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for round in 0..<10_000 {
            let broken = Self.make(&random)
            let about = Comment(rawValue: "seed \(seed), round \(round): \(broken.text)")
            let (command, error) = try #require(Self.fault(of: broken.lead + broken.text), about)
            let offset = try #require(error.offset, about)
            let before = broken.before
            #expect(offset == before.utf8.count, about)

            // The column is that of the file, in scalars.
            let source = (broken.lead + before).split(separator: "\n", omittingEmptySubsequences: false)
            let sink = MemorySink()
            var presentation = Presentation()
            presentation.mode = .oneShot
            let console = Console(output: MemorySink(), errors: sink, presentation: presentation)
            try ErrorReport(error, command: command, file: "f").print(on: console)
            let lines = sink.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let column = (source.last?.unicodeScalars.count ?? 0) + 1
            #expect(lines[0].hasPrefix("✗ f:\(source.count):\(column): "), about)

            // Under the fault there is the caret, wherever the line was cut.
            let shown = lines[1].dropFirst(2).unicodeScalars
            let caret = lines[2].unicodeScalars.count - 3
            var cell = 0
            var rest = shown[...]
            while cell < caret, let scalar = rest.popFirst() { cell += Self.cells(scalar) }
            while let scalar = rest.first, Self.cells(scalar) == 0 { rest.removeFirst() }
            #expect(cell == caret, about)
            let behind = broken.text.unicodeScalars.dropFirst(before.unicodeScalars.count)
            let visible = rest.prefix { $0 != "…" }
            #expect(!visible.isEmpty && behind.starts(with: visible), about)
            #expect(shown.reduce(0) { $0 + Self.cells($1) } <= 160, about)
        }
    }

    @Test(arguments: [
        (#"query {"year" {"$gte": 2000}}"#, #"query {"year": {"$gte": 2000}}"#),
        (#"query {a: 1 b: 2}"#, #"query {a: 1, b: 2}"#), (#"query {a: [1, 2}"#, #"query {a: [1, 2]}"#),
        (#"query {a: 1"#, #"query {a: 1}"#), (#"query {a: {b: 1}"#, #"query {a: {b: 1}}"#),
        (#"create {a: "x}"#, #"create {a: "x}"}"#), (#"query {a:: 1}"#, #"query {a: 1}"#), (#"query {a: @}"#, nil),
        (#"query {a 1 b 2}"#, nil)
    ])
    func whatWasProbablyMeant(_ broken: String, _ mended: String?) throws {
        let (command, error) = try #require(Self.fault(of: broken))
        #expect(error.suggesting(repairOf: command.text).suggestion == mended)
    }

    @Test func nearWords() {
        #expect(EditDistance.nearest(to: "qery", among: ["query", "count"]) == "query")
        #expect(EditDistance.nearest(to: "COUTN", among: ["query", "count"]) == "count")
        #expect(EditDistance.nearest(to: "moveis", among: ["movies", "movie"]) == "movies")
        #expect(EditDistance.nearest(to: "ab", among: ["cd", "a"]) == nil)
        #expect(EditDistance.nearest(to: "completely", among: ["different"]) == nil)
        #expect(EditDistance.between("kitten", "sitting") == 3)
        #expect(EditDistance.between("ab", "ba") == 1)
        #expect(EditDistance.between("", "abc") == 3)
    }
}
