import Glibc
import NexaQuery
import NexaStorage
import NexaValue

/// Where a query finds the documents that it has to look at, in the order of their ids.
enum QuerySource {
    /// There is nothing to look at.
    case nothing
    /// The documents with these keys, in order.
    case keys([[UInt8]])
    /// The documents in `lower ..< upper`.
    case scan(lower: [UInt8], upper: [UInt8])

    /// Narrows the documents of a collection by what a filter says about `_id`, and to those behind `after`.
    init(_ collection: UInt32, _ constraint: IDConstraint, after: [UInt8]?) {
        let prefix = DocumentKey.prefix(collection)
        // The least key above the one that ends in `after`.
        let start = after.map { prefix + $0 + [0] } ?? prefix
        switch constraint {
        case .any: self = .scan(lower: start, upper: DocumentKey.end(collection))
        case .oneOf(let values):
            // Only texts and integers are ever keys.
            let keys = values.compactMap { value in try? DocumentKey.make(collection, value) }
                .filter { !$0.span.bytes.precedes(start.span.bytes) }
            self = keys.isEmpty ? .nothing : .keys(keys.sorted { $0.span.bytes.precedes($1.span.bytes) })
        case .range(let lower, let upper):
            guard let tag = Self.tag(lower?.value ?? upper?.value ?? .null) else {
                self = .scan(lower: start, upper: DocumentKey.end(collection))
                return
            }
            var low = prefix + [tag]
            if let lower { low = Self.bound(prefix, lower.value, above: !lower.isInclusive) }
            var high = prefix + [tag + 1]
            if let upper { high = Self.bound(prefix, upper.value, above: upper.isInclusive) }
            if low.span.bytes.precedes(start.span.bytes) { low = start }
            self = low.span.bytes.precedes(high.span.bytes) ? .scan(lower: low, upper: high) : .nothing
        }
    }

    /// The byte with which the keys of a kind begin.
    private static func tag(_ value: Value) -> UInt8? {
        var bytes: [UInt8] = []
        OrderedEncoding.append(value, to: &bytes)
        return bytes.first
    }

    /// The key of a value, or the least key above it: encodings are no prefixes of each other.
    private static func bound(_ prefix: [UInt8], _ value: Value, above: Bool) -> [UInt8] {
        var key = prefix
        OrderedEncoding.append(value, to: &key)
        return above ? key + [0] : key
    }
}

extension RawSpan {
    /// Whether these bytes come before others, as keys are ordered.
    func precedes(_ other: RawSpan) -> Bool {
        withUnsafeBytes { left in
            other.withUnsafeBytes { right in
                guard let one = left.baseAddress, let two = right.baseAddress else { return left.count < right.count }
                let order = memcmp(one, two, min(left.count, right.count))
                return order == 0 ? left.count < right.count : order < 0
            }
        }
    }

    /// Whether these bytes come before others, as keys are ordered.
    func precedes(_ other: [UInt8]) -> Bool { precedes(other.span.bytes) }
}

extension [UInt8] {
    /// Whether these bytes come before others, as keys are ordered.
    func precedes(_ other: [UInt8]) -> Bool { span.bytes.precedes(other.span.bytes) }

    /// Below 0 when these bytes come before others, as keys are ordered; above when they come behind them.
    func order(to other: [UInt8]) -> Int {
        withUnsafeBytes { left in
            other.withUnsafeBytes { right in
                guard let one = left.baseAddress, let two = right.baseAddress else { return left.count - right.count }
                let order = memcmp(one, two, Swift.min(left.count, right.count))
                return order == 0 ? left.count - right.count : Int(order)
            }
        }
    }
}
