import NexaQuery
import NexaValue
import Testing

@Suite struct UpdateErrorTests {
    @Test(arguments: [
        ("{$foo: {a: 1}}", "unknown operator $foo; known here:"), ("{$sett: {a: 1}}", "did you mean $set?"),
        ("{$set: {a: 1}, b: 1}", "the field \"b\" belongs below one"),
        ("{$set: 5}", "Modifiers operate on fields but we found type integer instead."),
        ("{$set: {a: 1, 'a.b': 2}}", "Updating the path 'a.b' would create a conflict at 'a'"),
        ("{$set: {'a.b': 1}, $inc: {a: 1}}", "Updating the path 'a' would create a conflict at 'a'"),
        ("{$set: {a: 1}, $inc: {a: 1}}", "Updating the path 'a' would create a conflict at 'a'"),
        ("{$set: {'a.$[]': 1, 'a.0': 1}}", "Updating the path 'a.0' would create a conflict at 'a'"),
        ("{$rename: {a: 'b'}, $set: {'a.c': 1}}", "Updating the path 'a.c' would create a conflict at 'a'"),
        ("{$rename: {a: 'b', b: 'c'}}", "Updating the path 'b' would create a conflict at 'b'"),
        ("{$set: {'a..b': 1}}", "contains an empty field name"), ("{$set: {'': 1}}", "contains an empty field name"),
        ("{$set: {'a.$b': 1}}", "The dollar ($) prefixed field '$b' in 'a.$b' is not valid for storage."),
        ("{$set: {'$.a': 1}}", "in the first position in path '$.a'"),
        ("{$set: {'a.$.b.$': 1}}", "Too many positional (i.e. '$') elements found in path 'a.$.b.$'"),
        ("{$set: {'a.$[x]': 1}}", "No array filter found for identifier 'x' in path 'a.$[x]'"),
        ("{$inc: {a: 'x'}}", "Cannot increment with non-numeric argument: {a: \"x\"}"),
        ("{$mul: {a: null}}", "Cannot multiply with non-numeric argument: {a: null}"),
        ("{$rename: {a: 5}}", "The 'to' field for $rename must be a string: a: 5"),
        ("{$rename: {a: 'a'}}", "The source and target field for $rename must differ: a: \"a\""),
        ("{$rename: {a: 'a.b'}}", "must not be on the same path: a: \"a.b\""),
        ("{$rename: {'a.$': 'b'}}", "The source field for $rename may not be dynamic: a.$"),
        ("{$rename: {a: 'b.$[]'}}", "The destination field for $rename may not be dynamic: b.$[]"),
        ("{$push: {a: {$each: 5}}}", "The argument to $each in $push must be an array but it was of type integer"),
        ("{$push: {a: {$each: [], $foo: 1}}}", "Unrecognized clause in $push: $foo"),
        ("{$push: {a: {$slice: 1}}}", "$slice needs $each beside it"),
        ("{$push: {a: {$eahc: [1]}}}", "did you mean $each?"),
        ("{$push: {a: {$each: [], $slice: 1.5}}}", "The value for $slice must be an integer value but was given 1.5"),
        ("{$push: {a: {$each: [], $sort: 2}}}", "The $sort is invalid"),
        ("{$push: {a: {$each: [], $sort: {b: 2}}}}", "The $sort element value must be either 1 or -1"),
        ("{$addToSet: {a: {$each: [], x: 1}}}", "Found unexpected fields after $each in $addToSet: x"),
        ("{$pullAll: {a: 5}}", "$pullAll requires an array argument but was given a integer"),
        ("{$pull: {a: {$gtt: 5}}}", "did you mean $gt"),
        ("{$pop: {a: 2}}", "$pop expects 1 or -1, found: 2"),
        ("{$currentDate: {a: 1}}", "is not valid type for $currentDate"),
        ("{$bit: {a: {not: 1}}}", "not 'not' which is an unknown operator"),
        ("{$bit: {a: {and: 1.5}}}", "a 'double' is not supported here"),
        ("{$bit: {a: {}}}", "needs a document {and|or|xor: integer}")
    ])
    func isRefused(update: String, message: String) throws {
        let update = try relaxed(update)
        let error = QueryError.of { _ = try UpdateProgram(compiling: update) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "accepted")")
    }

