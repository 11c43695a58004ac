import Glibc
import NexaValue

/// Texts, keys and numbers.
extension TOONWriter {
    /// Writes a value that takes one cell; the caller has seen that it is one.
    @inline(__always) mutating func writeScalar(_ value: Value) {
        switch value {
        case .string(let text): writeText(text)
        case .int(let number):
            if number < 0 { output.put(0x2D) }
            output.put(digits: number.magnitude)
        case .double(let number): writeNumber(number)
        case .bool(let value): value ? output.put("true") : output.put("false")
        case .null: output.put("null")
        case .uint(let number): output.put(digits: number)
        case .timestamp(let time): writeText(time.rfc3339)
        case .bytes, .array, .document, .vector, .extended: output.put("null")
        }
    }

    /// Writes a text, in quotes where the specification (7.2) asks for them.
    @inline(__always) mutating func writeText(_ text: String) {
        text.utf8Span.span.withUnsafeBufferPointer { writeText($0) }
    }

    mutating func writeText(_ bytes: UnsafeBufferPointer<UInt8>) {
        if TOONText.needsQuotes(bytes, delimiter: delimiter) { writeQuoted(bytes) } else { output.put(bytes) }
    }

    /// Writes a key, in quotes unless it is a name of letters, digits, `_` and `.` (7.3).
    mutating func writeKey(_ key: String) {
        key.utf8Span.span.withUnsafeBufferPointer { bytes in
            if TOONText.isName(bytes) { output.put(bytes) } else { writeQuoted(bytes) }
        }
    }

    @inline(never) private mutating func writeQuoted(_ bytes: UnsafeBufferPointer<UInt8>) {
        output.need(bytes.count &+ 2)
        output.putUnchecked(0x22)
        var plain = 0
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte >= 0x20, byte != 0x22, byte != 0x5C {
                position &+= 1
                continue
            }
            output.put(UnsafeBufferPointer(rebasing: bytes[plain..<position]))
            writeEscape(byte)
            position &+= 1
            plain = position
        }
        output.put(UnsafeBufferPointer(rebasing: bytes[plain...]))
        output.put(0x22)
    }

    private mutating func writeEscape(_ byte: UInt8) {
        output.put(0x5C)
        switch byte {
        case 0x22, 0x5C: output.put(byte)
        case 0x09: output.put(0x74)
        case 0x0A: output.put(0x6E)
        case 0x0D: output.put(0x72)
        default:
            output.put("u00")
            output.put(0x30 | byte >> 4)
            output.put(byte & 15 < 10 ? 0x30 | byte & 15 : 0x57 + (byte & 15))
        }
    }

    // MARK: Numbers

    /// Writes the shortest decimal that reads back as the same number; NaN and the infinities are `null`.
    mutating func writeNumber(_ number: Double) {
        guard number.isFinite else { return output.put("null") }
        if let whole = Int64(exactly: number) {  // -0 is 0 as well
            if whole < 0 { output.put(0x2D) }
            return output.put(digits: whole.magnitude)
        }
        let magnitude = number.magnitude
        if number < 0 { output.put(0x2D) }
        if let whole = UInt64(exactly: magnitude) { return output.put(digits: whole) }
        if magnitude < 1e9, writeShortFraction(magnitude) { return }
        writeDecimal(magnitude.description)
    }

    /// As `writeNumber` for the components of a vector, with the digits that 32 bits need.
    mutating func writeNumber(_ number: Float) {
        guard number.isFinite else { return output.put("null") }
        if let whole = Int64(exactly: number) {
            if whole < 0 { output.put(0x2D) }
            return output.put(digits: whole.magnitude)
        }
        if number < 0 { output.put(0x2D) }
        writeDecimal(number.magnitude.description)
    }

    private static var shortPowers: [6 of Double] { [10, 100, 1000, 10_000, 100_000, 1_000_000] }

    /// Writes a number of few decimals without looking for the shortest text of it.
    ///
    /// Decimals of up to 15 digits all have doubles of their own, and the quotient of two whole numbers below 2^53 is
    /// rounded once: if it is the number, its decimal is the only one of that length, and the first found the shortest.
    private mutating func writeShortFraction(_ magnitude: Double) -> Bool {
        let powers = Self.shortPowers
        for places in 0..<6 {
            let power = powers[places]
            let scaled = (magnitude * power).rounded()
            guard scaled < 1e15 else { return false }
            guard scaled / power == magnitude, scaled >= 1 else { continue }
            let digits = UInt64(scaled)
            let divisor = UInt64(power)
            let (whole, fraction) = digits.quotientAndRemainder(dividingBy: divisor)
            output.put(digits: whole)
            output.put(0x2E)
            var rest = fraction
            var place = divisor / 10
            while place > 0 {
                output.put(0x30 | UInt8(truncatingIfNeeded: rest / place))
                rest %= place
                place /= 10
            }
            return true
        }
        return false
    }

    /// Writes a positive number from the shortest text of Swift, which has an exponent or a fraction.
    ///
    /// From 10^-6 up to 10^21 the specification (2) wants no exponent.
    private mutating func writeDecimal(_ description: String) {
        var digits: [UInt8] = []
        var point: Int?
        var exponent = 0
        var text = description
        text.withUTF8 { bytes in
            var position = 0
            scan: while position < bytes.count {
                switch bytes[position] {
                case 0x2E: point = digits.count
                case 0x65:
                    exponent =
                        Int(String(decoding: UnsafeBufferPointer(rebasing: bytes[(position + 1)...]), as: UTF8.self))
                        ?? 0
                    break scan
                default: digits.append(bytes[position])
                }
                position += 1
            }
        }
        // The number is 0.digits × 10^places.
        var places = (point ?? digits.count) + exponent
        while digits.count > 1, digits.last == 0x30 { digits.removeLast() }
        let zeros = digits.prefix { $0 == 0x30 }.count
        digits.removeFirst(min(zeros, digits.count - 1))
        places -= zeros
        switch places {
        case (-5)...0:
            output.put("0.")
            output.put(0x30, times: -places)
            output.put(digits)
        case 1...21 where digits.count <= places:
            output.put(digits)
            output.put(0x30, times: places - digits.count)
        case 1...21:
            output.put(Array(digits[..<places]))
            output.put(0x2E)
            output.put(Array(digits[places...]))
        default:
            output.put(digits[0])
            if digits.count > 1 {
                output.put(0x2E)
                output.put(Array(digits[1...]))
            }
            output.put(places > 0 ? "e+" : "e-")
            output.put(digits: UInt64((places - 1).magnitude))
        }
    }
}

