import NexaValue

/// Operators that make arrays.
extension ExpressionFunction {
    static let arrayBuilding: [ExpressionFunction] = [
        ExpressionFunction("$concatArrays", .positional(0, .max), concatenated),
        ExpressionFunction("$reverseArray", 1, reversed),
        ExpressionFunction("$slice", .positional(2, 3), slice),
        ExpressionFunction("$range", .positional(2, 3), range),
        ExpressionFunction(
            "$zip", .named([.required("inputs"), .optional("useLongestLength"), .optional("defaults")]), zipped)
    ]

    private static func concatenated(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        var result: [Value] = []
        for value in arguments.values {
            guard let elements = value.elements else {
                throw .expression("$concatArrays only supports arrays, not \(value.typeName)")
            }
            try context.reserve(elements: elements.count)
            result += elements
        }
        return .array(result)
    }

    private static func reversed(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard let elements = arguments[0].elements else {
            throw .expression(
                "The argument to $reverseArray must be an array, but was of type: \(arguments[0].typeName)")
        }
        try context.reserve(elements: elements.count)
        return .array(elements.reversed())
    }

    private static func slice(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard let elements = arguments[0].elements else {
            throw .expression("First argument to $slice must be an array, but is of type: \(arguments[0].typeName)")
        }
        var numbers: [Int64] = []
        for place in 1..<arguments.count {
            guard let number = arguments[place]?.int, number.magnitude <= 1 << 31 else {
                throw .expression(
                    "\(place == 1 ? "Second" : "Third") argument to $slice must be representable as a 32-bit integer,"
                        + " but is of type: \(arguments[place].typeName)")
            }
            numbers.append(number)
        }
        let count = Int64(elements.count)
        let first: Int64
        let last: Int64
        if numbers.count == 1 {
            first = numbers[0] < 0 ? max(0, count + numbers[0]) : 0
            last = numbers[0] < 0 ? count : min(count, numbers[0])
        } else {
            guard numbers[1] > 0 else {
                throw .expression("Third argument to $slice must be positive: \(numbers[1])")
            }
            first = numbers[0] < 0 ? max(0, count + numbers[0]) : min(count, numbers[0])
            last = min(count, first + numbers[1])
        }
        return .array(Array(elements[Int(first)..<Int(last)]))
    }

    private static func range(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        var numbers: [Int64] = [0, 0, 1]
        for (place, name) in ["starting", "ending", "step"].enumerated() where place < arguments.count {
            guard arguments[place]?.double != nil else {
                throw .expression(
                    "$range requires a numeric \(name) value, found value of type: \(arguments[place].typeName)")
            }
            guard let number = arguments[place]?.int, Int32(exactly: number) != nil else {
                throw .expression("$range requires a \(name) value that can be represented as a 32-bit integer")
            }
            numbers[place] = number
        }
        guard numbers[2] != 0 else { throw .expression("$range requires a non-zero step value") }
        let distance = numbers[2] > 0 ? numbers[1] - numbers[0] : numbers[0] - numbers[1]
        if distance > 0 { try context.reserve(elements: Int((distance - 1) / abs(numbers[2]) + 1)) }
        return .array(stride(from: numbers[0], to: numbers[1], by: Int(numbers[2])).map { .int($0) })
    }

    private static func zipped(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        guard let inputs = arguments[0].elements else {
            throw .expression("inputs must be an array of expressions, found \(arguments[0].typeName)")
        }
        guard !inputs.isEmpty else { throw .expression("$zip requires at least one input array") }
        var isLongest = false
        if arguments.has(1) {
            guard let flag = arguments[1]?.bool else {
                throw .expression("useLongestLength must be a bool, found \(arguments[1].typeName)")
            }
            isLongest = flag
        }
        var defaults: [Value] = []
        if arguments.has(2) {
            guard let values = arguments[2].elements else {
                throw .expression("defaults must be an array of expressions, found \(arguments[2].typeName)")
            }
            guard isLongest else {
                throw .expression("cannot specify defaults unless useLongestLength is true")
            }
            guard values.count == inputs.count else {
                throw .expression("defaults and inputs must have the same length")
            }
            defaults = values
        }
        var arrays: [[Value]] = []
        for input in inputs {
            if input.isNull { return .null }
            guard let elements = Optional(input).elements else {
                throw .expression("$zip found a non-array expression in input: \(Optional(input).typeName)")
            }
            arrays.append(elements)
        }
        let counts = arrays.map(\.count)
        let count = (isLongest ? counts.max() : counts.min()) ?? 0
        try context.reserve(elements: count)
        var result: [Value] = []
        for place in 0..<count {
            try context.reserve(elements: arrays.count)
            var row: [Value] = []
            row.reserveCapacity(arrays.count)
            for (index, array) in arrays.enumerated() {
                row.append(place < array.count ? array[place] : index < defaults.count ? defaults[index] : .null)
            }
            result.append(.array(row))
        }
        return .array(result)
    }
}
