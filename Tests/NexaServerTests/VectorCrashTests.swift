import Glibc
import NexaEngine
import NexaProtocol
import NexaValue
import Synchronization
import TestKit
import Testing

extension CrashTests {
    private static let dimensions = 8

    /// What writers know of vectors: for each id, what may be there after the kill; `nil` is for no document.
    private final class VectorLedger: Sendable {
        struct Entry {
            var acknowledged: [Float]?
            /// A change that was sent and not answered: it may have happened or not.
            var pending: [Float]??

            func allows(_ vector: [Float]?) -> Bool { vector == acknowledged || pending.map { $0 == vector } ?? false }
        }
        let entries = Mutex<[String: Entry]>([:])

        func sent(_ changes: [String: [Float]?]) {
            entries.withLock { for (id, vector) in changes { $0[id, default: Entry()].pending = .some(vector) } }
        }

        func answered(_ changes: [String: [Float]?]) {
            entries.withLock { for (id, vector) in changes { $0[id] = Entry(acknowledged: vector, pending: nil) } }
        }

        /// The request was refused, or its transaction given up: nothing has happened.
        func refused(_ changes: [String: [Float]?]) {
            entries.withLock { for id in changes.keys { $0[id]?.pending = nil } }
        }
    }

    private static func vector(_ random: inout SplitMix64) -> [Float] {
        // Some of them are equal, as in life.
        if Int.random(in: 0..<8, using: &random) == 0 { return [Float](repeating: 0.5, count: dimensions) }
        return (0..<dimensions).map { _ in Float.random(in: -1...1, using: &random) }
    }

    private static func value(_ vector: [Float]) -> Value { .array(vector.map { .double(Double($0)) }) }

    /// The request that makes the vector of an id this one.
    private static func request(_ id: String, _ vector: [Float]?, isThere: Bool) -> Request {
        guard let vector else { return .delete(.init(namespace: .films, id: .string(id), durability: .os)) }
        if isThere {
            return .update(
                .init(
                    namespace: .films, id: .string(id), updates: encoded(["vector": value(vector)]), durability: .os))
        }
        return .insert(
            .init(
                namespace: .films, document: encoded(["_id": .string(id), "vector": value(vector)]), durability: .os))
    }