    @Test(arguments: [
        ("{x: 1, y: 2}", "Expected a single top-level field name, found 'x' and 'y'"),
        ("{}", "Cannot use an expression without a top-level field name in arrayFilters"),
        ("{X: 1}", "beginning with a lowercase letter, found 'X'"), ("{z: 1}", "identifier 'z' was not used")
    ])
    func arrayFiltersAreChecked(filter: String, message: String) throws {
        let filter = try relaxed(filter)
        let error = QueryError.of { _ = try UpdateProgram(compiling: ["$set": ["a": 1]], arrayFilters: [filter]) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "accepted")")
        let twice = QueryError.of {
            _ = try UpdateProgram(compiling: ["$set": ["a.$[x]": 1]], arrayFilters: [["x": 1], ["x.y": 1]])
        }
        #expect(twice?.message == "Found multiple array filters with the same top-level field name x")
    }

    @Test(arguments: [
        ("{a: 1}", "{$set: {'a.b': 1}}", "Cannot create field 'b' in element {a: 1}"),
        ("{a: null}", "{$inc: {'a.b.c': 1}}", "Cannot create field 'b' in element {a: null}"),
        ("{a: [1]}", "{$set: {'a.b': 1}}", "Cannot create field 'b' in element {a: [1]}"),
        ("{a: [1]}", "{$push: {'a.0': 1}}", "The field 'a.0' must be an array but is of type integer"),
        ("{_id: 1, a: 'x'}", "{$inc: {a: 1}}", "{_id: 1} has the field 'a' of non-numeric type string"),
        ("{a: 9223372036854775807}", "{$inc: {a: 1}}", "Failed to apply $inc operations to current value"),
        ("{a: 4611686018427387904}", "{$mul: {a: 2}}", "Failed to apply $mul operations to current value"),
        ("{a: 'x'}", "{$push: {a: 1}}", "The field 'a' must be an array but is of type string"),
        ("{a: 5}", "{$addToSet: {a: 1}}", "Field named 'a' has non-array type integer"),
        ("{a: 5}", "{$pop: {a: 1}}", "Path 'a' contains an element of non-array type 'integer'"),
        ("{a: 5}", "{$pull: {a: 1}}", "Cannot apply $pull to a non-array value"),
        ("{a: 5}", "{$pop: {'a.b': 1}}", "Cannot use the part (b) of (a.b) to traverse the element ({a: 5})"),
        ("{a: 1.5}", "{$bit: {a: {and: 1}}}", "Cannot apply $bit to a value of non-integral type."),
        ("{a: 5}", "{$set: {'a.$[]': 1}}", "Cannot apply array updates to non-array element a: 5"),
        ("{}", "{$set: {'a.$[]': 1}}", "The path 'a' must exist in the document in order to apply array updates."),
        ("{a: [{b: 1}]}", "{$rename: {'a.0.b': 'c'}}", "has an array field called 'a'"),
        ("{a: 1, b: [{}]}", "{$rename: {a: 'b.0.c'}}", "The destination field cannot be an array element"),
        ("{_id: 1}", "{$set: {_id: 2}}", "would modify the immutable field '_id'"),
        ("{_id: 1}", "{$unset: {_id: ''}}", "would modify the immutable field '_id'"),
        ("{_id: 1, a: 2}", "{$rename: {a: '_id'}}", "would modify the immutable field '_id'")
    ])
    func doesNotFit(document: String, update: String, message: String) throws {
        let (document, update) = (try relaxed(document), try relaxed(update))
        let error = QueryError.of { _ = try updated(document, update) }
        #expect(error?.code == .notApplicable)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "accepted")")
    }

