import NexaValue

/// Reads rows of CSV or TSV as documents: the columns name the fields, a dotted name means a field of a document within.
struct DelimitedParser: Sendable {
    /// What the cells of a column are.
    enum ColumnType: String, Sendable, CaseIterable {
        /// What the text looks like; see `DelimitedValue`.
        case auto
        case string, int, double, bool, date, json
    }

    private struct Column {
        var name: String
        var isPath: Bool
        var type: ColumnType
    }

    private let dialect: DelimitedWriter.Dialect
    private let columns: [Column]
    private let nullText: [UInt8]

    /// Reads the line that names the columns.
    ///
    /// - Throws: a fault when a name is missing or stands twice, or a type is given for a column that is not there.
    init(
        _ dialect: DelimitedWriter.Dialect, header: ArraySlice<UInt8>, types: [String: ColumnType]
    ) throws(RecordParser.Fault) {
        self.dialect = dialect
        nullText = DelimitedWriter(dialect).nullText
        var columns: [Column] = []
        var reader = CellReader(header, dialect)
        var seen: Set<String> = []
        while let cell = try reader.next() {
            let name = String(decoding: cell.text, as: UTF8.self)
            guard !name.isEmpty else {
                throw RecordParser.Fault(
                    message: "column \(columns.count + 1) has no name", offset: cell.offset - header.startIndex)
            }
            guard seen.insert(name).inserted else {
                throw RecordParser.Fault(
                    message: "two columns are called '\(name)'", offset: cell.offset - header.startIndex)
            }
            columns.append(Column(name: name, isPath: name.utf8.contains(0x2E), type: types[name] ?? .auto))
        }
        for name in types.keys.sorted() where !seen.contains(name) {
            throw RecordParser.Fault(message: "--types names '\(name)', and there is no such column")
        }
        self.columns = columns
    }

    /// The document of a row.
    func document(_ row: ArraySlice<UInt8>) throws(RecordParser.Fault) -> Document {
        var document = Document()
        var reader = CellReader(row, dialect)
        var count = 0
        while let cell = try reader.next() {
            guard count < columns.count else {
                throw RecordParser.Fault(
                    message: "there are more cells than the \(columns.count) columns",
                    offset: cell.offset - row.startIndex)
            }
            let column = columns[count]
            count += 1
            guard let value = try value(of: cell, column, row) else { continue }
            if column.isPath {
                document.setNested(value, at: column.name.split(separator: ".", omittingEmptySubsequences: false)[...])
            } else {
                document[column.name] = .some(value)
            }
        }
        guard count == columns.count else {
            throw RecordParser.Fault(
                message: "there are \(count) cells for \(columns.count) columns", offset: row.count)
        }
        return document
    }

    private func value(
        of cell: CellReader.Cell, _ column: Column, _ row: ArraySlice<UInt8>
    ) throws(RecordParser.Fault) -> Value? {
        guard column.type != .auto else {
            return DelimitedValue.infer(cell.text, isQuoted: cell.isQuoted, nullText: nullText)
        }
        if cell.text.isEmpty, !cell.isQuoted { return nil }
        if cell.isNull || (column.type != .string && !cell.isQuoted && cell.text.elementsEqual(nullText)) {
            return .some(.null)
        }
        guard let value = Self.typed(cell.text, column.type) else {
            let text = String(decoding: cell.text.prefix(40), as: UTF8.self)
            throw RecordParser.Fault(
                message: "\(column.name): '\(text)' is no \(column.type.rawValue)", offset: cell.offset - row.startIndex
            )
        }
        return value
    }

    private static func typed(_ text: ArraySlice<UInt8>, _ type: ColumnType) -> Value? {
        switch type {
        case .auto, .string: return DelimitedValue.text(text)
        case .int:
            if case .double? = DelimitedValue.number(text) { return Optional<Value>.none }
            return DelimitedValue.number(text)
        case .double: return DelimitedValue.number(text)?.double.map(Value.double)
        case .bool:
            switch String(decoding: text, as: UTF8.self).lowercased() {
            case "true", "1", "t", "yes": return .bool(true)
            case "false", "0", "f", "no": return .bool(false)
            default: return Optional<Value>.none
            }
        case .date:
            return DelimitedValue.time(text) ?? DelimitedValue.time((Array(text) + Array("T00:00:00Z".utf8))[...])
        case .json: return try? JSON.decode(Array(text), JSON.Options(readsExtendedForms: true))
        }
    }
}

