import NexaClient
import Testing

/// What the tables of the articles say is so, and nothing is missing in them.
@Suite struct TableTests {
    /// The cells of the rows of an article whose first cell is a word of code, without the marks around words.
    static func rows(of article: String) -> [[String]] {
        CatalogueTests.lines(of: "\(CatalogueTests.catalogue)/\(article).md").filter { $0.hasPrefix("| `") }.map {
            row in
            row.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map { cell in
                String(cell.drop { " `".contains($0) }.prefix { !"`".contains($0) }.trimmingBlanks)
            }
        }
    }

    /// The settings of a configuration by their paths.
    static func settings(_ value: Any, in path: String = "") -> [String: String] {
        let mirror = Mirror(reflecting: value)
        guard mirror.displayStyle == .struct, !(value is Duration), path.isEmpty || path.first != "e" else {
            return [path: "\(value)"]
        }
        return mirror.children.reduce(into: [:]) { all, child in
            let label = child.label ?? ""
            all.merge(settings(child.value, in: path.isEmpty ? label : path + "." + label)) { $1 }
        }
    }

    @Test func everySettingIsInTheArticleOnThePool() {
        let settings = Set(Self.settings(NexaConfiguration()).keys)
        #expect(settings.count > 15)
        let rows = Set(Self.rows(of: "PoolTuning").compactMap(\.first))
        // These stand in front of the keys of a URI.
        #expect(settings.subtracting(["endpoints", "credentials", "database"]) == rows)
    }

    @Test func theKeysAndDefaultsInTheArticleOnThePoolAreTrue() throws {
        let standard = NexaConfiguration(host: "localhost")
        let before = Self.settings(standard)
        for row in Self.rows(of: "PoolTuning") {
            let (setting, key, text) = (row[0], row[1], row[2])
            guard !key.isEmpty else {
                let said = row[3].split(separator: ":").first.map(String.init)
                #expect(before[setting] == said, "\(setting)")
                continue
            }
            if !text.isEmpty {
                let same = try NexaConfiguration(uri: "nexadb://localhost?\(key)=\(text)")
                #expect(same == standard, "\(key)=\(text) is not the default")
            }
            // And it is this setting that the key changes.
            let other =
                switch text {
                case "true": "false"
                case "false": "true"
                case "private": "never"
                case "": "name"
                case _ where text.last?.isNumber == true: text + "1"
                default: "7" + text
                }
            let after = Self.settings(try NexaConfiguration(uri: "nexadb://localhost?\(key)=\(other)"))
            #expect(before.keys.filter { before[$0] != after[$0] } == [setting], "\(key)=\(other)")
        }
    }

    @Test func everyCodeIsInTheArticleOnErrors() {
        let declared = CatalogueTests.lines(of: CatalogueTests.package + "/Sources/NexaClient/NexaError.swift")
            .compactMap { line -> String? in
                let words = line.split(separator: " ")
                guard words.starts(with: ["public", "static", "let"]), words.count > 4, words[4] == "=" else {
                    return nil
                }
                return String(words[3])
            }
        #expect(declared.count > 15)
        let prefix = "NexaError/Code-swift.struct/"
        let rows = Self.rows(of: "ErrorsAndRetries").map { String($0[0].dropFirst(prefix.count)) }
        #expect(rows.sorted() == declared.sorted())
    }
}

extension StringProtocol {
    /// Without the blanks at the end.
    fileprivate var trimmingBlanks: String { String(String(reversed().drop { $0 == " " }).reversed()) }
}
