import NexaValue
import TestKit

/// Random values as JSON can hold them, with a liking for what is hard to write in lines and cells.
struct RandomValues {
    var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    private static let hardTexts = [
        "", " ", "-", "- a", "#", "# a", "true", "false", "null", "True", "0", "05", "-0", "+1", "1e6", "1E-7", "1.",
        ".5",
        "a,b", "a|b", "a\tb", "a:b", "[]", "[2]: a,b", "{}", "{a}", "a[3]{b,c}:", "\"", "\\", "\\n", "\n", "\r", "\r\n",
        "\t",
        "\u{0}", "\u{1F}", "\u{7F}", "\u{85}", "\u{A0}x", "\u{2028}", "\u{FEFF}", "\u{FFFF}", "é", "e\u{301}", "日本",
        "😀", "\u{10FFFF}", " a", "a ", "a b", "::", "key: value", "1,2,3", "nan", "--", "'", "`", "~", "a.b", "_id"
    ]

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }

    mutating func text() -> String {
        switch below(4) {
        case 0: return Self.hardTexts[below(Self.hardTexts.count)]
        case 1: return (0..<below(4)).map { _ in Self.hardTexts[below(Self.hardTexts.count)] }.joined()
        case 2:
            var text = ""
            for _ in 0..<below(24) {
                // Every plane, without the surrogates.
                let ceilings: [UInt32] = [0x7F, 0x7FF, 0xFFFF, 0x10FFFF]
                let code = UInt32.random(in: 0...ceilings[below(4)], using: &random)
                if let scalar = Unicode.Scalar(code) { text.unicodeScalars.append(scalar) }
            }
            return text
        default:
            return String((0..<below(12)).map { _ in "abcdefghij klmno.XYZ_09".randomElement(using: &random) ?? "a" })
        }
    }

    mutating func number() -> Value {
        switch below(8) {
        case 0: return .int(Int64(truncatingIfNeeded: random.next()))
        case 1: return Value(random.next())
        case 2: return .double(Double(below(2_000_000) - 1_000_000) / 100)
        case 3: return .double([-0.0, 0, 1e21, 1e-6, 1e20, 1.25e20, .leastNonzeroMagnitude, 1e-7, 0.1][below(9)])
        case 4:
            let number = Double(bitPattern: random.next())
            return number.isFinite ? .double(number) : .int(1)
        case 5: return .double(Double(below(1_000_000)) * 1e-9)
        default: return .int(Int64(below(1000)))
        }
    }

    mutating func scalar() -> Value {
        switch below(6) {
        case 0: .null
        case 1: .bool(below(2) == 0)
        case 2, 3: number()
        default: .string(text())
        }
    }

    mutating func value(depth: Int = 0) -> Value {
        switch below(depth > 4 ? 2 : 6) {
        case 0, 1: return scalar()
        case 2: return .array((0..<below(5)).map { _ in value(depth: depth + 1) })
        case 3: return .document(document(depth: depth))
        case 4: return table(depth: depth)
        default: return keyed(depth: depth)
        }
    }

    mutating func document(depth: Int) -> Document {
        Document((0..<below(5)).map { _ in (text(), value(depth: depth + 1)) })
    }

    /// Documents with the same fields, now and then with one that differs.
    private mutating func table(depth: Int) -> Value {
        var rows: [Value] = []
        let names = (0...below(4)).map { _ in text() }
        let groups = names.map { _ in below(4) == 0 ? text() : nil }
        for _ in 0...below(5) {
            var row = Document()
            for index in names.indices {
                row[names[index]] = .some(groups[index].map { [$0: scalar()] } ?? scalar())
            }
            if below(20) == 0 { row[text()] = .some(value(depth: depth + 1)) }
            if below(4) == 0 { row = Document(row.reversed().map { ($0.key, $0.value) }) }
            rows.append(.document(row))
        }
        return .array(rows)
    }

    private mutating func keyed(depth: Int) -> Value {
        guard let rows = table(depth: depth).array else { return .null }
        return .document(Document(rows.map { (text(), $0) }))
    }
}
