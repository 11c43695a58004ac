import NexaVector
import TestKit
import Testing

@Suite("Vector index histories")
struct HistoryTests {
    @Test(
        "After random puts, removals and images the index holds what it should, and finds it",
        arguments: [VectorIndex.Metric.cosine, .l2], [VectorIndex.Quantization.none, .int8])
    func histories(metric: VectorIndex.Metric, quantization: VectorIndex.Quantization) throws {
        let seed = seed("Histories \(metric) \(quantization)")
        var random = SplitMix64(seed: seed)
        let configuration = Configuration(
            dimensions: 12, metric: metric, quantization: quantization, efConstruction: 100)
        var index = try VectorIndex(configuration, seed: seed)
        var model: [[UInt8]: [Float]] = [:]
        let folder = try TemporaryDirectory(inMemory: true)
        for round in 0..<25 {
            for _ in 0..<120 {
                // Ids come back, so that vectors are replaced, at first mostly new ones.
                let id = id(Int.random(in: 0..<(400 + 40 * round), using: &random))
                if Int.random(in: 0..<10, using: &random) < (round % 5 == 4 ? 8 : 3) {
                    #expect(index.remove(id) == (model.removeValue(forKey: id) != nil))
                } else {
                    let vector = random.vector(12)
                    try index.put(vector, id: id)
                    model[id] = vector
                }
                if Int.random(in: 0..<20, using: &random) == 0 { index.link(limit: 40) }
            }
            if round == 12 {  // everything goes
                for id in model.keys { index.remove(id) }
                model = [:]
                #expect(index.search(random.vector(12), k: 10).isEmpty)
                try index.put([Float](repeating: 1, count: 12), id: [1])
                model[[1]] = [Float](repeating: 1, count: 12)
            }
            if round % 3 == 1 {
                try index.save(to: folder["image"], tag: UInt64(round))
                let loaded = try VectorIndex.load(from: folder["image"], expecting: configuration)
                #expect(loaded.tag == UInt64(round))
                #expect(loaded.index.unlinkedCount == index.unlinkedCount)
                index = loaded.index
            }
            check(index, model, exact: quantization == .none)
            if round % 2 == 0 { index.linkAll() }
            let recall = index.recall(of: random.vectors(30, 12))
            #expect(recall >= 0.95, "round \(round): \(recall), seed \(seed)")
        }
        index.linkAll()
        #expect(index.removedCount <= index.count / 32 + 1, "removed rows are used again")
        #expect(Int(index.slotBound) < 2 * 1400, "\(index.slotBound)")
    }

    private func check(_ index: VectorIndex, _ model: [[UInt8]: [Float]], exact: Bool) {
        #expect(index.count == model.count)
        let contents = index.contents
        #expect(Set(contents.keys) == Set(model.keys))
        let error: Float = exact ? 1e-5 : 0.02
        for (id, vector) in model {
            let kept = contents[id] ?? []
            #expect(zip(kept, vector).allSatisfy { abs($0 - $1) < error } && kept.count == vector.count)
            #expect(index.vector(of: id) == kept)
        }
        for match in index.search([Float](repeating: 0.5, count: 12), k: 20) {
            #expect(model[match.id] != nil, "what was removed is not found")
            #expect(index.slot(of: match.id) == match.slot)
        }
    }

    @Test("Replacing everything again and again takes no more memory, and nothing from the recall")
    func churn() throws {
        let seed = seed("Churn")
        var random = SplitMix64(seed: seed)
        let index = try VectorIndex(Configuration(dimensions: 12, metric: .l2, efConstruction: 100), seed: seed)
        for number in 0..<1000 { try index.put(random.vector(12), id: id(number)) }
        index.linkAll()
        let queries = random.vectors(50, 12)
        let before = index.recall(of: queries, ef: 20)
        for _ in 0..<8 {
            for number in 0..<1000 {
                try index.put(random.vector(12), id: id(number))
                if number % 25 == 0 { index.linkAll() }
            }
        }
        index.linkAll()
        let after = index.recall(of: queries, ef: 20)
        print("churn: recall at ef 20 from \(before) to \(after), \(index.slotBound) slots")
        #expect(index.count == 1000 && index.slotBound < 1300)
        #expect(after > before - 0.05, "\(before) to \(after)")
        #expect(index.recall(of: queries, ef: 100) >= 0.95)
    }
}
