import NexaQuery
import NexaValue
import TestKit
import Testing

/// `$expr` in filters.
@Suite struct ExpressionFilterTests {
    static let rows: [FilterRow] = [
        FilterRow(
            "{$expr: {$gt: ['$spent', '$budget']}}", ["{spent: 2, budget: 1}", "{spent: 0}"],
            not: ["{spent: 1, budget: 2}", "{}"]),
        FilterRow("{$expr: true}", ["{}", "{a: 1}"], not: []),
        FilterRow("{$expr: '$a'}", ["{a: 1}", "{a: []}"], not: ["{}", "{a: 0}", "{a: null}"]),
        FilterRow(
            "{$expr: {$eq: ['$a', '$b']}, c: 1}", ["{a: 1, b: 1.0, c: 1}", "{c: 1}"],
            not: ["{a: 1, b: 1}", "{a: 1, b: 2, c: 1}"]),
        FilterRow(
            "{$or: [{$expr: {$lt: ['$a', '$b']}}, {c: 1}]}", ["{a: 1, b: 2}", "{a: 3, b: 2, c: 1}"],
            not: ["{a: 3, b: 2}"]),
        FilterRow("{$nor: [{$expr: {$lt: ['$a', '$b']}}]}", ["{a: 3, b: 2}", "{}"], not: ["{a: 1, b: 2}"]),
        FilterRow("{$and: [{$expr: '$a'}, {$expr: '$b'}]}", ["{a: 1, b: 1}"], not: ["{a: 1}"]),
        FilterRow("{$expr: {$in: ['x', '$a.b']}}", ["{a: [{b: 'y'}, {b: 'x'}]}"], not: ["{a: [{b: 'y'}]}"]),
        FilterRow(
            "{$expr: {$gt: ['$$NOW', {$toDate: '$at'}]}}", ["{at: '2001-01-01T00:00:00Z'}"], not: ["{at: '9001-01-01'}"]
        )
    ]

    @Test(arguments: rows) func expressionsStandBesideConditions(_ row: FilterRow) throws {
        let filter = try QueryFilter(compiling: relaxed(row.filter))
        for document in row.matching { #expect(try filter.matches(relaxed(document)), "\(document) does not match") }
        for document in row.others { #expect(try !filter.matches(relaxed(document)), "\(document) matches") }
    }

    private func error(_ filter: Document, allowsExpressions: Bool = true) -> QueryError? {
        QueryError.of { _ = try QueryFilter(compiling: filter, allowsExpressions: allowsExpressions) }
    }

    @Test func misplacedExpressionsAreRefused() {
        #expect(error(["a": ["$elemMatch": ["$expr": true]]])?.message.contains("$expr stands where") == true)
        #expect(error(["a": ["$expr": true]])?.message == "$expr stands beside fields, not in the condition of one")
        #expect(error(["$exp": true])?.message == "unknown operator $exp; did you mean $expr?")
        #expect(error(["$expr": true], allowsExpressions: false)?.code == .invalidOperand)
        #expect(error(["$expr": ["$nope": 1]])?.code == .unknownOperator)
    }

    @Test func expressionsCountInTheLimits() {
        let many = Value.array((0..<6000).map { _ in "$a" })
        #expect(error(["$expr": ["$in": [1, many]]]) == nil)
        #expect(error(["$and": [["$expr": ["$in": [1, many]]], ["$expr": ["$in": [1, many]]]]])?.code == .limitExceeded)
        let patterns = Value.array((0..<60).map { _ in ["$regexMatch": ["input": "$a", "regex": "x"]] })
        #expect(error(["$and": [["$expr": ["$or": patterns]], ["$expr": ["$or": patterns]]]])?.code == .limitExceeded)
    }

    @Test func faultsOfADocumentAreToldByTheirOperator() throws {
        let filter = try QueryFilter(compiling: ["$expr": ["$gt": [["$divide": [1, "$a"]], 0]]])
        #expect(try filter.matches(["a": 2]))
        #expect(QueryError.of { _ = try filter.matches(["a": 0]) }?.message == "can't $divide by zero")
    }

    /// `$expr` with a literal says what the plain condition says of values that are no arrays.
    @Test func comparisonsAgreeWithConditions() throws {
        var values = RandomValues(seed: 37)
        for _ in 0..<3000 {
            let left = values.pick(RandomValues.scalars)
            let right = values.pick(RandomValues.scalars)
            let order = ValueOrder.compare(left, right)
            for (name, holds) in [
                ("$eq", order == 0), ("$ne", order != 0), ("$gt", order > 0), ("$gte", order >= 0), ("$lt", order < 0),
                ("$lte", order <= 0)
            ] {
                let filter = try QueryFilter(compiling: ["$expr": [name: ["$a", ["$literal": right]]]])
                #expect(try filter.matches(["a": left]) == holds, "\(left) \(name) \(right), seed 37")
            }
        }
    }
}
