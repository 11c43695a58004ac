import CNexaVector

extension VectorIndex {
    /// The exact distance of two vectors of the same length, in float32.
    public static func distance(_ metric: Metric, _ first: Span<Float>, _ second: Span<Float>) -> Float {
        precondition(first.count == second.count, "vectors of different lengths")
        return first.withUnsafeBufferPointer { first in
            second.withUnsafeBufferPointer { second -> Float in
                guard let a = first.baseAddress, let b = second.baseAddress else { return 0 }
                let squares = metric == .cosine ? nexa_squared_length(a, first.count) : 0
                return distance(metric, a, b, first.count, squares)
            }
        }
    }

    /// The exact distances of a vector to several others of its length that lie one after the other.
    public static func distances(_ metric: Metric, _ query: Span<Float>, to vectors: Span<Float>) -> [Float] {
        guard !query.isEmpty else { return [] }
        precondition(vectors.count % query.count == 0, "vectors of different lengths")
        let count = vectors.count / query.count
        return query.withUnsafeBufferPointer { query in
            vectors.withUnsafeBufferPointer { vectors -> [Float] in
                guard let a = query.baseAddress, let b = vectors.baseAddress else { return [] }
                let squares = metric == .cosine ? nexa_squared_length(a, query.count) : 0
                return (0..<count).map { distance(metric, a, b + $0 * query.count, query.count, squares) }
            }
        }
    }

    private static func distance(
        _ metric: Metric, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int, _ squares: Double
    ) -> Float {
        switch metric {
        case .dot: return -nexa_dot(a, b, count)
        case .l2: return nexa_squared_distance(a, b, count)
        case .cosine:
            let lengths = (squares * nexa_squared_length(b, count)).squareRoot()
            return lengths > 0 ? 1 - Float(Double(nexa_dot(a, b, count)) / lengths) : 1
        }
    }
}
