import NexaQuery
import NexaValue
import Testing

/// What MongoDB's manual says about the operators on numbers.
@Suite struct ExpressionNumberTests {
    static let arithmetic: [ExpressionRow] = [
        ExpressionRow("{$add: [1, 2]}", "3"),
        ExpressionRow("{$add: []}", "0"),
        ExpressionRow("{$add: 5}", "5"),
        ExpressionRow("{$add: [1, 2.5]}", "3.5"),
        ExpressionRow("{$add: [1, 2.0]}", "3.0"),
        ExpressionRow("{$add: ['$price', '$fee']}", "12", on: "{price: 10, fee: 2}"),
        ExpressionRow("{$add: [1, null]}", "null"),
        ExpressionRow("{$add: [1, '$missing']}", "null"),
        ExpressionRow("{$add: [9223372036854775807, 1]}", "9223372036854775808.0"),
        ExpressionRow("{$add: [9223372036854775807, 1, -1]}", "9223372036854775807"),
        ExpressionRow("{$add: [0.1, 0.2, 0.3]}", "0.6"),
        ExpressionRow("{$add: [1e308, 1e308]}", "Infinity"),
        ExpressionRow("{$add: [Infinity, -Infinity]}", "NaN"),
        ExpressionRow("{$add: [Infinity, 1]}", "Infinity"),
        ExpressionRow(
            "{$add: ['$d', 259200000]}", "{$date: '2014-03-04T08:00:00Z'}", on: "{d: {$date: '2014-03-01T08:00:00Z'}}"),
        ExpressionRow("{$add: [1500, {$date: '2014-03-01T08:00:00Z'}]}", "{$date: '2014-03-01T08:00:01.500Z'}"),
        ExpressionRow("{$add: [{$date: '1970-01-01T00:00:00Z'}, 1.5]}", "{$date: '1970-01-01T00:00:00.002Z'}"),
        ExpressionRow("{$subtract: [5, 3]}", "2"),
        ExpressionRow("{$subtract: [5, 3.5]}", "1.5"),
        ExpressionRow("{$subtract: [5, null]}", "null"),
        ExpressionRow("{$subtract: ['$missing', 5]}", "null"),
        ExpressionRow("{$subtract: [-9223372036854775808, 1]}", "-9223372036854775809.0"),
        ExpressionRow(
            "{$subtract: [{$date: '2014-03-01T08:00:01Z'}, {$date: '2014-03-01T08:00:00Z'}]}", "1000"),
        ExpressionRow("{$subtract: [{$date: '2014-03-01T08:00:00Z'}, 300000]}", "{$date: '2014-03-01T07:55:00Z'}"),
        ExpressionRow("{$multiply: [2, 3, 4]}", "24"),
        ExpressionRow("{$multiply: []}", "1"),
        ExpressionRow("{$multiply: [2, 1.5]}", "3.0"),
        ExpressionRow("{$multiply: [2, null]}", "null"),
        ExpressionRow("{$multiply: [4611686018427387904, 2]}", "9223372036854775808.0"),
        ExpressionRow("{$multiply: [-4611686018427387904, 2]}", "-9223372036854775808"),
        ExpressionRow("{$divide: [80, 8]}", "10.0"),
        ExpressionRow("{$divide: [1, 4]}", "0.25"),
        ExpressionRow("{$divide: [null, 4]}", "null"),
        ExpressionRow("{$divide: [1, '$missing']}", "null"),
        ExpressionRow("{$mod: [80, 7]}", "3"),
        ExpressionRow("{$mod: [-80, 7]}", "-3"),
        ExpressionRow("{$mod: [-9223372036854775808, -1]}", "0"),
        ExpressionRow("{$mod: [5.5, 2]}", "1.5"),
        ExpressionRow("{$mod: [5, null]}", "null"),
        ExpressionRow("{$pow: [5, 2]}", "25"),
        ExpressionRow("{$pow: [5, -2]}", "0.04"),
        ExpressionRow("{$pow: [-5, 0.5]}", "NaN"),
        ExpressionRow("{$pow: [5, 0]}", "1"),
        ExpressionRow("{$pow: [5, null]}", "null"),
        ExpressionRow("{$pow: [2, 63]}", "9223372036854775808.0"),
        ExpressionRow("{$pow: [-2, 63]}", "-9223372036854775808"),
        ExpressionRow("{$pow: [1, 9223372036854775807]}", "1"),
        ExpressionRow("{$pow: [-1, 9223372036854775807]}", "-1"),
        ExpressionRow("{$abs: -1}", "1"),
        ExpressionRow("{$abs: -1.5}", "1.5"),
        ExpressionRow("{$abs: null}", "null"),
        ExpressionRow("{$abs: 18446744073709551615}", "18446744073709551615"),
        ExpressionRow("{$sqrt: 25}", "5.0"),
        ExpressionRow("{$sqrt: null}", "null"),
        ExpressionRow("{$sqrt: NaN}", "NaN"),
        ExpressionRow("{$exp: 0}", "1.0"),
        ExpressionRow("{$exp: '$missing'}", "null"),
        ExpressionRow("{$ln: 1}", "0.0"),
        ExpressionRow("{$ln: null}", "null"),
        ExpressionRow("{$log: [100, 10]}", "2.0"),
        ExpressionRow("{$log: [100, null]}", "null"),
        ExpressionRow("{$log10: 100}", "2.0"),
        ExpressionRow("{$log10: null}", "null")
    ]

