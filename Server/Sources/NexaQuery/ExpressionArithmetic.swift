import Glibc
import NexaValue

/// Sums numbers exactly as long as they are whole, and doubles with compensation.
///
/// Neumaier's variant of Kahan summation: https://en.wikipedia.org/wiki/Kahan_summation_algorithm.
public struct NumberSum: Sendable {
    private var whole: Int128 = 0
    private var sum = 0.0
    private var compensation = 0.0
    private var hasDouble = false

    /// A sum of nothing: the integer 0.
    public init() {}

    /// Adds a value; false, and no change, when it is no number.
    @discardableResult
    public mutating func add(_ value: Value) -> Bool {
        switch value {
        case .int(let number): whole += Int128(number)
        case .uint(let number): whole += Int128(number)
        case .double(let number):
            hasDouble = true
            add(number)
        default: return false
        }
        return true
    }

    private mutating func add(_ number: Double) {
        let total = sum + number
        if abs(sum) >= abs(number) {
            compensation += (sum - total) + number
        } else {
            compensation += (number - total) + sum
        }
        sum = total
    }

    /// The sum as a double.
    public var double: Double {
        var all = self
        if all.whole != 0 { all.add(Double(all.whole)) }
        let exact = all.sum + all.compensation
        return exact.isNaN ? all.sum : exact  // infinities leave no compensation
    }

    /// The sum: an integer when all were and 64 bits hold it, else a double.
    public var value: Value {
        if !hasDouble, let integer = Int64(exactly: whole) { return .int(integer) }
        return .double(double)
    }

    /// The sum of the whole numbers and the rounded rest.
    var rounded: Int128? {
        let number = sum + compensation
        guard number.isFinite, abs(number) < 1e18 else { return nil }
        return whole + Int128(number.rounded())
    }
}

extension ExpressionFunction {
    static let arithmetic: [ExpressionFunction] = [
        ExpressionFunction("$add", .positional(0, .max), add),
        ExpressionFunction("$subtract", 2, subtract),
        ExpressionFunction("$multiply", .positional(0, .max), multiply),
        ExpressionFunction("$divide", 2, divide),
        ExpressionFunction("$mod", 2, remainder),
        ExpressionFunction("$pow", 2, power),
        ExpressionFunction("$abs", 1, absolute),
        ExpressionFunction("$sqrt", 1, squareRoot),
        ExpressionFunction("$exp", 1, exponential),
        ExpressionFunction("$ln", 1, naturalLogarithm),
        ExpressionFunction("$log10", 1, decimalLogarithm),
        ExpressionFunction("$log", 2, logarithm)
    ]

    private static func add(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        var sum = NumberSum()
        var date: Timestamp?
        var hasNull = false
        for value in arguments.values {
            switch value {
            case nil, .some(.null): hasNull = true
            case .some(.timestamp(let moment)):
                guard date == nil else { throw .expression("only one date allowed in an $add expression") }
                date = moment
            case .some(let value):
                guard sum.add(value) else {
                    throw .expression(
                        "$add only supports numeric or date types, not "
                            + Optional(value).typeName)
                }
            }
        }
        if hasNull { return .null }
        guard let date else { return sum.value }
        return .timestamp(try date.adding(sum.rounded, for: "$add"))
    }

    private static func subtract(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        switch (arguments[0], arguments[1]) {
        case (.some(.timestamp(let left)), .some(.timestamp(let right))):
            let difference = try left.milliseconds("$subtract").subtractingReportingOverflow(
                right.milliseconds("$subtract"))
            guard !difference.overflow else { throw .expression("$subtract: the dates are too far apart") }
            return .int(difference.partialValue)
        case (.some(.timestamp(let left)), .some(let right)):
            var sum = NumberSum()
            guard sum.add(right) else { break }
            return .timestamp(try left.adding(sum.rounded.map { -$0 }, for: "$subtract"))
        case (.some(.int(let left)), .some(.int(let right))):
            let (difference, overflow) = left.subtractingReportingOverflow(right)
            return overflow ? .double(Double(left) - Double(right)) : .int(difference)
        case (.some(let left), .some(let right)):
            guard let left = left.double, let right = right.double else { break }
            return .double(left - right)
        default: break
        }
        throw .expression("can't $subtract \(arguments[1].typeName) from \(arguments[0].typeName)")
    }

