/// A range of encoded values of one field: `lower ..< upper`, compared bytewise, both in ascending encoding.
public struct KeyInterval: Sendable, Hashable {
    /// The least key, or a prefix of it.
    public var lower: [UInt8]
    /// What is above all keys.
    public var upper: [UInt8]
    /// True when it holds one value (or the values that are cut to the same key).
    public var isPoint: Bool

    init(_ lower: [UInt8], _ upper: [UInt8], isPoint: Bool = false) {
        self.lower = lower
        self.upper = upper
        self.isPoint = isPoint
    }

    /// The keys from `lower` up to, but without, `upper`; both encoded, or prefixes of encodings.
    package static func between(_ lower: [UInt8], _ upper: [UInt8]) -> KeyInterval { KeyInterval(lower, upper) }

    /// The keys of one encoded value, which may be cut.
    init(point key: [UInt8]) { self.init(key, key.prefixEnd, isPoint: true) }

    /// The same range for a descending field, whose keys are inverted.
    ///
    /// With `l ≤ x < u`, the inverted x lies between the ends of the inverted prefixes of u and l.
    public var inverted: KeyInterval {
        KeyInterval(upper.map { ~$0 }.prefixEnd, lower.isEmpty ? [0xFF] : lower.map { ~$0 }.prefixEnd, isPoint: isPoint)
    }

    /// The interval in the form in which the keys of a field are stored.
    public func stored(isDescending: Bool) -> KeyInterval { isDescending ? inverted : self }
}

/// A set of values of one field, as sorted intervals that do not touch.
public struct KeyIntervals: Sendable, Hashable {
    /// The intervals in ascending order.
    public private(set) var list: [KeyInterval]

    /// Every value.
    public static let everything = KeyIntervals([KeyInterval([], [0xFF])])
    /// No value.
    public static let nothing = KeyIntervals([])
    /// Null, and missing fields.
    static let null = KeyIntervals([KeyInterval(point: [OrderedEncoding.null])])
    /// Numbers without NaN, which no range of numbers holds.
    static let numbers = KeyIntervals([KeyInterval(nan.prefixEnd, [0x11])])
    /// The key of NaN.
    static let nan: [UInt8] = [0x10] + [UInt8](repeating: 0, count: 8)

    private init(_ sorted: [KeyInterval]) { list = sorted }

    /// A set of intervals in any order.
    init(union intervals: [KeyInterval]) {
        let sorted = intervals.filter { $0.lower.precedes($0.upper) }.sorted { left, right in
            left.lower == right.lower ? left.upper.precedes(right.upper) : left.lower.precedes(right.lower)
        }
        list = []
        list.reserveCapacity(sorted.count)
        for interval in sorted {
            // Ranges that overlap become one; points that merely touch stay points.
            guard let last = list.last, interval.lower.precedes(last.upper) else {
                list.append(interval)
                continue
            }
            if last.upper.precedes(interval.upper) {
                list[list.count - 1] = KeyInterval(last.lower, interval.upper)
            }
        }
    }

    /// The values of one kind.
    static func kind(_ tag: UInt8) -> KeyIntervals { KeyIntervals([KeyInterval([tag], [tag + 1])]) }

    /// True when there is no value.
    public var isEmpty: Bool { list.isEmpty }
    /// True when every value belongs to it.
    public var isEverything: Bool { self == .everything }
    /// True when it lists values.
    public var arePoints: Bool { list.allSatisfy(\.isPoint) }
    /// Whether null, and with it a missing field, belongs to it.
    public var containsNull: Bool { !intersection(.null).isEmpty }

    /// The values that belong to one of two sets.
    public func union(_ other: KeyIntervals) -> KeyIntervals { KeyIntervals(union: list + other.list) }

    /// The values that belong to both of two sets.
    public func intersection(_ other: KeyIntervals) -> KeyIntervals {
        var result: [KeyInterval] = []
        var left = 0
        var right = 0
        while left < list.count, right < other.list.count {
            let one = list[left]
            let two = other.list[right]
            let lower = one.lower.precedes(two.lower) ? two.lower : one.lower
            let upper = one.upper.precedes(two.upper) ? one.upper : two.upper
            if lower.precedes(upper) {
                result.append(KeyInterval(lower, upper, isPoint: one.isPoint || two.isPoint))
            }
            if one.upper.precedes(two.upper) { left += 1 } else { right += 1 }
        }
        return KeyIntervals(result)
    }

    /// Whether every value belongs to the other set, too.
    public func isSubset(of other: KeyIntervals) -> Bool {
        var position = 0
        for interval in list {
            while position < other.list.count, !interval.lower.precedes(other.list[position].upper) { position += 1 }
            guard position < other.list.count, !interval.lower.precedes(other.list[position].lower),
                !other.list[position].upper.precedes(interval.upper)
            else { return false }
        }
        return true
    }

    /// Whether an encoded value, which may be cut, belongs to it.
    public func contains(_ key: [UInt8]) -> Bool {
        list.contains { !key.precedes($0.lower) && key.precedes($0.upper) }
    }
}

extension [UInt8] {
    /// Bytewise order.
    func precedes(_ other: [UInt8]) -> Bool { span.bytes.compare(other.span.bytes) < 0 }

    /// The least bytes above all that begin with these.
    package var prefixEnd: [UInt8] {
        var end = self
        while let last = end.last {
            if last < 0xFF {
                end[end.count - 1] = last + 1
                return end
            }
            end.removeLast()
        }
        return [0xFF]
    }
}
