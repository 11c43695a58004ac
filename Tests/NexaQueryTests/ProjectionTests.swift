import NexaQuery
import NexaValue
import Testing

@Suite struct ProjectionTests {
    @Test(arguments: [
        ("{}", "{_id: 1, a: 2}", "{_id: 1, a: 2}"), ("{a: 1}", "{_id: 1, b: 3, a: 2}", "{_id: 1, a: 2}"),
        ("{a: true, b: 1.0}", "{b: 3, c: 4, a: 2, _id: 1}", "{b: 3, a: 2, _id: 1}"),
        ("{a: 1, _id: 0}", "{_id: 1, a: 2, b: 3}", "{a: 2}"), ("{_id: 1}", "{_id: 1, a: 2}", "{_id: 1}"),
        ("{_id: 0}", "{_id: 1, a: 2}", "{a: 2}"), ("{a: 0}", "{_id: 1, a: 2, b: 3}", "{_id: 1, b: 3}"),
        ("{a: false, _id: 0}", "{_id: 1, a: 2, b: 3}", "{b: 3}"),
        ("{a: 0, _id: 1}", "{_id: 1, a: 2, b: 3}", "{_id: 1, b: 3}"),
        ("{x: 1}", "{a: 1}", "{}"), ("{x: 0}", "{a: 1}", "{a: 1}"),
        ("{'a.b': 1}", "{a: {b: 1, c: 2}, d: 3}", "{a: {b: 1}}"),
        ("{a: {b: 1}}", "{a: {b: 1, c: 2}, d: 3}", "{a: {b: 1}}"),
        ("{'a.b': 1}", "{a: {c: 2}}", "{a: {}}"), ("{'a.b': 1}", "{a: 5, d: 1}", "{}"),
        ("{'a.b': 1}", "{a: [{b: 1, c: 2}, 5, {c: 3}, [{b: 4, c: 5}, 6]]}", "{a: [{b: 1}, {}, [{b: 4}]]}"),
        ("{'a.b': 0}", "{a: [{b: 1, c: 2}, 5, {c: 3}, [{b: 4, c: 5}, 6]]}", "{a: [{c: 2}, 5, {c: 3}, [{c: 5}, 6]]}"),
        ("{'a.b': 0}", "{a: 5, b: 6}", "{a: 5, b: 6}"),
        ("{'a.b': 1, 'a.c': 1, d: 1}", "{d: 0, a: {x: 1, c: 2, b: 3}}", "{d: 0, a: {c: 2, b: 3}}"),
        ("{'a.b.c': 0}", "{a: {b: {c: 1, d: 2}, e: 3}}", "{a: {b: {d: 2}, e: 3}}"),
        ("{'a.0': 1}", "{a: [1, 2]}", "{a: []}"),
        ("{'_id.x': 1}", "{_id: {x: 1, y: 2}, a: 1}", "{_id: {x: 1}}")
    ])
    func projects(projection: String, document: String, expected: String) throws {
        let projection = try Projection(compiling: relaxed(projection))
        var writer = MessagePackWriter()
        try projection.apply(MessagePack.encode(relaxed(document)).span.bytes, to: &writer)
        try MessagePack.validate(writer.span)
        #expect(try MessagePack.decodeDocument(writer.bytes) == relaxed(expected))
    }

