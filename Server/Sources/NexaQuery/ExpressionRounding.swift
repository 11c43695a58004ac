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
        let (digits, exponent) = decimal(value.magnitude)
        let dropped = -place - exponent
        if dropped <= 0 { return value }
        // There are at most 17 digits: what drops more than them all is less than a half.
        guard dropped <= 18 else { return value.sign == .minus ? -0.0 : 0 }
        var unit: UInt64 = 1
        for _ in 0..<dropped { unit *= 10 }
        var (quotient, remainder) = digits.quotientAndRemainder(dividingBy: unit)
        if rule == .toNearestOrEven, remainder > unit / 2 || remainder == unit / 2 && quotient % 2 == 1 {
            quotient += 1
        }
        let result = Double("\(quotient)e\(-place)") ?? value
        return value.sign == .minus ? -result : result
    }

    /// A number as the fewest digits that read back as the same, and the power of ten of the last.
    private static func decimal(_ value: Double) -> (digits: UInt64, exponent: Int) {
        let parts = "\(value)".split(separator: "e")
        let number = parts[0].split(separator: ".")
        let fraction = number.count == 2 ? number[1] : ""
        let exponent = parts.count == 2 ? Int(parts[1]) ?? 0 : 0
        return (UInt64(number[0] + fraction) ?? 0, exponent - fraction.utf8.count)
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
