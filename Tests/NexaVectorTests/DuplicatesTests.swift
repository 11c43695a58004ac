import NexaVector
import TestKit
import Testing

/// Vectors that many have: images without text, empty paragraphs, the same paragraph on every page.
@Suite("Equal and nearly equal vectors")
struct DuplicatesTests {
    /// How the vectors of a collection resemble each other.
    enum Pattern: String, CaseIterable, Sendable {
        case half, halfFirst, halfLast, clusters, all, nearlyOne, nearlyClusters

        func vectors(_ count: Int, _ dimensions: Int, _ random: inout SplitMix64) -> [[Float]] {
            let one = random.vector(dimensions)
            let few = random.vectors(count / 50, dimensions)
            return (0..<count).map { number in
                switch self {
                case .half: number % 2 == 0 ? one : random.vector(dimensions)
                case .halfFirst: number < count / 2 ? one : random.vector(dimensions)
                case .halfLast: number >= count / 2 ? one : random.vector(dimensions)
                case .clusters: few[number % few.count]
                case .all: one
                case .nearlyOne: number % 2 == 0 ? Self.near(one, &random) : random.vector(dimensions)
                case .nearlyClusters: Self.near(few[number % few.count], &random)
                }
            }
        }

        private static func near(_ vector: [Float], _ random: inout SplitMix64) -> [Float] {
            vector.map { $0 + Float.random(in: -1e-4...1e-4, using: &random) }
        }
    }

    /// The share of the ten nearest that the walk finds; equally far ones are as good. Fails when it finds fewer than ten.
    private func recall(
        _ index: VectorIndex, of queries: [[Float]], ef: Int, _ predicate: ((UInt32) -> Bool)? = nil
    ) -> Double {
        var found = 0
        var wanted = 0
        for query in queries {
            let exact = index.exactSearch(query.span, k: 10, predicate: predicate).map(\.distance)
            let matches = index.search(query, k: 10, ef: ef, predicate: predicate)
            #expect(matches.count == exact.count && Set(matches.map(\.id)).count == matches.count)
            found += zip(matches, exact).count { match, _ in match.distance <= (exact.last ?? 0) + 1e-6 }
            wanted += exact.count
        }
        return wanted == 0 ? 1 : Double(found) / Double(wanted)
    }

    @Test("The nearest are found among them", arguments: VectorIndex.Metric.allCases, Pattern.allCases)
    func nearest(metric: VectorIndex.Metric, pattern: Pattern) throws {
        // The graph is the same every time.
        let seed: UInt64 = 2026
        var random = SplitMix64(seed: seed)
        let index = try VectorIndex(Configuration(dimensions: 12, metric: metric, efConstruction: 100), seed: seed)
        let vectors = pattern.vectors(2000, 12, &random)
        for (number, vector) in vectors.enumerated() { try index.put(vector, id: id(number)) }
        index.linkAll()
        func check(_ state: String) {
            let stored = (0..<60).map { _ in vectors[Int.random(in: 0..<vectors.count, using: &random)] }
            // Two clusters of fifty would fill a hundred places.
            let ef = pattern == .nearlyClusters ? 200 : 100
            let all = recall(index, of: random.vectors(60, 12) + stored, ef: ef)
            // Small clusters that lie apart are harder for a graph, near each other or not.
            #expect(all >= (pattern == .nearlyClusters ? 0.9 : 0.95), "\(state), seed \(seed): \(all)")
            let some = recall(index, of: random.vectors(15, 12) + stored.prefix(15), ef: ef) { $0 % 7 == 3 }
            // The largest dot products of many that are nearly equal are those of a few; others are rarely linked to.
            let isHard = metric == .dot && (pattern == .nearlyOne || pattern == .nearlyClusters)
            #expect(some >= (isHard ? 0.6 : 0.95), "\(state), a seventh, seed \(seed): \(some)")
            print("\(metric) \(pattern) \(state): recall \(all), of a seventh \(some)")
        }
        check("built")
        // Two thirds go, and some come back.
        for number in 0..<vectors.count where number % 3 != 0 { index.remove(id(number)) }
        index.linkAll()
        for number in 0..<vectors.count where number % 3 == 1 { try index.put(vectors[number], id: id(number)) }
        index.linkAll()
        check("changed")
    }
}
