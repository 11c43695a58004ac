/// The objects that stand for values without a JSON form, after MongoDB's canonical Extended JSON:
/// https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md.
extension JSON {
    enum ExtendedForm {
        case ordinary
        case malformed
        case value(Value)
    }

    /// Whether an object with this single field may be one.
    static func isExtendedForm(_ name: String) -> Bool {
        name == "$binary" || name == "$extension" || name == "$numberDouble"
    }

    /// Reads the only field of an object as an extended form, if its name is one's.
    static func extendedForm(_ name: String, _ value: Value) -> ExtendedForm {
        let read: Value?
        switch name {
        case "$binary": read = binary(value)
        case "$extension": read = extended(value)
        case "$numberDouble": read = nonFiniteNumber(value)
        default: return .ordinary
        }
        return read.map(ExtendedForm.value) ?? .malformed
    }

    private static func binary(_ value: Value) -> Value? {
        guard let form = value.document, form.count == 2, let text = form["base64"]?.string,
            form["subType"]?.string == "00"
        else { return nil }
        return base64Decoded(text).map(Value.bytes)
    }

    private static func extended(_ value: Value) -> Value? {
        guard let form = value.document, form.count == 2, let text = form["base64"]?.string,
            case .int(let code)? = form["type"], let type = Int8(exactly: code), let bytes = base64Decoded(text)
        else { return nil }
        return .extended(ExtendedValue(type: type, bytes: bytes))
    }

    private static func nonFiniteNumber(_ value: Value) -> Value? {
        switch value.string {
        case "NaN": return .double(.nan)
        case "Infinity": return .double(.infinity)
        case "-Infinity": return .double(-.infinity)
        default: return nil
        }
    }

    private static let base64Alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Appends bytes in base64 with padding (RFC 4648, section 4).
    static func appendBase64(_ bytes: [UInt8], to output: inout [UInt8]) {
        output.reserveCapacity(output.count + (bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var group = 0
            for index in 0..<3 { group = group << 8 | (index < count ? Int(bytes[start + index]) : 0) }
            for index in 0..<4 {
                output.append(index <= count ? base64Alphabet[group >> (18 - 6 * index) & 63] : 0x3D)
            }
        }
    }

    /// Decodes padded base64; `nil` for any other character, wrong padding or bits that the encoder leaves zero.
    static func base64Decoded(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        let padding = characters.suffix(2).reversed().prefix { $0 == 0x3D }.count
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 4 * 3)
        var group = 0
        for (index, character) in characters.dropLast(padding).enumerated() {
            let digit: UInt8
            switch character {
            case 0x41...0x5A: digit = character - 0x41
            case 0x61...0x7A: digit = character - 0x61 + 26
            case 0x30...0x39: digit = character - 0x30 + 52
            case 0x2B: digit = 62
            case 0x2F: digit = 63
            default: return nil
            }
            group = (group << 6 | Int(digit)) & 0xFF_FFFF
            let bits = 6 * (index % 4 + 1)
            if bits > 6 { bytes.append(UInt8(truncatingIfNeeded: group >> (bits % 8))) }
        }
        let unused = [0, 2, 4][padding]
        guard group & ((1 << unused) - 1) == 0 else { return nil }
        return bytes
    }
}

extension Timestamp {
    /// The point in time as RFC 3339 text in UTC, with as many of 0, 3, 6 or 9 decimals as it needs.
    ///
    /// Years beyond 0…9999, which RFC 3339 cannot say, get the sign and the extra digits of ISO 8601.
    var rfc3339: String {
        let days = floorDivided(seconds, by: 86_400)
        let second = Int((seconds % 86_400 + 86_400) % 86_400)
        // Days to a date of the Gregorian calendar in eras of 400 years that begin in March:
        // https://howardhinnant.github.io/date_algorithms.html#civil_from_days
        let shifted = days + 719_468
        let era = floorDivided(shifted, by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

        var text = year < 0 ? "-" : year > 9999 ? "+" : ""
        text += "\(padded(year.magnitude, 4))-\(padded(month.magnitude, 2))-\(padded(day.magnitude, 2))T"
        text += "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        if nanoseconds % 1_000_000_000 != 0 {
            let fraction = nanoseconds % 1_000_000_000
            if fraction % 1_000_000 == 0 {
                text += ".\(padded(fraction / 1_000_000, 3))"
            } else if fraction % 1000 == 0 {
                text += ".\(padded(fraction / 1000, 6))"
            } else {
                text += ".\(padded(fraction, 9))"
            }
        }
        return text + "Z"
    }

    private func floorDivided(_ number: Int64, by divisor: Int64) -> Int64 {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    private func padded(_ number: some BinaryInteger, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
