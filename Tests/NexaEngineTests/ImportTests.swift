import Glibc
import NexaEngine
import NexaValue
import TestKit
import Testing

/// Imports of what `mongodump` and `mongoexport` write. The bytes and texts were made by MongoDB's own library for
/// Python, `bson` of PyMongo 4.
@Suite struct ImportTests {
    /// One document with a value of every kind.
    private static let bson =
        "87010000075f6964005f1a2b3c4d5e6f7081920a0b01646f75626c6500000000000000f83f0274657874000700000068"
        + "c3a96c6c6f0003646f630014000000106100010000000362000500000000000461727261790024000000103000010000"
        + "000231000200000078000432000c000000083000010a310000000562696e0003000000000001ff057575696400100000"
        + "0004123456781234567812345678123456780879657300010964617465002ecf35646f010000096f6c6400ffffffffff"
        + "ffffff0a6e756c6c000b7265676578005e612e622400696d000d636f64650004000000662829000f73636f7065640018"
        + "00000004000000672829000c000000107800010000000010696e74000700000012626967000000000000010000117473"
        + "000300000000105e5f1364656300e2040000000000000000000000003c30ff6d696e007f6d617800056f6c642062696e"
        + "61727900060000000202000000616203646272656600200000000224726566000600000066696c6d7300022469640002"
        + "00000078000000"
    /// The same in canonical and in relaxed Extended JSON.
    private static let canonical =
        #"{"_id": {"$oid": "5f1a2b3c4d5e6f7081920a0b"}, "double": {"$numberDouble": "1.5"}, "text": "#
        + #""h\u00e9llo", "doc": {"a": {"$numberInt": "1"}, "b": {}}, "array": [{"$numberInt": "1"}, ""#
        + #"x", [true, null]], "bin": {"$binary": {"base64": "AAH/", "subType": "00"}}, "uuid": {"$bin"#
        + #"ary": {"base64": "EjRWeBI0VngSNFZ4EjRWeA==", "subType": "04"}}, "yes": true, "date": {"$da"#
        + #"te": {"$numberLong": "1577934245678"}}, "old": {"$date": {"$numberLong": "-1"}}, "null": n"#
        + #"ull, "regex": {"$regularExpression": {"pattern": "^a.b$", "options": "im"}}, "code": {"$co"#
        + #"de": "f()"}, "scoped": {"$code": "g()", "$scope": {"x": {"$numberInt": "1"}}}, "int": {"$n"#
        + #"umberInt": "7"}, "big": {"$numberLong": "1099511627776"}, "ts": {"$timestamp": {"t": 16000"#
        + #"00000, "i": 3}}, "dec": {"$numberDecimal": "12.50"}, "min": {"$minKey": 1}, "max": {"$maxK"#
        + #"ey": 1}, "old binary": {"$binary": {"base64": "YWI=", "subType": "02"}}, "dbref": {"$ref":"#
        + #" "films", "$id": "x"}}"#
    private static let relaxed =
        #"{"_id": {"$oid": "5f1a2b3c4d5e6f7081920a0b"}, "double": 1.5, "text": "h\u00e9llo", "doc": "#
        + #"{"a": 1, "b": {}}, "array": [1, "x", [true, null]], "bin": {"$binary": {"base64": "AAH/", "#
        + #""subType": "00"}}, "uuid": {"$binary": {"base64": "EjRWeBI0VngSNFZ4EjRWeA==", "subType": ""#
        + #"04"}}, "yes": true, "date": {"$date": "2020-01-02T03:04:05.678Z"}, "old": {"$date": {"$num"#
        + #"berLong": "-1"}}, "null": null, "regex": {"$regularExpression": {"pattern": "^a.b$", "opti"#
        + #"ons": "im"}}, "code": {"$code": "f()"}, "scoped": {"$code": "g()", "$scope": {"x": 1}}, "i"#
        + #"nt": 7, "big": 1099511627776, "ts": {"$timestamp": {"t": 1600000000, "i": 3}}, "dec": {"$n"#
        + #"umberDecimal": "12.50"}, "min": {"$minKey": 1}, "max": {"$maxKey": 1}, "old binary": {"$bi"#
        + #"nary": {"base64": "YWI=", "subType": "02"}}, "dbref": {"$ref": "films", "$id": "x"}}"#

