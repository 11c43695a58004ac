import Glibc
import NexaQuery
import NexaValue
import TestKit
import Testing

/// What MongoDB's manual says about the operators on dates.
@Suite struct ExpressionDateTests {
    private static let moment = "{d: {$date: '2014-01-01T08:15:39.736Z'}}"

    static let parts: [ExpressionRow] = [
        ExpressionRow("{$year: '$d'}", "2014", on: moment), ExpressionRow("{$month: '$d'}", "1", on: moment),
        ExpressionRow("{$dayOfMonth: '$d'}", "1", on: moment), ExpressionRow("{$hour: '$d'}", "8", on: moment),
        ExpressionRow("{$minute: '$d'}", "15", on: moment), ExpressionRow("{$second: '$d'}", "39", on: moment),
        ExpressionRow("{$millisecond: '$d'}", "736", on: moment), ExpressionRow("{$dayOfYear: '$d'}", "1", on: moment),
        ExpressionRow("{$dayOfWeek: '$d'}", "4", on: moment), ExpressionRow("{$week: '$d'}", "0", on: moment),
        ExpressionRow("{$isoWeek: '$d'}", "1", on: moment), ExpressionRow("{$isoWeekYear: '$d'}", "2014", on: moment),
        ExpressionRow("{$isoDayOfWeek: '$d'}", "3", on: moment), ExpressionRow("{$year: ['$d']}", "2014", on: moment),
        ExpressionRow("{$hour: {date: '$d', timezone: '+0530'}}", "13", on: moment),
        ExpressionRow("{$dayOfMonth: {date: '$d', timezone: '-09:00'}}", "31", on: moment),
        ExpressionRow("{$hour: {date: '$d'}}", "8", on: moment), ExpressionRow("{$year: '$m'}", "null"),
        ExpressionRow("{$hour: {date: '$d', timezone: null}}", "null", on: moment),
        ExpressionRow("{$year: null}", "null"),
        ExpressionRow("{$year: '2026-11-21T02:00:55.123456Z'}", "2026"),
        ExpressionRow("{$isoWeek: {$date: '2015-11-04'}}", "45"),
        ExpressionRow("{$isoWeek: {$date: '2016-01-01'}}", "53"),
        ExpressionRow("{$isoWeekYear: {$date: '2016-01-01'}}", "2015"),
        ExpressionRow("{$isoWeek: {$date: '2018-12-31'}}", "1"),
        ExpressionRow("{$isoWeekYear: {$date: '2018-12-31'}}", "2019"),
        ExpressionRow("{$week: {$date: '2016-01-03'}}", "1"),
        ExpressionRow("{$week: {$date: '2016-01-02'}}", "0"),
        ExpressionRow("{$dayOfYear: {$date: '2016-12-31'}}", "366"),
        ExpressionRow("{$year: {$date: '1969-12-31T23:59:59.999Z'}}", "1969"),
        ExpressionRow("{$millisecond: {$date: '1969-12-31T23:59:59.999Z'}}", "999"),
        ExpressionRow(
            "{$dateToParts: {date: {$date: '2017-01-01T01:29:09.123Z'}}}",
            "{year: 2017, month: 1, day: 1, hour: 1, minute: 29, second: 9, millisecond: 123}"),
        ExpressionRow(
            "{$dateToParts: {date: {$date: '2017-01-01T01:29:09.123Z'}, iso8601: true}}",
            "{isoWeekYear: 2016, isoWeek: 52, isoDayOfWeek: 7, hour: 1, minute: 29, second: 9, millisecond: 123}"),
        ExpressionRow("{$dateToParts: {date: '$m'}}", "null"),
        ExpressionRow("{$dateFromParts: {year: 2017, month: 2, day: 8, hour: 12}}", "{$date: '2017-02-08T12:00:00Z'}"),
        ExpressionRow(
            "{$dateFromParts: {isoWeekYear: 2017, isoWeek: 6, isoDayOfWeek: 3, hour: 12}}",
            "{$date: '2017-02-08T12:00:00Z'}"),
        ExpressionRow("{$dateFromParts: {year: 2017, month: 14, day: 1, hour: 12}}", "{$date: '2018-02-01T12:00:00Z'}"),
        ExpressionRow("{$dateFromParts: {year: 2017, month: 0, day: 1, hour: 12}}", "{$date: '2016-12-01T12:00:00Z'}"),
        ExpressionRow("{$dateFromParts: {year: 2017, month: -23, day: 0}}", "{$date: '2014-12-31'}"),
        ExpressionRow(
            "{$dateFromParts: {year: 2016, month: 12, day: 31, hour: 23, timezone: '-05:00'}}",
            "{$date: '2017-01-01T04:00:00Z'}"),
        ExpressionRow("{$dateFromParts: {year: 2017, month: '$m'}}", "null")
    ]

