@_spi(Testing) import NexaEngine
import NexaValue
import TestKit
import Testing

/// A change, copied out of the log.
struct SeenChange: Hashable, CustomStringConvertible {
    var kind: ChangeKind
    var database: String
    var collection: String
    var id: Value?
    var document: Document?
    var updates: Document?
    var position: ChangePosition

    init(_ event: borrowing ChangeEvent) {
        kind = event.kind
        database = event.database
        collection = event.collection
        id = event.id
        document = event.document.isEmpty ? nil : try? MessagePack.decodeDocument(event.document)
        updates = event.updates.isEmpty ? nil : try? MessagePack.decodeDocument(event.updates)
        position = event.position
    }

    var description: String { "\(kind) \(database)/\(collection) \(id?.string ?? id?.int.map { "\($0)" } ?? "-")" }
}

extension ChangeCursor {
    /// Everything up to the newest.
    func all(scanning: Int = .max) throws(EngineError) -> [SeenChange] {
        var seen: [SeenChange] = []
        while try read(
            scanning: scanning,
            { event in
                seen.append(SeenChange(event))
                return true
            }) == .more
        {}
        return seen
    }
}

@Suite(.timeLimit(.minutes(20))) struct ChangeTests {
    static let everything = ChangeSelection(kinds: Set(ChangeKind.allCases))

    @Test func everyChangeIsToldInTheOrderOfTheCommits() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let cursor = try engine.changes(Self.everything)
        try await engine.insert(["_id": "a", "v": 1], collection: "films")
        try await engine.insert(
            contentsOf: [["_id": 1], ["_id": 2], ["_id": 3]], database: "shop", collection: "orders")
        try await engine.update(id: "a", ["v": 2, "w": ["x": 1]], collection: "films")
        #expect(try await engine.delete(id: 2, database: "shop", collection: "orders"))
        try await engine.dropCollection(name: "films")
        try await engine.dropDatabase("shop")
        let seen = try cursor.all()
        #expect(
            seen.map(\.description) == [
                "insert default/films a", "insert shop/orders 1", "insert shop/orders 2",
                "insert shop/orders 3", "update default/films a", "delete shop/orders 2",
                "dropCollection default/films -", "dropCollection shop/orders -", "dropDatabase shop/ -"
            ])
        #expect(seen[0].document?["v"] == 1 && seen[0].updates == nil)
        #expect(seen[4].document?["v"] == 2 && seen[4].updates == ["v": 2, "w": ["x": 1]])
        #expect(seen[4].document?["_updated_at"] != nil && seen[5].document == nil)
        #expect(try cursor.all().isEmpty)
    }

    private static func byteCount(of path: String) -> Int {
        Files.names(in: path).reduce(0) { $0 + Files.read(path + "/" + $1).count }
    }

    @Test func whatChangesNothingIsNoChange() async throws {
        let fixture = try Fixture()
        let cursor = try fixture.engine.changes(Self.everything)
        try await fixture.engine.createCollection(name: "empty")
        #expect(try await !fixture.engine.update(id: "none", ["a": 1], collection: "empty"))
        #expect(try await !fixture.engine.delete(id: "none", collection: "empty"))
        try await fixture.engine.insert(["_id": 1], collection: "empty")
        await #expect(throws: EngineError.self) { try await fixture.engine.insert(["_id": 1], collection: "empty") }
        try fixture.engine.createUser("ada", password: "secret", role: .read)
        #expect(try cursor.all().map(\.kind) == [.insert])
    }

    /// From every position of every change, the rest follows; also after the engine was closed and opened.
    @Test func everyPositionCanBeResumedFrom() async throws {
        let fixture = try Fixture()
        let first = try fixture.engine.changes(Self.everything)
        let start = first.position
        for round in 0..<5 {
            try await fixture.engine.insert(["_id": .int(Int64(round))], collection: "c")
            let batch = (0..<4).map { ["_id": .string("\(round)-\($0)")] as Document }
            try await fixture.engine.insert(contentsOf: batch, collection: "c")
            try await fixture.engine.update(id: .int(Int64(round)), ["n": 1], collection: "c")
        }
        let all = try first.all()
        #expect(all.count == 30)
        for isReopened in [false, true] {
            if isReopened { try fixture.reopen() }
            #expect(try fixture.engine.changes(Self.everything, after: start).all() == all)
            for (index, change) in all.enumerated() {
                let token = try #require(ChangePosition(bytes: change.position.bytes))
                let rest = try fixture.engine.changes(Self.everything, after: token).all(scanning: 100)
                #expect(rest == Array(all[(index + 1)...]), "behind \(change)")
            }
        }
        // A cursor goes on over the end of one log file and of one run.
        let cursor = try fixture.engine.changes(Self.everything, after: all[10].position)
        #expect(try cursor.all() == Array(all[11...]))
        try await fixture.engine.insert(["_id": "new"], collection: "c")
        #expect(try cursor.all().map(\.id) == ["new"])
    }

    @Test func aReaderMayPauseAfterEachChangeAndGiveItsMemoryBack() async throws {
        let fixture = try Fixture()
        let cursor = try fixture.engine.changes(Self.everything)
        let large = String(repeating: "x", count: 300_000)
        let batch = (0..<8).map { ["_id": .int($0), "text": .string(large)] as Document }
        try await fixture.engine.insert(contentsOf: batch, collection: "c")
        var seen: [Value?] = []
        while try cursor.read({ event in
            seen.append(event.id)
            return false
        }) == .more {
            cursor.releaseMemory()
        }
        #expect(seen == (0..<8).map { .int($0) })
    }

    @Test func selectionsByPlaceKindAndFilter() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let start = try engine.changes().position
        for database in ["one", "two"] {
            for collection in ["a", "b"] {
                try await engine.insert(["_id": 1, "age": 10], database: database, collection: collection)
                try await engine.insert(["_id": 2, "age": 40], database: database, collection: collection)
                try await engine.update(id: 1, ["age": 20], database: database, collection: collection)
                try await engine.delete(id: 2, database: database, collection: collection)
            }
        }
        func count(_ selection: ChangeSelection) throws -> Int {
            try engine.changes(selection, after: start).all().count
        }
        #expect(try count(ChangeSelection()) == 16)
        #expect(try count(ChangeSelection(database: "one")) == 8)
        #expect(try count(ChangeSelection(collection: "a")) == 8)
        #expect(try count(ChangeSelection(database: "two", collection: "b", kinds: [.delete])) == 1)
        #expect(try count(ChangeSelection(kinds: [])) == 0)
        // Two inserts of 40 and one delete in each: a deletion has no document to look at.
        #expect(try count(ChangeSelection(filter: ["age": ["$gte": 30]])) == 8)
        #expect(try count(ChangeSelection(kinds: [.update], filter: ["age": 20])) == 4)
        #expect(throws: EngineError.self) { try engine.changes(ChangeSelection(filter: ["age": ["$gtt": 1]])) }
        var allowed = 0
        _ = try engine.changes(after: start).read(permitting: { $0 == "two" }) { _ in
            allowed += 1
            return true
        }
        #expect(allowed == 8)
    }

    @Test func positionsOfOtherDataAreRefused() async throws {
        let fixture = try Fixture()
        let other = try Fixture()
        for engine in [fixture.engine, other.engine] { try await engine.insert(["_id": 1], collection: "c") }
        let foreign = try other.engine.changes().position
        func code(_ position: ChangePosition) -> EngineError.Code? {
            do throws(EngineError) {
                _ = try fixture.engine.changes(after: position)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(foreign) == .historyLost)
        var future = try fixture.engine.changes().position.bytes
        #expect(code(try #require(ChangePosition(bytes: future))) == nil)
        future.replaceSubrange(9..<17, with: Array(repeating: 0xFF, count: 8))
        #expect(code(try #require(ChangePosition(bytes: future))) == .historyLost)
        for length in [0, 1, 20, 22] { #expect(ChangePosition(bytes: Array(repeating: 1, count: length)) == nil) }
        #expect(ChangePosition(bytes: Array(repeating: 2, count: 21)) == nil)
    }

    /// A backup that is restored and goes on is another history: its sequences mean other changes.
    @Test func positionsOfALostFutureAreRefused() async throws {
        let fixture = try Fixture()
        try await fixture.engine.insert(["_id": 1], collection: "c")
        fixture.engine.close()
        let backup = try TemporaryDirectory(copying: fixture.directory.path, inMemory: true)
        try fixture.reopen()
        let shared = try fixture.engine.changes().position
        for number in 2..<6 { try await fixture.engine.insert(["_id": .int(Int64(number))], collection: "c") }
        let lost = try fixture.engine.changes().position
        let restored = try Fixture.open(backup.path)
        defer { restored.close() }
        for number in 10..<20 { try await restored.insert(["_id": .int(Int64(number))], collection: "c") }
        #expect(try restored.changes(after: shared).all().count == 10)
        let error = #expect(throws: EngineError.self) { try restored.changes(after: lost) }
        #expect(error?.code == .historyLost)
    }

    @Test func historyIsTrimmedBySizeAndThePositionsBeforeAreRefused() async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        var options = EngineOptions()
        options.logFileBytes = 64 << 10
        options.changeHistoryBytes = 256 << 10
        let engine = try Engine.open(at: directory.path, options: options)
        defer { engine.close() }
        let start = try engine.changes().position
        let padding = Value.string(String(repeating: "p", count: 1000))
        for number in 0..<1000 {
            try await engine.insert(["_id": .int(Int64(number)), "padding": padding], collection: "c", durability: .os)
        }
        // Nothing goes before the tables have it.
        #expect(try engine.changes(after: start).all().count == 1000)
        let slow = try engine.changes(after: start)
        _ = try slow.read { _ in false }
        try engine.checkpoint()
        let error = #expect(throws: EngineError.self) { try engine.changes(after: start) }
        #expect(error?.code == .historyLost)
        // One that was on its way finds out, too; it does not skip what is gone.
        let late = #expect(throws: EngineError.self) { try slow.all() }
        #expect(late?.code == .historyLost)
        #expect(Self.byteCount(of: directory.path + "/log") < 520 << 10)
        let position = try engine.changes().position
        try await engine.insert(["_id": "last"], collection: "c")
        #expect(try engine.changes(after: position).all().count == 1)
    }

    @Test func changeHistoryAge() async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        var options = EngineOptions()
        options.logFileBytes = 64 << 10
        options.changeHistoryAge = .seconds(1)
        let engine = try Engine.open(at: directory.path, options: options)
        defer { engine.close() }
        let start = try engine.changes().position
        let padding = Value.string(String(repeating: "p", count: 1000))
        for number in 0..<200 {
            try await engine.insert(["_id": .int(Int64(number)), "padding": padding], collection: "c", durability: .os)
        }
        #expect(try engine.changes(after: start).all().count == 200)
        // The size is far from its limit; in a second or two the files are too old.
        var isLost = false
        while !isLost {
            try engine.checkpoint()
            isLost = (try? engine.changes(after: start)) == nil
            try await Task.sleep(for: .milliseconds(20))
        }
        // The file that is written to stays.
        let position = try engine.changes().position
        try await engine.insert(["_id": "last"], collection: "c")
        #expect(try engine.changes(after: position).all().count == 1)
    }

    @Test(arguments: [(0, Duration.seconds(3600)), (1 << 30, .zero)])
    func withoutHistoryWatchingStillWorksFromNowOn(_ bytes: Int, _ age: Duration) async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        var options = EngineOptions()
        options.changeHistoryBytes = bytes
        options.changeHistoryAge = age
        var engine = try Engine.open(at: directory.path, options: options)
        let cursor = try engine.changes()
        try await engine.insert(["_id": 1], collection: "c")
        #expect(try cursor.all().count == 1)
        let position = cursor.position
        engine.close()
        engine = try Engine.open(at: directory.path, options: options)
        defer { engine.close() }
        let error = #expect(throws: EngineError.self) { try engine.changes(after: position) }
        #expect(error?.code == .historyLost)
    }

    /// A damaged record of the history is said to be one, and costs no document.
    @Test func damagedHistoryIsReportedAndNotPassedOver() async throws {
        let fixture = try Fixture()
        let start = try fixture.engine.changes().position
        for number in 0..<100 { try await fixture.engine.insert(["_id": .int(Int64(number))], collection: "c") }
        fixture.engine.close()
        let path = try fixture.directory["log/" + #require(Files.names(in: fixture.directory["log"]).first)]
        var bytes = Files.read(path)
        let place = try #require(bytes.lastIndex { $0 != 0 }) / 2
        bytes[place] ^= 0x10
        try Files.write(bytes, to: path)
        try fixture.reopen()
        #expect(fixture.storedDocumentCount() == 100)
        var seen: [Value?] = []
        let error = #expect(throws: EngineError.self) {
            let cursor = try fixture.engine.changes(after: start)
            while try cursor.read({ event in
                seen.append(event.id)
                return true
            }) == .more {}
        }
        #expect(error?.code == .historyLost)
        #expect(seen == (0..<seen.count).map { .int(Int64($0)) } && seen.count < 100)
    }

    /// Readers beside writers see what the writers were told, once and in order, over many changes of the log file.
    @Test func concurrentReadersSeeEachCommitOnce() async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        var options = EngineOptions()
        options.logFileBytes = 64 << 10
        let engine = try Engine.open(at: directory.path, options: options)
        defer { engine.close() }
        let start = try engine.changes().position
        let isDone = Flag()
        let perWriter = 400
        try await withThrowingTaskGroup(of: [SeenChange].self) { group in
            for reader in 0..<3 {
                group.addTask {
                    let cursor = try engine.changes(after: start)
                    var seen: [SeenChange] = []
                    while true {
                        let wasDone = isDone.isSet
                        seen += try cursor.all(scanning: 1000 << reader)
                        if wasDone { return seen }
                        await Task.yield()
                    }
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { writers in
                for writer in 0..<4 {
                    writers.addTask {
                        for number in 0..<perWriter {
                            let durability = number % 3 == 0 ? Durability.sync : .os
                            try await engine.insert(
                                ["_id": .string("\(writer)-\(number)"), "n": .int(Int64(number))], collection: "c",
                                durability: durability)
                        }
                    }
                }
                try await writers.waitForAll()
            }
            isDone.set()
            for try await seen in group {
                #expect(seen.count == 4 * perWriter)
                for writer in 0..<4 {
                    let mine = seen.filter { $0.id?.string?.hasPrefix("\(writer)-") == true }
                    #expect(mine.compactMap { $0.document?["n"]?.int } == (0..<perWriter).map(Int64.init))
                }
            }
        }
    }
}
