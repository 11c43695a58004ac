import NexaClient
import NexaValue

/// Writes pages of documents in one of the formats, as they come. Memory holds one page, or for CSV and TSV the documents
/// that decide on the columns.
final class ExportWriter {
    private let format: DataFormat
    private let sink: any ByteSink
    private let delimited: DelimitedWriter
    private let extraColumn: String?
    private var columns: DelimitedColumns
    /// The documents that wait for the columns.
    private var waiting: [Document]? = []
    /// The fields that have no column.
    private(set) var lostFields: [String] = []
    private(set) var count = 0
    private(set) var byteCount = 0
    private var buffer: [UInt8] = []

    /// The most fields that are named when they are lost.
    private static let mostLostFields = 100
    /// NDJSON is read back as it was: a point in time is more than its text.
    private static let relaxed = JSON.EncodingOptions(extendedJSON: .relaxed)
    private static let canonical = JSON.EncodingOptions(extendedJSON: .canonical)

    init(_ format: DataFormat, fields: [String] = [], extraColumn: String? = nil, to sink: any ByteSink) {
        self.format = format
        self.sink = sink
        self.extraColumn = extraColumn
        delimited = DelimitedWriter(format == .tsv ? .tsv : .csv)
        columns = DelimitedColumns(fields)
    }

    func write(_ page: EncodedPage) throws(ShellError) {
        if let extraColumn, columns.names.contains(extraColumn) {
            throw ShellError("--extra-column \(extraColumn) is the name of a field; choose another")
        }
        do throws(JSONEncodingError) {
            switch format {
            case .ndjson, .ejson, .json:
                let options = format == .ejson ? Self.canonical : Self.relaxed
                try page.forEach { (document) throws(JSONEncodingError) in
                    if format == .json { buffer += (count == 0 ? "[\n" : ",\n").utf8 }
                    try JSON.append(messagePack: document, to: &buffer, options)
                    if format != .json { buffer.append(0x0A) }
                    count += 1
                }
            case .csv, .tsv: try writeRows(page)
            }
        } catch {
            throw ShellError(error.description)
        }
        try send()
    }

    /// Ends the file.
    func finish() throws(ShellError) {
        switch format {
        case .ndjson, .ejson: break
        case .json: buffer += (count == 0 ? "[]\n" : "\n]\n").utf8
        case .csv, .tsv:
            do throws(JSONEncodingError) {
                try begin()
            } catch {
                throw ShellError(error.description)
            }
        }
        try send()
        try attempt { () throws(OutputError) in try sink.flush() }
    }

    private func send() throws(ShellError) {
        byteCount += buffer.count
        try attempt { () throws(OutputError) in try sink.write(buffer) }
        buffer.removeAll(keepingCapacity: true)
    }

    // MARK: Rows

    private func writeRows(_ page: EncodedPage) throws(JSONEncodingError) {
        let documents: [Document]
        do throws(MessagePackError) {
            documents = try page.documents()
        } catch {
            throw JSONEncodingError(.malformed(error))
        }
        guard waiting != nil else { return try append(documents) }
        let looked = documents.prefix(DelimitedColumns.sampleCount - (waiting?.count ?? 0))
        for document in looked { columns.learn(from: document) }
        waiting? += looked
        guard columns.isChosen || (waiting?.count ?? 0) >= DelimitedColumns.sampleCount else { return }
        try begin()
        try append(documents.dropFirst(looked.count))
    }

    /// Writes the header and the documents that waited.
    private func begin() throws(JSONEncodingError) {
        guard let documents = waiting else { return }
        waiting = nil
        let names = columns.names + (extraColumn.map { [$0] } ?? [])
        if !names.isEmpty { delimited.appendHeader(names, to: &buffer) }
        try append(documents)
    }

    private func append(_ documents: some Sequence<Document>) throws(JSONEncodingError) {
        for document in documents {
            count += 1
            let unknown = columns.unknownFields(of: document)
            guard let extraColumn else {
                for field in unknown where lostFields.count < Self.mostLostFields && !lostFields.contains(field) {
                    lostFields.append(field)
                }
                try delimited.appendRow(document, columns.names, to: &buffer)
                continue
            }
            var row = document
            let extra = Document(unknown.compactMap { name in document[name].map { (name, $0) } })
            row[extraColumn] = unknown.isEmpty ? Value?.none : .some(.document(extra))
            try delimited.appendRow(row, columns.names + [extraColumn], to: &buffer)
        }
    }
}
