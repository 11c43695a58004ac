import NexaValue

/// A line for each field, `-[ 1 ]---` above each document. Nothing is cut.
final class VerticalWriter: ResultWriter {
    private let style: ResultStyle
    private let options: JSON.EncodingOptions
    private var number: Int
    /// The widest name so far, so that the values of all documents stand below each other.
    private var nameWidth = 0

    init(_ style: ResultStyle) {
        self.style = style
        options = style.encoding()
        number = style.firstNumber
    }

    func write(_ document: Document) throws(ShellError) {
        var fields: [(name: Cell, value: Value)] = []
        for name in style.columns.names ?? Self.ordered(document) {
            if let value = style.columns.value(name, in: document) { fields.append((Cell(name), value)) }
        }
        nameWidth = fields.reduce(nameWidth) { max($0, $1.name.width) }
        let title = "-[ \(number) ]"
        number += 1
        let rule = title + String(repeating: "-", count: max(3, nameWidth + 14 - title.utf8.count))
        try attempt { () throws(OutputError) in try style.target.line(rule, .bold) }
        for (name, value) in fields {
            let text = value.isNull ? style.shape.nullText ?? "null" : try CellText.plain(value, options)
            let padding = String(repeating: " ", count: nameWidth)
            var lines = ""
            // "\r\n" is one Character, so the scalars are what has to be looked at.
            for (index, part) in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
                .enumerated()
            {
                let safe = style.target.isHarmless ? Self.harmless(String(part)) : String(part)
                lines += (index == 0 ? name.padded(to: nameWidth) : padding) + " | " + safe + "\n"
            }
            try attempt { () throws(OutputError) in try style.target.write(lines) }
        }
    }

    func finish() throws(ShellError) {}

    private static func harmless(_ text: String) -> String {
        TerminalText.harmless(text).replacing("\t", with: "\\t")
    }

    private static func ordered(_ document: Document) -> [String] {
        document["_id"] == nil ? document.keys : ["_id"] + document.keys.filter { $0 != "_id" }
    }
}

extension String {
    fileprivate func replacing(_ old: Character, with new: String) -> String {
        contains(old) ? split(separator: old, omittingEmptySubsequences: false).joined(separator: new) : self
    }
}
