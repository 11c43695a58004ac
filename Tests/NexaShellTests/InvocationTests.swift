import NexaClient
import Testing

@testable import NexaShell

@Suite struct InvocationTests {
    private func parse(_ words: String...) throws(UsageError) -> Invocation {
        try InvocationParser.parse(words).invocation
    }

    @Test func valuesInEveryForm() throws {
        let invocation = try parse(
            "-h", "db1", "--port=7000", "-uann", "--database", "shop", "-e", "use a", "-f", "x.nexa", "-e", "count")
        #expect(invocation.host == "db1")
        #expect(invocation.port == 7000)
        #expect(invocation.username == "ann")
        #expect(invocation.database == "shop")
        #expect(invocation.sources == [.command("use a"), .file("x.nexa"), .command("count")])
    }

    @Test func hAloneIsHelp() throws {
        #expect(try parse("-h").showsHelp)
        #expect(try parse("-h", "-q").showsHelp)
        #expect(try parse("-h", "db1").host == "db1")
    }

    @Test func pAloneAsks() throws {
        #expect(try parse("-p").passwords == [.prompt])
        #expect(try parse("-p", "-q").passwords == [.prompt])
        let parsed = try InvocationParser.parse(["-u", "root", "-p", "secret", "-q"])
        #expect(parsed.invocation.passwords == [.value("secret")])
        #expect(parsed.secretPositions == [3])
        #expect(try InvocationParser.parse(["--password=x"]).secretPositions == [0])
        #expect(try InvocationParser.parse(["-px"]).secretPositions == [0])
    }

    @Test(arguments: [
        ["movies"], ["--port", "0"], ["--port", "x"], ["--port"], ["--format", "xml"], ["--limit", "-1"], ["--help=1"],
        ["--color", "blue"], ["--timeout", "soon"], ["-z"], ["--unknown"]
    ])
    func wrongUsageIsSaid(_ words: [String]) {
        #expect(throws: UsageError.self) { try InvocationParser.parse(words) }
    }

