import NexaValue

/// A moment split into the parts of the Gregorian calendar, proleptic in both directions.
///
/// The day numbers follow Hinnant: https://howardhinnant.github.io/date_algorithms.html.
struct CalendarTime: Sendable {
    static let dayLength: Int64 = 86_400_000

    /// Milliseconds since 1970, of the local clock.
    let local: Int64
    /// Minutes that the local clock is ahead of UTC.
    let offset: Int64
    /// Days since 1970-01-01.
    let day: Int64
    let year: Int64
    let month: Int64
    let dayOfMonth: Int64
    /// Milliseconds since midnight.
    let ofDay: Int64

    /// Splits a moment; `milliseconds` is within the range of `Timestamp.milliseconds`.
    init(milliseconds: Int64, offset: Int64 = 0) {
        local = milliseconds + offset * 60_000
        self.offset = offset
        day = local.floorDivided(by: Self.dayLength)
        ofDay = local - day * Self.dayLength
        (year, month, dayOfMonth) = Self.date(ofDay: day)
    }

    var hour: Int64 { ofDay / 3_600_000 }
    var minute: Int64 { ofDay / 60_000 % 60 }
    var second: Int64 { ofDay / 1000 % 60 }
    var millisecond: Int64 { ofDay % 1000 }
    /// 1…366
    var dayOfYear: Int64 { day - Self.day(year, 1, 1) + 1 }
    /// 1 is Sunday.
    var dayOfWeek: Int64 { (day + 4).floorRemainder(by: 7) + 1 }
    /// 1 is Monday.
    var isoDayOfWeek: Int64 { (day + 3).floorRemainder(by: 7) + 1 }
    /// Weeks begin on Sunday; days before the first Sunday are in week 0.
    var week: Int64 { (dayOfYear - dayOfWeek + 7) / 7 }
    /// The year of ISO 8601's weeks: that of the week's Thursday.
    var isoWeekYear: Int64 { Self.date(ofDay: day - isoDayOfWeek + 4).year }
    /// 1…53
    var isoWeek: Int64 {
        let thursday = day - isoDayOfWeek + 4
        return (thursday - Self.day(Self.date(ofDay: thursday).year, 1, 1)) / 7 + 1
    }

    /// The day number of a date; months beyond 1…12 carry into the year, days of any number count on.
    static func day(_ year: Int64, _ month: Int64, _ dayOfMonth: Int64) -> Int64 {
        let carry = (month - 1).floorDivided(by: 12)
        let month = month - 12 * carry
        let year = year + carry - (month <= 2 ? 1 : 0)
        let era = year.floorDivided(by: 400)
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear + dayOfMonth - 1 - 719_468
    }

    /// The day number of a week date of ISO 8601.
    static func day(isoWeekYear year: Int64, week: Int64, dayOfWeek: Int64) -> Int64 {
        let fourth = day(year, 1, 4)  // always in week 1
        return fourth - (fourth + 3).floorRemainder(by: 7) + (week - 1) * 7 + dayOfWeek - 1
    }

    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let fromMarch = (5 * dayOfYear + 2) / 153
        let month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * fromMarch + 2) / 5 + 1)
    }

    static func length(ofMonth month: Int64, _ year: Int64) -> Int64 { day(year, month + 1, 1) - day(year, month, 1) }

    static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December"
    ]
    static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
}

extension Int64 {
    /// The quotient rounded down, for a positive divisor.
    func floorDivided(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The remainder from 0, for a positive divisor.
    func floorRemainder(by divisor: Int64) -> Int64 {
        let remainder = self % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }
}

extension Timestamp {
    /// Milliseconds since 1970 that dates may have: some 146 million years in both directions.
    static let range: ClosedRange<Int64> = -(1 << 62)...(1 << 62)

    init(milliseconds: Int64, nanoseconds: UInt32 = 0) {
        let seconds = milliseconds.floorDivided(by: 1000)
        self.init(seconds: seconds, nanoseconds: UInt32(milliseconds - seconds * 1000) * 1_000_000 + nanoseconds)
    }

    /// Milliseconds since 1970, rounded down.
    func milliseconds(_ name: String) throws(QueryError) -> Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow, Self.range.contains(product) else {
            throw .expression("\(name): the date is beyond the years that it can work with")
        }
        return product + Int64(nanoseconds / 1_000_000)
    }

    /// What milliseconds leave out.
    var submillisecond: UInt32 { nanoseconds % 1_000_000 }

    /// The date some milliseconds later; `nil` are too many.
    func adding(_ amount: Int128?, for name: String) throws(QueryError) -> Timestamp {
        guard let amount, let sum = Int64(exactly: Int128(try milliseconds(name)) + amount), Self.range.contains(sum)
        else { throw .expression("\(name): date overflow") }
        return Timestamp(milliseconds: sum, nanoseconds: submillisecond)
    }

    /// A date from milliseconds that were computed.
    static func checked(_ milliseconds: Int64, _ name: String) throws(QueryError) -> Timestamp {
        guard range.contains(milliseconds) else { throw .expression("\(name): date overflow") }
        return Timestamp(milliseconds: milliseconds)
    }
}

/// Time zones: UTC, and fixed distances from it.
enum TimeZone {
    /// The minutes of "UTC", "GMT", "Z", "+02", "+0200" or "+02:00".
    static func offset(_ text: String, for name: String) throws(QueryError) -> Int64 {
        if ["UTC", "GMT", "Z"].contains(text) { return 0 }
        let bytes = Array(text.utf8)
        let sign: Int64 = bytes.first == 0x2B ? 1 : bytes.first == 0x2D ? -1 : 0
        var digits = Array(bytes.dropFirst())
        if digits.count == 5, digits[2] == 0x3A { digits.remove(at: 2) }
        let isNumber = digits.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
        guard sign != 0, isNumber, digits.count == 2 || digits.count == 4 else {
            throw .expression(
                "\(name): unrecognized time zone identifier: \"\(text.prefix(40))\"; it takes \"UTC\" and offsets such"
                    + " as \"+02:00\"")
        }
        let numbers = digits.map { Int64($0 - 0x30) }
        let minutes = numbers.count == 4 ? numbers[2] * 10 + numbers[3] : 0
        return sign * ((numbers[0] * 10 + numbers[1]) * 60 + minutes)
    }
}

extension ExpressionArguments {
    /// A date argument: a timestamp, or the RFC 3339 text of one, such as `_created_at` has.
    func date(_ place: Int) throws(QueryError) -> Timestamp {
        switch values[place] {
        case .some(.timestamp(let date)): return date
        case .some(.string(let text)):
            if let date = DateText.parse(text, offset: 0) { return date }
            throw .expression("\(name) can't convert from string to Date: \"\(text.prefix(40))\" is no RFC 3339 date")
        default: throw .expression("can't convert from \(values[place].typeName) to Date")
        }
    }

    /// A date argument as milliseconds since 1970.
    func milliseconds(_ place: Int) throws(QueryError) -> Int64 { try date(place).milliseconds(name) }

    /// A time zone argument in minutes; UTC when the expression has none.
    func zone(_ place: Int) throws(QueryError) -> Int64 {
        guard has(place) else { return 0 }
        guard case .some(.string(let text)) = values[place] else {
            throw .expression("\(name): timezone must evaluate to a string, found \(values[place].typeName)")
        }
        return try TimeZone.offset(text, for: name)
    }
}