    static let text: [ExpressionRow] = [
        ExpressionRow("{$dateToString: {date: '$d'}}", "'2014-01-01T08:15:39.736Z'", on: moment),
        ExpressionRow("{$dateToString: {format: '%Y-%m-%d', date: '$d'}}", "'2014-01-01'", on: moment),
        ExpressionRow(
            "{$dateToString: {format: '%H:%M:%S:%L%z', date: '$d', timezone: '-05:30'}}", "'02:45:39:736-0530'",
            on: moment),
        ExpressionRow("{$dateToString: {format: '%Z %z', date: '$d', timezone: '+02'}}", "'+120 +0200'", on: moment),
        ExpressionRow(
            "{$dateToString: {format: '%j %w %u %U %V %G %b %B %%', date: '$d'}}", "'001 4 3 00 01 2014 Jan January %'",
            on: moment),
        ExpressionRow(
            "{$dateToString: {date: '$d', timezone: '+01:00'}}", "'2014-01-01T09:15:39.736+0100'", on: moment),
        ExpressionRow("{$dateToString: {date: '$m'}}", "null"),
        ExpressionRow("{$dateToString: {date: '$m', onNull: 'x'}}", "'x'"),
        ExpressionRow("{$dateToString: {date: '$m', onNull: '$n'}}", nil),
        ExpressionRow(
            "{$dateFromString: {dateString: '2017-02-08T12:10:40.787'}}", "{$date: '2017-02-08T12:10:40.787Z'}"),
        ExpressionRow("{$dateFromString: {dateString: '2017-02-08'}}", "{$date: '2017-02-08'}"),
        ExpressionRow(
            "{$dateFromString: {dateString: '2017-02-08', timezone: '-05:00'}}", "{$date: '2017-02-08T05:00:00Z'}"),
        ExpressionRow(
            "{$dateFromString: {dateString: '2017-02-08T12:10:40+0100', timezone: '-05:00'}}",
            "{$date: '2017-02-08T11:10:40Z'}"),
        ExpressionRow("{$dateFromString: {dateString: '06-15-2018', format: '%m-%d-%Y'}}", "{$date: '2018-06-15'}"),
        ExpressionRow("{$dateFromString: {dateString: '2018 W03 5', format: '%G W%V %u'}}", "{$date: '2018-01-19'}"),
        ExpressionRow(
            "{$dateFromString: {dateString: 'mar 5 2018 7:08+01:00', format: '%b %d %Y %H:%M%z'}}",
            "{$date: '2018-03-05T06:08:00Z'}"),
        ExpressionRow("{$dateFromString: {dateString: '2016-366', format: '%Y-%j'}}", "{$date: '2016-12-31'}"),
        ExpressionRow("{$dateFromString: {dateString: '2017-02-30', onError: 'bad'}}", "'bad'"),
        ExpressionRow("{$dateFromString: {dateString: 5, onError: '$dateless'}}", nil),
        ExpressionRow("{$dateFromString: {dateString: '$m', onNull: 'none'}}", "'none'"),
        ExpressionRow("{$dateFromString: {dateString: null}}", "null")
    ]

