import NexaVector
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
}
