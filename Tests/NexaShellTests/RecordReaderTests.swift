import NexaValue
import TestKit
import Testing

@testable import NexaShell

/// Records are found however the bytes are divided, and nothing grows without a limit.
@Suite struct RecordReaderTests {
    /// The texts and lines of all records when the input comes in pieces of random sizes.
    private func records(
        _ format: DataFormat, _ text: String, pieces: ClosedRange<Int>, _ random: inout SplitMix64,
        limits: RecordReader.Limits = .init(documents: 2)
    ) throws -> [String] {
        var reader = RecordReader(format, limits)
        var found: [String] = []
        var rest = Array(text.utf8)[...]
        func take(isAtEnd: Bool) throws {
            while let batch = try reader.next(isAtEnd: isAtEnd) {
                for record in batch.records {
                    let text = String(decoding: batch.bytes[record.range], as: UTF8.self)
                    found.append("\(record.line):\(record.column):\(text)")
                }
            }
        }
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: pieces, using: &random))
            rest = rest.dropFirst(piece.count)
            reader.append(Array(piece))
            try take(isAtEnd: false)
        }
        try take(isAtEnd: true)
        if let header = reader.header {
            found.insert("header:" + String(decoding: header.bytes, as: UTF8.self), at: 0)
        }
        return found
    }

    @Test func divisionDoesNotMatter() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let cases: [(DataFormat, String, [String])] = [
            (
                .ndjson, "\u{FEFF}{\"a\":1}\r\n\n  \n{\"é\":2}\nlast",
                ["1:1:{\"a\":1}", "4:1:{\"é\":2}", "5:1:last"]
            ),
            (
                .json, "\u{FEFF} [ {\"a\": \"]\\\"\"}, {\"b\":\n[1]} ,{\"é\":{}}, 7 ,\"x\"]\n",
                ["1:4:{\"a\": \"]\\\"\"}", "1:18:{\"b\":\n[1]}", "2:7:{\"é\":{}}", "2:17:7", "2:20:\"x\""]
            ),
            (
                .json, "{\n \"a\": 1\n}\n{\"b\": 2} {\"c\": 3}\n",
                ["1:1:{\n \"a\": 1\n}", "4:1:{\"b\": 2}", "4:10:{\"c\": 3}"]
            ),
            (.json, "[]", []), (.json, "", []),
            (
                .csv, "\u{FEFF}a,\"b\nc\"\r\n1,\"x\r\n,\"\"y\"\n\n\r\n\"\",2\r\n3,4",
                ["header:a,\"b\nc\"", "3:1:1,\"x\r\n,\"\"y\"", "7:1:\"\",2", "8:1:3,4"]
            ),
            (.tsv, "a\tb\n1\t\"x\n2\t\n", ["header:a\tb", "2:1:1\t\"x", "3:1:2\t"])
        ]
        for (format, text, expected) in cases {
            for round in 0..<200 {
                let found = try records(format, text, pieces: 1...(round % 20 + 1), &random)
                try #require(found == expected, "\(format) seed \(seed)")
            }
        }
    }

    @Test func whatIsBrokenIsNamedByItsPlace() throws {
        var random = SplitMix64(seed: 1)
        let cases: [(DataFormat, String, ScanFault)] = [
            (
                .json, "[{\"a\":1},\n {\"b\"",
                ScanFault(message: "the value that begins here is not closed", line: 2, column: 2)
            ),
            (.json, "[{\"é\":1} ", ScanFault(message: "the array is not closed", line: 1, column: 10)),
            (.json, "[{} {}]", ScanFault(message: "expected ',' or ']'", line: 1, column: 5)),
            (.json, "[{},]", ScanFault(message: "expected a document", line: 1, column: 5)),
            (.json, "[{}]\n{}", ScanFault(message: "expected the end of the file", line: 2, column: 1)),
            (.json, "{}}", ScanFault(message: "expected a document", line: 1, column: 3)),
            (.csv, "a\n1\n\"x\n\n", ScanFault(message: "the quote that opens here is not closed", line: 3))
        ]
        for (format, text, fault) in cases {
            for pieces in [1...1, 3...3, 100...100] {
                #expect(throws: fault, "\(text)") { _ = try records(format, text, pieces: pieces, &random) }
            }
        }
    }

    @Test func aLongRecordIsRefusedBeforeItFillsTheMemory() throws {
        for (format, text) in [
            (DataFormat.ndjson, "{}\n{\"a\":\"0123456789"), (.json, "[{}, {\"a\":\"0123456789"),
            (.csv, "a\n\"0123456789a")
        ] {
            var reader = RecordReader(format, .init(recordBytes: 10))
            reader.append(Array(text.utf8))
            #expect(throws: ScanFault.self, "\(format)") { while try reader.next(isAtEnd: false) != nil {} }
        }
    }

    @Test func batchesHaveLimits() throws {
        var reader = RecordReader(.ndjson, .init(documents: 3, bytes: 30), skip: 1, limit: 8)
        reader.append(Array((0..<20).map { "{\"n\":\($0)}\n" }.joined().utf8))
        var sizes: [Int] = []
        while let batch = try reader.next(isAtEnd: false) { sizes.append(batch.records.count) }
        #expect(sizes == [3, 3, 2])
        #expect(reader.isFinished)
    }

    @Test func formatsAreGuessed() throws {
        func guess(_ name: String, _ text: String, isAtEnd: Bool = true) throws -> DataFormat? {
            try FormatGuess.format(name, Array(text.utf8), isAtEnd: isAtEnd)
        }
        #expect(try guess("a.CSV", "") == .csv)
        #expect(try guess("dump.ndjson.gz", "") == .ndjson)
        #expect(try guess("-", " \n[{}") == .json)
        #expect(try guess("-", "{\"a\":1}\n{") == .ndjson)
        #expect(try guess("-", "{\n\"a\":1}") == .json)
        #expect(try guess("-", "{\"a\":", isAtEnd: false) == nil)
        #expect(try guess("-", "a,b\n") == .csv)
        #expect(try guess("-", "a\tb,c\n") == .tsv)
        #expect(throws: ScanFault.self) { try guess("-", "hello\n") }
    }
}