    static let arithmetic: [ExpressionRow] = [
        ExpressionRow(
            "{$dateAdd: {startDate: {$date: '2020-10-31'}, unit: 'month', amount: 1}}", "{$date: '2020-11-30'}"),
        ExpressionRow(
            "{$dateAdd: {startDate: {$date: '2020-12-31T12:10:05Z'}, unit: 'month', amount: 2}}",
            "{$date: '2021-02-28T12:10:05Z'}"),
        ExpressionRow(
            "{$dateAdd: {startDate: {$date: '2020-02-29'}, unit: 'year', amount: -1}}", "{$date: '2019-02-28'}"),
        ExpressionRow(
            "{$dateAdd: {startDate: {$date: '2020-01-31'}, unit: 'quarter', amount: 1}}", "{$date: '2020-04-30'}"),
        ExpressionRow(
            "{$dateAdd: {startDate: {$date: '2020-12-31T23:00:00Z'}, unit: 'hour', amount: 2}}",
            "{$date: '2021-01-01T01:00:00Z'}"),
        ExpressionRow(
            "{$dateAdd: {startDate: {$date: '2020-01-30T23:00:00Z'}, unit: 'month', amount: 1, timezone: '+02:00'}}",
            "{$date: '2020-02-28T23:00:00Z'}"),
        ExpressionRow(
            "{$dateAdd: {startDate: {$date: '2020-01-01'}, unit: 'week', amount: 2}}", "{$date: '2020-01-15'}"),
        ExpressionRow("{$dateAdd: {startDate: '$m', unit: 'day', amount: 1}}", "null"),
        ExpressionRow(
            "{$dateSubtract: {startDate: {$date: '2021-01-31'}, unit: 'month', amount: 2}}", "{$date: '2020-11-30'}"),
        ExpressionRow(
            "{$dateSubtract: {startDate: {$date: '2021-01-01'}, unit: 'millisecond', amount: 1}}",
            "{$date: '2020-12-31T23:59:59.999Z'}"),
        ExpressionRow(
            "{$dateDiff: {startDate: {$date: '2020-12-31T23:59:59Z'}, endDate: {$date: '2021-01-01'}, unit: 'year'}}",
            "1"),
        ExpressionRow(
            "{$dateDiff: {startDate: {$date: '2021-01-01'}, endDate: {$date: '2020-09-30'}, unit: 'quarter'}}", "-2"),
        ExpressionRow(
            "{$dateDiff: {startDate: {$date: '2021-01-30'}, endDate: {$date: '2021-02-15'}, unit: 'month'}}", "1"),
        ExpressionRow(
            "{$dateDiff: {startDate: {$date: '2021-01-30T23:59:59Z'}, endDate: {$date: '2021-01-31T00:00:01Z'}, unit: 'day'}}",
            "1"),
        ExpressionRow(
            "{$dateDiff: {startDate: {$date: '2021-01-02'}, endDate: {$date: '2021-01-03'}, unit: 'week'}}", "1"),
        ExpressionRow(
            "{$dateDiff: {startDate: {$date: '2021-01-02'}, endDate: {$date: '2021-01-03'}, unit: 'week', startOfWeek: 'monday'}}",
            "0"),
        ExpressionRow(
            "{$dateDiff: {startDate: {$date: '2021-01-01T00:59:59Z'}, endDate: {$date: '2021-01-01T02:00:00Z'}, unit: 'hour'}}",
            "2"),
        ExpressionRow(
            "{$dateDiff: {startDate: {$date: '2021-01-01T23:30:00Z'}, endDate: {$date: '2021-01-02T00:30:00Z'}, unit: 'day', timezone: '+01:00'}}",
            "0"),
        ExpressionRow("{$dateDiff: {startDate: null, endDate: {$date: '2021-01-01'}, unit: 'day'}}", "null"),
        ExpressionRow(
            "{$dateTrunc: {date: {$date: '2021-03-20T11:30:05Z'}, unit: 'week', binSize: 2, timezone: '+00', startOfWeek: 'Monday'}}",
            "{$date: '2021-03-15'}"),
        ExpressionRow(
            "{$dateTrunc: {date: {$date: '2021-03-20T11:30:05Z'}, unit: 'month', binSize: 6}}", "{$date: '2021-01-01'}"),
        ExpressionRow(
            "{$dateTrunc: {date: {$date: '2021-03-20T11:30:05Z'}, unit: 'hour'}}", "{$date: '2021-03-20T11:00:00Z'}"),
        ExpressionRow(
            "{$dateTrunc: {date: {$date: '2021-03-20T11:30:05Z'}, unit: 'day', timezone: '-12:00'}}",
            "{$date: '2021-03-19T12:00:00Z'}"),
        ExpressionRow(
            "{$dateTrunc: {date: {$date: '1999-12-31T23:59:59Z'}, unit: 'year', binSize: 10}}", "{$date: '1990-01-01'}"),
        ExpressionRow("{$dateTrunc: {date: {$date: '2021-11-20'}, unit: 'quarter'}}", "{$date: '2021-10-01'}"),
        ExpressionRow("{$dateTrunc: {date: {$date: '2021-03-20'}, unit: 'week'}}", "{$date: '2021-03-14'}"),
        ExpressionRow(
            "{$dateTrunc: {date: {$date: '2014-01-01'}, unit: 'day', binSize: 9999999999}}", "{$date: '2000-01-01'}"),
        ExpressionRow("{$dateTrunc: {date: '$m', unit: 'day'}}", "null")
    ]

