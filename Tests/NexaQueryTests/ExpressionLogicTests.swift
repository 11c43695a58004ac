import NexaQuery
import NexaValue
import Testing

/// Paths, variables, comparisons, conditions and objects.
@Suite struct ExpressionLogicTests {
    static let paths: [ExpressionRow] = [
        ExpressionRow("'$a'", "1", on: "{a: 1}"), ExpressionRow("'$a'", nil), ExpressionRow("'a'", "'a'"),
        ExpressionRow("'$a.b'", "2", on: "{a: {b: 2}}"), ExpressionRow("'$a.b'", nil, on: "{a: 1}"),
        ExpressionRow("'$a.b'", nil, on: "{a: null}"), ExpressionRow("'$a'", "null", on: "{a: null}"),
        ExpressionRow("'$a.b'", "[1, 2]", on: "{a: [{b: 1}, {c: 5}, 7, [{b: 9}], {b: 2}]}"),
        ExpressionRow("'$a.b'", "[]", on: "{a: []}"), ExpressionRow("'$a.0'", "[]", on: "{a: [1, 2]}"),
        ExpressionRow("'$a.b.c'", "[[1, 2], 3]", on: "{a: [{b: [{c: 1}, {c: 2}]}, {b: {c: 3}}]}"),
        ExpressionRow("'$$ROOT'", "{a: 1}", on: "{a: 1}"), ExpressionRow("'$$ROOT.a'", "1", on: "{a: 1}"),
        ExpressionRow("'$$CURRENT.a'", "1", on: "{a: 1}"), ExpressionRow("'$$REMOVE'", nil),
        ExpressionRow("'$$NOW'", "{$date: '2024-02-29T12:34:56.789Z'}"),
        ExpressionRow("['$a', '$b', 1]", "[1, null, 1]", on: "{a: 1}"),
        ExpressionRow("{x: '$a', y: '$b', z: {w: '$a'}}", "{x: 1, z: {w: 1}}", on: "{a: 1}"),
        ExpressionRow("{x: '$$REMOVE'}", "{}"), ExpressionRow("{}", "{}"), ExpressionRow("[]", "[]"),
        ExpressionRow("{$literal: '$a'}", "'$a'", on: "{a: 1}"),
        ExpressionRow("{$literal: {$add: [1, 2]}}", "{$add: [1, 2]}"),
        ExpressionRow("{$const: ['$a']}", "['$a']"),
        ExpressionRow(
            "{$let: {vars: {total: {$add: ['$price', '$tax']}, discounted: {$cond: {if: '$applyDiscount', then: 0.9,"
                + " else: 1}}}, in: {$multiply: ['$$total', '$$discounted']}}}",
            "9.450000000000001", on: "{price: 10, tax: 0.50, applyDiscount: true}"),
        ExpressionRow("{$let: {vars: {a: 1}, in: {$let: {vars: {a: 2, b: '$$a'}, in: ['$$a', '$$b']}}}}", "[2, 1]"),
        ExpressionRow("{$let: {vars: {x: '$d'}, in: '$$x.e'}}", "[1, 2]", on: "{d: [{e: 1}, {e: 2}]}"),
        ExpressionRow("{$let: {vars: {CURRENT: '$d'}, in: '$e'}}", "1", on: "{d: {e: 1}}"),
        ExpressionRow("{$let: {vars: {x: '$missing'}, in: '$$x'}}", nil)
    ]

    static let comparisons: [ExpressionRow] = [
        ExpressionRow("{$cmp: ['$qty', 250]}", "1", on: "{qty: 300}"), ExpressionRow("{$cmp: [1, 1.0]}", "0"),
        ExpressionRow("{$cmp: [1, 'a']}", "-1"), ExpressionRow("{$eq: [1, 1.0]}", "true"),
        ExpressionRow("{$eq: ['$missing', null]}", "false"), ExpressionRow("{$eq: ['$m', '$n']}", "true"),
        ExpressionRow("{$lt: ['$missing', null]}", "true"), ExpressionRow("{$gt: ['$a', null]}", "true", on: "{a: 0}"),
        ExpressionRow("{$eq: [[1, 2], [1, 2.0]]}", "true"), ExpressionRow("{$eq: ['$a', 1]}", "false", on: "{a: [1]}"),
        ExpressionRow("{$eq: [{a: 1, b: 2}, {b: 2, a: 1}]}", "false"), ExpressionRow("{$ne: [1, 2]}", "true"),
        ExpressionRow("{$gt: ['b', 'a']}", "true"), ExpressionRow("{$gt: [[], {}]}", "true"),
        ExpressionRow("{$gte: [250, 250]}", "true"), ExpressionRow("{$lt: [false, true]}", "true"),
        ExpressionRow("{$lte: ['a', 5]}", "false"), ExpressionRow("{$lt: [NaN, -Infinity]}", "true"),
        ExpressionRow("{$eq: [NaN, NaN]}", "true"), ExpressionRow("{$lt: [[1], [1, 0]]}", "true"),
        ExpressionRow("{$lt: [true, {$date: '1960-01-01'}]}", "true"),
        ExpressionRow("{$gt: [9007199254740993, 9007199254740992.0]}", "true"),
        ExpressionRow("{$gt: [18446744073709551615, 9223372036854775807]}", "true")
    ]

