import NexaValue

/// A unit of `$dateAdd`, `$dateDiff` and `$dateTrunc`.
enum DateUnit: String {
    case year, quarter, month, week, day, hour, minute, second, millisecond

    /// The milliseconds of a unit that always has as many.
    var length: Int64? {
        switch self {
        case .year, .quarter, .month: nil
        case .week: 7 * CalendarTime.dayLength
        case .day: CalendarTime.dayLength
        case .hour: 3_600_000
        case .minute: 60_000
        case .second: 1000
        case .millisecond: 1
        }
    }

    /// The months of the units that do not.
    var months: Int64 {
        switch self {
        case .year: 12
        case .quarter: 3
        default: 1
        }
    }
}

extension ExpressionFunction {
    static let dateArithmetic: [ExpressionFunction] = [
        ExpressionFunction("$dateAdd", addition) { (arguments, _) throws(QueryError) in
            try adding(arguments, sign: 1)
        },
        ExpressionFunction("$dateSubtract", addition) { (arguments, _) throws(QueryError) in
            try adding(arguments, sign: -1)
        },
        ExpressionFunction(
            "$dateDiff",
            .named(
                [
                    .required("startDate"), .required("endDate"), .required("unit"), .optional("timezone"),
                    .optional("startOfWeek")
                ]), difference),
        ExpressionFunction(
            "$dateTrunc",
            .named(
                [
                    .required("date"), .required("unit"), .optional("binSize"), .optional("timezone"),
                    .optional("startOfWeek")
                ]), truncated)
    ]

    private static let addition = Shape.named(
        [.required("startDate"), .required("unit"), .required("amount"), .optional("timezone")])

    private static func unit(_ arguments: ExpressionArguments, _ place: Int) throws(QueryError) -> DateUnit {
        guard case .some(.string(let text)) = arguments[place] else {
            throw .expression("\(arguments.name) requires 'unit' to be a string, but got \(arguments[place].typeName)")
        }
        guard let unit = DateUnit(rawValue: text) else {
            throw .expression("\(arguments.name) parameter 'unit' value cannot be recognized as a time unit: \(text)")
        }
        return unit
    }

    private static func isNull(_ arguments: ExpressionArguments) -> Bool {
        (0..<arguments.count).contains { arguments.has($0) && arguments.isNull($0) }
    }

    // MARK: $dateAdd, $dateSubtract

    private static func adding(_ arguments: ExpressionArguments, sign: Int64) throws(QueryError) -> Value? {
        if isNull(arguments) { return .null }
        let date = try arguments.date(0)
        let unit = try unit(arguments, 1)
        guard let amount = arguments[2]?.int else {
            throw .expression("\(arguments.name) expects integer amount of time units")
        }
        let zone = try arguments.zone(3)
        if let length = unit.length {
            return .timestamp(try date.adding(Int128(amount) * Int128(length * sign), for: arguments.name))
        }
        // Enough for all years that a date can have.
        guard amount.magnitude < 1 << 40 else { throw .expression("\(arguments.name): date overflow") }
        let time = CalendarTime(milliseconds: try date.milliseconds(arguments.name), offset: zone)
        let months = time.year * 12 + time.month - 1 + amount * unit.months * sign
        let year = months.floorDivided(by: 12)
        let month = months - year * 12 + 1
        // The 31st becomes the last day of a shorter month.
        let day = CalendarTime.day(year, month, min(time.dayOfMonth, CalendarTime.length(ofMonth: month, year)))
        guard day.magnitude < 1 << 36 else { throw .expression("\(arguments.name): date overflow") }
        let result = try Timestamp.checked(day * CalendarTime.dayLength + time.ofDay - zone * 60_000, arguments.name)
        return .timestamp(Timestamp(seconds: result.seconds, nanoseconds: result.nanoseconds + date.submillisecond))
    }

    // MARK: $dateDiff

