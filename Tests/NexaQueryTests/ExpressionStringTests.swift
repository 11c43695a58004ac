import NexaQuery
import NexaValue
import Testing

/// What MongoDB's manual says about the operators on text and kinds.
@Suite struct ExpressionStringTests {
    static let text: [ExpressionRow] = [
        ExpressionRow("{$concat: ['a', ' - ', '$b']}", "'a - x'", on: "{b: 'x'}"), ExpressionRow("{$concat: []}", "''"),
        ExpressionRow("{$concat: ['a', null]}", "null"), ExpressionRow("{$concat: ['a', '$m']}", "null"),
        ExpressionRow("{$toLower: 'ABÉc'}", "'abÉc'"), ExpressionRow("{$toLower: null}", "''"),
        ExpressionRow("{$toUpper: 'abéC1'}", "'ABéC1'"), ExpressionRow("{$toUpper: '$m'}", "''"),
        ExpressionRow("{$toUpper: 5}", "'5'"), ExpressionRow("{$strcasecmp: ['13Q1', '13q4']}", "-1"),
        ExpressionRow("{$strcasecmp: ['abc', 'ABC']}", "0"), ExpressionRow("{$strcasecmp: ['b', null]}", "1"),
        ExpressionRow("{$strLenBytes: 'cafétéria'}", "11"), ExpressionRow("{$strLenCP: 'cafétéria'}", "9"),
        ExpressionRow("{$strLenBytes: ''}", "0"), ExpressionRow("{$strLenCP: '寿司sushi'}", "7"),
        ExpressionRow("{$substrBytes: ['jalapeño', 0, 3]}", "'jal'"),
        ExpressionRow("{$substrBytes: ['cafétéria', 3, -1]}", "'étéria'"),
        ExpressionRow("{$substrBytes: ['abc', 5, 1]}", "''"), ExpressionRow("{$substrBytes: [null, 0, 3]}", "''"),
        ExpressionRow("{$substr: ['13Q1', 2, -1]}", "'Q1'"), ExpressionRow("{$substr: [1234, 1, 2]}", "'23'"),
        ExpressionRow("{$substrCP: ['cafétéria', 3, 2]}", "'ét'"), ExpressionRow("{$substrCP: ['abc', 1, 99]}", "'bc'"),
        ExpressionRow("{$substrCP: ['abc', 9, 1]}", "''"), ExpressionRow("{$substrCP: ['$m', 0, 1]}", "''"),
        ExpressionRow("{$trim: {input: '  \\n good  bye \\t  '}}", "'good  bye'"),
        ExpressionRow("{$trim: {input: ' ggggoodbyeeeee', chars: 'ge'}}", "' ggggoodby'"),
        ExpressionRow("{$trim: {input: '    ggggoodbyeeeee', chars: ' ge'}}", "'oodby'"),
        ExpressionRow("{$trim: {input: null}}", "null"), ExpressionRow("{$trim: {input: 'x', chars: null}}", "null"),
        ExpressionRow("{$trim: {input: '\\u2003x\\u00a0'}}", "'x'"), ExpressionRow("{$trim: {input: 'xxx', chars: 'x'}}", "''"),
        ExpressionRow("{$ltrim: {input: ' ab '}}", "'ab '"), ExpressionRow("{$rtrim: {input: ' ab '}}", "' ab'"),
        ExpressionRow("{$split: ['June-15-2013', '-']}", "['June', '15', '2013']"),
        ExpressionRow("{$split: ['banana split', 'a']}", "['b', 'n', 'n', ' split']"),
        ExpressionRow("{$split: ['headphone jack', 'jack']}", "['headphone ', '']"),
        ExpressionRow("{$split: ['a', 'x']}", "['a']"), ExpressionRow("{$split: ['', 'x']}", "['']"),
        ExpressionRow("{$split: ['$m', 'x']}", "null"), ExpressionRow("{$split: ['aaa', 'aa']}", "['', 'a']"),
        ExpressionRow("{$indexOfBytes: ['cafeteria', 'e']}", "3"), ExpressionRow("{$indexOfBytes: ['cafétéria', 'é']}", "3"),
        ExpressionRow("{$indexOfBytes: ['cafétéria', 't']}", "5"), ExpressionRow("{$indexOfBytes: ['cafétéria', 'e']}", "-1"),
        ExpressionRow("{$indexOfBytes: ['foo.bar.fi', '.', 5]}", "7"),
        ExpressionRow("{$indexOfBytes: ['vanilla', 'll', 0, 2]}", "-1"), ExpressionRow("{$indexOfBytes: ['vanilla', 'll', 12]}", "-1"),
        ExpressionRow("{$indexOfBytes: ['vanilla', 'll', 5, 2]}", "-1"), ExpressionRow("{$indexOfBytes: ['vanilla', 'nilla', 3]}", "-1"),
        ExpressionRow("{$indexOfBytes: [null, 'foo']}", "null"),
        ExpressionRow("{$indexOfCP: ['cafétéria', 't']}", "4"), ExpressionRow("{$indexOfCP: ['cafétéria', 'é', 4]}", "5"),
        ExpressionRow("{$indexOfCP: ['寿司寿司', '司', 2, 3]}", "-1"), ExpressionRow("{$indexOfCP: ['寿司寿司', '司', 2]}", "3"),
        ExpressionRow("{$indexOfCP: ['abc', '']}", "0"), ExpressionRow("{$indexOfCP: ['abc', '', 3]}", "3"),
        ExpressionRow("{$replaceOne: {input: 'abcabc', find: 'b', replacement: 'X'}}", "'aXcabc'"),
        ExpressionRow("{$replaceAll: {input: 'abcabc', find: 'b', replacement: ''}}", "'acac'"),
        ExpressionRow("{$replaceAll: {input: 'é', find: '', replacement: '-'}}", "'-é-'"),
        ExpressionRow("{$replaceOne: {input: 'abc', find: '', replacement: '-'}}", "'-abc'"),
        ExpressionRow("{$replaceAll: {input: 'aaa', find: 'aa', replacement: 'b'}}", "'ba'"),
        ExpressionRow("{$replaceAll: {input: null, find: 'b', replacement: 'X'}}", "null"),
        ExpressionRow("{$replaceOne: {input: 'x', find: '$m', replacement: 'X'}}", "null"),
        ExpressionRow("{$replaceOne: {input: 'x', find: 'x', replacement: null}}", "null")
    ]

