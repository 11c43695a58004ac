import NexaQuery
import NexaValue
import Testing

/// What MongoDB's manual says about the operators on arrays and sets.
@Suite struct ExpressionArrayTests {
    static let arrays: [ExpressionRow] = [
        ExpressionRow("{$isArray: '$a'}", "true", on: "{a: [1]}"), ExpressionRow("{$isArray: '$a'}", "false"),
        ExpressionRow("{$isArray: [['hello']]}", "true"), ExpressionRow("{$size: '$a'}", "2", on: "{a: [1, null]}"),
        ExpressionRow("{$arrayElemAt: [[1, 2, 3], 0]}", "1"), ExpressionRow("{$arrayElemAt: [[1, 2, 3], -2]}", "2"),
        ExpressionRow("{$arrayElemAt: [[1, 2, 3], 15]}", nil), ExpressionRow("{$arrayElemAt: [[1, 2, 3], -4]}", nil),
        ExpressionRow("{$arrayElemAt: ['$m', 0]}", "null"), ExpressionRow("{$arrayElemAt: [[1], 0.0]}", "1"),
        ExpressionRow("{$first: '$a'}", "1", on: "{a: [1, 2]}"), ExpressionRow("{$last: '$a'}", "2", on: "{a: [1, 2]}"),
        ExpressionRow("{$first: '$a'}", nil, on: "{a: []}"), ExpressionRow("{$last: '$m'}", "null"),
        ExpressionRow("{$in: [2, [1, 2, 3]]}", "true"), ExpressionRow("{$in: ['abc', ['xyz']]}", "false"),
        ExpressionRow("{$in: [1, [1.0]]}", "true"), ExpressionRow("{$in: [[1], [1]]}", "false"),
        ExpressionRow("{$in: ['$m', [null]]}", "false"), ExpressionRow("{$in: [null, [null]]}", "true"),
        ExpressionRow("{$indexOfArray: [['a', 'abc'], 'a']}", "0"),
        ExpressionRow("{$indexOfArray: [['a', 'abc'], 'b']}", "-1"),
        ExpressionRow("{$indexOfArray: [['a', 'abc', 'de', ['de']], ['de']]}", "3"),
        ExpressionRow("{$indexOfArray: [[1, 2, 3, 2], 2, 2]}", "3"),
        ExpressionRow("{$indexOfArray: [[1, 2, 3], 3, 0, 2]}", "-1"),
        ExpressionRow("{$indexOfArray: [[1, 2], 2, 9]}", "-1"), ExpressionRow("{$indexOfArray: [null, 'foo']}", "null"),
        ExpressionRow("{$concatArrays: [['hello', ' '], ['world']]}", "['hello', ' ', 'world']"),
        ExpressionRow("{$concatArrays: [['hello', ' '], [['world'], 'again']]}", "['hello', ' ', ['world'], 'again']"),
        ExpressionRow("{$concatArrays: [[1], null]}", "null"), ExpressionRow("{$concatArrays: []}", "[]"),
        ExpressionRow("{$reverseArray: {$literal: [1, 2, 3]}}", "[3, 2, 1]"),
        ExpressionRow("{$reverseArray: '$m'}", "null"),
        ExpressionRow("{$slice: [[1, 2, 3], 1, 1]}", "[2]"), ExpressionRow("{$slice: [[1, 2, 3], -2]}", "[2, 3]"),
        ExpressionRow("{$slice: [[1, 2, 3], 15, 2]}", "[]"), ExpressionRow("{$slice: [[1, 2, 3], -15, 2]}", "[1, 2]"),
        ExpressionRow("{$slice: [[1, 2, 3], 2]}", "[1, 2]"), ExpressionRow("{$slice: [[1, 2, 3], 0]}", "[]"),
        ExpressionRow("{$slice: [null, 1]}", "null"), ExpressionRow("{$slice: [[1], '$m']}", "null"),
        ExpressionRow("{$range: [0, 10, 2]}", "[0, 2, 4, 6, 8]"),
        ExpressionRow("{$range: [10, 0, -2]}", "[10, 8, 6, 4, 2]"),
        ExpressionRow("{$range: [0, 10, -2]}", "[]"), ExpressionRow("{$range: [0, 3]}", "[0, 1, 2]"),
        ExpressionRow("{$zip: {inputs: [['a'], ['b'], ['c']]}}", "[['a', 'b', 'c']]"),
        ExpressionRow("{$zip: {inputs: [[1, 2, 3], ['a']]}}", "[[1, 'a']]"),
        ExpressionRow("{$zip: {inputs: [[1], ['a', 'b']], useLongestLength: true}}", "[[1, 'a'], [null, 'b']]"),
        ExpressionRow(
            "{$zip: {inputs: [[1], ['a', 'b']], useLongestLength: true, defaults: [0, 'z']}}", "[[1, 'a'], [0, 'b']]"),
        ExpressionRow("{$zip: {inputs: [[1], '$m']}}", "null"),
        ExpressionRow("{$sortArray: {input: [3, 1, 'a', null, 2], sortBy: 1}}", "[null, 1, 2, 3, 'a']"),
        ExpressionRow("{$sortArray: {input: [3, 1, 2], sortBy: -1}}", "[3, 2, 1]"),
        ExpressionRow(
            "{$sortArray: {input: '$a', sortBy: {n: -1, m: 1}}}", "[{n: 2, m: 1}, {n: 2, m: 3}, {n: 1}]",
            on: "{a: [{n: 1}, {n: 2, m: 3}, {n: 2, m: 1}]}"),
        ExpressionRow("{$sortArray: {input: null, sortBy: 1}}", "null")
    ]

