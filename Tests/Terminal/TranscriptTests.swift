import Glibc
import PTYKit
import TestKit
import Testing

/// The lines that NexaDB's earlier shells printed, against this shell and its server.
///
/// A transcript is a text file. Lines that begin with `> ` are typed; all others are printed, in this order. What
/// differs from run to run has a name: `<id>`, `<time>`, `<version>`, `<address>`, `<text>` (the rest of a line, or a part
/// of it), and `<lines>` on a line of its own (any lines, or none). Lines that begin with `@` say how it is run.
@Suite struct TranscriptTests {
    struct Transcript: CustomStringConvertible, Sendable {
        var name: String
        var input: [String] = []
        var expected: [String] = []
        var arguments: [String]?
        var code: CInt?
        /// Whether the banner and the greeting are part of it.
        var isWhole = false
        /// A command that this version may not have yet.
        var needs: String?

        var description: String { name }

        init(_ path: String) {
            name = String(path.split(separator: "/").last ?? "")
            let text = String(decoding: Files.read(path), as: UTF8.self)
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            if lines.last == "" { lines.removeLast() }
            for line in lines {
                let words = line.split(separator: " ").map(String.init)
                switch words.first {
                case "#" where expected.isEmpty && input.isEmpty: break
                case ">": input.append(String(line.dropFirst(2)))
                case "@arguments": arguments = Array(words.dropFirst())
                case "@code": code = words.last.flatMap { CInt($0) }
                case "@needs": needs = words.last
                case "@whole": isWhole = true
                default: expected.append(line)
                }
            }
        }
    }

    static let folder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Transcripts"
    static let all = Files.names(in: folder).map { Transcript("\(folder)/\($0)") }

    @Test(arguments: all) func lineForLine(_ transcript: Transcript) throws {
        let fixture = try ShellFixture()
        let input = transcript.input.joined(separator: "\n") + "\n"
        let outcome =
            if let arguments = transcript.arguments {
                try Program.run(fixture.nexa, arguments, input: input, environment: fixture.environment)
            } else {
                try fixture.run([], input: input)
            }
        if let needed = transcript.needs, outcome.output.contains("\(needed) is not supported by this version") {
            print("\(transcript.name) is skipped: this version has no \(needed)")
            return
        }
        var lines = outcome.lines
        if !transcript.isWhole {
            let greeting = try #require(lines.firstIndex { $0.hasPrefix("✓ Connected to NexaDB v") })
            lines.removeFirst(greeting + 2)
        }
        let failure = LinePattern.firstMismatch(of: lines, transcript.expected)
        #expect(failure == nil, "\(transcript.name): \(failure ?? "")\n\(outcome.output)")
        // Only failed commands change the code, which they did not in the original.
        let fails = transcript.expected.contains { $0.hasPrefix("✗ ") && $0 != "✗ Drop cancelled" }
        #expect(outcome.exitCode == transcript.code ?? (fails ? 3 : 0))
        #expect(!outcome.output.contains("\u{1B}"))
        guard transcript.arguments == nil else { return }
        let old = try ShellFixture(["NEXA_COMPAT_EXIT": "1"])
        #expect(try old.run([], input: input).exitCode == 0)
    }

    @Test func thereAreEnoughOfThem() {
        #expect(Self.all.count >= 9)
        #expect(Self.all.reduce(0) { $0 + $1.input.count } >= 60)
    }

    @Test func patterns() {
        let expected = ["a <id> <text>", "<lines>", "end <version>"]
        #expect(LinePattern.firstMismatch(of: ["a 0af9 x y", "b", "c", "end 4.0"], expected) == nil)
        #expect(LinePattern.firstMismatch(of: ["a 0af9 ", "end 4.0"], expected) == nil)
        #expect(LinePattern.firstMismatch(of: ["a xyz q", "end 4.0"], expected) != nil)
        #expect(LinePattern.firstMismatch(of: ["a 0af9 x", "end 4.0", "more"], expected) != nil)
        #expect(LinePattern.firstMismatch(of: ["a 0af9 x"], expected) != nil)
        #expect(LinePattern.firstMismatch(of: [], ["<lines>"]) == nil)
        #expect(LinePattern.firstMismatch(of: ["x"], []) != nil)
    }
}

/// A line of a transcript in which some parts may differ.
private struct LinePattern {
    private enum Piece {
        case text([Character])
        case any((Character) -> Bool)
    }

    private var pieces: [Piece] = []

    init(_ line: String) {
        let names: [(String, (Character) -> Bool)] = [
            ("<id>", { $0.isHexDigit || $0 == "-" }), ("<time>", { $0.isNumber || "-:.TZ".contains($0) }),
            ("<version>", { $0.isNumber || $0.isLetter || ".-+".contains($0) }), ("<address>", { $0 != " " }),
            ("<text>", { _ in true })
        ]
        var rest = line[...]
        var text: [Character] = []
        while !rest.isEmpty {
            if let (name, allows) = names.first(where: { rest.hasPrefix($0.0) }) {
                if !text.isEmpty { pieces.append(.text(text)) }
                text = []
                pieces.append(.any(allows))
                rest = rest.dropFirst(name.count)
            } else {
                text.append(rest.removeFirst())
            }
        }
        if !text.isEmpty { pieces.append(.text(text)) }
    }

    func matches(_ line: String) -> Bool { Self.matches(Array(line)[...], pieces[...]) }

    private static func matches(_ line: ArraySlice<Character>, _ pieces: ArraySlice<Piece>) -> Bool {
        guard let piece = pieces.first else { return line.isEmpty }
        switch piece {
        case .text(let text):
            return line.starts(with: text) && matches(line.dropFirst(text.count), pieces.dropFirst())
        case .any(let allows):
            let most = line.prefix(while: allows).count
            return (0...most).reversed().contains { matches(line.dropFirst($0), pieces.dropFirst()) }
        }
    }

    /// Where lines stop being as expected; `nil` when they are.
    static func firstMismatch(of lines: [String], _ expected: [String]) -> String? {
        let patterns = expected.map { $0 == "<lines>" ? nil : LinePattern($0) }
        // Which numbers of lines the patterns so far may have taken.
        var reached: Set<Int> = [0]
        for (index, pattern) in patterns.enumerated() {
            var next: Set<Int> = []
            for position in reached {
                if let pattern {
                    if position < lines.count, pattern.matches(lines[position]) { next.insert(position + 1) }
                } else {
                    next.formUnion(position...lines.count)
                }
            }
            guard !next.isEmpty else {
                let position = reached.max() ?? 0
                let found = position < lines.count ? "'\(lines[position])'" : "the end"
                return "line \(position + 1): expected '\(expected[index])', found \(found)"
            }
            reached = next
        }
        if reached.contains(lines.count) { return nil }
        let position = reached.max() ?? 0
        return "line \(position + 1): expected the end, found '\(lines[position])'"
    }
}
