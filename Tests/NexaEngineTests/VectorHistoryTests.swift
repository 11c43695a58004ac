import Glibc
@_spi(Testing) import NexaEngine
import NexaValue
import NexaVector
import TestKit
import Testing

/// Whatever happens, the index holds exactly the stored vectors.
@Suite struct VectorHistoryTests {
    private struct History {
        var random: SplitMix64
        var source: VectorSource
        var model: [String: [Float]] = [:]

        init(seed: UInt64) {
            random = SplitMix64(seed: seed)
            source = VectorSource(seed: seed ^ 0xABCD, dimensions: 6)
        }

        mutating func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }

        static func value(_ vector: [Float]) -> Value { .array(vector.map { .double(Double($0)) }) }

        /// Does something, to the engine and to the model.
        mutating func step(_ engine: Engine) async throws {
            let id = "d\(number(60))"
            let vector = source.next()
            switch number(10) {
            case 0...3:
                let isNew = try engine.document(id: .string(id), collection: "c") == nil
                if isNew {
                    try await engine.insert(["_id": .string(id), "vector": Self.value(vector)], collection: "c")
                } else {
                    try await engine.update(id: .string(id), ["vector": Self.value(vector)], collection: "c")
                }
                model[id] = vector
            case 4: try await engine.update(id: .string(id), ["title": "t"], collection: "c")
            case 5:
                if try await engine.update(id: .string(id), ["$unset": ["vector": ""]], collection: "c") {
                    model[id] = nil
                }
            case 6, 7:
                _ = try await engine.delete(id: .string(id), collection: "c")
                model[id] = nil
            case 8:
                let transaction = try engine.beginTransaction()
                var changes: [String: [Float]?] = [:]
                for _ in 0..<(1 + number(4)) {
                    let id = "d\(number(60))"
                    let vector = source.next()
                    if number(3) == 0 {
                        if try await engine.delete(id: .string(id), collection: "c", transaction: transaction) {
                            changes[id] = .some(nil)
                        }
                    } else if try await engine.update(
                        id: .string(id), ["vector": Self.value(vector)], collection: "c", transaction: transaction)
                    {
                        changes[id] = vector
                    }
                }
                if number(4) == 0 {
                    transaction.abort()
                } else {
                    try await transaction.commit()
                    for (id, vector) in changes { model[id] = vector }
                }
            default:
                if number(12) == 0 {
                    try? await engine.dropCollection(name: "c")
                    model = [:]
                } else if number(2) == 0 {
                    engine.saveVectorImages()
                } else if number(4) == 0 {
                    _ = try? await engine.rebuildVectors(maxConnections: 4 + number(20))
                }
            }
        }

