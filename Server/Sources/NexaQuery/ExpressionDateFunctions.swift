import NexaValue

/// `$dateToString` and `$dateFromString`.
extension ExpressionFunction {
    static let dateText: [ExpressionFunction] = [
        ExpressionFunction(
            "$dateToString",
            .named([.required("date"), .optional("format"), .optional("timezone"), .optional("onNull")]), toText)
    ]

    static let dateFromString = ExpressionFunction("$dateFromString", .named(.dateFromString), fromText)

    private static func toText(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.isNull(0) { return arguments.has(3) ? arguments[3] : .null }
        for place in 1...2 where arguments.has(place) && arguments.isNull(place) { return .null }
        let offset = try arguments.zone(2)
        var format = offset == 0 ? DateText.isoFormat : "%Y-%m-%dT%H:%M:%S.%L%z"
        if arguments.has(1) {
            guard case .some(.string(let text)) = arguments[1] else {
                throw .expression("$dateToString requires that 'format' be a string, found: \(arguments[1].typeName)")
            }
            format = text
        }
        // "%B" becomes nine letters at most.
        try context.reserve(format.utf8.count * 5)
        let time = CalendarTime(milliseconds: try arguments.milliseconds(0), offset: offset)
        return .string(try DateText.format(time, format, for: "$dateToString"))
    }

    private static func fromText(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.isNull(0) { return arguments.has(3) ? arguments[3] : .null }
        for place in 1...2 where arguments.has(place) && arguments.isNull(place) { return .null }
        guard case .some(.string(let text)) = arguments[0] else {
            throw .expression(
                "$dateFromString requires that 'dateString' be a string, found: \(arguments[0].typeName)")
        }
        let offset = try arguments.zone(2)
        let date: Timestamp?
        if arguments.has(1) {
            guard case .some(.string(let format)) = arguments[1] else {
                throw .expression("$dateFromString requires that 'format' be a string, found: \(arguments[1].typeName)")
            }
            date = try DateText.parse(text, format: format, offset: offset)
        } else {
            date = DateText.parse(text, offset: offset)
        }
        guard let date else { throw .expression("Error parsing date string '\(text.prefix(80))'") }
        return .timestamp(date)
    }
}

extension DateText {
    /// Reads text in a format of `$dateFromString`; `nil` when it does not fit.
    static func parse(_ text: String, format: String, offset: Int64) throws(QueryError) -> Timestamp? {
        var scanner = DateScanner(text)
        var parts: [UInt8: Int64] = [:]
        var zone = offset
        var specifiers = format.utf8.makeIterator()
        while let byte = specifiers.next() {
            guard byte == UInt8(ascii: "%") else {
                guard scanner.skip(byte: byte) else { return nil }
                continue
            }
            guard let specifier = specifiers.next() else {
                throw .expression("$dateFromString: unmatched '%' at end of format string")
            }
            switch specifier {
            case UInt8(ascii: "z"):
                guard let written = scanner.zone() else { return nil }
                zone = written
            case UInt8(ascii: "%"): guard scanner.skip("%") else { return nil }
            default:
                guard let number = try part(specifier, &scanner) else { return nil }
                parts[specifier] = number
            }
        }
        guard scanner.isAtEnd else { return nil }
        return timestamp(parts, zone: zone)
    }

    private static func part(_ specifier: UInt8, _ scanner: inout DateScanner) throws(QueryError) -> Int64? {
        switch specifier {
        case UInt8(ascii: "Y"), UInt8(ascii: "G"): return scanner.number(4)
        case UInt8(ascii: "m"), UInt8(ascii: "d"), UInt8(ascii: "H"), UInt8(ascii: "M"), UInt8(ascii: "S"),
            UInt8(ascii: "V"):
            return scanner.number(2, atLeast: 1)
        case UInt8(ascii: "u"): return scanner.number(1)
        case UInt8(ascii: "L"), UInt8(ascii: "j"): return scanner.number(3, atLeast: 1)
        case UInt8(ascii: "b"): return scanner.word(CalendarTime.months, prefix: 3).map { Int64($0 + 1) }
        case UInt8(ascii: "B"): return scanner.word(CalendarTime.months).map { Int64($0 + 1) }
        default:
            throw .expression(
                "$dateFromString: invalid format character '%\(String(decoding: [specifier], as: UTF8.self))' in format"
                    + " string")
        }
    }

    private static func timestamp(_ parts: [UInt8: Int64], zone: Int64) -> Timestamp? {
        func part(_ name: Unicode.Scalar, _ standard: Int64, _ range: ClosedRange<Int64>) -> Int64? {
            let number = parts[UInt8(ascii: name)] ?? standard
            return range.contains(number) ? number : nil
        }
        guard let hour = part("H", 0, 0...23), let minute = part("M", 0, 0...59), let second = part("S", 0, 0...59),
            let millisecond = part("L", 0, 0...999)
        else { return nil }
        let day: Int64
        if let year = parts[UInt8(ascii: "G")] {
            guard let week = part("V", 1, 1...53), let weekday = part("u", 1, 1...7) else { return nil }
            day = CalendarTime.day(isoWeekYear: year, week: week, dayOfWeek: weekday)
        } else {
            guard let year = parts[UInt8(ascii: "Y")] else { return nil }
            let named = parts[UInt8(ascii: "b")] ?? parts[UInt8(ascii: "B")] ?? 1
            guard let month = part("m", named, 1...12),
                let dayOfMonth = part("d", 1, 1...CalendarTime.length(ofMonth: month, year))
            else { return nil }
            if let dayOfYear = parts[UInt8(ascii: "j")] {
                guard dayOfYear >= 1, dayOfYear <= CalendarTime.day(year + 1, 1, 1) - CalendarTime.day(year, 1, 1)
                else { return nil }
                day = CalendarTime.day(year, 1, 1) + dayOfYear - 1
            } else {
                day = CalendarTime.day(year, month, dayOfMonth)
            }
        }
        let seconds = day * 86_400 + hour * 3600 + minute * 60 + second - zone * 60
        return Timestamp(seconds: seconds, nanoseconds: UInt32(millisecond) * 1_000_000)
    }
}
