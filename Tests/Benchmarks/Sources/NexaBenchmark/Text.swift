/// A span of nanoseconds in the unit that suits it.
package func duration(_ nanoseconds: Double) -> String {
    switch nanoseconds {
    case ..<99_500: "\(significant(nanoseconds / 1e3)) us"
    case ..<999_500_000: "\(significant(nanoseconds / 1e6)) ms"
    default: "\(significant(nanoseconds / 1e9)) s"
    }
}

/// A number with three significant digits, and never with more than two after the point.
package func significant(_ number: Double) -> String {
    guard number.isFinite else { return "-" }
    let places = abs(number) >= 99.95 ? 0 : abs(number) >= 9.995 ? 1 : 2
    return fixed(number, places: places)
}

/// A number with so many digits after the point.
package func fixed(_ number: Double, places: Int) -> String {
    let scale = places == 0 ? 1.0 : places == 1 ? 10 : 100
    let scaled = Int((abs(number) * scale).rounded())
    let sign = number < 0 && scaled > 0 ? "-" : ""
    guard places > 0 else { return sign + "\(scaled)" }
    let digits = String(scaled % Int(scale))
    return sign + "\(scaled / Int(scale))." + String(repeating: "0", count: places - digits.count) + digits
}

/// A whole number with its thousands apart.
package func grouped(_ number: Double) -> String {
    let digits = Array(String(Int(number.rounded())))
    var text = ""
    for (index, digit) in digits.enumerated() {
        if index > 0 && (digits.count - index).isMultiple(of: 3) { text.append(" ") }
        text.append(digit)
    }
    return text
}

extension String {
    /// Filled up with spaces on the left.
    package func right(_ width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }

    /// Filled up with spaces on the right.
    package func left(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