    /// Inserts, replaces and deletes vectors, alone and in transactions, each id by one writer only, until the server dies.
    private static func writeVectors(_ writer: Int, seed: UInt64, port: UInt16, ledger: VectorLedger) {
        var random = SplitMix64(seed: seed)
        guard let peer = try? Peer(port: port), (try? peer.logIn()) != nil else { return }
        var known = ledger.entries.withLock { entries in
            Set(entries.filter { $0.key.hasPrefix("w\(writer)-") && $0.value.acknowledged != nil }.keys)
        }
        func change() -> (String, [Float]?) {
            let id = "w\(writer)-\(Int.random(in: 0..<80, using: &random))"
            let isRemoval = known.contains(id) && Int.random(in: 0..<3, using: &random) == 0
            return (id, isRemoval ? nil : vector(&random))
        }
        while true {
            var changes: [String: [Float]?] = [:]
            guard Int.random(in: 0..<5, using: &random) == 0 else {
                let (id, vector) = change()
                changes = [id: vector]
                ledger.sent(changes)
                guard let reply = try? peer.ask(request(id, vector, isThere: known.contains(id))) else { return }
                guard reply.type == .success else {
                    ledger.refused(changes)
                    continue
                }
                ledger.answered(changes)
                if vector == nil { known.remove(id) } else { known.insert(id) }
                continue
            }
            guard (try? peer.ask(.beginTransaction(.init()))) != nil else { return }
            var after = known
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let (id, vector) = change()
                guard changes[id] == nil else { continue }
                guard let reply = try? peer.ask(request(id, vector, isThere: after.contains(id))) else { return }
                guard reply.type == .success else { continue }
                changes[id] = .some(vector)
                if vector == nil { after.remove(id) } else { after.insert(id) }
            }
            let isGivenUp = Int.random(in: 0..<4, using: &random) == 0
            if !isGivenUp { ledger.sent(changes) }
            guard let reply = try? peer.ask(isGivenUp ? .abortTransaction : .commitTransaction(.init())) else { return }
            guard !isGivenUp else { continue }
            if reply.type == .success {
                ledger.answered(changes)
                known = after
            } else {
                ledger.refused(changes)
            }
        }
    }

    /// Gives all documents of another kind a vector again and again, so that images are written.
    private static func stir(seed: UInt64, port: UInt16) {
        var random = SplitMix64(seed: seed)
        guard let peer = try? Peer(port: port), (try? peer.logIn()) != nil else { return }
        while true {
            let write = Request.Write(
                .filter(encoded(["stirred": true])), .update(encoded(["$set": ["vector": value(vector(&random))]])),
                isMany: true)
            guard (try? peer.ask(.updateMany(.init(namespace: .films, write: write)))) != nil else { return }
        }
    }

    /// What a kill leaves, looked at with an engine; the ledger takes over what it finds.
    private static func check(_ data: String, _ ledger: VectorLedger, _ place: String) throws {
        let engine = try Engine.open(at: data)
        defer { engine.close() }
        let (database, collection) = (Request.Namespace.films.database, Request.Namespace.films.collection)
        let findings = try engine.checkIndexes(database: database, collection: collection)
        #expect(findings.isEmpty, "\(place): \(findings.prefix(5))")
        let field = engine.vectorFields(database: database, collection: collection).first
        let ids = try engine.vectorIDs(database: database, collection: collection, limit: .max).compactMap(\.string)
        #expect(field?.count == ids.count, "\(place): \(field?.count ?? 0) of \(ids.count)")
        var stored: [String: [Float]] = [:]
        for id in ids {
            stored[id] = try engine.vector(database: database, collection: collection, id: .string(id))
        }
        try ledger.entries.withLock { entries in
            for (id, entry) in entries {
                #expect(entry.allows(stored[id]), "\(place): \(id)")
                entries[id] = VectorLedger.Entry(acknowledged: stored[id], pending: nil)
                // Every third is looked for: as the nearest of itself it is found by comparing, and by walking.
                guard let vector = stored[id], id.utf8.reduce(0, { $0 + Int($1) }) % 3 == 0 else { continue }
                for isExact in [true, false] {
                    var query = VectorQuery(vector, limit: 1)
                    query.isExact = isExact
                    query.minimumScore = 0.999
                    query.ef = 400  // The walk is approximate; this wide, it sees nearly all of so few.
                    let hits = try engine.vectorSearch(database: database, collection: collection, query).hits
                    let found = hits.first.flatMap(\.id.string).flatMap { stored[$0] }
                    let isFound = zip(found ?? [], vector).allSatisfy { abs($0 - $1) < 0.1 } && found != nil
                    #expect(isFound, "\(place): \(id), exact \(isExact)")
                }
            }
        }
        for id in stored.keys where id.hasPrefix("w") {
            let isKnown = ledger.entries.withLock { $0[id] != nil }
            #expect(isKnown, "\(place): nobody wrote \(id)")
        }
    }

    /// After each kill the index has exactly the stored vectors, those that were acknowledged among them, also when the
    /// server was writing an image of it.
    @Test(arguments: [UInt64.random(in: 0 ... .max)])
    func killedInTheMiddleOfVectorsTheIndexIsThatOfTheDocuments(seed: UInt64) async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let data = directory.path + "/data"
        let ledger = VectorLedger()
        var random = SplitMix64(seed: seed)
        var images: Set<String> = []
        for round in 0..<max(8, Self.rounds / 8) {
            let server = try ServerProcess(data: data)
            if round == 0 {
                let documents: [Value] = (0..<600).map {
                    ["_id": .string("s\($0)"), "stirred": true, "vector": Self.value(Self.vector(&random))]
                }
                let peer = try Peer(port: server.port).logIn()
                _ = try peer.ask(
                    .insertMany(.init(namespace: .films, documents: MessagePack.encode(.array(documents)))))
            }
            let delay = UInt32.random(in: 50_000..<900_000, using: &random)
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    let seed = random.next()
                    group.addTask {
                        await onThread { Self.writeVectors(writer, seed: seed, port: server.port, ledger: ledger) }
                    }
                }
                let seed = random.next()
                group.addTask { await onThread { Self.stir(seed: seed, port: server.port) } }
                await onThread {
                    usleep(delay)
                    server.end(with: SIGKILL)
                }
            }
            images.formUnion(Files.names(in: data + "/vectors"))
            try Self.check(data, ledger, "round \(round), seed \(seed)")
        }
        print("images of killed servers: \(images.count)")
        #expect(!images.isEmpty, "no image was ever written, seed \(seed)")
    }
}
