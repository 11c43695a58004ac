import NexaValue

/// Columns between borders: `_id`, then the fields in the order of first sight.
///
/// The widths come from the first 500 documents. On a screen, later cells that are wider are cut and end in `…`, and the
/// last line says what was cut. Elsewhere nothing is ever cut: when a later document needs wider columns or has new
/// fields, the table ends and a wider one begins.
final class TableWriter: ResultWriter {
    private struct Column {
        var name: String
        var title: Cell
        var width: Int
        var holdsNumbers = true
        var isEmpty = true
    }

    /// As many documents decide about the widths, unless they take more bytes than `sampleBytes`.
    static let sampleCount = 500
    static let sampleBytes = 4 << 20

    private let style: ResultStyle
    private let options: JSON.EncodingOptions
    /// The most cells a line may take; `nil`: nothing is cut.
    private let limit: Int?
    private let lines: Borders
    private var columns: [Column] = []
    private var places: [String: Int] = [:]
    /// The documents that decide about the widths, until they have done so.
    private var sample: [Document]? = []
    private var sampleSize = 0
    private var layout = TableLayout(natural: [], limit: nil)
    private var vertical: VerticalWriter?
    private var cutCount = 0
    private var cutColumns: Set<Int> = []
    private var lateFields: [String] = []
    private var hasLateFieldsBeyond = false

    init(_ style: ResultStyle) {
        self.style = style
        options = style.encoding()
        limit = style.shape.maximumWidth ?? style.target.screen.size?.columns
        lines = style.target.screen == .none ? .ascii : .box
        for name in style.columns.names ?? [] { add(name) }
    }

    private func add(_ name: String) {
        guard places[name] == nil else { return }
        places[name] = columns.count
        let title = Cell(name, limit: limit ?? .max)
        columns.append(Column(name: name, title: title, width: title.width))
    }

    // MARK: Documents

    func write(_ document: Document) throws(ShellError) {
        if let vertical { return try vertical.write(document) }
        if sample != nil {
            sample?.append(document)
            sampleSize += document.estimatedSize
            if let sample, sample.count >= Self.sampleCount || sampleSize >= Self.sampleBytes { try begin(sample) }
            return
        }
        try row(document)
    }

    func finish() throws(ShellError) {
        if let sample { try begin(sample) }
        if let vertical { return try vertical.finish() }
        if !columns.isEmpty { try send(border(.bottom)) }
        try tellCut()
    }

    /// Finds the columns and their widths, then writes the documents that waited.
    private func begin(_ documents: [Document]) throws(ShellError) {
        sample = nil
        if style.columns == .discovered { discover(documents) }
        guard !columns.isEmpty else { return }
        var rows: [[Cell]] = []
        for document in documents { rows.append(try cells(document, measure: true)) }
        layout = TableLayout(natural: columns.map(\.width), limit: limit)
        let natural = columns.reduce(1) { $0 + $1.width + 3 }
        if let limit, natural > limit, style.expansion == .auto {
            let vertical = VerticalWriter(style)
            self.vertical = vertical
            for document in documents { try vertical.write(document) }
            return
        }
        try open()
        for row in rows { try send(line(row)) }
    }

    /// What the server adds to each document stands last: it would push what people wrote from a narrow screen.
    private static let stamps = ["_created_at", "_updated_at"]

    private func discover(_ documents: [Document]) {
        if documents.contains(where: { $0["_id"] != nil }) { add("_id") }
        for document in documents {
            for (key, _) in document where !Self.stamps.contains(key) { add(key) }
        }
        for key in Self.stamps where documents.contains(where: { $0[key] != nil }) { add(key) }
    }

    private func row(_ document: Document) throws(ShellError) {
        if style.columns == .discovered {
            let known = columns.count
            for (key, _) in document where places[key] == nil {
                if limit == nil {
                    add(key)
                } else if lateFields.count < 100 {
                    if !lateFields.contains(key) { lateFields.append(key) }
                } else {
                    hasLateFieldsBeyond = true
                }
            }
            if columns.count > known { try reopen() }
        }
        let cells = try cells(document, measure: false)
        if limit == nil, zip(cells, layout.widths).contains(where: { $0.width > $1 }) {
            // Some room, so that growing values do not begin a new table each time.
            for (index, cell) in cells.enumerated() where cell.width > columns[index].width {
                columns[index].width = cell.width + cell.width / 4
            }
            try reopen()
        }
        try send(line(cells))
    }

