import NexaQuery
import NexaValue
import Testing

/// One row: a filter, and documents it matches and does not match, in relaxed JSON.
struct FilterRow: Sendable, CustomTestStringConvertible {
    let filter: String
    let matching: [String]
    let others: [String]

    init(_ filter: String, _ matching: [String], not others: [String]) {
        self.filter = filter
        self.matching = matching
        self.others = others
    }

    var testDescription: String { filter }
}

/// What MongoDB's manual and its own tests say about each operator.
@Suite struct FilterTableTests {
    static let equality: [FilterRow] = [
        FilterRow("{}", ["{}", "{a: 1}"], not: []),
        FilterRow(
            "{a: 1}", ["{a: 1}", "{a: 1.0}", "{b: 2, a: 1}", "{a: [2, 1]}"],
            not: ["{}", "{a: 2}", "{a: '1'}", "{a: true}", "{a: [[1]]}", "{a: {b: 1}}"]),
        FilterRow("{a: 1.0}", ["{a: 1}"], not: ["{a: 1.5}"]),
        FilterRow("{a: 0}", ["{a: 0}", "{a: -0.0}"], not: ["{a: false}", "{a: null}", "{}"]),
        FilterRow("{a: true}", ["{a: true}"], not: ["{a: 1}", "{a: false}"]),
        FilterRow(
            "{a: 9007199254740993}", ["{a: 9007199254740993}"],
            not: ["{a: 9007199254740992.0}", "{a: 9007199254740992}"]),
        FilterRow(
            "{a: 18446744073709551615}", ["{a: 18446744073709551615}"], not: ["{a: 18446744073709551616.0}", "{a: -1}"]),
        FilterRow("{a: NaN}", ["{a: NaN}", "{a: [1, NaN]}"], not: ["{a: 1}", "{}"]),
        FilterRow("{a: 'x'}", ["{a: 'x'}", "{a: ['y', 'x']}"], not: ["{a: 'xx'}", "{a: 'X'}", "{a: ''}"]),
        FilterRow("{a: ''}", ["{a: ''}"], not: ["{}", "{a: null}"]),
        FilterRow(
            "{a: null}", ["{}", "{a: null}", "{a: [1, null]}", "{b: 1}"],
            not: ["{a: 0}", "{a: []}", "{a: {}}", "{a: [1]}"]),
        FilterRow(
            "{a: {b: 1, c: 2}}", ["{a: {b: 1, c: 2}}", "{a: [{b: 1, c: 2}]}", "{a: {b: 1.0, c: 2}}"],
            not: ["{a: {c: 2, b: 1}}", "{a: {b: 1}}", "{a: {b: 1, c: 2, d: 3}}"]),
        FilterRow("{a: {}}", ["{a: {}}", "{a: [{}]}"], not: ["{}", "{a: {b: 1}}", "{a: []}"]),
        FilterRow(
            "{a: [1, 2]}", ["{a: [1, 2]}", "{a: [[1, 2]]}", "{a: [3, [1, 2]]}"],
            not: ["{a: [2, 1]}", "{a: [1, 2, 3]}", "{a: 1}"]),
        FilterRow("{a: []}", ["{a: []}", "{a: [[]]}"], not: ["{}", "{a: null}", "{a: [1]}"]),
        FilterRow("{a: 1, b: 2}", ["{a: 1, b: 2}", "{b: 2, c: 3, a: 1}"], not: ["{a: 1}", "{b: 2}", "{a: 1, b: 3}"]),
        FilterRow("{a: {$eq: 1}}", ["{a: 1}", "{a: [1]}"], not: ["{a: 2}"]),
        FilterRow("{a: {$eq: {b: {$gt: 1}}}}", ["{a: {b: {$gt: 1}}}"], not: ["{a: {b: 2}}"]),
        FilterRow(
            "{a: {$ne: 1}}", ["{}", "{a: 2}", "{a: 'x'}", "{a: [2, 3]}", "{a: null}"],
            not: ["{a: 1}", "{a: 1.0}", "{a: [1, 2]}"]),
        FilterRow("{a: {$ne: null}}", ["{a: 1}", "{a: []}", "{a: false}"], not: ["{}", "{a: null}", "{a: [null]}"]),
        FilterRow("{'': 1}", ["{'': 1}"], not: ["{a: 1}"]),
        FilterRow(
            "{a_long_field_name: 1}", ["{a_long_field_name: 1}"],
            not: ["{a_long_field_nama: 1}", "{a_long_field_names: 1}", "{a_long_f: 1}"]),
        FilterRow(
            "{a: {$binary: {base64: 'AQI=', subType: '00'}}}", ["{a: {$binary: {base64: 'AQI=', subType: '00'}}}"],
            not: ["{a: {$binary: {base64: 'AQE=', subType: '00'}}}", "{a: 'AQI='}"])
    ]