    static let patterns: [ExpressionRow] = [
        ExpressionRow("{$regexMatch: {input: 'Hello', regex: 'L', options: 'i'}}", "true"),
        ExpressionRow("{$regexMatch: {input: 'Hello', regex: '^l'}}", "false"),
        ExpressionRow("{$regexMatch: {input: null, regex: 'x'}}", "false"),
        ExpressionRow("{$regexMatch: {input: '$m', regex: 'x'}}", "false"),
        ExpressionRow("{$regexMatch: {input: 'abc', regex: '$p'}}", "true", on: "{p: 'b'}"),
        ExpressionRow("{$regexMatch: {input: 'abc', regex: '$p', options: '$o'}}", "true", on: "{p: 'B', o: 'i'}"),
        ExpressionRow(
            "{$regexFind: {input: 'Simple example', regex: '(C(ar)*)|(m)'}}",
            "{match: 'm', idx: 2, captures: [null, null, 'm']}"),
        ExpressionRow("{$regexFind: {input: 'cafétéria', regex: 't(.)'}}", "{match: 'té', idx: 4, captures: ['é']}"),
        ExpressionRow("{$regexFind: {input: 'x', regex: 'y'}}", "null"), ExpressionRow("{$regexFind: {input: null, regex: 'y'}}", "null"),
        ExpressionRow(
            "{$regexFindAll: {input: 'éa1éa22', regex: 'a(\\\\d)'}}",
            "[{match: 'a1', idx: 1, captures: ['1']}, {match: 'a2', idx: 4, captures: ['2']}]"),
        ExpressionRow(
            "{$regexFindAll: {input: 'éb', regex: ''}}",
            "[{match: '', idx: 0, captures: []}, {match: '', idx: 1, captures: []}, {match: '', idx: 2, captures: []}]"),
        ExpressionRow("{$regexFindAll: {input: 'aXa', regex: '^a'}}", "[{match: 'a', idx: 0, captures: []}]"),
        ExpressionRow("{$regexFindAll: {input: '$m', regex: 'a'}}", "[]")
    ]