    static let failures: [ExpressionFailure] = [
        ExpressionFailure("{$year: 5}", "can't convert from int to Date"),
        ExpressionFailure("{$year: 'soon'}", "is no RFC 3339 date"),
        ExpressionFailure(
            "{$year: {date: {$date: '2014-01-01'}, timezone: 'Europe/Rome'}}",
            "unrecognized time zone identifier: \"Europe/Rome\""),
        ExpressionFailure("{$year: {timezone: 'UTC'}}", "Missing 'date' parameter to $year"),
        ExpressionFailure("{$dateFromParts: {month: 2}}", "requires either 'year' or 'isoWeekYear'"),
        ExpressionFailure("{$dateFromParts: {year: 2017, isoWeekYear: 2017}}", "mixing natural dates with ISO dates"),
        ExpressionFailure("{$dateFromParts: {year: 0}}", "'year' must evaluate to a value in the range [1, 9999]"),
        ExpressionFailure(
            "{$dateFromParts: {year: 2017, month: 'x'}}", "'month' must evaluate to an integer, found string"),
        ExpressionFailure(
            "{$dateToString: {date: {$date: '2014-01-01'}, format: '%Q'}}", "invalid format character '%Q'"),
        ExpressionFailure("{$dateToString: {date: {$date: '2014-01-01'}, format: 'x%'}}", "unmatched '%'"),
        ExpressionFailure("{$dateToString: {date: 5}}", "can't convert from int to Date"),
        ExpressionFailure("{$dateFromString: {dateString: 'soon'}}", "Error parsing date string 'soon'"),
        ExpressionFailure("{$dateFromString: {dateString: '2018', format: '%q'}}", "invalid format character"),
        ExpressionFailure(
            "{$dateAdd: {startDate: {$date: '2014-01-01'}, unit: 'eon', amount: 1}}",
            "cannot be recognized as a time unit: eon"),
        ExpressionFailure(
            "{$dateAdd: {startDate: {$date: '2014-01-01'}, unit: 'day', amount: 1.5}}",
            "expects integer amount of time units"),
        ExpressionFailure(
            "{$dateAdd: {startDate: {$date: '2014-01-01'}, unit: 'week', amount: 9223372036854775807}}", "date overflow"
        ),
        ExpressionFailure(
            "{$dateAdd: {startDate: {$date: '2014-01-01'}, unit: 'year', amount: 9223372036854775807}}", "date overflow"
        ),
        ExpressionFailure(
            "{$dateSubtract: {startDate: {$date: '2014-01-01'}, unit: 'month', amount: 1099511627775}}", "date overflow"
        ),
        ExpressionFailure("{$dateDiff: {startDate: 1, endDate: 2, unit: 'day'}}", "can't convert from int to Date"),
        ExpressionFailure(
            "{$dateTrunc: {date: {$date: '1999-01-01'}, unit: 'day', binSize: 99999999999}}", "date overflow"),
        ExpressionFailure("{$dateTrunc: {date: {$date: '2014-01-01'}, unit: 'day', binSize: 0}}", "greater than 0"),
        ExpressionFailure(
            "{$dateTrunc: {date: {$date: '2014-01-01'}, unit: 'week', startOfWeek: 'noday'}}", "a day of a week: noday")
    ]

