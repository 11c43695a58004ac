import NexaValue

/// The parts of dates, and dates from parts.
extension ExpressionFunction {
    static let dateParts: [ExpressionFunction] =
        [
            part("$year") { $0.year }, part("$month") { $0.month }, part("$dayOfMonth") { $0.dayOfMonth },
            part("$hour") { $0.hour }, part("$minute") { $0.minute }, part("$second") { $0.second },
            part("$millisecond") { $0.millisecond }, part("$dayOfWeek") { $0.dayOfWeek },
            part("$dayOfYear") { $0.dayOfYear }, part("$week") { $0.week }, part("$isoWeek") { $0.isoWeek },
            part("$isoWeekYear") { $0.isoWeekYear }, part("$isoDayOfWeek") { $0.isoDayOfWeek }
        ] + [
            ExpressionFunction(
                "$dateToParts", .named([.required("date"), .optional("timezone"), .optional("iso8601")]), toParts),
            ExpressionFunction(
                "$dateFromParts",
                .named(
                    [
                        "year", "month", "day", "hour", "minute", "second", "millisecond", "isoWeekYear", "isoWeek",
                        "isoDayOfWeek", "timezone"
                    ].map { .optional($0) }), fromParts)
        ]

    private static func part(_ name: String, _ part: @escaping @Sendable (CalendarTime) -> Int64) -> ExpressionFunction
    {
        ExpressionFunction(name, .date, builds: false) { (arguments, _) throws(QueryError) in
            if arguments.isNull(0) || arguments.has(1) && arguments.isNull(1) { return .null }
            return .int(part(try time(arguments, zone: 1)))
        }
    }

    private static func time(_ arguments: ExpressionArguments, zone: Int) throws(QueryError) -> CalendarTime {
        CalendarTime(milliseconds: try arguments.milliseconds(0), offset: try arguments.zone(zone))
    }

    private static func toParts(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        for place in 0..<3 where arguments.has(place) && arguments.isNull(place) { return .null }
        var isISO = false
        if arguments.has(2) {
            guard let flag = arguments[2]?.bool else {
                throw .expression("iso8601 must evaluate to a bool, found \(arguments[2].typeName)")
            }
            isISO = flag
        }
        let time = try time(arguments, zone: 1)
        var parts: Document =
            isISO
            ? [
                "isoWeekYear": .int(time.isoWeekYear), "isoWeek": .int(time.isoWeek),
                "isoDayOfWeek": .int(time.isoDayOfWeek)
            ] : ["year": .int(time.year), "month": .int(time.month), "day": .int(time.dayOfMonth)]
        parts["hour"] = .int(time.hour)
        parts["minute"] = .int(time.minute)
        parts["second"] = .int(time.second)
        parts["millisecond"] = .int(time.millisecond)
        return .document(parts)
    }

    private static func fromParts(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        let isISO = arguments.has(7)
        guard isISO || arguments.has(0) else {
            throw .expression("$dateFromParts requires either 'year' or 'isoWeekYear' to be present")
        }
        for place in isISO ? 0..<3 : 8..<10 where arguments.has(place) {
            throw .expression("$dateFromParts does not allow mixing natural dates with ISO dates")
        }
        for place in 0..<arguments.count where arguments.has(place) && arguments.isNull(place) { return .null }
        func part(_ place: Int, _ name: String, _ standard: Int64, _ range: ClosedRange<Int64>) throws(QueryError)
            -> Int64
        {
            guard arguments.has(place) else { return standard }
            guard let number = arguments[place]?.int else {
                throw .expression("'\(name)' must evaluate to an integer, found \(arguments[place].typeName)")
            }
            guard range.contains(number) else {
                throw .expression(
                    "'\(name)' must evaluate to a value in the range [\(range.lowerBound), \(range.upperBound)]")
            }
            return number
        }
        let wide: ClosedRange<Int64> = -32_768...32_767
        // Seconds and milliseconds may be any number that a date can hold.
        let long: ClosedRange<Int64> = -(1 << 50)...(1 << 50)
        let day: Int64
        if isISO {
            day = CalendarTime.day(
                isoWeekYear: try part(7, "isoWeekYear", 1, 1...9999), week: try part(8, "isoWeek", 1, wide),
                dayOfWeek: try part(9, "isoDayOfWeek", 1, wide))
        } else {
            day = CalendarTime.day(
                try part(0, "year", 1, 1...9999), try part(1, "month", 1, wide), try part(2, "day", 1, wide))
        }
        let hours = try part(3, "hour", 0, wide)
        let minutes = hours * 60 + (try part(4, "minute", 0, wide)) - (try arguments.zone(10))
        let seconds = minutes * 60 + (try part(5, "second", 0, long))
        let milliseconds = seconds * 1000 + (try part(6, "millisecond", 0, long))
        return .timestamp(try Timestamp.checked(day * CalendarTime.dayLength + milliseconds, "$dateFromParts"))
    }
}
