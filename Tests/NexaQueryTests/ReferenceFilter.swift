import NexaValue

/// The meaning of filters written down as plainly as possible, over decoded values; slow, and independent of
/// the compiled program. It knows filters that compile; others are its crash to have.
enum ReferenceFilter {
    static func matches(_ filter: Document, _ value: Value) -> Bool {
        filter.allSatisfy { name, condition in
            switch name {
            case "$and": condition.array!.allSatisfy { matches($0.document!, value) }
            case "$or": condition.array!.contains { matches($0.document!, value) }
            case "$nor": !condition.array!.contains { matches($0.document!, value) }
            default: holds(condition, path: name, value)
            }
        }
    }

    private static func holds(_ condition: Value, path: String, _ value: Value) -> Bool {
        let parts = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard let operators = operators(condition) else { return anyEqual(condition, found(parts, value)) }
        return operators.allSatisfy { name, operand in
            let found = found(parts, value)
            switch name {
            case "$ne": return !anyEqual(operand, found)
            case "$nin": return !operand.array!.contains { anyEqual($0, found) }
            case "$not": return !holds(operand, path: path, value)
            case "$exists": return found.contains { $0.value != nil } == operand.bool!
            case "$all":
                return !operand.array!.isEmpty && operand.array!.allSatisfy { holds($0, path: path, value) }
            case "$size", "$elemMatch": return found.contains { single(name, operand, $0.value) }
            default: return expanded(found).contains { single(name, operand, $0) }
            }
        }
    }

    /// A condition with operators, or nil for a literal.
    private static func operators(_ condition: Value) -> Document? {
        guard let document = condition.document, document.first?.key.hasPrefix("$") == true else { return nil }
        return document
    }

    /// What a path leads to. `isElement`: named by a number in an array, so its own elements do not count.
    private struct Found {
        var value: Value?
        var isElement = false
    }

    private static func found(_ parts: [String], _ value: Value) -> [Found] {
        guard let first = parts.first else { return [Found(value: value)] }
        let rest = Array(parts.dropFirst())
        switch value {
        case .document(let document):
            guard let inner = document[first] else { return [Found(value: nil)] }
            return found(rest, inner)
        case .array(let elements): return foundThrough(elements, parts)
        default: return [Found(value: nil)]
        }
    }

    private static func foundThrough(_ elements: [Value], _ parts: [String]) -> [Found] {
        let rest = Array(parts.dropFirst())
        var result: [Found] = []
        for (index, element) in elements.enumerated() {
            if element.document != nil { result += found(parts, element) }
            guard parts[0] == String(index) else { continue }
            if rest.isEmpty {
                result.append(Found(value: element, isElement: true))
            } else if element.document != nil {
                result += found(rest, element)
            } else if case .array(let inner) = element {
                result += foundThrough(inner, rest)
            }
        }
        return result
    }

    /// The elements of arrays count as well as the arrays.
    private static func expanded(_ found: [Found]) -> [Value?] {
        found.flatMap { found -> [Value?] in
            guard case .array(let elements)? = found.value, !found.isElement else { return [found.value] }
            return elements.map(Optional.some) + [found.value]
        }
    }

    private static func anyEqual(_ literal: Value, _ found: [Found]) -> Bool {
        expanded(found).contains { single("$eq", literal, $0) }
    }

    private static func single(_ name: String, _ operand: Value, _ value: Value?) -> Bool {
        switch name {
        case "$eq": return compare(value ?? .null, operand) == 0
        case "$gt", "$gte", "$lt", "$lte":
            let value = value ?? .null
            guard rank(value) == rank(operand) else { return false }
            let order = compare(value, operand)
            if order == 0 { return name.hasSuffix("e") }
            if value.double?.isNaN == true || operand.double?.isNaN == true { return false }
            return name.hasPrefix("$g") ? order > 0 : order < 0
        case "$in": return operand.array!.contains { single("$eq", $0, value) }
        case "$size": return (value?.array?.count).map(Int64.init) == operand.int && value?.array != nil
        case "$elemMatch":
            guard let elements = value?.array else { return false }
            let condition = operand.document!
            guard let first = condition.first?.key, first.hasPrefix("$"), !["$and", "$or", "$nor"].contains(first)
            else {
                return elements.contains { element in
                    if let array = element.array {
                        let fields = array.enumerated().map { (String($0.offset), $0.element) }
                        return matches(condition, .document(Document(fields)))
                    }
                    return element.document != nil && matches(condition, element)
                }
            }
            return elements.contains { element in condition.allSatisfy { holdsDirectly($0, $1, element) } }
        default: preconditionFailure("no such operator: \(name)")
        }
    }

