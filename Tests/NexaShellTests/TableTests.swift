import Glibc
import NexaValue
import TestKit
import Testing

@testable import NexaShell

/// Tables: what they look like, and that they are right at every width.
@Suite struct TableTests {
    init() { setlocale(LC_CTYPE, "C.UTF-8") }

    private func printed(
        _ documents: [Document], columns: Int?, coloured: Bool = false, format: OutputFormat = .table,
        change: (inout Presentation) -> Void = { _ in }
    ) throws -> (output: String, errors: String) {
        let (sink, errors) = (MemorySink(), MemorySink())
        var presentation = Presentation()
        presentation.mode = .oneShot
        presentation.format = format
        presentation.isFormatNamed = true
        presentation.coloursOutput = coloured
        if let columns { presentation.screen = .fixed(columns: columns, rows: 24) }
        change(&presentation)
        let console = Console(output: sink, errors: errors, presentation: presentation)
        var printer = DocumentPrinter(console)
        for document in documents { try printer.print(document) }
        try printer.finish()
        return (sink.text, errors.text)
    }

    private let films: [Document] = [
        ["title": "Amélie", "_id": "m1", "year": 2001, "cast": ["A", ["b": 1]]],
        ["_id": "m2", "title": "千と千尋", "year": nil, "score": 8.5]
    ]