    private static func difference(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        guard !(0..<4).contains(where: { arguments.has($0) && arguments.isNull($0) }) else { return .null }
        let zone = try arguments.zone(3)
        let start = CalendarTime(milliseconds: try arguments.milliseconds(0), offset: zone)
        let end = CalendarTime(milliseconds: try arguments.milliseconds(1), offset: zone)
        let unit = try unit(arguments, 2)
        switch unit {
        case .year, .quarter, .month:
            func count(_ time: CalendarTime) -> Int64 {
                (time.year * 12 + time.month - 1).floorDivided(by: unit.months)
            }
            return .int(count(end) - count(start))
        case .week:
            guard let first = try startOfWeek(arguments, 4) else { return .null }
            func count(_ time: CalendarTime) -> Int64 { (time.day + 3 - first).floorDivided(by: 7) }
            return .int(count(end) - count(start))
        default:
            let length = unit.length ?? 1
            return .int(end.local.floorDivided(by: length) - start.local.floorDivided(by: length))
        }
    }

    /// 0 for Monday to 6 for Sunday, which is the standard; `nil` for null.
    private static func startOfWeek(_ arguments: ExpressionArguments, _ place: Int) throws(QueryError) -> Int64? {
        guard arguments.has(place) else { return 6 }
        if arguments.isNull(place) { return nil }
        guard case .some(.string(let text)) = arguments[place] else {
            throw .expression(
                "\(arguments.name) requires 'startOfWeek' to be a string, but got \(arguments[place].typeName)")
        }
        let name = text.lowercased()
        guard
            let day = CalendarTime.weekdays.firstIndex(where: {
                $0.lowercased() == name || $0.lowercased().prefix(3) == name
            })
        else {
            throw .expression(
                "\(arguments.name) parameter 'startOfWeek' value cannot be recognized as a day of a week: \(text)")
        }
        return Int64(day)
    }

    // MARK: $dateTrunc

    /// Bins of a unit are counted from the beginning of 2000, those of weeks from the first week in it.
    private static func truncated(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        guard !(0..<4).contains(where: { arguments.has($0) && arguments.isNull($0) }) else { return .null }
        let zone = try arguments.zone(3)
        let time = CalendarTime(milliseconds: try arguments.milliseconds(0), offset: zone)
        let unit = try unit(arguments, 1)
        var size: Int64 = 1
        if arguments.has(2) {
            guard let number = arguments[2]?.int, number > 0 else {
                throw .expression("$dateTrunc requires 'binSize' to be a 64-bit integer greater than 0")
            }
            size = number
        }
        guard size < 100_000_000_000 else { throw .expression("$dateTrunc: 'binSize' is too large") }
        // Bins may reach far beyond the dates that there are, on both sides of one.
        let local: Int128
        switch unit {
        case .year, .quarter, .month:
            let months = (time.year - 2000) * 12 + time.month - 1
            let bin = unit.months * size
            let day = CalendarTime.day(2000, months.floorDivided(by: bin) * bin + 1, 1)
            local = Int128(day) * Int128(CalendarTime.dayLength)
        case .week:
            guard let first = try startOfWeek(arguments, 4) else { return .null }
            // 2000-01-01 was a Saturday.
            let reference = CalendarTime.day(2000, 1, 1) + (first - 5).floorRemainder(by: 7)
            let bin = 7 * size
            let day = reference + (time.day - reference).floorDivided(by: bin) * bin
            local = Int128(day) * Int128(CalendarTime.dayLength)
        default:
            let reference = CalendarTime.day(2000, 1, 1) * CalendarTime.dayLength
            let bin = Int128(unit.length ?? 1) * Int128(size)
            let distance = Int128(time.local - reference)
            let (bins, rest) = distance.quotientAndRemainder(dividingBy: bin)
            local = Int128(reference) + (rest < 0 ? bins - 1 : bins) * bin
        }
        guard let result = Int64(exactly: local - Int128(zone * 60_000)) else {
            throw .expression("$dateTrunc: date overflow")
        }
        return .timestamp(try Timestamp.checked(result, "$dateTrunc"))
    }
}
