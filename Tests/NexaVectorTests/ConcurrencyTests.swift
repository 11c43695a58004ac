import NexaVector
import TestKit
import Testing

@Suite("Vector index under concurrency")
struct ConcurrencyTests {
    static let dimensions = 10

    /// The vector says whose it is, so that a mix of two would be noticed.
    static func vector(_ owner: Int, _ number: Int, _ random: inout SplitMix64) -> [Float] {
        var vector = random.vector(dimensions)
        vector[0] = Float(owner)
        vector[1] = Float(number) / 128
        return vector
    }

    static func isWhole(_ id: Span<UInt8>, _ vector: Span<Float>) -> Bool {
        id.count == 2 && vector[0] == Float(id[0]) && vector[1] == Float(id[1]) / 128
    }

    /// One thread's part: its ids are nobody else's, so it knows what is there.
    static func write(_ index: VectorIndex, owner: Int, seed: UInt64, rounds: Int) throws -> [[UInt8]: [Float]] {
        var random = SplitMix64(seed: seed &+ UInt64(owner))
        var model: [[UInt8]: [Float]] = [:]
        for _ in 0..<rounds {
            let number = Int.random(in: 0..<120, using: &random)
            let id = [UInt8(owner), UInt8(number)]
            if Int.random(in: 0..<3, using: &random) == 0 {
                #expect(index.remove(id) == (model.removeValue(forKey: id) != nil))
                let near = vector(owner, number, &random)
                let found = index.search(near.span, k: 20, ef: 30).matches
                #expect(!found.contains { $0.id == id }, "removed is not found")
            } else {
                let vector = vector(owner, number, &random)
                try index.put(vector, id: id)
                model[id] = vector
                let found = index.exactSearch(vector.span, k: 1)
                #expect(found.first?.id == id && found.first?.distance == 0, "what was put is found")
                #expect(index.vector(of: id) == vector)
            }
        }
        return model
    }

    static func read(_ index: VectorIndex, seed: UInt64, rounds: Int) {
        var random = SplitMix64(seed: seed)
        for round in 0..<rounds {
            let query = vector(Int.random(in: 0..<3, using: &random), 60, &random)
            let predicate: ((UInt32) -> Bool)? = round % 3 == 0 ? { $0 % 2 == 0 } : nil
            let matches = index.search(query.span, k: 15, ef: 20, predicate: predicate).matches
            #expect(Set(matches.map(\.id)).count == matches.count, "an id is found once")
            #expect(zip(matches, matches.dropFirst()).allSatisfy { $0.distance <= $1.distance })
            if round % 10 == 0 {
                index.forEach { id, vector in
                    let whole = isWhole(id, vector)
                    #expect(whole)
                    return true
                }
            }
        }
    }

    @Test("Searches, puts, removals, linking and images at once")
    func everything() async throws {
        let seed = seed("Concurrency")
        let configuration = Configuration(
            dimensions: Self.dimensions, metric: .l2, maxConnections: 8, efConstruction: 40)
        let index = try VectorIndex(configuration)
        let folder = try TemporaryDirectory(inMemory: true)
        let model = try await withThrowingTaskGroup(of: [[UInt8]: [Float]].self) { group in
            for owner in 0..<3 {
                group.addTask { try Self.write(index, owner: owner, seed: seed, rounds: 600) }
            }
            for reader in 0..<2 {
                group.addTask {
                    Self.read(index, seed: seed &+ UInt64(100 + reader), rounds: 300)
                    return [:]
                }
            }
            for _ in 0..<2 {
                group.addTask {
                    for _ in 0..<400 {
                        index.link(limit: 7)
                        await Task.yield()
                    }
                    return [:]
                }
            }
            group.addTask {
                for round in 0..<6 {
                    try index.save(to: folder["image"], tag: UInt64(round))
                    let loaded = try VectorIndex.load(from: folder["image"], expecting: configuration)
                    #expect(loaded.tag == UInt64(round))
                    loaded.index.forEach { id, vector in
                        let whole = Self.isWhole(id, vector)
                        #expect(whole)
                        return true
                    }
                    loaded.index.linkAll()
                    await Task.yield()
                }
                return [:]
            }
            return try await group.reduce(into: [:]) { $0.merge($1) { first, _ in first } }
        }
        index.linkAll()
        #expect(index.contents == model && index.unlinkedCount == 0)
        var random = SplitMix64(seed: seed)
        let queries = (0..<40).map { Self.vector($0 % 3, 3 * $0, &random) }
        let recall = index.recall(of: queries)
        #expect(recall >= 0.95, "\(recall)")
    }

    /// A row that is on a level above and not yet below led a search into nothing, and to what was scanned only.
    @Test("A search meets no row that is linked by halves")
    func halfLinkedRows() async throws {
        let seed = seed("HalfLinked")
        var random = SplitMix64(seed: seed)
        // One row of four has a level above, and linking takes long.
        let configuration = Configuration(dimensions: 8, metric: .l2, maxConnections: 4, efConstruction: 500)
        let index = try VectorIndex(configuration)
        let vectors = random.vectors(2000, 8)
        for (number, vector) in vectors.enumerated() { try index.put(vector, id: id(number)) }
        // Of those that wait, all are compared: there should be few.
        index.link(limit: 1600)
        let poorest = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    while index.link(limit: 5) > 0 { await Task.yield() }
                    return 10
                }
            }
            group.addTask {
                var poorest = 10
                while case let waiting = index.unlinkedCount, waiting > 0 {
                    // The way to a vector that is just being linked leads to its row.
                    let query = vectors[vectors.count - waiting]
                    let found = index.search(query, k: 10, ef: 100).map(\.id)
                    poorest = min(poorest, Set(index.exactSearch(query, k: 10).map(\.id)).intersection(found).count)
                    await Task.yield()
                }
                return poorest
            }
            return try await group.reduce(10) { min($0, $1) }
        }
        #expect(poorest >= 5, "seed \(seed)")
        // And the rows that were linked meanwhile found good neighbours.
        #expect(index.recall(of: random.vectors(50, 8), ef: 400) >= 0.9)
    }
}
