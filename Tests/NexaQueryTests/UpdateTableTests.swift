import NexaQuery
import NexaValue
import TestKit
import Testing

/// What an update makes of a document: the document, or the message of the refusal.
func updated(
    _ document: Document, _ update: Document, filters: [Document] = [], matchedIndex: Int? = nil
) throws -> Document? {
    let program = try UpdateProgram(compiling: update, arrayFilters: filters)
    let bytes = MessagePack.encode(document)
    let changes = try program.changes(
        to: bytes.span.bytes, matchedIndex: matchedIndex, now: Timestamp(seconds: 1_000))
    guard let changes else { return nil }
    var result = document
    for name in changes.removed {
        #expect(result[name] != nil)
        result[name] = nil
    }
    for (name, value) in try MessagePack.decodeDocument(changes.fields) { result[name] = .some(value) }
    return result
}

/// One row: a document, an update and what comes of it, in relaxed JSON; "same" for no change.
private func check(_ document: String, _ update: String, _ expected: String, filters: [String] = []) throws {
    let result = try updated(relaxed(document), relaxed(update), filters: filters.map(relaxed))
    guard expected != "same" else {
        #expect(result == nil)
        return
    }
    #expect(try result == relaxed(expected))
}

@Suite struct UpdateTableTests {
    @Test(arguments: [
        ("{a: 1}", "{$set: {a: 2}}", "{a: 2}"), ("{a: 1}", "{$set: {a: 1}}", "same"),
        ("{a: 1}", "{$set: {a: 1.0}}", "{a: 1.0}"), ("{a: 1}", "{$set: {}}", "same"), ("{a: 1}", "{}", "same"),
        ("{}", "{$set: {b: 1, a: 2}}", "{a: 2, b: 1}"), ("{a: 1}", "{$set: {'b.c.d': 1}}", "{a: 1, b: {c: {d: 1}}}"),
        ("{a: {b: 1}}", "{$set: {'a.c': 2}}", "{a: {b: 1, c: 2}}"),
        ("{a: [1, 2]}", "{$set: {'a.1': 5}}", "{a: [1, 5]}"),
        ("{a: [1]}", "{$set: {'a.3': 5}}", "{a: [1, null, null, 5]}"), ("{}", "{$set: {'a.1': 5}}", "{a: {'1': 5}}"),
        ("{a: [{b: 1}]}", "{$set: {'a.0.b': 2, 'a.0.c': 3}}", "{a: [{b: 2, c: 3}]}"),
        ("{a: null}", "{$set: {a: null}}", "same"), ("{a: 'e\u{301}'}", "{$set: {a: 'é'}}", "{a: 'é'}"),
        ("{a: 1, b: 2}", "{$unset: {a: 1}}", "{b: 2}"), ("{b: 2}", "{$unset: {a: 1, 'b.c': '', 'x.y': ''}}", "same"),
        ("{a: {b: 1, c: 2}}", "{$unset: {'a.b': 1}}", "{a: {c: 2}}"),
        ("{a: {b: 1}}", "{$unset: {'a.b': 1}}", "{a: {}}"),
        ("{a: [1, 2, 3]}", "{$unset: {'a.1': 1}}", "{a: [1, null, 3]}"), ("{a: [1]}", "{$unset: {'a.7': 1}}", "same"),
        ("{a: 1, b: 1, c: 1, d: 1}", "{$unset: {a: 1, c: 1, d: 1}}", "{b: 1}"),
        ("{a: 1}", "{$setOnInsert: {a: 5, b: 5}}", "same")
    ])
    func fields(document: String, update: String, expected: String) throws { try check(document, update, expected) }

