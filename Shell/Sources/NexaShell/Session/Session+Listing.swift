import NexaValue

/// What commands other than `query` show: lines and tables for a person, documents for programs.
extension Session {
    /// A list that a command makes.
    ///
    /// - Parameters:
    ///   - head: the `✓` line for people, above the table.
    ///   - empty: the `⚠` line for people when there is nothing.
    ///   - columns: the names of the columns of the table for people.
    ///   - rows: its cells.
    ///   - documents: the same for programs.
    func list(
        _ head: String, empty: String, columns: [String], rows: [[String]],
        documents: @autoclosure () -> [Document]
    ) throws(ShellError) {
        guard console.presentation.format == .pretty else { return try list(documents()) }
        if rows.isEmpty { return try show { (console) throws(OutputError) in try console.warning(empty) } }
        try show { (console) throws(OutputError) in try console.success(head) }
        try print(rows: rows.map { $0.map(Value.string) }, columns: columns)
    }

    /// Documents that are none of the database, and that need not have the same fields.
    private func list(_ documents: [Document]) throws(ShellError) {
        var keys: [String] = []
        for document in documents {
            for key in document.keys where !keys.contains(key) { keys.append(key) }
        }
        var printer = DocumentPrinter(console, .rows, columns: .keys(keys))
        for document in documents { try printer.print(document) }
        try printer.finish()
    }

    /// One thing: `lines` for people, `document` for programs.
    func presentOne(
        _ document: @autoclosure () -> Document, _ lines: (Console) throws(OutputError) -> Void
    ) throws(ShellError) {
        if console.presentation.format == .pretty { return try show(lines) }
        try DocumentPrinter.printSingle(.document(document()), console)
    }

    /// The counts of a change, for programs; people have seen the `✓` line.
    func printForPrograms(_ fields: Document) throws(ShellError) {
        switch console.presentation.format {
        case .pretty, .ids: return
        case .json, .ndjson: break
        case .table, .vertical, .csv, .tsv, .toon: if console.presentation.mode == .interactive { return }
        }
        try DocumentPrinter.printSingle(.document(fields), console)
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