    @Test func limitsAreKept() throws {
        func refusal(_ document: Document, _ update: Document) -> QueryError.Code? {
            QueryError.of { _ = try updated(document, update) }?.code
        }
        #expect(refusal(["a": .array([])], ["$set": ["a.100001": 1]]) == .limitExceeded)
        #expect(refusal(["a": .array([])], ["$set": ["a.999999999": 1]]) == .limitExceeded)
        // A number of ten digits is no index.
        #expect(refusal(["a": .array([])], ["$set": ["a.9999999999": 1]]) == .notApplicable)
        let gaps = Document((0..<20).map { ("f\($0).90000", .int(1)) })
        let arrays = Document((0..<20).map { ("f\($0)", .array([])) })
        #expect(refusal(arrays, ["$set": .document(gaps)]) == .limitExceeded)
        let path = String(repeating: "a.", count: 100) + "a"
        #expect(refusal([:], ["$set": .document(Document([(path, .int(1))]))]) == .limitExceeded)
        let deep = String(repeating: "a.", count: 99) + "a"
        #expect(refusal([:], ["$set": .document(Document([(deep, .array([]))]))]) == .limitExceeded)
        var nested: Value = 1
        for _ in 0..<200 { nested = ["a": nested] }
        #expect(refusal([:], ["$set": ["a": nested]]) == .limitExceeded)
        let many = Document((0...10_000).map { ("f\($0)", .int(1)) })
        #expect(refusal([:], ["$set": .document(many)]) == .limitExceeded)
        // One megabyte for each of a thousand elements.
        let large = Value.string(String(repeating: "x", count: 1 << 20))
        let thousand = Value.array(Array(repeating: ["b": 1], count: 1000))
        #expect(refusal(["a": thousand], ["$set": ["a.$[].b": large]]) == .limitExceeded)
        let list = Value.array(Array(repeating: 1, count: 10_000))
        #expect(refusal(["a": thousand], ["$push": ["a.$[].c": ["$each": list]]]) == .limitExceeded)
    }

    @Test func whatTakesTooMuchMemoryIsNotDecoded() throws {
        let nulls: [UInt8] = [0xDD, 0x00, 0x1E, 0x84, 0x81] + [UInt8](repeating: 0xC0, count: 2_000_001)
        let document = [0x81, 0xA1, 0x61] + nulls
        #expect(QueryError.of { try UpdateProgram.checkValueCount(document.span.bytes) }?.code == .limitExceeded)
        let program = try UpdateProgram(compiling: ["$push": ["a": 1]])
        let error = QueryError.of { _ = try program.changes(to: document.span.bytes, now: Timestamp(seconds: 0)) }
        #expect(error?.code == .limitExceeded)
        // Other fields are not looked at.
        let other = try UpdateProgram(compiling: ["$set": ["b": 1]])
        #expect(try other.changes(to: document.span.bytes, now: Timestamp(seconds: 0)) != nil)
        let text: [UInt8] =
            [0x81, 0xA1, 0x61, 0xDB, 0x00, 0x2D, 0xC6, 0xC0] + [UInt8](repeating: 0x61, count: 3_000_000)
        #expect(QueryError.of { try UpdateProgram.checkValueCount(text.span.bytes) } == nil)
    }

    @Test func damagedDocumentsAreNoCrash() throws {
        let program = try UpdateProgram(compiling: ["$set": ["a.b": 1]])
        let bytes = MessagePack.encode(["x": 1, "a": ["b": "text"]] as Document)
        for length in 0..<bytes.count {
            let error = QueryError.of {
                _ = try program.changes(to: bytes.span.bytes.extracting(0..<length), now: Timestamp(seconds: 0))
            }
            #expect(error?.code == .corruptDocument)
        }
    }
}
