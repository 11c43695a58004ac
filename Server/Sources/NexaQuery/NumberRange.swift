import NexaValue

/// Comparisons of one field with numbers, put together: most filters on numbers are decided by it, without a look at
/// their conditions one by one.
struct NumberRange: Sendable {
    private var lower = -Double.infinity
    private var upper = Double.infinity
    private var includesLower = true
    private var includesUpper = true

    /// Whole numbers up to here are exact as doubles.
    private static let largestExact: UInt64 = 1 << 53

    /// `nil` when the tests say more than that.
    init?(_ tests: [FieldTest]) {
        guard !tests.isEmpty else { return nil }
        for test in tests {
            guard test.rest.isEmpty, !test.isNegated else { return nil }
            switch test.predicate {
            case .equal(let operand):
                guard let number = Self.exact(operand) else { return nil }
                raise(to: number, isIncluded: true)
                cut(to: number, isIncluded: true)
            case .less(let operand, let orEqual):
                guard let number = Self.exact(operand) else { return nil }
                cut(to: number, isIncluded: orEqual)
            case .greater(let operand, let orEqual):
                guard let number = Self.exact(operand) else { return nil }
                raise(to: number, isIncluded: orEqual)
            default: return nil
            }
        }
    }

    private static func exact(_ operand: Operand) -> Double? {
        switch operand {
        case .number(.double(let number)): number.isNaN ? nil : number
        case .number(.int(let number)): number.magnitude <= largestExact ? Double(number) : nil
        default: nil
        }
    }

    private mutating func raise(to number: Double, isIncluded: Bool) {
        guard number >= lower else { return }
        includesLower = isIncluded && (number > lower || includesLower)
        lower = number
    }

    private mutating func cut(to number: Double, isIncluded: Bool) {
        guard number <= upper else { return }
        includesUpper = isIncluded && (number < upper || includesUpper)
        upper = number
    }

    /// Whether the value at an offset is in the range; `nil` when it is not a number that is exact as a double.
    @inline(__always) func contains(_ span: RawSpan, at offset: Int) throws -> Bool? {
        var reader = MessagePackReader(span, at: offset)
        switch try reader.readHead() {
        case .double(let number): return contains(number)
        case .int(let number): return number.magnitude <= Self.largestExact ? contains(Double(number)) : nil
        default: return nil
        }
    }

    /// NaN is in no range.
    @inline(__always) private func contains(_ number: Double) -> Bool {
        (includesLower ? number >= lower : number > lower) && (includesUpper ? number <= upper : number < upper)
    }
}