    @Test(arguments: parts) func partsHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: text) func textHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: arithmetic) func arithmeticHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: failures) func failuresAreNamed(_ row: ExpressionFailure) throws { try check(row) }

    @Test func theCLibraryAgreesAboutTheParts() throws {
        var random = SplitMix64(seed: 29)
        let fields: [(String, String)] = [
            ("$year", "%Y"), ("$month", "%m"), ("$dayOfMonth", "%d"), ("$hour", "%H"), ("$minute", "%M"),
            ("$second", "%S"),
            ("$dayOfYear", "%j"), ("$week", "%U"), ("$isoWeek", "%V"), ("$isoWeekYear", "%G"), ("$isoDayOfWeek", "%u")
        ]
        for _ in 0..<400 {
            // The years 1 to 9999.
            let seconds = Int64.random(in: -62_135_596_800...253_402_300_799, using: &random)
            var time = time_t(seconds)
            var parts = tm()
            gmtime_r(&time, &parts)
            for (name, format) in fields {
                var buffer = [CChar](repeating: 0, count: 32)
                let count = strftime(&buffer, 32, format, &parts)
                let expected = Int64(String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self))
                let found = try evaluate([name: .timestamp(Timestamp(seconds: seconds))])
                #expect(found?.int == expected, "\(name) of \(seconds), seed 29")
            }
        }
    }

    @Test func datesSurviveTheirPartsAndTexts() throws {
        var random = SplitMix64(seed: 31)
        for _ in 0..<300 {
            let milliseconds = Int64.random(in: -62_135_596_800_000...253_402_300_799_999, using: &random)
            let date = try #require(try evaluate(["$toDate": .int(milliseconds)]))
            #expect(try evaluate(["$toLong": date]) == .int(milliseconds))
            #expect(try evaluate(["$toDate": ["$toString": date]]) == date)
            #expect(try evaluate(["$dateFromParts": evaluate(["$dateToParts": ["date": date]]) ?? .null]) == date)
            let iso = try evaluate(["$dateToParts": ["date": date, "iso8601": true]]) ?? .null
            // The manual allows ISO years from 1 on only; the first days of year 1 belong to it.
            #expect(try evaluate(["$dateFromParts": iso]) == date)
        }
    }

    @Test func farDatesAreRefusedOrWorkedWith() throws {
        for seconds in [Int64.max, .min, .max / 1000, .min / 1000, 1 << 52, -(1 << 52)] {
            let date = Value.timestamp(Timestamp(seconds: seconds, nanoseconds: 999_999_999))
            let expressions: [Value] = [
                ["$year": date], ["$isoWeekYear": date], ["$toString": date], ["$toLong": date],
                ["$add": [date, .int(.max)]],
                ["$dateAdd": ["startDate": date, "unit": "year", "amount": .int(1 << 39)]],
                ["$dateTrunc": ["date": date, "unit": "hour", "binSize": 99_999_999_999]],
                ["$dateTrunc": ["date": date, "unit": "year", "binSize": 99_999_999_999]],
                ["$dateTrunc": ["date": date, "unit": "week", "binSize": 99_999_999_999]],
                ["$dateDiff": ["startDate": date, "endDate": "$$NOW", "unit": "millisecond"]],
                ["$subtract": [date, "$$NOW"]], ["$dateToParts": ["date": date, "iso8601": true]]
            ]
            for expression in expressions {
                do { _ = try evaluate(expression) } catch { #expect((error as? QueryError)?.code == .invalidOperand) }
            }
        }
    }
}
