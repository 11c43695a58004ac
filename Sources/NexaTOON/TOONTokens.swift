import NexaValue

/// Values of one token.
extension TOONParser {
    /// A part of the text without the blanks at its ends.
    @inline(__always) func trimmedRange(_ start: Int, _ end: Int) -> Range<Int> {
        var start = start
        var end = end
        while start < end, bytes[start] == 0x20 { start &+= 1 }
        while end > start, bytes[end &- 1] == 0x20 { end &-= 1 }
        return start..<end
    }

    func trimmed(_ start: Int, _ end: Int) -> Slice<UnsafeBufferPointer<UInt8>> { bytes[trimmedRange(start, end)] }

    /// A part of the text as it is. The text was checked, and parts are cut at ASCII characters.
    @inline(__always) func plainText(_ range: Range<Int>) -> String {
        let part = UnsafeBufferPointer(rebasing: bytes[range])
        return String(copying: unsafe UTF8Span(unchecked: Span(_unsafeElements: part)))
    }

    /// Reads a token without blanks around it (section 4).
    @inline(__always) mutating func readScalar(_ range: Range<Int>) throws(TOONError) -> Value {
        guard let first = range.isEmpty ? nil : bytes[range.lowerBound] else { return .string("") }
        if first == 0x22 { return .string(try readQuoted(range)) }
        if first &- 0x30 <= 9 || first == 0x2D {
            if let number = try readNumber(range) { return number }
        } else if range.count <= 5, let literal = literal(range) {
            return literal
        } else if options.acceptsNexaDB3, let value = try readPython(range) {
            return value
        }
        return .string(plainText(range))
    }

    private func literal(_ range: Range<Int>) -> Value? {
        let part = UnsafeBufferPointer(rebasing: bytes[range])
        switch part[0] {
        case 0x74: return TOONText.equals(part, "true") ? .bool(true) : nil
        case 0x66: return TOONText.equals(part, "false") ? .bool(false) : nil
        case 0x6E: return TOONText.equals(part, "null") ? .some(.null) : nil
        default: return nil
        }
    }

    // MARK: Quoted texts

    /// Reads a text in quotes that takes a whole part of the text.
    mutating func readQuoted(_ range: Range<Int>) throws(TOONError) -> String {
        let start = range.lowerBound &+ 1
        var position = start
        while position < range.upperBound, bytes[position] != 0x22, bytes[position] != 0x5C { position &+= 1 }
        guard position < range.upperBound else { throw fault(.unterminatedString, at: range.lowerBound) }
        if bytes[position] == 0x22 {
            try checkEnd(of: range, closing: position)
            return plainText(start..<position)
        }
        scratch.removeAll(keepingCapacity: true)
        var plain = start
        while position < range.upperBound {
            switch bytes[position] {
            case 0x22:
                scratch.append(contentsOf: bytes[plain..<position])
                try checkEnd(of: range, closing: position)
                return String(decoding: scratch, as: UTF8.self)
            case 0x5C:
                scratch.append(contentsOf: bytes[plain..<position])
                try readEscape(&position, range.upperBound)
                plain = position
            default: position &+= 1
            }
        }
        throw fault(.unterminatedString, at: range.lowerBound)
    }

    private func checkEnd(of range: Range<Int>, closing: Int) throws(TOONError) {
        guard closing == range.upperBound - 1 else {
            throw fault(.expected("the end of the value behind a closing quote"), at: closing + 1)
        }
    }