    private static let expected: Document = [
        "_id": "5f1a2b3c4d5e6f7081920a0b", "double": 1.5, "text": "héllo", "doc": ["a": 1, "b": [:]],
        "array": [1, "x", [true, .null]], "bin": .bytes([0, 1, 255]), "uuid": "12345678-1234-5678-1234-567812345678",
        "yes": true, "date": .timestamp(Timestamp(seconds: 1_577_934_245, nanoseconds: 678_000_000)),
        "old": .timestamp(Timestamp(seconds: -1, nanoseconds: 999_000_000)), "null": .null, "regex": "/^a.b$/im",
        "code": "f()", "scoped": ["$code": "g()", "$scope": ["x": 1]], "int": 7, "big": .int(1 << 40),
        "ts": .timestamp(Timestamp(seconds: 1_600_000_000, nanoseconds: 3)), "dec": "12.50", "min": "MinKey",
        "max": "MaxKey", "old binary": .bytes([97, 98]), "dbref": ["$ref": "films", "$id": "x"]
    ]

    static let decimals: [(bytes: String, text: String)] = [
        ("00000000000000000000000000004030", "0"),
        ("000000000000000000000000000040b0", "-0"),
        ("e2040000000000000000000000003c30", "12.50"),
        ("01000000000000000000000000004630", "1E+3"),
        ("01000000000000000000000000003230", "1E-7"),
        ("01000000000000000000000000003430", "0.000001"),
        ("f2af967ed05c82de3297ff6fde3c3830", "123456789012345678901234567890.1234"),
        ("ffffffff638e8d37c087adbe09edffdf", "-9.999999999999999999999999999999999E+6144"),
        ("01000000000000000000000000000000", "1E-6176"),
        ("0000000000000000000000000000007c", "NaN"),
        ("00000000000000000000000000000078", "Infinity"),
        ("000000000000000000000000000000f8", "-Infinity"),
        ("00000000000000000000000000005430", "0E+10"),
        ("00000000000000000000000000003c30", "0.00")
    ]

