import NexaVector
import TestKit

typealias Configuration = VectorIndex.Configuration

extension VectorIndex {
    func search(_ query: [Float], k: Int, ef: Int = 100, predicate: ((UInt32) -> Bool)? = nil) -> [Match] {
        search(query.span, k: k, ef: ef, predicate: predicate).matches
    }

    func exactSearch(_ query: [Float], k: Int, among slots: [UInt32]? = nil) -> [Match] {
        exactSearch(query.span, k: k, among: slots)
    }

    /// Links until nothing is left to do.
    func linkAll() { while link(limit: 1000) > 0 {} }

    /// Everything that is in it.
    var contents: [[UInt8]: [Float]] {
        var contents: [[UInt8]: [Float]] = [:]
        forEach { id, vector in
            let key = id.withUnsafeBufferPointer { Array($0) }
            contents[key] = vector.withUnsafeBufferPointer { Array($0) }
            return true
        }
        return contents
    }

    /// The share of the true ten nearest that the walk finds.
    func recall(of queries: [[Float]], ef: Int = 100) -> Double {
        var found = 0
        var wanted = 0
        for query in queries {
            let exact = Set(exactSearch(query, k: 10).map(\.id))
            found += exact.intersection(search(query, k: 10, ef: ef).map(\.id)).count
            wanted += exact.count
        }
        return wanted == 0 ? 1 : Double(found) / Double(wanted)
    }
}

extension SplitMix64 {
    mutating func vector(_ dimensions: Int) -> [Float] {
        (0..<dimensions).map { _ in Float.random(in: -1...1, using: &self) }
    }

    mutating func vectors(_ count: Int, _ dimensions: Int) -> [[Float]] { (0..<count).map { _ in vector(dimensions) } }
}

func id(_ number: Int) -> [UInt8] { Array("document \(number)".utf8) }

/// What distances are by definition, in double precision.
func reference(_ metric: VectorIndex.Metric, _ a: [Float], _ b: [Float]) -> Double {
    func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
    switch metric {
    case .dot: return -dot(a, b)
    case .l2: return zip(a, b).reduce(0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    case .cosine:
        let lengths = (dot(a, a) * dot(b, b)).squareRoot()
        return lengths > 0 ? 1 - dot(a, b) / lengths : 1
    }
}

/// What a test draws from; printed, so that a failure can be repeated.
func seed(_ name: String) -> UInt64 {
    var system = SystemRandomNumberGenerator()
    let seed = system.next()
    print("\(name): seed \(seed)")
    return seed
}
