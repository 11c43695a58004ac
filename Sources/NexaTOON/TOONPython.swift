import NexaValue

/// What NexaDB 3.0 wrote into cells that hold no plain value: lists and maps as Python prints them.
extension TOONParser {
    /// The offset behind the bracket or brace that closes the one at an offset; `nil` if there is none on the line.
    func passPython(_ start: Int, _ end: Int) -> Int? {
        var depth = 0
        var position = start
        while position < end {
            switch bytes[position] {
            case 0x5B, 0x7B: depth += 1
            case 0x5D, 0x7D:
                depth -= 1
                if depth == 0 { return position + 1 }
            case let quote where quote == 0x27 || quote == 0x22:
                position += 1
                while position < end, bytes[position] != quote { position += bytes[position] == 0x5C ? 2 : 1 }
            default: break
            }
            position += 1
        }
        return nil
    }

    /// Reads a list, a map or a number as Python prints it; `nil` if the token is none of them.
    mutating func readPython(_ range: Range<Int>) throws(TOONError) -> Value? {
        let part = UnsafeBufferPointer(rebasing: bytes[range])
        if TOONText.equals(part, "nan") { return .double(.nan) }
        if TOONText.equals(part, "inf") { return .double(.infinity) }
        guard part[0] == 0x5B || part[0] == 0x7B else { return nil }
        let text = Self.json(ofPython: part)
        let limits = JSON.Limits(maximumDepth: options.limits.maximumDepth, maximumByteCount: text.count)
        return try? JSON.decode(text, JSON.Options(isRelaxed: true, limits: limits))
    }

    /// Replaces Python's words by JSON's, outside quotes. Relaxed JSON knows single quotes.
    private static func json(ofPython part: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(part.count)
        var quote: UInt8 = 0
        var position = 0
        let words: [(StaticString, StaticString)] = [
            ("None", "null"), ("True", "true"), ("False", "false"), ("nan", "NaN"), ("inf", "Infinity")
        ]
        scan: while position < part.count {
            let byte = part[position]
            if quote != 0 {
                if byte == 0x5C, position + 1 < part.count {
                    text.append(byte)
                    position += 1
                } else if byte == quote {
                    quote = 0
                }
            } else if byte == 0x27 || byte == 0x22 {
                quote = byte
            } else {
                for (word, replacement) in words
                where TOONText.equals(
                    UnsafeBufferPointer(
                        rebasing: part[position..<min(position + word.utf8CodeUnitCount, part.count)]), word)
                {
                    text.append(
                        contentsOf: UnsafeBufferPointer(
                            start: replacement.utf8Start, count: replacement.utf8CodeUnitCount))
                    position += word.utf8CodeUnitCount
                    continue scan
                }
            }
            text.append(part[position])
            position += 1
        }
        return text
    }
}