    static let conditions: [ExpressionRow] = [
        ExpressionRow("{$and: [1, 'green']}", "true"), ExpressionRow("{$and: []}", "true"),
        ExpressionRow("{$and: [[null], [false], [0]]}", "true"), ExpressionRow("{$and: [null, true]}", "false"),
        ExpressionRow("{$and: [0, {$divide: [1, 0]}]}", "false"), ExpressionRow("{$or: [true, false]}", "true"),
        ExpressionRow("{$or: [[false], false]}", "true"), ExpressionRow("{$or: [null, 0, '$m']}", "false"),
        ExpressionRow("{$or: []}", "false"), ExpressionRow("{$or: [1, {$divide: [1, 0]}]}", "true"),
        ExpressionRow("{$not: [true]}", "false"), ExpressionRow("{$not: [[false]]}", "false"),
        ExpressionRow("{$not: [null]}", "true"), ExpressionRow("{$not: ['$m']}", "true"),
        ExpressionRow("{$not: 0.0}", "true"), ExpressionRow("{$not: ''}", "false"),
        ExpressionRow("{$cond: {if: {$gte: ['$qty', 250]}, then: 30, else: 20}}", "30", on: "{qty: 300}"),
        ExpressionRow("{$cond: [{$gte: ['$qty', 250]}, 30, 20]}", "20", on: "{qty: 100}"),
        ExpressionRow("{$cond: [true, 1, {$divide: [1, 0]}]}", "1"),
        ExpressionRow("{$cond: [false, 1, '$$REMOVE']}", nil),
        ExpressionRow("{$ifNull: ['$a', 'x']}", "'x'"), ExpressionRow("{$ifNull: ['$a', 'x']}", "0", on: "{a: 0}"),
        ExpressionRow("{$ifNull: ['$a', '$b', 'x']}", "2", on: "{a: null, b: 2}"),
        ExpressionRow("{$ifNull: ['$a', '$b']}", nil), ExpressionRow("{$ifNull: [null, null]}", "null"),
        ExpressionRow(
            "{$switch: {branches: [{case: {$eq: [0, 5]}, then: 'equals'}, {case: {$gt: [0, 5]}, then: 'greater'},"
                + " {case: {$lt: [0, 5]}, then: 'less'}]}}", "'less'"),
        ExpressionRow("{$switch: {branches: [{case: false, then: 1}], default: 'none'}}", "'none'")
    ]

    static let objects: [ExpressionRow] = [
        ExpressionRow("{$mergeObjects: [{a: 1}, null]}", "{a: 1}"),
        ExpressionRow("{$mergeObjects: [null, '$m']}", "{}"),
        ExpressionRow("{$mergeObjects: [{a: 1}, {a: 2, b: 2}, {a: 3, c: 3}]}", "{a: 3, b: 2, c: 3}"),
        ExpressionRow("{$mergeObjects: '$d'}", "{x: 1}", on: "{d: {x: 1}}"),
        ExpressionRow("{$mergeObjects: [{a: 1}, {a: null}]}", "{a: null}"),
        ExpressionRow("{$getField: 'price.usd'}", "5", on: "{'price.usd': 5}"),
        ExpressionRow("{$getField: {$literal: '$price'}}", "6", on: "{$price: 6}"),
        ExpressionRow("{$getField: {field: 'a', input: '$d'}}", "1", on: "{d: {a: 1}}"),
        ExpressionRow("{$getField: {field: 'b', input: '$d'}}", nil, on: "{d: {a: 1}}"),
        ExpressionRow("{$getField: {field: 'b', input: null}}", "null"),
        ExpressionRow("{$getField: {field: 'b', input: 5}}", nil),
        ExpressionRow("{$setField: {field: 'a.b', input: '$$ROOT', value: 1}}", "{x: 0, 'a.b': 1}", on: "{x: 0}"),
        ExpressionRow("{$setField: {field: 'x', input: '$$ROOT', value: '$$REMOVE'}}", "{y: 1}", on: "{x: 0, y: 1}"),
        ExpressionRow("{$setField: {field: 'x', input: null, value: 1}}", "null"),
        ExpressionRow("{$unsetField: {field: 'x', input: '$$ROOT'}}", "{y: 1}", on: "{x: 0, y: 1}"),
        ExpressionRow("{$unsetField: {field: 'x', input: '$m'}}", "null"),
        ExpressionRow("{$objectToArray: {item: 'foo', qty: 25}}", "[{k: 'item', v: 'foo'}, {k: 'qty', v: 25}]"),
        ExpressionRow("{$objectToArray: '$m'}", "null"),
        ExpressionRow(
            "{$arrayToObject: {$literal: [{k: 'item', v: 'abc'}, {k: 'qty', v: 25}]}}", "{item: 'abc', qty: 25}"),
        ExpressionRow("{$arrayToObject: [[['item', 'abc'], ['qty', 25]]]}", "{item: 'abc', qty: 25}"),
        ExpressionRow("{$arrayToObject: null}", "null"), ExpressionRow("{$arrayToObject: [[]]}", "{}")
    ]

