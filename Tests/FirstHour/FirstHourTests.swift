import Glibc
import NexaValue
import PTYKit
import TestKit
import Testing

/// The first hour of a new user, who types what the README says and nothing else, and looks at the answers.
///
/// What was seen is compared with `Examples/first-hour.txt`; `make first-hour` (NEXA_FIRST_HOUR=1) records it again,
/// with the programs that it installs (NEXA_FIRST_HOUR_PROGRAMS).
@Suite struct FirstHourTests {
    @Test func theReadmeLeadsThroughIt() throws {
        let hour = try FirstHour()
        try #require(hour.terminals.count == 2, "two terminals: \(hour.terminals)")
        let steps = hour.terminals[0]
        let first = try #require(steps.first)
        #expect(first.prompt == "$")
        let session = try hour.open(first.line)
        try #require(session.prompts(try #require(steps.dropFirst().first).prompt), "\(session.screen.text)")

        var seen: Set<Question> = []
        var lastID = ""
        var other: [(line: String, shown: String)] = []
        for (index, var step) in steps.enumerated().dropFirst() {
            // The id in the README is an example; the reader takes the one that was shown.
            if step.line.hasPrefix("similar ") {
                let rest = step.line.split(separator: " ", maxSplits: 2).dropFirst(2).joined()
                step.line = "similar \(lastID) \(rest)"
            }
            #expect(session.screen.cursorLine == step.prompt, "the README shows another prompt before: \(step.line)")
            let next = index + 1 < steps.count ? steps[index + 1].prompt : nil
            guard let next else {
                session.enter(step.line)
                break
            }
            let shown: String
            if step.line.hasPrefix("watch") {
                shown = try watch(step, hour.terminals[1], hour, session, next: next, &other)
                seen.insert(.change)
            } else {
                let answer = session.type(step, next: next)
                shown = try #require(answer, "no prompt after: \(step.line)\n\(session.screen.text)")
            }
            for fault in ["✗", "Unknown command", "Usage:"] {
                #expect(!shown.contains(fault), "\(step.line)\n\(shown)")
            }
            if let id = shown.matches(of: /\b[0-9a-f]{32}\b/).last?.output, step.line.hasPrefix("query") {
                lastID = String(id)
            }
            if let question = try check(step, shown, hour) { seen.insert(question) }
        }
        #expect(session.finish() == 0)
        #expect(session.transcript.contains("Goodbye"))
        for question in Question.allCases {
            #expect(seen.contains(question), "the README does not answer: \(question)")
        }
        checkWords(session.transcript)
        try compare(Recording(session, started: first.line, folder: hour.folder.path, other: other), hour)
    }

    /// The recording in the repository shows what is seen now, whatever films there are, or is made again.
    private func compare(_ recording: Recording, _ hour: FirstHour) throws {
        let path = FirstHour.path(of: "Examples/first-hour")
        if getenv("NEXA_FIRST_HOUR") != nil {
            try #require(hour.hasSharedFilms, "the recording shows the films of ../shared/data/movies")
            try Files.write(Array(recording.text.utf8), to: path + ".txt")
            try Files.write(Array(recording.cast.utf8), to: path + ".cast")
        }
        let recorded = String(decoding: Files.read(path + ".txt"), as: UTF8.self)
        let hint = "make first-hour records it again"
        #expect(Recording.commands(recorded) == Recording.commands(recording.text), "\(hint)")
        guard hour.hasSharedFilms else { return }
        let (old, new) = (Recording.masked(recorded), Recording.masked(recording.text))
        let first = zip(old, new).first { $0 != $1 }
        #expect(first == nil && old.count == new.count, "\(hint): \(recording.text)")
    }

    /// What everybody wants to know of films in the first hour.
    enum Question: CaseIterable {
        case noirOfTheFifties, frequentActors, similarFilms, decadeToCSV, change
    }

    // MARK: The answers

