import Glibc
@_spi(Testing) import NexaEngine
import NexaValue
import Synchronization
import TestKit
import Testing

/// Backup, restore, check and compaction.
@Suite struct LifecycleTests {
    private func fill(_ engine: Engine, _ range: Range<Int>) async throws {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 100) {
            let numbers = start..<min(start + 100, range.upperBound)
            let documents = numbers.map { ["_id": .int(Int64($0)), "n": .int(Int64($0 % 10))] as Document }
            try await engine.insert(contentsOf: documents, database: "shop", collection: "films", durability: .os)
        }
    }

    /// The documents of `shop.films` as they are stored.
    private func documents(_ engine: Engine) throws -> [[UInt8]] {
        let execution = try engine.query(database: "shop", collection: "films", filter: [:], options: all)
        while try execution.step(budget: 10_000) != .done {}
        var reader: [[UInt8]] = []
        let bytes = execution.takeDocuments()
        var position = 0
        while position < bytes.count {
            var walker = MessagePackReader(bytes.span.bytes, at: position)
            try walker.skip()
            reader.append(Array(bytes[position..<walker.position]))
            position = walker.position
        }
        return reader
    }

    private var all: QueryOptions {
        var options = QueryOptions()
        options.limit = 0
        return options
    }

    @Test func aBackupRestoresEverything() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        _ = try engine.bootstrapRoot(password: "secret")
        try engine.createUser("ann", password: "one", role: .read, grants: ["shop": .write])
        let key = try engine.makeAPIKey(for: "ann")
        try await fill(engine, 0..<1000)
        try engine.checkpoint()
        try await fill(engine, 1000..<1500)
        let place = try TemporaryDirectory(inMemory: true)
        let backup = try engine.backUp(to: place["backup"])
        #expect(backup.sequence == engine.commitSequence && backup.byteCount > 0)
        let before = try documents(engine)
        try await fill(engine, 1500..<1600)
        #expect(try Engine.verify(backup: place["backup"]) == backup)
        #expect(try Engine.restore(place["backup"], to: place["data"]) == backup)
        let restored = try Fixture.open(place["data"])
        defer { restored.close() }
        #expect(try documents(restored) == before)
        #expect(restored.user(named: "ann") == engine.user(named: "ann"))
        #expect(restored.logIn(username: "ann", password: key.key) != nil)
        let report = try restored.check()
        #expect(report.findings.isEmpty && report.documents == 1500 && report.collections == 1)
        try await fill(restored, 1500..<1501)
        #expect(try documents(restored).count == 1501)
    }

    @Test func aBackupIsOneMomentOfManyWriters() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let place = try TemporaryDirectory(inMemory: true)
        let end = End()
        // Each commit writes both of a pair: a backup with one of them only is none.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    var number = 0
                    while !end.isReached.load(ordering: .relaxed) {
                        let pair = ["a", "b"].map { ["_id": .string("\(writer)-\(number)\($0)")] as Document }
                        try await engine.insert(
                            contentsOf: pair, database: "shop", collection: "films", durability: .os)
                        number += 1
                    }
                }
            }
            for round in 0..<5 {
                let backup = try engine.backUp(to: place["backup\(round)"])
                _ = try Engine.restore(place["backup\(round)"], to: place["data\(round)"])
                let restored = try Fixture.open(place["data\(round)"])
                #expect(restored.commitSequence >= backup.sequence)
                let ids = try documents(restored).map { try MessagePack.decodeDocument($0)["_id"]?.string ?? "" }
                let pairs = Set(ids.map { $0.dropLast() })
                #expect(ids.count == 2 * pairs.count)
                #expect(try restored.check().findings.isEmpty)
                restored.close()
            }
            end.isReached.store(true, ordering: .relaxed)
            try await group.waitForAll()
        }
    }

    @Test func changesGoOnBehindARestore() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await fill(engine, 0..<10)
        let cursor = try engine.changes(ChangeSelection(), after: nil)
        let position = cursor.position
        try await fill(engine, 10..<20)
        let place = try TemporaryDirectory(inMemory: true)
        _ = try engine.backUp(to: place["backup"])
        _ = try Engine.restore(place["backup"], to: place["data"])
        let restored = try Fixture.open(place["data"])
        defer { restored.close() }
        let resumed = try restored.changes(ChangeSelection(), after: position)
        var count = 0
        _ = try resumed.read(scanning: 1 << 20, permitting: { _ in true }) { _ in
            count += 1
            return true
        }
        #expect(count == 10)
    }

    @Test func damageIsFoundWhereverItIs() async throws {
        let fixture = try Fixture()
        try await fill(fixture.engine, 0..<500)
        let place = try TemporaryDirectory(inMemory: true)
        _ = try fixture.engine.backUp(to: place["backup"])
        var files = ["MANIFEST", "FORMAT", "CHECKPOINT"]
        for folder in ["tables", "log"] {
            files += Files.names(in: place["backup/" + folder]).map { folder + "/" + $0 }
        }
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix64(seed: seed)
        for file in files {
            let path = place["backup/" + file]
            let bytes = Files.read(path)
            guard !bytes.isEmpty, !file.contains("/LOG") else { continue }
            var damaged = bytes
            damaged[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            // Not through the hard link.
            unlink(path)
            try Files.write(damaged, to: path)
            #expect(throws: EngineError.self, "\(file), seed \(seed)") {
                try Engine.restore(place["backup"], to: place["data"])
            }
            unlink(path)
            #expect(throws: EngineError.self, "\(file) is missing") { try Engine.verify(backup: place["backup"]) }
            #expect(Files.names(in: place["data"]).isEmpty, "nothing is left of it")
            try Files.write(bytes, to: path)
        }
        _ = try Engine.restore(place["backup"], to: place["data"])
    }

    @Test func aManifestNamesNoOtherFiles() async throws {
        let place = try TemporaryDirectory(inMemory: true)
        try Files.write([1], to: place["outside"])
        mkdir(place["backup"], 0o700)
        for path in ["../outside", "/etc/passwd", "tables/../../outside", "tables/..", "log", "", "tables/a/b"] {
            let body = "nexadb backup 1\nformat 1\nsequence 1\ncreated 1\nfile 1 0 \(path)\n"
            try Files.write(Array((body + "end \(crc32c(body))\n").utf8), to: place["backup/MANIFEST"])
            let error = #expect(throws: EngineError.self) { try Engine.restore(place["backup"], to: place["data"]) }
            #expect(error?.message.hasSuffix("MANIFEST is damaged") == true, "\(path)")
        }
    }

    @Test func fullDirectoriesAreRefused() async throws {
        let fixture = try Fixture()
        let place = try TemporaryDirectory(inMemory: true)
        try Files.write([1], to: place["file"])
        let error = #expect(throws: EngineError.self) { try fixture.engine.backUp(to: place.path) }
        #expect(error?.code == .badRequest)
        _ = try fixture.engine.backUp(to: place["backup"])
        #expect(throws: EngineError.self) { try Engine.restore(place["backup"], to: fixture.directory.path) }
        #expect(throws: EngineError.self) { try Engine.restore(place.path, to: place["data"]) }
        #expect(Files.names(in: place.path) == ["backup", "file"].sorted() || Files.names(in: place["data"]).isEmpty)
    }

    @Test func compactionGivesRoomBack() async throws {
        let fixture = try Fixture()
        try await fill(fixture.engine, 0..<20_000)
        try fixture.engine.checkpoint()
        try await fixture.engine.dropCollection(database: "shop", name: "films")
        let (before, after) = try fixture.engine.compact()
        #expect(before > 100_000 && after < before / 10)
    }

    private final class End: Sendable {
        let isReached = Atomic<Bool>(false)
    }

    /// A bitwise CRC-32C, to compare with.
    private func crc32c(_ text: String) -> String {
        var crc = UInt32.max
        for byte in text.utf8 {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : (crc >> 1) ^ 0x82F6_3B78 }
        }
        return String(~crc, radix: 16)
    }
}