    static let comparison: [FilterRow] = [
        FilterRow(
            "{a: {$gt: 5}}", ["{a: 6}", "{a: 5.1}", "{a: [1, 6]}", "{a: 18446744073709551615}", "{a: Infinity}"],
            not: ["{a: 5}", "{a: '6'}", "{}", "{a: null}", "{a: true}", "{a: []}", "{a: NaN}"]),
        FilterRow("{a: {$gte: 5}}", ["{a: 5}", "{a: 5.0}", "{a: 6}"], not: ["{a: 4.9}", "{a: NaN}"]),
        FilterRow(
            "{a: {$lt: 5}}", ["{a: 4}", "{a: -1.5}", "{a: [9, 4]}", "{a: -Infinity}"],
            not: ["{a: 5}", "{}", "{a: null}", "{a: '4'}", "{a: NaN}", "{a: false}"]),
        FilterRow("{a: {$lte: 5}}", ["{a: 5}", "{a: 4}"], not: ["{a: 6}", "{}"]),
        FilterRow("{a: {$gt: 1, $lt: 5}}", ["{a: 3}", "{a: [0, 9]}"], not: ["{a: 0}", "{a: 9}", "{a: [0, 1]}"]),
        FilterRow("{a: {$gt: 9007199254740992.0}}", ["{a: 9007199254740993}"], not: ["{a: 9007199254740992}"]),
        FilterRow("{a: {$lt: 9223372036854775808.0}}", ["{a: 9223372036854775807}"], not: ["{a: 9223372036854775808}"]),
        FilterRow("{a: {$gt: NaN}}", [], not: ["{a: 1}", "{a: NaN}", "{a: Infinity}"]),
        FilterRow("{a: {$lt: NaN}}", [], not: ["{a: 1}", "{a: NaN}", "{a: -Infinity}"]),
        FilterRow("{a: {$gte: NaN}}", ["{a: NaN}"], not: ["{a: 1}"]),
        FilterRow("{a: {$lte: NaN}}", ["{a: NaN}"], not: ["{a: 1}"]),
        FilterRow(
            "{a: {$gt: 'b'}}", ["{a: 'c'}", "{a: 'ba'}", "{a: 'é'}"], not: ["{a: 'b'}", "{a: 'B'}", "{a: 5}", "{}"]),
        FilterRow("{a: {$lt: 'b'}}", ["{a: 'a'}", "{a: ''}", "{a: 'B'}"], not: ["{a: 'b'}", "{a: 1}", "{}"]),
        FilterRow("{a: {$gt: null}}", [], not: ["{a: null}", "{}", "{a: 1}"]),
        FilterRow("{a: {$gte: null}}", ["{a: null}", "{}", "{a: [null]}"], not: ["{a: 1}", "{a: []}"]),
        FilterRow("{a: {$gt: false}}", ["{a: true}"], not: ["{a: false}", "{a: 1}"]),
        FilterRow(
            "{a: {$gt: [1, 2]}}", ["{a: [1, 3]}", "{a: [2]}", "{a: [1, 2, 0]}", "{a: [[1, 3]]}"],
            not: ["{a: [1, 2]}", "{a: [1]}", "{a: 5}"]),
        FilterRow(
            "{a: {$lt: {b: 5}}}", ["{a: {b: 4}}", "{a: {}}", "{a: {a: 9}}"],
            not: ["{a: {b: 5}}", "{a: {c: 1}}", "{a: 1}", "{a: {b: 'x'}}"]),
        FilterRow(
            "{a: {$not: {$gt: 5}}}", ["{}", "{a: 5}", "{a: 'x'}", "{a: null}", "{a: NaN}"],
            not: ["{a: 6}", "{a: [1, 6]}"]),
        FilterRow(
            "{a: {$not: {$gt: 1, $lt: 5}}}", ["{}", "{a: 0}", "{a: 9}", "{a: [0, 1]}"], not: ["{a: 3}", "{a: [0, 9]}"]),
        FilterRow("{a: {$not: {$not: {$gt: 5}}}}", ["{a: 6}"], not: ["{}", "{a: 5}"]),
        FilterRow("{a: {$not: {$ne: 1}}}", ["{a: 1}", "{a: [1, 2]}"], not: ["{}", "{a: 2}"])
    ]

