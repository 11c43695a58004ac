import NexaValue

/// `$regexMatch`, `$regexFind` and `$regexFindAll`.
struct ExpressionSearch: Sendable {
    let name: String
    let input: ExpressionNode
    let pattern: ExpressionNode
    let options: ExpressionNode
    /// The pattern when it is written down.
    let compiled: Pattern?

    func result(
        _ input: Value?, _ pattern: Value?, _ options: Value?, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        guard input.isNullish || input?.string != nil else {
            throw .expression("\(name) needs 'input' to be of type string, found: \(input.typeName)")
        }
        guard pattern.isNullish || pattern?.string != nil else {
            throw .expression("\(name) needs 'regex' to be of type string, found: \(pattern.typeName)")
        }
        guard options.isNullish || options?.string != nil else {
            throw .expression("\(name) needs 'options' to be of type string, found: \(options.typeName)")
        }
        guard case .some(.string(let text)) = input, case .some(.string(let expression)) = pattern else {
            return name == "$regexMatch" ? .bool(false) : name == "$regexFind" ? .null : .array([])
        }
        let found: Pattern
        if let compiled {
            found = compiled
        } else {
            found = try context.pattern(expression, options: options?.string ?? "")
        }
        try context.spend(text.utf8.count / 64)
        // Processor time counts as steps too: the limits of a pattern hold for one search only.
        let began = Pattern.now()
        let result = try search(found, Array(text.utf8), &context)
        try context.spend(Int((Pattern.now() - began) * 1e7))
        return result
    }

    private func search(
        _ pattern: Pattern, _ text: [UInt8], _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        switch name {
        case "$regexMatch": return .bool(try pattern.firstMatch(in: text, from: 0) != nil)
        case "$regexFind":
            guard let groups = try pattern.firstMatch(in: text, from: 0), let whole = groups[0] else { return .null }
            let match = Self.match(groups, whole, index: Self.codePoints(text[..<whole.lowerBound]), text)
            try context.charge(match)
            return match
        default: return .array(try all(pattern, text, &context))
        }
    }

    private func all(
        _ pattern: Pattern, _ text: [UInt8], _ context: inout ExpressionContext
    ) throws(QueryError) -> [Value] {
        var matches: [Value] = []
        var offset = 0
        var counted = 0
        var index = 0
        var began = Pattern.now()
        // As in MongoDB, nothing is found behind the last character, except in an empty text.
        while offset < max(text.count, 1), let groups = try pattern.firstMatch(in: text, from: offset),
            let whole = groups[0], whole.lowerBound >= offset
        {
            if matches.count % 64 == 63 {
                let now = Pattern.now()
                try context.spend(Int((now - began) * 1e7))
                began = now
            }
            index += Self.codePoints(text[counted..<whole.lowerBound])
            counted = whole.lowerBound
            let match = Self.match(groups, whole, index: index, text)
            try context.charge(match)
            matches.append(match)
            offset = whole.upperBound
            if whole.isEmpty {
                offset += 1
                while offset < text.count, text[offset] & 0xC0 == 0x80 { offset += 1 }
            }
        }
        return matches
    }

    private static func codePoints(_ bytes: ArraySlice<UInt8>) -> Int { bytes.count { $0 & 0xC0 != 0x80 } }

    private static func match(_ groups: [Range<Int>?], _ whole: Range<Int>, index: Int, _ text: [UInt8]) -> Value {
        func part(_ range: Range<Int>) -> Value { .string(String(decoding: text[range], as: UTF8.self)) }
        return .document([
            "match": part(whole), "idx": .int(Int64(index)),
            "captures": .array(groups.dropFirst().map { range in range.map { part($0) } ?? .null })
        ])
    }
}
