import NexaValue
import TestKit
import Testing

@testable import NexaShell

@Suite struct VariableTests {
    private func expand(_ command: String, _ values: [String: String]) throws(CommandFault) -> String {
        try VariableExpansion(command) { values[$0] }.text
    }

    @Test(arguments: [
        // Values of JSON.
        ("query {year: {$gte: $y}}", "query {year: {$gte: 2000}}"),
        ("query {a: $t}", #"query {a: "two words"}"#),
        ("create [$y,$y , $t]", #"create [2000,2000 , "two words"]"#),
        ("query {a: $q, b: 1}", #"query {a: 'it', b: 1}"#),
        ("query {a: $j}", "query {a: {\"b\": [1]}}"),
        ("query {a:$y/* x */}", "query {a:2000/* x */}"),
        // Arguments.
        ("use $w", "use movies"), ("read $t {a: $y}", #"read "two words" {a: 2000}"#),
        ("query $j --limit $y --skip=$y", #"query {"b": [1]} --limit 2000 --skip=2000"#),
        ("read $f", #"read "--all""#), ("read $q", "read it"), ("read $e", #"read """#),
        ("read $b", #"read "a \"b\" \\c""#),
        // Not bare, in quotes, or where a key stands.
        (
            #"aggregate [{$group: {_id: "$w", n: {$sum: '$y'}}}]"#,
            #"aggregate [{$group: {_id: "$w", n: {$sum: '$y'}}}]"#
        ),
        ("query {$y: 1}", "query {$y: 1}"), ("query {a: {$w : 1}}", "query {a: {$w : 1}}"),
        ("read a$w", "read a$w"), ("read $w.json", "read $w.json"), ("query {a: x$y}", "query {a: x$y}"),
        ("query {a: 1, // $w\n b: $y}", "query {a: 1, // $w\n b: 2000}"), ("read '$w'", "read '$w'"),
        ("read $", "read $"), ("read $1", "read $1"), ("query {$w}", "query {$w}"), ("$w x", "$w x")
    ])
    func replaced(_ command: String, _ expanded: String) throws {
        let values = [
            "y": "2000", "t": "two words", "w": "movies", "q": "'it'", "j": "{\"b\": [1]}", "f": "--all", "e": "",
            "b": "a \"b\" \\c"
        ]
        #expect(try expand(command, values) == expanded)
    }

    @Test func anUnsetVariableIsAFaultAtItsPlace() throws {
        #expect(throws: CommandFault("variable nope is not set", at: 12)) { try expand("query {日: $nope}", [:]) }
        let variables = ShellVariables()
        try variables.set("year", "1")
        do throws(CommandFault) {
            _ = try variables.expand("query {a: $yaer}")
            Issue.record("it is not set")
        } catch {
            #expect(error.suggestion == "$year")
        }
    }

    /// Whatever a variable holds, it is one value: it adds no key, no flag, no command.
    @Test func aValueStaysOneValue() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let alphabet = Array("{}[]\"'\\/*:,; -\n\tab1$é日//")
        for _ in 0..<5000 {
            let value = String(
                (0..<Int.random(in: 0...12, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "x" })
            let json = try expand("query {a: $v, b: 7}", ["v": value])
            var reader = ArgumentReader(json)
            let decoded = try reader.remainingJSON()
            #expect(decoded.document?.count == 2 && decoded.document?["b"] == 7, "seed \(seed): \(value)")
            var words = ArgumentReader(try expand("read $v --last", ["v": value]))
            if words.isAtBracket() { continue }
            let flag = words.flag()
            #expect(flag == nil, "seed \(seed): \(value)")
            let first = try words.word()
            #expect(first == VariableExpansion.plainText(value), "seed \(seed): \(value)")
            let last = words.flag()?.name
            #expect(last == "--last", "seed \(seed): \(value)")
        }
    }

    @Test func placesLeadBackToWhatWasWritten() throws {
        let expansion = try VariableExpansion("read $t {a: $y, b}") { $0 == "t" ? "two words" : "2000" }
        #expect(expansion.text == #"read "two words" {a: 2000, b}"#)
        #expect(expansion.written(0) == 0)
        #expect(expansion.written(5) == 5)
        #expect(expansion.written(9) == 5, "within a value: its variable")
        #expect(expansion.written(17) == 8, "the bracket")
        #expect(expansion.written(expansion.text.utf8.count) == 18)
        #expect(expansion.expanded(8) == 17)
    }

    @Test func anOpenCommandWithAVariableIsNotWrong() {
        var assembler = CommandAssembler(.reportAtOnce)
        #expect(assembler.append("update $id {year: $y,").isEmpty)
        #expect(assembler.isContinuing)
        let done = assembler.append("a: 1}")
        #expect(done.map(\.fault) == [nil])
        var wrong = CommandAssembler(.reportAtOnce)
        #expect(wrong.append("update $id {year $y,").map { $0.fault?.offset } == [17])
    }

    @Test func namesValuesAndLimits() throws {
        let variables = ShellVariables()
        #expect(throws: ShellError.self) { try variables.set("1a", "x") }
        #expect(throws: ShellError.self) { try variables.set("", "x") }
        #expect(throws: ShellError.self) { try variables.set("a-b", "x") }
        #expect(throws: ShellError.self) { try variables.set(String(repeating: "a", count: 65), "x") }
        #expect(throws: ShellError.self) { try variables.set("HISTREDACT", "perhaps") }
        #expect(throws: ShellError.self) { try variables.set("SAMPLING", "") }
        try variables.set("SAMPLING", "'off'")
        #expect(variables.text("SAMPLING") == "off")
        for index in 1..<ShellVariables.maximumCount { try variables.set("v\(index)", "x") }
        #expect(throws: ShellError.self) { try variables.set("one_more", "x") }
        try variables.set("v1", "y")
        #expect(variables.unset("v1"))
        #expect(!variables.unset("v1"))
        #expect(ShellVariables.assignment("a=b=c") == ("a", "b=c"))
        #expect(ShellVariables.assignment("a") == ("a", ""))
    }
}

@Suite struct ConditionalTests {
    @Test func branches() throws {
        let blocks = Conditionals()
        try blocks.begin(false)
        #expect(blocks.isSkipping)
        try blocks.begin(true)  // within what is passed over, nothing counts
        try blocks.otherwise()
        #expect(blocks.isSkipping)
        try blocks.end()
        #expect(blocks.awaitsBranch)
        try blocks.next(true)
        #expect(!blocks.isSkipping)
        #expect(!blocks.awaitsBranch)
        try blocks.next(true)
        #expect(blocks.isSkipping)
        try blocks.otherwise()
        #expect(blocks.isSkipping)
        #expect(throws: ShellError.self) { try blocks.otherwise() }
        #expect(throws: ShellError.self) { try blocks.next(true) }
        try blocks.end()
        #expect(!blocks.isSkipping)
        #expect(throws: ShellError.self) { try blocks.end() }
    }

    @Test func aFileEndsItsOwnBlocksOnly() throws {
        let blocks = Conditionals()
        try blocks.begin(true)
        blocks.beginFile()
        #expect(throws: ShellError.self) { try blocks.end() }
        try blocks.begin(false)
        #expect(blocks.endFile() == 1)
        #expect(!blocks.isSkipping)
        try blocks.end()
        #expect(blocks.endFile() == 0)
        #expect(throws: ShellError.self) {
            for _ in 0...Conditionals.maximumDepth { try blocks.begin(true) }
        }
    }

    @Test(arguments: [
        (["true"], true), (["ON"], true), (["0"], false), (["no"], false), (["not", "no"], true),
        (["not", "not", "1"], true), (["defined", "a"], true), (["defined", "$b"], false), (["x", "=", "x"], true),
        (["x", "==", "y"], false), (["x", "!=", "y"], true), (["not", "x", "=", "x"], false)
    ])
    func conditions(_ words: [String], _ holds: Bool) throws {
        #expect(try Condition.holds(words) { $0 == "a" } == holds)
    }

    @Test(arguments: [[], ["perhaps"], ["a", "b"], ["not"], ["a", "<", "b"]])
    func whatIsNeitherTrueNorFalse(_ words: [String]) {
        #expect(throws: ShellError.self) { try Condition.holds(words) { _ in false } }
    }
}

@Suite struct ScriptLanguageTests {
    private func commands(_ lines: [String]) -> [CommandAssembler.Command] {
        var assembler = CommandAssembler(.nextCommandWord)
        return lines.flatMap { assembler.append($0) } + (assembler.finish().map { [$0] } ?? [])
    }

    @Test func theSystemsShellGetsItsLineAsItStands() {
        #expect(
            commands([#"count; \! echo "it's; [a" { $x"#, #"  \!ls; pwd"#, "count", #"\!"#]).map(\.text) == [
                "count", #"\! echo "it's; [a" { $x"#, #"\! ls; pwd"#, "count", #"\!"#
            ])
    }

    @Test func commentsAreLinesOfTheirOwn() {
        #expect(
            commands(["#!/usr/bin/env -S nexa -f", "  // count", "count # 1", "create {", "# 2", "}"]).map(\.text) == [
                "count # 1", "create {\n# 2\n}"
            ])
    }

    @Test func columnsCountFromTheBeginOfTheLine() {
        let found = commands(["  count;  日本 x; query {", "  a", "}"])
        #expect(found.map(\.column) == [3, 11, 17])
        #expect(found.map(\.line) == [1, 1, 1])
    }

    @Test func watchArguments() throws {
        func arguments(_ text: String) throws(CommandFault) -> RepeatArguments {
            try RepeatArguments(ArgumentReader("\\watch " + text))
        }
        let plain = try arguments("")
        #expect((plain.seconds, plain.count, plain.minimum) == (2, nil, nil))
        let all = try arguments("0.5 c=3 m=2")
        #expect((all.seconds, all.count, all.minimum) == (0.5, 3, 2))
        for wrong in ["-1", "soon", "c=0", "c=x", "x=1", "1e9", "nan"] {
            #expect(throws: CommandFault.self) { try arguments(wrong) }
        }
    }

    @Test func promptTemplates() {
        let server = PromptTemplate.Server(user: "ann", name: "db:6970")
        let place = Location(database: "shop", collection: "a\u{1B}b")
        #expect(PromptTemplate.text("%n@%m/%/:%c %%%x>", place, server) == "ann@db:6970/shop:a\\u001bb %%x> ")
        #expect(PromptTemplate.text("a\nb%", Location(), server) == "a b% ")
        #expect(PromptTemplate.text(String(repeating: "x", count: 500), Location(), server).count == 201)
        #expect(PromptSource.prompt(.continuation(place), "> ", server) == "   ...> ")
    }

    @Test func redactedHistory() {
        let secret = #"create {"user": "ann", "password": "hu\"nter"}"#
        #expect(HistoryPolicy.remembered(secret, .remove) == nil)
        #expect(HistoryPolicy.remembered(secret, .keep) == secret)
        #expect(HistoryPolicy.remembered(secret, .mask) == #"create {"user": "***", "password": "***"}"#)
        #expect(HistoryPolicy.remembered("create {token: 'abc", .mask) == "create {token: '***")
        for choice in [HistoryRedaction.remove, .mask, .keep] {
            #expect(HistoryPolicy.remembered("count", choice) == "count")
            #expect(HistoryPolicy.remembered(" count", choice) == nil)
            #expect(HistoryPolicy.remembered("\\connect nexadb://a:b@c", choice) == nil)
        }
    }

    @Test func theLicenceIsThatOfTheRepository() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        #expect(String(decoding: Files.read("/\(root)/LICENSE"), as: UTF8.self) == License.text + "\n")
    }
}

@Suite struct PasswordTableTests {
    private let key = PasswordTable.Key(host: "db", port: "6970", database: "shop", user: "ann")

    @Test func theFirstLineThatFitsCounts() {
        let text = """
            # hosts
            other:6970:shop:ann:no
            db:*:shop:bob:no
            db:6970:*:ann:a\\:b:c\\\\d
            *:*:*:*:last
            """
        #expect(PasswordTable.password(in: text, for: key, isSecretFile: false) == "a:b:c\\d")
        var other = key
        other.user = "eve"
        #expect(PasswordTable.password(in: text, for: other, isSecretFile: false) == "last")
        #expect(PasswordTable.password(in: text, for: key, isSecretFile: true) == "a:b:c\\d")
        #expect(PasswordTable.password(in: "x:1:*:*:p\n", for: key, isSecretFile: false) == nil)
    }

    @Test func aSecretIsAWholeLine() {
        #expect(PasswordTable.password(in: "a:b:c:d:e:f\n", for: key, isSecretFile: true) == "a:b:c:d:e:f")
        #expect(PasswordTable.password(in: "secret\nnotes\n", for: key, isSecretFile: true) == "secret")
        #expect(PasswordTable.password(in: "", for: key, isSecretFile: true) == "")
        #expect(PasswordTable.password(in: "just-one\n", for: key, isSecretFile: false) == "just-one")
        #expect(PasswordTable.password(in: "", for: key, isSecretFile: false) == nil)
    }

    @Test func startUpFilesAreForPeople() throws {
        let folder = try TemporaryDirectory()
        let home = ["HOME": folder.path]
        func found(_ words: [String], person: Bool, _ environment: [String: String]) throws -> StartupFile.Found? {
            try StartupFile(invocation: InvocationParser.parse(words).invocation, environment: environment)
                .find(forPerson: person)
        }
        #expect(try found([], person: true, home) == nil)
        let usual = try folder.write(".nexarc", "ping\n")
        #expect(try found([], person: true, home) == .init(path: usual, isNamed: false))
        #expect(try found([], person: false, home) == nil)
        #expect(try found(["-X"], person: true, home) == nil)
        #expect(try found(["--rc", "x"], person: false, home) == .init(path: "x", isNamed: true))
        #expect(try found([], person: true, ["NEXA_RC": "y"]) == .init(path: "y", isNamed: true))
        #expect(try found([], person: true, home.merging(["NEXA_RC": ""]) { $1 }) == nil)
        #expect(throws: ShellError.self) {
            try StartupFile.open(folder.write("open", "ping\n", mode: 0o666), signals: -1)
        }
        #expect(throws: ShellError.self) { try StartupFile.open(folder.path, signals: -1) }
    }
}