    static let lists: [FilterRow] = [
        FilterRow(
            "{a: {$in: [1, 'x']}}", ["{a: 1}", "{a: 1.0}", "{a: 'x'}", "{a: [5, 'x']}"],
            not: ["{a: 2}", "{}", "{a: null}", "{a: true}"]),
        FilterRow("{a: {$in: []}}", [], not: ["{}", "{a: []}", "{a: 1}"]),
        FilterRow("{a: {$in: [null]}}", ["{}", "{a: null}", "{a: [null, 1]}"], not: ["{a: 1}", "{a: []}"]),
        FilterRow(
            "{a: {$in: [[1, 2], 9]}}", ["{a: [1, 2]}", "{a: [[1, 2]]}", "{a: [9]}"],
            not: ["{a: [2, 1]}", "{a: 1}", "{a: [1, 2, 3]}"]),
        FilterRow("{a: {$in: [{b: 1}]}}", ["{a: {b: 1}}", "{a: [{b: 1}]}"], not: ["{a: {b: 1, c: 2}}"]),
        FilterRow("{a: {$in: [NaN]}}", ["{a: NaN}"], not: ["{a: 1}"]),
        FilterRow(
            "{a: {$nin: [1, 2]}}", ["{}", "{a: 3}", "{a: 'x'}", "{a: []}"], not: ["{a: 1}", "{a: 2.0}", "{a: [3, 2]}"]),
        FilterRow("{a: {$nin: [null]}}", ["{a: 1}", "{a: []}"], not: ["{}", "{a: null}"]),
        FilterRow("{a: {$nin: []}}", ["{}", "{a: 1}"], not: []),
        FilterRow(
            "{a: {$all: [1, 2]}}", ["{a: [2, 1, 3]}", "{a: [1.0, 2]}"],
            not: ["{a: [1]}", "{a: 1}", "{}", "{a: [[1, 2]]}"]),
        FilterRow("{a: {$all: [1]}}", ["{a: 1}", "{a: [1]}"], not: ["{a: 2}"]),
        FilterRow("{a: {$all: []}}", [], not: ["{}", "{a: []}", "{a: 1}"]),
        FilterRow("{a: {$all: [[1, 2]]}}", ["{a: [[1, 2]]}", "{a: [1, 2]}"], not: ["{a: [2, 1]}"]),
        FilterRow(
            "{a: {$all: [{$elemMatch: {x: 1, y: 2}}, {$elemMatch: {x: 3}}]}}", ["{a: [{x: 1, y: 2}, {x: 3}]}"],
            not: ["{a: [{x: 1, y: 2}]}", "{a: [{x: 1}, {y: 2}, {x: 3}]}"]),
        FilterRow("{a: {$not: {$all: [1, 2]}}}", ["{}", "{a: [1]}"], not: ["{a: [1, 2]}"]),
        FilterRow(
            "{a: {$size: 2}}", ["{a: [1, 2]}", "{a: [[], []]}"],
            not: ["{a: [1]}", "{a: []}", "{a: 2}", "{}", "{a: 'xy'}", "{a: [[1, 2]]}"]),
        FilterRow("{a: {$size: 0}}", ["{a: []}"], not: ["{}", "{a: null}", "{a: {}}"]),
        FilterRow(
            "{a: {$elemMatch: {$gt: 1, $lt: 5}}}", ["{a: [3]}", "{a: [9, 2]}"],
            not: ["{a: [0, 9]}", "{a: 3}", "{a: []}", "{a: [[3]]}", "{}"]),
        FilterRow("{a: {$elemMatch: {$ne: 1}}}", ["{a: [1, 2]}"], not: ["{a: [1]}", "{a: []}", "{a: 2}"]),
        FilterRow("{a: {$elemMatch: {$not: {$gt: 5, $lt: 9}}}}", ["{a: [7, 1]}"], not: ["{a: [7]}"]),
        FilterRow(
            "{a: {$elemMatch: {b: 1, c: 2}}}", ["{a: [{b: 1, c: 2}]}", "{a: [5, {c: 2, b: [1]}]}"],
            not: ["{a: [{b: 1}, {c: 2}]}", "{a: {b: 1, c: 2}}", "{a: [1]}"]),
        FilterRow(
            "{a: {$elemMatch: {$or: [{b: 1}, {c: 2}]}}}", ["{a: [{b: 1}]}", "{a: [{c: 2}]}"],
            not: ["{a: [{b: 2}]}", "{a: []}"]),
        FilterRow("{a: {$elemMatch: {}}}", ["{a: [{}]}", "{a: [{b: 1}]}"], not: ["{a: [1]}", "{a: []}", "{}"]),
        FilterRow("{a: {$elemMatch: {'0': 5}}}", ["{a: [[5]]}", "{a: [{'0': 5}]}"], not: ["{a: [5]}", "{a: [[1, 5]]}"]),
        FilterRow("{a: {$elemMatch: {$elemMatch: {$gt: 3}}}}", ["{a: [[1, 4]]}"], not: ["{a: [4]}", "{a: [[1]]}"]),
        FilterRow("{a: {$not: {$elemMatch: {b: 1}}}}", ["{}", "{a: [{b: 2}]}"], not: ["{a: [{b: 1}]}"])
    ]

