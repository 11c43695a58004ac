import Glibc
import NexaValue

extension ExpressionFunction {
    static let rounding: [ExpressionFunction] = [
        ExpressionFunction("$ceil", 1) { (arguments, _) throws(QueryError) in
            try whole(arguments, .up)
        },
        ExpressionFunction("$floor", 1) { (arguments, _) throws(QueryError) in
            try whole(arguments, .down)
        },
        ExpressionFunction("$round", .positional(1, 2)) { (arguments, _) throws(QueryError) in
            try rounded(arguments, .toNearestOrEven)
        },
        ExpressionFunction("$trunc", .positional(1, 2)) { (arguments, _) throws(QueryError) in
            try rounded(arguments, .towardZero)
        }
    ]

    private static func whole(
        _ arguments: ExpressionArguments, _ rule: FloatingPointRoundingRule
    ) throws(QueryError) -> Value? {
        switch arguments[0] {
        case nil, .some(.null): .null
        case .some(.int), .some(.uint): arguments[0]
        default: .double(try number(arguments).rounded(rule))
        }
    }

    /// To a number of decimals, or with a negative one to tens, hundreds and so on.
    private static func rounded(
        _ arguments: ExpressionArguments, _ rule: FloatingPointRoundingRule
    ) throws(QueryError) -> Value? {
        var place: Int64 = 0
        if arguments.count == 2 {
            if arguments.hasNull { return .null }
            guard arguments[1]?.double != nil else {
                throw .expression("\(arguments.name) only supports numeric types, not \(arguments[1].typeName)")
            }
            guard let whole = arguments[1]?.int else {
                throw .expression("precision argument to  \(arguments.name) must be a integral value")
            }
            guard whole >= -20, whole <= 100 else {
                throw .expression(
                    "cannot apply \(arguments.name) with precision value \(whole) value must be in [-20, 100]")
            }
            place = whole
        }
        switch arguments[0] {
        case nil, .some(.null): return .null
        case .some(.uint(let value)) where place < 0: return Value.whole(Int128(value), roundedTo: -place, rule)
        case .some(.int(let value)) where place < 0: return Value.whole(Int128(value), roundedTo: -place, rule)
        case .some(.int), .some(.uint): return arguments[0]
        default: return .double(round(try number(arguments), Int(place), rule))
        }
    }

    /// Rounds the decimal digits that the shortest text of a double shows, so that 2.675 is what it looks like.
    private static func round(_ value: Double, _ place: Int, _ rule: FloatingPointRoundingRule) -> Double {
        if place == 0 || !value.isFinite { return value.rounded(rule) }
        if place > 0 {
            // Beyond 15 to 17 digits a double has none to lose.
            let scale = pow(10, Double(place))
            let scaled = value * scale
            guard scaled.isFinite, abs(scaled) < 9_007_199_254_740_992 else { return value }
            var result = scaled.rounded(rule)
            // A product that should be whole may be off by its last bit: 0.57 * 100 is 56.99999999999999.
            let near = scaled.rounded(.toNearestOrEven)
            if near != result, near / scale == value { result = near }
            return result / scale
        }
        let scale = pow(10, Double(-place))
        return (value / scale).rounded(rule) * scale
    }
}

extension Value {
    /// An integer rounded to tens (1), hundreds (2) and so on.
    fileprivate static func whole(_ value: Int128, roundedTo zeros: Int64, _ rule: FloatingPointRoundingRule) -> Value {
        var unit: Int128 = 1
        for _ in 0..<zeros { unit *= 10 }
        var (quotient, remainder) = value.quotientAndRemainder(dividingBy: unit)
        if rule == .toNearestOrEven {
            let twice = remainder.magnitude * 2
            if twice > unit.magnitude || twice == unit.magnitude && quotient % 2 != 0 {
                quotient += value < 0 ? -1 : 1
            }
        }
        remainder = quotient * unit
        return Int64(exactly: remainder).map { .int($0) } ?? .double(Double(remainder))
    }
}
