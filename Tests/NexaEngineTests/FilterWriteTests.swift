@_spi(Testing) import NexaEngine
import NexaQuery
import NexaStorage
import NexaValue
import Synchronization
import TestKit
import Testing

@Suite struct FilterWriteTests {
    private func fill(_ engine: Engine, _ count: Int64) async throws {
        try await engine.insert(
            contentsOf: (0..<count).map { ["_id": .string("d\($0)"), "n": .int($0), "g": .int($0 % 3)] },
            collection: "c")
    }

    private func sum(_ engine: Engine, _ field: String = "n") throws -> Int64 {
        try engine.find(collection: "c").reduce(0) { $0 + ($1[field]?.int ?? 0) }
    }

    @Test func manyDocumentsAreUpdated() async throws {
        let fixture = try Fixture()
        try await fill(fixture.engine, 3000)
        let result = try await fixture.engine.write(
            .update(["g": 1], ["$inc": ["n": 10_000], "$set": ["tag": "x"]], isMany: true), collection: "c")
        #expect(result.matched == 1000 && result.modified == 1000)
        #expect(try sum(fixture.engine) == 3000 * 2999 / 2 + 10_000 * 1000)
        let again = try await fixture.engine.write(
            .update(["g": 1], ["$set": ["tag": "x"]], isMany: true), collection: "c")
        #expect(again.matched == 1000 && again.modified == 0)
        let one = try await fixture.engine.write(.update(["g": 2], ["$inc": ["n": 1]]), collection: "c")
        #expect(one.matched == 1 && one.modified == 1)
        let none = try await fixture.engine.write(.update(["g": 9], ["$inc": ["n": 1]]), collection: "c")
        #expect(none == WriteResult())
        let nowhere = try await fixture.engine.write(.update([:], ["$inc": ["n": 1]]), collection: "other")
        #expect(nowhere == WriteResult() && fixture.engine.collectionNames(database: "default") == ["c"])
    }

    @Test func whatDoesNotChangeIsNotWritten() async throws {
        let fixture = try Fixture()
        try await fill(fixture.engine, 1)
        let stamp = try fixture.engine.document(id: "d0", collection: "c")?["_updated_at"]
        let before = fixture.engine.commitSequence
        let result = try await fixture.engine.write(.update(["_id": "d0"], ["$set": ["n": 0]]), collection: "c")
        #expect(result.matched == 1 && result.modified == 0)
        #expect(try await fixture.engine.update(id: "d0", ["$set": ["n": 0]], collection: "c"))
        #expect(fixture.engine.commitSequence == before)
        #expect(try fixture.engine.document(id: "d0", collection: "c")?["_updated_at"] == stamp)
    }

