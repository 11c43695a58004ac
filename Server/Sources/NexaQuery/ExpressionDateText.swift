import NexaValue

/// Dates as text.
enum DateText {
    static let isoFormat = "%Y-%m-%dT%H:%M:%S.%LZ"

    /// RFC 3339 with milliseconds, as `$toString` writes a date.
    static func iso(_ milliseconds: Int64) -> String {
        let time = CalendarTime(milliseconds: milliseconds)
        return (try? format(time, isoFormat, for: "$toString")) ?? ""
    }

    /// Writes a moment as `$dateToString` does.
    static func format(_ time: CalendarTime, _ format: String, for name: String) throws(QueryError) -> String {
        var output: [UInt8] = []
        var specifiers = format.utf8.makeIterator()
        while let byte = specifiers.next() {
            guard byte == UInt8(ascii: "%") else {
                output.append(byte)
                continue
            }
            guard let specifier = specifiers.next() else {
                throw .expression("\(name): unmatched '%' at end of format string")
            }
            try append(time, specifier, to: &output, for: name)
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func append(
        _ time: CalendarTime, _ specifier: UInt8, to output: inout [UInt8], for name: String
    ) throws(QueryError) {
        switch specifier {
        case UInt8(ascii: "Y"): append(try year(time.year, name), 4, to: &output)
        case UInt8(ascii: "G"): append(try year(time.isoWeekYear, name), 4, to: &output)
        case UInt8(ascii: "m"): append(time.month, 2, to: &output)
        case UInt8(ascii: "d"): append(time.dayOfMonth, 2, to: &output)
        case UInt8(ascii: "H"): append(time.hour, 2, to: &output)
        case UInt8(ascii: "M"): append(time.minute, 2, to: &output)
        case UInt8(ascii: "S"): append(time.second, 2, to: &output)
        case UInt8(ascii: "L"): append(time.millisecond, 3, to: &output)
        case UInt8(ascii: "j"): append(time.dayOfYear, 3, to: &output)
        case UInt8(ascii: "w"): append(time.dayOfWeek, 1, to: &output)
        case UInt8(ascii: "u"): append(time.isoDayOfWeek, 1, to: &output)
        case UInt8(ascii: "U"): append(time.week, 2, to: &output)
        case UInt8(ascii: "V"): append(time.isoWeek, 2, to: &output)
        case UInt8(ascii: "b"): output += CalendarTime.months[Int(time.month - 1)].utf8.prefix(3)
        case UInt8(ascii: "B"): output += CalendarTime.months[Int(time.month - 1)].utf8
        case UInt8(ascii: "z"):
            output.append(UInt8(ascii: time.offset < 0 ? "-" : "+"))
            append(abs(time.offset) / 60, 2, to: &output)
            append(abs(time.offset) % 60, 2, to: &output)
        case UInt8(ascii: "Z"):
            if time.offset < 0 { output.append(UInt8(ascii: "-")) } else { output.append(UInt8(ascii: "+")) }
            append(abs(time.offset), 1, to: &output)
        case UInt8(ascii: "%"): output.append(specifier)
        default:
            throw .expression(
                "\(name): invalid format character '%\(String(decoding: [specifier], as: UTF8.self))' in format string")
        }
    }

    private static func year(_ year: Int64, _ name: String) throws(QueryError) -> Int64 {
        guard (0...9999).contains(year) else {
            throw .expression("\(name) can only write years from 0 to 9999, found \(year)")
        }
        return year
    }

    private static func append(_ number: Int64, _ width: Int, to output: inout [UInt8]) {
        let digits = String(number).utf8
        output += repeatElement(UInt8(ascii: "0"), count: max(0, width - digits.count))
        output += digits
    }

    /// Reads ISO 8601 and RFC 3339: a date, then perhaps a time to minutes, seconds or a fraction, then perhaps a zone.
    ///
    /// - Parameter offset: the minutes of the zone where the text has none.
    static func parse(_ text: String, offset: Int64) -> Timestamp? {
        var scanner = DateScanner(text)
        guard let year = scanner.number(4), scanner.skip("-"), let month = scanner.number(2), scanner.skip("-"),
            let day = scanner.number(2), (1...12).contains(month),
            day >= 1, day <= CalendarTime.length(ofMonth: month, year)
        else { return nil }
        var seconds: Int64 = CalendarTime.day(year, month, day) * 86_400
        var nanoseconds: Int64 = 0
        var zone = offset
        if scanner.skip("T") || scanner.skip("t") || scanner.skip(" ") {
            guard let hour = scanner.number(2), scanner.skip(":"), let minute = scanner.number(2), hour < 24,
                minute < 60
            else { return nil }
            seconds += hour * 3600 + minute * 60
            if scanner.skip(":") {
                guard let second = scanner.number(2), second < 60 else { return nil }
                seconds += second
                if scanner.skip(".") || scanner.skip(",") {
                    guard let fraction = scanner.fraction() else { return nil }
                    nanoseconds = fraction
                }
            }
            if let written = scanner.zone() { zone = written }
        }
        guard scanner.isAtEnd else { return nil }
        return Timestamp(seconds: seconds - zone * 60, nanoseconds: UInt32(nanoseconds))
    }
}

/// Reads the parts of a date from text.
struct DateScanner {
    private var rest: ArraySlice<UInt8>

    init(_ text: String) { rest = Array(text.utf8)[...] }

    var isAtEnd: Bool { rest.isEmpty }

    /// Passes over one character.
    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    /// Passes over one byte.
    mutating func skip(byte: UInt8) -> Bool {
        guard rest.first == byte else { return false }
        rest.removeFirst()
        return true
    }

    /// Exactly so many digits, or from some to that many.
    mutating func number(_ count: Int, atLeast minimum: Int? = nil) -> Int64? {
        var number: Int64 = 0
        var digits = 0
        while digits < count, let byte = rest.first, byte >= 0x30, byte <= 0x39 {
            number = number * 10 + Int64(byte - 0x30)
            digits += 1
            rest.removeFirst()
        }
        return digits >= minimum ?? count ? number : nil
    }

    /// One to nine digits behind a point, as nanoseconds; further ones are left out.
    mutating func fraction() -> Int64? {
        var nanoseconds: Int64 = 0
        var digits = 0
        while let byte = rest.first, byte >= 0x30, byte <= 0x39 {
            if digits < 9 { nanoseconds = nanoseconds * 10 + Int64(byte - 0x30) }
            digits += 1
            rest.removeFirst()
        }
        guard digits > 0 else { return nil }
        for _ in 0..<max(0, 9 - digits) { nanoseconds *= 10 }
        return nanoseconds
    }

    /// `Z`, `+hh`, `+hhmm` or `+hh:mm` in minutes.
    mutating func zone() -> Int64? {
        if skip("Z") || skip("z") { return 0 }
        guard let sign = rest.first, sign == 0x2B || sign == 0x2D else { return nil }
        let start = rest
        rest.removeFirst()
        guard let hours = number(2), hours < 24 else {
            rest = start
            return nil
        }
        let hasColon = skip(":")
        let minutes = number(2)
        guard minutes ?? 0 < 60, minutes != nil || !hasColon else {
            rest = start
            return nil
        }
        return (sign == 0x2D ? -1 : 1) * (hours * 60 + (minutes ?? 0))
    }

    /// One of some words, in any case; its place among them.
    mutating func word(_ words: [String], prefix: Int? = nil) -> Int? {
        for (place, word) in words.enumerated() {
            let word = Array(word.utf8.prefix(prefix ?? word.utf8.count))
            guard rest.count >= word.count else { continue }
            if zip(rest, word).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) {
                rest.removeFirst(word.count)
                return place
            }
        }
        return nil
    }
}
