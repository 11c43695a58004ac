@_spi(Testing) import NexaEngine
import NexaQuery
import NexaStorage
import NexaValue
import Synchronization
import TestKit
import Testing

/// Indexes of collections so large that they become tables of their own.
@Suite struct IndexTableTests {
    private static let count = 15_000

    private static func load(_ fixture: Fixture, arrays: Int, seed: UInt64 = 7) async throws {
        var workload = IndexWorkload(seed: seed)
        for batch in 0..<(count / 1000) {
            let documents = (0..<1000).map { number -> Document in
                var document = workload.document(id: batch * 1000 + number, arrays: arrays)
                document["n"] = .int(Int64(number))
                return document
            }
            try await fixture.engine.insert(contentsOf: documents, collection: "c", durability: .os)
        }
    }

    /// Every kind of index has exactly the entries that a look at each document gives, also in reverse and behind a
    /// restart.
    @Test func largeIndexesHaveAllEntries() async throws {
        let fixture = try Fixture()
        try await Self.load(fixture, arrays: 0)
        let definitions = [
            IndexDefinition(keys: [.init("n")]),
            IndexDefinition(keys: [.init("n", isDescending: true), .init("a")]),
            IndexDefinition(keys: [.init("d.x"), .init("n")]),
            IndexDefinition(keys: [.init("a")], isSparse: true),
            IndexDefinition(keys: [.init("b")], partialFilter: ["n": ["$gte": 500]])
        ]
        for definition in definitions {
            let status = try await fixture.engine.makeIndex(definition)
            #expect(status.state == .ready, "\(definition.name): \(String(describing: status.failure))")
            #expect(status.scanned == Self.count, "\(definition.name)")
        }
        #expect(try fixture.engine.checkIndexes(database: "default", collection: "c") == [])
        let expected = try fixture.engine.find(["n": ["$lt": 3]]) { $0.hint = "n_1" }
        #expect(expected.count == 3 * Self.count / 1000)
        // What they cover changes as other entries do.
        for id in 0..<200 as Range<Int64> {
            _ = try await fixture.engine.delete(id: .int(id * 7), collection: "c", durability: .os)
        }
        try fixture.reopen()
        #expect(try fixture.engine.checkIndexes(database: "default", collection: "c") == [])
    }

    /// More than is gathered at once is gathered in several rounds, also where that shows late.
    @Test(arguments: [20 << 10, 200 << 10])
    func largerIndexesAreGatheredInRounds(bytes: Int) async throws {
        let fixture = try Fixture { $0.indexGatheringBytes = bytes }
        try await Self.load(fixture, arrays: 0)
        for keys in [[IndexDefinition.Key("n")], [.init("a"), .init("n", isDescending: true)]] {
            let status = try await fixture.engine.makeIndex(IndexDefinition(keys: keys))
            #expect(status.state == .ready)
            #expect(status.scanned == Self.count)
        }
        #expect(try fixture.engine.checkIndexes(database: "default", collection: "c") == [])
    }

    /// Arrays and values that are cut go the long way.
    @Test func largeIndexesOfArrays() async throws {
        let fixture = try Fixture()
        try await Self.load(fixture, arrays: 3)
        let long = String(repeating: "x", count: 3000)
        try await fixture.engine.insert(["_id": "long", "n": .string(long), "a": .string(long)], collection: "c")
        try await fixture.engine.makeIndex(IndexDefinition(keys: [.init("a")]))
        try await fixture.engine.makeIndex(IndexDefinition(keys: [.init("n")]))
        #expect(try fixture.engine.checkIndexes(database: "default", collection: "c") == [])
        #expect(try fixture.engine.find(["n": .string(long)]) { $0.hint = "n_1" }.count == 1)
        let (found, all) = try (
            fixture.engine.count(["a": 3]) { $0.hint = "a_1" }, fixture.engine.count(["a": 3]) { $0.hint = "$natural" }
        )
        #expect(found == all)
    }

