import NexaClient
import NexaValue

/// Writes pages of documents in one of the formats, as they come. Memory holds one page, or for CSV and TSV the documents
/// that decide on the columns. TOON begins with the number of documents: they wait in a file without a name.
final class ExportWriter {
    private let format: DataFormat
    private let sink: any ByteSink
    private var rows: DelimitedRows
    private let envelope: TOONEnvelope?
    private(set) var count = 0
    private(set) var byteCount = 0
    /// Rows that are not sent yet.
    private var buffer: [UInt8] = []
    /// Objects that are not sent yet.
    private var objects: JSON.Stream

    /// NDJSON is read back as it was: a point in time is more than its text.
    private static let relaxed = JSON.EncodingOptions(extendedJSON: .relaxed)
    private static let canonical = JSON.EncodingOptions(extendedJSON: .canonical)

    /// - Parameter collection: what a TOON text says the documents are from.
    init(
        _ format: DataFormat, fields: [String] = [], extraColumn: String? = nil, collection: String? = nil,
        to sink: any ByteSink
    ) {
        self.format = format
        self.sink = sink
        rows = DelimitedRows(
            DelimitedWriter(format == .tsv ? .tsv : .csv), columns: fields.isEmpty ? nil : fields,
            extraColumn: extraColumn)
        envelope = format == .toon ? TOONEnvelope(collection: collection) : nil
        objects = JSON.Stream(format == .ejson ? Self.canonical : Self.relaxed)
    }

    /// What is to be said about fields that have no column.
    var complaint: ShellError? { rows.complaint }

    func write(_ page: EncodedPage) throws(ShellError) {
        switch format {
        case .ndjson, .ejson, .json:
            do throws(JSONEncodingError) {
                try page.forEach { (document) throws(JSONEncodingError) in
                    if format == .json { objects.append(raw: count == 0 ? "[\n" : ",\n") }
                    try objects.append(messagePack: document)
                    if format != .json { objects.append(0x0A) }
                    count += 1
                }
            } catch {
                throw ShellError(error.description)
            }
        case .csv, .tsv:
            for document in try documents(of: page) {
                try rows.add(document, to: &buffer)
                count += 1
            }
        case .toon:
            for document in try documents(of: page) {
                try envelope?.add(document)
                count += 1
            }
        }
        try send()
    }

    private func documents(of page: EncodedPage) throws(ShellError) -> [Document] {
        do throws(MessagePackError) {
            return try page.documents()
        } catch {
            throw ShellError(JSONEncodingError(.malformed(error)).description)
        }
    }

    /// Ends the file.
    func finish() throws(ShellError) {
        switch format {
        case .ndjson, .ejson: break
        case .json: objects.append(raw: count == 0 ? "[]\n" : "\n]\n")
        case .csv, .tsv: try rows.finish(to: &buffer)
        case .toon:
            try envelope?.write { (text) throws(ShellError) in
                buffer += text
                if buffer.count >= 64 << 10 { try send() }
            }
            buffer.append(0x0A)  // the notation has no newline at its end; files of text have
        }
        try send()
        try attempt { () throws(OutputError) in try sink.flush() }
    }

    private func send() throws(ShellError) {
        byteCount += buffer.count + objects.count
        try attempt { () throws(OutputError) in
            if objects.count > 0 { try sink.write(objects.bytes) }
            if !buffer.isEmpty { try sink.write(buffer) }
        }
        buffer.removeAll(keepingCapacity: true)
        objects.removeAll(keepingAtMost: 4 << 20)
    }
}