    @Test func operatorsByID() async throws {
        let fixture = try Fixture()
        try await fill(fixture.engine, 1)
        #expect(
            try await fixture.engine.update(
                id: "d0", ["$inc": ["n": 5], "$unset": ["g": ""], "$push": ["list": 1]], collection: "c"))
        let document = try fixture.engine.document(id: "d0", collection: "c")
        #expect(document?.keys == ["_id", "_created_at", "_updated_at", "n", "list"])
        #expect(document?["n"] == 5 && document?["list"] == [1])
        let created = document?["_created_at"]
        #expect(document?["_updated_at"] != created)
        await #expect(throws: EngineError.self) {
            try await fixture.engine.update(id: "d0", ["$inc": ["list": 5]], collection: "c")
        }
        await #expect(throws: EngineError.self) {
            try await fixture.engine.update(id: "d0", ["n": 7, "$inc": ["n": 5]], collection: "c")
        }
        #expect(try fixture.engine.document(id: "d0", collection: "c") == document)
        #expect(try await !fixture.engine.update(id: "nobody", ["$inc": ["n": 5]], collection: "c"))
    }

    @Test func upserts() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let made = try await engine.write(
            .update(
                ["_id": "a", "k": 1, "x": ["$gt": 5]], ["$inc": ["n": 1], "$setOnInsert": ["born": true]],
                isUpsert: true), collection: "c")
        #expect(made.insertedID == "a" && made.matched == 0)
        let document = try engine.document(id: "a", collection: "c")
        #expect(document?["k"] == 1 && document?["n"] == 1 && document?["born"] == true && document?["x"] == nil)
        let found = try await engine.write(
            .update(["_id": "a"], ["$inc": ["n": 1], "$setOnInsert": ["born": false]], isUpsert: true), collection: "c")
        #expect(found.matched == 1 && found.insertedID == nil)
        #expect(try engine.document(id: "a", collection: "c")?["n"] == 2)
        let other = try await engine.write(
            .update(["name": "ada"], ["$set": ["n": 3]], isMany: true, isUpsert: true), collection: "c")
        let id = try #require(other.insertedID)
        #expect(try engine.document(id: id, collection: "c")?["name"] == "ada")
        // The document is there, but not what the filter means: its _id is taken.
        await #expect(throws: EngineError.self) {
            try await engine.write(.update(["_id": "a", "n": 99], ["$set": ["z": 1]], isUpsert: true), collection: "c")
        }
        let replaced = try await engine.write(.replace(["_id": 7], by: ["q": 1], isUpsert: true), collection: "c")
        #expect(replaced.insertedID == 7)
    }

    @Test func replacements() async throws {
        let fixture = try Fixture()
        try await fill(fixture.engine, 2)
        let created = try fixture.engine.document(id: "d1", collection: "c")?["_created_at"]
        let result = try await fixture.engine.write(.replace(["n": 1], by: ["z": 1]), collection: "c")
        #expect(result.matched == 1 && result.modified == 1)
        let document = try fixture.engine.document(id: "d1", collection: "c")
        #expect(document?.keys == ["_id", "_created_at", "_updated_at", "z"] && document?["_created_at"] == created)
        let same = try await fixture.engine.write(.replace(["z": 1], by: ["_id": "d1", "z": 1]), collection: "c")
        #expect(same.matched == 1 && same.modified == 0)
        for wrong in [["_id": "other", "z": 2], ["$set": ["z": 2]]] as [Document] {
            await #expect(throws: EngineError.self) {
                try await fixture.engine.write(.replace(["z": 1], by: wrong), collection: "c")
            }
        }
    }

    @Test func deletions() async throws {
        let fixture = try Fixture()
        try await fill(fixture.engine, 900)
        let one = try await fixture.engine.write(.delete(["g": 0]), collection: "c")
        #expect(one.deleted == 1)
        let many = try await fixture.engine.write(.delete(["g": 0], isMany: true), collection: "c")
        #expect(many.deleted == 299)
        let ids = try await fixture.engine.write(
            .delete(["_id": ["$in": ["d1", "d2", "nobody"]]], isMany: true), collection: "c")
        #expect(ids.deleted == 2)
        let rest = try await fixture.engine.write(.delete([:], isMany: true), collection: "c")
        #expect(rest.deleted == 598 && fixture.storedDocumentCount() == 0)
    }

    @Test func oneDocumentIsReturned() async throws {
        let fixture = try Fixture()
        try await fill(fixture.engine, 10)
        func run(_ write: CollectionWrite, _ returned: CollectionWrite.Returned, sort: Value = .null) async throws
            -> Document?
        {
            var write = write
            write.returned = returned
            write.sort = sort
            write.projection = ["n": 1]
            return try await fixture.engine.write(write, collection: "c").document.map {
                try MessagePack.decodeDocument($0)
            }
        }
        let inc: CollectionWrite = .update([:], ["$inc": ["n": 100]])
        #expect(try await run(inc, .after, sort: ["n": -1]) == ["_id": "d9", "n": 109])
        #expect(try await run(inc, .before, sort: ["n": -1]) == ["_id": "d9", "n": 109])
        #expect(try await run(inc, .after, sort: ["n": 1]) == ["_id": "d0", "n": 100])
        #expect(try await run(.delete(["_id": "d5"]), .before) == ["_id": "d5", "n": 5])
        #expect(try await run(.delete(["_id": "d5"]), .before) == nil)
        #expect(try await run(.replace(["n": 4], by: ["n": 44]), .after) == ["_id": "d4", "n": 44])
        let upsert: CollectionWrite = .update(["_id": "new"], ["$set": ["n": 1]], isUpsert: true)
        #expect(try await run(upsert, .after) == ["_id": "new", "n": 1])
    }

    @Test func positionalUpdatesUseTheFilter() async throws {
        let fixture = try Fixture()
        try await fixture.engine.insert(["_id": 1, "a": [["k": 1], ["k": 2]]], collection: "c")
        try await fixture.engine.write(.update(["a.k": 2], ["$set": ["a.$.v": 9]]), collection: "c")
        #expect(try fixture.engine.document(id: 1, collection: "c")?["a"] == [["k": 1], ["k": 2, "v": 9]])
        try await fixture.engine.write(
            .update([:], ["$set": ["a.$[e].w": 0]], isMany: true, arrayFilters: [["e.k": 1]]), collection: "c")
        #expect(try fixture.engine.document(id: 1, collection: "c")?["a"] == [["k": 1, "w": 0], ["k": 2, "v": 9]])
    }

    @Test func aDocumentThatDoesNotFitEndsTheWrite() async throws {
        let fixture = try Fixture()
        try await fill(fixture.engine, 100)
        try await fixture.engine.update(id: "d50", ["n": "text"], collection: "c")
        do {
            try await fixture.engine.write(.update([:], ["$inc": ["n": 1000]], isMany: true), collection: "c")
            Issue.record("it should have failed")
        } catch {
            #expect(error.message.contains("{_id: \"d50\"} has the field 'n' of non-numeric type string"))
            #expect(error.message.contains("other documents were changed before"))
        }
        let changed = try fixture.engine.find(["n": ["$gte": 1000]], collection: "c").count
        // Those before it, in the order of ids as texts.
        #expect(changed == (0..<100).map { "d\($0)" }.count { $0 < "d50" })
    }

    // MARK: Sets of writes

    private static let mixed: [CollectionWrite] = [
        .insert(MessagePack.encode(["_id": "a", "n": 1] as Document)),
        .update(["_id": "a"], ["$inc": ["n": 1]]),
        .update(["n": 2], ["$set": ["m": 1]], isMany: true),
        .insert(MessagePack.encode(["_id": "a"] as Document)),
        .insert(MessagePack.encode(["_id": "b"] as Document)),
        .delete(["_id": "a"])
    ]

    @Test func orderedWritesEndAtTheFirstFailure() async throws {
        let fixture = try Fixture()
        let outcomes = try await fixture.engine.write(Self.mixed, collection: "c")
        guard case .done(let insert) = outcomes[0], case .done(let update) = outcomes[1],
            case .done(let many) = outcomes[2], case .failed(let error) = outcomes[3], case .skipped = outcomes[4],
            case .skipped = outcomes[5]
        else {
            Issue.record("\(outcomes)")
            return
        }
        #expect(insert.insertedID == "a" && update.modified == 1 && many.modified == 1 && error.code == .duplicateID)
        #expect(try fixture.engine.document(id: "a", collection: "c")?["m"] == 1)
    }

    @Test func unorderedWritesGoOn() async throws {
        let fixture = try Fixture()
        var options = WriteSetOptions()
        options.isOrdered = false
        let outcomes = try await fixture.engine.write(Self.mixed, collection: "c", options: options)
        #expect(outcomes.count { if case .done = $0 { true } else { false } } == 5)
        #expect(try fixture.engine.find(collection: "c").map { $0["_id"] } == ["b"])
    }

    @Test func atomicWritesAreOneCommitOrNothing() async throws {
        let fixture = try Fixture()
        var options = WriteSetOptions()
        options.isAtomic = true
        do {
            try await fixture.engine.write(Self.mixed, collection: "c", options: options)
            Issue.record("it should have failed")
        } catch {
            #expect(error.code == .duplicateID)
            #expect(error.message.hasPrefix("Write 3: ") && error.message.hasSuffix("; nothing was written"))
        }
        #expect(fixture.storedDocumentCount() == 0)
        let before = fixture.engine.commitSequence
        let outcomes = try await fixture.engine.write(
            Self.mixed.enumerated().filter { $0.offset != 3 }.map(\.element), collection: "c", options: options)
        #expect(outcomes.count == 5 && fixture.engine.commitSequence == before + 1)
        #expect(try fixture.engine.find(collection: "c").map { $0["_id"] } == ["b"])
    }

    @Test func writesOfATransactionStayInIt() async throws {
        let fixture = try Fixture()
        try await fill(fixture.engine, 30)
        var options = WriteSetOptions()
        options.transaction = try fixture.engine.beginTransaction()
        let result = try await fixture.engine.write(
            .update(["g": 0], ["$set": ["t": 1]], isMany: true), collection: "c", options: options)
        #expect(result.modified == 10)
        let again = try await fixture.engine.write(
            .update(["t": 1], ["$set": ["t": 2]], isMany: true), collection: "c", options: options)
        #expect(again.modified == 10)
        #expect(try fixture.engine.find(["t": ["$exists": true]], collection: "c").isEmpty)
        try await options.transaction?.commit()
        #expect(try fixture.engine.find(["t": 2], collection: "c").count == 10)
    }

    // MARK: Concurrency

    @Test func noIncrementIsLost() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await fill(engine, 20)
        let before = try sum(engine, "hits")
        #expect(before == 0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for round in 0..<25 {
                        switch (worker + round) % 4 {
                        case 0:
                            try await engine.write(.update([:], ["$inc": ["hits": 1]], isMany: true), collection: "c")
                        case 1:
                            for id in 0..<20 {
                                try await engine.update(
                                    id: .string("d\(id)"), ["$inc": ["hits": 1]], collection: "c", durability: .os)
                            }
                        case 2:
                            let writes = (0..<20).map { id in
                                CollectionWrite.update(["_id": .string("d\(id)")], ["$inc": ["hits": 1]])
                            }
                            try await engine.write(writes, collection: "c")
                        default:
                            for id in 0..<20 {
                                try await engine.write(
                                    .update(["n": .int(Int64(id))], ["$inc": ["hits": 1]]), collection: "c")
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try engine.find(collection: "c").allSatisfy { $0["hits"] == 200 })
    }

    /// Large documents are changed without a latch, and looked at again under it.
    @Test func noIncrementOfALargeDocumentIsLost() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(
            ["_id": "big", "text": .string(String(repeating: "x", count: 100_000)), "n": 0], collection: "c")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<6 {
                group.addTask {
                    for round in 0..<40 {
                        if (worker + round).isMultiple(of: 3) {
                            try await engine.update(id: "big", ["$inc": ["n": 1]], collection: "c", durability: .os)
                        } else {
                            let result = try await engine.write(.update([:], ["$inc": ["n": 1]]), collection: "c")
                            #expect(result.modified == 1)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try engine.document(id: "big", collection: "c")?["n"] == 240)
    }

    /// Others come first again and again; each set of writes is made nevertheless.
    @Test func atomicWritesOfTheSameDocumentsAllSucceed() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await fill(engine, 2)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var options = WriteSetOptions()
                    options.isAtomic = true
                    for _ in 0..<15 {
                        try await engine.write(
                            [
                                .update(["_id": "d0"], ["$inc": ["a": 1]]),
                                .update(["_id": "d1"], ["$inc": ["a": -1]])
                            ], collection: "c", options: options)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try engine.document(id: "d0", collection: "c")?["a"] == 120)
        #expect(try engine.document(id: "d1", collection: "c")?["a"] == -120)
    }

    @Test func upsertsOfOneIDMakeOneDocument() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for id in 0..<50 {
                        try await engine.write(
                            .update(["_id": .int(Int64(id))], ["$inc": ["n": 1]], isUpsert: true), collection: "c")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try engine.find(collection: "c").map { $0["n"] } == Array(repeating: 8, count: 50))
    }

    @Test func aQueueIsEmptiedOncePerDocument() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await fill(engine, 200)
        let taken = Collector<Value>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    while true {
                        var take = CollectionWrite.update(["taken": ["$exists": false]], ["$set": ["taken": true]])
                        take.sort = ["n": 1]
                        take.returned = .before
                        guard let bytes = try await engine.write(take, collection: "c").document else { return }
                        let id = try MessagePack.decodeDocument(bytes)["_id"] ?? .null
                        taken.add(id)
                    }
                }
            }
            try await group.waitForAll()
        }
        let all = taken.all
        #expect(all.count == 200 && Set(all).count == 200)
    }

    @Test func eventsTellWhatChanged() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await fill(engine, 1)
        let cursor = try engine.changes()
        try await engine.write(.update(["n": 0], ["$inc": ["n": 5], "$unset": ["g": ""]]), collection: "c")
        try await engine.write(.replace(["n": 5], by: ["z": 1]), collection: "c")
        try await engine.write(.delete(["z": 1]), collection: "c")
        var told: [String] = []
        _ = try cursor.read { event in
            func text(_ bytes: RawSpan) -> String {
                bytes.isEmpty ? "-" : (try? JSON.string(MessagePack.decode(bytes))) ?? "damaged"
            }
            told.append("\(event.kind) \(text(event.updates)) \(text(event.removed))")
            return true
        }
        #expect(
            told == [
                #"update {"n":5} ["g"]"#, #"update {"z":1} ["n"]"#, "delete - -"
            ])
    }

    // MARK: Indexes

    /// A document that moves in the index by which it was found is changed once.
    @Test func documentsThatMoveInTheirIndexAreChangedOnce() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await fill(engine, 2000)
        try await engine.makeIndex(IndexDefinition(keys: [.init("n")], name: "n"))
        let result = try await engine.write(
            .update(["n": ["$gte": 1000]], ["$inc": ["n": 700]], isMany: true), collection: "c")
        #expect(result.matched == 1000 && result.modified == 1000)
        #expect(try sum(engine) == 2000 * 1999 / 2 + 700 * 1000)
        #expect(try engine.find(["n": ["$gte": 1700]]).count == 1000)
        let deleted = try await engine.write(.delete(["n": ["$lt": 500]], isMany: true), collection: "c")
        #expect(deleted.deleted == 500)
        #expect(try engine.count(["n": ["$gte": 0]]) == 1500)
        var take = CollectionWrite.update(["n": ["$gte": 0]], ["$unset": ["n": ""]])
        take.sort = ["n": -1]
        take.returned = .before
        let taken = try await engine.write(take, collection: "c").document
        #expect(try taken.map { try MessagePack.decodeDocument($0)["n"] } == 2699)
    }

    @Test func uniqueIndexesHold() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await fill(engine, 100)
        var definition = IndexDefinition(keys: [.init("n")], name: "n")
        definition.isUnique = true
        try await engine.makeIndex(definition)
        // Each becomes what the next one still is.
        let error = await #expect(throws: EngineError.self) {
            try await engine.write(.update([:], ["$inc": ["n": 1]], isMany: true), collection: "c")
        }
        #expect(error?.code == .duplicateKey)
        #expect(try Set(engine.find(collection: "c").compactMap { $0["n"]?.int }).count == 100)
        // Apart from each other they all fit.
        let moved = try await engine.write(.update([:], ["$mul": ["n": -1]], isMany: true), collection: "c")
        #expect(moved.matched == 100)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for number in 1000..<1030 as Range<Int64> {
                        try await engine.write(
                            .update(["n": .int(number)], ["$inc": ["hits": 1]], isUpsert: true), collection: "c")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(
            try engine.find(["n": ["$gte": 1000]], collection: "c").map { $0["hits"] } == Array(repeating: 8, count: 30)
        )
    }
}
