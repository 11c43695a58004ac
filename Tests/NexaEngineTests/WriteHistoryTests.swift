import NexaEngine
import NexaQuery
import NexaValue
import TestKit
import Testing

/// Writes of all kinds, by several writers at once: what is told of them, what is stored and what the indexes have
/// is the same story.
@Suite struct WriteHistoryTests {
    private struct Random {
        var random: SplitMix64

        mutating func number(_ bound: Int64) -> Int64 { Int64.random(in: 0..<bound, using: &random) }
        mutating func pick<T>(_ choices: [T]) -> T { choices[Int(number(Int64(choices.count)))] }

        mutating func filter() -> Document {
            pick([
                ["_id": .int(number(40))], ["g": .int(number(5))], ["n": ["$gte": .int(number(60))]],
                ["list": .int(number(8))], ["_id": ["$in": [.int(number(40)), .int(number(40))]]],
                ["u": .int(number(50))]
            ])
        }

        mutating func update() -> Document {
            pick([
                ["$inc": ["n": .int(number(9) - 4)]], ["$set": ["g": .int(number(5))]], ["$unset": ["g": ""]],
                ["$push": ["list": ["$each": [.int(number(8))], "$slice": -4]]], ["$pull": ["list": .int(number(8))]],
                ["$addToSet": ["list": .int(number(8))]], ["$set": ["u": .int(number(50))]], ["$unset": ["u": ""]],
                ["$rename": ["n": "m"]], ["$rename": ["m": "n"]],
                ["$mul": ["n": -1], "$set": ["sub.x": .int(number(4))]]
            ])
        }

        mutating func write() -> CollectionWrite {
            switch number(10) {
            case 0:
                .insert(
                    MessagePack.encode(["_id": .int(number(40)), "n": .int(number(60)), "list": [1, 2]] as Document))
            case 1: .delete(filter(), isMany: number(2) == 0)
            case 2: .replace(filter(), by: ["n": .int(number(60)), "g": .int(number(5))])
            case 3: .update(["_id": .int(number(40))], update(), isUpsert: true)
            default: .update(filter(), update(), isMany: number(2) == 0)
            }
        }
    }

    @Test(arguments: [1, 2, UInt64.random(in: 0 ... .max)]) func everythingTellsTheSameStory(seed: UInt64) async throws
    {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(["_id": 0, "n": 0], collection: "c")
        try await engine.makeIndex(IndexDefinition(keys: [.init("n")]))
        try await engine.makeIndex(IndexDefinition(keys: [.init("g"), .init("n", isDescending: true)]))
        try await engine.makeIndex(IndexDefinition(keys: [.init("list")]))
        try await engine.makeIndex(IndexDefinition(keys: [.init("u")], isUnique: true, isSparse: true))
        let cursor = try engine.changes()
        var start = Dictionary(uniqueKeysWithValues: try engine.find(collection: "c").map { ($0["_id"], $0) })
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    var random = Random(random: SplitMix64(seed: seed &+ UInt64(worker)))
                    for _ in 0..<60 {
                        var options = WriteSetOptions()
                        options.isAtomic = random.number(3) == 0
                        options.isOrdered = random.number(2) == 0
                        options.durability = .os
                        let writes = (0..<random.number(4) + 1).map { _ in random.write() }
                        // Some are refused, for taken ids and values; that is part of the story.
                        _ = try? await engine.write(writes, collection: "c", options: options)
                    }
                }
            }
        }
        // What the change history tells, from the beginning.
        var damage: [String] = []
        while try cursor.read({ event in
            let id = event.id
            switch event.kind {
            case .delete: if start.removeValue(forKey: id) == nil { damage.append("deletion of nothing") }
            case .insert, .update:
                let new = (try? MessagePack.decodeDocument(event.document)) ?? [:]
                let old = start[id]
                if (old == nil) != (event.kind == .insert) { damage.append("\(event.kind) of \(old as Any)") }
                if let old, event.kind == .update {
                    var merged = old
                    for name in (try? MessagePack.decode(event.removed))?.array ?? [] {
                        merged[name.string ?? ""] = nil
                    }
                    for (name, value) in (try? MessagePack.decodeDocument(event.updates)) ?? [:] {
                        merged[name] = .some(value)
                    }
                    let (left, right) = (
                        merged.filter { $0.key != "_updated_at" }, new.filter { $0.key != "_updated_at" }
                    )
                    if Set(left.map { "\($0)" }) != Set(right.map { "\($0)" }) { damage.append("\(old) to \(new)") }
                }
                start[id] = new
            default: damage.append("\(event.kind)")
            }
            return true
        }) == .more {}
        #expect(damage.isEmpty, "seed \(seed): \(damage.prefix(3))")
        let stored = try engine.find(collection: "c")
        #expect(stored.count == start.count && stored.allSatisfy { start[$0["_id"]] == $0 }, "seed \(seed)")
        #expect(!stored.isEmpty)
        let unique = stored.compactMap { $0["u"] }
        #expect(Set(unique).count == unique.count, "seed \(seed)")
        #expect(try engine.checkIndexes(database: "default", collection: "c").isEmpty, "seed \(seed)")
        try fixture.reopen()
        #expect(try fixture.engine.find(collection: "c") == stored)
    }
}