    static let rounding: [ExpressionRow] = [
        ExpressionRow("{$ceil: 7.80}", "8.0"), ExpressionRow("{$ceil: -2.8}", "-2.0"),
        ExpressionRow("{$ceil: 1}", "1"), ExpressionRow("{$ceil: null}", "null"),
        ExpressionRow("{$floor: 7.80}", "7.0"), ExpressionRow("{$floor: -2.3}", "-3.0"),
        ExpressionRow("{$floor: 2}", "2"), ExpressionRow("{$floor: '$missing'}", "null"),
        ExpressionRow("{$round: 10.5}", "10.0"), ExpressionRow("{$round: 11.5}", "12.0"),
        ExpressionRow("{$round: 12.5}", "12.0"), ExpressionRow("{$round: 13.5}", "14.0"),
        ExpressionRow("{$round: [19.25, 1]}", "19.2"), ExpressionRow("{$round: [28.73, 1]}", "28.7"),
        ExpressionRow("{$round: [34.32, 1]}", "34.3"), ExpressionRow("{$round: [-45.39, 1]}", "-45.4"),
        ExpressionRow("{$round: [19.25, -1]}", "20.0"), ExpressionRow("{$round: [-45.39, -1]}", "-50.0"),
        ExpressionRow("{$round: [1234.5678, 2]}", "1234.57"), ExpressionRow("{$round: [0.57, 2]}", "0.57"),
        ExpressionRow("{$round: [1234, -2]}", "1200"), ExpressionRow("{$round: [1250, -2]}", "1200"),
        ExpressionRow("{$round: [1350, -2]}", "1400"), ExpressionRow("{$round: [-1350, -2]}", "-1400"),
        ExpressionRow("{$round: [5, 3]}", "5"), ExpressionRow("{$round: [5, -3]}", "0"),
        ExpressionRow("{$round: [9223372036854775807, -1]}", "9223372036854775810.0"),
        ExpressionRow("{$round: [null, 1]}", "null"), ExpressionRow("{$round: [1.5, null]}", "null"),
        ExpressionRow("{$round: NaN}", "NaN"), ExpressionRow("{$round: [Infinity, 2]}", "Infinity"),
        ExpressionRow("{$trunc: [19.25, 1]}", "19.2"), ExpressionRow("{$trunc: [28.73, 1]}", "28.7"),
        ExpressionRow("{$trunc: [-45.39, 1]}", "-45.3"), ExpressionRow("{$trunc: [0.29, 2]}", "0.29"),
        ExpressionRow("{$trunc: [-45.39, -1]}", "-40.0"), ExpressionRow("{$trunc: 7.85}", "7.0"),
        ExpressionRow("{$trunc: -2.3}", "-2.0"), ExpressionRow("{$trunc: [1299, -2]}", "1200"),
        ExpressionRow("{$trunc: null}", "null"), ExpressionRow("{$trunc: [1.2345, 100]}", "1.2345")
    ]

