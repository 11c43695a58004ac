import NexaVector
import TestKit
import Testing

@Suite("Distances")
struct DistanceTests {
    static let lengths = [1, 2, 3, 7, 15, 16, 17, 31, 33, 63, 64, 65, 100, 128, 384, 1000, 16384]

    @Test("Every set of instructions agrees with the definition", arguments: VectorInstructions.allCases)
    func agreement(instructions: VectorInstructions) throws {
        VectorInstructions.limit(to: instructions)
        defer { VectorInstructions.limit(to: .vnni) }
        guard VectorInstructions.inUse == instructions else {
            print("this processor has no \(instructions)")
            return
        }
        var random = SplitMix64(seed: seed("Distances"))
        for length in Self.lengths {
            let (a, b) = (random.vector(length), random.vector(length))
            for metric in VectorIndex.Metric.allCases {
                let expected = reference(metric, a, b)
                let scale = 1e-6 * Double(length) + 1e-6
                #expect(abs(Double(VectorIndex.distance(metric, a.span, b.span)) - expected) < scale)
                let several = VectorIndex.distances(metric, a.span, to: (a + b).span)
                #expect(several.count == 2 && abs(Double(several[1]) - expected) < scale)
                try checkIndex(metric, a, b, expected)
            }
        }
    }

    private func checkIndex(_ metric: VectorIndex.Metric, _ a: [Float], _ b: [Float], _ expected: Double) throws {
        let size = reference(.dot, a, a).magnitude + reference(.dot, b, b).magnitude
        for (quantization, error) in [(VectorIndex.Quantization.none, 1e-5), (.float16, 2e-3), (.int8, 0.02)] {
            let index = try VectorIndex(Configuration(dimensions: a.count, metric: metric, quantization: quantization))
            // Five, so that the kernels for four rows and for one are used.
            for number in 0..<5 { try index.put(b, id: id(number)) }
            let matches = index.exactSearch(a, k: 5)
            try #require(matches.count == 5)
            #expect(Set(matches.map(\.distance)).count == 1, "equal vectors are equally far")
            let allowed = metric == .cosine ? error * 2 : error * (size + 0.01)
            #expect(abs(Double(matches[0].distance) - expected) < allowed, "\(metric) \(quantization) \(a.count)")
        }
    }

    @Test("Half precision rounds as the standard says", arguments: [VectorInstructions.portable, .vnni])
    func halves(instructions: VectorInstructions) throws {
        VectorInstructions.limit(to: instructions)
        defer { VectorInstructions.limit(to: .vnni) }
        let values: [Float] = [
            0, -0.0, 1, -1, 65504, -65504, 0.1, 1 + 0x1p-11, 1 + 0x3p-11, 0x1p-14, 0x1p-24, 0x1p-25, 0x3p-26, 0x1p-26,
            1000.3, 3.14159, 0x1.ffcp-15, 65503.9
        ]
        let expected: [Float] = [
            0, -0.0, 1, -1, 65504, -65504, 0.0999755859375, 1, 1 + 0x1p-9, 0x1p-14, 0x1p-24, 0, 0x1p-24, 0, 1000.5,
            3.140625, 0x1p-14, 65504
        ]
        let index = try VectorIndex(Configuration(dimensions: values.count, metric: .l2, quantization: .float16))
        try index.put(values, id: [1])
        #expect(index.vector(of: [1]) == expected)
        #expect(throws: VectorError.self) {
            try index.put([Float](repeating: 65520, count: values.count), id: [2])
        }
    }

    @Test("Vectors come back")
    func decoding() throws {
        var random = SplitMix64(seed: seed("Decoding"))
        for metric in VectorIndex.Metric.allCases {
            for (quantization, error) in [(VectorIndex.Quantization.none, 1e-6), (.float16, 1e-3), (.int8, 0.005)] {
                let index = try VectorIndex(
                    Configuration(dimensions: 50, metric: metric, quantization: quantization))
                let vector = random.vector(50).map { $0 * 40 }
                try index.put(vector, id: [7])
                let back = try #require(index.vector(of: [7]))
                if quantization == .none, metric != .cosine { #expect(back == vector) }
                let apart = zip(back, vector).map { abs(Double($0 - $1)) }.max() ?? .infinity
                #expect(apart <= error * 40, "\(metric) \(quantization)")
            }
        }
    }
}