    @Test(
        arguments: [
            ("{a: 1, b: 0}", "a projection either includes fields or leaves them out; \"b\" does the other thing"),
            ("{a: 1, 'a.b': 1}", "the projection names \"a.b\" and a part of it, or twice the same"),
            ("{'a.b': 1, a: 1}", "the projection names \"a\" and a part of it, or twice the same"),
            ("{'a.b': 1, a: {b: 1}}", "the projection names \"a.b\" and a part of it, or twice the same"),
            ("{'a.b': {$slice: 1}, 'a.b.c': 1}", "the projection names \"a.b.c\" and a part of it, or twice the same"),
            ("{$a: 1}", "$a needs a field: write {field: {$a: …}}"),
            ("{a: {$slice: 1, b: 1}}", "the projection of \"a\" has more beside $slice, which stands alone"),
            ("{a: {b: 1, $slice: 1}}", "the projection of \"a\" has more beside $slice, which stands alone"),
            ("{a: {$slice: 'x'}}", "$slice needs a number, or two: [skip, count], found string"),
            ("{a: {$slice: [1]}}", "$slice needs a number, or two: [skip, count]"),
            ("{a: {$slice: [1, 2, 3]}}", "$slice needs a number, or two: [skip, count]"),
            ("{a: {$slice: [1, 'x']}}", "$slice needs a number, or two: [skip, count]"),
            ("{a: {$slice: [1, 0]}}", "$slice needs a positive count behind skip, found 0"),
            ("{a: {$slice: [1, -1]}}", "$slice needs a positive count behind skip, found -1"),
            ("{a: {$elemMatch: 1}}", "$elemMatch needs a document, found integer"),
            ("{a: {$elemMatch: {$foo: 1}}}", nil),
            ("{a: {$elemMatch: {$expr: 1}}}", nil),
            ("{'a.b': {$elemMatch: {c: 1}}}", "$elemMatch stands for a field of the document, not for \"a.b\""),
            ("{a: {b: {$elemMatch: {c: 1}}}}", "$elemMatch stands for a field of the document, not for \"a.b\""),
            ("{'a.$': 1}", "a projection has no positional $; use {a: {$elemMatch: …}} for \"a.$\""),
            (
                "{b: 0, a: {$add: [1, 2]}}",
                "a projection that leaves fields out cannot compute others; \"a\" is computed"
            ),
            (
                "{a: {$add: [1, 2]}, b: 0}",
                "a projection either includes fields or leaves them out; \"b\" does the other thing"
            ),
            ("{a: {$ad: [1, 2]}}", nil),
            ("{a: '$$nobody'}", nil),
            ("{'a..b': 1}", "the path \"a..b\" has an empty part"),
            ("{a: {}}", "the projection of \"a\" is an empty document; {$literal: {}} stands for one")
        ] as [(String, String?)])
    func refuses(projection: String, message: String?) throws {
        let projection = try relaxed(projection)
        let error = QueryError.of { _ = try Projection(compiling: projection) }
        #expect(error != nil)
        if let message { #expect(error?.message == message) }
    }

    @Test(arguments: [
        // $slice by itself leaves out nothing; with an inclusion it is one.
        ("{a: {$slice: 2}}", "{_id: 1, b: 0, a: [1, 2, 3]}", "{_id: 1, b: 0, a: [1, 2]}"),
        ("{a: {$slice: 2}, b: 1}", "{_id: 1, c: 0, a: [1, 2, 3], b: 4}", "{_id: 1, a: [1, 2], b: 4}"),
        ("{a: {$slice: 2}, b: 0}", "{_id: 1, c: 0, a: [1, 2, 3], b: 4}", "{_id: 1, c: 0, a: [1, 2]}"),
        ("{_id: 1, a: {$slice: 1}}", "{_id: 1, b: 0, a: [1, 2]}", "{_id: 1, a: [1]}"),
        ("{_id: 0, a: {$slice: 1}}", "{_id: 1, b: 0, a: [1, 2]}", "{b: 0, a: [1]}"),
        ("{a: {$slice: -2}}", "{a: [1, 2, 3]}", "{a: [2, 3]}"), ("{a: {$slice: -9}}", "{a: [1, 2]}", "{a: [1, 2]}"),
        ("{a: {$slice: 0}}", "{a: [1, 2]}", "{a: []}"), ("{a: {$slice: 9}}", "{a: [1, 2]}", "{a: [1, 2]}"),
        ("{a: {$slice: 1.9}}", "{a: [1, 2]}", "{a: [1]}"),
        ("{a: {$slice: -9223372036854775808}}", "{a: [1, 2]}", "{a: [1, 2]}"),
        ("{a: {$slice: [1, 1]}}", "{a: [1, 2, 3]}", "{a: [2]}"),
        ("{a: {$slice: [-2, 1]}}", "{a: [1, 2, 3]}", "{a: [2]}"),
        ("{a: {$slice: [-9, 2]}}", "{a: [1, 2, 3]}", "{a: [1, 2]}"), ("{a: {$slice: [5, 2]}}", "{a: [1]}", "{a: []}"),
        ("{a: {$slice: [1, 9223372036854775807]}}", "{a: [1, 2, 3]}", "{a: [2, 3]}"),
        ("{a: {$slice: 1}}", "{a: 7, b: 1}", "{a: 7, b: 1}"),
        ("{a: {$slice: 1}}", "{a: {x: [1, 2]}}", "{a: {x: [1, 2]}}"),
        ("{a: {$slice: 1}}", "{b: 1}", "{b: 1}"),
        ("{'a.b': {$slice: 1}}", "{a: {b: [1, 2], c: 3}}", "{a: {b: [1], c: 3}}"),
        ("{a: {b: {$slice: 1}}}", "{a: {b: [1, 2], c: 3}}", "{a: {b: [1], c: 3}}"),
        ("{'a.b': {$slice: 1}, d: 1}", "{a: {b: [1, 2], c: 3}, d: 4, e: 5}", "{a: {b: [1]}, d: 4}"),
        // Through the documents of an array, but not into arrays within it.
        ("{'a.b': {$slice: 1}}", "{a: [{b: [1, 2]}, 5, [{b: [1, 2]}]]}", "{a: [{b: [1]}, 5, [{b: [1, 2]}]]}"),
        ("{'a.b.c': {$slice: 1}}", "{a: [{b: [{c: [1, 2]}]}]}", "{a: [{b: [{c: [1]}]}]}"),
        ("{'a.b': {$slice: 1}, 'a.c': 0}", "{a: [[{b: [1, 2], c: 3}], {c: 4}]}", "{a: [[{b: [1, 2]}], {}]}"),
        ("{a: {$slice: 1}}", "{a: [[1, 2], 3]}", "{a: [[1, 2]]}"),
        // $elemMatch is an inclusion, and comes behind what is included.
        (
            "{a: {$elemMatch: {x: 2}}}", "{_id: 1, a: [{x: 1}, {x: 2, y: 1}, {x: 2}], b: 3}",
            "{_id: 1, a: [{x: 2, y: 1}]}"
        ),
        ("{_id: 0, a: {$elemMatch: {x: 2}}}", "{_id: 1, a: [{x: 2}], b: 3}", "{a: [{x: 2}]}"),
        ("{a: {$elemMatch: {$gt: 1}}}", "{_id: 1, a: [1, 2, 3]}", "{_id: 1, a: [2]}"),
        ("{a: {$elemMatch: {$gt: 9}}}", "{_id: 1, a: [1, 2, 3]}", "{_id: 1}"),
        ("{a: {$elemMatch: {$gt: 1}}}", "{_id: 1, a: 2}", "{_id: 1}"),
        ("{a: {$elemMatch: {x: 1}}}", "{_id: 1}", "{_id: 1}"),
        ("{a: {$elemMatch: {x: 1}}, b: 1}", "{_id: 1, a: [{x: 1}], b: 3, c: 4}", "{_id: 1, b: 3, a: [{x: 1}]}"),
        (
            "{b: {$elemMatch: {$gt: 0}}, a: {$elemMatch: {$gt: 0}}}", "{_id: 1, a: [1], b: [2]}",
            "{_id: 1, b: [2], a: [1]}"
        ),
        ("{a: {$elemMatch: {x: 1}}, b: 0}", "{_id: 1, a: [{x: 0}, {x: 1}], b: 3, c: 4}", "{_id: 1, a: [{x: 1}], c: 4}"),
        ("{a: {$elemMatch: {x: 1}}, b: 0}", "{_id: 1, a: [{x: 0}], b: 3, c: 4}", "{_id: 1, c: 4}"),
        ("{a: {$elemMatch: {$gt: 1}}, b: {$slice: 1}}", "{a: [1, 2], b: [1, 2], c: 3}", "{a: [2], b: [1], c: 3}"),
        (
            "{a: {$elemMatch: {$gt: 1}}, b: {$slice: 1}, _id: 1}", "{_id: 0, a: [1, 2], b: [1, 2], c: 3}",
            "{_id: 0, b: [1], a: [2]}"
        ),
        ("{a: {$elemMatch: {$in: [3, 4]}}}", "{a: [1, 4, 3]}", "{a: [4]}"),
        ("{a: {$elemMatch: {$elemMatch: {$eq: 2}}}}", "{a: [[1], [2, 3]]}", "{a: [[2, 3]]}"),
        // Expressions are inclusions.
        ("{t: {$add: ['$a', 1]}}", "{_id: 1, a: 2, b: 3}", "{_id: 1, t: 3}"),
        ("{t: {$add: ['$a', 1]}, b: 1}", "{_id: 1, a: 2, b: 3}", "{_id: 1, b: 3, t: 3}"),
        ("{_id: 0, t: '$a'}", "{_id: 1, a: 2}", "{t: 2}"), ("{t: 'x'}", "{_id: 1}", "{_id: 1, t: 'x'}"),
        ("{t: '$gone'}", "{_id: 1, a: 2}", "{_id: 1}"), ("{t: [1, '$a']}", "{_id: 1, a: 2}", "{_id: 1, t: [1, 2]}"),
        ("{t: {$slice: ['$a', 1]}}", "{_id: 1, a: [1, 2]}", "{_id: 1, t: [1]}"),
        ("{t: {$literal: 1}}", "{_id: 1}", "{_id: 1, t: 1}"),
        ("{'a.t': '$_id', 'a.b': 1}", "{_id: 1, a: {b: 2, c: 3}}", "{_id: 1, a: {b: 2, t: 1}}"),
        ("{'a.t': '$_id'}", "{_id: 1, a: [{b: 2}, {t: 3}]}", "{_id: 1, a: [{t: 1}, {t: 1}]}"),
        ("{a: {t: '$_id'}}", "{_id: 1, a: 5}", "{_id: 1, a: {t: 1}}"),
        (
            "{a: {$elemMatch: {$gt: 1}}, t: '$_id', b: {$slice: 1}}", "{_id: 1, a: [1, 2], b: [3, 4], c: 5}",
            "{_id: 1, b: [3], a: [2], t: 1}"
        )
    ])
    func appliesOperators(projection: String, document: String, expected: String) throws {
        try projects(projection: projection, document: document, expected: expected)
        let compiled = try Projection(compiling: relaxed(projection))
        var writer = MessagePackWriter()
        try compiled.apply(MessagePack.encode(relaxed(document)).span.bytes, to: &writer)
        // In this order.
        #expect(try MessagePack.decodeDocument(writer.bytes).keys.elementsEqual(relaxed(expected).keys))
    }

    @Test func operatorsHaveLimitsTogether() throws {
        let pattern: Value = ["$elemMatch": ["x": ["$regex": "a"]]]
        let patterns = Document((0...100).map { ("f\($0)", pattern) })
        #expect(QueryError.of { _ = try Projection(compiling: patterns) }?.code == .limitExceeded)
        let sum: Value = ["$add": .array([Value](repeating: ["$abs": "$a"], count: 500))]
        let sums = Document((0..<20).map { ("f\($0)", sum) })
        #expect(QueryError.of { _ = try Projection(compiling: sums) }?.code == .limitExceeded)
    }

    /// Small documents and projections that would make large results.
    @Test func computedFieldsCannotFillTheMemory() throws {
        let big = Value.string(String(repeating: "x", count: 1 << 20))
        let wide = MessagePack.encode(["_id": 1, "big": big] as Document)
        let many = try Projection(compiling: Document((0..<500).map { ("f\($0)", "$big") }))
        var writer = MessagePackWriter()
        #expect(QueryError.of { try many.apply(wide.span.bytes, to: &writer) }?.code == .limitExceeded)
        let elements = Value.array([Value](repeating: [:], count: 500))
        let list = MessagePack.encode(["_id": 1, "a": elements, "big": big] as Document)
        let each = try Projection(compiling: ["a.t": "$big"])
        #expect(QueryError.of { try each.apply(list.span.bytes, to: &writer) }?.code == .limitExceeded)
        #expect(writer.count == 0)
    }

    @Test func damagedDocumentsAreAnError() throws {
        let whole = MessagePack.encode(["_id": 1, "a": [["x": 1], ["x": 2]], "b": [1, 2]] as Document)
        for projection in ["{a: {$elemMatch: {x: 2}}}", "{b: {$slice: -1}}", "{'a.x': {$slice: 1}}", "{t: '$b'}"] {
            let compiled = try Projection(compiling: relaxed(projection))
            for length in 0..<whole.count {
                var writer = MessagePackWriter()
                let cut = Array(whole[..<length])
                #expect(QueryError.of { try compiled.apply(cut.span.bytes, to: &writer) }?.code == .corruptDocument)
            }
        }
    }

    @Test func limitsAreKept() throws {
        let many = Document((0...1000).map { ("f\($0)", 1) })
        #expect(QueryError.of { _ = try Projection(compiling: many) }?.code == .limitExceeded)
        var deep: Value = 1
        for _ in 0..<200 { deep = ["a": deep] }
        #expect(QueryError.of { _ = try Projection(compiling: ["a": deep]) }?.code == .limitExceeded)
        let bytes: [UInt8] = [0x81, 0xA1, 0x61] + [UInt8](repeating: 0x91, count: 1_000_000) + [0xC0]
        var writer = MessagePackWriter()
        let projection = try Projection(compiling: ["a.b": 1])
        #expect(QueryError.of { try projection.apply(bytes.span.bytes, to: &writer) }?.code == .corruptDocument)
    }

    @Test func wholeDocumentsAreCopied() throws {
        let projection = try Projection(compiling: [:])
        #expect(projection.returnsWholeDocuments)
        var writer = MessagePackWriter()
        let bytes = MessagePack.encode(["a": [1, 2], "b": "x"] as Document)
        try projection.apply(bytes.span.bytes, to: &writer)
        #expect(writer.bytes == bytes)
    }
}
