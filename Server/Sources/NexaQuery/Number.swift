/// A number of any kind, on one exact line.
enum Number: Sendable {
    case int(Int64)
    /// Only above `Int64.max`.
    case uint(UInt64)
    case double(Double)

    var isNaN: Bool {
        if case .double(let value) = self { value.isNaN } else { false }
    }

    /// Compares exactly, whatever the kinds; NaN equals itself and is smaller than all others.
    func compare(_ other: Number) -> Int {
        switch (self, other) {
        case (.int(let left), .int(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.uint(let left), .uint(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.int, .uint): -1
        case (.uint, .int): 1
        case (.double(let left), .double(let right)): Self.compare(left, right)
        case (.int(let left), .double(let right)): Self.compare(left, right)
        case (.uint(let left), .double(let right)): Self.compare(left, right)
        case (.double(let left), .int(let right)): -Self.compare(right, left)
        case (.double(let left), .uint(let right)): -Self.compare(right, left)
        }
    }

    private static func compare(_ left: Double, _ right: Double) -> Int {
        if left < right { return -1 }
        if left > right { return 1 }
        if left == right { return 0 }
        return left.isNaN ? (right.isNaN ? 0 : -1) : 1
    }

    /// Converting the integer would round it; so the double is split into a whole part and a rest instead.
    private static func compare<Integer: FixedWidthInteger>(_ left: Integer, _ right: Double) -> Int {
        if right.isNaN { return 1 }
        if left.magnitude <= 1 << 53 { return compare(Double(left), right) }
        let whole = right.rounded(.towardZero)
        guard let integer = Integer(exactly: whole) else { return right > 0 ? -1 : 1 }
        if left != integer { return left < integer ? -1 : 1 }
        return right > whole ? -1 : right < whole ? 1 : 0
    }
}
