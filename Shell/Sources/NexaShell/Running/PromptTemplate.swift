/// What PROMPT1 describes.
enum PromptTemplate {
    /// Who is connected where.
    struct Server: Sendable, Equatable {
        var user: String
        /// `host:port`, or a folder.
        var name: String
    }

    /// A longer prompt is cut.
    static let maximumCharacters = 200

    /// Fills `%/` (database), `%c` (collection), `%n` (user), `%m` (server), `%x` (`*` in a transaction)
    /// and `%%` in; others stay as they are.
    ///
    /// The result is one line, without control characters, and ends with a blank.
    static func text(_ template: String, _ location: Location, _ server: Server) -> String {
        var text = ""
        var isMark = false
        for character in template {
            guard isMark else {
                if character == "%" { isMark = true } else { text.append(character) }
                continue
            }
            isMark = false
            switch character {
            case "/": text += location.database
            case "c": text += location.collection ?? ""
            case "n": text += server.user
            case "m": text += server.name
            case "x": text += location.isInTransaction ? "*" : ""
            case "%": text += "%"
            default: text += "%\(character)"
            }
        }
        if isMark { text += "%" }
        let line = TerminalText.harmless(String(text.prefix(maximumCharacters)))
            .replacing("\n", with: " ").replacing("\t", with: " ")
        return line.hasSuffix(" ") ? line : line + " "
    }
}
