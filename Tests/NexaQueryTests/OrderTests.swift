import NexaQuery
import NexaValue
import TestKit
import Testing

@Suite struct OrderTests {
    /// Smallest first; values in one row are equal.
    static let ladder: [[Value]] = [
        [nil], [.double(.nan)], [.double(-.infinity)], [.double(-1e300)], [.double(-0x1p63), .int(.min)],
        [.int(.min + 1)],
        [.int(-(1 << 53) - 1)], [.int(-(1 << 53)), .double(-0x1p53)], [-1, -1.0], [-0.5], [0, 0.0, .double(-0.0)],
        [.double(.leastNonzeroMagnitude)], [1, 1.0], [1.5], [2], [.int(1 << 53), .double(0x1p53)], [.int(1 << 53 + 1)],
        [.int(1 << 53 + 2), .double(0x1p53 + 2)], [.int(.max)], [.uint(1 << 63), .double(0x1p63)], [.uint(1 << 63 + 1)],
        [.uint(.max)], [.double(0x1p64)], [.double(.infinity)],
        [""], ["A"], ["a"], ["a\0"], ["a\0\0"], ["a\u{1}"], ["ab"], ["b"], ["e\u{301}"], ["é"], ["𝄞"],
        [[:]], [["a": nil]], [["b": nil]], [["a": 1], ["a": 1.0]], [["a": 1, "b": 1]], [["a": 2]], [["b": 1]],
        [["a": "x"]],
        [[]], [[nil]], [[1], .vector([1])], [[1, nil]], [[1, 2]], [[2]], [["a"]], [[[]]],
        [.bytes([])], [.bytes([0])], [.bytes([255])], [.bytes([0, 0])], [false], [true],
        [.timestamp(Timestamp(seconds: -1))], [.timestamp(Timestamp(seconds: -1, nanoseconds: 1))],
        [.timestamp(Timestamp(seconds: 0))], [.timestamp(Timestamp(seconds: 0, nanoseconds: 1))],
        [.timestamp(Timestamp(seconds: 1 << 40))],
        [.extended(ExtendedValue(type: -7, bytes: [9]))], [.extended(ExtendedValue(type: 1, bytes: []))],
        [.extended(ExtendedValue(type: 1, bytes: [5]))], [.extended(ExtendedValue(type: 1, bytes: [0, 0]))]
    ]

    @Test func valuesOfAllKindsStandOnOneLadder() {
        for (lower, left) in Self.ladder.enumerated() {
            for (upper, right) in Self.ladder.enumerated() {
                for left in left {
                    for right in right {
                        #expect(
                            ValueOrder.compare(left, right).signum() == (lower - upper).signum(), "\(left) and \(right)"
                        )
                        #expect(order(key(left), key(right)) == (lower - upper).signum(), "\(left) and \(right)")
                        #expect(
                            order(key(left, descending: true), key(right, descending: true)) == (upper - lower).signum()
                        )
                    }
                }
            }
        }
    }

    @Test(arguments: [1, UInt64.random(in: 0 ... .max)])
    func encodingsCompareAsValues(seed: UInt64) {
        var random = RandomValues(seed: seed)
        for _ in 0..<20_000 {
            let (left, right) = (random.value(), random.value())
            let expected = ReferenceFilter.compare(left, right).signum()
            let same =
                ValueOrder.compare(left, right).signum() == expected && order(key(left), key(right)) == expected
                // Nothing that follows an encoding may change the order of two values.
                && (expected == 0 || order(key(left) + [0xFF], key(right) + [0]) == expected)
                && (expected == 0 || order(key(left) + [0], key(right) + [0xFF]) == expected)
            if !same { Issue.record("\(left) and \(right), seed \(seed)") }
        }
    }

    @Test(arguments: [2, UInt64.random(in: 0 ... .max)])
    func numbersCompareExactly(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        func number() -> Value {
            let bits = random.next()
            switch bits % 4 {
            case 0: return .double(Double(bitPattern: random.next()))
            case 1: return Value(random.next() >> (bits >> 32 % 12))
            case 2: return .int(Int64(bitPattern: random.next()) >> Int64(bits >> 32 % 12))
            default: return .double(Double(Int64(bitPattern: random.next()) >> Int64(bits >> 32 % 12)))
            }
        }
        for _ in 0..<20_000 {
            let left = number()
            // A neighbour is the interesting opponent.
            let right: Value =
                switch left {
                case .double(let value):
                    Int64(exactly: value.rounded(.down)).map { .int($0 &+ Int64(random.next() % 3) - 1) } ?? number()
                case .int(let value): .double(Double(value))
                case .uint(let value): .double(Double(value))
                default: number()
                }
            let expected = ReferenceFilter.compare(left, right).signum()
            if ValueOrder.compare(left, right).signum() != expected || order(key(left), key(right)) != expected {
                Issue.record("\(left) and \(right), seed \(seed)")
            }
        }
    }

    private func key(_ value: Value, descending: Bool = false) -> [UInt8] {
        var bytes: [UInt8] = []
        OrderedEncoding.append(value, descending: descending, to: &bytes)
        return bytes
    }

    private func order(_ left: [UInt8], _ right: [UInt8]) -> Int {
        left.lexicographicallyPrecedes(right) ? -1 : left == right ? 0 : 1
    }
}

