import Glibc
import NexaClient
import NexaValue

/// Changes as text: a line of JSON for programs, a line with time and colours for persons.
enum ChangeText {
    private static let options = JSON.EncodingOptions(extendedJSON: .relaxed)

    /// Appends the event as one line of JSON, as the server sent it; the token is the text that `--resume` takes.
    static func appendJSON(_ change: EncodedChange, to bytes: inout [UInt8]) throws(JSONEncodingError) {
        guard !change.isGap else {
            bytes += "{\"operationType\":\"gap\"".utf8
            if let token = change.token { bytes += ",\"token\":\"\(token)\"".utf8 }
            bytes += "}\n".utf8
            return
        }
        do throws(MessagePackError) {
            var reader = MessagePackReader(change.bytes.span.bytes)
            let count = try reader.readMapHead()
            bytes.append(0x7B)
            for index in 0..<count {
                if index > 0 { bytes.append(0x2C) }
                let key = try reader.readKeyText()
                try append(.string(key), to: &bytes)
                bytes.append(0x3A)
                let start = reader.position
                try reader.skip()
                if key == "token", let token = change.token {
                    bytes += "\"\(token)\"".utf8
                } else {
                    try append(encoded: reader.span.extracting(start..<reader.position), to: &bytes)
                }
            }
        } catch {
            throw JSONEncodingError(.malformed(error))
        }
        bytes += [0x7D, 0x0A]
    }

    private static func append(_ value: Value, to bytes: inout [UInt8]) throws(MessagePackError) {
        try? JSON.append(value, to: &bytes, options)
    }

    private static func append(encoded: RawSpan, to bytes: inout [UInt8]) throws(MessagePackError) {
        do throws(JSONEncodingError) {
            try JSON.append(messagePack: encoded, to: &bytes, options)
        } catch {
            if case .malformed(let error) = error.reason { throw error }
            bytes += "null".utf8  // deeper than JSON may be
        }
    }

    /// `12:04:05.123 insert movies doc_1 {…}`, and the colour of what happened.
    static func line(
        _ change: EncodedChange, columns: Int, isColoured: Bool, namesDatabase: Bool
    ) -> String {
        let event = (try? MessagePack.decodeDocument(change.bytes)) ?? [:]
        let operation = event["operationType"]?.string ?? "?"
        var words = [clock(event["timestamp"]?.double), operation]
        let database = event[path: "ns.db"]?.string ?? ""
        let collection = event[path: "ns.coll"]?.string ?? ""
        words.append(namesDatabase ? database + "." + collection : collection)
        if let id = event[path: "documentKey._id"] { words.append(DocumentPrinter.idText(id)) }
        let document = event[path: "updateDescription.updatedFields"] ?? event["fullDocument"]
        if let document, let text = try? JSON.string(document, options) { words.append(text) }
        if let removed = event[path: "updateDescription.removedFields"]?.array, !removed.isEmpty {
            words.append("without " + removed.compactMap(\.string).joined(separator: ", "))
        }
        let text = cut(TerminalText.harmless(words.joined(separator: " ")), to: columns)
        guard isColoured else { return text }
        let colour: Console.Colour =
            switch change.operation {
            case .insert?: .green
            case .update?: .yellow
            case .delete?, .dropCollection?, .dropDatabase?: .red
            case nil: .bold
            }
        // The colour is that of the operation alone.
        guard let place = text.range(of: operation) else { return text }
        return text[..<place.lowerBound] + "\u{1B}[\(colour.rawValue)m" + text[place] + "\u{1B}[0m"
            + text[place.upperBound...]
    }

    /// The time of day here, with milliseconds.
    static func clock(_ seconds: Double?) -> String {
        guard let seconds, seconds.isFinite, abs(seconds) < 1e11 else { return "--:--:--.---" }
        var whole = time_t(seconds.rounded(.down))
        let milliseconds = Int((seconds - seconds.rounded(.down)) * 1000)
        var parts = tm()
        localtime_r(&whole, &parts)
        func padded(_ number: Int, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return padded(Int(parts.tm_hour), 2) + ":" + padded(Int(parts.tm_min), 2) + ":" + padded(Int(parts.tm_sec), 2)
            + "." + padded(milliseconds, 3)
    }

    /// The text in so many columns; what is cut ends in `…`.
    static func cut(_ text: String, to columns: Int) -> String {
        guard columns > 0, CharacterWidth.of(text) > columns else { return text }
        var result = ""
        var width = 0
        for scalar in text.unicodeScalars {
            let next = CharacterWidth.of(scalar)
            guard width + next <= columns - 1 else { break }
            width += next
            result.unicodeScalars.append(scalar)
        }
        return result + "…"
    }
}

extension String {
    /// Where a text stands first.
    fileprivate func range(of text: String) -> Range<Index>? {
        guard !text.isEmpty else { return nil }
        return firstRange(of: text)
    }
}