    @Test(arguments: [
        ("{a: 1}", "{$inc: {a: 2, b: -3}}", "{a: 3, b: -3}"), ("{a: 1}", "{$inc: {a: 0}}", "same"),
        ("{a: 1}", "{$inc: {a: 0.5}}", "{a: 1.5}"), ("{a: 1}", "{$inc: {a: 0.0}}", "{a: 1.0}"),
        ("{a: 1.5}", "{$inc: {a: 1}}", "{a: 2.5}"), ("{a: {b: 1}}", "{$inc: {'a.b': 1}}", "{a: {b: 2}}"),
        ("{a: 9223372036854775806}", "{$inc: {a: 1}}", "{a: 9223372036854775807}"),
        ("{a: 9223372036854775808}", "{$inc: {a: 1}}", "{a: 9223372036854775809}"),
        ("{a: 9223372036854775808}", "{$inc: {a: -1}}", "{a: 9223372036854775807}"),
        ("{a: 3}", "{$mul: {a: 4}}", "{a: 12}"), ("{}", "{$mul: {a: 4}}", "{a: 0}"),
        ("{}", "{$mul: {a: 4.5}}", "{a: 0.0}"), ("{a: 3}", "{$mul: {a: 0.5}}", "{a: 1.5}"),
        ("{a: 3}", "{$mul: {a: 1}}", "same"),
        ("{a: 3}", "{$min: {a: 2}}", "{a: 2}"), ("{a: 3}", "{$min: {a: 3.0}}", "same"),
        ("{a: 3}", "{$max: {a: 4}}", "{a: 4}"), ("{a: 3}", "{$max: {a: 2}}", "same"),
        ("{}", "{$min: {a: 2}, $max: {b: 1}}", "{a: 2, b: 1}"), ("{a: 3}", "{$max: {a: 'x'}}", "{a: 'x'}"),
        ("{a: 3}", "{$min: {a: null}}", "{a: null}"), ("{a: [1]}", "{$max: {a: 5}}", "same"),
        ("{a: 13}", "{$bit: {a: {and: 10}}}", "{a: 8}"), ("{a: 3}", "{$bit: {a: {or: 5}}}", "{a: 7}"),
        ("{a: 1}", "{$bit: {a: {xor: 5}}}", "{a: 4}"), ("{}", "{$bit: {a: {or: 5}}}", "{a: 5}"),
        ("{}", "{$bit: {a: {and: 5}}}", "{a: 0}"), ("{a: 7}", "{$bit: {a: {and: 3, or: 8}}}", "{a: 11}")
    ])
    func numbers(document: String, update: String, expected: String) throws { try check(document, update, expected) }

    @Test(arguments: [
        ("{a: 1, b: 2}", "{$rename: {a: 'c'}}", "{b: 2, c: 1}"), ("{a: 1, b: 2}", "{$rename: {a: 'b'}}", "{b: 1}"),
        ("{b: 2}", "{$rename: {a: 'b'}}", "same"), ("{a: {b: 1}}", "{$rename: {'a.b': 'c.d'}}", "{a: {}, c: {d: 1}}"),
        ("{a: {b: 1, c: 2}}", "{$rename: {'a.b': 'a.d'}}", "{a: {c: 2, d: 1}}"),
        ("{a: [1]}", "{$rename: {a: 'b'}}", "{b: [1]}"),
        ("{a: 1, b: 1}", "{$rename: {a: 'c', b: 'd'}, $set: {e: 1}}", "{c: 1, d: 1, e: 1}"),
        ("{a: 1}", "{$rename: {'x.y': 'b.c'}}", "same")
    ])
    func renames(document: String, update: String, expected: String) throws { try check(document, update, expected) }