    static let kinds: [ExpressionRow] = [
        ExpressionRow("{$type: '$a'}", "'missing'"), ExpressionRow("{$type: null}", "'null'"), ExpressionRow("{$type: 8}", "'int'"),
        ExpressionRow("{$type: 2147483648}", "'long'"), ExpressionRow("{$type: 1.0}", "'double'"), ExpressionRow("{$type: 'a'}", "'string'"),
        ExpressionRow("{$type: true}", "'bool'"), ExpressionRow("{$type: [[1]]}", "'array'"), ExpressionRow("{$type: {}}", "'object'"),
        ExpressionRow("{$type: {$date: '2024-01-01'}}", "'date'"), ExpressionRow("{$isNumber: 1.5}", "true"),
        ExpressionRow("{$isNumber: '1'}", "false"), ExpressionRow("{$isNumber: '$m'}", "false"),
        ExpressionRow("{$toInt: 5.5}", "5"), ExpressionRow("{$toInt: '-2'}", "-2"), ExpressionRow("{$toInt: true}", "1"),
        ExpressionRow("{$toInt: null}", "null"), ExpressionRow("{$toInt: '$m'}", "null"), ExpressionRow("{$toInt: '+7'}", "7"),
        ExpressionRow("{$toLong: '9223372036854775807'}", "9223372036854775807"), ExpressionRow("{$toLong: -5.9}", "-5"),
        ExpressionRow("{$toLong: {$date: '2018-03-26T04:38:28.044Z'}}", "1522039108044"),
        ExpressionRow("{$toDouble: true}", "1.0"), ExpressionRow("{$toDouble: '-5.5'}", "-5.5"), ExpressionRow("{$toDouble: 5}", "5.0"),
        ExpressionRow("{$toDouble: '1e3'}", "1000.0"), ExpressionRow("{$toDouble: {$date: '1970-01-01T00:00:01Z'}}", "1000.0"),
        ExpressionRow("{$toBool: 0}", "false"), ExpressionRow("{$toBool: 'false'}", "true"), ExpressionRow("{$toBool: ''}", "true"),
        ExpressionRow("{$toBool: 1.99999}", "true"), ExpressionRow("{$toBool: null}", "null"),
        ExpressionRow("{$toBool: {$date: '1970-01-01'}}", "true"),
        ExpressionRow("{$toString: true}", "'true'"), ExpressionRow("{$toString: 2.5}", "'2.5'"), ExpressionRow("{$toString: 2.0}", "'2'"),
        ExpressionRow("{$toString: 1e300}", "'1e+300'"), ExpressionRow("{$toString: -0.0}", "'-0'"), ExpressionRow("{$toString: 12}", "'12'"),
        ExpressionRow("{$toString: NaN}", "'NaN'"), ExpressionRow("{$toString: {$date: '2018-03-27T16:58:51.538Z'}}", "'2018-03-27T16:58:51.538Z'"),
        ExpressionRow("{$toDate: 120000000000}", "{$date: '1973-10-20T21:20:00Z'}"),
        ExpressionRow("{$toDate: -120000000000.5}", "{$date: '1966-03-14T02:40:00Z'}"),
        ExpressionRow("{$toDate: '2018-03-20'}", "{$date: '2018-03-20T00:00:00Z'}"),
        ExpressionRow("{$toDate: '2018-03-20T11:00:06+05:00'}", "{$date: '2018-03-20T06:00:06Z'}"),
        ExpressionRow("{$toDate: null}", "null"),
        ExpressionRow("{$convert: {input: '5', to: 'int'}}", "5"), ExpressionRow("{$convert: {input: '5', to: 18}}", "5"),
        ExpressionRow("{$convert: {input: 'x', to: 'int', onError: 'bad'}}", "'bad'"),
        ExpressionRow("{$convert: {input: 'x', to: 'int', onError: '$$REMOVE'}}", nil),
        ExpressionRow("{$convert: {input: '$m', to: 'int', onNull: 0}}", "0"),
        ExpressionRow("{$convert: {input: null, to: 'int', onError: 1}}", "null"),
        ExpressionRow("{$convert: {input: 1, to: null}}", "null"),
        ExpressionRow("{$convert: {input: 1, to: 'int', onError: {$divide: [1, 0]}}}", "1")
    ]

