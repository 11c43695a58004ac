/// Durations in nanoseconds, kept in buckets of at most 3 % width.
///
/// Each power of two is divided into 32 equal parts, as in HdrHistogram.
struct Histogram: Sendable {
    private static let bucketCount = 60 * 32
    private var buckets = [UInt64](repeating: 0, count: bucketCount)
    private(set) var count: UInt64 = 0

    mutating func record(_ nanoseconds: Int64) {
        buckets[Self.bucket(of: UInt64(max(0, nanoseconds)))] += 1
        count += 1
    }

    mutating func merge(_ other: Histogram) {
        for index in buckets.indices { buckets[index] += other.buckets[index] }
        count += other.count
    }

    /// The middle of the bucket below which `fraction` of the durations lie; `nil` when there are none.
    func quantile(_ fraction: Double) -> Double? {
        guard count > 0 else { return nil }
        let rank = max(1, UInt64((Double(count) * fraction).rounded(.up)))
        var seen: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            seen += bucket
            if seen >= rank { return Self.middle(of: index) }
        }
        return nil
    }

    private static func bucket(of value: UInt64) -> Int {
        guard value >= 32 else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        let part = Int(value >> UInt64(exponent - 5)) & 31
        return (exponent - 4) * 32 + part
    }

    private static func middle(of bucket: Int) -> Double {
        guard bucket >= 32 else { return Double(bucket) }
        let exponent = bucket / 32 + 4
        let width = Double(UInt64(1) << UInt64(exponent - 5))
        return (Double(32 + bucket % 32) + 0.5) * width
    }
}

/// The middle and the ends of some numbers.
package struct Spread: Sendable {
    package var median: Double
    package var minimum: Double
    package var maximum: Double

    /// `nil` when there are no numbers.
    package init?(_ numbers: [Double]) {
        let sorted = numbers.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let middle = sorted.count / 2
        median = sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
        minimum = first
        maximum = last
    }
}
