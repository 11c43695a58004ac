import Glibc
import NexaValue

/// A value as the text of one cell.
enum CellText {
    /// Text as it is; a point in time in RFC 3339; everything else as compact JSON.
    static func plain(_ value: Value, _ options: JSON.EncodingOptions) throws(ShellError) -> String {
        switch value {
        case .string(let text): return text
        default:
            var bytes: [UInt8] = []
            try appendJSON(value, to: &bytes, options)
            if case .timestamp = value { bytes = Array(bytes.dropFirst().dropLast()) }  // its quotes
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// The same, but a long list of numbers, which is a vector as a rule, shows its first two and its length:
    /// `[0.9, 0.15, … 1536]`.
    static func short(_ value: Value, _ options: JSON.EncodingOptions) throws(ShellError) -> String {
        switch value {
        case .vector(let components) where components.count > longestShown:
            return "[\(components[0]), \(components[1]), … \(components.count)]"
        case .array(let values) where values.count > longestShown && values.allSatisfy({ number($0) != nil }):
            return "[\(number(values[0]) ?? ""), \(number(values[1]) ?? ""), … \(values.count)]"
        case .array(let values) where containsVector(value):
            var parts: [String] = []
            for value in values { parts.append(try quoted(value, options)) }
            return "[\(parts.joined(separator: ","))]"
        case .document(let document) where containsVector(value):
            var parts: [String] = []
            for (key, value) in document {
                parts.append(try quoted(.string(key), options) + ":" + (try quoted(value, options)))
            }
            return "{\(parts.joined(separator: ","))}"
        default: return try plain(value, options)
        }
    }

    /// The field in which the shell gives how similar a document is: digits that people look at.
    static let similarity = "_similarity"

    /// A similarity with four digits: `0.9753`, `1.234e-05`.
    static func similarity(_ value: Double) -> String {
        let size = abs(value)
        guard size.isFinite, size > 1e-12, size < 1e6 else { return "\(value)" }
        let scale = pow(10, max(0, 4 - log10(size).rounded(.up)))
        return "\((value * scale).rounded() / scale)"
    }

    /// Lists of numbers with up to so many are shown whole.
    private static let longestShown = 8

    /// As `short`, but text in its quotes, as it stands inside of lists and documents.
    private static func quoted(_ value: Value, _ options: JSON.EncodingOptions) throws(ShellError) -> String {
        switch value {
        case .array, .document, .vector: return try short(value, options)
        default:
            var bytes: [UInt8] = []
            try appendJSON(value, to: &bytes, options)
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private static func containsVector(_ value: Value) -> Bool {
        switch value {
        case .vector(let components): components.count > longestShown
        case .array(let values):
            values.count > longestShown && values.allSatisfy { number($0) != nil }
                || values.contains(where: containsVector)
        case .document(let document): document.contains { containsVector($0.value) }
        default: false
        }
    }

    /// A number without the digits that a 32-bit float gains when it is read as a double.
    private static func number(_ value: Value) -> String? {
        switch value {
        case .int(let number): "\(number)"
        case .uint(let number): "\(number)"
        case .double(let number): Double(Float(number)) == number ? "\(Float(number))" : "\(number)"
        default: nil
        }
    }
}

/// The content of a cell of a table: text that stays on its line, and its width on a terminal.
struct Cell: Equatable {
    private(set) var text: String
    private(set) var width: Int
    /// Whether some of the text is not shown.
    private(set) var isCut = false

    static let empty = Cell("")

    /// Makes text harmless: controls are escaped, line breaks and tabs too. What is beyond `limit` cells is cut.
    init(_ content: String, limit: Int = .max) {
        if content.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
            text = content
            width = content.utf8.count
            if width > limit { cut(to: limit) }
            return
        }
        text = ""
        width = 0
        for character in content {
            let shown = Self.shown(character)
            text += shown
            width += CharacterWidth.of(shown)
            if width > limit {
                cut(to: limit)
                isCut = true
                return
            }
        }
    }

    /// A character as it may be shown: controls and what the terminal has no glyph for are escaped.
    ///
    /// The joiners and selectors of emoji are left out: terminals do not agree on how wide joined emoji are, but all of
    /// them agree on the parts.
    private static func shown(_ character: Character) -> String {
        var text = ""
        let scalars = character.unicodeScalars
        let isEmoji = scalars.count > 1 && (scalars.first?.properties.isEmoji ?? false)
        for scalar in scalars {
            if TerminalText.isForbidden(scalar) || !CharacterWidth.isPrintable(scalar) {
                text += TerminalText.escaped(scalar)
            } else if !(isEmoji && (scalar == "\u{FE0F}" || scalar == "\u{200D}")) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// Shortens to a width, with `…` in the last cell. The width must be at least 1.
    mutating func cut(to limit: Int) {
        guard width > limit else { return }
        var kept = ""
        var taken = 0
        for character in text {
            let next = CharacterWidth.of(String(character))
            if taken + next > limit - 1 { break }
            kept.append(character)
            taken += next
        }
        text = kept + "…"
        width = taken + 1
        isCut = true
    }

    /// The text with blanks to a width.
    func padded(to width: Int, alignsRight: Bool = false) -> String {
        let blanks = String(repeating: " ", count: max(0, width - self.width))
        return alignsRight ? blanks + text : text + blanks
    }
}
