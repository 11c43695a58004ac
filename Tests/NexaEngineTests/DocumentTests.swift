import NexaEngine
import NexaValue
import Testing

@Suite struct DocumentTests {
    @Test func insertStampsInFrontAndKeepsTheOrder() async throws {
        let fixture = try Fixture()
        let id = try await fixture.engine.insert(["b": 1, "a": ["x": [1, 2]], "c": nil], collection: "things")
        let text = try #require(id.string)
        #expect(text.count == 32 && text.allSatisfy { $0.isHexDigit && !$0.isUppercase })
        let document = try #require(try fixture.engine.document(id: id, collection: "things"))
        #expect(document.keys == ["_id", "_created_at", "_updated_at", "b", "a", "c"])
        #expect(document["_id"] == id)
        let stamp = try #require(document["_created_at"]?.string)
        #expect(stamp.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
        #expect(document["_updated_at"] == .string(stamp))
        #expect(document["a"] == ["x": [1, 2]])
    }

    @Test func idsOfTheServerRise() async throws {
        let fixture = try Fixture()
        let ids = try await fixture.engine.insert(
            contentsOf: (0..<5000).map { ["n": .int(Int64($0))] }, collection: "things"
        ).compactMap(\.string)
        #expect(ids.count == 5000 && ids == ids.sorted() && Set(ids).count == 5000)
        #expect(ids.allSatisfy { Array($0)[12] == "7" && "89ab".contains(Array($0)[16]) })
    }

