import NexaVector
import TestKit
import Testing

@Suite("Vector index")
struct VectorIndexTests {
    @Test("A vector is found from put to remove, linked or not")
    func visibility() throws {
        let index = try VectorIndex(Configuration(dimensions: 2, metric: .l2))
        #expect(index.search([0, 0], k: 3).isEmpty && index.exactSearch([0, 0], k: 3).isEmpty)
        #expect(index.link(limit: 10) == 0 && index.slotBound == 0 && !index.remove([1]))
        try index.put([0, 0], id: [1])
        try index.put([1, 1], id: [2])
        #expect(index.search([0.9, 0.9], k: 1).map(\.id) == [[2]])
        #expect(index.count == 2 && index.unlinkedCount == 2)
        index.linkAll()
        #expect(index.count == 2 && index.unlinkedCount == 0)
        #expect(index.search([0.9, 0.9], k: 5).map(\.id) == [[2], [1]])
        try index.put([5, 5], id: [2])
        #expect(index.search([0.9, 0.9], k: 1).map(\.id) == [[1]])
        #expect(index.vector(of: [2]) == [5, 5] && index.count == 2)
        #expect(index.remove([1]) && !index.contains([1]) && index.vector(of: [1]) == nil)
        #expect(index.search([0.9, 0.9], k: 5).map(\.id) == [[2]])
        index.linkAll()
        #expect(index.search([0.9, 0.9], k: 5).map(\.id) == [[2]] && index.removedCount == 0)
    }

