import NexaEngine
import NexaValue
import Testing

@Suite struct CatalogTests {
    @Test func readingMakesNothing() throws {
        let fixture = try Fixture()
        #expect(fixture.engine.databaseNames() == ["default"])
        #expect(fixture.engine.collectionNames(database: "nowhere") == [])
        #expect(try fixture.engine.document(id: "x", database: "nowhere", collection: "c") == nil)
        #expect(fixture.engine.databaseNames() == ["default"])
    }

    @Test func writingMakesWhatItNeeds() async throws {
        let fixture = try Fixture()
        try await fixture.engine.insert(["a": 1], database: "shop", collection: "items")
        try await fixture.engine.createDatabase("empty")
        try await fixture.engine.createDatabase("empty")
        try await fixture.engine.createCollection(database: "other", name: "c")
        for _ in 0..<2 {
            #expect(fixture.engine.databaseNames() == ["default", "empty", "other", "shop"])
            #expect(fixture.engine.collectionNames(database: "shop") == ["items"])
            #expect(fixture.engine.collectionNames(database: "empty") == [])
            try fixture.reopen()
        }
    }

    @Test func droppedMeansGone() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        for name in ["a", "b"] {
            try await engine.insert(contentsOf: (0..<100).map { ["_id": .int($0)] }, database: "d", collection: name)
        }
        #expect(try engine.document(id: 5, database: "d", collection: "a") != nil)
        try await engine.dropCollection(database: "d", name: "a")
        #expect(engine.collectionNames(database: "d") == ["b"])
        #expect(try engine.document(id: 5, database: "d", collection: "a") == nil)
        #expect(try engine.document(id: 5, database: "d", collection: "b") != nil)
        let missing = await #expect(throws: EngineError.self) {
            try await engine.dropCollection(database: "d", name: "a")
        }
        #expect(missing?.message == "Collection 'a' not found in database 'd'")
        try await engine.insert(["_id": 1, "again": true], database: "d", collection: "a")
        #expect(try engine.document(id: 5, database: "d", collection: "a") == nil)
        try fixture.reopen()
        #expect(try fixture.engine.document(id: 1, database: "d", collection: "a")?["again"] == true)
        #expect(try fixture.engine.document(id: 5, database: "d", collection: "a") == nil)
        try await fixture.engine.dropDatabase("d")
        try fixture.reopen()
        #expect(fixture.engine.databaseNames() == ["default"])
        #expect(try fixture.engine.document(id: 5, database: "d", collection: "b") == nil)
    }

    @Test func theDefaultDatabaseStays() async throws {
        let fixture = try Fixture()
        let error = await #expect(throws: EngineError.self) { try await fixture.engine.dropDatabase("default") }
        #expect(error?.message == "Cannot drop 'default' database")
        let unknown = await #expect(throws: EngineError.self) { try await fixture.engine.dropDatabase("x") }
        #expect(unknown?.message == "Database 'x' not found" && unknown?.code == .notFound)
    }

    @Test(arguments: [
        "", ".hidden", "a/b", "a\\b", "$x", "a$", "a\u{0}b", "tab\t", "\u{85}", String(repeating: "é", count: 61)
    ])
    func unusableNamesAreRefused(_ name: String) async throws {
        let fixture = try Fixture()
        for attempt in 0..<4 {
            let error = await #expect(throws: EngineError.self) {
                switch attempt {
                case 0: try await fixture.engine.createDatabase(name)
                case 1: try await fixture.engine.createCollection(name: name)
                case 2: try await fixture.engine.insert(["a": 1], database: name, collection: "c")
                default: try await fixture.engine.insert(["a": 1], collection: name)
                }
            }
            #expect(error?.code == .badRequest)
        }
        #expect(fixture.engine.databaseNames() == ["default"])
        #expect(fixture.engine.collectionNames(database: "default").isEmpty)
    }

    @Test func anyOtherNameWorks() async throws {
        let fixture = try Fixture()
        let names = ["a:b", "a b", "日本語", "x.y", String(repeating: "n", count: 120), "_private", "é"]
        for name in names { try await fixture.engine.insert(["n": .string(name)], database: name, collection: name) }
        try fixture.reopen()
        #expect(fixture.engine.databaseNames() == (names + ["default"]).sorted())
        for name in names { #expect(fixture.engine.collectionNames(database: name) == [name]) }
    }

    @Test func namesThatUnicodeCallsEqualAreOne() async throws {
        let fixture = try Fixture()
        let composed = "caf\u{E9}"
        let decomposed = "cafe\u{301}"
        try await fixture.engine.insert(["_id": 1], database: composed, collection: decomposed)
        try await fixture.engine.createDatabase(decomposed)
        try await fixture.engine.insert(["_id": 2], database: decomposed, collection: composed)
        try fixture.reopen()
        #expect(try fixture.engine.find(database: composed, collection: composed).count == 2)
        try await fixture.engine.createCollection(database: decomposed, name: composed, vectorDimensions: 3)
        try await fixture.engine.dropDatabase(decomposed)
        try fixture.reopen()
        #expect(fixture.engine.databaseNames() == ["default"] && fixture.storedDocumentCount() == 0)
    }
}
