/// The objects that stand for values without a JSON form, after MongoDB's Extended JSON (version 2):
/// https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md.
///
/// Both of its forms are read, canonical and relaxed. Kinds that there are in MongoDB only become what is nearest: an
/// ObjectId and a UUID their text, a Decimal128 its digits as text, a regular expression `/pattern/options`, code and
/// symbols their text, a timestamp a point in time whose nanoseconds are the ordinal, `undefined` null.
extension JSON {
    enum ExtendedForm {
        case ordinary
        case malformed
        case value(Value)
    }

    private static let readers: [String: @Sendable (Value) -> Value?] = [
        "$binary": binary, "$extension": extended, "$numberDouble": double, "$numberInt": integer,
        "$numberLong": integer, "$numberDecimal": decimal, "$oid": objectID, "$uuid": uuid, "$date": date,
        "$timestamp": timestamp, "$regularExpression": regularExpression,
        "$undefined": { $0.bool == true ? .null : nil }, "$minKey": { $0.int == 1 ? "MinKey" : nil },
        "$maxKey": { $0.int == 1 ? "MaxKey" : nil }, "$symbol": { $0.string.map(Value.string) },
        "$code": { $0.string.map(Value.string) }
    ]

    /// Whether an object with this single field may be one.
    static func isExtendedForm(_ name: String) -> Bool { readers[name] != nil }

    /// Reads the only field of an object as an extended form, if its name is one's.
    static func extendedForm(_ name: String, _ value: Value) -> ExtendedForm {
        guard let read = readers[name] else { return .ordinary }
        return read(value).map(ExtendedForm.value) ?? .malformed
    }

    private static func binary(_ value: Value) -> Value? {
        guard let form = value.document, form.count == 2, let text = form["base64"]?.string,
            let subtype = form["subType"]?.string, (1...2).contains(subtype.utf8.count),
            let number = UInt8(subtype, radix: 16), let bytes = base64Decoded(text)
        else { return nil }
        guard number == 4, bytes.count == 16 else { return .bytes(bytes) }
        var digits = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { digits += "-" }
            digits += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return .string(digits)
    }

    private static func extended(_ value: Value) -> Value? {
        guard let form = value.document, form.count == 2, let text = form["base64"]?.string,
            case .int(let code)? = form["type"], let type = Int8(exactly: code), let bytes = base64Decoded(text)
        else { return nil }
        return .extended(ExtendedValue(type: type, bytes: bytes))
    }

    private static func double(_ value: Value) -> Value? {
        switch value.string {
        case nil: nil
        case "NaN": .double(.nan)
        case "Infinity": .double(.infinity)
        case "-Infinity": .double(-.infinity)
        case let text?: finite(text).map(Value.double)
        }
    }

    /// A number in the grammar of JSON, more or less: `Double` alone also takes hexadecimal ones and words.
    private static func finite(_ text: String) -> Double? {
        guard let first = text.utf8.last, (0x30...0x39).contains(first) || first == 0x2E,
            text.utf8.allSatisfy({ (0x2B...0x39).contains($0) && $0 != 0x2C && $0 != 0x2F || $0 | 0x20 == 0x65 }),
            let number = Double(text), number.isFinite
        else { return nil }
        return number
    }

    private static func integer(_ value: Value) -> Value? {
        guard let text = value.string, text.utf8.first != 0x2B else { return nil }
        if let number = Int64(text) { return .int(number) }
        return UInt64(text).map { Value($0) }
    }

    private static func decimal(_ value: Value) -> Value? {
        guard let text = value.string, !text.isEmpty, text.utf8.count <= 64,
            ["NaN", "Infinity", "-Infinity"].contains(text)
                || text.utf8.contains(where: { (0x30...0x39).contains($0) })
                    && text.utf8.allSatisfy({
                        (0x30...0x39).contains($0) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains($0)
                    })
        else { return nil }
        return .string(text)
    }

    private static func objectID(_ value: Value) -> Value? {
        guard let text = value.string, text.utf8.count == 24, isHexadecimal(text) else { return nil }
        return .string(text.lowercased())
    }

