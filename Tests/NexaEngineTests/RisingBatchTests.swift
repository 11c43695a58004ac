import NexaEngine
import NexaValue
import Synchronization
import TestKit
import Testing

/// Batches whose ids come in order are looked up by their range: what is there already is found all the same.
@Suite struct RisingBatchTests {
    private static func documents(_ ids: [Int], _ note: Int = 0) -> [Document] {
        ids.map { ["_id": .string(Self.id($0)), "note": .int(Int64(note))] }
    }

    /// Texts in the order of the numbers.
    private static func id(_ number: Int) -> String { "d\(String(100_000 + number))" }

    @Test func aDocumentWithinTheRangeIsADuplicate() async throws {
        for taken in [100, 120, 149] {
            let fixture = try Fixture()
            let engine = fixture.engine
            try await engine.insert(contentsOf: Self.documents([taken, 99, 150], 1), collection: "c")
            let error = await #expect(throws: EngineError.self) {
                try await engine.insert(contentsOf: Self.documents(Array(100..<150)), collection: "c")
            }
            #expect(error?.code == .duplicateID)
            #expect(error?.message.contains(Self.id(taken)) == true)
            #expect(fixture.storedDocumentCount() == 3, "all or none")
            let free = (100..<150).filter { $0 != taken }
            try await engine.insert(contentsOf: Self.documents(free), collection: "c")
            #expect(fixture.storedDocumentCount() == 52)
        }
    }

    @Test func aDocumentThatIsOnlyQueuedIsADuplicateToo() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let outcomes = Mutex<[Bool]>([])
        for ids in [Array(0..<50), Array(40..<80), Array(50..<80)] {
            let bytes = MessagePack.encode(.array(Self.documents(ids).map { .document($0) }))
            engine.insertMany(database: "default", collection: "c", documents: bytes, isDeferred: true) { result in
                outcomes.withLock { $0.append((try? result.get()) != nil) }
            }
        }
        engine.flushPending()
        try await engine.insert(["_id": "behind all"], collection: "c")
        #expect(outcomes.withLock { $0 } == [true, false, true])
        #expect(fixture.storedDocumentCount() == 81)
    }

    @Test func twoOfOneBatchAreFoundInAnyOrder() async throws {
        let fixture = try Fixture()
        for ids in [[1, 2, 2, 3], [2, 1, 3, 1], [1, 2, 3, 1], [5, 4, 3, 4]] {
            let error = await #expect(throws: EngineError.self) {
                try await fixture.engine.insert(contentsOf: Self.documents(ids), collection: "c")
            }
            #expect(error?.message.hasPrefix("Document \(ids == [1, 2, 2, 3] ? 2 : 3): another document") == true)
        }
        #expect(fixture.storedDocumentCount() == 0)
    }

    @Test func aVectorWithinABatchMakesTheIndex() async throws {
        let fixture = try Fixture()
        var documents = Self.documents(Array(0..<40))
        documents[33]["vector"] = .array([.double(1), .double(0)])
        try await fixture.engine.insert(contentsOf: documents, collection: "c")
        await #expect(throws: EngineError.self) {
            try await fixture.engine.insert(["_id": "x", "vector": [1.0, 2.0, 3.0]], collection: "c")
        }
    }

    @Test func randomBatchesLeaveWhatAModelSays() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let fixture = try Fixture()
        var model: [Int: Int] = [:]
        for round in 0..<300 {
            let start = Int.random(in: 0..<2000, using: &random)
            var ids = Array(
                Set(
                    (0..<Int.random(in: 1...60, using: &random)).map {
                        start + $0 * Int.random(in: 1...4, using: &random)
                    }))
            if random.next() % 4 == 0 { ids.shuffle(using: &random) } else { ids.sort() }
            if random.next() % 3 == 0 {
                for id in ids where model.removeValue(forKey: id) != nil {
                    let removed = try await delete(Self.id(id), fixture.engine)
                    #expect(removed)
                }
                continue
            }
            let isFree = ids.allSatisfy { model[$0] == nil }
            do {
                try await fixture.engine.insert(contentsOf: Self.documents(ids, round), collection: "c")
                #expect(isFree, "seed \(seed), round \(round)")
            } catch {
                #expect(error.code == .duplicateID && !isFree, "seed \(seed), round \(round)")
            }
            if isFree { for id in ids { model[id] = round } }
        }
        #expect(fixture.storedDocumentCount() == model.count, "seed \(seed)")
        for (id, round) in model {
            let document = try fixture.engine.document(id: .string(Self.id(id)), collection: "c")
            #expect(document?["note"] == .int(Int64(round)), "seed \(seed)")
        }
    }

    private func delete(_ id: String, _ engine: Engine) async throws -> Bool {
        try await withCheckedContinuation { continuation in
            engine.delete(database: "default", collection: "c", id: .string(id)) { continuation.resume(returning: $0) }
        }.get()
    }
}
