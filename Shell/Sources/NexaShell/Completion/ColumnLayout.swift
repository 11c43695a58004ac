/// Sets names in columns, downwards, as `ls` does.
enum ColumnLayout {
    /// Lines of at most `width` cells; names that are longer are cut.
    static func lines(_ names: [String], width: Int) -> [String] {
        let shown = names.map { cut(TerminalText.harmless($0), max(1, width - 1)) }
        let widths = shown.map(CharacterWidth.of)
        let widest = (widths.max() ?? 0) + 2
        let columns = max(1, (width + 1) / widest)
        let rows = (shown.count + columns - 1) / columns
        return (0..<rows).map { row in
            var line = ""
            for index in stride(from: row, to: shown.count, by: rows) {
                line += shown[index]
                if index + rows < shown.count { line += String(repeating: " ", count: widest - widths[index]) }
            }
            return line
        }
    }

    private static func cut(_ text: String, _ width: Int) -> String {
        guard CharacterWidth.of(text) > width else { return text }
        var result = ""
        var used = 0
        for character in text {
            let next = CharacterWidth.of(String(character))
            if used + next > width - 1 { break }
            result.append(character)
            used += next
        }
        return result + "…"
    }
}
