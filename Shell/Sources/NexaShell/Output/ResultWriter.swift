import NexaValue

/// Writes the documents of one result in one format, one after the other.
///
/// Writers hold at most a bounded number of documents (a table needs some to find its widths), so a result of any size
/// streams through them. What they hold is written by `finish`, which must be called also when the result broke off:
/// a JSON array is closed then.
protocol ResultWriter: AnyObject {
    /// Takes the next document.
    func write(_ document: Document) throws(ShellError)
    /// Writes what is left, and what closes the result.
    func finish() throws(ShellError)
}

/// What the columns of a result are.
enum ResultColumns: Sendable, Equatable {
    /// The fields of the documents: `_id` first, then in the order of first sight.
    case discovered
    /// These paths (`a.b`), as `--fields` names them.
    case paths([String])
    /// These keys, as a command that makes rows names them.
    case keys([String])

    /// The names, if they are known before the first document.
    var names: [String]? {
        switch self {
        case .discovered: nil
        case .paths(let names), .keys(let names): names
        }
    }

    /// The value under a column.
    func value(_ name: String, in document: Document) -> Value? {
        if case .paths = self { return document.value(at: name) }
        return document[name]
    }
}

/// What a result is made of; the format `pretty` shows rows as a table.
enum ResultKind: Sendable {
    case documents, rows
}

/// What a writer has to know.
struct ResultStyle: Sendable {
    var target: OutputTarget
    var shape = OutputShape()
    var columns = ResultColumns.discovered
    /// Whether documents have only the fields of `columns`, because the server left the others out.
    var isProjected = false
    /// Whether a table that is too wide may become vertical.
    var expansion = Presentation.Expansion.off
    /// The number of the first document, where documents are numbered.
    var firstNumber = 1
    /// The collection that the documents are from, if they are from one.
    var collection: String?
    /// Tells people what there is to know beside the result, on standard error.
    var aside: @Sendable (String) throws(ShellError) -> Void = { (_) throws(ShellError) in }
    /// Says something about the result that is not part of it: what was cut, what did not fit.
    var remark: @Sendable (String) throws(ShellError) -> Void = { (_) throws(ShellError) in }

    /// The writer of a format.
    func writer(_ format: OutputFormat, _ kind: ResultKind = .documents) -> any ResultWriter {
        switch format {
        case .pretty:
            switch (kind, expansion) {
            case (_, .on): return VerticalWriter(self)
            case (.documents, _): return PrettyWriter(self)
            case (.rows, _): return TableWriter(self)
            }
        case .json, .ndjson: return JSONLinesWriter(self, isArray: format == .json)
        case .table: return expansion == .on ? VerticalWriter(self) : TableWriter(self)
        case .vertical: return VerticalWriter(self)
        case .csv: return DelimitedResultWriter(self, .csv)
        case .tsv: return DelimitedResultWriter(self, .tsv)
        case .toon: return TOONWriter(self)
        case .ids: return IdentifierWriter(self)
        }
    }
}

extension ResultStyle {
    /// Sends bytes to where the result goes.
    func send(_ bytes: [UInt8]) throws(ShellError) {
        try attempt { () throws(OutputError) in
            guard target.isHarmless else { return try target.sink.write(bytes) }
            try target.write(TerminalText.harmless(String(decoding: bytes, as: UTF8.self)))
        }
    }

    /// How JSON is written: `keys` of the shape, else the format's own order.
    func encoding(isPretty: Bool = false, sortsKeys: Bool = false) -> JSON.EncodingOptions {
        JSON.EncodingOptions(
            isPretty: isPretty, sortsKeys: shape.keys.map { $0 == .sorted } ?? sortsKeys,
            nonFiniteNumbers: .extendedForm)
    }

    /// The document with only the fields that are asked for, and its `_id`; nested ones in documents of their own.
    func projected(_ document: Document) -> Document {
        guard case .paths(let paths) = columns, !isProjected else { return document }
        var result = Document()
        for path in ["_id"] + paths {
            guard let value = document.value(at: path) else { continue }
            result.set(value, at: path.split(separator: ".").map(String.init)[...])
        }
        return result
    }
}

extension Document {
    /// The value at a path; through a list, the list of the values in its documents, as filters and projections see it.
    func value(at path: String) -> Value? {
        if let value = self[path: path] { return value }
        guard let dot = path.firstIndex(of: ".") else { return nil }
        let rest = String(path[path.index(after: dot)...])
        switch self[String(path[..<dot])] {
        case .document(let inner): return inner.value(at: rest)
        case .array(let values):
            let found = values.compactMap { $0.document?.value(at: rest) }
            return found.isEmpty ? nil : .some(.array(found))
        default: return nil
        }
    }

    fileprivate mutating func set(_ value: Value, at path: ArraySlice<String>) {
        guard let first = path.first else { return }
        if path.count == 1 {
            self[first] = .some(value)
        } else {
            var inner = self[first]?.document ?? Document()
            inner.set(value, at: path.dropFirst())
            self[first] = .some(.document(inner))
        }
    }
}

extension Value {
    /// The bytes that a value takes, more or less.
    var estimatedSize: Int {
        switch self {
        case .string(let text): 16 + text.utf8.count
        case .array(let values): values.reduce(32) { $0 + $1.estimatedSize }
        case .document(let document): document.estimatedSize
        case .bytes(let bytes): 32 + bytes.count
        case .vector(let components): 32 + 4 * components.count
        case .extended(let value): 32 + value.bytes.count
        default: 16
        }
    }
}

extension Document {
    /// The bytes that a document takes, more or less.
    var estimatedSize: Int { reduce(32) { $0 + 16 + $1.key.utf8.count + $1.value.estimatedSize } }
}

/// Appends JSON to a buffer; a value without a JSON form is the command's failure.
func appendJSON(_ value: Value, to buffer: inout [UInt8], _ options: JSON.EncodingOptions) throws(ShellError) {
    do throws(JSONEncodingError) {
        try JSON.append(value, to: &buffer, options)
    } catch {
        throw ShellError(error.description)
    }
}
