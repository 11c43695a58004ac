import NexaTOON
import NexaValue

/// The envelope of NexaDB's TOON texts: `collection`, `documents`, `count`.
///
/// A TOON text says first how many documents it has and which fields they share, so that they are kept, encoded, until all
/// are there; `maximumBytes` of them at most.
final class TOONWriter: ResultWriter {
    /// A larger result is an error that says what to do.
    static let maximumBytes = 64 << 20

    private let style: ResultStyle
    private var documents: [[UInt8]] = []
    private var bytes = 0
    private var shaper = TOONShaper()

    init(_ style: ResultStyle) { self.style = style }

    func write(_ document: Document) throws(ShellError) {
        let document = style.projected(document)
        let encoded = MessagePack.encode(document)
        bytes += encoded.count
        guard bytes <= Self.maximumBytes else {
            documents = []
            bytes = .max
            throw ShellError(
                "a TOON text begins with the number of its documents, so that at most \(Self.maximumBytes >> 20) MB of them "
                    + "can be shown; use --limit or another format")
        }
        shaper.survey(document)
        documents.append(encoded)
    }

    func finish() throws(ShellError) {
        guard bytes != .max else { return }
        var encoder = TOONDocumentEncoder()
        var json = TokenEstimate()
        var toon = TokenEstimate()
        var buffer: [UInt8] = []
        let count = documents.count
        try Self.attempt { () throws(TOONEncodingError) in
            if let collection = style.collection { try encoder.writeField("collection", .string(collection)) }
            try encoder.beginList("documents", count: count, columns: shaper.columns)
        }
        json.add([0x5B].span.bytes)
        for (index, encoded) in documents.enumerated() {
            guard let document = try? MessagePack.decodeDocument(encoded) else { continue }
            buffer.removeAll(keepingCapacity: true)
            try appendJSON(.document(document), to: &buffer, style.encoding())
            json.add(buffer.span.bytes)
            json.add([index + 1 < count ? 0x2C : 0x5D].span.bytes)
            let row = shaper.apply(document)
            try Self.attempt { () throws(TOONEncodingError) in try encoder.append(row) }
            try send(&encoder, &toon)
        }
        try Self.attempt { () throws(TOONEncodingError) in
            try encoder.endList()
            try encoder.writeField("count", .int(Int64(count)))
        }
        try send(&encoder, &toon)
        try style.send([0x0A])
        let saved = json.count - toon.count
        let percent = json.count > 0 ? 100 * saved.magnitude / UInt(json.count) : 0
        try style.aside(
            "TOON: about \(toon.count) tokens, \(percent) % \(saved < 0 ? "more" : "fewer") than the \(json.count) of JSON"
        )
    }

    private func send(_ encoder: inout TOONDocumentEncoder, _ tokens: inout TokenEstimate) throws(ShellError) {
        var text: [UInt8] = []
        encoder.drain { (bytes) in
            tokens.add(bytes)
            text = bytes.withUnsafeBytes { Array($0) }
        }
        try style.send(text)
    }

    private static func attempt(_ body: () throws(TOONEncodingError) -> Void) throws(ShellError) {
        do throws(TOONEncodingError) {
            try body()
        } catch {
            throw ShellError("\(error)")
        }
    }
}