    static let kinds: [FilterRow] = [
        FilterRow("{a: {$exists: true}}", ["{a: 1}", "{a: null}", "{a: []}", "{a: false}"], not: ["{}", "{b: 1}"]),
        FilterRow("{a: {$exists: false}}", ["{}", "{b: 1}"], not: ["{a: null}", "{a: 1}"]),
        FilterRow("{a: {$exists: 1}}", ["{a: 1}"], not: ["{}"]),
        FilterRow("{a: {$exists: 0}}", ["{}"], not: ["{a: 1}"]),
        FilterRow(
            "{'a.b': {$exists: true}}", ["{a: {b: null}}", "{a: [{c: 1}, {b: 1}]}"],
            not: ["{a: {}}", "{a: 1}", "{a: []}", "{a: [1]}", "{}"]),
        FilterRow(
            "{'a.b': {$exists: false}}", ["{}", "{a: []}", "{a: [1]}", "{a: [{c: 1}]}"],
            not: ["{a: {b: 1}}", "{a: [{c: 1}, {b: 1}]}"]),
        FilterRow("{a: {$type: 'string'}}", ["{a: 'x'}", "{a: [1, 'x']}"], not: ["{a: 1}", "{}", "{a: null}"]),
        FilterRow("{a: {$type: 2}}", ["{a: 'x'}"], not: ["{a: 2}"]),
        FilterRow(
            "{a: {$type: 'number'}}", ["{a: 1}", "{a: 1.5}", "{a: 18446744073709551615}"],
            not: ["{a: '1'}", "{a: true}"]),
        FilterRow("{a: {$type: 'double'}}", ["{a: 1.0}"], not: ["{a: 1}"]),
        FilterRow("{a: {$type: 'long'}}", ["{a: 1}"], not: ["{a: 1.0}"]),
        FilterRow("{a: {$type: 'array'}}", ["{a: []}", "{a: [1]}", "{a: [[]]}"], not: ["{a: 1}", "{a: {}}"]),
        FilterRow("{a: {$type: 'object'}}", ["{a: {}}", "{a: [{}]}"], not: ["{a: []}", "{a: [1]}"]),
        FilterRow("{a: {$type: ['bool', 'null']}}", ["{a: true}", "{a: null}"], not: ["{a: 0}", "{}"]),
        FilterRow("{a: {$type: 'binData'}}", ["{a: {$binary: {base64: '', subType: '00'}}}"], not: ["{a: ''}"]),
        FilterRow(
            "{a: {$mod: [4, 1]}}", ["{a: 5}", "{a: 1}", "{a: 5.9}", "{a: [2, 9]}"],
            not: ["{a: 4}", "{a: -3}", "{a: '5'}", "{}", "{a: NaN}", "{a: Infinity}"]),
        FilterRow("{a: {$mod: [4, -3]}}", ["{a: -3}", "{a: -7}"], not: ["{a: 3}", "{a: 1}"]),
        FilterRow(
            "{a: {$mod: [-1, 0]}}", ["{a: -9223372036854775808}", "{a: 3}", "{a: 18446744073709551615}"],
            not: ["{a: 'x'}"]),
        FilterRow(
            "{a: {$mod: [10, 5]}}", ["{a: 18446744073709551615}"], not: ["{a: 18446744073709551614}", "{a: 1e300}"])
    ]

