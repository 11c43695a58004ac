import Testing

@testable import NexaShell

/// What is wanted at each place of a command: the text ends where the cursor is.
@Suite struct CompletionParserTests {
    typealias Target = CompletionContext.Target

    private func targets(_ text: String) -> [Target] { CompletionParser.context(of: text).targets }

    private func check(
        _ text: String, _ targets: [Target], _ prefix: String, replaced: Int? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) {
        let context = CompletionParser.context(of: text)
        #expect(context.targets == targets, "\(text)", sourceLocation: location)
        #expect(context.prefix == prefix, "\(text)", sourceLocation: location)
        #expect(context.replacedBytes == replaced ?? prefix.utf8.count, "\(text)", sourceLocation: location)
    }

    @Test func commandWords() {
        check("", [.command], "")
        check("  ", [.command], "")
        check("que", [.command], "que")
        check("\\re", [.command], "\\re")
        check("use a; co", [.command], "co")
        check("use a;co", [.command], "co")
        check("use a\nco", [.command], "co")
        check("create {a: ';'}; co", [.command], "co")
        check("query {\n year: 1\n}\nco", [.command], "co")
    }

    @Test func unknownCommandsOfferNothing() {
        #expect(targets("nonsense ").isEmpty)
        #expect(targets("nonsense {a").isEmpty)
    }

    @Test func arguments() {
        check("use ", [.argument(.collection)], "")
        check("use mo", [.argument(.collection)], "mo")
        check("USE mo", [.argument(.collection)], "mo")
        check("\\c st", [.argument(.database)], "st")
        check("use \"my mo", [.argument(.collection)], "my mo", replaced: 6)
        check("use 'my mo", [.argument(.collection)], "my mo", replaced: 6)
        check("delete a", [.argument(.documentID)], "a")
        check("help qu", [.argument(.command)], "qu")
        check("\\errexit o", [.argument(.word(["on", "off"]))], "o")
        check("\\set PRO", [.variable], "PRO")
        check("\\set SAMPLING o", [.argument(.word(["on", "off"]))], "o")
        check("use $x", [.variable], "x")
        check("vector_search @ve", [.file], "ve")
        check("vector_search [0.1, 0", [], "0")
        check("import da", [.file], "da")
        check("import data.ndjson mo", [.argument(.collection)], "mo")
        check("\\! ls da", [.file], "da")
        check("\\! echo ';' {\"a", [.file], "{\"a")
    }

    @Test func flags() {
        check("query --s", [.flag(of: "query", without: [])], "--s")
        check("query -", [.flag(of: "query", without: [])], "-")
        check("query {a: 1} --limit 5 --s", [.flag(of: "query", without: ["--limit"])], "--s")
        check("query {a: 1} ", [.flag(of: "query", without: [])], "")
        check("query --sort ye", [.field(parent: "")], "ye")
        check("query --sort=ye", [.field(parent: "")], "ye")
        check("query --sort a,-ye", [.field(parent: "")], "ye")
        check("query --fields a,b.", [.field(parent: "")], "b.")
        check("query --limit ", [], "")
        check("import x --on-error sk", [.file], "sk")
        check("export --filter {ye", [.field(parent: ""), .keyword(.logical)], "ye")
        check("export --filter {ye: 1} mo", [.argument(.collection)], "mo")
    }

    @Test(arguments: ["query {", "query {\"a\": 1, ", "query {a: {$gt: 1}, ", "count {", "query {// note\n", "query { "]
    )
    func keysOfAFilter(_ text: String) {
        check(text, [.field(parent: ""), .keyword(.logical)], "")
    }