    private static func multiply(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        var whole: Int64? = 1
        var product = 1.0
        var hasNull = false
        for value in arguments.values {
            if value.isNullish {
                hasNull = true
                continue
            }
            guard let number = value?.double else {
                throw .expression("$multiply only supports numeric types, not \(value.typeName)")
            }
            if case .some(.int(let integer)) = value, let current = whole {
                let (result, overflow) = current.multipliedReportingOverflow(by: integer)
                whole = overflow ? nil : result
            } else {
                whole = nil
            }
            product *= number
        }
        if hasNull { return .null }
        return whole.map { .int($0) } ?? .double(product)
    }

    private static func divide(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard let left = arguments[0]?.double, let right = arguments[1]?.double else {
            throw .expression(
                "$divide only supports numeric types, not \(arguments[0].typeName) and \(arguments[1].typeName)")
        }
        guard right != 0 else { throw .expression("can't $divide by zero") }
        return .double(left / right)
    }

    private static func remainder(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard let left = arguments[0]?.double, let right = arguments[1]?.double else {
            throw .expression(
                "$mod only supports numeric types, not \(arguments[0].typeName) and \(arguments[1].typeName)")
        }
        guard right != 0 else { throw .expression("can't $mod by zero") }
        if case .some(.int(let left)) = arguments[0], case .some(.int(let right)) = arguments[1] {
            return .int(right == -1 ? 0 : left % right)
        }
        return .double(fmod(left, right))
    }

    private static func power(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard let base = arguments[0]?.double else {
            throw .expression("$pow's base must be numeric, not \(arguments[0].typeName)")
        }
        guard let exponent = arguments[1]?.double else {
            throw .expression("$pow's exponent must be numeric, not \(arguments[1].typeName)")
        }
        guard base != 0 || exponent >= 0 || exponent.isNaN else {
            throw .expression("$pow cannot take a base of 0 and a negative exponent")
        }
        if case .some(.int(let base)) = arguments[0], case .some(.int(let exponent)) = arguments[1], exponent >= 0,
            let result = wholePower(base, exponent)
        {
            return .int(result)
        }
        return .double(pow(base, exponent))
    }

    /// Square and multiply; `nil` when 64 bits do not hold the result.
    private static func wholePower(_ base: Int64, _ exponent: Int64) -> Int64? {
        var result: Int64 = 1
        var square = base
        var rest = exponent
        while true {
            if rest & 1 == 1 {
                let (product, overflow) = result.multipliedReportingOverflow(by: square)
                if overflow { return nil }
                result = product
            }
            rest >>= 1
            if rest == 0 { return result }
            let (next, overflow) = square.multipliedReportingOverflow(by: square)
            if overflow { return nil }
            square = next
        }
    }

    private static func absolute(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        switch arguments[0] {
        case nil, .some(.null): return .null
        case .some(.int(let value)):
            guard value != .min else { throw .expression("can't take $abs of long long min") }
            return .int(abs(value))
        case .some(.uint(let value)): return .uint(value)
        default: return .double(abs(try number(arguments)))
        }
    }

    /// The only argument as a double.
    static func number(_ arguments: ExpressionArguments) throws(QueryError) -> Double {
        guard let number = arguments[0]?.double else {
            throw .expression("\(arguments.name) only supports numeric types, not \(arguments[0].typeName)")
        }
        return number
    }

    private static func squareRoot(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        let value = try number(arguments)
        guard value >= 0 || value.isNaN else {
            throw .expression("$sqrt's argument must be greater than or equal to 0")
        }
        return .double(value.squareRoot())
    }

    private static func exponential(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        arguments.hasNull ? .null : .double(exp(try number(arguments)))
    }

    private static func naturalLogarithm(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        arguments.hasNull ? .null : .double(log(try positive(arguments)))
    }

    private static func decimalLogarithm(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        arguments.hasNull ? .null : .double(log10(try positive(arguments)))
    }

    private static func positive(_ arguments: ExpressionArguments) throws(QueryError) -> Double {
        let value = try number(arguments)
        guard value > 0 || value.isNaN else {
            throw .expression("\(arguments.name)'s argument must be a positive number, but is \(value.shortText)")
        }
        return value
    }

    private static func logarithm(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard let value = arguments[0]?.double else {
            throw .expression("$log's argument must be numeric, not \(arguments[0].typeName)")
        }
        guard let base = arguments[1]?.double else {
            throw .expression("$log's base must be numeric, not \(arguments[1].typeName)")
        }
        guard value > 0 || value.isNaN else {
            throw .expression("$log's argument must be a positive number, but is \(value.shortText)")
        }
        guard base > 0 && base != 1 || base.isNaN else {
            throw .expression("$log's base must be a positive number not equal to 1, but is \(base.shortText)")
        }
        return .double(log(value) / log(base))
    }
}
