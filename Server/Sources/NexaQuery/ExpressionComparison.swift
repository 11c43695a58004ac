import NexaValue

/// The comparisons, over the whole order of all kinds; a missing value is the smallest of all.
enum ExpressionComparison: String, Sendable {
    case equal = "$eq"
    case notEqual = "$ne"
    case greater = "$gt"
    case greaterOrEqual = "$gte"
    case less = "$lt"
    case lessOrEqual = "$lte"
    case compare = "$cmp"

    /// The comparison that says the same of the arguments the other way round; not for `$cmp`.
    var flipped: ExpressionComparison {
        switch self {
        case .equal, .notEqual, .compare: self
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        }
    }

    func result(_ order: Int) -> Value {
        switch self {
        case .equal: .bool(order == 0)
        case .notEqual: .bool(order != 0)
        case .greater: .bool(order > 0)
        case .greaterOrEqual: .bool(order >= 0)
        case .less: .bool(order < 0)
        case .lessOrEqual: .bool(order <= 0)
        case .compare: .int(Int64(order.signum()))
        }
    }

    /// How two values compare, as `ValueOrder` says. Scalars are compared in place.
    static func order(_ left: Value?, _ right: Value?, _ context: inout ExpressionContext) throws(QueryError) -> Int {
        guard let left else { return right == nil ? 0 : -1 }
        guard let right else { return 1 }
        return try order(left, right, &context)
    }

    static func order(_ left: Value, _ right: Value, _ context: inout ExpressionContext) throws(QueryError) -> Int {
        try context.spend()
        switch (left, right) {
        case (.int(let left), .int(let right)): return left < right ? -1 : left == right ? 0 : 1
        case (.string(let left), .string(let right)): return order(left, right)
        case (.array(let left), .array(let right)):
            for (left, right) in zip(left, right) {
                let order = try order(left, right, &context)
                if order != 0 { return order }
            }
            return left.count - right.count
        case (.document(let left), .document(let right)):
            for (left, right) in zip(left, right) {
                let leftBracket = left.value.bracket
                let rightBracket = right.value.bracket
                if leftBracket != rightBracket { return leftBracket < rightBracket ? -1 : 1 }
                let names = order(left.key, right.key)
                if names != 0 { return names }
                let order = try order(left.value, right.value, &context)
                if order != 0 { return order }
            }
            return left.count - right.count
        case (.null, .null): return 0
        case (.bool(let left), .bool(let right)): return left == right ? 0 : left ? 1 : -1
        case (.timestamp(let left), .timestamp(let right)): return left.compare(right)
        default:
            if let left = left.number, let right = right.number { return left.compare(right) }
            let leftBracket = left.bracket
            let rightBracket = right.bracket
            if leftBracket != rightBracket { return leftBracket < rightBracket ? -1 : 1 }
            return ValueOrder.compare(left, right)  // binary data, vectors and extensions
        }
    }

    private static func order(_ left: String, _ right: String) -> Int {
        left.utf8Span.span.bytes.compare(right.utf8Span.span.bytes)
    }
}

extension Value {
    /// The place of the kind in the order of values.
    var bracket: ValueOrder.Bracket {
        switch self {
        case .null: .null
        case .int, .uint, .double: .number
        case .string: .string
        case .document: .document
        case .array, .vector: .array
        case .bytes: .binary
        case .bool: .boolean
        case .timestamp: .timestamp
        case .extended: .extended
        }
    }

    /// The number, if it is one.
    var number: Number? {
        switch self {
        case .int(let value): .int(value)
        case .uint(let value): .uint(value)
        case .double(let value): .double(value)
        default: nil
        }
    }
}

/// `$sortArray`: by the whole elements, or by fields of them.
struct ExpressionSort: Sendable {
    private enum Order: Sendable {
        case whole(isDescending: Bool)
        case fields(SortOrder)
    }

    private let order: Order

    init(_ sortBy: Value) throws(QueryError) {
        if case .document = sortBy {
            let order = try SortOrder(compiling: sortBy)
            guard !order.isEmpty else { throw .expression("$sortArray: 'sortBy' must have at least one field") }
            self.order = .fields(order)
        } else if let direction = sortBy.int, direction == 1 || direction == -1 {
            order = .whole(isDescending: direction == -1)
        } else {
            throw .expression("$sortArray: 'sortBy' must be 1, -1 or a document {field: 1 or -1, …}")
        }
    }

    /// The elements in order; equal ones keep their places.
    func sorted(_ value: Value?, _ context: inout ExpressionContext) throws(QueryError) -> Value {
        if value.isNullish { return .null }
        guard let elements = value.elements else {
            throw .expression("The input argument to $sortArray must be an array, but was of type: \(value.typeName)")
        }
        try context.charge(.array(elements))
        var keys: [(key: [UInt8], place: Int)] = []
        keys.reserveCapacity(elements.count)
        var count = 0
        for (place, element) in elements.enumerated() {
            let key = try key(of: element)
            try context.reserve(key.count + ExpressionContext.slot)
            count += key.count
            keys.append((key, place))
        }
        // The keys of all elements are compared about log2(count) times each.
        try context.spend((elements.count + count / 64) * (Int.bitWidth - elements.count.leadingZeroBitCount))
        keys.sort {
            let order = $0.key.span.bytes.compare($1.key.span.bytes)
            return order == 0 ? $0.place < $1.place : order < 0
        }
        return .array(keys.map { elements[$0.place] })
    }

    /// Bytes that compare as the elements do.
    private func key(of element: Value) throws(QueryError) -> [UInt8] {
        switch order {
        case .fields(let order):
            guard case .document = element else { return try order.key(of: [0x80].span.bytes).bytes }
            return try order.key(of: MessagePack.encode(element).span.bytes).bytes
        case .whole(let isDescending):
            var bytes = try element.orderedKey
            if isDescending { OrderedEncoding.invert(&bytes, from: 0) }
            return bytes
        }
    }
}
