public import NexaValue

/// A document in the form in which it travels and is stored, for programs that move many documents and look at few.
///
/// ```swift
/// let film = try EncodedDocument(json: line)
/// try await films.insert(encoded: [film])
/// ```
public struct EncodedDocument: Sendable {
    /// The document in MessagePack: one map, in which each key stands once.
    public let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// Encodes a document.
    public init(_ document: Document) { bytes = MessagePack.encode(document) }

    /// Turns the text of one JSON object into the same bytes that its decoded document has, without decoding it.
    ///
    /// - Throws: `JSONError` naming what was expected, with line and column.
    public init(json text: RawSpan, _ options: JSON.Options = .strict) throws(JSONError) {
        var writer = MessagePackWriter(capacity: text.byteCount + 16)
        try JSON.transcodeDocument(text, options, into: &writer)
        bytes = writer.bytes
    }

    /// Turns the text of one JSON object into the same bytes that its decoded document has, without decoding it.
    ///
    /// - Throws: `JSONError` naming what was expected, with line and column.
    public init(json text: String, _ options: JSON.Options = .strict) throws(JSONError) {
        try self.init(json: text.utf8Span.span.bytes, options)
    }

    /// The document with all of its values.
    ///
    /// - Throws: `MessagePackError` when it nests deeper than values may.
    public func decoded() throws(MessagePackError) -> Document { try MessagePack.decodeDocument(bytes) }

    /// Whether the document says which id it wants.
    var hasID: Bool {
        guard let document = try? RawDocument(bytes.span.bytes) else { return false }
        return document.value(forKey: "_id") != nil
    }

    /// The same document with an id in front; it must have none.
    func with(_ id: DocumentID) -> [UInt8] {
        var reader = MessagePackReader(bytes.span.bytes)
        let count = (try? reader.readMapHead()) ?? 0
        var writer = MessagePackWriter(capacity: bytes.count + 48)
        writer.writeMapHead(count: count + 1)
        writer.write("_id")
        writer.write(id.rawValue)
        writer.writeRaw(bytes.span.bytes.extracting(reader.position..<bytes.count))
        return writer.bytes
    }
}
