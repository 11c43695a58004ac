import NexaValue

/// Comma-separated values as RFC 4180 has them (with `\n` at the ends of lines), or values separated by tabs.
///
/// The columns are those of `--fields`, else all fields of the first 1,000 documents. A field that comes up later goes to
/// the extra column when there is one; otherwise the result ends with an error that names it, because a file that
/// silently lacks data is worse than none.
final class SeparatedWriter: ResultWriter {
    /// What stands between values, and how values that contain it are written.
    enum Separator { case commas, tabs }

    /// As many documents decide about the columns, unless they take more bytes than `TableWriter.sampleBytes`.
    static let sampleCount = 1000

    private let style: ResultStyle
    private let separator: Separator
    private let options: JSON.EncodingOptions
    private var names: [String] = []
    private var known: Set<String> = []
    private var sample: [Document]? = []
    private var sampleSize = 0
    private var buffer: [UInt8] = []
    /// Fields that have no column, in the order of first sight.
    private var lost: [String] = []

    init(_ style: ResultStyle, _ separator: Separator) {
        self.style = style
        self.separator = separator
        options = style.encoding()
    }

    func write(_ document: Document) throws(ShellError) {
        if style.columns != .discovered, sample != nil { try begin([]) }
        guard sample != nil else { return try line(document) }
        sample?.append(document)
        sampleSize += document.estimatedSize
        guard let sample, sample.count >= Self.sampleCount || sampleSize >= TableWriter.sampleBytes else { return }
        try begin(sample)
    }

    func finish() throws(ShellError) {
        if let sample { try begin(sample) }
        guard !lost.isEmpty else { return }
        let names = lost.map { "'\(TerminalText.harmless($0))'" }.joined(separator: ", ")
        var error = ShellError(
            "fields that came up after the header was written are missing: \(names)\(lost.count == 100 ? ", …" : "")",
            exit: .partial)
        error.hint = "Name the columns with --fields, or collect such fields with --extra-column NAME."
        throw error
    }

    /// Finds the columns, then writes the header and the documents that waited.
    private func begin(_ documents: [Document]) throws(ShellError) {
        sample = nil
        if let names = style.columns.names {
            self.names = names
        } else {
            if documents.contains(where: { $0["_id"] != nil }), known.insert("_id").inserted { names.append("_id") }
            for document in documents {
                for (key, _) in document where known.insert(key).inserted { names.append(key) }
            }
            if let extra = style.shape.extraColumn, known.contains(extra) {
                throw ShellError("--extra-column \(extra) is the name of a field; choose another")
            }
        }
        let header = names + (style.columns == .discovered ? style.shape.extraColumn.map { [$0] } ?? [] : [])
        if style.shape.hasHeader, !header.isEmpty {
            buffer.removeAll(keepingCapacity: true)
            for (index, name) in header.enumerated() {
                if index > 0 { buffer.append(separator == .commas ? 0x2C : 0x09) }
                append(name)
            }
            buffer.append(0x0A)
            try style.send(buffer)
        }
        for document in documents { try line(document) }
    }

    private func line(_ document: Document) throws(ShellError) {
        buffer.removeAll(keepingCapacity: true)
        var isFirst = true
        func next() {
            if !isFirst { buffer.append(separator == .commas ? 0x2C : 0x09) }
            isFirst = false
        }
        for name in names {
            next()
            try append(style.columns.value(name, in: document))
        }
        if style.columns == .discovered { try appendExtra(document, next) }
        // A lone empty value would be a blank line, which readers pass over.
        if separator == .commas, buffer.isEmpty { buffer += [0x22, 0x22] }
        buffer.append(0x0A)
        try style.send(buffer)
    }

    private func appendExtra(_ document: Document, _ next: () -> Void) throws(ShellError) {
        let extra = document.filter { !known.contains($0.key) }
        if style.shape.extraColumn != nil {
            next()
            if !extra.isEmpty { try append(.document(Document(extra.map { ($0.key, $0.value) }))) }
        } else {
            for (key, _) in extra where lost.count < 100 && !lost.contains(key) { lost.append(key) }
        }
    }

    // MARK: Values

    private func append(_ value: Value?) throws(ShellError) {
        guard let value else { return }
        if value.isNull {
            buffer += Array((style.shape.nullText ?? "").utf8)
        } else if case .string(let text) = value {
            append(text)
        } else {
            append(try CellText.plain(value, options))
        }
    }

    private func append(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            switch separator {
            case .commas: appendQuoted(bytes)
            case .tabs: appendEscaped(bytes)
            }
        }
    }

    /// Quotes stand around text with separators, quotes or line breaks, with blanks at its ends, and around text that
    /// would read as no value: nothing at all, or what stands for `null`.
    private func appendQuoted(_ bytes: UnsafeBufferPointer<UInt8>) {
        let needsQuotes =
            bytes.isEmpty || bytes.first == 0x20 || bytes.last == 0x20
            || bytes.contains { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }
            || style.shape.nullText.map { bytes.elementsEqual($0.utf8) } ?? false
        guard needsQuotes else { return buffer.append(contentsOf: bytes) }
        buffer.append(0x22)
        for byte in bytes {
            if byte == 0x22 { buffer.append(0x22) }
            buffer.append(byte)
        }
        buffer.append(0x22)
    }

    private func appendEscaped(_ bytes: UnsafeBufferPointer<UInt8>) {
        for byte in bytes {
            switch byte {
            case 0x09: buffer += [0x5C, 0x74]
            case 0x0A: buffer += [0x5C, 0x6E]
            case 0x0D: buffer += [0x5C, 0x72]
            case 0x5C: buffer += [0x5C, 0x5C]
            default: buffer.append(byte)
            }
        }
    }
}
