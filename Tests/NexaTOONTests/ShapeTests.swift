import NexaTOON
import NexaValue
import TestKit
import Testing

@Suite struct ShapeTests {
    /// Writes documents in the two passes of a server.
    static func text(
        _ documents: [Document], _ shape: TOONShape, _ options: TOON.EncodingOptions = .standard
    ) throws -> (text: String, report: TOONShapeReport) {
        var shaper = TOONShaper(shape)
        for document in documents { shaper.survey(document) }
        let columns = shaper.columns
        var encoder = TOONDocumentEncoder(options)
        var text = ""
        try encoder.beginList("d", count: documents.count, columns: columns)
        for document in documents {
            try encoder.append(shaper.apply(document))
            encoder.drain { text += String(decoding: $0.withUnsafeBytes { Array($0) }, as: UTF8.self) }
        }
        try encoder.endList()
        encoder.drain { text += String(decoding: $0.withUnsafeBytes { Array($0) }, as: UTF8.self) }
        shaper.finish(isTable: columns != nil)
        return (text, shaper.report)
    }

    static let people: [Document] = [
        ["name": "Ada", "home": ["city": "London", "geo": ["lat": 51.5]], "tags": ["x", "y"]],
        ["name": "Bob", "tags": [], "age": 3, "vector": .array((0..<40).map { .double(Double($0)) })]
    ]

    @Test func aPromptIsOneTable() throws {
        let (text, report) = try Self.text(Self.people, .prompt)
        #expect(
            text == """
                d[2]{name,home.city,home.geo.lat,tags,age}:
                  Ada,London,51.5,x; y,null
                  Bob,null,null,"",3
                """)
        #expect(report.flattened == ["home", "home.geo"])
        #expect(report.joined == ["tags"] && report.omitted == ["vector"])
        #expect(report.filledCount == 3 && report.isTable)
    }

    @Test func withoutAShapeNothingChanges() throws {
        let (text, report) = try Self.text(Self.people, .unchanged)
        #expect(report == TOONShapeReport())
        let back = try TOON.decode(text)
        #expect(back.isSameJSON(as: ["d": .array(Self.people.map { .document($0) })]))
    }

    /// The streaming encoder writes what the plain one does, whatever is drained when.
    @Test(arguments: [5, UInt64.random(in: 0 ... .max)])
    func streamingGivesTheSameText(seed: UInt64) throws {
        var values = RandomValues(seed: seed)
        for _ in 0..<500 {
            let documents = (0...values.below(6)).map { _ in values.document(depth: 3) }
            let rows = values.value().array?.compactMap(\.document) ?? []
            for list in [documents, rows] where !list.isEmpty {
                let options = TOON.EncodingOptions(delimiter: TOON.Delimiter.allCases[values.below(3)])
                let whole = try TOON.string(Document([("d", .array(list.map { .document($0) }))]), options)
                let streamed = try Self.text(list, .unchanged, options).text
                if whole != streamed { Issue.record("\(list): \(whole) is not \(streamed), seed \(seed)") }
            }
        }
    }

    /// Any documents take any shape, and the text is read back.
    @Test(arguments: [6, UInt64.random(in: 0 ... .max)])
    func anyDocumentsTakeAnyShape(seed: UInt64) throws {
        var values = RandomValues(seed: seed)
        for _ in 0..<500 {
            let documents = (0...values.below(6)).map { _ in values.document(depth: 2) }
            let shape = TOONShape(
                flattensDocuments: values.below(2) == 0, listSeparator: values.below(2) == 0 ? "; " : nil,
                fillsMissingFields: values.below(2) == 0, maximumVectorLength: values.below(2) == 0 ? 1 : nil)
            let (text, report) = try Self.text(documents, shape)
            let back = try TOON.decode(text).document?["d"]?.array
            #expect(back?.count == documents.count, "seed \(seed)")
            if report.isTable { #expect(text.contains("{"), "seed \(seed)") }
        }
    }

    @Test func pathsThatAreTakenStayAsTheyAre() throws {
        let documents: [Document] = [["a": ["b": 1], "a.b": 2]]
        let (text, report) = try Self.text(documents, TOONShape(flattensDocuments: true))
        #expect(try TOON.decode(text) == ["d": [["a": ["b": 1], "a.b": 2]]])
        #expect(report.flattened.isEmpty)
    }

    @Test func wrongCountsAreRefused() throws {
        var encoder = TOONDocumentEncoder()
        try encoder.beginList("d", count: 2, columns: TOONColumns(["a"]))
        try encoder.append(["a": 1])
        #expect(throws: TOONEncodingError(.count(declared: 2, found: 1))) { try encoder.endList() }
        #expect(throws: TOONEncodingError(.fieldsDiffer(row: 2))) { try encoder.append(["b": 1]) }
        var empty = TOONDocumentEncoder()
        try empty.beginList("d", count: 0, columns: nil)
        try empty.endList()
        try empty.writeField("count", 0)
        #expect(empty.text == "d[0]:\ncount: 0")
    }

    @Test func tokensGrowWithTheText() {
        func tokens(_ text: String) -> Int { TokenEstimate.count(text.utf8Span.span.bytes) }
        #expect(tokens("") == 0)
        #expect(tokens("hello world") == 2)
        #expect(tokens("1234567") == 3)
        var parts = TokenEstimate()
        for byte in Array("some text, with 12345 parts\n".utf8) { parts.add([byte].span.bytes) }
        #expect(parts.count == tokens("some text, with 12345 parts\n"))
    }
}