    static let statistics: [ExpressionRow] = [
        ExpressionRow("{$sum: [1, 2, 3.5]}", "6.5"), ExpressionRow("{$sum: '$a'}", "6", on: "{a: [1, 2, 3]}"),
        ExpressionRow("{$sum: ['$a', 4]}", "4", on: "{a: [1, 2, 3]}"),
        ExpressionRow("{$sum: ['$a', '$b', 'x', null]}", "3", on: "{a: 1, b: 2}"),
        ExpressionRow("{$sum: '$missing'}", "0"), ExpressionRow("{$sum: []}", "0"),
        ExpressionRow("{$sum: [9223372036854775807, 1]}", "9223372036854775808.0"),
        ExpressionRow("{$avg: [1, 2]}", "1.5"), ExpressionRow("{$avg: '$a'}", "2.0", on: "{a: [1, 2, 3, 'x']}"),
        ExpressionRow("{$avg: '$missing'}", "null"), ExpressionRow("{$avg: 'x'}", "null"),
        ExpressionRow("{$min: [3, 1, 2]}", "1"), ExpressionRow("{$min: '$a'}", "1", on: "{a: [null, 3, 1]}"),
        ExpressionRow("{$min: ['x', 5]}", "5"), ExpressionRow("{$min: '$missing'}", "null"),
        ExpressionRow("{$max: [3, 1, 2]}", "3"), ExpressionRow("{$max: ['x', 5, null]}", "'x'"),
        ExpressionRow("{$max: ['$a', 9]}", "[1]", on: "{a: [1]}"), ExpressionRow("{$max: []}", "null"),
        ExpressionRow("{$stdDevPop: [2, 4, 4, 4, 5, 5, 7, 9]}", "2.0"),
        ExpressionRow("{$stdDevPop: '$a'}", "0.0", on: "{a: [5, 'x']}"),
        ExpressionRow("{$stdDevPop: 'x'}", "null"), ExpressionRow("{$stdDevSamp: [1, 3]}", "1.4142135623730951"),
        ExpressionRow("{$stdDevSamp: [5]}", "null"), ExpressionRow("{$stdDevPop: [1, Infinity]}", "null")
    ]

    static let failures: [ExpressionFailure] = [
        ExpressionFailure("{$add: [1, 'x']}", "$add only supports numeric or date types, not string"),
        ExpressionFailure(
            "{$add: [{$date: '2014-03-01T08:00:00Z'}, {$date: '2014-03-01T08:00:00Z'}]}",
            "only one date allowed in an $add expression"),
        ExpressionFailure("{$add: [{$date: '2014-03-01T08:00:00Z'}, 1e300]}", "date overflow"),
        ExpressionFailure("{$subtract: [1, 'x']}", "can't $subtract string from int"),
        ExpressionFailure("{$subtract: [1, {$date: '2014-03-01T08:00:00Z'}]}", "can't $subtract date from int"),
        ExpressionFailure("{$subtract: [1]}", "Expression $subtract takes exactly 2 arguments. 1 were passed in."),
        ExpressionFailure("{$multiply: ['x', 2]}", "$multiply only supports numeric types, not string"),
        ExpressionFailure("{$divide: [1, 0]}", "can't $divide by zero"),
        ExpressionFailure("{$divide: [1, true]}", "$divide only supports numeric types, not int and bool"),
        ExpressionFailure("{$mod: [1, 0]}", "can't $mod by zero"),
        ExpressionFailure("{$mod: [1, []]}", "$mod only supports numeric types, not int and array"),
        ExpressionFailure("{$pow: [0, -1]}", "$pow cannot take a base of 0 and a negative exponent"),
        ExpressionFailure("{$pow: ['x', 1]}", "$pow's base must be numeric, not string"),
        ExpressionFailure("{$pow: [1, 'x']}", "$pow's exponent must be numeric, not string"),
        ExpressionFailure("{$abs: 'x'}", "$abs only supports numeric types, not string"),
        ExpressionFailure("{$abs: -9223372036854775808}", "can't take $abs of long long min"),
        ExpressionFailure("{$sqrt: -1}", "$sqrt's argument must be greater than or equal to 0"),
        ExpressionFailure("{$ln: 0}", "$ln's argument must be a positive number, but is 0"),
        ExpressionFailure("{$log10: -1}", "$log10's argument must be a positive number, but is -1"),
        ExpressionFailure("{$log: [0, 10]}", "$log's argument must be a positive number, but is 0"),
        ExpressionFailure("{$log: [10, 1]}", "$log's base must be a positive number not equal to 1, but is 1"),
        ExpressionFailure("{$round: [1.5, 101]}", "value must be in [-20, 100]"),
        ExpressionFailure("{$round: [1.5, 0.5]}", "must be a integral value"),
        ExpressionFailure("{$round: 'x'}", "$round only supports numeric types, not string"),
        ExpressionFailure("{$floor: {}}", "$floor only supports numeric types, not object"),
        ExpressionFailure("{$round: [1, 2, 3]}", "takes at least 1 arguments, and at most 2, but 3 were passed in")
    ]

    @Test(arguments: arithmetic) func arithmeticHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: rounding) func roundingHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: statistics) func statisticsHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: failures) func failuresAreNamed(_ row: ExpressionFailure) throws { try check(row) }
}
