/// Finds out what all texts begin with that match a pattern, so that an index on strings need only be read there.
enum PatternPrefix {
    /// The literal text behind `^`, as far as it goes; `nil` for a pattern that begins otherwise or has alternatives.
    ///
    /// - Returns: the prefix in UTF-8, and whether nothing stands behind it.
    static func find(in pattern: String, options: String) -> (prefix: [UInt8]?, isAll: Bool) {
        // With `i` the case is open, with `m` the start is that of any line, with `x` blanks mean nothing.
        guard options.allSatisfy({ $0 == "s" }) else { return (nil, false) }
        let scalars = Array(pattern.unicodeScalars)
        guard scalars.first == "^", !scalars.contains("|") else { return (nil, false) }
        var literal: [Unicode.Scalar] = []
        var position = 1
        while position < scalars.count {
            var scalar = scalars[position]
            var next = position + 1
            if scalar == "\\" {
                // A sign that is escaped stands for itself; a letter or a digit means something.
                guard next < scalars.count, isSign(scalars[next]) else { break }
                scalar = scalars[next]
                next += 1
            } else if "^$.[()*+?{".unicodeScalars.contains(scalar) {
                break
            }
            literal.append(scalar)
            position = next
        }
        var isAll = position == scalars.count
        if position < scalars.count, "*+?{".unicodeScalars.contains(scalars[position]), !literal.isEmpty {
            // The last sign is repeated, or may be missing.
            literal.removeLast()
            isAll = false
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: literal)
        return literal.isEmpty ? (nil, false) : (Array(String(text).utf8), isAll)
    }

    private static func isSign(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && scalar.value > 0x20 && !scalar.properties.isAlphabetic
            && !("0"..."9").contains(Character(scalar))
    }
}