    /// Compares an answer with one that was found without the database; the result says to which question.
    private func check(_ step: FirstHour.Step, _ shown: String, _ hour: FirstHour) throws -> Question? {
        let word = step.line.prefix { $0 != " " }
        let fifties = hour.films.filter(\.isOfTheFifties)
        switch word {
        case "import":
            #expect(shown.contains("\(hour.films.count)"), "\(shown)")
            return nil
        case "count" where step.line.contains("Noir"):
            let noir = fifties.count(where: \.isNoirOfTheFifties)
            #expect(noir > 0)
            #expect(shown.contains("Document count: \(noir)\n"), "\(shown)")
            return .noirOfTheFifties
        case "aggregate":
            var films: [String: Int] = [:]
            for actor in hour.films.flatMap({ $0["cast"]?.array ?? [] }) { films[actor.string ?? "", default: 0] += 1 }
            // Of two with the same number either may come first, and the tenth may be another one.
            let numbers = films.values.sorted(by: >).prefix(11)
            var rest = shown[...]
            for (actor, number) in films.sorted(by: { $0.value > $1.value }).prefix(10)
            where numbers.count(where: { $0 == number }) == 1 {
                let place = try #require(rest.firstRange(of: actor), "\(actor) in \(shown)")
                #expect(shown.contains("\(number)"))
                rest = rest[place.upperBound...]
            }
            #expect(shown.contains("\(numbers.first ?? 0)"))
            return .frequentActors
        case "similar":
            let place = try #require(hour.films.firstIndex { $0["title"] == "Sunset Boulevard" })
            let titles = hour.mostSimilar(to: place).prefix(5).compactMap { hour.films[$0]["title"]?.string }
            #expect(titles.count == 5)
            // The nearest first. The graph is searched for the nearest, not all of it compared: one may be missed.
            #expect(titles.count { shown.contains($0) } >= 4, "\(titles) in \(shown)")
            return .similarFilms
        case "export":
            let name = try #require(step.line.split(separator: " ").first { $0.hasSuffix(".csv") })
            let rows = Self.rows(ofCSV: try #require(hour.folder.read(String(name))))
            let header = try #require(rows.first)
            let title = try #require(header.firstIndex(of: "title"))
            #expect(rows.allSatisfy { $0.count == header.count })
            #expect(rows.dropFirst().map { $0[title] }.sorted() == fifties.compactMap { $0["title"]?.string }.sorted())
            return .decadeToCSV
        default: return nil
        }
    }

    /// While one terminal watches, the other one changes something.
    private func watch(
        _ step: FirstHour.Step, _ other: [FirstHour.Step], _ hour: FirstHour, _ session: Session, next: String,
        _ seen: inout [(line: String, shown: String)]
    ) throws -> String {
        let mark = session.log.count
        session.enter(step.line)
        // The line that counts the changes is there when the watch has begun.
        try #require(
            session.wait { Session.plain($0.log[mark...]).contains("watching: ") }, "\(session.screen.text)")
        for line in other {
            #expect(line.prompt == "$")
            let outcome = try hour.run(line.line)
            #expect(outcome.exitCode == 0, "\(line.line): \(outcome.errors)")
            seen.append((line.line, outcome.errors + outcome.output))
        }
        let line = other.last?.line ?? ""
        let start = try #require(line.firstRange(of: "_id: \"")?.upperBound)
        let change = "insert movies \(line[start...].prefix { $0 != "\"" })"
        try #require(session.wait { Session.plain($0.log[mark...]).contains(change) }, "\(session.screen.text)")
        if !session.wait(seconds: 2, until: { $0.screen.cursorLine == next }) { session.send("\u{3}") }
        try #require(session.prompts(next), "\(session.screen.text)")
        return Session.plain(session.log[mark...])
    }

    /// RFC 4180, read by hand.
    private static func rows(ofCSV text: String) -> [[String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var cell: [UInt8] = []
        var isQuoted = false
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            switch byte {
            case 0x22 where isQuoted && bytes.first == 0x22:
                cell.append(0x22)
                bytes.removeFirst()
            case 0x22: isQuoted.toggle()
            case 0x2C where !isQuoted:
                row.append(String(decoding: cell, as: UTF8.self))
                cell = []
            case 0x0A where !isQuoted:
                if cell.last == 0x0D { cell.removeLast() }
                rows.append(row + [String(decoding: cell, as: UTF8.self)])
                row = []
                cell = []
            default: cell.append(byte)
            }
        }
        return rows
    }

    /// Words that only somebody who made it would use.
    private func checkWords(_ transcript: String) {
        for word in [
            "Swift", "Optional(", "Fatal error", "nil", "NexaError", "ShellError", "errno", "0x", "stack", "thread ",
            "rocksdb", "RocksDB"
        ] {
            #expect(!transcript.contains(word), "a word from the inside: \(word)")
        }
    }

    @Test func theStepsAreReadFromTheReadme() {
        let text = """
            ## Two commands
            ```console
            $ nexa
            ```
            ### A first hour
            ```console
            $ nexa --local ./films
            nexa> use films
            ✓ Switched
            nexa(films)> count {a: {$gt: 1}}
            ```
            ```sh
            $ not this
            ```
            ### Next
            """
        #expect(
            FirstHour.steps(of: text) == [
                [
                    .init(prompt: "$", line: "nexa --local ./films"), .init(prompt: "nexa>", line: "use films"),
                    .init(prompt: "nexa(films)>", line: "count {a: {$gt: 1}}")
                ]
            ])
    }
}