    @Test("Slots name vectors until they are replaced")
    func slots() throws {
        let index = try VectorIndex(Configuration(dimensions: 1, metric: .l2))
        for number in 0..<10 { try index.put([Float(number)], id: id(number)) }
        let slot = try #require(index.slot(of: id(3)))
        #expect(index.id(of: slot) == id(3) && index.id(of: 4_000_000) == nil && index.slotBound == 10)
        #expect(index.withID(of: slot) { $0.count } == id(3).count && index.withID(of: 99) { _ in true } == nil)
        let some = try [2, 5, 9].map { try #require(index.slot(of: id($0))) }
        #expect(index.exactSearch([6], k: 2, among: some + some + [77]).map(\.id) == [id(5), id(9)])
        #expect(index.search([6], k: 2, predicate: { some.contains($0) }).map(\.id) == [id(5), id(9)])
        index.remove(id(3))
        #expect(index.id(of: slot) == nil && index.exactSearch([3], k: 1, among: [slot]).isEmpty)
    }

    @Test("What is no vector, id or configuration is refused")
    func refusals() throws {
        func code(_ body: () throws -> Void) -> VectorError.Code? {
            do { try body() } catch let error as VectorError { return error.code } catch {}
            return nil
        }
        for configuration in [
            Configuration(dimensions: 0), Configuration(dimensions: 16385),
            Configuration(dimensions: 4, maxConnections: 1), Configuration(dimensions: 4, maxConnections: 129),
            Configuration(dimensions: 4, efConstruction: 0), Configuration(dimensions: 4, efConstruction: 4097)
        ] {
            #expect(code { _ = try VectorIndex(configuration) } == .invalidConfiguration)
        }
        let index = try VectorIndex(Configuration(dimensions: 2, metric: .dot))
        #expect(code { try index.put([1], id: [1]) } == .wrongDimensions)
        #expect(code { try index.put([1, 2, 3], id: [1]) } == .wrongDimensions)
        #expect(code { try index.put([1, .nan], id: [1]) } == .notFinite)
        #expect(code { try index.put([-.infinity, 1], id: [1]) } == .notFinite)
        #expect(code { try index.put([3e38, 1], id: [1]) } == .notFinite)
        #expect(code { try index.put([1, 2], id: []) } == .invalidID)
        #expect(code { try index.put([1, 2], id: Array(repeating: 1, count: 1026)) } == .invalidID)
        #expect(index.count == 0)
        try index.put([1, 2], id: Array(repeating: 1, count: 1025))
        #expect(index.search([1], k: 1).isEmpty && index.search([.nan, 0], k: 1).isEmpty)
        #expect(index.search([1, 1], k: 0).isEmpty && index.search([1, 1], k: .max, ef: .max).count == 1)
    }

    @Test("Extremes", arguments: VectorIndex.Metric.allCases, VectorIndex.Quantization.allCases)
    func extremes(metric: VectorIndex.Metric, quantization: VectorIndex.Quantization) throws {
        for dimensions in [1, 16384] {
            let index = try VectorIndex(
                Configuration(dimensions: dimensions, metric: metric, quantization: quantization))
            for number in 0..<40 {
                try index.put([Float](repeating: Float(number - 20) / 8, count: dimensions), id: id(number))
            }
            index.linkAll()
            for width in [10, 100] {
                let matches = index.search([Float](repeating: 1, count: dimensions), k: 5, ef: width)
                #expect(matches.count == 5)
                #expect(zip(matches, matches.dropFirst()).allSatisfy { $0.distance <= $1.distance })
            }
            #expect(index.search([Float](repeating: 1, count: dimensions), k: 1000).count == 40)
        }
    }

    @Test("Equal vectors, and zero vectors", arguments: VectorIndex.Metric.allCases)
    func equals(metric: VectorIndex.Metric) throws {
        let index = try VectorIndex(Configuration(dimensions: 8, metric: metric))
        var random = SplitMix64(seed: seed("Equal vectors"))
        let others = random.vectors(1000, 8)
        for number in 0..<200 { try index.put([Float](repeating: 1, count: 8), id: id(number)) }
        for number in 0..<30 { try index.put([Float](repeating: 0, count: 8), id: id(1000 + number)) }
        for (number, vector) in others.enumerated() { try index.put(vector, id: id(2000 + number)) }
        index.linkAll()
        let matches = index.search([Float](repeating: 1, count: 8), k: 50)
        #expect(Set(matches.map(\.id)).count == 50 && Set(matches.map(\.distance)).count == 1)
        let zero = index.search([Float](repeating: 0, count: 8), k: 20)
        #expect(zero.count == 20)
        if metric == .cosine { #expect(zero.allSatisfy { $0.distance == 1 }) }
        if metric == .l2 { #expect(zero.allSatisfy { $0.distance == 0 }) }
        // Distances rather than ids, as there may be ties.
        var found = 0
        for query in random.vectors(100, 8) {
            let exact = index.exactSearch(query, k: 10).map(\.distance)
            found += index.search(query, k: 10).count { $0.distance <= exact[9] }
        }
        #expect(found >= 950, "\(found)")
    }

    @Test("The same seed and the same puts make the same graph")
    func determinism() throws {
        var random = SplitMix64(seed: 5)
        let vectors = random.vectors(500, 8)
        let query = random.vector(8)
        let results = try (0..<2).map { _ in
            let index = try VectorIndex(Configuration(dimensions: 8, metric: .l2), seed: 42)
            for (number, vector) in vectors.enumerated() { try index.put(vector, id: id(number)) }
            index.linkAll()
            let result = index.search(query.span, k: 10, ef: 20)
            return (result.matches, result.visited, result.evaluated)
        }
        #expect(results[0] == results[1])
        #expect(results[0].1 < 400, "the walk is no scan")
    }

    @Test("Recall", arguments: VectorIndex.Metric.allCases, VectorIndex.Quantization.allCases)
    func recall(metric: VectorIndex.Metric, quantization: VectorIndex.Quantization) throws {
        var random = SplitMix64(seed: seed("Recall"))
        let index = try VectorIndex(Configuration(dimensions: 16, metric: metric, quantization: quantization))
        for (number, vector) in random.vectors(2000, 16).enumerated() { try index.put(vector, id: id(number)) }
        #expect(index.link(limit: .max) == 2000)
        let queries = random.vectors(60, 16)
        let recall = index.recall(of: queries)
        #expect(recall >= 0.97, "\(recall)")
        let query = queries[0]
        let result = index.search(query.span, k: 10, ef: 100, visitLimit: 50)
        #expect(!result.isComplete && result.visited < 100)
        // What quantisation costs is made good by comparing the exact vectors of some more.
        let exact = try VectorIndex(Configuration(dimensions: 16, metric: metric))
        for (id, vector) in index.contents { try exact.put(vector, id: id) }
        #expect(exact.count == 2000)
    }

    @Test("Filters act inside the search", arguments: [2, 10, 100, 1000])
    func filters(every: UInt32) throws {
        var random = SplitMix64(seed: seed("Filters"))
        let index = try VectorIndex(Configuration(dimensions: 8))
        for (number, vector) in random.vectors(3000, 8).enumerated() { try index.put(vector, id: id(number)) }
        index.linkAll()
        var found = 0
        let passing = (0..<index.slotBound).filter { $0 % every == 0 }
        for query in random.vectors(20, 8) {
            let exact = index.exactSearch(query, k: 10, among: passing).map(\.id)
            let matches = index.search(query, k: 10, ef: 50, predicate: { $0 % every == 0 })
            #expect(matches.count == min(10, passing.count) && matches.allSatisfy { $0.slot % every == 0 })
            found += Set(exact).intersection(matches.map(\.id)).count
        }
        #expect(Double(found) >= 0.95 * Double(20 * min(10, passing.count)))
    }

    @Test("Memory per vector stays near that of the vector and its links")
    func memory() throws {
        for (quantization, width) in [(VectorIndex.Quantization.none, 4), (.float16, 2), (.int8, 1)] {
            let index = try VectorIndex(Configuration(dimensions: 128, quantization: quantization))
            for number in 0..<3000 { try index.put([Float](repeating: Float(number), count: 128), id: id(number)) }
            #expect(index.memoryUse < 3000 * (128 * width + 8 * 16 + 64 + 24 + 20) + 65536, "\(quantization)")
        }
    }
}
