import NexaTOON
import NexaValue
import TestKit
import Testing

@testable import NexaShell

/// A TOON text is cut into documents without being held as a whole, and means what the decoder says it means.
@Suite struct TOONRecordTests {
    /// What is read when the text comes in pieces.
    private func documents(
        _ text: String, piece: Int = .max, skip: Int = 0, limit: Int? = nil
    ) throws -> [Document] {
        var reader = RecordReader(.toon, .init(documents: 3), skip: skip, limit: limit)
        var found: [Document] = []
        var records: TOONRecords?
        var rest = Array(text.utf8)[...]
        func take(isAtEnd: Bool) throws {
            while let batch = try reader.next(isAtEnd: isAtEnd) {
                let parser = records ?? TOONRecords(header: reader.header?.bytes)
                records = parser
                for record in batch.records { found.append(try parser.document(batch.bytes[record.range])) }
            }
        }
        while !rest.isEmpty {
            reader.append(Array(rest.prefix(piece)))
            rest = rest.dropFirst(piece)
            try take(isAtEnd: false)
        }
        try take(isAtEnd: true)
        return found
    }

    @Test func everyFormOfAListIsRead() throws {
        let expected: [Document] = [["a": 1, "b": "x,y"], ["a": 2, "b": ""], ["a": nil, "b": "é: #"]]
        for text in [
            "collection: c\ndocuments[3]{a,b}:\n  1,\"x,y\"\n  2,\"\"\n  null,\"é: #\"\ncount: 3\n",
            "documents[3|]{a|b}:\r\n  1|x,y\r\n# a comment\r\n  2|\"\"\r\n  null|\"é: #\"\r\n\r\n",
            "[3]{a,b}:\n  1,\"x,y\"\n  2,\"\"\n  null,\"é: #\"",
            "exported_at: now\ndocuments[3]:\n  - a: 1\n    b: \"x,y\"\n  - a: 2\n    b: \"\"\n  -\n    a: null\n    b: \"é: #\"\ncount: 3"
        ] {
            for piece in [1, 2, 7, 1000] {
                #expect(try documents(text, piece: piece) == expected, "\(text)")
                #expect(try documents(text, piece: piece, skip: 1, limit: 1) == [expected[1]])
            }
        }
        #expect(
            try documents("[2]:\n  - a[2]: 1,2\n    b:\n      c: 1\n  - d: 1") == [
                ["a": [1, 2], "b": ["c": 1]], ["d": 1]
            ])
        for text in [
            "", "\n# nothing\n", "documents: []\ncount: 0\n", "collection: c\ndocuments[0]:\ncount: 0", "[]", "[0]:"
        ] {
            #expect(try documents(text).isEmpty, "\(text)")
        }
        // A text without a list is one document.
        #expect(try documents("# one\na: 1\nb:\n  documents[1]: 2\n") == [["a": 1, "b": ["documents": [2]]]])
    }

    @Test func whatContradictsItselfIsAFault() throws {
        for (text, line) in [
            ("documents[2]{a}:\n  1\n", 3), ("documents[1]{a}:\n  1\n  2\n", 3), ("[2]:\n  - a: 1", 3),
            ("documents[1]{a}:\n  1\ncount: 2", 3), ("[1]{a}:\n  1\nb: 2", 3),
            ("documents[2]{a}:\n  1\n\n  2\n", 3), ("documents[2]: 1,2", 1), ("documents[1]{a,a}:\n  1,2", 1),
            ("documents[1]{a:\n  1,2", 1), ("documents[1]{a}:\n  1\ndocuments[1]{a}:\n  1", 3)
        ] {
            let fault = try #require(throws: ScanFault.self, "\(text)") { try documents(text) }
            #expect(fault.line == line, "\(text): \(fault)")
        }
        for text in [
            "documents[1]{a,b}:\n  1\n", "documents[1]{a}:\n    1\n", "documents[1]:\n  x\n", "[1]:\n  - x\n",
            "documents[1]:\n  - a: 1\n   b: 2\n", "x", "documents[1]{a}:\n  \"\\q\"\n"
        ] {
            #expect(throws: RecordParser.Fault.self, "\(text)") { try documents(text) }
        }
    }

    /// What the shell writes is what the decoder and the import read, for documents that are alike and others.
    @Test func whatIsWrittenIsReadBack() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for round in 0..<200 {
            let isTable = round % 2 == 0
            let documents = (0..<Int.random(in: 0...9, using: &random)).map { number -> Document in
                var document: Document = ["_id": .int(Int64(number)), "t": .string(TableTests.randomText(9, &random))]
                if isTable || Bool.random(using: &random) { document["n"] = .some(.double(Double(number) + 0.5)) }
                if !isTable {
                    document["l"] = .some(.array([.string(TableTests.randomText(3, &random)), nil, ["x": 1]]))
                }
                return document
            }
            let envelope = TOONEnvelope(collection: "a: b")
            for document in documents { try envelope.add(document) }
            var text: [UInt8] = []
            try envelope.write { (bytes) throws(ShellError) in text += bytes }
            let whole = try TOON.decode(text).document
            #expect(whole?["collection"] == "a: b" && whole?["count"] == .int(Int64(documents.count)))
            #expect(whole?["documents"]?.array ?? [] == documents.map { .document($0) }, "seed \(seed)")
            let piece = Int.random(in: 1...64, using: &random)
            #expect(
                try self.documents(String(decoding: text, as: UTF8.self), piece: piece) == documents, "seed \(seed)")
        }
    }

    @Test func documentsThatWaitGoToAFile() throws {
        let spool = DocumentSpool()
        let text = String(repeating: "x", count: 700_000)
        for number in 0..<20 { try spool.append(["n": .int(Int64(number)), "t": .string(text)]) }
        var seen = 0
        try spool.forEach { (document) throws(ShellError) in
            #expect(document["n"] == .int(Int64(seen)) && document["t"]?.string?.utf8.count == 700_000)
            seen += 1
        }
        #expect(seen == 20)
        let nowhere = DocumentSpool { _ in "/no/such/folder" }
        for _ in 0..<20 { try nowhere.append(["t": .string(text)]) }
        seen = 0
        try nowhere.forEach { (_) throws(ShellError) in seen += 1 }
        #expect(seen == 20)
    }

    @Test func theFormatIsToldByTheText() throws {
        for text in ["collection: c\ndocuments[1]{a}:\n", "documents[2]:\n", "[2]{a,b}:\n  1,2", "[1|]{a|b}:\n"] {
            #expect(try FormatGuess.format("-", Array(text.utf8), isAtEnd: true) == .toon, "\(text)")
        }
        #expect(try FormatGuess.format("-", Array("[{\"a\": 1}]".utf8), isAtEnd: true) == .json)
        #expect(try FormatGuess.format("-", Array("[1]\n".utf8), isAtEnd: true) == .json)
        #expect(try FormatGuess.format("x.toon.gz", [], isAtEnd: false) == .toon)
    }
}
