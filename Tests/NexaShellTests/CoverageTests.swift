import TestKit
import Testing

@testable import NexaShell

/// Every command, option and exit code is exercised by a test that is named in Tests/Terminal/coverage.txt.
///
/// A line there is `command WORD TEST`, `option NAME TEST` or `exit CODE TEST`, where TEST is `Suite.function` of the
/// shell's tests, or a file of Tests/Terminal/Transcripts. The test has to be there and to mention the word.
@Suite struct CoverageTests {
    struct Row: Sendable, CustomStringConvertible {
        var kind: String
        var word: String
        var test: String
        var description: String { "\(kind) \(word) \(test)" }
    }

    private static let root = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")

    private static func text(_ path: String) -> String {
        String(decoding: Files.read("\(root)/\(path)"), as: UTF8.self)
    }

    static let rows: [Row] = text("Terminal/coverage.txt").split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ").map(String.init)
        guard let first = words.first, !first.hasPrefix("#") else { return nil }
        return words.count == 3
            ? Row(kind: words[0], word: words[1], test: words[2])
            : Row(kind: "malformed", word: String(line), test: "")
    }

    /// The functions of all suites: `Suite.function` and its text.
    private static let functions: [String: Substring] = {
        var functions: [String: Substring] = [:]
        for folder in ["Terminal", "NexaShellTests"] {
            for name in Files.names(in: "\(root)/\(folder)") where name.hasSuffix(".swift") {
                var suite = ""
                // What stands between two `@Test` is one test with its helpers.
                let source = text("\(folder)/\(name)")
                for part in source.split(separator: "@Test") {
                    if let function = part.firstRange(of: "func "), functions.isEmpty || !suite.isEmpty {
                        let named = part[function.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                        functions["\(suite).\(named)"] = part
                    }
                    for piece in part.split(separator: "struct ").dropFirst() {
                        let named = String(piece.prefix { $0.isLetter || $0.isNumber })
                        if named.hasSuffix("Tests") { suite = named }
                    }
                }
            }
        }
        return functions
    }()

    /// Whether a test mentions a word as a whole word.
    private static func mentions(_ text: some StringProtocol, _ word: String) -> Bool {
        func isPart(_ character: Character?) -> Bool {
            guard let character else { return false }
            return character.isLetter || character.isNumber || character == "_" || character == "-"
        }
        var rest = text[...]
        while let found = rest.firstRange(of: word) {
            let before = found.lowerBound > text.startIndex ? text[text.index(before: found.lowerBound)] : nil
            let behind = found.upperBound < text.endIndex ? text[found.upperBound] : nil
            // `\n` before a word in a literal is the end of a line.
            let isEscape =
                before == "n" && text[..<found.lowerBound].dropLast().last == "\\"
                || before == "r" && text[..<found.lowerBound].dropLast().last == "\\"
            let isFlag = word.hasPrefix("-") && word.utf8.count == 2
            if !isPart(before) || isEscape, !isPart(behind) || isFlag { return true }
            rest = rest[found.upperBound...]
        }
        return false
    }

    @Test(arguments: rows) func theTestIsThereAndMentionsIt(_ row: Row) throws {
        let names: [String]
        switch row.kind {
        case "command":
            let command = try #require(CommandTable.find(row.word), "no such command: delete the line")
            names = command.names
        case "option":
            let option = OptionTable.sections.flatMap(\.options).first { $0.names.contains(row.word) }
            names = try #require(option, "no such option: delete the line").names
        case "exit":
            let code = try #require(Int32(row.word).flatMap(ExitCode.init), "no such exit code: delete the line")
            names = ["\(code.rawValue)", code == .interrupted ? "SIGINT" : "\(code.rawValue)"]
        default:
            Issue.record("a line is 'command WORD TEST', 'option NAME TEST' or 'exit CODE TEST', not '\(row.word)'")
            return
        }
        if row.test.hasSuffix(".txt") {
            let transcript = Self.text("Terminal/Transcripts/\(row.test)")
            let typed = transcript.split(separator: "\n").filter { $0.hasPrefix("> ") }.joined(separator: "\n")
            #expect(names.contains { Self.mentions(typed.lowercased(), $0) }, "\(row)")
        } else {
            let test = try #require(Self.functions[row.test], "there is no test \(row.test)")
            #expect(names.contains { Self.mentions(test, $0) }, "\(row.test) does not mention \(names)")
        }
    }

    @Test func everyCommandHasATest() {
        let named = Set(Self.rows.filter { $0.kind == "command" }.compactMap { CommandTable.find($0.word)?.name })
        for command in CommandTable.all where !named.contains(command.name) {
            Issue.record("add 'command \(command.name) Suite.test' to Tests/Terminal/coverage.txt, and the test")
        }
    }

    @Test func everyOptionHasATest() {
        let named = Set(Self.rows.filter { $0.kind == "option" }.map(\.word))
        for option in OptionTable.sections.flatMap(\.options) where named.isDisjoint(with: option.names) {
            let name = option.names.last ?? ""
            Issue.record("add 'option \(name) Suite.test' to Tests/Terminal/coverage.txt, and the test")
        }
    }

    @Test func everyExitCodeHasATest() {
        let named = Set(Self.rows.filter { $0.kind == "exit" }.compactMap { Int32($0.word) })
        for code in ExitCode.allCases where !named.contains(code.rawValue) {
            Issue.record("add 'exit \(code.rawValue) Suite.test' to Tests/Terminal/coverage.txt, and the test")
        }
    }

    /// Every name of an option does the same; every name of a command leads to it and to no other.
    @Test func otherNamesAreTheSame() throws {
        let values: [String: String] = [
            "--port": "7", "--password-fd": "3", "--connect-timeout": "1", "--timeout": "1", "--limit": "1",
            "--format": "json", "--color": "never", "--progress": "none", "--set": "a=1"
        ]
        for option in OptionTable.sections.flatMap(\.options) where option.names.count > 1 {
            let value = option.names.compactMap { values[$0] }.first ?? "7"
            let parsed = try option.names.map { name in
                try InvocationParser.parse(option.argument == .none ? [name] : [name, value]).invocation
            }
            #expect(parsed.allSatisfy { $0 == parsed[0] }, "\(option.names)")
            #expect(parsed[0] != Invocation(), "\(option.names) sets something")
        }
        let names = CommandTable.all.flatMap(\.names)
        #expect(Set(names.map { $0.lowercased() }).count == names.count, "a word names two commands")
        for command in CommandTable.all {
            for name in command.names { #expect(CommandTable.find(name)?.name == command.name) }
        }
    }
}
