import NexaValue

extension KeyInterval {
    /// The interval as a person reads it, such as `[5, 10)`.
    public var description: String {
        let (low, isLowInside) = KeyDescription.bound(lower, isLower: true)
        if isPoint { return "[\(low), \(low)]" }
        let (high, isHighInside) = KeyDescription.bound(upper, isLower: false)
        return "\(isLowInside ? "[" : "(")\(low), \(high)\(isHighInside ? "]" : ")")"
    }
}

/// Reads encoded keys back, as far as a person needs it.
private enum KeyDescription {
    /// The bound, and whether it belongs to the interval.
    static func bound(_ key: [UInt8], isLower: Bool) -> (String, Bool) {
        guard let tag = key.first else { return ("least", true) }
        if key.count == 1 {
            if tag == OrderedEncoding.null { return ("null", isLower) }
            if tag == OrderedEncoding.emptyArray { return ("[]", isLower) }
            // The first or the last of a kind.
            let kinds: [UInt8: String] = [
                0x10: "numbers", 0x20: "strings", 0x30: "documents", 0x40: "arrays", 0x50: "binary data",
                0x60: "booleans", 0x70: "timestamps", 0x80: "extensions"
            ]
            if isLower, let kind = kinds[tag] { return ("least of \(kind)", true) }
            if !isLower, let kind = kinds[tag & 0xF0] { return ("all \(kind)", tag & 0x0F != 0) }
            return (tag >= 0x90 ? "greatest" : "…", true)
        }
        if let text = value(key) { return (text, isLower) }
        // The end of what begins with a value is written as that value, which is inside or outside.
        if let text = value(before(key)) { return (text, !isLower) }
        return ("…", true)
    }

    private static func before(_ key: [UInt8]) -> [UInt8] {
        var key = key
        if let last = key.last, last > 0 { key[key.count - 1] = last - 1 }
        // Trailing FF were dropped by `prefixEnd`; numbers have eight bytes.
        if key.first == 0x10 { while key.count < 9 { key.append(0xFF) } }
        return key
    }

    private static func value(_ key: [UInt8]) -> String? {
        switch key.first {
        case 0x10: return number(key)
        case 0x20: return text(key)
        case 0x60: return key.count == 2 && key[1] <= 1 ? (key[1] == 1 ? "true" : "false") : nil
        case 0x70:
            guard key.count == 13 else { return nil }
            let seconds = Int64(bitPattern: integer(key[1..<9]) ^ 1 << 63)
            return "timestamp(\(seconds))"
        case 0x30: return "document"
        case 0x40: return "array"
        case 0x50: return "binary"
        default: return nil
        }
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    private static func number(_ key: [UInt8]) -> String? {
        guard key.count == 9 || key.count == 11 else { return nil }
        let bits = integer(key[1..<9])
        if bits == 0 { return "NaN" }
        let double = Double(bitPattern: bits >> 63 == 1 ? bits & ~(1 << 63) : ~bits)
        guard double.magnitude < 0x1p53 else { return "\(double)" }
        if let integer = Int64(exactly: double) { return "\(integer)" }
        return "\(double)"
    }

    private static func text(_ key: [UInt8]) -> String? {
        var body = key.dropFirst()
        if body.suffix(2) == [0, 0] { body = body.dropLast(2) }
        let shown = body.prefix(60).filter { $0 != 0 }
        return "\"\(String(decoding: shown, as: UTF8.self))\(body.count > 60 ? "…" : "")\""
    }
}
