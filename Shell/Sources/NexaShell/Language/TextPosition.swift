/// Where a byte of a text stands: line and column from 1, the column in Unicode scalars.
struct TextPosition: Sendable, Equatable {
    var line: Int
    var column: Int

    init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// The position of a byte offset.
    init(of offset: Int, in text: String) {
        line = 1
        column = 1
        for byte in text.utf8.prefix(offset) {
            if byte == 0x0A {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
    }

    /// The text's line and, below it, a caret under the column; both indented by two blanks.
    ///
    /// A long line is shown as the 60 columns around the caret.
    func pointer(in text: String) -> [String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard line <= lines.count else { return [] }
        let scalars = Array(lines[line - 1].unicodeScalars)
        let caret = min(column - 1, scalars.count)
        let first = scalars.count <= 76 ? 0 : max(0, min(caret - 40, scalars.count - 76))
        let last = min(scalars.count, first + 76)
        var shown = first > 0 ? "…" : ""
        var indent = first > 0 ? 1 : 0
        for (index, scalar) in scalars[first..<last].enumerated() {
            let visible = scalar.properties.generalCategory == .control ? " " : scalar
            shown.unicodeScalars.append(visible)
            if first + index < caret { indent += CharacterWidth.of(visible) }
        }
        if last < scalars.count { shown += "…" }
        return ["  " + shown, "  " + String(repeating: " ", count: indent) + "^"]
    }
}
