import Glibc
import NexaEngine
import NexaProtocol
import NexaValue
import TestKit
import Testing

extension CrashTests {
    /// Writes documents with arrays, changes and deletes them, until the server dies.
    private static func writeIndexed(_ writer: Int, seed: UInt64, port: UInt16) {
        var random = SplitMix64(seed: seed)
        guard let peer = try? Peer(port: port), (try? peer.logIn()) != nil else { return }
        while true {
            let id = Int64(writer * 1000 + Int.random(in: 0..<300, using: &random))
            let fields: Document = [
                "a": .int(Int64.random(in: 0..<50, using: &random)),
                "tags": .array((0..<Int.random(in: 0...3, using: &random)).map { .int(Int64($0) + id % 7) }),
                "unique": .int(Bool.random(using: &random) ? id : Int64.random(in: 0..<20, using: &random))
            ]
            let request: Request
            switch Int.random(in: 0..<4, using: &random) {
            case 0: request = .delete(.init(namespace: .films, id: .int(id), durability: .os))
            case 1:
                request = .update(
                    .init(namespace: .films, id: .int(id), updates: MessagePack.encode(fields), durability: .os))
            default:
                var document: Document = ["_id": .int(id)]
                for (name, value) in fields { document[name] = value }
                request = .insert(.init(namespace: .films, document: MessagePack.encode(document), durability: .os))
            }
            // Refusals are fine: the id or the unique value is taken.
            guard (try? peer.ask(request)) != nil else { return }
        }
    }

    /// Makes indexes and drops them, until the server dies.
    private static func index(seed: UInt64, port: UInt16) {
        var random = SplitMix64(seed: seed)
        guard let peer = try? Peer(port: port), (try? peer.logIn()) != nil else { return }
        let definitions: [Document] = [
            ["keys": [["a", 1]]], ["keys": [["tags", -1], ["a", 1]]], ["keys": [["unique", 1]], "unique": true],
            ["keys": [["a", -1]], "name": "few", "partial": ["a": ["$lt": 10]]], ["keys": [["none", 1]], "sparse": true]
        ]
        while true {
            let definition = definitions[Int.random(in: 0..<definitions.count, using: &random)]
            var request = Request.createIndex(.init(namespace: .films, definition: definition))
            if Int.random(in: 0..<3, using: &random) == 0 {
                let names = ["a_1", "tags_-1_a_1", "few", "none_1"]
                request = .dropIndex(
                    .init(namespace: .films, name: names[Int.random(in: 0..<names.count, using: &random)]))
            }
            guard (try? peer.ask(request)) != nil else { return }
            usleep(UInt32.random(in: 0..<10_000, using: &random))
        }
    }

    /// After each kill, the indexes are those of the documents; building goes on where it was.
    @Test(arguments: [UInt64.random(in: 0 ... .max)])
    func killedInTheMiddleOfBuildingIndexesStayRight(seed: UInt64) async throws {
        let directory = try TemporaryDirectory()
        let data = directory.path + "/data"
        var random = SplitMix64(seed: seed)
        var unfinished = 0
        for round in 0..<max(5, Self.rounds / 8) {
            let server = try ServerProcess(data: data)
            if round == 0 {
                // So many that indexes are often not ready when the server is killed.
                let documents: [Value] = (0..<20_000).map {
                    ["_id": .int(100_000 + $0), "a": .int($0 % 50), "tags": [.int($0 % 9)], "unique": .int(10_000 + $0)]
                }
                let peer = try Peer(port: server.port).logIn()
                _ = try peer.ask(
                    .insertMany(.init(namespace: .films, documents: MessagePack.encode(.array(documents)))))
            }
            let delay = UInt32.random(in: 20_000..<120_000, using: &random)
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    let seed = random.next()
                    group.addTask { await onThread { Self.writeIndexed(writer, seed: seed, port: server.port) } }
                }
                let seed = random.next()
                group.addTask { await onThread { Self.index(seed: seed, port: server.port) } }
                await onThread {
                    usleep(delay)
                    server.end(with: SIGKILL)
                }
            }
            let engine = try Engine.open(at: data)
            defer { engine.close() }
            let namespace = Request.Namespace.films
            while true {
                let states = engine.indexes(database: namespace.database, collection: namespace.collection).map(\.state)
                guard states.contains(.building) else { break }
                unfinished += 1
                try await Task.sleep(for: .milliseconds(1))
            }
            let findings = try engine.checkIndexes(database: namespace.database, collection: namespace.collection)
            #expect(findings.isEmpty, "round \(round), seed \(seed): \(findings.prefix(5))")
        }
        #expect(unfinished > 0, "no index was ever unfinished, seed \(seed)")
    }
}
