import NexaValue
import TestKit

/// Small random documents and filters that meet often: few names, few values, much nesting of arrays.
struct RandomValues {
    var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &random)] }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    static let scalars: [Value] = [
        nil, true, false, 0, 1, 2, -1, .double(-0.0), 1.0, 1.5, .double(.nan), .double(.infinity), .double(-.infinity),
        .int(.max), .int(.min), .uint(1 << 63), .uint(.max), .double(0x1p53), .int(1 << 53 + 1), .double(0x1p63),
        .double(0x1p64), .double(-0x1p63), .int((1 << 62) + 1), .double(0x1p62), .double(1e300),
        .double(.leastNonzeroMagnitude),
        "", "a", "b", "ab", "a\0", "é", "e\u{301}", "longer than eight", .bytes([]), .bytes([1]), .bytes([0, 5]),
        .timestamp(Timestamp(seconds: 0)), .timestamp(Timestamp(seconds: -1, nanoseconds: 5)),
        .timestamp(Timestamp(seconds: 1 << 40, nanoseconds: 999_999_999)),
        .extended(ExtendedValue(type: 5, bytes: [1])), .extended(ExtendedValue(type: -7, bytes: []))
    ]

    mutating func scalar() -> Value { chance(60) ? pick([0, 1, 2, "a", "b", nil]) : pick(Self.scalars) }

    mutating func value(_ depth: Int = 0) -> Value {
        guard depth < 4, chance(45) else { return scalar() }
        if chance(50) { return .array((0..<Int.random(in: 0...3, using: &random)).map { _ in value(depth + 1) }) }
        return .document(document(depth + 1))
    }

    mutating func document(_ depth: Int = 0) -> Document {
        Document((0..<Int.random(in: 0...3, using: &random)).map { _ in (name(), value(depth)) })
    }

    mutating func name() -> String { pick(["a", "b", "c", "0", "1"]) }

    mutating func path() -> String {
        (0..<Int.random(in: 1...3, using: &random)).map { _ in name() }.joined(separator: ".")
    }

    mutating func filter(_ depth: Int = 0) -> Document {
        var filter = Document()
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            if depth < 3, chance(25) {
                let filters = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                    Value.document(self.filter(depth + 1))
                }
                filter[pick(["$and", "$or", "$nor"])] = .array(filters)
            } else {
                filter[path()] = condition(depth)
            }
        }
        return filter
    }

    private mutating func condition(_ depth: Int) -> Value {
        if chance(30) { return literal() }
        var operators = Document()
        for _ in 0..<Int.random(in: 1...2, using: &random) { add(to: &operators, depth) }
        return .document(operators)
    }

    /// A value that cannot be taken for operators.
    private mutating func literal() -> Value { value(2) }

    private mutating func add(to operators: inout Document, _ depth: Int) {
        let name = pick([
            "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not", "$all", "$size", "$elemMatch"
        ])
        switch name {
        case "$in", "$nin": operators[name] = .array((0..<Int.random(in: 0...6, using: &random)).map { _ in literal() })
        case "$all":
            operators[name] = .array(
                (0..<Int.random(in: 0...2, using: &random)).map { _ in
                    guard depth < 3, chance(30) else { return literal() }
                    return ["$elemMatch": .document(filter(depth + 1))]
                })
        case "$exists": operators[name] = .bool(chance(50))
        case "$size": operators[name] = .int(Int64.random(in: 0...3, using: &random))
        case "$not":
            var inner = Document()
            for _ in 0..<Int.random(in: 1...2, using: &random) { add(to: &inner, depth + 1) }
            operators[name] = .document(inner)
        case "$elemMatch":
            if depth < 3, chance(50) {
                operators[name] = .document(filter(depth + 1))
            } else {
                var inner = Document()
                add(to: &inner, depth + 1)
                operators[name] = .document(inner)
            }
        default: operators[name] = literal()
        }
    }
}
