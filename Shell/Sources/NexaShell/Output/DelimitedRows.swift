import NexaValue

/// Documents as a table of CSV or TSV, as they come: finds the columns, then writes a row for each document.
///
/// The columns are those that were asked for, else all fields of the first 1,000 documents: `_id` first, then in the order
/// of first sight. A field that comes up later goes to the extra column when there is one; otherwise there is a
/// complaint at the end that names it, because a file that silently lacks data is worse than none.
struct DelimitedRows {
    /// As many documents decide about the columns, unless they take more bytes than `TableWriter.sampleBytes`.
    static let sampleCount = 1000
    /// The most fields that are named when they are lost.
    private static let mostLost = 100

    private let writer: DelimitedWriter
    private let isChosen: Bool
    private let extraColumn: String?
    private let hasHeader: Bool
    private var names: [String]
    private var known: Set<String> = []
    /// The documents that wait for the columns; `nil` once the header is written.
    private var waiting: [Document]? = []
    private var waitingSize = 0
    /// Fields that have no column, in the order of first sight.
    private var lost: [String] = []

    /// - Parameters:
    ///   - columns: the columns that were asked for, as paths; `nil`: they are found.
    ///   - extraColumn: the name of the column for fields that come up too late.
    init(_ writer: DelimitedWriter, columns: [String]?, extraColumn: String? = nil, hasHeader: Bool = true) {
        self.writer = writer
        self.hasHeader = hasHeader
        isChosen = columns != nil
        names = columns ?? []
        self.extraColumn = isChosen ? nil : extraColumn
    }

    /// Takes the next document; appends what can be written by now.
    mutating func add(_ document: Document, to bytes: inout [UInt8]) throws(ShellError) {
        if isChosen { try begin(&bytes) }
        guard waiting != nil else { return try append(document, to: &bytes) }
        waiting?.append(document)
        waitingSize += document.estimatedSize
        guard let waiting, waiting.count >= Self.sampleCount || waitingSize >= TableWriter.sampleBytes else { return }
        try begin(&bytes)
    }

    /// Appends what is left.
    mutating func finish(to bytes: inout [UInt8]) throws(ShellError) { try begin(&bytes) }

    /// What is to be said about fields that are missing; `nil` when none is.
    var complaint: ShellError? {
        guard !lost.isEmpty else { return nil }
        let names = lost.map { "'\(TerminalText.harmless($0))'" }.joined(separator: ", ")
        var error = ShellError(
            "fields that came up after the header was written are missing: \(names)"
                + (lost.count == Self.mostLost ? ", …" : ""), exit: .partial)
        error.hint = "Name the columns with --fields, or collect such fields with --extra-column NAME."
        return error
    }

    /// Writes the header and the documents that waited.
    private mutating func begin(_ bytes: inout [UInt8]) throws(ShellError) {
        guard let documents = waiting else { return }
        if !isChosen {
            if documents.contains(where: { $0["_id"] != nil }), known.insert("_id").inserted { names.append("_id") }
            for document in documents {
                for (key, _) in document where known.insert(key).inserted { names.append(key) }
            }
            if let extraColumn, known.contains(extraColumn) {
                throw ShellError("--extra-column \(extraColumn) is the name of a field; choose another")
            }
        }
        waiting = nil
        let header = names + (extraColumn.map { [$0] } ?? [])
        if hasHeader, !header.isEmpty { writer.appendHeader(header, to: &bytes) }
        for document in documents { try append(document, to: &bytes) }
    }

    private mutating func append(_ document: Document, to bytes: inout [UInt8]) throws(ShellError) {
        let late = lateFields(of: document)
        do throws(JSONEncodingError) {
            guard let extraColumn else {
                for field in late where lost.count < Self.mostLost && !lost.contains(field) { lost.append(field) }
                return try writer.appendRow(document, names, to: &bytes)
            }
            var row = document
            let extra = Document(late.compactMap { name in document[name].map { (name, $0) } })
            row[extraColumn] = late.isEmpty ? Value?.none : .some(.document(extra))
            try writer.appendRow(row, names + [extraColumn], to: &bytes)
        } catch {
            throw ShellError(error.description)
        }
    }

    /// The fields that have no column, when the columns were not chosen.
    private func lateFields(of document: Document) -> [String] {
        guard !isChosen, !isPrefix(document) else { return [] }
        return document.compactMap { known.contains($0.key) ? nil : $0.key }
    }

    /// Whether the fields are the first columns in their order, as in collections whose documents are alike.
    private func isPrefix(_ document: Document) -> Bool {
        document.count <= names.count && zip(document, names).allSatisfy { $0.key == $1 }
    }
}

/// A result as comma- or tab-separated values; without `--null`, null is an empty cell.
final class DelimitedResultWriter: ResultWriter {
    private let style: ResultStyle
    private var rows: DelimitedRows
    private var buffer: [UInt8] = []

    init(_ style: ResultStyle, _ dialect: DelimitedWriter.Dialect) {
        self.style = style
        let writer = DelimitedWriter(
            dialect, nullText: style.shape.nullText ?? "", sortsKeys: style.shape.keys == .sorted)
        rows = DelimitedRows(
            writer, columns: style.columns.names, extraColumn: style.shape.extraColumn,
            hasHeader: style.shape.hasHeader)
    }

    func write(_ document: Document) throws(ShellError) {
        try rows.add(document, to: &buffer)
        try send()
    }

    func finish() throws(ShellError) {
        try rows.finish(to: &buffer)
        try send()
        if let complaint = rows.complaint { throw complaint }
    }

    private func send() throws(ShellError) {
        guard !buffer.isEmpty else { return }
        try style.send(buffer)
        buffer.removeAll(keepingCapacity: true)
    }
}
