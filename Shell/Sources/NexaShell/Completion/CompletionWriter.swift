/// Writes a candidate as its place wants it: with quotes, escapes and what follows.
struct CompletionWriter {
    private let style: CompletionContext.Style
    private let behind: String

    /// - Parameter behind: the text behind the cursor; what it has already is not written again.
    init(_ style: CompletionContext.Style, behind: String) {
        self.style = style
        self.behind = behind
    }

    /// The only candidate: a key gets its colon, a word a blank, a folder a slash, text in quotes nothing.
    func whole(_ candidate: CompletionCandidate) -> String {
        switch style {
        case .word(let quote):
            let quote = quote ?? (Self.needsQuotes(candidate.text) ? 0x22 : nil)
            if candidate.kind == .folder { return Self.opened(candidate.text, quote) + "/" }
            return Self.opened(candidate.text, quote) + end(quote) + (behind.hasPrefix(" ") ? "" : " ")
        case .key(let quote):
            let quote = quote ?? (Self.isBareKey(candidate.text) ? nil : 0x22)
            let rest = behind.drop { quote != nil && String($0).utf8.first == quote }.drop(while: \.isWhitespace)
            return Self.opened(candidate.text, quote, isJSON: true) + end(quote) + (rest.first == ":" ? "" : ": ")
        case .plain: return candidate.text + (candidate.kind == .folder ? "/" : "")
        case .value(nil) where candidate.kind == .literal: return candidate.text
        case .value(nil): return Self.opened(candidate.text, 0x22, isJSON: true) + "\""
        case .value(let quote): return Self.opened(candidate.text, quote, isJSON: true)
        }
    }

    /// What several candidates have in common.
    func part(_ common: String, of candidates: [CompletionCandidate]) -> String {
        switch style {
        case .word(let quote):
            // A quote that one of them will need is opened now.
            let needs = candidates.contains { Self.needsQuotes($0.text) } && Self.needsQuotes(common)
            return Self.opened(common, quote ?? (needs ? 0x22 : nil))
        case .key(let quote): return Self.opened(common, quote ?? (Self.isBareKey(common) ? nil : 0x22), isJSON: true)
        case .plain: return common
        case .value(nil) where candidates.allSatisfy({ $0.kind == .literal }): return common
        case .value(let quote): return Self.opened(common, quote ?? 0x22, isJSON: true)
        }
    }

    /// The closing quote, unless it is there.
    private func end(_ quote: UInt8?) -> String {
        guard let quote, behind.utf8.first != quote else { return "" }
        return String(Character(Unicode.Scalar(quote)))
    }

    private static func opened(_ text: String, _ quote: UInt8?, isJSON: Bool = false) -> String {
        guard let quote else { return text }
        var result = String(Character(Unicode.Scalar(quote)))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case _ where scalar.value == UInt32(quote): result += "\\\(scalar)"
            case "\n" where isJSON: result += "\\n"
            case "\t" where isJSON: result += "\\t"
            case _ where isJSON && (scalar.value < 0x20 || scalar.value == 0x7F):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Whether a word would be read as something else without quotes.
    private static func needsQuotes(_ text: String) -> Bool {
        guard let first = text.utf8.first else { return false }
        return text.utf8.contains { NestingScan.isBlank($0) || $0 == 0x3B } || "\"'{[".utf8.contains(first)
    }

    /// Whether relaxed JSON reads a key without quotes.
    private static func isBareKey(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x24, 0x2E, 0x2D, 0x80...: true
            default: false
            }
        }
    }
}