    @Test(arguments: [Value.string("mine"), .int(7), .int(-1), .int(.min), .int(.max), .string("ключ"), .string("a\0b")]
    )
    func aClientMayChooseTheID(_ id: Value) async throws {
        let fixture = try Fixture()
        #expect(try await fixture.engine.insert(["_id": id, "v": 1], collection: "c") == id)
        #expect(try fixture.engine.document(id: id, collection: "c")?["v"] == 1)
        let error = await #expect(throws: EngineError.self) {
            try await fixture.engine.insert(["v": 2, "_id": id], collection: "c")
        }
        #expect(error?.code == .duplicateID && error?.message.contains("already exists") == true)
        #expect(try fixture.engine.document(id: id, collection: "c")?["v"] == 1)
        try fixture.reopen()
        #expect(try fixture.engine.document(id: id, collection: "c")?["v"] == 1)
        let again = await #expect(throws: EngineError.self) {
            try await fixture.engine.insert(["_id": id], collection: "c")
        }
        #expect(again?.code == .duplicateID)
    }

    @Test(arguments: [
        Value.null, .double(1), .bool(true), .string(""), .string(String(repeating: "x", count: 1025)), .array([]),
        .uint(.max), .document([:]), .bytes([1])
    ])
    func otherIDsAreRefused(_ id: Value) async throws {
        let fixture = try Fixture()
        let error = await #expect(throws: EngineError.self) {
            try await fixture.engine.insert(["_id": id], collection: "c")
        }
        #expect(error?.code == .badRequest && error?.message.contains("_id") == true)
        #expect(fixture.engine.collectionNames(database: "default").isEmpty, "a refused document makes nothing")
    }

    @Test func decimalTextFindsTheInteger() async throws {
        let fixture = try Fixture()
        try await fixture.engine.insert(["_id": 12, "v": "integer"], collection: "c")
        #expect(try fixture.engine.document(id: "12", collection: "c")?["v"] == "integer")
        #expect(try fixture.engine.document(id: "012", collection: "c") == nil)
        #expect(try await fixture.engine.update(id: "12", ["w": 1], collection: "c"))
        try await fixture.engine.insert(["_id": "12", "v": "text"], collection: "c")
        #expect(try fixture.engine.document(id: "12", collection: "c")?["v"] == "text")
        #expect(try fixture.engine.document(id: 12, collection: "c")?["w"] == 1)
        #expect(try await fixture.engine.delete(id: "12", collection: "c"))
        #expect(try await fixture.engine.delete(id: "12", collection: "c"))
        #expect(try await !fixture.engine.delete(id: "12", collection: "c"))
    }

    @Test func stampsOfTheClientWin() async throws {
        let fixture = try Fixture()
        let id = try await fixture.engine.insert(["_created_at": 1.5, "_updated_at": "x"], collection: "c")
        let document = try #require(try fixture.engine.document(id: id, collection: "c"))
        #expect(document["_created_at"] == 1.5 && document["_updated_at"] == "x" && document.count == 3)
    }

    @Test func updateMergesShallowly() async throws {
        let fixture = try Fixture()
        let id = try await fixture.engine.insert(["a": 1, "m": ["x": 1, "y": 2], "z": 3], collection: "c")
        let before = try #require(try fixture.engine.document(id: id, collection: "c"))
        let isFound = try await fixture.engine.update(
            id: id, ["m": ["q": 1], "new": nil, "a": "one", "_created_at": "never", "_id": id], collection: "c")
        #expect(isFound)
        let after = try #require(try fixture.engine.document(id: id, collection: "c"))
        #expect(after.keys == ["_id", "_created_at", "_updated_at", "a", "m", "z", "new"])
        #expect(after["m"] == ["q": 1] && after["a"] == "one" && after["new"] == .null && after["z"] == 3)
        #expect(after["_created_at"] == before["_created_at"])
        #expect(try #require(after["_updated_at"]?.string) >= (try #require(before["_updated_at"]?.string)))
        #expect(try await !fixture.engine.update(id: "nobody", ["a": 1], collection: "c"))
        #expect(try await !fixture.engine.update(id: id, ["a": 1], collection: "unknown"))
        #expect(fixture.engine.collectionNames(database: "default") == ["c"])
    }

    @Test func manyFieldsMerge() async throws {
        let fixture = try Fixture()
        let old = Document((0..<2000).map { ("f\($0)", .int(Int64($0))) })
        let new = Document((1000..<3000).map { ("f\($0)", .int(-Int64($0))) })
        let id = try await fixture.engine.insert(old, collection: "c")
        try await fixture.engine.update(id: id, new, collection: "c")
        let merged = try #require(try fixture.engine.document(id: id, collection: "c"))
        #expect(merged.count == 3003)
        for number in 0..<3000 as Range<Int64> {
            #expect(merged["f\(number)"] == .int(number < 1000 ? number : -number))
        }
    }

    @Test func updatesThatCannotBeAreRefused() async throws {
        let fixture = try Fixture()
        let id = try await fixture.engine.insert(["_id": "a", "v": 1], collection: "c")
        let refused: [Document] = [
            ["$sett": ["v": 2]], ["$set": ["_id": "b"]], ["v": 2, "$inc": ["v": 1]], ["_id": "b"]
        ]
        for updates in refused {
            let error = await #expect(throws: EngineError.self) {
                try await fixture.engine.update(id: id, updates, collection: "c")
            }
            #expect(error?.code == .badRequest)
        }
        #expect(try fixture.engine.document(id: id, collection: "c")?["v"] == 1)
    }

    @Test func batchesAreAllOrNothing() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(["_id": "taken"], collection: "c")
        for batch in [
            [["_id": "x"], ["_id": "taken"]], [["_id": "x"], ["a": 1], ["_id": "x"]], [["_id": "x"], ["_id": true]]
        ] as [[Document]] {
            await #expect(throws: EngineError.self) { try await engine.insert(contentsOf: batch, collection: "c") }
            #expect(try engine.document(id: "x", collection: "c") == nil)
        }
        let ids = try await engine.insert(contentsOf: [["_id": "x"], ["_id": 5], [:]], collection: "c")
        #expect(ids.prefix(2) == ["x", 5])
        #expect(try await engine.insert(contentsOf: [], collection: "empty") == [])
        #expect(engine.collectionNames(database: "default") == ["c"], "an empty batch makes nothing")
    }

    @Test func malformedBytesAreRefused() async throws {
        let fixture = try Fixture()
        let bad: [[UInt8]] = [
            [], [0xC1], [0x01], [0x90], [0x81], [0x81, 0xA1, 0x61], [0x81, 0x01, 0x02], [0x80, 0x80],
            [0x81, 0xA1, 0xFF, 0x01], [0xDF, 0xFF, 0xFF, 0xFF, 0xFF], [0x82, 0xA1, 0x61, 1, 0xA1, 0x61, 2],
            [UInt8](repeating: 0x81, count: 10), [0x81, 0xA1, 0x61] + [UInt8](repeating: 0x91, count: 300) + [0xC0]
        ]
        for bytes in bad {
            let insert: Result<Value, EngineError> = await withCheckedContinuation { done in
                fixture.engine.insert(database: "default", collection: "c", document: bytes) {
                    done.resume(returning: $0)
                }
            }
            #expect(throws: EngineError.self) { try insert.get() }
            let many: Result<[Value], EngineError> = await withCheckedContinuation { done in
                fixture.engine.insertMany(database: "default", collection: "c", documents: [0x91] + bytes) {
                    done.resume(returning: $0)
                }
            }
            #expect(throws: EngineError.self) { try many.get() }
        }
        #expect(fixture.engine.collectionNames(database: "default").isEmpty)
    }

    @Test func limitsAreNamed() async throws {
        let fixture = try Fixture()
        let large = await #expect(throws: EngineError.self) {
            try await fixture.engine.insert(["b": .bytes([UInt8](repeating: 0, count: 16 << 20))], collection: "c")
        }
        #expect(large?.code == .limit && large?.message.contains("16777216") == true)
        let many = await #expect(throws: EngineError.self) {
            try await fixture.engine.insert(contentsOf: [Document](repeating: [:], count: 100_001), collection: "c")
        }
        #expect(many?.code == .limit && many?.message.contains("100000") == true)
        let id = try await fixture.engine.insert(["b": .bytes([UInt8](repeating: 0, count: 15 << 20))], collection: "c")
        let grown = await #expect(throws: EngineError.self) {
            try await fixture.engine.update(
                id: id, ["c": .bytes([UInt8](repeating: 0, count: 2 << 20))], collection: "c")
        }
        #expect(grown?.code == .limit)
    }

    @Test func vectorsOfAnotherLengthAreRefused() async throws {
        let fixture = try Fixture()
        try await fixture.engine.createCollection(name: "v", vectorDimensions: 4)
        try fixture.reopen()
        #expect(fixture.engine.vectorDimensions(database: "default", collection: "v") == 4)
        let id = try await fixture.engine.insert(["vector": [1, 2, 3, 4]], collection: "v")
        try await fixture.engine.insert(["vector": "not a list", "v": 1], collection: "v")
        let wrong: Document = ["vector": [1, 2, 3]]
        let message = "Vector dimension mismatch: collection expects 4 dimensions, got 3"
        let engine = fixture.engine
        #expect(
            await #expect(throws: EngineError.self) { try await engine.insert(wrong, collection: "v") }?.message
                == message)
        #expect(
            await #expect(throws: EngineError.self) { try await engine.update(id: id, wrong, collection: "v") }?.message
                == message)
        await #expect(throws: EngineError.self) { try await engine.insert(contentsOf: [wrong], collection: "v") }
        await #expect(throws: EngineError.self) { try await engine.createCollection(name: "v", vectorDimensions: 5) }
        try await engine.createCollection(name: "v")
        try await engine.createCollection(name: "v", vectorDimensions: 4)
    }
}
