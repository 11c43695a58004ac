import NexaValue

/// Operators that take arrays as sets: values that compare equal are one.
extension ExpressionFunction {
    static let sets: [ExpressionFunction] = [
        ExpressionFunction("$setUnion", .positional(0, .max), union),
        ExpressionFunction("$setIntersection", .positional(0, .max), intersection),
        ExpressionFunction("$setDifference", 2, difference),
        ExpressionFunction("$setEquals", .positional(2, .max), equals),
        ExpressionFunction("$setIsSubset", 2, isSubset),
        ExpressionFunction("$anyElementTrue", 1) { (arguments, _) throws(QueryError) in
            .bool(try members(arguments).contains { Optional($0).isTrue })
        },
        ExpressionFunction("$allElementsTrue", 1) { (arguments, _) throws(QueryError) in
            .bool(try members(arguments).allSatisfy { Optional($0).isTrue })
        }
    ]

    private static func members(_ arguments: ExpressionArguments) throws(QueryError) -> [Value] {
        guard let elements = arguments[0].elements else {
            throw .expression("\(arguments.name)'s argument must be an array, but is \(arguments[0].typeName)")
        }
        return elements
    }

    private static func set(
        _ arguments: ExpressionArguments, _ place: Int, _ context: inout ExpressionContext
    ) throws(QueryError) -> ValueSet {
        guard let elements = arguments[place].elements else {
            if arguments.count != 2 || arguments.name == "$setUnion" || arguments.name == "$setIntersection" {
                throw .expression(
                    "All operands of \(arguments.name) must be arrays. One argument is of type:"
                        + " \(arguments[place].typeName)")
            }
            throw .expression(
                "both operands of \(arguments.name) must be arrays."
                    + " \(place == 0 ? "First" : "Second") argument is of type: \(arguments[place].typeName)")
        }
        return try ValueSet(elements, &context)
    }

    private static func union(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        var result = ValueSet()
        for place in arguments.values.indices { result.formUnion(try set(arguments, place, &context)) }
        return .array(result.sorted)
    }

    private static func intersection(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard arguments.count > 0 else { return .array([]) }
        var result = try set(arguments, 0, &context)
        for place in 1..<max(1, arguments.count) {
            let other = try set(arguments, place, &context)
            result.remove { !other.contains(key: $0) }
        }
        return .array(result.sorted)
    }

    private static func difference(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        var result = try set(arguments, 0, &context)
        let other = try set(arguments, 1, &context)
        result.remove { other.contains(key: $0) }
        return .array(result.inOrderOfArrival)
    }

    private static func equals(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        let first = try set(arguments, 0, &context)
        for place in 1..<arguments.count {
            let other = try set(arguments, place, &context)
            if first.count != other.count || !first.isSubset(of: other) { return .bool(false) }
        }
        return .bool(true)
    }

    private static func isSubset(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        .bool(try set(arguments, 0, &context).isSubset(of: try set(arguments, 1, &context)))
    }
}

/// Values without repetitions, by the bytes of their place in the order of values.
struct ValueSet {
    private var members: [[UInt8]: (value: Value, arrival: Int)] = [:]

    init() {}

    init(_ values: [Value], _ context: inout ExpressionContext) throws(QueryError) {
        for value in values {
            try context.charge(value)
            let key = try value.orderedKey
            // The key, the entry and room to grow.
            try context.reserve(key.count + 4 * ExpressionContext.slot)
            if members[key] == nil { members[key] = (value, members.count) }
        }
    }

    var count: Int { members.count }

    func contains(key: [UInt8]) -> Bool { members[key] != nil }

    func isSubset(of other: ValueSet) -> Bool { members.keys.allSatisfy { other.contains(key: $0) } }

    mutating func formUnion(_ other: ValueSet) {
        for (key, member) in other.members where members[key] == nil { members[key] = member }
    }

    mutating func remove(where isUnwanted: ([UInt8]) -> Bool) {
        members = members.filter { !isUnwanted($0.key) }
    }

    var sorted: [Value] {
        members.sorted { $0.key.span.bytes.compare($1.key.span.bytes) < 0 }.map(\.value.value)
    }

    var inOrderOfArrival: [Value] { members.values.sorted { $0.arrival < $1.arrival }.map(\.value) }
}

extension Value {
    /// Bytes that are equal for values that compare equal, and that compare as the values do.
    var orderedKey: [UInt8] {
        get throws(QueryError) {
            let encoded = MessagePack.encode(self)
            var key: [UInt8] = []
            do throws(MessagePackError) {
                var reader = MessagePackReader(encoded.span.bytes)
                try OrderedEncoding.append(&reader, depth: 0, to: &key)
            } catch {
                throw QueryError(corrupt: error)
            }
            return key
        }
    }
}
