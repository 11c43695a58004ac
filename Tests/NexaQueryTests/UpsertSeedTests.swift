import NexaQuery
import NexaValue
import Testing

@Suite struct UpsertSeedTests {
    @Test(arguments: [
        ("{}", "{}"), ("{a: 1, b: {$gt: 2}}", "{a: 1}"), ("{a: {$eq: 1}}", "{a: 1}"), ("{a: {x: 1}}", "{a: {x: 1}}"),
        ("{'a.b': 1, 'a.c': 2}", "{a: {b: 1, c: 2}}"), ("{'a.0': 1}", "{a: {'0': 1}}"),
        ("{$and: [{a: 1}, {$and: [{b: 2}]}]}", "{a: 1, b: 2}"), ("{$or: [{a: 1}]}", "{a: 1}"),
        ("{$or: [{a: 1}, {b: 1}]}", "{}"), ("{$nor: [{a: 1}]}", "{}"), ("{a: {$in: [1]}}", "{a: 1}"),
        ("{a: {$in: [1, 2]}}", "{}"), ("{a: {$all: [1]}}", "{a: 1}"), ("{a: {$not: {$eq: 1}}}", "{}"),
        ("{a: {$all: [{$elemMatch: {x: 1}}]}}", "{}"), ("{_id: 'x', a: null}", "{_id: 'x', a: null}"),
        ("{a: {$gt: 1, $eq: 5}}", "{a: 5}"), ("{a: [1, 2]}", "{a: [1, 2]}")
    ])
    func takesEqualities(filter: String, expected: String) throws {
        #expect(try UpsertSeed.document(for: relaxed(filter)) == relaxed(expected))
    }

    @Test(arguments: [
        ("{$and: [{a: 1}, {a: 1}]}", "cannot infer query fields to set, path 'a' is matched twice"),
        ("{a: {$all: [1, 2]}}", "cannot infer query fields to set, path 'a' is matched twice"),
        ("{a: {b: 1}, 'a.b': 1}", "cannot infer query fields to set, both paths 'a' and 'a.b' are matched")
    ])
    func refusesTwoAnswers(filter: String, message: String) throws {
        let filter = try relaxed(filter)
        #expect(QueryError.of { _ = try UpsertSeed.document(for: filter) }?.message == message)
    }

    @Test func operatorsApplyToNewDocuments() throws {
        let program = try UpdateProgram(compiling: [
            "$setOnInsert": ["a": 1, "b.c": 2], "$inc": ["n": 5], "$unset": ["gone": 1]
        ])
        var document: Document = ["_id": "x", "gone": 1, "n": 2]
        try program.apply(toNew: &document, now: Timestamp(seconds: 0))
        #expect(document == ["_id": "x", "n": 7, "a": 1, "b": ["c": 2]])
        var other: Document = ["_id": "x"]
        let changing = try UpdateProgram(compiling: ["$set": ["_id": "y"]])
        #expect(QueryError.of { try changing.apply(toNew: &other, now: Timestamp(seconds: 0)) }?.code == .notApplicable)
        var new: Document = [:]
        try changing.apply(toNew: &new, now: Timestamp(seconds: 0))
        #expect(new == ["_id": "y"])
    }
}

@Suite struct MatchedIndexTests {
    @Test(arguments: [
        ("{a: 5}", "{a: [1, 5, 5]}", 1), ("{'a.b': 2}", "{a: [{b: 1}, {b: 2}]}", 1),
        ("{a: {$elemMatch: {b: 2, c: 1}}}", "{a: [{b: 2}, {b: 2, c: 1}]}", 1),
        ("{a: {$elemMatch: {$gt: 2, $lt: 5}}}", "{a: [1, 9, 3]}", 2),
        ("{a: 5}", "{a: 5}", nil), ("{x: 1}", "{x: 1, a: [1]}", nil), ("{x: 1, a: {$gt: 3}}", "{x: 1, a: [1, 4]}", 1),
        ("{'a.b.c': 7}", "{a: {b: [{c: 1}, {c: 7}]}}", 1), ("{'a.b': 7}", "{a: [{b: 1}, {b: [1, 7]}]}", 1),
        ("{'a.0.b': 7}", "{a: [{b: [1, 7]}]}", 1), ("{$and: [{a: 1}, {b: 3}]}", "{a: [1], b: [2, 3]}", 1),
        ("{$or: [{a: 9}, {b: 3}]}", "{a: [1, 2], b: [2, 3]}", 1), ("{a: {$ne: 9}}", "{a: [1]}", nil),
        ("{a: {$in: [3, 2]}}", "{a: [1, 2, 3]}", 1), ("{a: null}", "{a: [1, null]}", 1),
        ("{'a.b': null}", "{a: [{b: 1}, {c: 1}]}", 1), ("{a: {$size: 2}}", "{a: [1, 2]}", nil),
        ("{a: {$all: [3, 2]}}", "{a: [1, 2, 3]}", 1), ("{a: [1, 2]}", "{a: [0, [1, 2]]}", 1)
    ])
    func isFound(filter: String, document: String, expected: Int?) throws {
        let filter = try QueryFilter(compiling: relaxed(filter))
        let bytes = try MessagePack.encode(relaxed(document))
        #expect(try filter.matches(bytes.span.bytes))
        #expect(try filter.matchedIndex(in: bytes.span.bytes) == expected)
    }
}
