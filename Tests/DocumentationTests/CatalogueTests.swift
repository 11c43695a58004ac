import TestKit
import Testing

/// The articles show the code of this folder, and nothing else.
@Suite struct CatalogueTests {
    struct Block: Hashable {
        var place: String
        var code: String
    }

    static let folder = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    static let catalogue = folder + "/../../Sources/NexaClient/NexaClient.docc"

    static func lines(of path: String) -> [Substring] {
        String(decoding: Files.read(path), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    }

    static func indentation(of line: Substring) -> Int { line.prefix { $0 == " " }.count }
    static func isBlank(_ line: Substring) -> Bool { line.allSatisfy { $0 == " " } }

    /// The lines as one text, without the indentation that they have in common.
    static func text(_ lines: [Substring]) -> String {
        let common = lines.filter { !isBlank($0) }.map(indentation).min() ?? 0
        return lines.map { isBlank($0) ? "" : String($0.dropFirst(common)) }.joined(separator: "\n")
    }

    /// What stands between `// snippet: name` and `// end` in the sources.
    static func snippets() throws -> [Block] {
        var found: [Block] = []
        for file in Files.names(in: folder) where file.hasSuffix(".swift") && file != "CatalogueTests.swift" {
            var open: (name: String, lines: [Substring])?
            for line in lines(of: folder + "/" + file) {
                let words = line.drop { $0 == " " }
                if words.hasPrefix("// snippet: ") {
                    try #require(open == nil, "\(file): a snippet begins in \(open?.name ?? "")")
                    open = (file + ": " + words.dropFirst("// snippet: ".count), [])
                } else if words == "// end", let ended = open {
                    found.append(Block(place: ended.name, code: text(ended.lines)))
                    open = nil
                } else {
                    open?.lines.append(line)
                }
            }
            try #require(open == nil, "\(open?.name ?? "") has no end")
        }
        return found
    }

    /// The blocks of Swift in the articles.
    static func blocks() throws -> [Block] {
        var found: [Block] = []
        for file in Files.names(in: catalogue) where file.hasSuffix(".md") {
            var open: (place: String, language: String, lines: [Substring])?
            for (index, line) in lines(of: catalogue + "/" + file).enumerated() {
                let words = line.drop { $0 == " " }
                guard words.hasPrefix("```") else {
                    open?.lines.append(line)
                    continue
                }
                if let ended = open {
                    if ended.language == "swift" { found.append(Block(place: ended.place, code: text(ended.lines))) }
                    open = nil
                } else {
                    open = ("\(file):\(index + 1)", String(words.dropFirst(3)), [])
                }
            }
            try #require(open == nil, "\(open?.place ?? ""): the block has no end")
        }
        return found
    }

    @Test func everyBlockOfTheArticlesIsCodeThatRuns() throws {
        let known = Set(try Self.snippets().map(\.code))
        let blocks = try Self.blocks()
        #expect(!blocks.isEmpty)
        for block in blocks where !known.contains(block.code) {
            Issue.record("\(block.place): no snippet of Tests/DocumentationTests is this:\n\(block.code)")
        }
    }

    @Test func everySnippetIsInOneArticle() throws {
        let snippets = try Self.snippets()
        let shown = try Self.blocks().map(\.code)
        #expect(Set(snippets.map(\.code)).count == snippets.count, "two snippets are the same")
        for snippet in snippets where !shown.contains(snippet.code) {
            Issue.record("\(snippet.place) is in no article")
        }
    }
}
