import Synchronization

/// How many dimensions the vectors of an import have: as many as the first one.
final class VectorDimensions: Sendable {
    private let first = Atomic<Int>(0)

    /// The number, which is `count` when this is the first vector.
    func expected(_ count: Int) -> Int {
        let (exchanged, original) = first.compareExchange(expected: 0, desired: count, ordering: .relaxed)
        return exchanged ? count : original
    }
}
