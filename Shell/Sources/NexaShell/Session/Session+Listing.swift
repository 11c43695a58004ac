import NexaValue

/// What commands other than `query` show: lines for a person, documents for programs.
extension Session {
    /// Shows `documents` in the formats that programs read, and what `lines` writes in the one for people.
    func present(
        _ documents: @autoclosure () -> [Document], _ lines: (Console) throws(OutputError) -> Void
    ) throws(ShellError) {
        if console.presentation.format == .pretty { return try show(lines) }
        var printer = DocumentPrinter(console)
        for document in documents() { try printer.print(document) }
        try printer.finish()
    }

    /// As `present`, for one thing.
    func presentOne(
        _ document: @autoclosure () -> Document, _ lines: (Console) throws(OutputError) -> Void
    ) throws(ShellError) {
        if console.presentation.format == .pretty { return try show(lines) }
        try DocumentPrinter.printSingle(.document(document()), console)
    }
}

/// Lines of text whose parts stand below each other.
enum Columns {
    /// Pads every part but the last to the widest of its column; two blanks stand between parts.
    static func aligned(_ rows: [[String]], indent: Int = 2) -> [String] {
        var widths: [Int] = []
        for row in rows {
            for (column, text) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], CharacterWidth.of(text))
            }
        }
        return rows.map { row in
            var line = String(repeating: " ", count: indent)
            for (column, text) in row.enumerated() {
                line += text
                guard row[(column + 1)...].contains(where: { !$0.isEmpty }) else { break }
                line += String(repeating: " ", count: widths[column] - CharacterWidth.of(text) + 2)
            }
            return line
        }
    }
}

extension Amount {
    /// `1,203`: a number with its thousands apart.
    static func grouped(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var text = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }

    /// `512 B`, `34 kB`, `1.2 MB`.
    static func bytes(_ value: Int) -> String { short(Double(value)) + "B" }

    /// `0.41 ms`, `12.3 ms`, `1.2 s`.
    static func duration(_ value: Duration) -> String {
        let milliseconds = value.milliseconds
        if milliseconds >= 1000 { return seconds(milliseconds / 1000) }
        let factor = milliseconds < 10 ? 100.0 : 10
        return "\((milliseconds * factor).rounded() / factor) ms"
    }

    /// `98 %`; what is not quite all is never 100 %, and what is not quite nothing never 0 %.
    static func share(_ part: Int, of whole: Int) -> String {
        guard whole > 0, part > 0 else { return "0 %" }
        if part >= whole { return "100 %" }
        return "\(min(99, max(1, Int((Double(part) / Double(whole) * 100).rounded())))) %"
    }
}