    static let iteration: [ExpressionRow] = [
        ExpressionRow("{$map: {input: '$a', as: 'g', in: {$add: ['$$g', 2]}}}", "[7, 8]", on: "{a: [5, 6]}"),
        ExpressionRow("{$map: {input: '$a', in: '$$this.x'}}", "[1, null]", on: "{a: [{x: 1}, {}]}"),
        ExpressionRow("{$map: {input: '$m', in: 1}}", "null"), ExpressionRow("{$map: {input: [], in: 1}}", "[]"),
        ExpressionRow(
            "{$filter: {input: [1, 'a', 2, null, 3.1, 4, '5'], as: 'num', cond: {$isNumber: '$$num'}}}",
            "[1, 2, 3.1, 4]"),
        ExpressionRow("{$filter: {input: [1, 2, 3, 4], cond: {$gte: ['$$this', 2]}, limit: 2}}", "[2, 3]"),
        ExpressionRow("{$filter: {input: '$m', cond: true}}", "null"),
        ExpressionRow(
            "{$filter: {input: '$a', as: 'x', cond: {$gt: ['$$x.p', '$min']}}}", "[{p: 3}]",
            on: "{min: 2, a: [{p: 1}, {p: 3}]}"),
        ExpressionRow(
            "{$reduce: {input: ['a', 'b', 'c'], initialValue: '', in: {$concat: ['$$value', '$$this']}}}", "'abc'"),
        ExpressionRow(
            "{$reduce: {input: [1, 2, 3, 4], initialValue: {sum: 5, product: 2}, in: {sum: {$add: ['$$value.sum', '$$this']},"
                + " product: {$multiply: ['$$value.product', '$$this']}}}}", "{sum: 15, product: 48}"),
        ExpressionRow(
            "{$reduce: {input: [[3, 4], [5, 6]], initialValue: [1, 2], in: {$concatArrays: ['$$value', '$$this']}}}",
            "[1, 2, 3, 4, 5, 6]"),
        ExpressionRow("{$reduce: {input: null, initialValue: 1, in: 2}}", "null"),
        ExpressionRow("{$reduce: {input: [], initialValue: 1, in: 2}}", "1"),
        ExpressionRow(
            "{$map: {input: [1, 2], as: 'x', in: {$map: {input: [10, 20], as: 'y', in: {$add: ['$$x', '$$y']}}}}}",
            "[[11, 21], [12, 22]]")
    ]

    static let sets: [ExpressionRow] = [
        ExpressionRow("{$setUnion: [['a', 'b', 'a'], ['c', 'b']]}", "['a', 'b', 'c']"),
        ExpressionRow("{$setUnion: [['a'], [['a', 'b']]]}", "['a', ['a', 'b']]"),
        ExpressionRow("{$setUnion: [['a'], null]}", "null"),
        ExpressionRow("{$setIntersection: [['a', 'b', 'a'], ['b', 'a']]}", "['a', 'b']"),
        ExpressionRow("{$setIntersection: [['a', 'b'], [['a', 'b']]]}", "[]"),
        ExpressionRow("{$setIntersection: []}", "[]"),
        ExpressionRow("{$setIntersection: [[1, 2, 3], [2.0, 3], [3, 4]]}", "[3]"),
        ExpressionRow("{$setDifference: [['b', 'a', 'b', 'c'], ['a']]}", "['b', 'c']"),
        ExpressionRow("{$setDifference: [['a', 'b'], [['a', 'b']]]}", "['a', 'b']"),
        ExpressionRow("{$setDifference: ['$m', [1]]}", "null"),
        ExpressionRow("{$setEquals: [['a', 'b', 'a'], ['b', 'a']]}", "true"),
        ExpressionRow("{$setEquals: [['a', 'b'], [['a', 'b']]]}", "false"),
        ExpressionRow("{$setEquals: [[], [], []]}", "true"), ExpressionRow("{$setEquals: [[1], [1, 2]]}", "false"),
        ExpressionRow("{$setIsSubset: [['a', 'b', 'a'], ['b', 'a']]}", "true"),
        ExpressionRow("{$setIsSubset: [['a', 'b'], ['a']]}", "false"),
        ExpressionRow("{$setIsSubset: [[], [1]]}", "true"),
        ExpressionRow("{$anyElementTrue: [[true, false]]}", "true"),
        ExpressionRow("{$anyElementTrue: [[null, false, 0]]}", "false"),
        ExpressionRow("{$anyElementTrue: [[]]}", "false"), ExpressionRow("{$anyElementTrue: [[[false]]]}", "true"),
        ExpressionRow("{$allElementsTrue: [[true, 1, 'someString']]}", "true"),
        ExpressionRow("{$allElementsTrue: [[]]}", "true"),
        ExpressionRow("{$allElementsTrue: [[null, false, 0]]}", "false")
    ]