    @Test(arguments: [
        ("{a: [1]}", "{$push: {a: 2}}", "{a: [1, 2]}"), ("{}", "{$push: {a: 2}}", "{a: [2]}"),
        ("{a: [1]}", "{$push: {a: [2, 3]}}", "{a: [1, [2, 3]]}"), ("{a: []}", "{$push: {a: {b: 1}}}", "{a: [{b: 1}]}"),
        ("{a: [1]}", "{$push: {a: {$each: [2, 3]}}}", "{a: [1, 2, 3]}"),
        ("{a: [1]}", "{$push: {a: {$each: []}}}", "same"),
        ("{}", "{$push: {a: {$each: []}}}", "{a: []}"),
        ("{a: [1, 2]}", "{$push: {a: {$each: [8, 9], $position: 0}}}", "{a: [8, 9, 1, 2]}"),
        ("{a: [1, 2]}", "{$push: {a: {$each: [8], $position: -1}}}", "{a: [1, 8, 2]}"),
        ("{a: [1, 2]}", "{$push: {a: {$each: [8], $position: -9}}}", "{a: [8, 1, 2]}"),
        ("{a: [1, 2]}", "{$push: {a: {$each: [8], $position: 9}}}", "{a: [1, 2, 8]}"),
        ("{a: [1, 2]}", "{$push: {a: {$each: [3], $slice: 2}}}", "same"),
        ("{a: [1, 2]}", "{$push: {a: {$each: [3], $slice: -2}}}", "{a: [2, 3]}"),
        ("{a: [1, 2]}", "{$push: {a: {$each: [3], $slice: 0}}}", "{a: []}"),
        ("{a: [1]}", "{$push: {a: {$each: [], $slice: -9223372036854775808}}}", "same"),
        ("{a: [3, 1]}", "{$push: {a: {$each: [2], $sort: 1}}}", "{a: [1, 2, 3]}"),
        ("{a: [3, 1]}", "{$push: {a: {$each: [2], $sort: -1, $slice: 2}}}", "{a: [3, 2]}"),
        (
            "{a: [{n: 1, s: 2}, {n: 2, s: 1}]}", "{$push: {a: {$each: [{n: 3, s: 2}], $sort: {s: 1, n: -1}}}}",
            "{a: [{n: 2, s: 1}, {n: 3, s: 2}, {n: 1, s: 2}]}"
        ),
        ("{a: [{b: 1}, 5]}", "{$push: {a: {$each: [], $sort: {b: 1}}}}", "{a: [5, {b: 1}]}"),
        ("{a: [1]}", "{$addToSet: {a: 2}}", "{a: [1, 2]}"), ("{a: [1]}", "{$addToSet: {a: 1.0}}", "same"),
        ("{}", "{$addToSet: {a: {$each: [1, 1, 2]}}}", "{a: [1, 2]}"),
        ("{a: [1]}", "{$addToSet: {a: {$each: [1, 2, 3, 2]}}}", "{a: [1, 2, 3]}"),
        ("{a: []}", "{$addToSet: {a: [1]}}", "{a: [[1]]}"),
        ("{a: [{x: 1, y: 2}]}", "{$addToSet: {a: {y: 2, x: 1}}}", "{a: [{x: 1, y: 2}, {y: 2, x: 1}]}"),
        ("{a: [1, 2, 1.0]}", "{$pull: {a: 1}}", "{a: [2]}"), ("{a: [1, 2]}", "{$pull: {a: 3}}", "same"),
        ("{a: [1, 5, 9]}", "{$pull: {a: {$gte: 5}}}", "{a: [1]}"),
        ("{a: [1, 5, 9]}", "{$pull: {a: {$in: [1, 9]}}}", "{a: [5]}"),
        (
            "{a: [{x: 1, y: 1}, {x: 2}, 5]}", "{$pull: {a: {x: {$gte: 1}, y: 1}}}", "{a: [{x: 2}, 5]}"
        ),
        ("{a: [{x: 1}, {x: 2}]}", "{$pull: {a: {$or: [{x: 2}, {x: 3}]}}}", "{a: [{x: 1}]}"),
        ("{a: [[1], 1]}", "{$pull: {a: [1]}}", "{a: [1]}"), ("{}", "{$pull: {a: 1}}", "same"),
        ("{a: ['ab', 'b']}", "{$pull: {a: {$regex: '^a'}}}", "{a: ['b']}"),
        ("{a: [1, 2, 1, 3]}", "{$pullAll: {a: [1, 3.0]}}", "{a: [2]}"), ("{}", "{$pullAll: {a: [1]}}", "same"),
        ("{a: [1, 2]}", "{$pop: {a: 1}}", "{a: [1]}"), ("{a: [1, 2]}", "{$pop: {a: -1}}", "{a: [2]}"),
        ("{a: []}", "{$pop: {a: 1}}", "same"), ("{}", "{$pop: {a: 1, 'b.c': -1}}", "same")
    ])
    func arrays(document: String, update: String, expected: String) throws { try check(document, update, expected) }