/// CSV and TSV.
@Suite struct DelimitedTests {
    private func parse(
        _ dialect: DelimitedWriter.Dialect, _ text: String, types: [String: DelimitedParser.ColumnType] = [:]
    ) throws -> [Document] {
        var reader = RecordReader(dialect == .csv ? .csv : .tsv, .init())
        reader.append(Array(text.utf8))
        var documents: [Document] = []
        var parser: DelimitedParser?
        while let batch = try reader.next(isAtEnd: true) {
            if parser == nil, let header = reader.header {
                parser = try DelimitedParser(dialect, header: header.bytes[...], types: types)
            }
            for record in batch.records {
                if let document = try parser?.document(batch.bytes[record.range]) { documents.append(document) }
            }
        }
        return documents
    }

    @Test func cellsAreWhatTheyLookLike() throws {
        let rows = try parse(
            .csv,
            """
            _id,n,d,b,t,when,nested.x,list
            1,-12,1.5e3,true,007,2020-01-02T03:04:05Z,5,"[1,{""a"":2}]"
            x,99999999999999999999,-0.0,false,"12","2020-01-02T03:04:05Z",null,"{not json}"
            ,18446744073709551615,1.,TRUE,+5,2020-01-02,"",[]
            """)
        #expect(
            rows[0] == [
                "_id": 1, "n": -12, "d": 1500.0, "b": true, "t": "007",
                "when": .timestamp(Timestamp(seconds: 1_577_934_245)), "nested": ["x": 5],
                "list": [1, ["a": 2]]
            ])
        #expect(
            rows[1] == [
                "_id": "x", "n": "99999999999999999999", "d": -0.0, "b": false, "t": "12",
                "when": "2020-01-02T03:04:05Z", "nested": ["x": nil], "list": "{not json}"
            ])
        #expect(
            rows[2] == [
                "n": .uint(.max), "d": "1.", "b": "TRUE", "t": "+5", "when": "2020-01-02", "nested": ["x": ""],
                "list": []
            ])
    }

    @Test func typesAreSaid() throws {
        let rows = try parse(
            .csv, "a,b,c,d,e\n1,2,1,2020-01-02,\"{\"\"x\"\":1}\"\n,null,no,,\n",
            types: ["a": .string, "b": .double, "c": .bool, "d": .date, "e": .json])
        #expect(
            rows[0] == [
                "a": "1", "b": 2.0, "c": true, "d": .timestamp(Timestamp(seconds: 1_577_923_200)), "e": ["x": 1]
            ])
        #expect(rows[1] == ["b": nil, "c": false])
        #expect(throws: RecordParser.Fault(message: "a: 'x' is no int", offset: 2)) {
            try parse(.csv, "b,a\n1,x\n", types: ["a": .int])
        }
        #expect(throws: RecordParser.Fault.self) { try parse(.csv, "a\n1.5\n", types: ["a": .int]) }
        #expect(throws: RecordParser.Fault.self) { try parse(.csv, "a\n1\n", types: ["zz": .int]) }
    }

    @Test func rowsThatDoNotFitAreFaults() throws {
        for text in ["a,b\n1\n", "a\n1,2\n", "a,a\n1,2\n", "a,\n1,2\n", "a\n\"x\"y\n"] {
            #expect(throws: RecordParser.Fault.self, "\(text)") { try parse(.csv, text) }
        }
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let texts = [
            "", " ", "a", "é日本", "a,b", "a\"b", "\"", "\n", "\r\n", "12", "-1.5", "true", "null", "\\N", "t", "\t",
            "\\", "\\t",
            "{", "[", "[x", "2020-01-02T03:04:05Z", "\u{FEFF}x", " x ", "=1+1"
        ]
        func value(_ dialect: DelimitedWriter.Dialect) -> Value {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: return .null
            case 1: return .bool(Bool.random(using: &random))
            case 2: return .int(Int64.random(in: .min ... .max, using: &random))
            case 3:
                let number = Double(bitPattern: random.next())
                // Of the many kinds of NaN one is written.
                return .double(number.isNaN ? .nan : number)
            case 4:
                return .timestamp(
                    Timestamp(seconds: Int64.random(in: 0...4_000_000_000, using: &random), nanoseconds: 5_000))
            case 5: return .array([.string(texts.randomElement(using: &random) ?? ""), nil, 1.5])
            case 6: return .document(["x": .string(texts.randomElement(using: &random) ?? ""), "é": .bytes([1, 2])])
            default:
                var text = texts.randomElement(using: &random) ?? ""
                // What TSV cannot tell from a value without --types.
                if dialect == .tsv { text = "x" + text }
                return .string(text)
            }
        }
        for dialect in [DelimitedWriter.Dialect.csv, .tsv] {
            for _ in 0..<300 {
                let documents = (0..<5).map { _ -> Document in
                    var document = Document()
                    for name in ["a", "b,\"", "c d\n"] where Int.random(in: 0..<4, using: &random) > 0 {
                        document[name] = .some(value(dialect))
                    }
                    return document
                }
                guard Set(documents.flatMap { $0.map(\.key) }).count > 1 else { continue }
                var rows = DelimitedRows(DelimitedWriter(dialect), columns: nil)
                var bytes: [UInt8] = []
                for document in documents { try rows.add(document, to: &bytes) }
                try rows.finish(to: &bytes)
                let text = String(decoding: bytes, as: UTF8.self)
                let back = try parse(dialect, text)
                // The order of fields is that of the columns; NaN is not equal to itself.
                func normal(_ document: Document) -> [String] {
                    document.map { "\($0.key)=\($0.value)" }.sorted()
                }
                try #require(back.map(normal) == documents.map(normal), "\(dialect) seed \(seed)\n\(text)")
            }
        }
    }
}

/// Gzip.
@Suite struct GunzipTests {
    @Test func damagedAndCutStreamsAreFaults() throws {
        // `printf 'hello\n' | gzip -n`, twice.
        let one: [UInt8] = [
            0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0xE7, 2, 0, 0x20, 0x30, 0x3A, 0x36, 6, 0,
            0, 0
        ]
        func unpack(_ bytes: [UInt8], piece: Int) throws -> String {
            let gunzip = Gunzip()
            var text: [UInt8] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = Array(rest.prefix(piece))
                rest = rest.dropFirst(piece)
                var offset = 0
                while let unpacked = try gunzip.next(part, &offset) { text += unpacked }
            }
            try gunzip.finish()
            return String(decoding: text, as: UTF8.self)
        }
        for piece in [1, 7, 1000] { #expect(try unpack(one + one, piece: piece) == "hello\nhello\n") }
        for length in 1..<one.count {
            #expect(throws: ScanFault.self) { try unpack(Array(one.prefix(length)), piece: 5) }
        }
        var damaged = one
        damaged[one.count - 6] ^= 1
        #expect(throws: ScanFault.self) { try unpack(damaged, piece: 100) }
    }
}
