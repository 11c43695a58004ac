public import NexaValue

/// Writes a document whose fields come one after the other, with lists whose elements do: what was written can be
/// drained at any time, so memory holds one element, whatever the size of the text.
///
/// ```swift
/// var encoder = TOONDocumentEncoder()
/// try encoder.writeField("collection", "movies")
/// try encoder.beginList("documents", count: 2, columns: TOONColumns(["title", "year"]))
/// try encoder.append(["title": "Metropolis", "year": 1927])
/// try encoder.append(["title": "Alien", "year": 1979])
/// try encoder.endList()
/// encoder.drain { bytes in … }
/// ```
/// The text is the one that `TOON.encode` gives for the whole document, if the lists have the columns that it finds; but
/// an empty list is `key[0]:`, which the readers of earlier versions know, and not `key: []`.
public struct TOONDocumentEncoder: ~Copyable {
    private var writer: TOONWriter
    private var list: (declared: Int, found: Int, columns: TOONColumns?)?
    private var drainedByteCount = 0
    private let limit: Int

    /// Creates an encoder of one document.
    public init(_ options: TOON.EncodingOptions = .standard) {
        limit = options.maximumByteCount
        writer = TOONWriter(options)
    }

    /// How long the text is up to now, what was drained included.
    public var byteCount: Int { drainedByteCount + writer.output.count }

    /// Writes a whole field.
    ///
    /// - Throws: `TOONEncodingError`, also while a list is open. The text is of no use afterwards.
    public mutating func writeField(_ key: String, _ value: Value) throws(TOONEncodingError) {
        try checkEnd()
        try writer.newLine(0)
        try writer.writeField((key, value), depth: 0)
        try checkSize()
    }

    /// Begins a list of documents: a table if there are columns, else in list form.
    ///
    /// - Parameters:
    ///   - key: the name of the field.
    ///   - count: how many documents `append` will get; the header says so first.
    ///   - columns: the fields that all documents have; see `TOONColumns` and `TOONShaper`.
    /// - Throws: `TOONEncodingError`.
    public mutating func beginList(_ key: String, count: Int, columns: TOONColumns?) throws(TOONEncodingError) {
        try checkEnd()
        try writer.newLine(0)
        writer.writeKey(key)
        list = (count, 0, columns)
        if let columns, count > 0 {
            try writer.checkDepth(2 + columns.nesting)
            writer.writeHeader(count: count, columns: columns, isKeyed: false)
        } else {
            writer.writeCount(count)
            writer.output.put(0x3A)
        }
    }

    /// Writes one document of the open list.
    ///
    /// - Throws: `TOONEncodingError`: `.fieldsDiffer` when it does not fit the columns, `.count` beyond the announced
    ///   number or without an open list, `.tooLarge`, `.tooDeep`.
    public mutating func append(_ document: Document) throws(TOONEncodingError) {
        guard let open = list, open.found < open.declared else {
            throw TOONEncodingError(.count(declared: list?.declared ?? 0, found: (list?.found ?? 0) + 1))
        }
        list?.found += 1
        if let columns = open.columns {
            try writer.newLine(1)
            var isFirst = true
            guard writer.writeCells(document, columns.columns, &isFirst) else {
                throw TOONEncodingError(.fieldsDiffer(row: open.found + 1))
            }
        } else {
            try writer.writeItem(.document(document), depth: 1)
        }
        try checkSize()
    }

    /// Ends the open list.
    ///
    /// - Throws: `TOONEncodingError` when it has fewer documents than its header says.
    public mutating func endList() throws(TOONEncodingError) {
        try checkEnd()
        list = nil
    }

    /// Hands over what was written since the last time, and forgets it.
    public mutating func drain<Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        try body(writer.output.span)
        drainedByteCount += writer.output.count
        writer.output.truncate(to: 0)
    }

    /// What was written since the last `drain`, as text.
    public var text: String { writer.output.text }

    private func checkEnd() throws(TOONEncodingError) {
        if let list, list.found != list.declared {
            throw TOONEncodingError(.count(declared: list.declared, found: list.found))
        }
    }

    private func checkSize() throws(TOONEncodingError) {
        if byteCount > limit { throw TOONEncodingError(.tooLarge(limit: limit)) }
    }
}
