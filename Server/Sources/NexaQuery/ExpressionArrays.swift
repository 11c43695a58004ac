import NexaValue

/// Operators that look at arrays.
extension ExpressionFunction {
    static let arrays: [ExpressionFunction] = [
        ExpressionFunction("$isArray", 1) { (arguments, _) throws(QueryError) in
            .bool(arguments[0].elements != nil)
        },
        ExpressionFunction("$size", 1) { (arguments, _) throws(QueryError) in
            guard let elements = arguments[0].elements else {
                throw .expression(
                    "The argument to $size must be an array, but was of type: \(arguments[0].typeName)")
            }
            return .int(Int64(elements.count))
        },
        ExpressionFunction("$arrayElemAt", 2, builds: false, element),
        ExpressionFunction("$first", 1, builds: false) { (arguments, _) throws(QueryError) in
            try end(arguments) { $0.first }
        },
        ExpressionFunction("$last", 1, builds: false) { (arguments, _) throws(QueryError) in
            try end(arguments) { $0.last }
        },
        ExpressionFunction("$in", 2, contains),
        ExpressionFunction("$indexOfArray", .positional(2, 4), indexOf)
    ]

    private static func element(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard let elements = arguments[0].elements else {
            throw .expression("$arrayElemAt's first argument must be an array, but is \(arguments[0].typeName)")
        }
        guard arguments[1]?.double != nil else {
            throw .expression("$arrayElemAt's second argument must be a numeric value, but is \(arguments[1].typeName)")
        }
        guard let index = arguments[1]?.int else {
            throw .expression("$arrayElemAt's second argument must be representable as a 32-bit integer")
        }
        let (place, overflow) = index < 0 ? index.addingReportingOverflow(Int64(elements.count)) : (index, false)
        // (In a ternary, nil would be the value null.)
        guard !overflow, place >= 0, place < elements.count else { return nil }
        return elements[Int(place)]
    }

    private static func end(
        _ arguments: ExpressionArguments, _ element: ([Value]) -> Value?
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard let elements = arguments[0].elements else {
            throw .expression("\(arguments.name)'s argument must be an array, but is \(arguments[0].typeName)")
        }
        return element(elements)
    }

    private static func contains(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        guard let elements = arguments[1].elements else {
            throw .expression("$in requires an array as a second argument, found: \(arguments[1].typeName)")
        }
        guard let value = arguments[0] else { return .bool(false) }
        for element in elements where try ExpressionComparison.order(element, value, &context) == 0 {
            return .bool(true)
        }
        return .bool(false)
    }

    private static func indexOf(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.isNull(0) { return .null }
        guard let elements = arguments[0].elements else {
            throw .expression(
                "$indexOfArray requires an array as a first argument, found: \(arguments[0].typeName)")
        }
        let range = try searchRange(arguments, count: elements.count)
        guard let value = arguments[1] else { return .int(-1) }
        for index in range where try ExpressionComparison.order(elements[index], value, &context) == 0 {
            return .int(Int64(index))
        }
        return .int(-1)
    }

    /// The third and fourth arguments as bounds; empty when they leave nothing to look at.
    static func searchRange(_ arguments: ExpressionArguments, count: Int) throws(QueryError) -> Range<Int> {
        var bounds = [0, count]
        for place in 2..<max(2, arguments.count) {
            guard let bound = arguments[place]?.int else {
                throw .expression(
                    "\(arguments.name) requires an integral \(place == 2 ? "starting" : "ending") index, found a"
                        + " value of type: \(arguments[place].typeName)")
            }
            guard bound >= 0 else {
                throw .expression(
                    "\(arguments.name) requires a nonnegative \(place == 2 ? "starting" : "ending") index, found:"
                        + " \(bound)")
            }
            bounds[place - 2] = Int(bound)
        }
        let end = min(bounds[1], count)
        return bounds[0] <= end ? bounds[0]..<end : count..<count
    }
}
