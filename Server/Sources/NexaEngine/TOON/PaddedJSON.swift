import NexaValue

/// The length of a value as Python's `json.dumps` prints it: a blank behind every comma and colon, and all beyond
/// ASCII escaped. NexaDB 3.0 compares its TOON texts with that.
enum PaddedJSON {
    /// The number of characters.
    static func characterCount(_ value: Value) -> Int {
        switch value {
        case .null: 4
        case .bool(let value): value ? 4 : 5
        case .int(let number): digitCount(number.magnitude) + (number < 0 ? 1 : 0)
        case .uint(let number): digitCount(number)
        case .double(let number): characterCount(number)
        case .string(let text): characterCount(text)
        case .array(let values): list(values.count, values.reduce(0) { $0 + characterCount($1) })
        case .vector(let components): list(components.count, components.reduce(0) { $0 + $1.description.utf8.count })
        case .document(let document):
            list(
                document.count,
                document.reduce(0) { $0 + characterCount($1.key) + 2 + characterCount($1.value) })
        // Python has no JSON for these.
        case .bytes, .timestamp, .extended: ((try? JSON.encode(value)) ?? []).count
        }
    }

    private static func list(_ count: Int, _ elements: Int) -> Int { 2 + elements + max(0, count - 1) * 2 }

    private static func digitCount(_ number: UInt64) -> Int {
        var count = 1
        var rest = number / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        return count
    }

    private static func characterCount(_ number: Double) -> Int {
        if number.isNaN { return 3 }
        guard number.isFinite else { return number < 0 ? 9 : 8 }
        let text = number.description
        // From 10^16 on Python has an exponent, Swift only from 2^54 on.
        guard number.magnitude >= 1e16, !text.utf8.contains(0x65) else { return text.utf8.count }
        let digits = text.utf8.filter { $0 &- 0x30 <= 9 }.dropLast()  // the 0 of ".0"
        let significant = digits.count - digits.reversed().prefix { $0 == 0x30 }.count
        return significant + (significant > 1 ? 1 : 0) + 4 + (number < 0 ? 1 : 0)
    }

    private static func characterCount(_ text: String) -> Int {
        var count = 2
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C, 0x08, 0x09, 0x0A, 0x0C, 0x0D: count += 2
            case 0..<0x20, 0x7F: count += byte == 0x7F ? 1 : 6
            case 0x20..<0x80: count += 1
            case 0xF0...: count += 12  // two surrogates
            case 0xC0...: count += 6
            default: break  // a continuation byte
            }
        }
        return count
    }
}