    @Test(arguments: [
        ("{a: [1, 2]}", "{$inc: {'a.$[]': 10}}", "{a: [11, 12]}", [String]()),
        ("{a: []}", "{$inc: {'a.$[]': 10}}", "same", []),
        ("{a: [{b: 1}, {b: 2}]}", "{$set: {'a.$[].c': 0}}", "{a: [{b: 1, c: 0}, {b: 2, c: 0}]}", []),
        ("{a: [[1], [2]]}", "{$inc: {'a.$[].$[]': 1}}", "{a: [[2], [3]]}", []),
        ("{a: [1, 5, 9]}", "{$set: {'a.$[x]': 0}}", "{a: [1, 0, 0]}", ["{x: {$gte: 5}}"]),
        (
            "{a: [{g: 1, q: [1, 2]}, {g: 5, q: [1]}]}", "{$inc: {'a.$[e].q.$[n]': 100}}",
            "{a: [{g: 1, q: [1, 2]}, {g: 5, q: [101]}]}", ["{'e.g': {$gt: 2}}", "{n: 1}"]
        ),
        (
            "{a: [{g: 1}, {g: 5}]}", "{$set: {'a.$[e].x': 1, 'a.$[f].y': 2}}",
            "{a: [{g: 1, y: 2}, {g: 5, x: 1, y: 2}]}", ["{'e.g': 5}", "{'f.g': {$exists: true}}"]
        ),
        ("{a: [1, 2, 3]}", "{$unset: {'a.$[x]': ''}}", "{a: [1, null, null]}", ["{$or: [{x: 2}, {x: 3}]}"]),
        ("{a: [1, 2]}", "{$set: {'a.$[x]': 0}}", "same", ["{x: 7}"])
    ])
    func positions(document: String, update: String, expected: String, filters: [String]) throws {
        try check(document, update, expected, filters: filters)
    }

    @Test func theMatchedElement() throws {
        let document = try relaxed("{a: [{b: 1}, {b: 2}]}")
        #expect(
            try updated(document, ["$set": ["a.$.b": 5]], matchedIndex: 1) == relaxed("{a: [{b: 1}, {b: 5}]}"))
        #expect(
            try updated(document, ["$set": ["a.$.b": 5, "a.1.c": 6]], matchedIndex: 1)
                == relaxed("{a: [{b: 1}, {b: 5, c: 6}]}"))
        let conflict = QueryError.of { _ = try updated(document, ["$set": ["a.$": 5, "a.1": 6]], matchedIndex: 1) }
        #expect(conflict?.message == "Update created a conflict at 'a.1'")
        let unmatched = QueryError.of { _ = try updated(document, ["$set": ["a.$.b": 5]]) }
        #expect(unmatched?.message == "The positional operator did not find the match needed from the query.")
    }

    @Test func dates() throws {
        let now: Value = .timestamp(Timestamp(seconds: 1_000))
        #expect(
            try updated(["b": 1], ["$currentDate": ["a": true, "b": ["$type": "date"]]]) == ["b": now, "a": now])
    }

    /// The engine keeps the stamps; asking for a new `_updated_at` is asking for nothing else.
    @Test func stampsAreKept() throws {
        let document: Document = ["_id": "x", "_created_at": "c", "_updated_at": "u", "a": 1]
        #expect(try updated(document, ["$set": ["_created_at": "y"]]) == nil)
        #expect(try updated(document, ["$currentDate": ["_updated_at": true]]) == document)
        #expect(try updated(document, ["$set": ["_created_at": "y", "a": 2, "_id": "x"]])?["_created_at"] == "c")
    }

    @Test func whatIsNotTouchedIsNotDecoded() throws {
        let floats = MessagePack.encode(["v": .vector([1, 2]), "a": 1] as Document)
        let changes = try UpdateProgram(compiling: ["$inc": ["a": 1]]).changes(
            to: floats.span.bytes, now: Timestamp(seconds: 0))
        #expect(changes?.fields == MessagePack.encode(["a": 2] as Document))
        #expect(changes?.removed == [])
    }
}