@Suite struct SortOrderTests {
    private func sorted(_ documents: [String], by order: String) throws -> [String] {
        let order = try SortOrder(compiling: JSON.decode(order, .relaxed))
        return try documents.map { text in
            let bytes = MessagePack.encode(try relaxed(text))
            return (try order.key(of: bytes.span.bytes), text)
        }.sorted { $0.0 < $1.0 }.map(\.1)
    }

    @Test(arguments: [
        ("{a: 1}", ["{a: []}", "{}", "{a: 1}", "{a: 2}", "{a: 'x'}", "{a: {b: 1}}", "{a: true}"]),
        ("{a: -1}", ["{a: true}", "{a: {b: 1}}", "{a: 'x'}", "{a: 2}", "{a: 1}", "{}", "{a: []}"]),
        ("{a: 1, b: -1}", ["{a: 1, b: 2}", "{a: 1, b: 1}", "{a: 1}", "{a: 2, b: 9}"]),
        ("{b: -1, a: 1}", ["{a: 2, b: 9}", "{a: 1, b: 2}", "{a: 1, b: 1}", "{a: 1}"]),
        ("[['a', -1], ['b', 1]]", ["{a: 2, b: 9}", "{a: 1}", "{a: 1, b: 1}", "{a: 1, b: 2}"]),
        // Of an array the smallest element counts, or the largest when descending.
        ("{a: 1}", ["{a: [5, 1]}", "{a: 2}", "{a: [3, 9]}"]), ("{a: -1}", ["{a: [3, 9]}", "{a: [5, 1]}", "{a: 2}"]),
        ("{a: 1}", ["{a: [[1], 5]}", "{a: 'x'}", "{a: [[1]]}"]),
        ("{'a.b': 1}", ["{a: []}", "{a: {b: 0}}", "{a: [{b: 7}, {b: 1}]}", "{a: {b: 2}}"]),
        ("{'a.b': 1}", ["{a: 5}", "{a: {b: 1}}"]), ("{'a.b': 1}", ["{a: [{c: 1}, {b: 5}]}", "{a: {b: 1}}"]),
        ("{'a.1': 1}", ["{a: [9]}", "{a: [9, 1]}", "{a: [0, 2]}"]),
        ("{a: 1}", ["{a: 'B'}", "{a: 'a'}", "{a: 'é'}"])
    ])
    func sorts(order: String, expected: [String]) throws {
        #expect(try sorted(expected.reversed(), by: order) == expected)
        #expect(try sorted(expected, by: order) == expected)
    }

    @Test func equalKeysAreEqual() throws {
        let order = try SortOrder(compiling: ["a": 1])
        let keys = try ["{a: 1}", "{a: 1.0, b: 2}", "{a: [1, 3]}"].map {
            try order.key(of: MessagePack.encode(relaxed($0)).span.bytes)
        }
        #expect(Set(keys).count == 1)
        #expect(try !SortOrder(compiling: [:]).isEmpty == false)
        #expect(
            try SortOrder(compiling: [:]).key(of: [0x80].span.bytes)
                == SortOrder(compiling: []).key(of: [0x80].span.bytes))
    }

    @Test(arguments: [
        ("{a: 2}", "the sort direction of \"a\" must be 1 or -1"),
        ("{a: 'asc'}", "the sort direction of \"a\" must be 1 or -1"),
        ("{$a: 1}", "a sort field cannot begin with $: $a"),
        ("[['a', 1], ['a', -1]]", "the sort order has \"a\" twice"),
        ("'a'", "sort needs a document {field: 1 or -1, …}, found string"),
        ("[['a']]", "a sort order in an array needs pairs [\"field\", 1 or -1]"),
        ("{'a..b': 1}", "the path \"a..b\" has an empty part")
    ])
    func refuses(order: String, message: String) throws {
        let order = try JSON.decode(order, .relaxed)
        #expect(QueryError.of { _ = try SortOrder(compiling: order) }?.message == message)
    }

    @Test func tooManyFieldsAreRefused() throws {
        let fields = Document((0..<33).map { ("f\($0)", 1) })
        #expect(QueryError.of { _ = try SortOrder(compiling: .document(fields)) }?.code == .limitExceeded)
    }

    @Test func damagedDocumentsAreNamed() throws {
        let order = try SortOrder(compiling: ["a": 1])
        #expect(QueryError.of { _ = try order.key(of: [0x81, 0xA1].span.bytes) }?.code == .corruptDocument)
    }
}