/// What texts and keys need quotes.
enum TOONText {
    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
    private static var highBits: UInt64 { 0x8080_8080_8080_8080 }

    /// Whether a text has to stand in quotes (7.2).
    @inline(__always)
    static func needsQuotes(_ bytes: UnsafeBufferPointer<UInt8>, delimiter: UInt8) -> Bool {
        let count = bytes.count
        guard count > 0 else { return true }
        let first = bytes[0]
        if first == 0x20 || first == 0x2D || first == 0x23 || bytes[count &- 1] == 0x20 { return true }
        if holdsSpecial(bytes, delimiter: delimiter) { return true }
        // A byte order mark in front of a text would not be taken for a part of it.
        if first == 0xEF, count > 2, bytes[1] == 0xBB, bytes[2] == 0xBF { return true }
        if first <= 0x39 { return first == 0x2B || first >= 0x30 ? isNumeric(bytes) : false }
        return count <= 5 && first >= 0x66 && isLiteral(bytes)
    }

    /// Whether a text holds a control character, a quote, a backslash, a colon, a bracket, a brace or the delimiter.
    ///
    /// Eight bytes at a time: https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord and #ZeroInWord.
    /// Borrows mark bytes only above a true hit, so that there is one if and only if a bit is set.
    @inline(__always)
    private static func holdsSpecial(_ bytes: UnsafeBufferPointer<UInt8>, delimiter: UInt8) -> Bool {
        let raw = UnsafeRawBufferPointer(bytes)
        let delimiters = ones &* UInt64(delimiter)
        var position = 0
        while position &+ 8 <= bytes.count {
            let word = raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            // { | } become [ \ ]; a pipe that is no delimiter is looked at below.
            let folded = word & (ones &* 0xDF)
            let opening = folded ^ (ones &* 0x5B)
            let backslash = folded ^ (ones &* 0x5C)
            let closing = folded ^ (ones &* 0x5D)
            let quote = word ^ (ones &* 0x22)
            let colon = word ^ (ones &* 0x3A)
            let split = word ^ delimiters
            let hits =
                ((word &- ones &* 0x20) & ~word) | ((opening &- ones) & ~opening) | ((backslash &- ones) & ~backslash)
                | ((closing &- ones) & ~closing) | ((quote &- ones) & ~quote) | ((colon &- ones) & ~colon)
                | ((split &- ones) & ~split)
            if hits & highBits != 0 {
                for index in position..<(position &+ 8) where isSpecial(bytes[index], delimiter) { return true }
            }
            position &+= 8
        }
        while position < bytes.count {
            if isSpecial(bytes[position], delimiter) { return true }
            position &+= 1
        }
        return false
    }

    @inline(__always) private static func isSpecial(_ byte: UInt8, _ delimiter: UInt8) -> Bool {
        byte < 0x20 || byte == delimiter || byte == 0x22 || byte == 0x3A || byte == 0x5B || byte == 0x5C
            || byte == 0x5D || byte == 0x7B || byte == 0x7D
    }

    private static func isLiteral(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        equals(bytes, "true") || equals(bytes, "false") || equals(bytes, "null")
    }

    /// Whether bytes are those of an ASCII text.
    @inline(__always)
    static func equals(_ bytes: UnsafeBufferPointer<UInt8>, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
        return memcmp(base, text.utf8Start, bytes.count) == 0
    }

    /// Whether a text looks like a number, also like one that JSON does not know, such as `05` and `+1` (7.2).
    static func isNumeric(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var position = bytes[0] == 0x2D || bytes[0] == 0x2B ? 1 : 0
        func passDigits() -> Bool {
            let start = position
            while position < bytes.count, bytes[position] &- 0x30 <= 9 { position += 1 }
            return position > start
        }
        guard passDigits() else { return false }
        if position < bytes.count, bytes[position] == 0x2E {
            position += 1
            guard passDigits() else { return false }
        }
        if position < bytes.count, bytes[position] | 0x20 == 0x65 {
            position += 1
            if position < bytes.count, bytes[position] == 0x2B || bytes[position] == 0x2D { position += 1 }
            guard passDigits() else { return false }
        }
        return position == bytes.count
    }

    /// Whether a key may stand without quotes: a letter or `_`, then letters, digits, `_` and `.`.
    static func isName(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = bytes.first, first == 0x5F || (first | 0x20) &- 0x61 < 26 else { return false }
        for byte in bytes where !(byte == 0x5F || byte == 0x2E || byte &- 0x30 <= 9 || (byte | 0x20) &- 0x61 < 26) {
            return false
        }
        return true
    }
}
