import NexaValue

/// `$sum`, `$avg`, `$min`, `$max` and the standard deviations over arguments; a single array counts as its elements.
extension ExpressionFunction {
    static let statistics: [ExpressionFunction] = [
        ExpressionFunction("$sum", .positional(0, .max)) { (arguments, context) throws(QueryError) in
            var sum = NumberSum()
            for value in try inputs(arguments, &context) { sum.add(value) }
            return sum.value
        },
        ExpressionFunction("$avg", .positional(0, .max)) { (arguments, context) throws(QueryError) in
            var sum = NumberSum()
            var count = 0
            for value in try inputs(arguments, &context) where sum.add(value) { count += 1 }
            return count == 0 ? .null : .double(sum.double / Double(count))
        },
        ExpressionFunction("$min", .positional(0, .max), builds: false) { (arguments, context) throws(QueryError) in
            try extreme(arguments, sign: -1, &context)
        },
        ExpressionFunction("$max", .positional(0, .max), builds: false) { (arguments, context) throws(QueryError) in
            try extreme(arguments, sign: 1, &context)
        },
        ExpressionFunction("$stdDevPop", .positional(0, .max)) { (arguments, context) throws(QueryError) in
            var deviation = StandardDeviation()
            for value in try inputs(arguments, &context) { deviation.add(value) }
            return deviation.population
        },
        ExpressionFunction("$stdDevSamp", .positional(0, .max)) { (arguments, context) throws(QueryError) in
            var deviation = StandardDeviation()
            for value in try inputs(arguments, &context) { deviation.add(value) }
            return deviation.sample
        }
    ]

    private static func inputs(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> [Value] {
        guard arguments.count == 1 else { return arguments.values.compactMap { $0 } }
        guard let elements = arguments[0].elements else { return arguments[0].map { [$0] } ?? [] }
        try context.spend(elements.count)
        return elements
    }

    private static func extreme(
        _ arguments: ExpressionArguments, sign: Int, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        var best: Value?
        for value in try inputs(arguments, &context) where !value.isNull {
            guard let current = best else {
                best = value
                continue
            }
            if try ExpressionComparison.order(value, current, &context) * sign > 0 { best = value }
        }
        return best ?? .null
    }
}

/// A standard deviation in one pass, by Welford's method:
/// https://en.wikipedia.org/wiki/Algorithms_for_calculating_variance#Welford's_online_algorithm.
public struct StandardDeviation: Sendable {
    private var count = 0
    private var mean = 0.0
    private var squares = 0.0

    /// The deviation of nothing.
    public init() {}

    /// Adds a value; what is no number is ignored.
    public mutating func add(_ value: Value) {
        guard let number = value.double else { return }
        count += 1
        let delta = number - mean
        mean += delta / Double(count)
        squares += delta * (number - mean)
    }

    /// Of a whole population: null without numbers, and when one was not finite.
    public var population: Value { count == 0 ? .null : result(squares / Double(count)) }

    /// Of a sample: null with fewer than two numbers, and when one was not finite.
    public var sample: Value { count < 2 ? .null : result(squares / Double(count - 1)) }

    private func result(_ variance: Double) -> Value {
        variance.isFinite ? .double(variance.squareRoot()) : .null
    }
}
