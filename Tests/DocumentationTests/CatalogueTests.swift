import TestKit
import Testing

/// The articles show the code of this folder, and nothing else: `Models.md` that of `Models.swift`.
@Suite struct CatalogueTests {
    /// A piece of code and where it stands.
    struct Code {
        var article: String
        var place: String
        var parts: [[Substring]] = [[]]

        mutating func append(_ line: Substring) { parts[parts.count - 1].append(line) }

        /// The lines as one text, each part without the indentation that its lines have in common.
        var text: String {
            parts.map { lines in
                let common = lines.filter { !isBlank($0) }.map(indentation).min() ?? 0
                return lines.map { isBlank($0) ? "" : String($0.dropFirst(common)) }.joined(separator: "\n")
            }.joined(separator: "\n")
        }
    }

    static let folder = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    static let package = folder + "/../.."
    static let catalogue = package + "/Sources/NexaClient/NexaClient.docc"

    static func lines(of path: String) -> [Substring] {
        String(decoding: Files.read(path), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The articles by name; the README is one of them.
    static func articles() -> [(name: String, path: String)] {
        let names = Files.names(in: catalogue).filter { $0.hasSuffix(".md") }
        return names.map { (String($0.dropLast(3)), catalogue + "/" + $0) } + [("README", package + "/README.md")]
    }

    /// What stands between `// snippet: name` and `// end` in the sources. `// more` goes on with the snippet before, for
    /// one whose parts must stand in different places.
    static func snippets() throws -> [Code] {
        var found: [Code] = []
        for file in Files.names(in: folder) where file.hasSuffix(".swift") && file != "CatalogueTests.swift" {
            var open: Code?
            for line in lines(of: folder + "/" + file) {
                let words = line.drop { $0 == " " }
                if words.hasPrefix("// snippet: ") {
                    try #require(open == nil, "\(file): a snippet begins in \(open?.place ?? "")")
                    let name = words.dropFirst("// snippet: ".count)
                    open = Code(article: String(file.dropLast(6)), place: "\(file), '\(name)'")
                } else if words == "// more" {
                    open = try #require(open == nil ? found.popLast() : nil, "\(file): nothing to go on with")
                    open?.parts.append([])
                } else if words == "// end", let ended = open {
                    found.append(ended)
                    open = nil
                } else {
                    open?.append(line)
                }
            }
            try #require(open == nil, "\(open?.place ?? "") has no end")
        }
        return found
    }

    /// The blocks of Swift in the articles.
    static func blocks() throws -> [Code] {
        var found: [Code] = []
        for (name, path) in articles() {
            var open: (block: Code, language: Substring)?
            for (index, line) in lines(of: path).enumerated() {
                let words = line.drop { $0 == " " }
                if !words.hasPrefix("```") {
                    open?.block.append(line)
                } else if let ended = open {
                    if ended.language == "swift" { found.append(ended.block) }
                    open = nil
                } else {
                    open = (Code(article: name, place: "\(name).md:\(index + 1)"), words.dropFirst(3))
                }
            }
            try #require(open == nil, "\(open?.block.place ?? ""): the block has no end")
        }
        return found
    }

    @Test func everyBlockOfAnArticleIsCodeThatRuns() throws {
        let snippets = try Self.snippets()
        let blocks = try Self.blocks()
        #expect(!blocks.isEmpty)
        for block in blocks where !snippets.contains(where: { $0.article == block.article && $0.text == block.text }) {
            Issue.record("\(block.place): no snippet of \(block.article).swift is this:\n\(block.text)")
        }
    }

    @Test func everySnippetIsInItsArticle() throws {
        let blocks = try Self.blocks()
        for snippet in try Self.snippets() {
            let count = blocks.count { $0.article == snippet.article && $0.text == snippet.text }
            #expect(count == 1, "\(snippet.place) is \(count) times in the article \(snippet.article)")
        }
    }

    @Test func everyArticleIsListedInTheCatalogueAndInTheReadme() {
        let landing = Self.lines(of: Self.catalogue + "/NexaClient.md").joined(separator: "\n")
        let readme = Self.lines(of: Self.package + "/README.md").joined(separator: "\n")
        for (name, _) in Self.articles() where name != "NexaClient" && name != "README" {
            #expect(landing.contains("<doc:\(name)>"), "\(name) is not in NexaClient.md")
            #expect(readme.contains("NexaClient.docc/\(name).md"), "\(name) is not in the README")
        }
    }
}

private func indentation(of line: Substring) -> Int { line.prefix { $0 == " " }.count }

private func isBlank(_ line: Substring) -> Bool { line.allSatisfy { $0 == " " } }