    @Test func aTableOnAScreen() throws {
        #expect(
            try printed(films, columns: 80).output == """
                ┌─────┬──────────┬──────┬───────────────┬───────┐
                │ _id │ title    │ year │ cast          │ score │
                ├─────┼──────────┼──────┼───────────────┼───────┤
                │ m1  │ Amélie   │ 2001 │ ["A",{"b":1}] │       │
                │ m2  │ 千と千尋 │ null │               │   8.5 │
                └─────┴──────────┴──────┴───────────────┴───────┘

                """)
    }

    @Test func aTableInAPipe() throws {
        #expect(
            try printed(films, columns: nil).output == """
                +-----+----------+------+---------------+-------+
                | _id | title    | year | cast          | score |
                +-----+----------+------+---------------+-------+
                | m1  | Amélie   | 2001 | ["A",{"b":1}] |       |
                | m2  | 千と千尋 | null |               |   8.5 |
                +-----+----------+------+---------------+-------+

                """)
    }

    /// People compare them; what a program reads is exact.
    @Test func similaritiesHaveFourDigitsOnAScreen() throws {
        let found: [Document] = [
            ["_id": "a", "_similarity": 1.0, "x": 0.123456789], ["_id": "b", "_similarity": 0.97530864197530864],
            ["_id": "c", "_similarity": -0.0000123456789], ["_id": "d", "_similarity": .double(.infinity)],
            ["_id": "e", "_similarity": 0.99999], ["_id": "f", "_similarity": 0]
        ]
        #expect(
            try printed(found, columns: 80).output == """
                ┌─────┬─────────────┬─────────────┐
                │ _id │ _similarity │           x │
                ├─────┼─────────────┼─────────────┤
                │ a   │         1.0 │ 0.123456789 │
                │ b   │      0.9753 │             │
                │ c   │  -1.235e-05 │             │
                │ d   │         inf │             │
                │ e   │         1.0 │             │
                │ f   │           0 │             │
                └─────┴─────────────┴─────────────┘

                """)
        #expect(try printed(found, columns: nil).output.contains(" 0.9753086419753086 |"))
    }

    @Test func whatIsCutIsSaid() throws {
        let text = try printed(
            [["_id": 1, "title": "A rather long title of a film", "plot": "Many words about it", "z": 1]], columns: 40)
        #expect(
            text.output == """
                ┌─────┬──────────────┬─────────────┬───┐
                │ _id │ title        │ plot        │ z │
                ├─────┼──────────────┼─────────────┼───┤
                │   1 │ A rather lo… │ Many words… │ 1 │
                └─────┴──────────────┴─────────────┴───┘
                … cut: 2 cells of title, plot; \\last
                vertical shows all

                """)
        let narrow = try printed(
            [["_id": 1, "first": "aaaaaaaaaa", "second": "bbbbbbbbbb", "third": "cccccccccc"]], columns: 24)
        #expect(narrow.output.hasSuffix("… cut: columns second,\nthird; \\last vertical\nshows all\n"))
    }

    @Test func vectorsAreShortOnAScreenOnly() throws {
        let vector = Value.array((0..<1536).map { .double($0 == 0 ? 0.9 : Double(Float(0.15))) })
        let document: Document = ["_id": 1, "v": vector, "sub": ["v": vector, "t": "x"]]
        let text = try printed([document], columns: 120).output
        #expect(text.contains(" [0.9, 0.15, … 1536] "))
        #expect(text.contains(#" {"v":[0.9, 0.15, … 1536],"t":"x"} "#))
        #expect(try printed([document], columns: nil).output.utf8.count > 30_000)
        #expect(try printed([document], columns: 120, format: .vertical).output.utf8.count > 30_000)
    }

    @Test func inAPipeNothingIsCutHoweverLateItComes() throws {
        var documents: [Document] = (0..<600).map { ["_id": .int($0), "t": "short"] }
        documents.append(["_id": 600, "t": "a much longer text than all before", "late": true])
        documents.append(["_id": 601, "t": "short"])
        let text = try printed(documents, columns: nil).output
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.contains { $0.contains("a much longer text than all before") })
        #expect(lines.contains { $0.hasSuffix("| late |") })
        // A wider table began; each of them has straight borders.
        for (line, next) in zip(lines, lines.dropFirst())
        where line.utf8.count != next.utf8.count { #expect(line.hasPrefix("+") && next.hasPrefix("+")) }
        #expect(lines.filter { $0.hasPrefix("|") && !$0.contains("_id") }.count == 602)
    }

    @Test func aTableThatIsTooWideTurnsVerticalUnlessItWasNamed() throws {
        let wide: [Document] = [["_id": "a", "text": .string(String(repeating: "x", count: 100)), "lines": "1\n2"]]
        let rows = try printed(wide, columns: 80) { $0.isFormatNamed = false }.output
        #expect(
            rows == """
                -[ 1 ]-------------
                _id   | a
                text  | \(String(repeating: "x", count: 100))
                lines | 1
                      | 2

                """)
        #expect(try printed(wide, columns: 80).output.contains("…"))
        #expect(try printed(wide, columns: 80) { $0.expansion = .auto }.output == rows)
        #expect(try printed(films, columns: 80) { $0.expansion = .auto }.output.hasPrefix("┌"))
        #expect(try printed(films, columns: 80) { $0.expansion = .on }.output.hasPrefix("-[ 1 ]"))
        #expect(try printed(wide, columns: nil) { $0.isFormatNamed = false }.output.hasPrefix("+"))
    }

    @Test func fieldsNullHeaderAndWidth() throws {
        let text = try printed(films, columns: nil) {
            $0.shape.fields = ["year", "cast.b"]
            $0.shape.nullText = "∅"
        }.output
        #expect(
            text == """
                +------+--------+
                | year | cast.b |
                +------+--------+
                | 2001 | [1]    |
                |    ∅ |        |
                +------+--------+

                """)
        let narrow = try printed(films, columns: nil) {
            $0.shape.maximumWidth = 30
            $0.shape.hasHeader = false
        }
        #expect(narrow.output.split(separator: "\n").allSatisfy { $0.count <= 30 })
        #expect(narrow.output.split(separator: "\n").count == 4)
        #expect(narrow.errors.contains("cut"))
    }

    @Test func nothingIsATableOfNothing() throws {
        #expect(try printed([], columns: 80).output.isEmpty)
        #expect(try printed([[:]], columns: 80).output.isEmpty)
    }

    // MARK: Every width

    /// The widths of Unicode's own tables for the characters that `randomText` draws from, apart from what the shell uses.
    static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0x300...0x36F, 0x591...0x5BD, 0x64B...0x65F, 0x200B...0x200F, 0x20D0...0x20F0, 0xFE00...0xFE0F: 0
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xFF01...0xFF60, 0x1F300...0x1F64F,
            0x1F680...0x1F6C5, 0x1F900...0x1F9FF, 0x20000...0x2FFFD:
            2
        default: 1
        }
    }

    private static let pools: [ClosedRange<UInt32>] = [
        0x20...0x7E, 0x20...0x7E, 0xC0...0x17F, 0x300...0x36F, 0x5D0...0x5EA, 0x591...0x5BD, 0x627...0x64A,
        0x64B...0x65F, 0x4E00...0x9FA5, 0x3041...0x3096, 0xAC00...0xD7A3, 0xFF01...0xFF60, 0x1F600...0x1F64F,
        0x1F300...0x1F320, 0x1F910...0x1F93A, 0x20000...0x2A6D6, 0x00...0x1F, 0x7F...0x9F, 0x200B...0x200F,
        0x202A...0x202E, 0x2066...0x2069, 0xFE00...0xFE0F, 0x9...0xD, 0x1F1E6...0x1F1FF
    ]

    static func randomText(_ count: Int, _ random: inout SplitMix64) -> String {
        var text = String.UnicodeScalarView()
        while text.count < count {
            let pool = pools[Int.random(in: 0..<pools.count, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                if let scalar = Unicode.Scalar(UInt32.random(in: pool, using: &random)) { text.append(scalar) }
            }
        }
        return String(text)
    }

    private static func randomDocument(_ number: Int, _ random: inout SplitMix64) -> Document {
        var document: Document = ["_id": .int(Int64(number))]
        for index in 0..<Int.random(in: 0...5, using: &random) {
            let name = "f\(index)" + (index == 3 ? "ключ\u{1B}[2J漢字" : "")
            let length = [0, 1, 5, 30, 300][Int.random(in: 0..<5, using: &random)]
            document[name] =
                switch Int.random(in: 0..<8, using: &random) {
                case 0: .some(.int(Int64.random(in: -1_000_000...1_000_000, using: &random)))
                case 1: .some(.null)
                case 2: .some(.array((0..<length).map { .double(Double($0) / 3) }))
                case 3: .some(.document(["k\u{7F}": .string(randomText(length, &random))]))
                default: .some(.string(randomText(length, &random)))
                }
        }
        return document
    }

    /// Every line fits, every border stands straight, and no byte could be taken for a command.
    private func check(_ text: String, width limit: Int, _ context: String) -> Bool {
        var borders: [Int]?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var column = 0
            var places: [Int] = []
            for scalar in line.unicodeScalars {
                if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
                    Issue.record("a control byte: \(context): \(line)")
                    return false
                }
                if "┌├└│┬┼┴┐┤┘".unicodeScalars.contains(scalar) { places.append(column) }
                column += Self.width(scalar)
            }
            if column > limit {
                Issue.record("\(column) cells: \(context): \(line)")
                return false
            }
            guard !places.isEmpty else { continue }
            if let borders, borders != places {
                Issue.record("ragged: \(context): \(line)")
                return false
            }
            borders = places
        }
        return true
    }

    /// 1,000 documents at each 20th width, 60 at the others.
    @Test func tablesAreRightAtEveryWidth() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let documents = (0..<1000).map { Self.randomDocument($0, &random) }
        for width in 20...500 {
            let start = Int.random(in: 0..<940, using: &random)
            let some = width % 20 == 0 ? documents : Array(documents[start..<(start + 60)])
            let text = try printed(some, columns: width).output
            guard check(text, width: width, "seed \(seed), width \(width)") else { return }
            #expect(text.contains("│"))
        }
    }

    @Test func tinyScreensDoNotCrash() throws {
        for width in 1..<20 { _ = try printed(films, columns: width) }
    }

    @Test func coloursDoNotCountAsCells() throws {
        let coloured = try printed(films, columns: 40, coloured: true).output
        let plain = ["\u{1B}[1m", "\u{1B}[33m", "\u{1B}[0m"].reduce(coloured) { $0.split(separator: $1).joined() }
        #expect(plain == (try printed(films, columns: 40).output))
    }

    @Test func theWidestColumnsShareWhatIsLeft() {
        #expect(TableLayout(natural: [3, 5], limit: nil).widths == [3, 5])
        #expect(TableLayout(natural: [3, 100, 100], limit: 50).widths == [3, 18, 19])
        #expect(TableLayout(natural: [100, 3, 100], limit: 50).total == 50)
        let many = TableLayout(natural: Array(repeating: 20, count: 20), limit: 80)
        #expect(many.hidden == 13 && many.total <= 80)
        #expect(TableLayout(natural: [100, 100], limit: 1).widths == [1])
    }
}