    private static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal.utf8)
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
    }

    /// A BSON document with these elements.
    private static func document(_ elements: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt32(elements.count + 5).littleEndian) { Array($0) } + elements + [0]
    }

    private static func element(_ type: UInt8, _ name: String, _ value: [UInt8]) -> [UInt8] {
        [type] + Array(name.utf8) + [0] + value
    }

    private static func integer(_ name: String, _ number: Int32) -> [UInt8] {
        element(0x10, name, withUnsafeBytes(of: number.littleEndian) { Array($0) })
    }

    private static func text(_ name: String, _ text: String) -> [UInt8] {
        let length = withUnsafeBytes(of: UInt32(text.utf8.count + 1).littleEndian) { Array($0) }
        return element(0x02, name, length + Array(text.utf8) + [0])
    }

    /// An export with one file.
    private func export(_ name: String, _ bytes: [UInt8]) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory(inMemory: true)
        mkdir(directory["shop"], 0o700)
        try Files.write(bytes, to: directory["shop/" + name])
        return directory
    }

    private func run(
        _ fixture: Fixture, _ directory: TemporaryDirectory, collection: String = "films", dropsExisting: Bool = false
    ) throws -> MongoImport.Outcome {
        try MongoImport(from: directory.path, into: fixture.engine).importCollection(
            collection, of: "shop", into: "shop", collection, dropsExisting: dropsExisting)
    }

    /// What is stored, without the server's own fields.
    private func documents(_ engine: Engine, collection: String = "films") throws -> [Document] {
        var options = QueryOptions()
        options.limit = 0
        let execution = try engine.query(database: "shop", collection: collection, filter: [:], options: options)
        while try execution.step(budget: 10_000) != .done {}
        let bytes = execution.takeDocuments()
        var reader = MessagePackReader(bytes.span.bytes)
        var documents: [Document] = []
        for _ in 0..<execution.documentCount {
            var document = try reader.readDocument()
            document["_created_at"] = nil
            document["_updated_at"] = nil
            documents.append(document)
        }
        return documents
    }

    // MARK: What is read

    @Test func everyKindOfValueOfBSON() throws {
        let fixture = try Fixture()
        let outcome = try run(fixture, try export("films.bson", Self.bytes(Self.bson)))
        #expect(outcome.count == 1 && outcome.warnings.isEmpty)
        let found = try #require(try documents(fixture.engine).first)
        for (key, value) in Self.expected { #expect(found[key] == value, "\(key)") }
        #expect(found.count == Self.expected.count)
    }

    @Test(arguments: ["films.json", "films.ndjson", "films.jsonl"], [false, true])
    func everyKindOfValueOfJSON(name: String, isCanonical: Bool) throws {
        let fixture = try Fixture()
        _ = try run(fixture, try export(name, Array((isCanonical ? Self.canonical : Self.relaxed).utf8)))
        #expect(try documents(fixture.engine) == [Self.expected])
    }

    @Test(arguments: decimals) func decimalsBecomeText(bytes: String, text: String) throws {
        let fixture = try Fixture()
        let elements = Self.text("_id", "x") + Self.element(0x13, "d", Self.bytes(bytes))
        _ = try run(fixture, try export("films.bson", Self.document(elements)))
        #expect(try documents(fixture.engine).first?["d"] == .string(text))
    }

    @Test(arguments: [
        #"{"_id":1}{"_id":2}"#, "{\"_id\":1}\n{\"_id\":2}\n", #"[{"_id":1},{"_id":2}]"#,
        "\u{FEFF}[\n  {\n    \"_id\": 1\n  },\n  {\n    \"_id\": 2\n  }\n]\n", "\r\n{\"_id\":1}\r\n\r\n{\"_id\":2}"
    ])
    func objectsInAnyArrangement(text: String) throws {
        let fixture = try Fixture()
        _ = try run(fixture, try export("films.json", Array(text.utf8)))
        #expect(try documents(fixture.engine) == [["_id": 1], ["_id": 2]])
    }

    @Test func bracesInTextsCountForNothing() throws {
        let fixture = try Fixture()
        let text = #"{"_id":1,"t":"}{\\\"}{"}  {"_id":2,"t":{"u":"\\"}}"#
        _ = try run(fixture, try export("films.json", Array(text.utf8)))
        #expect(try documents(fixture.engine).count == 2)
    }

    @Test func idsOfOtherKindsBecomeText() throws {
        let fixture = try Fixture()
        let text = #"""
            {"_id":{"b":{"$numberInt":"2"},"a":"x"}} {"_id":{"$date":{"$numberLong":"1577934245678"}}} {"_id":2.0} {"_id":2.5}
            {"_id":true} {"_id":{"$binary":{"base64":"AA==","subType":"00"}}} {"_id":null} {"_id":[1]}
            """#
        #expect(try run(fixture, try export("films.json", Array(text.utf8))).count == 8)
        let ids = Set(try documents(fixture.engine).compactMap { $0["_id"] })
        #expect(
            ids == [
                #"{"b":2,"a":"x"}"#, "2020-01-02T03:04:05.678Z", 2, "2.5", "true",
                #"{"$binary":{"base64":"AA==","subType":"00"}}"#, "null", "[1]"
            ])
    }

    @Test func largeExportsAreReadInBatches() throws {
        let fixture = try Fixture()
        var bytes: [UInt8] = []
        let padding = String(repeating: "x", count: 3000)
        for number in 0..<3500 {
            bytes += Self.document(Self.integer("_id", Int32(number)) + Self.text("padding", padding))
        }
        let directory = try export("films.bson", bytes)
        #expect(try run(fixture, directory).count == 3500)
        #expect(try documents(fixture.engine).count == 3500)
        #expect(try fixture.engine.check().findings.isEmpty)
        let error = #expect(throws: EngineError.self) { try run(fixture, directory) }
        #expect(error?.code == .duplicateID && error?.message.contains("0 documents were imported") == true)
        #expect(try run(fixture, directory, dropsExisting: true).count == 3500)
    }

    @Test func aDatabaseIsAllItsCollections() throws {
        let fixture = try Fixture()
        let directory = try export("films.bson", Self.document(Self.integer("_id", 1)))
        try Files.write(Array(#"{"_id":1} {"_id":2}"#.utf8), to: directory["shop/a%2Eb%25.json"])
        try Files.write([], to: directory["shop/empty.bson"])
        try Files.write(Array("nonsense".utf8), to: directory["shop/films.json"])
        try Files.write(Array("nonsense".utf8), to: directory["shop/system.users.bson"])
        try Files.write(Array("nonsense".utf8), to: directory["shop/notes.txt"])
        for root in [directory.path, directory["shop"]] {
            let outcomes = try MongoImport(from: root, into: fixture.engine).importDatabase(
                "shop", into: "shop", dropsExisting: true)
            #expect(outcomes.map(\.name) == ["a.b%", "empty", "films"], "BSON goes before JSON of the same name")
            #expect(outcomes.map(\.count) == [2, 0, 1])
        }
        #expect(fixture.engine.collectionNames(database: "shop") == ["a.b%", "empty", "films"])
    }

    @Test func indexesAreMade() async throws {
        let fixture = try Fixture()
        let directory = try export("films.bson", Self.document(Self.integer("_id", 1) + Self.integer("year", 1950)))
        let metadata = #"""
            {"options":{"capped":true},"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"},
            {"v":{"$numberInt":"2"},"key":{"year":{"$numberInt":"-1"},"title":{"$numberDouble":"1.0"}},"name":"by_year","unique":true},
            {"v":{"$numberInt":"2"},"key":{"seen":{"$numberInt":"1"}},"name":"seen_1","expireAfterSeconds":{"$numberInt":"60"}},
            {"v":{"$numberInt":"2"},"key":{"_fts":"text","_ftsx":{"$numberInt":"1"}},"name":"words","weights":{"title":1}}]}
            """#
        try Files.write(Array(metadata.utf8), to: directory["shop/films.metadata.json"])
        let outcome = try run(fixture, directory)
        #expect(outcome.count == 1 && outcome.warnings.count == 2, "\(outcome.warnings)")
        let indexes = fixture.engine.indexes(database: "shop", collection: "films").map(\.definition)
        #expect(Set(indexes.map(\.name)) == ["by_year", "seen_1"])
        let byYear = try #require(indexes.first { $0.name == "by_year" })
        #expect(byYear.isUnique && byYear.document["keys"] == [["year", -1], ["title", 1]])
        #expect(indexes.first { $0.name == "seen_1" }?.expireAfterSeconds == 60)
    }

    // MARK: What is refused

    @Test func cutAndDamagedFilesAreRefused() throws {
        let fixture = try Fixture()
        let whole = Self.bytes(Self.bson)
        for length in 1..<whole.count {
            let directory = try export("films.bson", Array(whole[..<length]))
            #expect(throws: EngineError.self, "\(length) bytes") { try run(fixture, directory, dropsExisting: true) }
        }
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<1500 {
            var damaged = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                damaged[Int.random(in: 0..<whole.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            // It is refused or read as something else; what matters is that it ends, and that the data stay whole.
            _ = try? run(fixture, try export("films.bson", damaged), dropsExisting: true)
        }
        #expect(try fixture.engine.check().findings.isEmpty, "seed \(seed)")
    }

    @Test(arguments: [
        "1", "{", #"{"_id":1} x"#, #"{"_id":1,"a":{"$oid":"x"}}"#, #"{"_id":"}"#, "null", "{\"_id\":\u{0}}"
    ])
    func textsThatAreNoDocumentsAreRefused(text: String) throws {
        let fixture = try Fixture()
        let error = #expect(throws: EngineError.self) { try run(fixture, try export("films.json", Array(text.utf8))) }
        #expect(error?.code == .badRequest && error?.message.contains("films.json") == true)
    }

    @Test func deepDocumentsAreRefused() throws {
        let fixture = try Fixture()
        var nested = Self.document([])
        for _ in 0..<200 { nested = Self.document(Self.element(0x03, "a", nested)) }
        let error = #expect(throws: EngineError.self) { try run(fixture, try export("films.bson", nested)) }
        #expect(error?.message.contains("128 levels") == true)
        let text = String(repeating: #"{"a":"#, count: 100_000) + "1" + String(repeating: "}", count: 100_000)
        #expect(throws: EngineError.self) { try run(fixture, try export("films.json", Array(text.utf8))) }
    }

    @Test func onlyFilesOfTheExportAreRead() throws {
        let fixture = try Fixture()
        let directory = try export("other.bson", Self.bytes(Self.bson))
        try Files.write(Self.bytes(Self.bson), to: directory["secret.bson"])
        symlink(directory["secret.bson"], directory["shop/films.bson"])
        #expect(throws: EngineError.self, "a link") { try run(fixture, directory) }
        unlink(directory["shop/films.bson"])
        mkfifo(directory["shop/films.bson"], 0o600)
        #expect(throws: EngineError.self, "a pipe, which would never end") { try run(fixture, directory) }
        for name in ["../secret", "..", "", "a/../../secret", "/etc/passwd"] {
            #expect(throws: EngineError.self) { try run(fixture, directory, collection: name) }
        }
        #expect(throws: EngineError.self) {
            try MongoImport(from: directory["shop"], into: fixture.engine).importDatabase(
                "..", into: "x", dropsExisting: false)
        }
        try Files.write([], to: directory["shop/packed.bson.gz"])
        let error = #expect(throws: EngineError.self) { try run(fixture, directory, collection: "packed") }
        #expect(error?.advice?.contains("gunzip") == true)
    }
}
