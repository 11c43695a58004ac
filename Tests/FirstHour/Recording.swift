import NexaValue
import PTYKit

/// What a new user saw in the first hour: a text to read, and an asciicast (version 2) to play.
struct Recording {
    static let columns = 120
    static let rows = 40

    /// Everything that was on the first terminal, from the line that started the shell, and the second terminal below.
    let text: String
    private let header: String
    private let events: [String]

    /// - Parameters:
    ///   - folder: the folder of the user, whose name is left out.
    ///   - other: what was typed at the other terminal, and what it answered.
    init(_ session: Session, started line: String, folder: String, other: [(line: String, shown: String)]) {
        var text = "$ \(line)\n" + Self.withoutBlanks(session.screen.everything) + "\n"
        if !other.isEmpty { text += "\nMeanwhile, in the other terminal:\n\n" }
        for (line, shown) in other { text += "$ \(line)\n\(Self.withoutBlanks(shown))\n" }
        self.text = text.replacing(folder, with: "~")
        header =
            "{\"version\": 2, \"width\": \(Self.columns), \"height\": \(Self.rows), \"title\": \"nexa: a first hour\"}"
        var events = [Self.event(0, "$ \(line)\r\n")]
        var sent = 0
        var waiting: [UInt8] = []
        for (length, seconds) in session.times {
            waiting += session.log[sent..<length]
            sent = length
            // A character is never cut in two.
            var whole = waiting.count
            if let lead = waiting.lastIndex(where: { $0 & 0xC0 != 0x80 }), waiting[lead] >= 0xC0 {
                let size = waiting[lead] >= 0xF0 ? 4 : waiting[lead] >= 0xE0 ? 3 : 2
                if waiting.count - lead < size { whole = lead }
            }
            let part = String(decoding: waiting[..<whole], as: UTF8.self).replacing(folder, with: "~")
            waiting.removeFirst(whole)
            events.append(Self.event(seconds, part))
        }
        self.events = events
    }

    /// The asciicast: a line for the size of the terminal, and one for each time that something was shown.
    var cast: String { ([header] + events).joined(separator: "\n") + "\n" }

    private static func event(_ seconds: Double, _ text: String) -> String {
        let quoted = (try? JSON.encode(.string(text))).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
        return "[\((seconds * 1000).rounded() / 1000), \"o\", \(quoted)]"
    }

    private static func withoutBlanks(_ text: String) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines.joined(separator: "\n")
    }

    // MARK: Comparing

    /// A recorded text without what differs from one run to the next: ids, times, speeds. Of the films that are like
    /// another one only the number is kept: a graph may miss one of them.
    static func masked(_ text: String) -> [String] {
        var isAnswerOfSimilar = false
        return text.split(separator: "\n", omittingEmptySubsequences: false).compactMap { line -> String? in
            if line.contains("> ") { isAnswerOfSimilar = line.contains("> similar ") }
            if isAnswerOfSimilar, line.hasPrefix("│") { return "│" }
            if isAnswerOfSimilar, line.hasPrefix("┌") || line.hasPrefix("├") || line.hasPrefix("└") { return "─" }
            // Only what took long says so.
            if line.wholeMatch(of: /\([0-9.]+ s\)/) != nil { return nil }
            return String(line)
                .replacing(/[0-9a-f]{32}/, with: "<id>")
                .replacing(/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?/, with: "<date>")
                .replacing(/[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}/, with: "<time>")
                .replacing(/in [0-9.]+ s, [0-9.]+ ?[kM]?\/s/, with: "in <seconds>")
                .replacing(/\ *…$/, with: "…")
        }
    }

    /// The commands of a recorded text, in their order.
    static func commands(_ text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            let isTyped = line.hasPrefix("$ ") || line.wholeMatch(of: /nexa(\([^)]*\))?> .*/) != nil
            return isTyped ? String(line).replacing(/[0-9a-f]{32}/, with: "<id>") : nil
        }
    }
}
