import NexaValue

/// What happens to one field: an update operator with its operand.
enum Modification: Sendable {
    case set(Value)
    case setOnInsert(Value)
    case unset
    case increment(by: Value)
    case multiply(by: Value)
    case minimum(Value)
    case maximum(Value)
    /// Takes the value of another field; the number of the rename.
    case rename(Int)
    case push(UpdatePush)
    case addToSet(UpdateAddition)
    case pull(UpdatePull)
    case pop(first: Bool)
    case currentDate
    case bit(UpdateBits)

    /// Whether the operator makes a field that is not there.
    var creates: Bool {
        switch self {
        case .unset, .pull, .pop: false
        default: true
        }
    }
}

/// The operand of `$bit`.
struct UpdateBits: Sendable {
    enum Operation: String, Sendable { case and, or, xor }

    var operations: [(Operation, Int64)]

    func applied(to value: Int64) -> Int64 {
        operations.reduce(value) { value, step in
            switch step.0 {
            case .and: value & step.1
            case .or: value | step.1
            case .xor: value ^ step.1
            }
        }
    }
}

/// Arithmetic of `$inc` and `$mul`: integers stay integers, and never wrap round.
enum UpdateArithmetic {
    /// The sum, or `nil` when it is beyond the range of its kind.
    static func sum(_ left: Value, _ right: Value) -> Value? {
        combined(left, right, whole: { $0.addingReportingOverflow($1) }, real: { $0 + $1 })
    }

    /// The product, or `nil` when it is beyond the range of its kind.
    static func product(_ left: Value, _ right: Value) -> Value? {
        combined(left, right, whole: { $0.multipliedReportingOverflow(by: $1) }, real: { $0 * $1 })
    }

    private static func combined(
        _ left: Value, _ right: Value, whole: (Int128, Int128) -> (partialValue: Int128, overflow: Bool),
        real: (Double, Double) -> Double
    ) -> Value? {
        guard let leftWhole = integer(left), let rightWhole = integer(right) else {
            guard let left = left.double, let right = right.double else { return nil }
            return .double(real(left, right))
        }
        let (result, overflow) = whole(leftWhole, rightWhole)
        guard !overflow else { return nil }
        if let result = Int64(exactly: result) { return .int(result) }
        // Unsigned numbers come from clients that have them; signed ones never turn into them.
        guard isUnsigned(left) || isUnsigned(right), let result = UInt64(exactly: result) else { return nil }
        return Value(result)
    }

    private static func integer(_ value: Value) -> Int128? {
        switch value {
        case .int(let number): Int128(number)
        case .uint(let number): Int128(number)
        default: nil
        }
    }

    private static func isUnsigned(_ value: Value) -> Bool {
        if case .uint = value { true } else { false }
    }
}

extension Value {
    /// True for `.int`, `.uint` and `.double`.
    var isNumber: Bool {
        switch self {
        case .int, .uint, .double: true
        default: false
        }
    }

    /// The elements of an array or a vector.
    var elements: [Value]? {
        switch self {
        case .array(let values): values
        case .vector(let components): components.map { .double(Double($0)) }
        default: nil
        }
    }

    /// Whether a value is the same in kind and bits, so that replacing one by the other changes nothing.
    func isIdentical(to other: Value) -> Bool {
        switch (self, other) {
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.double(let left), .double(let right)): left.bitPattern == right.bitPattern
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.isIdentical(to: $1) }
        case (.document(let left), .document(let right)):
            left.count == right.count
                && zip(left, right).allSatisfy {
                    $0.key.utf8.elementsEqual($1.key.utf8) && $0.value.isIdentical(to: $1.value)
                }
        default: self == other
        }
    }

    /// The bytes by which equal values are found.
    var ordered: [UInt8] {
        var bytes: [UInt8] = []
        OrderedEncoding.append(self, to: &bytes)
        return bytes
    }

    /// The value for an error message, never long.
    var brief: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .int(let value): "\(value)"
        case .uint(let value): "\(value)"
        case .double(let value): "\(value)"
        case .string(let value):
            "\"\(value.unicodeScalars.prefix(40).reduce(into: "") { $0.unicodeScalars.append($1) })\""
                + (value.unicodeScalars.count > 40 ? "…" : "")
        case .array(let values): values.isEmpty ? "[]" : values.count == 1 ? "[\(values[0].briefest)]" : "[ … ]"
        case .document(let document):
            document.isEmpty
                ? "{}" : document.count == 1 ? "{\(document[0].key): \(document[0].value.briefest)}" : "{ … }"
        default: kindName
        }
    }

    private var briefest: String {
        switch self {
        case .array: "[ … ]"
        case .document: "{ … }"
        default: brief
        }
    }
}