    /// Writes go on while tables are made: nothing that they took out comes back.
    @Test(arguments: [3, UInt64.random(in: 0 ... .max)])
    func writesGoOnMeanwhile(seed: UInt64) async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await Self.load(fixture, arrays: 0, seed: seed)
        let isDone = Flag()
        let written = try await withThrowingTaskGroup(of: Int.self) { group in
            for writer in 0..<3 {
                group.addTask {
                    var random = SplitMix64(seed: seed &+ UInt64(writer))
                    var written = 0
                    while !isDone.isSet {
                        let id = Value.int(Int64(Int.random(in: 0..<(Self.count / 3), using: &random) * 3 + writer))
                        let number = Value.int(Int64.random(in: 0..<1000, using: &random))
                        switch Int.random(in: 0..<4, using: &random) {
                        case 0: _ = try await engine.delete(id: id, collection: "c", durability: .os)
                        case 1:
                            _ = try? await engine.insert(["_id": id, "n": number], collection: "c", durability: .os)
                        default:
                            _ = try await engine.update(id: id, ["n": number], collection: "c", durability: .os)
                        }
                        written += 1
                        // Commits that need no wait do not give the thread back by themselves.
                        await Task.yield()
                    }
                    return written
                }
            }
            for round in 0..<6 {
                let name = "n\(round)"
                let status = try await engine.makeIndex(
                    IndexDefinition(keys: [.init("n"), .init("x\(round)")], name: name))
                #expect(status.state == .ready, "seed \(seed)")
                if round == 2 { try await engine.dropIndex(name) }
            }
            isDone.set()
            return try await group.reduce(0, +)
        }
        #expect(written > 0)
        #expect(try engine.checkIndexes(database: "default", collection: "c") == [], "seed \(seed)")
        try fixture.reopen()
        #expect(try fixture.engine.checkIndexes(database: "default", collection: "c") == [], "seed \(seed), reopened")
    }

    /// A document that cannot be indexed fails the build only if it is still there, as it was, when the build comes to it.
    @Test(arguments: [false, true])
    func whatCannotBeIndexedMayGoMeanwhile(isDeleted: Bool) async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await Self.load(fixture, arrays: 0)
        let definition = IndexDefinition(keys: [.init("n"), .init("m")])
        let last = Value.int(Int64(Self.count))
        let invalid: Document = ["_id": last, "n": [1, 2], "m": [3, 4]]
        for _ in 0..<50 {
            try await engine.insert(invalid, collection: "c")
            _ = try await withCheckedThrowingContinuation { continuation in
                engine.createIndex(database: "default", collection: "c", definition: definition) {
                    continuation.resume(with: $0)
                }
            }
            func scanned() -> Int {
                let status = engine.indexes(database: "default", collection: "c").first
                return status?.state == .building ? status?.scanned ?? 0 : Self.count
            }
            while scanned() == 0 { await Task.yield() }
            if isDeleted {
                _ = try await engine.delete(id: last, collection: "c", durability: .os)
            } else {
                _ = try await engine.update(id: last, ["m": 5], collection: "c", durability: .os)
            }
            // The document is the last one, unless this took so long that it may have been looked at.
            let isInTime = scanned() < Self.count / 2
            let status = try await engine.waitForIndex(definition.name)
            if isInTime {
                #expect(status.state == .ready, "\(String(describing: status.failure))")
                #expect(try engine.checkIndexes(database: "default", collection: "c") == [])
                #expect(try engine.count(["m": 5]) { $0.hint = definition.name } == (isDeleted ? 0 : 1))
                return
            }
            if status.state == .ready { try await engine.dropIndex(definition.name) }
            _ = try await engine.delete(id: last, collection: "c", durability: .os)
        }
        Issue.record("the documents were never changed in time")
    }

    /// A crash while files were on their way may leave entries of documents that are not there any more: the index begins
    /// anew.
    @Test func anIndexThatWasBeingIngestedBeginsAnew() async throws {
        let fixture = try Fixture()
        try await Self.load(fixture, arrays: 0)
        try await fixture.engine.makeIndex(IndexDefinition(keys: [.init("n")]))
        fixture.engine.close()
        do {
            let store = try Store(at: fixture.directory.path)
            defer { store.close() }
            var batch = WriteBatch()
            // The records of the index: not ready, and files on their way. Its number is behind the kind of the record.
            var iterator = try store.makeIterator(.catalog)
            var number: [UInt8]?
            while try iterator.advance() {
                let key = iterator.key.withUnsafeBytes { Array($0) }
                guard var record = try? MessagePack.decodeDocument(iterator.value), record["definition"] != nil else {
                    continue
                }
                record["ready"] = false
                batch.put(.catalog, key: key, value: MessagePack.encode(record))
                number = Array(key.dropFirst())
            }
            let prefix = try #require(number)
            let progress: Document = ["after": .bytes([]), "scanned": 0, "ingesting": true]
            batch.put(.catalog, key: [7] + prefix, value: MessagePack.encode(progress))
            // An entry of nobody.
            batch.put(.indexes, key: prefix + [0x60, 0, 0x20, 0x61, 0, 0], value: [0, 4])
            try store.write(batch)
        }
        try fixture.reopen()
        #expect(try await fixture.engine.waitForIndex("n_1").state == .ready)
        #expect(try fixture.engine.checkIndexes(database: "default", collection: "c") == [])
    }

    /// Two threads find what one finds: counts, and the first in an order with many equal documents.
    @Test func sharedScansFindTheSame() async throws {
        let fixture = try Fixture()
        try await Self.load(fixture, arrays: 20)
        let documents = try fixture.engine.find()
        #expect(documents.count == Self.count)
        #expect(try fixture.engine.count([:]) == Self.count)
        let small = documents.filter { ($0["n"]?.int ?? 0) < 300 }
        #expect(try fixture.engine.count(["n": ["$lt": 300]]) == small.count)
        #expect(try fixture.engine.count(["n": ["$lt": 300]]) { $0.skip = 17 } == small.count - 17)
        for (skip, limit) in [(0, 20), (5, 100), (0, 1), (2000, 3000)] {
            // Equal ones in the order of their ids, as they lie.
            let order = documents.enumerated().sorted {
                let (left, right) = ($0.element["n"]?.int ?? 0, $1.element["n"]?.int ?? 0)
                return left == right ? $0.offset < $1.offset : left < right
            }
            let expected = order.map(\.element).dropFirst(skip).prefix(limit)
            for page in [7, 5000] {
                var options = QueryOptions()
                options.sort = ["n": 1]
                options.skip = skip
                options.limit = limit
                let execution = try fixture.engine.query(database: "default", collection: "c", options: options)
                while try execution.step(budget: page) == .more {}
                #expect(execution.examined == Self.count)
                let bytes = execution.takeDocuments()
                var reader = MessagePackReader(bytes.span.bytes)
                var found: [Document] = []
                for _ in 0..<execution.documentCount { found.append(try reader.readDocument()) }
                // Not the documents, which have NaN here and there.
                let ids = found.map { $0["_id"]?.int }
                #expect(ids == expected.map { $0["_id"]?.int }, "skip \(skip), limit \(limit)")
            }
            // More than the memory takes.
            let spilled = try fixture.engine.find { options in
                options.sort = ["n": 1]
                options.skip = skip
                options.limit = limit
                options.maximumSortBytes = 20_000
                options.projection = ["n": 1]
            }
            #expect(spilled.compactMap { $0["_id"] } == expected.compactMap { $0["_id"] })
        }
    }

    /// A query that is not ended leaves no thread behind that others would wait for.
    @Test func abandonedScansGiveTheirHelpersBack() async throws {
        let fixture = try Fixture()
        try await Self.load(fixture, arrays: 0)
        for _ in 0..<50 {
            var options = QueryOptions()
            options.isCountOnly = true
            let execution = try fixture.engine.query(
                database: "default", collection: "c", filter: ["n": ["$gt": 5]], options: options)
            for _ in 0..<2 { _ = try execution.step(budget: 5000) }
        }
        #expect(try fixture.engine.count(["n": ["$gte": 0]]) == Self.count)
    }
}

/// Set by one task, read by others.
private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
