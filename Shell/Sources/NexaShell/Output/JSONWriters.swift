import NexaValue

/// `[1]` and an indented document, as the original shell wrote them.
final class PrettyWriter: ResultWriter {
    private let style: ResultStyle
    private let options: JSON.EncodingOptions
    private var number: Int

    init(_ style: ResultStyle) {
        self.style = style
        options = style.encoding(isPretty: true, sortsKeys: true)
        number = style.firstNumber
    }

    func write(_ document: Document) throws(ShellError) {
        var text: [UInt8] = []
        try appendJSON(.document(style.projected(document)), to: &text, options)
        let title = "[\(number)]"
        number += 1
        try attempt { () throws(OutputError) in
            try style.target.write("\n")
            try style.target.line(title, .bold)
            try style.target.json(String(decoding: text, as: UTF8.self))
        }
    }

    func finish() throws(ShellError) {}
}

/// A document per line; as an array, with its brackets and commas.
final class JSONLinesWriter: ResultWriter {
    private let style: ResultStyle
    private let isArray: Bool
    private let options: JSON.EncodingOptions
    private var buffer: [UInt8] = []
    private var isEmpty = true

    init(_ style: ResultStyle, isArray: Bool) {
        self.style = style
        self.isArray = isArray
        options = style.encoding()
    }

    func write(_ document: Document) throws(ShellError) {
        buffer.removeAll(keepingCapacity: true)
        if isArray { buffer += isEmpty ? Array("[\n".utf8) : Array(",\n".utf8) }
        try appendJSON(.document(style.projected(document)), to: &buffer, options)
        isEmpty = false
        if !isArray { buffer.append(0x0A) }
        try style.send(buffer)
    }

    func finish() throws(ShellError) {
        if isArray { try style.send(Array((isEmpty ? "[]\n" : "\n]\n").utf8)) }
    }
}

/// The `_id` of each document; for rows without one, their first column.
final class IdentifierWriter: ResultWriter {
    private let style: ResultStyle

    init(_ style: ResultStyle) { self.style = style }

    func write(_ document: Document) throws(ShellError) {
        var value = document["_id"]
        if value == nil, case .keys(let names) = style.columns { value = names.first.flatMap { document[$0] } }
        let text = value.map(DocumentPrinter.idText) ?? ""
        try attempt { () throws(OutputError) in try style.target.line(text) }
    }

    func finish() throws(ShellError) {}
}