    private mutating func readEscape(_ position: inout Int, _ end: Int) throws(TOONError) {
        let start = position
        guard position + 1 < end else { throw fault(.unterminatedString, at: start) }
        let letter = bytes[position + 1]
        position += 2
        switch letter {
        case 0x22, 0x5C: scratch.append(letter)
        case 0x6E: scratch.append(0x0A)
        case 0x72: scratch.append(0x0D)
        case 0x74: scratch.append(0x09)
        case 0x75:
            var code = try readHexadecimal(&position, end, escape: start)
            if options.acceptsNexaDB3, code & 0xFC00 == 0xD800, position + 1 < end, bytes[position] == 0x5C,
                bytes[position + 1] == 0x75
            {
                position += 2
                let low = try readHexadecimal(&position, end, escape: start)
                guard low & 0xFC00 == 0xDC00 else { throw fault(.invalidEscape, at: start) }
                code = 0x10000 + (code & 0x3FF) << 10 + (low & 0x3FF)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault(.invalidEscape, at: start) }
            scratch.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        case 0x62 where options.acceptsNexaDB3: scratch.append(0x08)
        case 0x66 where options.acceptsNexaDB3: scratch.append(0x0C)
        case 0x2F where options.acceptsNexaDB3: scratch.append(0x2F)
        default: throw fault(.invalidEscape, at: start)
        }
    }

    private func readHexadecimal(_ position: inout Int, _ end: Int, escape: Int) throws(TOONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard position < end else { throw fault(.invalidEscape, at: escape) }
            switch bytes[position] {
            case 0x30...0x39: code = code << 4 | UInt32(bytes[position] - 0x30)
            case 0x41...0x46: code = code << 4 | UInt32(bytes[position] - 0x37)
            case 0x61...0x66: code = code << 4 | UInt32(bytes[position] - 0x57)
            default: throw fault(.invalidEscape, at: escape)
            }
            position += 1
        }
        return code
    }

    // MARK: Numbers

    /// Reads a number of JSON's grammar; `nil` if the token is none, but a text.
    func readNumber(_ range: Range<Int>) throws(TOONError) -> Value? {
        let end = range.upperBound
        var position = range.lowerBound
        let isNegative = bytes[position] == 0x2D
        if isNegative { position &+= 1 }
        var magnitude: UInt64 = 0
        let digits = position
        while position < end, bytes[position] &- 0x30 <= 9 {
            magnitude = magnitude &* 10 &+ UInt64(bytes[position] &- 0x30)
            position &+= 1
        }
        let count = position &- digits
        guard count > 0, count == 1 || bytes[digits] != 0x30 else { return nil }
        if position == end, count <= 18 {
            let number = Int64(truncatingIfNeeded: magnitude)
            return .int(isNegative ? 0 &- number : number)
        }
        if position < end, bytes[position] == 0x2E {
            position &+= 1
            let fraction = position
            while position < end, bytes[position] &- 0x30 <= 9 {
                magnitude = magnitude &* 10 &+ UInt64(bytes[position] &- 0x30)
                position &+= 1
            }
            let places = position &- fraction
            guard places > 0 else { return nil }
            // Both are exact and the quotient is rounded once.
            if position == end, count &+ places <= 15 {
                let number = Double(magnitude) / Self.powers[places]
                return .double(isNegative && magnitude > 0 ? -number : number)
            }
        }
        if position < end, bytes[position] | 0x20 == 0x65 {
            position &+= 1
            if position < end, bytes[position] == 0x2B || bytes[position] == 0x2D { position &+= 1 }
            let exponent = position
            while position < end, bytes[position] &- 0x30 <= 9 { position &+= 1 }
            guard position > exponent else { return nil }
        }
        guard position == end else { return nil }
        return try readLongNumber(range)
    }

    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15
    ]

    /// Reads any number of JSON's grammar.
    private func readLongNumber(_ range: Range<Int>) throws(TOONError) -> Value {
        let part = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[range])
        do throws(JSONError) {
            let value = try JSON.decode(
                unsafe RawSpan(_unsafeBytes: part), JSON.Options(limits: JSON.Limits(maximumByteCount: .max)))
            if case .double(0) = value { return .double(0) }  // -0 is 0 (section 2)
            return value
        } catch {
            throw fault(.numberOutOfRange, at: range.lowerBound)
        }
    }
}