    private func cells(_ document: Document, measure: Bool) throws(ShellError) -> [Cell] {
        var cells: [Cell] = []
        cells.reserveCapacity(columns.count)
        for index in columns.indices {
            let value = style.columns.value(columns[index].name, in: document)
            let cell = try cell(value, of: columns[index].name)
            if measure {
                columns[index].width = max(columns[index].width, cell.width)
                if let value, !value.isNull {
                    columns[index].isEmpty = false
                    if value.double == nil { columns[index].holdsNumbers = false }
                }
            }
            cells.append(cell)
        }
        return cells
    }

    private func cell(_ value: Value?, of column: String) throws(ShellError) -> Cell {
        guard let value else { return .empty }
        if value.isNull { return Cell(style.shape.nullText ?? "null", limit: limit ?? .max) }
        guard let limit else { return Cell(try CellText.plain(value, options)) }
        if column == CellText.similarity, case .double(let number) = value {
            return Cell(CellText.similarity(number), limit: limit)
        }
        return Cell(try CellText.short(value, options), limit: limit)
    }

    // MARK: Lines

    private func open() throws(ShellError) {
        try send(border(.top))
        if style.shape.hasHeader {
            try send(line(columns.map(\.title), isTitle: true))
            try send(border(.middle))
        }
    }

    /// Ends the table and begins one with the columns as they are now.
    private func reopen() throws(ShellError) {
        if !layout.widths.isEmpty { try send(border(.bottom)) }
        layout = TableLayout(natural: columns.map(\.width), limit: nil)
        try open()
    }

    private func border(_ place: Borders.Place) -> String {
        let parts = lines.parts(place)
        let bars = layout.widths.map { String(repeating: parts.bar, count: $0 + 2) }
        return parts.left + bars.joined(separator: parts.crossing) + parts.right
    }

    private func line(_ cells: [Cell], isTitle: Bool = false) -> String {
        var text = lines.upright
        for (index, width) in layout.widths.enumerated() {
            var cell = cells[index]
            cell.cut(to: width)
            if cell.isCut {
                if !isTitle { cutCount += 1 }
                cutColumns.insert(index)
            }
            let column = columns[index]
            let padded = cell.padded(to: width, alignsRight: column.holdsNumbers && !column.isEmpty)
            text += isTitle && style.target.isColoured ? " \u{1B}[1m\(padded)\u{1B}[0m " : " \(padded) "
            text += lines.upright
        }
        return text
    }

    private func send(_ line: String) throws(ShellError) {
        try attempt { () throws(OutputError) in try style.target.write(line + "\n") }
    }

    // MARK: What was cut

    private func tellCut() throws(ShellError) {
        var parts: [String] = []
        if !cutColumns.isEmpty {
            let names = cutColumns.sorted().map { columns[$0].title.text }
            parts.append("\(cutCount) cell\(cutCount == 1 ? "" : "s") of \(Self.list(names))")
        }
        let hidden = columns.suffix(layout.hidden).map(\.title.text) + lateFields.map { Cell($0).text }
        if !hidden.isEmpty {
            parts.append(
                "column\(hidden.count == 1 ? "" : "s") \(Self.list(hidden))\(hasLateFieldsBeyond ? " and more" : "")")
        }
        guard !parts.isEmpty, let limit else { return }
        let text = "… cut: \(parts.joined(separator: "; ")); \\last vertical shows all"
        for line in Self.wrapped(text, width: limit) { try style.remark(line) }
    }

    private static func list(_ names: [String]) -> String {
        names.count <= 12 ? names.joined(separator: ", ") : names.prefix(12).joined(separator: ", ") + ", …"
    }

    /// Breaks a text into lines at its blanks; a longer word is cut.
    static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [Cell] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.width + 1 + CharacterWidth.of(String(word)) <= width {
                lines[lines.count - 1] = Cell(last.text + " " + word)
            } else {
                lines.append(Cell(String(word), limit: max(1, width)))
            }
        }
        return lines.map(\.text)
    }
}

/// What the borders of a table are drawn with.
enum Borders {
    case ascii, box

    enum Place { case top, middle, bottom }

    var upright: String { self == .ascii ? "|" : "│" }

    func parts(_ place: Place) -> (left: String, bar: String, crossing: String, right: String) {
        guard self == .box else { return ("+", "-", "+", "+") }
        return switch place {
        case .top: ("┌", "─", "┬", "┐")
        case .middle: ("├", "─", "┼", "┤")
        case .bottom: ("└", "─", "┴", "┘")
        }
    }
}