    @Test func keysInQuotesAndWithout() {
        let wanted: [Target] = [.field(parent: ""), .keyword(.logical)]
        check("query {\"ye", wanted, "ye", replaced: 3)
        check("query {'ye", wanted, "ye", replaced: 3)
        check("query {ye", wanted, "ye")
        check("query {address.ci", wanted, "address.ci")
        check("query {\"jour né", wanted, "jour né", replaced: 9)
        check("query {a:1,ye", wanted, "ye")
        #expect(CompletionParser.context(of: "query {\"ye").style == .key(quote: 0x22))
        #expect(CompletionParser.context(of: "query {ye").style == .key(quote: nil))
        #expect(CompletionParser.context(of: "query {ye: 'x").style == .value(quote: 0x27))
    }

    @Test func operatorsBehindAField() {
        let wanted: [Target] = [.keyword(.comparison), .field(parent: "year.")]
        check("query {year: {", wanted, "")
        check("query {year: {$g", wanted, "$g")
        check("query {\"year\": {\"$g", wanted, "$g", replaced: 3)
        check("query {year: {$gte: 1, $l", wanted, "$l")
        check("query {$and: [{year: {", wanted, "")
        check("query {$o", [.field(parent: ""), .keyword(.logical)], "$o")
        check("query {$or: [{ye", [.field(parent: ""), .keyword(.logical)], "ye")
        check("query {year: {$not: {$g", [.keyword(.comparison)], "$g")
        check("query {cast: {$elemMatch: {na", [.field(parent: "cast."), .keyword(.comparison)], "na")
    }

    @Test func values() {
        check("query {genre: \"no", [.value(of: "genre")], "no", replaced: 3)
        check("query {genre: no", [.value(of: "genre")], "no")
        check("query {genre: ", [.value(of: "genre")], "")
        check("query {genre: {$in: ['a', 'no", [.value(of: "genre")], "no", replaced: 3)
        check("query {address: {city: \"B", [.value(of: "address.city")], "B", replaced: 2)
        check("query {$or: [{genre: \"no", [.value(of: "genre")], "no", replaced: 3)
        check("query {year: {$gte: $y", [.variable], "y")
        check("create {title: @f", [.file], "f")
    }

    @Test(arguments: [
        "query {a", "query {a: 1", "query {a: [1, 2", "query {a: {b: {c: 'x", "create {\"a", "query {a:1} --sort x"
    ])
    func everyPrefixIsAnswered(_ text: String) {
        for count in 0...text.count {
            let context = CompletionParser.context(of: String(text.prefix(count)))
            #expect(context.replacedBytes <= count)
        }
    }

    @Test func nothingBehindAFinishedValue() {
        for text in ["query {a ", "query {\"a\" ", "query {a: 1 ", "query {a: 'x' ", "query {a: {} ", "query {a: [] "] {
            #expect(targets(text).isEmpty, "\(text)")
        }
        #expect(targets("query {a: 1 // ye").isEmpty)
        #expect(targets("query {a: 1, /* ye").isEmpty)
        #expect(targets("query {a: 1, /* x */ ye") == [.field(parent: ""), .keyword(.logical)])
    }

    @Test func documentsHaveFieldsButNoOperators() {
        check("create {ti", [.field(parent: "")], "ti")
        check("create {address: {ci", [.field(parent: "address.")], "ci")
        check("insert_many [{a: 1}, {ti", [.field(parent: "")], "ti")
        check("update 1 {ti", [.field(parent: ""), .keyword(.update)], "ti")
        check("update 1 {$set: {ti", [.field(parent: "")], "ti")
    }

    @Test func aCommandOverSeveralLines() {
        check("query {\n  year: {\n    $g", [.keyword(.comparison), .field(parent: "year.")], "$g")
        check("query {\n", [.field(parent: ""), .keyword(.logical)], "")
    }

    @Test func hostileTextIsAnswered() {
        var texts = [
            "query ]]]", "query {]}[", "query {\"", "query {'\\", "use \"\\", "query {:::", "query {,,,", ";;;;"
        ]
        texts.append("query " + String(repeating: "{a:[", count: 5000))
        texts.append(String(repeating: "\\", count: 5000))
        for text in texts { _ = CompletionParser.context(of: text) }
    }
}
