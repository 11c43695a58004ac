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

    @Test(arguments: [
        ("{a: 1, b: 0}", "a projection either includes fields or leaves them out; \"b\" does the other thing"),
        ("{a: 1, 'a.b': 1}", "the projection names \"a.b\" and a part of it, or twice the same"),
        ("{'a.b': 1, a: 1}", "the projection names \"a\" and a part of it, or twice the same"),
        ("{'a.b': 1, a: {b: 1}}", "the projection names \"b\" and a part of it, or twice the same"),
        ("{a: 'x'}", "the projection of \"a\" needs 1 or 0, true or false, found string"),
        ("{a: {$slice: 1}}", "a projection has no operators; found $slice"),
        ("{$a: 1}", "a projection has no operators; found $a"),
        ("{'a..b': 1}", "the path \"a..b\" has an empty part"),
        ("{a: {}}", "the projection of \"a\" needs 1 or 0, true or false, found document")
    ])
    func refuses(projection: String, message: String) throws {
        let projection = try relaxed(projection)
        #expect(QueryError.of { _ = try Projection(compiling: projection) }?.message == message)
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
