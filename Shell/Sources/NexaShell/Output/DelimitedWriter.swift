import NexaValue

/// Writes documents as rows of CSV (RFC 4180, lines end in LF) or of TSV.
///
/// What is read back by `import` is what was written: a cell of CSV stands in quotes when it has to (`,`, `"`, a line
/// end), when its text would be taken for a number, a boolean, a point in time or `null`, and when it is empty text.
/// A field that a document lacks is an empty cell, null is `null` (`\N` in TSV), documents, arrays and binary data are
/// their JSON. TSV has no quotes: `\t`, `\n`, `\r` and `\\` stand for those characters, and text that looks like a number
/// is not told from one.
struct DelimitedWriter: Sendable {
    /// What separates the cells, and how they are protected.
    enum Dialect: Sendable, Equatable {
        case csv
        case tsv
    }

    let dialect: Dialect
    /// What stands for null.
    let nullText: [UInt8]

    init(_ dialect: Dialect, nullText: String? = nil, sortsKeys: Bool = false) {
        self.dialect = dialect
        json = JSON.EncodingOptions(sortsKeys: sortsKeys, extendedJSON: .relaxed)
        self.nullText = [UInt8]((nullText ?? (dialect == .csv ? "null" : "\\N")).utf8)
    }

    private var separator: UInt8 { dialect == .csv ? UInt8(ascii: ",") : UInt8(ascii: "\t") }
    /// How documents and arrays are written.
    private let json: JSON.EncodingOptions

    /// Appends the line that names the columns.
    func appendHeader(_ columns: [String], to bytes: inout [UInt8]) {
        for (index, column) in columns.enumerated() {
            if index > 0 { bytes.append(separator) }
            append(text: column, isPlain: true, to: &bytes)
        }
        bytes.append(0x0A)
    }

    /// Appends a document as a row; columns may be dotted paths.
    ///
    /// - Throws: `JSONEncodingError` for a value that nests too deep.
    func appendRow(_ document: Document, _ columns: [String], to bytes: inout [UInt8]) throws(JSONEncodingError) {
        let start = bytes.count
        for (index, column) in columns.enumerated() {
            if index > 0 { bytes.append(separator) }
            let value = document[column] ?? (column.utf8.contains(0x2E) ? document.value(at: column) : Value?.none)
            if let value { try append(value, to: &bytes) }
        }
        // An empty line would be passed over when it is read.
        if bytes.count == start, dialect == .csv { bytes += [0x22, 0x22] }
        bytes.append(0x0A)
    }

    private func append(_ value: Value, to bytes: inout [UInt8]) throws(JSONEncodingError) {
        switch value {
        case .null: bytes += nullText
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .int(let value): bytes += String(value).utf8
        case .uint(let value): bytes += String(value).utf8
        case .string(let text): append(text: text, isPlain: false, to: &bytes)
        case .timestamp, .double(_), .vector, .bytes, .array, .document, .extended:
            var encoded: [UInt8] = []
            if case .timestamp = value {
                try JSON.append(value, to: &encoded)
                encoded = Array(encoded.dropFirst().dropLast())  // its text, without the quotes of JSON
                bytes += encoded
            } else {
                try JSON.append(value, to: &encoded, json)
                protect(encoded, isPlain: true, to: &bytes)
            }
        }
    }

    private func append(text: String, isPlain: Bool, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { protect($0, isPlain: isPlain, to: &bytes) }
    }

    /// - Parameter isPlain: whether the cell needs no quotes to keep its kind.
    private func protect(_ text: some BidirectionalCollection<UInt8>, isPlain: Bool, to bytes: inout [UInt8]) {
        guard dialect == .csv else {
            for byte in text {
                switch byte {
                case 0x09: bytes += [0x5C, 0x74]
                case 0x0A: bytes += [0x5C, 0x6E]
                case 0x0D: bytes += [0x5C, 0x72]
                case 0x5C: bytes += [0x5C, 0x5C]
                default: bytes.append(byte)
                }
            }
            return
        }
        let isSpecial = text.contains { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }
        // A byte order mark at the front of a file would be lost, and blanks at an end often are.
        let isOdd = text.first == 0xEF || text.first == 0x20 || text.last == 0x20
        guard isSpecial || isOdd || (!isPlain && (text.isEmpty || !isUnmistakable(text))) else {
            bytes += text
            return
        }
        bytes.append(0x22)
        for byte in text {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }

    /// Whether the text would be read back as text when it stands without quotes.
    private func isUnmistakable(_ text: some Collection<UInt8>) -> Bool {
        guard let first = text.first else { return false }
        switch first {
        case 0x30...0x39, 0x2D, 0x5B, 0x7B, UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"): break
        default: return !nullText.elementsEqual(text)
        }
        let cell = Array(text.prefix(500))[...]
        return first != 0x5B && first != 0x7B && DelimitedValue.scalar(cell) == nil && !nullText.elementsEqual(cell)
    }
}
