/// Numbers.
extension JSONScanner {
    /// Reads a number; `position` is at its sign or first digit.
    @_lifetime(self: copy self)
    mutating func readNumber() throws(JSONError) -> Value {
        let start = position
        let isNegative = byte(at: position) == 0x2D
        if isNegative { position &+= 1 }
        let firstDigit = position
        guard let first = peek() else { throw fault(.endsBefore("a digit"), at: position) }
        guard first >= 0x30, first <= 0x39 else {
            if first == 0x49, isNegative, options.isRelaxed { return try readNegativeInfinity() }
            throw fault(.expected("a digit"), at: position)
        }
        var mantissa: UInt64 = 0
        passDigits(into: &mantissa)
        let integerDigits = position &- firstDigit
        if first == 0x30, integerDigits > 1 { throw fault(.leadingZero, at: firstDigit) }
        switch peek() {
        case 0x2E, 0x65, 0x45: break
        default: return try integer(start..<position, mantissa, digits: integerDigits, isNegative: isNegative)
        }
        var exponent = 0
        var digits = integerDigits
        if peek() == 0x2E {
            position &+= 1
            let fraction = position
            passDigits(into: &mantissa)
            guard position > fraction else { throw missingDigit() }
            exponent = fraction &- position
            digits &+= position &- fraction
        }
        if peek() == 0x65 || peek() == 0x45 {
            position &+= 1
            exponent = try exponent &+ readExponent()
        }
        // Up to 19 digits fit `mantissa`; a product or quotient of two exact doubles is rounded once, so it is right.
        if digits <= 19, mantissa <= 1 << 53, abs(exponent) < Self.exactPowers.count {
            let power = Self.exactPowers[abs(exponent)]
            let magnitude = exponent < 0 ? Double(mantissa) / power : Double(mantissa) * power
            return .double(isNegative ? -magnitude : magnitude)
        }
        return try nearestDouble(start..<position)
    }

    /// The powers of ten that a `Double` holds exactly.
    private static let exactPowers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22
    ]

    /// Passes over digits and adds them to a number that wraps beyond 19 of them.
    @_lifetime(self: copy self)
    @inline(__always) private mutating func passDigits(into mantissa: inout UInt64) {
        while let next = peek(), next &- 0x30 <= 9 {
            mantissa = mantissa &* 10 &+ UInt64(next &- 0x30)
            position &+= 1
        }
    }

    /// Reads a sign and digits; an exponent beyond any double is cut to a million, which is beyond as well.
    @_lifetime(self: copy self)
    private mutating func readExponent() throws(JSONError) -> Int {
        var isNegative = false
        if let sign = peek(), sign == 0x2B || sign == 0x2D {
            isNegative = sign == 0x2D
            position &+= 1
        }
        let start = position
        var exponent = 0
        while let next = peek(), next &- 0x30 <= 9 {
            exponent = min(exponent &* 10 &+ Int(next &- 0x30), 1_000_000)
            position &+= 1
        }
        guard position > start else { throw missingDigit() }
        return isNegative ? -exponent : exponent
    }

    private func missingDigit() -> JSONError {
        fault(position < span.byteCount ? .expected("a digit") : .endsBefore("a digit"), at: position)
    }

    @_lifetime(self: copy self)
    private mutating func readNegativeInfinity() throws(JSONError) -> Value {
        for letter in "Infinity".utf8 {
            guard try need("'Infinity'") == letter else {
                throw fault(.expected("a digit or 'Infinity'"), at: position)
            }
            position &+= 1
        }
        return .double(-.infinity)
    }

    private func integer(
        _ range: Range<Int>, _ magnitude: UInt64, digits: Int, isNegative: Bool
    ) throws(JSONError) -> Value {
        if isNegative, magnitude == 0, digits == 1 { return .double(-0.0) }
        if digits < 20 || (digits == 20 && fitsUInt64(range.upperBound - 20)) {
            if !isNegative { return Value(magnitude) }
            if magnitude <= 1 << 63 { return .int(Int64(truncatingIfNeeded: 0 &- magnitude)) }
        }
        return try nearestDouble(range)
    }

    /// Whether the 20 digits at an offset are at most 18446744073709551615.
    private func fitsUInt64(_ offset: Int) -> Bool {
        for (index, digit) in "18446744073709551615".utf8.enumerated() {
            let found = byte(at: offset + index)
            if found != digit { return found < digit }
        }
        return true
    }

    /// The double nearest to the number in a range of the text.
    private func nearestDouble(_ range: Range<Int>) throws(JSONError) -> Value {
        let text = range.count <= 1024 ? copy(range) : shortened(range)
        guard let number = Double(text), number.isFinite else { throw fault(.numberOutOfRange, at: range.lowerBound) }
        return .double(number)
    }

    private func copy(_ range: Range<Int>) -> String {
        span.extracting(range).withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// The same number with at most 801 significant digits, so that a hostile megabyte of digits costs linear time.
    ///
    /// No double, nor the middle of two neighbours, has more than 768 significant digits; of the digits
    /// behind, only whether one of them is not zero can decide the rounding.
    private func shortened(_ range: Range<Int>) -> String {
        var digits: [UInt8] = []
        var dropsNonZero = false
        var exponent = 0
        var hasPoint = false
        var offset = range.lowerBound
        if byte(at: offset) == 0x2D { offset += 1 }
        scan: while offset < range.upperBound {
            switch byte(at: offset) {
            case 0x2E: hasPoint = true
            case let digit where digit &- 0x30 <= 9:
                if digits.count < 800 {
                    if digit != 0x30 || !digits.isEmpty { digits.append(digit) }
                    if hasPoint { exponent -= 1 }
                } else {
                    dropsNonZero = dropsNonZero || digit != 0x30
                    if !hasPoint { exponent += 1 }
                }
            default: break scan  // the exponent
            }
            offset += 1
        }
        if offset < range.upperBound {
            var rest = JSONScanner(span, options)
            rest.position = offset + 1
            exponent += (try? rest.readExponent()) ?? 0
        }
        if digits.isEmpty { digits = [0x30] }
        if dropsNonZero {
            digits.append(0x31)
            exponent -= 1
        }
        let sign = byte(at: range.lowerBound) == 0x2D ? "-" : ""
        return "\(sign)\(String(decoding: digits, as: UTF8.self))e\(exponent)"
    }
}
