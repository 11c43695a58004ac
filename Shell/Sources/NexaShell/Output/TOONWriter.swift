import NexaTOON
import NexaValue

/// A result as TOON; on standard error, what that saves.
final class TOONWriter: ResultWriter {
    private let style: ResultStyle
    private let envelope: TOONEnvelope

    init(_ style: ResultStyle) {
        self.style = style
        envelope = TOONEnvelope(collection: style.collection)
    }

    func write(_ document: Document) throws(ShellError) { try envelope.add(style.projected(document)) }

    func finish() throws(ShellError) {
        let encoding = style.encoding()
        var json = TokenEstimate()
        var toon = TokenEstimate()
        var buffer: [UInt8] = []
        var number = 0
        json.add([0x5B].span.bytes)
        try envelope.write { (document) throws(ShellError) in
            number += 1
            buffer.removeAll(keepingCapacity: true)
            try appendJSON(.document(document), to: &buffer, encoding)
            json.add(buffer.span.bytes)
            json.add([number < envelope.count ? 0x2C : 0x5D].span.bytes)
        } to: { (text) throws(ShellError) in
            toon.add(text.span.bytes)
            try style.send(text)
        }
        try style.send([0x0A])
        let saved = json.count - toon.count
        let percent = json.count > 0 ? 100 * saved.magnitude / UInt(json.count) : 0
        try style.aside(
            "TOON: about \(toon.count) tokens, \(percent) % \(saved < 0 ? "more" : "fewer") than the \(json.count) of JSON"
        )
    }
}