    private static func uuid(_ value: Value) -> Value? {
        guard let text = value.string, text.utf8.count == 36 else { return nil }
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12], groups.allSatisfy({ isHexadecimal($0) }) else { return nil }
        return .string(text.lowercased())
    }

    private static func isHexadecimal(_ text: some StringProtocol) -> Bool {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0 | 0x20) }
    }

    /// Milliseconds since 1970 (a `$numberLong` has been read already), or a text of RFC 3339.
    private static func date(_ value: Value) -> Value? {
        switch value {
        case .int(let milliseconds):
            let (quotient, remainder) = milliseconds.quotientAndRemainder(dividingBy: 1000)
            let seconds = remainder < 0 ? quotient - 1 : quotient
            return .timestamp(
                Timestamp(
                    seconds: seconds, nanoseconds: UInt32(remainder < 0 ? remainder + 1000 : remainder) * 1_000_000))
        case .string(let text): return Timestamp(rfc3339: text).map(Value.timestamp)
        default: return nil
        }
    }

    private static func timestamp(_ value: Value) -> Value? {
        guard let form = value.document, form.count == 2, case .int(let seconds)? = form["t"],
            case .int(let ordinal)? = form["i"], UInt32(exactly: seconds) != nil, let ordinal = UInt32(exactly: ordinal)
        else { return nil }
        return .timestamp(Timestamp(seconds: seconds, nanoseconds: min(ordinal, 999_999_999)))
    }

    private static func regularExpression(_ value: Value) -> Value? {
        guard let form = value.document, form.count == 2, let pattern = form["pattern"]?.string,
            let options = form["options"]?.string
        else { return nil }
        return .string("/\(pattern)/\(options)")
    }

    private static let base64Alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Appends bytes in base64 with padding (RFC 4648, section 4).
    package static func appendBase64(_ bytes: [UInt8], to output: inout [UInt8]) {
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
    /// Reads RFC 3339, with `Z` or an offset such as `+01:00`, and up to nine decimals; `nil` for anything else.
    init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 35 else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            var result = 0
            for position in range {
                guard position < bytes.count, (0x30...0x39).contains(bytes[position]) else { return nil }
                result = result * 10 + Int(bytes[position] - 0x30)
            }
            return result
        }
        guard bytes[4] == 0x2D, bytes[7] == 0x2D, bytes[10] | 0x20 == 0x74, bytes[13] == 0x3A, bytes[16] == 0x3A,
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month),
            (1...Self.days(in: month, of: year)).contains(day), hour < 24, minute < 60, second < 60
        else { return nil }
        var position = 19
        var nanoseconds = 0
        if bytes[position] == 0x2E {
            let start = position + 1
            position = start
            while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
            guard (1...9).contains(position - start), var fraction = number(start..<position) else { return nil }
            for _ in (position - start)..<9 { fraction *= 10 }
            nanoseconds = fraction
        }
        var offset = 0
        guard position < bytes.count else { return nil }
        switch bytes[position] {
        case 0x5A, 0x7A: position += 1
        case 0x2B, 0x2D:
            let colon = position + 3 < bytes.count && bytes[position + 3] == 0x3A ? 1 : 0
            guard let hours = number(position + 1..<position + 3), hours < 24,
                let minutes = number(position + 3 + colon..<position + 5 + colon), minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * (bytes[position] == 0x2B ? 60 : -60)
            position += 5 + colon
        default: return nil
        }
        guard position == bytes.count else { return nil }
        // The inverse of what `rfc3339` does.
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        self.init(
            seconds: Int64(days * 86_400 + hour * 3600 + minute * 60 + second - offset),
            nanoseconds: UInt32(nanoseconds))
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// The point in time as RFC 3339 text in UTC, with as many of 0, 3, 6 or 9 decimals as it needs.
    ///
    /// Years beyond 0…9999, which RFC 3339 cannot say, get the sign and the extra digits of ISO 8601.
    package var rfc3339: String {
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
