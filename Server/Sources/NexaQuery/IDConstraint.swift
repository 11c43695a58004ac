public import NexaValue

/// What a filter says about `_id`: a condition that every document it matches fulfils.
///
/// It is necessary, not sufficient: documents found with its help still have to pass `QueryFilter.matches`.
/// Numbers are compared by value: `_id` 5 and 5.0 fulfil the same constraint. A whole double is given as the integer.
public enum IDConstraint: Sendable, Hashable {
    /// One end of a range.
    public struct Bound: Sendable, Hashable {
        /// The value at the end.
        public var value: Value
        /// Whether that value itself belongs to the range.
        public var isInclusive: Bool

        /// Creates a bound.
        public init(_ value: Value, isInclusive: Bool) {
            self.value = value
            self.isInclusive = isInclusive
        }
    }

    /// Nothing is known; every document has to be looked at.
    case any
    /// `_id` is one of these values, which differ from each other. Without values, nothing can match.
    case oneOf([Value])
    /// `_id` lies between two values, in the order of `ValueOrder`, and is of the same kind as they are.
    case range(lower: Bound?, upper: Bound?)

    /// The constraint of documents that fulfil both.
    func and(_ other: IDConstraint) -> IDConstraint {
        switch (self, other) {
        case (.any, _): return other
        case (_, .any): return self
        case (.oneOf(let left), .oneOf(let right)):
            let right = Set(right.map { MessagePack.encode($0) })
            return .oneOf(left.filter { right.contains(MessagePack.encode($0)) })
        case (.oneOf(let values), .range(let lower, let upper)), (.range(let lower, let upper), .oneOf(let values)):
            return .oneOf(
                values.filter { value in
                    lower.map { $0.admits(value, above: true) } != false
                        && upper.map { $0.admits(value, above: false) } != false
                })
        case (.range(let leftLower, let leftUpper), .range(let rightLower, let rightUpper)):
            return .range(
                lower: Bound.tighter(leftLower, rightLower, above: true),
                upper: Bound.tighter(leftUpper, rightUpper, above: false))
        }
    }

    /// The constraint of documents that fulfil one of them.
    static func or(_ constraints: [IDConstraint]) -> IDConstraint {
        var values: [Value] = []
        for constraint in constraints {
            guard case .oneOf(let some) = constraint else { return .any }
            values += some
        }
        return .oneOf(distinct(values))
    }

    /// The constraint of `_id` being equal to one of some literals.
    static func equalToOne(of literals: [Value]) -> IDConstraint {
        var values: [Value] = []
        for literal in literals {
            guard let value = canonical(literal) else { return .any }
            values.append(value)
        }
        return .oneOf(distinct(values))
    }

    /// The values without repetitions. Encoded, because strings of different bytes can be equal as `String`.
    private static func distinct(_ values: [Value]) -> [Value] {
        var seen = Set<[UInt8]>()
        return values.filter { seen.insert(MessagePack.encode($0)).inserted }
    }

    /// The form in which equal ids are equal values; `nil` for what may equal something else or a missing field.
    static func canonical(_ value: Value) -> Value? {
        switch value {
        case .null, .array, .vector, .document: return nil
        case .double(let number):
            if let integer = Int64(exactly: number) { return .int(integer) }
            if let integer = UInt64(exactly: number) { return .uint(integer) }
            if number.isNaN { return nil }
            return value
        case .uint(let number): return Value(number)
        default: return value
        }
    }
}

extension IDConstraint.Bound {
    fileprivate func admits(_ candidate: Value, above: Bool) -> Bool {
        let order = ValueOrder.compare(candidate, value)
        return order == 0 ? isInclusive : (order > 0) == above
    }

    fileprivate static func tighter(_ left: Self?, _ right: Self?, above: Bool) -> Self? {
        guard let left else { return right }
        guard let right else { return left }
        let order = ValueOrder.compare(left.value, right.value)
        if order == 0 { return left.isInclusive ? right : left }
        return (order > 0) == above ? left : right
    }
}