extension Document {
    /// The value at a path of field names.
    func nested(at path: ArraySlice<Substring>) -> Value? {
        guard let first = path.first, let value = self[String(first)] else { return nil }
        return path.count == 1 ? value : value.document?.nested(at: path.dropFirst())
    }

    /// Sets a value at a path of field names; documents on the way are made.
    mutating func setNested(_ value: Value, at path: ArraySlice<Substring>) {
        guard let first = path.first.map(String.init) else { return }
        guard path.count > 1 else {
            self[first] = .some(value)
            return
        }
        var inner = self[first]?.document ?? Document()
        inner.setNested(value, at: path.dropFirst())
        self[first] = .some(.document(inner))
    }
}

/// Takes the cells of one row, one after the other.
struct CellReader {
    /// One cell, its protection taken off.
    struct Cell {
        var text: ArraySlice<UInt8>
        var isQuoted = false
        /// `\N` of TSV.
        var isNull = false
        /// Where it begins in the row's bytes.
        var offset: Int
    }

    private let row: ArraySlice<UInt8>
    private let dialect: DelimitedWriter.Dialect
    private var position: Int
    private var isAtEnd = false

    init(_ row: ArraySlice<UInt8>, _ dialect: DelimitedWriter.Dialect) {
        self.row = row
        self.dialect = dialect
        position = row.startIndex
    }

    /// The next cell, or `nil` behind the last one.
    mutating func next() throws(RecordParser.Fault) -> Cell? {
        guard !isAtEnd else { return nil }
        return dialect == .csv ? try nextOfCSV() : nextOfTSV()
    }

    private mutating func nextOfCSV() throws(RecordParser.Fault) -> Cell {
        let start = position
        guard position < row.endIndex, row[position] == 0x22 else {
            let end = row[position...].firstIndex(of: 0x2C) ?? row.endIndex
            leave(at: end)
            return Cell(text: row[start..<end], offset: start)
        }
        position += 1
        var parts: [UInt8] = []
        while true {
            guard let quote = row[position...].firstIndex(of: 0x22) else {
                throw RecordParser.Fault(message: "expected a closing quote", offset: start - row.startIndex)
            }
            let isDoubled = quote + 1 < row.endIndex && row[quote + 1] == 0x22
            if isDoubled {
                parts += row[position...quote]
                position = quote + 2
                continue
            }
            let isSimple = parts.isEmpty
            if !isSimple { parts += row[position..<quote] }
            let text = isSimple ? row[position..<quote] : parts[...]
            guard quote + 1 == row.endIndex || row[quote + 1] == 0x2C else {
                throw RecordParser.Fault(
                    message: "expected ',' behind the closing quote", offset: quote + 1 - row.startIndex)
            }
            leave(at: quote + 1)
            return Cell(text: text, isQuoted: true, offset: start)
        }
    }

    private mutating func nextOfTSV() -> Cell {
        let start = position
        let end = row[position...].firstIndex(of: 0x09) ?? row.endIndex
        leave(at: end)
        let text = row[start..<end]
        guard text.contains(0x5C) else { return Cell(text: text, offset: start) }
        if text.elementsEqual([0x5C, 0x4E]) { return Cell(text: text, isNull: true, offset: start) }
        var unescaped: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            index += 1
            guard byte == 0x5C, index < text.endIndex else {
                unescaped.append(byte)
                continue
            }
            switch text[index] {
            case 0x74: unescaped.append(0x09)
            case 0x6E: unescaped.append(0x0A)
            case 0x72: unescaped.append(0x0D)
            case 0x5C: unescaped.append(0x5C)
            default: unescaped += [0x5C, text[index]]
            }
            index += 1
        }
        return Cell(text: unescaped[...], offset: start)
    }

    private mutating func leave(at end: Int) {
        isAtEnd = end >= row.endIndex
        position = min(end + 1, row.endIndex)
    }
}