    /// A condition inside `$elemMatch`, on the element itself.
    private static func holdsDirectly(_ name: String, _ operand: Value, _ element: Value) -> Bool {
        switch name {
        case "$ne": !single("$eq", operand, element)
        case "$nin": !single("$in", operand, element)
        case "$not": !operand.document!.allSatisfy { holdsDirectly($0, $1, element) }
        case "$exists": operand.bool!
        case "$all":
            !operand.array!.isEmpty
                && operand.array!.allSatisfy { value in
                    guard let condition = operators(value) else { return single("$eq", value, element) }
                    return condition.allSatisfy { holdsDirectly($0, $1, element) }
                }
        default: single(name, operand, element)
        }
    }

    // MARK: Order

    static func rank(_ value: Value) -> Int {
        switch value {
        case .null: 0
        case .int, .uint, .double: 1
        case .string: 2
        case .document: 3
        case .array, .vector: 4
        case .bytes: 5
        case .bool: 6
        case .timestamp: 7
        case .extended: 8
        }
    }

    static func compare(_ left: Value, _ right: Value) -> Int {
        if rank(left) != rank(right) { return rank(left) - rank(right) }
        switch (left, right) {
        case (.string(let left), .string(let right)):
            return lexical(Array(left.utf8), Array(right.utf8)) { sign($0, $1) }
        case (.bytes(let left), .bytes(let right)):
            return left.count != right.count ? left.count - right.count : lexical(left, right) { sign($0, $1) }
        case (.bool(let left), .bool(let right)): return left == right ? 0 : left ? 1 : -1
        case (.array(let left), .array(let right)): return lexical(left, right, compare)
        case (.document(let left), .document(let right)):
            return lexical(Array(left), Array(right)) { left, right in
                if rank(left.value) != rank(right.value) { return rank(left.value) - rank(right.value) }
                let order = compare(.string(left.key), .string(right.key))
                return order != 0 ? order : compare(left.value, right.value)
            }
        case (.timestamp(let left), .timestamp(let right)):
            let order = sign(left.seconds, right.seconds)
            return order != 0 ? order : sign(left.nanoseconds, right.nanoseconds)
        case (.extended(let left), .extended(let right)):
            if left.type != right.type { return sign(left.type, right.type) }
            return compare(.bytes(left.bytes), .bytes(right.bytes))
        case (.null, .null): return 0
        default: return numbers(left, right)
        }
    }

    private static func sign<T: Comparable>(_ left: T, _ right: T) -> Int { left < right ? -1 : left > right ? 1 : 0 }

    private static func lexical<T>(_ left: [T], _ right: [T], _ compare: (T, T) -> Int) -> Int {
        for (left, right) in zip(left, right) {
            let order = compare(left, right)
            if order != 0 { return order }
        }
        return left.count - right.count
    }

    /// Compares via 128-bit integers, with one more bit for a fraction.
    private static func numbers(_ left: Value, _ right: Value) -> Int {
        func line(_ value: Value) -> (class: Int, whole: Int128, fraction: Double) {
            switch value {
            case .int(let value): return (1, Int128(value), 0)
            case .uint(let value): return (1, Int128(value), 0)
            case .double(let value):
                if value.isNaN { return (-1, 0, 0) }
                if value >= 0x1p100 { return (2, 0, value) }
                if value <= -0x1p100 { return (0, 0, value) }
                return (1, Int128(value.rounded(.down)), value - value.rounded(.down))
            default: preconditionFailure("no number")
            }
        }
        let (left, right) = (line(left), line(right))
        if left.class != right.class { return left.class - right.class }
        return left.whole != right.whole ? sign(left.whole, right.whole) : sign(left.fraction, right.fraction)
    }
}