        /// Compares everything that can be asked.
        mutating func check(_ engine: Engine, _ place: String) throws {
            #expect(try engine.checkIndexes(database: "default", collection: "c") == [], "\(place)")
            let query = source.next()
            let found = try engine.nearest(to: query, limit: 100) { $0.ef = 200 }.hits
            #expect(Set(found.compactMap(\.id.string)) == Set(model.keys), "\(place)")
            let truth = VectorTests.nearest(query, model.map { (.string($0), $1) }, .cosine, 100)
            for (hit, expected) in zip(found, truth) { #expect(abs(hit.score - (1 - expected.distance)) < 1e-4) }
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func afterRandomHistoriesWithRestarts(round: UInt64) async throws {
        let seed = round &* 7919 &+ (getenv("NEXA_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1)
        print("vector history seed \(seed)")
        let fixture = try Fixture()
        var history = History(seed: seed)
        for step in 0..<300 {
            try await history.step(fixture.engine)
            if history.number(20) == 0 { try history.check(fixture.engine, "seed \(seed), step \(step)") }
            if history.number(60) == 0 {
                try fixture.reopen()
                try history.check(fixture.engine, "seed \(seed), restart at step \(step)")
            }
        }
        try history.check(fixture.engine, "seed \(seed), end")
    }

    /// A copy of the files in the middle of everything is what a kill leaves.
    @Test(arguments: 0..<4 as Range<UInt64>)
    func afterKills(round: UInt64) async throws {
        let seed = round &* 104_729 &+ 5
        let fixture = try Fixture()
        var history = History(seed: seed)
        for kill in 0..<5 {
            for _ in 0..<(20 + history.number(60)) { try await history.step(fixture.engine) }
            // Now and then a clean end leaves an image for the kills after it.
            if history.number(2) == 0 { try fixture.reopen() }
            for _ in 0..<history.number(30) { try await history.step(fixture.engine) }
            // Others write while an image is being written.
            let engine = fixture.engine
            let saving = Task.detached { for _ in 0..<5 { engine.saveVectorImages() } }
            for _ in 0..<history.number(60) { try await history.step(engine) }
            if kill % 2 == 0 { await saving.value }
            let copy = try TemporaryDirectory(inMemory: true)
            // An image that is being written may be renamed while it is copied.
            let code = run("cp", "-r", fixture.directory.path + "/.", copy.path)
            #expect(code == 0 || kill % 2 == 1)
            await saving.value
            let copied = try Fixture.open(copy.path)
            defer { copied.close() }
            try history.check(copied, "seed \(seed), kill \(kill)")
        }
    }

    private func run(_ words: String...) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        defer { for word in arguments { free(word) } }
        arguments.append(nil)
        var process = pid_t()
        guard posix_spawnp(&process, words[0], nil, nil, arguments, environ) == 0 else { return -1 }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        return status
    }

    @Test func damagedAndForeignImagesAreBuiltAnew() async throws {
        let fixture = try Fixture()
        var history = History(seed: 42)
        for _ in 0..<100 { try await history.step(fixture.engine) }
        fixture.engine.close()
        let directory = fixture.directory.path + "/vectors"
        for name in listing(directory) {
            let file = fopen(directory + "/" + name, "r+")
            fseek(file, 0, SEEK_END)
            let size = ftell(file)
            if size > 0 {
                fseek(file, size / 2, SEEK_SET)
                fputs("damage", file)
            }
            fclose(file)
        }
        try fixture.reopen()
        try history.check(fixture.engine, "damaged")
        fixture.engine.close()
        for name in listing(directory) { truncate(directory + "/" + name, 10) }
        try fixture.reopen()
        try history.check(fixture.engine, "cut")
    }

    private func listing(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".hnsw") { names.append(name) }
        }
        return names
    }

    @Test func searchesWritesAndBuildingGoOnTogether() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        var source = VectorSource(seed: 9, dimensions: 6)
        for number in 0..<300 {
            try await engine.insert(
                ["_id": .string("s\(number)"), "vector": History.value(source.next())], collection: "c")
        }
        try await withThrowingTaskGroup { group in
            for writer in 0..<2 {
                group.addTask {
                    var source = VectorSource(seed: UInt64(100 + writer), dimensions: 6)
                    for number in 0..<150 {
                        let id = Value.string("w\(writer)-\(number % 40)")
                        if number % 3 == 2 {
                            try await engine.delete(id: id, collection: "c")
                        } else if try await !engine.update(
                            id: id, ["vector": History.value(source.next())], collection: "c")
                        {
                            try await engine.insert(
                                ["_id": id, "vector": History.value(source.next())], collection: "c")
                        }
                    }
                }
            }
            group.addTask {
                var source = VectorSource(seed: 55, dimensions: 6)
                for _ in 0..<200 {
                    let hits = try engine.nearest(to: source.next(), limit: 20).hits
                    #expect(hits.count == 20 && Set(hits.map(\.id)).count == 20)
                    await Task.yield()
                }
            }
            group.addTask {
                for _ in 0..<30 {
                    engine.saveVectorImages()
                    await Task.yield()
                }
            }
            group.addTask {
                for connections in [8, 24, 12] { _ = try await engine.rebuildVectors(maxConnections: connections) }
            }
            try await group.waitForAll()
        }
        #expect(
            engine.vectorFields(database: "default", collection: "c").first?.definition.vector?.maxConnections == 12)
        #expect(try engine.checkIndexes(database: "default", collection: "c") == [])
        try fixture.reopen()
        #expect(try fixture.engine.checkIndexes(database: "default", collection: "c") == [])
        let field = fixture.engine.vectorFields(database: "default", collection: "c").first
        #expect(field?.definition.vector?.maxConnections == 12)
    }
}
