@_spi(Testing) import NexaEngine
import NexaStorage
import NexaValue
import Synchronization
import TestKit
import Testing

@Suite struct TransactionTests {
    private func number(_ engine: Engine, _ id: String, in transaction: Transaction? = nil) throws -> Int64? {
        guard let transaction else { return try engine.document(id: .string(id), collection: "c")?["n"]?.int }
        var found: Int64?
        _ = try engine.read(in: transaction, database: "default", collection: "c", id: .string(id)) { bytes in
            found = (try? MessagePack.decodeDocument(bytes))?["n"]?.int
        }
        return found
    }

    private func options(_ transaction: Transaction) -> QueryOptions {
        var options = QueryOptions()
        options.transaction = transaction
        return options
    }

    @Test func aTransactionSeesItsBeginningAndItsOwnWritesAndNobodySeesThem() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        for number in 0..<5 as Range<Int64> {
            try await engine.insert(["_id": .string("d\(number)"), "n": .int(number)], collection: "c")
        }
        let transaction = try engine.beginTransaction()
        try await engine.update(id: "d3", ["n": 33], collection: "c")
        try await engine.insert(["_id": "late", "n": 100], collection: "c")
        try await engine.insert(["_id": "mine", "n": 50], collection: "c", transaction: transaction)
        #expect(try await engine.update(id: "d1", ["n": 11], collection: "c", transaction: transaction))
        #expect(try await engine.delete(id: "d0", collection: "c", transaction: transaction))
        #expect(try await !engine.delete(id: "d0", collection: "c", transaction: transaction))
        #expect(try await !engine.update(id: "late", ["n": 1], collection: "c", transaction: transaction))
        #expect(try number(engine, "d3", in: transaction) == 3)
        #expect(try number(engine, "d1", in: transaction) == 11)
        #expect(try number(engine, "d0", in: transaction) == nil)
        let all = try engine.find(collection: "c", options: options(transaction)).compactMap { $0["n"]?.int }
        #expect(Set(all) == [2, 3, 4, 11, 50] && all.count == 5)
        var sorted = options(transaction)
        sorted.sort = ["_id": 1]
        #expect(try engine.find(collection: "c", options: sorted).compactMap { $0["n"]?.int } == [11, 2, 3, 4, 50])
        let above = try engine.find(["n": ["$gt": 10]], collection: "c", options: options(transaction))
        #expect(Set(above.compactMap { $0["n"]?.int }) == [11, 50])
        let byID = try engine.find(["_id": ["$in": ["d0", "d1", "d2"]]], collection: "c", options: options(transaction))
        #expect(Set(byID.compactMap { $0["n"]?.int }) == [2, 11])
        #expect(try number(engine, "mine") == nil)
        let before = engine.commitSequence
        try await transaction.commit()
        #expect(engine.commitSequence == before + 1)
        #expect(try number(engine, "mine") == 50 && number(engine, "d1") == 11 && number(engine, "d0") == nil)
        #expect(try number(engine, "d3") == 33)
        try fixture.reopen()
        #expect(try number(fixture.engine, "mine") == 50 && number(fixture.engine, "d0") == nil)
    }

    @Test func whatWasAbortedOrConflictsNeverHappened() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(["_id": "a", "n": 1], collection: "c")
        let aborted = try engine.beginTransaction()
        try await engine.update(id: "a", ["n": 2], collection: "c", transaction: aborted)
        aborted.abort()
        await #expect { try await aborted.commit() } throws: { ($0 as? EngineError)?.code == .noTransaction }
        #expect(try number(engine, "a") == 1)

        // Changed by someone else after the write of the transaction: found at the commit.
        let late = try engine.beginTransaction()
        try await engine.update(id: "a", ["n": 3], collection: "c", transaction: late)
        try await engine.insert(["_id": "b", "n": 3], collection: "c", transaction: late)
        try await engine.update(id: "a", ["n": 4], collection: "c")
        await #expect { try await late.commit() } throws: { ($0 as? EngineError)?.code == .writeConflict }
        #expect(try number(engine, "a") == 4 && number(engine, "b") == nil)

        // Changed before it: found at the write, and again at whatever follows.
        let early = try engine.beginTransaction()
        try await engine.update(id: "a", ["n": 5], collection: "c")
        for _ in 0..<2 {
            await #expect {
                try await engine.update(id: "a", ["n": 6], collection: "c", transaction: early)
            } throws: { ($0 as? EngineError)?.code == .writeConflict }
        }
        await #expect { try await early.commit() } throws: { ($0 as? EngineError)?.code == .writeConflict }

        // Two inserts of one id: one of them stands.
        let first = try engine.beginTransaction()
        let second = try engine.beginTransaction()
        try await engine.insert(["_id": "x", "n": 1], collection: "c", transaction: first)
        try await engine.insert(["_id": "x", "n": 2], collection: "c", transaction: second)
        try await second.commit()
        await #expect { try await first.commit() } throws: { ($0 as? EngineError)?.code == .writeConflict }
        #expect(try number(engine, "x") == 2)

        // A collection that was dropped, and made again, is another one.
        let dropped = try engine.beginTransaction()
        try await engine.update(id: "a", ["n": 7], collection: "c", transaction: dropped)
        try await engine.dropCollection(name: "c")
        try await engine.insert(["_id": "a", "n": 5], collection: "c")
        await #expect { try await dropped.commit() } throws: { ($0 as? EngineError)?.code == .writeConflict }
        #expect(try number(engine, "a") == 5)
    }

    @Test func aTransactionHasLimits() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        var limits = Transaction.Limits()
        limits.maximumWrites = 3
        let transaction = try engine.beginTransaction(limits: limits)
        for number in 0..<3 as Range<Int64> {
            try await engine.insert(["n": .int(number)], collection: "c", transaction: transaction)
        }
        await #expect {
            try await engine.insert(["n": 4], collection: "c", transaction: transaction)
        } throws: { ($0 as? EngineError)?.code == .limit }
        try await transaction.commit()
        #expect(fixture.storedDocumentCount() == 3)
    }

    @Test func theChangesOfATransactionAreToldTogetherAndInOrder() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.insert(["_id": "a", "n": 1], collection: "c")
        let cursor = try engine.changes()
        let transaction = try engine.beginTransaction()
        try await engine.update(id: "a", ["n": 2], collection: "c", transaction: transaction)
        try await engine.insert(["_id": "other"], collection: "c")
        try await engine.insert(["_id": "b"], collection: "d", transaction: transaction)
        try await engine.update(id: "b", ["n": 9], collection: "d", transaction: transaction)
        try await engine.delete(id: "a", collection: "c", transaction: transaction)
        try await transaction.commit()
        var seen: [String] = []
        var commits = Set<[UInt8]>()
        _ = try cursor.read { event in
            seen.append("\(event.kind.rawValue) \(event.collection) \(event.id.map { $0.string ?? "?" } ?? "-")")
            if event.collection != "c" || event.id != "other" { commits.insert(Array(event.position.bytes[9..<17])) }
            return true
        }
        #expect(seen == ["insert c other", "update c a", "insert d b", "update d b", "delete c a"])
        #expect(commits.count == 1, "the number of the commit in the position")
    }

    /// What one transaction of the history test saw and did. Every document counts its own versions.
    private struct Record: Sendable {
        /// From one clock: when it began and when its commit was acknowledged.
        var began: Int
        var ended = 0
        var reads: [Int: Int64] = [:]
        var writes: [Int: Int64] = [:]
    }

    /// What the workers of the history test share.
    private final class History: Sendable {
        let engine: Engine
        let clock = Atomic<Int>(0)
        let conflicts = Atomic<Int>(0)
        let records = Collector<Record>()

        init(_ engine: Engine) { self.engine = engine }

        func tick() -> Int { clock.add(1, ordering: .sequentiallyConsistent).newValue }

        /// Reads and counts up some documents; aborts now and then.
        func transact(documents: Int, _ random: inout SplitMix64) async throws(EngineError) {
            var record = Record(began: tick())
            let transaction = try engine.beginTransaction()
            do throws(EngineError) {
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let key = Int.random(in: 0..<documents, using: &random)
                    guard record.writes[key] == nil else { continue }
                    var version: Int64 = -1
                    _ = try engine.read(
                        in: transaction, database: "default", collection: "c", id: .string("k\(key)")
                    ) { version = (try? MessagePack.decodeDocument($0))?["n"]?.int ?? -1 }
                    record.reads[key] = version
                    // Others get their turn in between, also where all tasks share one thread.
                    await Task.yield()
                    guard Bool.random(using: &random) else { continue }
                    record.writes[key] = version + 1
                    try await engine.update(
                        id: .string("k\(key)"), ["n": .int(version + 1)], collection: "c", durability: .os,
                        transaction: transaction)
                }
                await Task.yield()
                if Int.random(in: 0..<10, using: &random) == 0 { return transaction.abort() }
                try await transaction.commit(durability: .os)
            } catch {
                guard error.code == .writeConflict else { throw error }
                conflicts.add(1, ordering: .relaxed)
                return
            }
            record.ended = tick()
            records.add(record)
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func concurrentTransactionsAreIsolatedBySnapshots(_ seed: UInt64)
        async throws
    {
        let fixture = try Fixture()
        let engine = fixture.engine
        let documents = 6
        for index in 0..<documents {
            try await engine.insert(["_id": .string("k\(index)"), "n": 0], collection: "c", durability: .os)
        }
        let history = History(engine)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 as Range<UInt64> {
                group.addTask {
                    var random = SplitMix64(seed: seed &* 1000 &+ worker)
                    for _ in 0..<150 { try await history.transact(documents: documents, &random) }
                }
            }
            try await group.waitForAll()
        }
        let records = history.records
        let conflicts = history.conflicts.load(ordering: .relaxed)
        let all = records.all
        #expect(conflicts > 0, "seed \(seed): nothing contended")
        // No update is lost: the versions of each document are written once each, without a hole.
        for key in 0..<documents {
            let versions = all.compactMap { $0.writes[key] }.sorted()
            let last = try #require(try engine.document(id: .string("k\(key)"), collection: "c")?["n"]?.int)
            #expect(versions == Array(1..<(last + 1)), "seed \(seed), document \(key)")
        }
        for reader in all {
            for writer in all where !writer.writes.isEmpty {
                // Whole transactions are seen, or nothing of them.
                let seen = writer.writes.compactMap { key, version in reader.reads[key].map { $0 >= version } }
                #expect(Set(seen).count <= 1, "seed \(seed): a part of a transaction was seen")
                // What was acknowledged before a transaction began is in its snapshot, and nothing that began after it.
                if writer.ended < reader.began { #expect(!seen.contains(false), "seed \(seed): a stale snapshot") }
                if writer.began > reader.ended { #expect(!seen.contains(true), "seed \(seed): a look at the future") }
            }
            for other in all {
                // All snapshots are on one line: no two readers see two changes in different orders.
                let orders = reader.reads.compactMap { key, version in
                    other.reads[key].flatMap { $0 == version ? nil : $0 < version }
                }
                #expect(Set(orders).count <= 1, "seed \(seed): two readers disagree about the order")
            }
        }
    }
}
