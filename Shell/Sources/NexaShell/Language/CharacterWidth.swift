import CLineEditor

/// How many terminal cells text takes, as the C library knows it. Needs the UTF-8 locale that `Shell` sets.
enum CharacterWidth {
    static func of(_ scalar: Unicode.Scalar) -> Int {
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7F ? 0 : 1 }
        return max(0, Int(nexa_character_width(wchar_t(bitPattern: scalar.value))))
    }

    /// Whether a terminal has something to show for a scalar; it is one of the rest of Unicode otherwise.
    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value >= 0x20 && scalar.value != 0x7F }
        return nexa_character_width(wchar_t(bitPattern: scalar.value)) >= 0
    }

    static func of(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + of($1) }
    }
}