    @Test func aNearMissIsNamed() {
        #expect(throws: UsageError("unknown option '--databse'; did you mean --database?")) {
            try InvocationParser.parse(["--databse", "x"])
        }
    }

    @Test func everyOptionIsInTheHelp() {
        for option in OptionTable.sections.flatMap(\.options) {
            for name in option.names { #expect(OptionTable.helpText.contains(name)) }
        }
        #expect(OptionTable.helpText.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }

    // MARK: Modes

    private func plan(_ words: [String], input: Bool, output: Bool, _ environment: [String: String] = [:]) throws
        -> Plan
    {
        try Plan(
            InvocationParser.parse(words).invocation,
            in: .init(
                inputIsTerminal: input, outputIsTerminal: output, errorsAreTerminal: output, environment: environment))
    }

    @Test func modesOfTheTable() throws {
        #expect(try plan([], input: true, output: true).presentation.mode == .interactive)
        let classic = try plan([], input: false, output: false)
        #expect(classic.presentation.mode == .classicScript)
        #expect(classic.presentation.format == .pretty)
        #expect(!classic.stopsOnError)
        #expect(try plan([], input: false, output: true).presentation.mode == .classicScript)
        let script = try plan(["--ids"], input: false, output: false)
        #expect(script.presentation.mode == .script)
        #expect(script.presentation.format == .ids)
        #expect(try plan(["-q"], input: false, output: false).presentation.format == .ndjson)
        let oneShot = try plan(["-e", "count"], input: false, output: false)
        #expect(oneShot.presentation.mode == .oneShot)
        #expect(oneShot.presentation.format == .ndjson)
        #expect(oneShot.stopsOnError)
        #expect(!oneShot.readsStandardInput)
        #expect(try plan(["-e", "count"], input: true, output: true).presentation.format == .pretty)
        #expect(try plan(["-e", "count", "--keep-going"], input: true, output: true).stopsOnError == false)
        let both = try plan(["-e", "use a", "-i"], input: true, output: true)
        #expect(both.presentation.mode == .interactive)
        #expect(both.prompts)
    }

    @Test func blindTypingIsRefused() throws {
        #expect(throws: UsageError.self) { try plan([], input: true, output: false) }
        #expect(try plan(["-i"], input: true, output: false).promptsOnTerminalDevice)
    }

    @Test func coloursOnlyOnATerminal() throws {
        #expect(try plan([], input: true, output: true).presentation.coloursOutput)
        #expect(try !plan([], input: false, output: false).presentation.coloursOutput)
        #expect(try !plan([], input: true, output: true, ["NO_COLOR": "1"]).presentation.coloursOutput)
        #expect(try !plan([], input: true, output: true, ["TERM": "dumb"]).presentation.coloursOutput)
        #expect(try plan(["--color", "always"], input: false, output: false).presentation.coloursOutput)
    }

    // MARK: Where to connect

    private func connection(_ words: [String], _ environment: [String: String] = [:]) throws -> ConnectionPlan {
        try ConnectionPlan(InvocationParser.parse(words).invocation, environment: environment)
    }

    @Test func flagsWinOverTheEnvironment() throws {
        let plain = try connection([])
        #expect(plain.configuration.endpoints == [.tcp(host: "localhost", port: 6970)])
        #expect(plain.username == "root")
        #expect(plain.display == "localhost:6970")
        let environment = [
            "NEXADB_HOST": "db1", "NEXADB_BINARY_PORT": "7001", "NEXADB_USERNAME": "ann", "NEXADB_DATABASE": "shop"
        ]
        let given = try connection([], environment)
        #expect(given.configuration.endpoints == [.tcp(host: "db1", port: 7001)])
        #expect(given.username == "ann")
        #expect(given.location.database == "shop")
        let won = try connection(["-h", "db2", "-u", "bob", "-d", "x", "--collection", "c"], environment)
        #expect(won.configuration.endpoints == [.tcp(host: "db2", port: 7001)])
        #expect(won.username == "bob")
        #expect(won.location == Location(database: "x", collection: "c"))
    }

    @Test func theEnvironmentIsNotAboutTheServerOfAFolder() throws {
        let local = try connection(
            ["--local", "data"],
            ["NEXADB_URI": "nexadb://ann:x@db/shop", "NEXADB_USERNAME": "bob", "NEXADB_DATABASE": "y"])
        #expect(local.username == "root")
        #expect(local.configuration.credentials?.password == nil)
        #expect(local.location == Location())
        #expect(local.display == "data")
    }

    @Test func urls() throws {
        let url = try connection(["--url", "nexadb://ann@db:7000/shop"])
        #expect(url.configuration.endpoints == [.tcp(host: "db", port: 7000)])
        #expect(url.username == "ann")
        #expect(url.location.database == "shop")
        #expect(!url.isLoopback)
        #expect(throws: UsageError.self) { try connection(["--url", "nexadb://ann:secret@db/shop"]) }
        #expect(throws: UsageError.self) { try connection(["--url", "nexadb://db", "-h", "other"]) }
        #expect(throws: UsageError.self) { try connection(["--local", "d", "-h", "other"]) }
        let environment = try connection([], ["NEXADB_URI": "nexadb://ann:secret@db:7000/shop"])
        #expect(environment.configuration.credentials?.password == "secret")
    }

    @Test func theDefaultPasswordIsOnlyForRootOnThisMachine() throws {
        func found(_ username: String, loopback: Bool, _ environment: [String: String] = [:]) throws
            -> PasswordFinder.Found
        {
            let words = ["-u", username, "-h", loopback ? "localhost" : "db.example"]
            return try PasswordFinder(
                invocation: Invocation(), environment: environment, standardInput: nil, signals: -1
            ).find(connection(words))
        }
        #expect(try found("root", loopback: true) == .init(password: "nexadb123", isDefault: true))
        #expect(try found("ann", loopback: true) == .init(password: nil))
        #expect(try found("root", loopback: false) == .init(password: nil))
        #expect(try found("root", loopback: false, ["NEXADB_PASSWORD": "x"]) == .init(password: "x"))
    }
}