    static let failures: [ExpressionFailure] = [
        ExpressionFailure("{$size: '$m'}", "The argument to $size must be an array, but was of type: missing"),
        ExpressionFailure("{$arrayElemAt: [1, 0]}", "$arrayElemAt's first argument must be an array, but is int"),
        ExpressionFailure("{$arrayElemAt: [[1], 'x']}", "second argument must be a numeric value, but is string"),
        ExpressionFailure("{$arrayElemAt: [[1], 0.5]}", "representable as a 32-bit integer"),
        ExpressionFailure("{$first: 5}", "$first's argument must be an array, but is int"),
        ExpressionFailure("{$in: [1, '$m']}", "$in requires an array as a second argument, found: missing"),
        ExpressionFailure(
            "{$indexOfArray: ['a', 'a']}", "$indexOfArray requires an array as a first argument, found: string"),
        ExpressionFailure("{$indexOfArray: [[1], 1, -1]}", "nonnegative starting index"),
        ExpressionFailure("{$concatArrays: [[1], 2]}", "$concatArrays only supports arrays, not int"),
        ExpressionFailure(
            "{$reverseArray: 'x'}", "The argument to $reverseArray must be an array, but was of type: string"),
        ExpressionFailure("{$slice: [1, 1]}", "First argument to $slice must be an array, but is of type: int"),
        ExpressionFailure("{$slice: [[1], 0, 0]}", "Third argument to $slice must be positive: 0"),
        ExpressionFailure("{$range: [0, 5, 0]}", "$range requires a non-zero step value"),
        ExpressionFailure(
            "{$range: ['a', 5]}", "$range requires a numeric starting value, found value of type: string"),
        ExpressionFailure("{$range: [0.5, 5]}", "represented as a 32-bit integer"),
        ExpressionFailure("{$zip: {inputs: []}}", "$zip requires at least one input array"),
        ExpressionFailure("{$zip: {inputs: [[1], 5]}}", "$zip found a non-array expression in input: int"),
        ExpressionFailure("{$zip: {inputs: [[1]], defaults: [0]}}", "unless useLongestLength is true"),
        ExpressionFailure(
            "{$zip: {inputs: [[1]], useLongestLength: true, defaults: [0, 1]}}", "must have the same length"),
        ExpressionFailure("{$map: {input: 5, in: 1}}", "input to $map must be an array not int"),
        ExpressionFailure("{$filter: {input: 5, cond: 1}}", "input to $filter must be an array not int"),
        ExpressionFailure("{$filter: {input: [], cond: 1, limit: 0}}", "greater than 0"),
        ExpressionFailure("{$reduce: {input: 5, initialValue: 1, in: 1}}", "input to $reduce must be an array not int"),
        ExpressionFailure("{$sortArray: {input: 5, sortBy: 1}}", "must be an array, but was of type: int"),
        ExpressionFailure("{$sortArray: {input: [], sortBy: 2}}", "'sortBy' must be 1, -1"),
        ExpressionFailure(
            "{$setUnion: [[1], 2]}", "All operands of $setUnion must be arrays. One argument is of type: int"),
        ExpressionFailure("{$setDifference: [[1], 2]}", "must be arrays. Second argument is of type: int"),
        ExpressionFailure("{$setEquals: [[1]]}", "$setEquals takes at least 2 arguments"),
        ExpressionFailure("{$setIsSubset: [1, [1]]}", "First argument is of type: int"),
        ExpressionFailure("{$anyElementTrue: [5]}", "$anyElementTrue's argument must be an array, but is int")
    ]

    @Test(arguments: arrays) func arraysHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: iteration) func iterationHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: sets) func setsHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: failures) func failuresAreNamed(_ row: ExpressionFailure) throws { try check(row) }
}