    static let paths: [FilterRow] = [
        FilterRow(
            "{'a.b': 1}", ["{a: {b: 1}}", "{a: [{b: 1}]}", "{a: [{b: 2}, {b: [1]}]}", "{a: {c: 0, b: [2, 1]}}"],
            not: ["{a: 1}", "{a: {c: 1}}", "{'a.b': 1}", "{a: [[{b: 1}]]}", "{}", "{a: [1]}"]),
        FilterRow(
            "{'a.b.c': 1}", ["{a: {b: {c: 1}}}", "{a: [{b: [{c: 1}]}]}", "{a: {b: [{c: 0}, {c: 1}]}}"],
            not: ["{a: {b: 1}}", "{a: {b: {}}}"]),
        FilterRow(
            "{'a.0': 5}", ["{a: [5, 6]}", "{a: {'0': 5}}", "{a: [{'0': 5}]}"],
            not: ["{a: [6, 5]}", "{a: 5}", "{a: []}", "{a: [[5]]}"]),
        FilterRow(
            "{'a.1.b': 5}", ["{a: [1, {b: 5}]}", "{a: [{'1': {b: 5}}]}", "{a: [0, {b: [4, 5]}]}"],
            not: ["{a: [{b: 5}]}", "{a: [{b: 5}, 1]}"]),
        FilterRow("{'a.0.1': 5}", ["{a: [[4, 5]]}", "{a: {'0': [4, 5]}}"], not: ["{a: [4, 5]}", "{a: [[5, 4]]}"]),
        FilterRow("{'a.00': 5}", ["{a: {'00': 5}}"], not: ["{a: [5]}"]),
        FilterRow("{'a.0': [5]}", ["{a: [[5]]}"], not: ["{a: [5]}", "{a: [[[5]]]}"]),
        FilterRow(
            "{'a.b': null}",
            ["{}", "{a: 1}", "{a: {}}", "{a: {b: null}}", "{a: [{c: 1}]}", "{a: [{b: 1}, {}]}", "{a: null}"],
            not: ["{a: {b: 1}}", "{a: []}", "{a: [1]}", "{a: [{b: 1}]}"]),
        FilterRow(
            "{'a.b': {$ne: 1}}", ["{}", "{a: {b: 2}}", "{a: []}", "{a: [{b: 2}, {}]}"],
            not: ["{a: {b: 1}}", "{a: [{b: 2}, {b: 1}]}"]),
        FilterRow(
            "{'a.b': {$gt: 1, $lt: 3}}", ["{a: {b: 2}}", "{a: [{b: 9}, {b: 0}]}"], not: ["{a: [{b: 9}, {b: 4}]}"]),
        FilterRow(
            "{'a.b': {$size: 2}}", ["{a: {b: [1, 2]}}", "{a: [{b: 1}, {b: [1, 2]}]}"], not: ["{a: [{b: 1}, {b: 2}]}"]),
        FilterRow(
            "{'a.b': {$elemMatch: {c: 1}}}", ["{a: {b: [{c: 1}]}}", "{a: [{b: [{c: 1}]}]}"], not: ["{a: {b: {c: 1}}}"]),
        FilterRow("{'a.0': {$exists: true}}", ["{a: [1]}", "{a: {'0': null}}"], not: ["{a: []}", "{a: 1}"]),
        FilterRow("{a: 1, 'a.b': 2}", ["{a: [1, {b: 2}]}"], not: ["{a: {b: 2}}", "{a: 1}"]),
        FilterRow(
            "{'ключ.é': 'ü'}", ["{ключ: {é: 'ü'}}"], not: ["{ключ: {'e\\u0301': 'ü'}}", "{ключ: {é: 'u\\u0308'}}"])
    ]

