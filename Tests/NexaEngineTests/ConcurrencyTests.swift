import NexaEngine
import NexaValue
import TestKit
import Testing

@Suite struct ConcurrencyTests {
    @Test(arguments: Durability.allCases) func eightWritersOfOneDocumentLoseNothing(_ durability: Durability)
        async throws
    {
        let fixture = try Fixture()
        let engine = fixture.engine
        let id = try await engine.insert(["_id": "one"], collection: "c")
        let rounds: Int64 = 100
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for round in 1...rounds {
                        try await engine.update(
                            id: id, ["w\(writer)": .int(round)], collection: "c", durability: durability)
                    }
                }
            }
            try await group.waitForAll()
        }
        for _ in 0..<2 {
            let document = try #require(try fixture.engine.document(id: id, collection: "c"))
            #expect(document.count == 11)
            for writer in 0..<8 { #expect(document["w\(writer)"] == .int(rounds)) }
            try fixture.reopen()
        }
    }

    @Test func queuedUpdatesBuildOnEachOther() async throws {
        // Nothing is committed between these: each has to start from the value that the one before queued.
        let fixture = try Fixture()
        let engine = fixture.engine
        let answers = Collector<Bool>()
        let inserted = Collector<Value>()
        engine.insert(
            database: "default", collection: "c", document: MessagePack.encode(["_id": "x"] as Document),
            isDeferred: true
        ) { if case .success(let id) = $0 { inserted.add(id) } }
        for number in 0..<50 {
            engine.update(
                database: "default", collection: "c", id: "x",
                updates: MessagePack.encode(["f\(number)": 1] as Document), isDeferred: true
            ) { if case .success(let found) = $0 { answers.add(found) } }
        }
        let duplicate = Collector<EngineError.Code>()
        engine.insert(
            database: "default", collection: "c", document: MessagePack.encode(["_id": "x"] as Document),
            isDeferred: true
        ) { if case .failure(let error) = $0 { duplicate.add(error.code) } }
        #expect(duplicate.all == [], "what it tells of cannot be read yet")
        #expect(try engine.document(id: "x", collection: "c") == nil, "reads see what is committed")
        engine.flushPending()
        while answers.all.count < 50 || duplicate.all.isEmpty { await Task.yield() }
        #expect(duplicate.all == [.duplicateID], "a queued document counts")
        #expect(inserted.all == ["x"] && answers.all == [Bool](repeating: true, count: 50))
        #expect(try engine.document(id: "x", collection: "c")?.count == 53)
    }

    @Test func oneOfManyInsertsOfAnIDWins() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        for round in 0..<20 {
            let outcomes = await withTaskGroup(of: Result<Value, any Error>.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        do {
                            let document: Document = ["_id": .int(Int64(round)), "writer": .int(Int64(writer))]
                            if writer % 2 == 0 { return .success(try await engine.insert(document, collection: "c")) }
                            return .success(try await engine.insert(contentsOf: [document, [:]], collection: "c")[0])
                        } catch {
                            return .failure(error)
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let errors = outcomes.compactMap { outcome -> EngineError? in
                if case .failure(let error) = outcome { return error as? EngineError }
                return nil
            }
            #expect(errors.count == 7 && errors.allSatisfy { $0.code == .duplicateID })
        }
    }

    @Test func dropsRacingInsertsLeaveNothingBehind() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let isDone = Flag()
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    var number: Int64 = 0
                    while !isDone.isSet {
                        number += 1
                        // An os write seldom suspends; the dropper needs its turn.
                        await Task.yield()
                        switch writer {
                        case 0:
                            _ = try? await engine.insert(
                                ["n": .int(number)], database: "d", collection: "c", durability: .os)
                        case 1:
                            _ = try? await engine.insert(
                                ["_id": .int(number)], database: "d", collection: "c", durability: .os)
                        case 2:
                            _ = try? await engine.insert(
                                contentsOf: [["_id": .int(-number)], [:]], database: "d", collection: "c",
                                durability: .os)
                        default:
                            _ = try? await engine.update(
                                id: .int(number), ["u": 1], database: "d", collection: "c", durability: .os)
                        }
                    }
                }
            }
            group.addTask {
                for round in 0..<60 {
                    if round % 3 == 0 {
                        _ = try? await engine.dropDatabase("d")
                    } else {
                        _ = try? await engine.dropCollection(database: "d", name: "c")
                    }
                    // Let the writers in.
                    for _ in 0..<20 { await Task.yield() }
                }
                isDone.set()
            }
        }
        try? await engine.dropDatabase("d")
        #expect(engine.databaseNames() == ["default"])
        #expect(fixture.storedDocumentCount() == 0, "no document without a collection")
        try fixture.reopen()
        #expect(fixture.engine.databaseNames() == ["default"])
        #expect(fixture.storedDocumentCount() == 0)
    }

    @Test func creatingAndDroppingAtOnceKeepsTheCatalogWhole() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    var random = SplitMix64(seed: UInt64(worker))
                    for _ in 0..<100 {
                        let database = "d\(random.next() % 2)"
                        let name = "c\(random.next() % 3)"
                        switch random.next() % 5 {
                        case 0: _ = try? await engine.dropDatabase(database)
                        case 1: _ = try? await engine.dropCollection(database: database, name: name)
                        case 2: _ = try? await engine.createCollection(database: database, name: name)
                        default: _ = try? await engine.insert(["a": 1], database: database, collection: name)
                        }
                    }
                }
            }
        }
        let before = engine.databaseNames().map { ($0, engine.collectionNames(database: $0)) }
        let counts = try before.flatMap { database, names in
            try names.map { try engine.find(database: database, collection: $0).count }
        }
        #expect(counts.reduce(0, +) == fixture.storedDocumentCount())
        try fixture.reopen()
        let after = fixture.engine.databaseNames().map { ($0, fixture.engine.collectionNames(database: $0)) }
        #expect(before.map(\.0) == after.map(\.0) && before.map(\.1) == after.map(\.1))
    }
}
