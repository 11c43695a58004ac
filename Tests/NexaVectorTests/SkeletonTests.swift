import NexaVector
import TestKit
import Testing

@Suite("Vector index")
struct VectorIndexTests {
    @Test("Put, search, remove")
    func basics() throws {
        let index = try VectorIndex(.init(dimensions: 2, metric: .l2))
        try index.put([0, 0], id: [1])
        try index.put([1, 1], id: [2])
        let query: [Float] = [0.9, 0.9]
        #expect(index.search(query.span, k: 1, ef: 10).matches.first?.id == [2])
        #expect(index.remove([2]))
        #expect(index.search(query.span, k: 1, ef: 10).matches.first?.id == [1])
    }
    @Test("Recall", arguments: VectorIndex.Metric.allCases, VectorIndex.Quantization.allCases)
    func recall(metric: VectorIndex.Metric, quantization: VectorIndex.Quantization) throws {
        var random = SplitMix64(seed: 1)
        let index = try VectorIndex(.init(dimensions: 16, metric: metric, quantization: quantization))
        let vectors = (0..<2000).map { _ in (0..<16).map { _ in Float.random(in: -1...1, using: &random) } }
        for (number, vector) in vectors.enumerated() { try index.put(vector, id: Array("\(number)".utf8)) }
        #expect(index.link(limit: .max) == 2000)
        #expect(index.unlinkedCount == 0)
        var hits = 0
        for _ in 0..<100 {
            let query = (0..<16).map { _ in Float.random(in: -1...1, using: &random) }
            let found = index.search(query.span, k: 10, ef: 100)
            let exact = index.exactSearch(query.span, k: 10)
            hits += Set(found.matches.map(\.id)).intersection(exact.map(\.id)).count
            #expect(found.matches.count == 10)
        }
        print(metric, quantization, hits)
        #expect(hits > 950)
    }
}