    static let failures: [ExpressionFailure] = [
        ExpressionFailure("'$'", "by itself is no path"), ExpressionFailure("'$a..b'", "empty part"),
        ExpressionFailure("'$a.$b'", "cannot begin with $"),
        ExpressionFailure("'$$foo'", "use of undefined variable: foo"),
        ExpressionFailure("{$let: {vars: {Foo: 1}, in: 1}}", "cannot name a variable"),
        ExpressionFailure("{$let: {vars: {x: 1}}}", "Missing 'in' parameter to $let"),
        ExpressionFailure("{$let: {vars: {x: 1, y: '$$x'}, in: 1}}", "undefined variable: x"),
        ExpressionFailure("{$let: {vars: {x: 1}, in: 1, also: 2}}", "$let has no argument \"also\""),
        ExpressionFailure("{$addd: [1, 2]}", "unknown operator $addd; did you mean $add?"),
        ExpressionFailure("{$toUper: 'x'}", "did you mean $toUpper?"),
        ExpressionFailure("{$frobnicate: 1}", "unknown operator $frobnicate"),
        ExpressionFailure("{$add: [1], $subtract: [1, 2]}", "exactly one field"),
        ExpressionFailure("{a: 1, $add: [1]}", "begins with $"), ExpressionFailure("{'a.b': 1}", "has a ."),
        ExpressionFailure("{$cond: {if: 1, then: 2}}", "Missing 'else' parameter to $cond"),
        ExpressionFailure("{$cond: [1, 2]}", "takes exactly 3 arguments. 2 were passed in."),
        ExpressionFailure("{$switch: {branches: []}}", "$switch requires at least one branch"),
        ExpressionFailure("{$switch: {branches: [{case: false, then: 1}]}}", "no default was specified"),
        ExpressionFailure("{$ifNull: [1]}", "at least 2 arguments"),
        ExpressionFailure("{$eq: [1]}", "Expression $eq takes exactly 2 arguments. 1 were passed in."),
        ExpressionFailure("{$mergeObjects: [1]}", "$mergeObjects requires object inputs"),
        ExpressionFailure("{$setField: {field: 'a', input: 1, value: 1}}", "to evaluate to type Object, but got int"),
        ExpressionFailure("{$getField: {field: 1, input: {}}}", "to evaluate to type String, but got int"),
        ExpressionFailure("{$objectToArray: 5}", "$objectToArray requires a document input, found: int"),
        ExpressionFailure("{$arrayToObject: 5}", "$arrayToObject requires an array input, found: int"),
        ExpressionFailure("{$arrayToObject: [[[1, 2]]]}", "the key to be of type string, found: int"),
        ExpressionFailure("{$arrayToObject: [[['a']]]}", "found size: 1")
    ]

    @Test(arguments: paths) func pathsHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: comparisons) func comparisonsHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: conditions) func conditionsHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: objects) func objectsHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: failures) func failuresAreNamed(_ row: ExpressionFailure) throws { try check(row) }

    @Test func callersGiveVariables() throws {
        var context = testContext
        context.variables = ["order": ["qty": 5], "list": [["q": 1], ["q": 2]]]
        #expect(try evaluate("$$order.qty", context) == 5)
        #expect(try evaluate(["$sum": "$$list.q"], context) == 3)
        #expect(try evaluate(["$let": ["vars": ["order": 7], "in": "$$order"]], context) == 7)
        let error = QueryError.of { _ = try Expression(compiling: "$$other", variables: ["order"]) }
        #expect(error?.message.contains("$$order") == true)
    }

    private func evaluate(_ expression: Value, _ context: ExpressionContext) throws -> Value? {
        try NexaQueryTests.evaluate(expression, on: [:], context)
    }

    @Test func pathsAndConstantsShow() throws {
        #expect(try Expression(compiling: "$a.b").fieldPath == "a.b")
        #expect(try Expression(compiling: "$$ROOT").fieldPath == nil)
        #expect(try Expression(compiling: ["$add": ["$a", 1]]).fieldPath == nil)
        #expect(try Expression(compiling: ["a": [1, ["b": "x"]]]).constant == ["a": [1, ["b": "x"]]])
        #expect(try Expression(compiling: "$a").constant == nil)
    }
}