    static let logic: [FilterRow] = [
        FilterRow("{$and: [{a: 1}, {b: 2}]}", ["{a: 1, b: 2}"], not: ["{a: 1}", "{b: 2}"]),
        FilterRow(
            "{$and: [{a: {$gt: 1}}, {a: {$lt: 3}}], c: 1}", ["{a: 2, c: 1}", "{a: [0, 9], c: 1}"],
            not: ["{a: 2}", "{a: 3, c: 1}"]),
        FilterRow("{$or: [{a: 1}, {b: 2}]}", ["{a: 1}", "{b: 2}", "{a: 1, b: 2}"], not: ["{}", "{a: 2}"]),
        FilterRow("{$or: [{a: 1}, {}]}", ["{}", "{a: 2}"], not: []),
        FilterRow("{$nor: [{a: 1}, {b: 2}]}", ["{}", "{a: 2, b: 1}"], not: ["{a: 1}", "{b: 2}"]),
        FilterRow(
            "{c: 3, $or: [{a: 1}, {$and: [{b: 2}, {$nor: [{d: 4}]}]}]}", ["{a: 1, c: 3}", "{b: 2, c: 3}"],
            not: ["{a: 1}", "{b: 2, c: 3, d: 4}", "{c: 3}"]),
        FilterRow("{$nor: [{$nor: [{a: 1}]}]}", ["{a: 1}"], not: ["{}"]),
        FilterRow("{$and: [{}]}", ["{}"], not: [])
    ]

