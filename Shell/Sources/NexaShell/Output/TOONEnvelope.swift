import NexaTOON
import NexaValue

/// The envelope of NexaDB's TOON texts: `collection`, `documents`, `count`.
///
/// A TOON text says first how many documents it has and which fields they share, so that they wait until all are there.
final class TOONEnvelope {
    private let collection: String?
    private let spool = DocumentSpool()
    private var shaper = TOONShaper()

    /// - Parameter collection: what the documents are from, if that is to be said.
    init(collection: String?) { self.collection = collection }

    /// How many documents there are.
    var count: Int { spool.count }

    /// Takes the next document.
    func add(_ document: Document) throws(ShellError) {
        shaper.survey(document)
        try spool.append(document)
    }

    /// Gives the text in pieces, without a line end behind it.
    ///
    /// - Parameter visit: sees each document before its text is sent.
    func write(
        _ visit: (Document) throws(ShellError) -> Void = { (_) throws(ShellError) in },
        to send: ([UInt8]) throws(ShellError) -> Void
    ) throws(ShellError) {
        var encoder = TOONDocumentEncoder()
        let count = count
        try Self.attempt { () throws(TOONEncodingError) in
            if let collection { try encoder.writeField("collection", .string(collection)) }
            try encoder.beginList("documents", count: count, columns: shaper.columns)
        }
        try spool.forEach { (document) throws(ShellError) in
            try visit(document)
            let row = shaper.apply(document)
            try Self.attempt { () throws(TOONEncodingError) in try encoder.append(row) }
            try send(Self.drain(&encoder))
        }
        try Self.attempt { () throws(TOONEncodingError) in
            try encoder.endList()
            try encoder.writeField("count", .int(Int64(count)))
        }
        try send(Self.drain(&encoder))
    }

    private static func drain(_ encoder: inout TOONDocumentEncoder) -> [UInt8] {
        var text: [UInt8] = []
        encoder.drain { (bytes) in text = bytes.withUnsafeBytes { Array($0) } }
        return text
    }

    private static func attempt(_ body: () throws(TOONEncodingError) -> Void) throws(ShellError) {
        do throws(TOONEncodingError) {
            try body()
        } catch {
            throw ShellError("\(error)")
        }
    }
}