    static let failures: [ExpressionFailure] = [
        ExpressionFailure("{$concat: ['a', 1]}", "$concat only supports strings, not int"),
        ExpressionFailure("{$toLower: {}}", "can't convert from BSON type object to String"),
        ExpressionFailure("{$strLenCP: null}", "$strLenCP requires a string argument, found: null"),
        ExpressionFailure("{$strLenBytes: '$m'}", "$strLenBytes requires a string argument, found: missing"),
        ExpressionFailure("{$substrBytes: ['é', 1, 1]}", "starting index is a UTF-8 continuation byte"),
        ExpressionFailure("{$substrBytes: ['é', 0, 1]}", "ending index is in the middle of a UTF-8 character"),
        ExpressionFailure("{$substrBytes: ['a', -1, 1]}", "starting index must be non-negative (got: -1)"),
        ExpressionFailure("{$substrCP: ['a', 0, -1]}", "length must be a nonnegative integer"),
        ExpressionFailure("{$trim: {input: 3}}", "$trim requires its input to be a string, got int instead."),
        ExpressionFailure("{$trim: {input: 'a', char: 'x'}}", "$trim has no argument \"char\""),
        ExpressionFailure("{$trim: {chars: 'x'}}", "Missing 'input' parameter to $trim"),
        ExpressionFailure("{$split: ['a', '']}", "$split requires a non-empty separator"),
        ExpressionFailure("{$split: [1, 'a']}", "as a first argument, found: int"),
        ExpressionFailure("{$indexOfCP: ['a', null]}", "$indexOfCP requires a string as the second argument, found: null"),
        ExpressionFailure("{$indexOfCP: ['a', 'a', -1]}", "requires a nonnegative starting index, found: -1"),
        ExpressionFailure("{$indexOfBytes: ['a', 'a', 'x']}", "requires an integral starting index"),
        ExpressionFailure("{$replaceOne: {input: 1, find: 'a', replacement: 'b'}}", "requires that 'input' be a string, found: int"),
        ExpressionFailure("{$regexMatch: {input: 5, regex: 'a'}}", "needs 'input' to be of type string, found: int"),
        ExpressionFailure("{$regexMatch: {input: 'a', regex: '('}}", "is not a regular expression"),
        ExpressionFailure("{$regexMatch: {input: 'a', regex: 'a', options: 'q'}}", "found \"q\""),
        ExpressionFailure("{$toInt: '5.5'}", "Failed to parse number '5.5' in $convert with no onError value"),
        ExpressionFailure("{$toInt: 2147483648}", "Conversion would overflow target type"),
        ExpressionFailure("{$toInt: NaN}", "Attempt to convert NaN value to integer type"),
        ExpressionFailure("{$toInt: {$date: '2018-03-20'}}", "Unsupported conversion from date to int"),
        ExpressionFailure("{$toLong: '9223372036854775808'}", "Overflow"), ExpressionFailure("{$toLong: ' 5'}", "Failed to parse"),
        ExpressionFailure("{$toLong: 1e19}", "Conversion would overflow"), ExpressionFailure("{$toDouble: '0x10'}", "Failed to parse"),
        ExpressionFailure("{$toDouble: ''}", "Failed to parse"), ExpressionFailure("{$toString: [[1]]}", "Unsupported conversion from array"),
        ExpressionFailure("{$toDate: 'Friday'}", "Error parsing date string 'Friday'"), ExpressionFailure("{$toDate: true}", "Unsupported"),
        ExpressionFailure("{$toDate: '2023-02-29'}", "Error parsing date string"), ExpressionFailure("{$toDate: 1e30}", "overflow"),
        ExpressionFailure("{$convert: {input: 1, to: 'decimals'}}", "it converts to double"),
        ExpressionFailure("{$convert: {input: 1}}", "Missing 'to' parameter to $convert"),
        ExpressionFailure("{$convert: {input: {$divide: [1, 0]}, to: 'int', onError: 1}}", "can't $divide by zero")
    ]

    @Test(arguments: text) func textHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: patterns) func patternsHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: kinds) func kindsHold(_ row: ExpressionRow) throws { try check(row) }
    @Test(arguments: failures) func failuresAreNamed(_ row: ExpressionFailure) throws { try check(row) }
}