    static let patterns: [FilterRow] = [
        FilterRow(
            "{a: {$regex: 'b+'}}", ["{a: 'abbc'}", "{a: ['x', 'b']}"],
            not: ["{a: 'ac'}", "{a: 5}", "{}", "{a: null}", "{a: 'B'}", "{a: {b: 'b'}}"]),
        FilterRow("{a: {$regex: '^b', $options: 'i'}}", ["{a: 'Bc'}", "{a: 'b'}"], not: ["{a: 'ab'}"]),
        FilterRow("{a: {$options: 'i', $regex: 'É'}}", ["{a: 'café'}"], not: ["{a: 'cafe'}"]),
        FilterRow("{a: {$regex: '^b$', $options: 'm'}}", ["{a: 'a\\nb\\nc'}"], not: ["{a: 'ab'}"]),
        FilterRow("{a: {$regex: '^b$'}}", ["{a: 'b'}"], not: ["{a: 'a\\nb\\nc'}"]),
        FilterRow("{a: {$regex: 'a.b', $options: 's'}}", ["{a: 'a\\nb'}"], not: ["{a: 'ab'}"]),
        FilterRow("{a: {$regex: 'a.b'}}", ["{a: 'a€b'}"], not: ["{a: 'a\\nb'}"]),
        FilterRow("{a: {$regex: 'a b # c', $options: 'x'}}", ["{a: 'ab'}"], not: ["{a: 'a b'}"]),
        FilterRow("{a: {$regex: '(?i)ABC'}}", ["{a: 'xabcx'}"], not: ["{a: 'ab'}"]),
        FilterRow("{a: {$regex: ''}}", ["{a: ''}", "{a: 'x'}"], not: ["{}", "{a: 1}"]),
        FilterRow("{a: {$regex: '^..$'}}", ["{a: '𝄞é'}"], not: ["{a: '𝄞'}"]),
        FilterRow("{a: {$regex: 'x', $ne: 'xy'}}", ["{a: 'x'}"], not: ["{a: 'xy'}", "{a: 'a'}"]),
        FilterRow("{a: {$not: {$regex: 'x'}}}", ["{a: 'y'}", "{}", "{a: 1}"], not: ["{a: 'ax'}", "{a: ['y', 'x']}"]),
        FilterRow("{a: {$elemMatch: {$regex: 'x'}}}", ["{a: ['y', 'x']}"], not: ["{a: 'x'}"]),
        FilterRow("{'a.b': {$regex: '\\\\d{3}'}}", ["{a: [{b: 'x123'}]}"], not: ["{a: {b: '12'}}"])
    ]

    @Test(arguments: equality + comparison + lists + kinds + paths + logic + patterns)
    func matchesAsMongoDBDoes(row: FilterRow) throws {
        let filter = try QueryFilter(compiling: relaxed(row.filter))
        for document in row.matching {
            #expect(try filter.matches(relaxed(document)), "must match \(document)")
        }
        for document in row.others {
            #expect(try !filter.matches(relaxed(document)), "must not match \(document)")
        }
    }

    @Test func timestampsAndExtensionsHaveTheirOwnKinds() throws {
        let noon = Value.timestamp(Timestamp(seconds: 1000, nanoseconds: 5))
        let later = Value.timestamp(Timestamp(seconds: 1000, nanoseconds: 6))
        #expect(try QueryFilter(compiling: ["a": noon]).matches(["a": noon]))
        #expect(try QueryFilter(compiling: ["a": ["$gt": noon]]).matches(["a": later]))
        #expect(try !QueryFilter(compiling: ["a": ["$gt": noon]]).matches(["a": 5000]))
        #expect(try QueryFilter(compiling: ["a": ["$type": "date"]]).matches(["a": later]))
        let early = Value.timestamp(Timestamp(seconds: -5, nanoseconds: 5))
        #expect(try QueryFilter(compiling: ["a": ["$lt": noon]]).matches(["a": early]))
        let extended = Value.extended(ExtendedValue(type: 5, bytes: [1, 2]))
        #expect(try QueryFilter(compiling: ["a": extended]).matches(["a": [extended]]))
        #expect(try !QueryFilter(compiling: ["a": extended]).matches(["a": noon]))
        #expect(try !QueryFilter(compiling: ["a": ["$lt": noon]]).matches(["a": extended]))
    }

    @Test func vectorsCompareAsArrays() throws {
        #expect(try QueryFilter(compiling: ["a": .vector([1, 2.5])]).matches(["a": [1, 2.5]]))
        #expect(try QueryFilter(compiling: ["a": ["$size": 2]]).matches(["a": .vector([1, 2.5])]))
    }

    @Test func moreThan64FieldsAreAllTested() throws {
        var fields = Document()
        for index in 0..<200 { fields["field\(index)"] = .int(Int64(index)) }
        let filter = try QueryFilter(compiling: fields)
        #expect(try filter.matches(Document(fields.reversed().map { ($0.key, $0.value) })))
        for index in [0, 63, 64, 65, 127, 128, 199] {
            var changed = fields
            changed["field\(index)"] = 1000
            #expect(try !filter.matches(changed), "field \(index) changed")
            changed["field\(index)"] = nil
            #expect(try !filter.matches(changed), "field \(index) missing")
        }
    }
}
