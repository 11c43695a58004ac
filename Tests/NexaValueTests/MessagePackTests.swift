import NexaValue
import Testing

@Suite struct MessagePackTests {
    static let samples: [(Value, String)] = [
        (.null, "c0"), (false, "c2"), (true, "c3"), (0, "00"), (127, "7f"), (128, "cc80"), (255, "ccff"),
        (256, "cd0100"), (65536, "ce00010000"), (.int(1 << 32), "cf0000000100000000"),
        (.uint(.max), "cfffffffffffffffff"), (-1, "ff"), (-32, "e0"), (-33, "d0df"), (-129, "d1ff7f"),
        (-32769, "d2ffff7fff"), (.int(.min), "d38000000000000000"), (1.5, "cb3ff8000000000000"),
        ("", "a0"), ("NEXA", "a44e455841"), (.bytes([1, 2]), "c4020102"), ([1, "a"], "9201a161"),
        (["a": 1, "b": [nil]], "82a16101a16291c0"), (.vector([1]), "91ca3f800000"),
        (.timestamp(Timestamp(seconds: 1)), "d6ff00000001"),
        (.timestamp(Timestamp(seconds: 1, nanoseconds: 1)), "d7ff0000000400000001"),
        (.timestamp(Timestamp(seconds: -1)), "c70cff00000000ffffffffffffffff"),
        (.extended(ExtendedValue(type: 5, bytes: [9])), "d40509"),
        (.string(String(repeating: "x", count: 32)), "d920" + String(repeating: "78", count: 32))
    ]

    @Test(arguments: samples) func encodesAsTheReferencePacker(value: Value, hex: String) throws {
        #expect(MessagePack.encode(value).hex == hex)
        let back = try MessagePack.decode([UInt8](hex: hex))
        if case .vector = value { return }
        #expect(back == value)
    }

    @Test func valueStaysSmall() {
        #expect(MemoryLayout<Value>.stride == 24)
    }

    @Test func everyCutIsTruncated() throws {
        let bytes = MessagePack.encode(["title": "Caught", "year": 1900, "cast": ["a", "b"], "x": ["y": 1.5]] as Value)
        for cut in 0..<bytes.count {
            #expect(throws: MessagePackError.self) { try MessagePack.decode(Array(bytes[..<cut])) }
            #expect(throws: MessagePackError.self) { try MessagePack.validate(bytes.span.bytes.extracting(0..<cut)) }
        }
    }

    @Test func depthIsLimited() throws {
        func nested(_ depth: Int) -> [UInt8] { [UInt8](repeating: 0x91, count: depth) + [0xC0] }
        _ = try MessagePack.decode(nested(100))
        try MessagePack.validate(nested(100).span.bytes)
        let error = MessagePackError(.tooDeep(limit: 100), at: 100)
        #expect(throws: error) { try MessagePack.decode(nested(101)) }
        #expect(throws: error) { try MessagePack.validate(nested(100_000).span.bytes) }
    }

    @Test func lyingLengthsAllocateNothing() {
        for head in ["ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffff01"] {
            #expect(throws: MessagePackError.self) { try MessagePack.decode([UInt8](hex: head + "00")) }
        }
    }

    @Test func validationRefusesWhatStorageMustNotHold() {
        func fault(_ hex: String) -> MessagePackError.Reason? {
            do throws(MessagePackError) {
                try MessagePack.validate([UInt8](hex: hex).span.bytes)
                return nil
            } catch { return error.reason }
        }
        #expect(fault("81a161a16281") == .trailingBytes(1))
        #expect(fault("81a161") == .truncated)
        #expect(fault("81a161a1ff") == .invalidUTF8)
        #expect(fault("81a1ff01") == .invalidUTF8)
        #expect(fault("810101") == .keyNotString)
        #expect(fault("82a16101a16102") == .repeatedKey)
        #expect(fault("c1") == .invalidByte(0xC1))
        #expect(fault("0000") == .trailingBytes(1))
        #expect(fault("82a16101a16202") == nil)
    }

    /// Two spellings of one letter are two keys, in small maps and in large ones.
    @Test func keysAreComparedByTheirBytes() throws {
        for padding in [0, 40] {
            var document: Document = ["\u{E9}": 1, "e\u{301}": 2]
            for number in 0..<padding { document["k\(number)"] = 0 }
            let bytes = MessagePack.encode(document)
            try MessagePack.validate(bytes.span.bytes)
            #expect(try MessagePack.decodeDocument(bytes).count == 2 + padding)
        }
    }

    @Test func rawLookupsFindWhatDecodingFinds() throws {
        let document: Document = [
            "title": "Caught", "year": 1900, "cast": ["Ada", ["name": "Bob"]], "o": ["p": ["q": 7]], "": 1
        ]
        let bytes = MessagePack.encode(document)
        for path in [
            "title", "year", "cast", "cast.0", "cast.1.name", "o.p.q", "", "o.x", "cast.2", "title.x", "cast.00"
        ] {
            let raw = try RawDocument(bytes.span.bytes)
            let found = try raw.value(at: path)?.decoded()
            #expect(found == document[path: path], "path \(path)")
        }
    }

    /// Found by fuzzing: such bytes were stored, and nobody could decode them.
    @Test func aTimestampWithTooManyNanosecondsIsNotValid() {
        let bytes: [UInt8] = [0xD7, 0xFF, 0xFF, 0, 0, 0, 0, 0x79, 0x79, 0x79]
        #expect(throws: MessagePackError.self) { try MessagePack.validate(bytes.span.bytes) }
        #expect(throws: MessagePackError.self) { try MessagePack.decode(bytes) }
    }

    @Test func largeDocumentsTakeLinearTime() throws {
        var writer = MessagePackWriter()
        writer.writeMapHead(count: 200_000)
        for number in 0..<200_000 {
            writer.write("k\(number % 100_000)")
            writer.write(number)
        }
        let document = try MessagePack.decodeDocument(writer.span)
        #expect(document.count == 100_000)
        #expect(document["k7"] == 100_007)
    }
}

extension [UInt8] {
    var hex: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    init(hex: String) {
        let digits = hex.utf8.compactMap { UInt8(String(UnicodeScalar($0)), radix: 16) }
        self = stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
