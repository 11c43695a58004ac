import NexaValue
import TestKit
import Testing

@testable import NexaShell

@Suite struct OutputTests {
    private func printed(
        _ documents: [Document], _ format: OutputFormat, mode: Presentation.Mode = .oneShot, coloured: Bool = false
    ) throws -> String {
        let sink = MemorySink()
        var presentation = Presentation()
        presentation.mode = mode
        presentation.format = format
        presentation.coloursOutput = coloured
        let console = Console(output: sink, errors: MemorySink(), presentation: presentation)
        var printer = DocumentPrinter(console)
        for document in documents { try printer.print(document) }
        try printer.finish()
        return sink.text
    }

    private let movie: Document = [
        "title": "Amélie \"A\"", "_id": "m1", "year": 2001, "score": 1.0, "cast": ["A", "B"], "none": nil, "empty": [],
        "sub": ["z": 1, "a": 2]
    ]

    @Test func prettyIsIndentedWithSortedKeys() throws {
        #expect(
            try printed([["b": 1, "a": ["d": true, "c": nil]], ["x": 1.0]], .pretty) == """

                [1]
                {
                  "a": {
                    "c": null,
                    "d": true
                  },
                  "b": 1
                }

                [2]
                {
                  "x": 1.0
                }

                """)
    }

    @Test func ndjsonKeepsTheStoredOrder() throws {
        #expect(
            try printed([movie], .ndjson)
                == #"{"title":"Amélie \"A\"","_id":"m1","year":2001,"score":1.0,"cast":["A","B"],"none":null,"empty":[],"sub":{"z":1,"a":2}}"#
                + "\n")
    }

    @Test func jsonIsOneArray() throws {
        #expect(try printed([], .json) == "[]\n")
        let text = try printed([movie, ["_id": 2]], .json)
        let value = try JSON.decode(text)
        #expect(value.array?.count == 2)
        #expect(value.array?.first?.document == movie)
    }

    @Test func toonHasTheEnvelopeAndATable() throws {
        #expect(
            try printed([["_id": "a", "n": 1], ["_id": "b", "n": 2]], .toon)
                == "documents[2]{_id,n}:\n  a,1\n  b,2\ncount: 2\n")
        #expect(try printed([], .toon) == "documents[0]:\ncount: 0\n")
        #expect(try printed([movie, ["_id": 2]], .toon).hasSuffix("\ncount: 2\n"))
    }

    @Test func idsAreBare() throws {
        #expect(try printed([movie, ["_id": 7], [:]], .ids) == "m1\n7\n\n")
    }

    @Test func aTerminalNeverGetsControlCharacters() throws {
        let hostile: Document = ["_id": "\u{1B}[2J\u{9B}31m\u{7F}"]
        for format in OutputFormat.allCases {
            let text = try printed([hostile], format, coloured: true)
            let colours = ["36", "32", "33", "35", "2", "1", "0"].map { "\u{1B}[\($0)m" }
            let own = colours.reduce(text) { $0.split(separator: $1).joined() }
            #expect(!own.unicodeScalars.contains { $0.value == 0x1B || (0x7F...0x9F).contains($0.value) }, "\(format)")
        }
    }

    @Test func jsonHasColoursByKind() throws {
        let text = try printed([["a\"": "x:\\", "b": [-1.5e300, true], "c": nil]], .pretty, coloured: true)
        #expect(
            text == """

                \u{1B}[1m[1]\u{1B}[0m
                {
                  \u{1B}[36m"a\\""\u{1B}[0m: \u{1B}[32m"x:\\\\"\u{1B}[0m,
                  \u{1B}[36m"b"\u{1B}[0m: [
                    \u{1B}[33m-1.5e+300\u{1B}[0m,
                    \u{1B}[35mtrue\u{1B}[0m
                  ],
                  \u{1B}[36m"c"\u{1B}[0m: \u{1B}[2mnull\u{1B}[0m
                }

                """)
        #expect(JSONColours.coloured("\"open") == "\u{1B}[32m\"open\u{1B}[0m")
    }

    @Test func talkGoesToErrorsWhenOutputIsData() throws {
        for (mode, onOutput) in [
            (Presentation.Mode.interactive, true), (.classicScript, true), (.script, false), (.oneShot, false)
        ] {
            let (output, errors) = (MemorySink(), MemorySink())
            var presentation = Presentation()
            presentation.mode = mode
            let console = Console(output: output, errors: errors, presentation: presentation)
            try console.success("done")
            try console.failure("bad")
            try console.warning("hm")
            #expect((onOutput ? output : errors).text == "✓ done\n✗ bad\n⚠ hm\n")
            #expect((onOutput ? errors : output).text.isEmpty)
        }
    }

    @Test func faultsAreShownWithACaretExceptInClassicScripts() throws {
        let text = "query {\"year\" {\"$gte\": 2000}}"
        var error = ShellError("expected ':'")
        error.offset = 14
        let command = CommandAssembler.Command(text: text, line: 12)
        func report(_ mode: Presentation.Mode, _ file: String?) throws -> String {
            let sink = MemorySink()
            var presentation = Presentation()
            presentation.mode = mode
            try ErrorReport(error, command: command, file: file).print(
                on: Console(output: sink, errors: sink, presentation: presentation))
            return sink.text
        }
        #expect(try report(.classicScript, nil) == "✗ Error: expected ':' at line 1 column 15\n")
        #expect(
            try report(.interactive, nil) == """
                ✗ Error: expected ':' at line 1 column 15
                  query {"year" {"$gte": 2000}}
                                ^

                """)
        #expect(try report(.oneShot, "script.nexa").hasPrefix("✗ script.nexa:12:15: expected ':'"))
    }

    @Test func prompts() {
        #expect(PromptSource.prompt(.command(Location())) == "nexa> ")
        #expect(PromptSource.prompt(.command(Location(collection: "movies"))) == "nexa(movies)> ")
        #expect(PromptSource.prompt(.command(Location(database: "staging"))) == "nexa(staging:)> ")
        #expect(PromptSource.prompt(.command(Location(database: "staging", collection: "m"))) == "nexa(staging:m)> ")
        #expect(PromptSource.prompt(.continuation(Location())) == "   ...> ")
        #expect(PromptSource.prompt(.continuation(Location(collection: "movies"))) == "         ...> ")
    }

    @Test func everyCommandIsInTheHelp() {
        let overview = HelpText.overview(version: "1.2.3")
        for command in CommandTable.all {
            #expect(overview.contains(command.name) || command.name == "exit")
            #expect(HelpText.about(command).contains(command.usage))
        }
        #expect(CommandTable.find("CREATE")?.name == "create")
        #expect(CommandTable.find("\\Q")?.name == "exit")
    }

    @Test func progressLines() {
        #expect(
            Progress.line(bytes: 41_000_000, total: 100_000_000, documents: 412_000, seconds: 1)
                == "[====>      ] 41%  41 MB/s  412 kdocs  ETA 2 s")
        #expect(
            Progress.line(bytes: 100, total: 100, documents: 1, seconds: 1)
                == "[========== ] 100%  100 B/s  1 docs  ETA 0 s")
        #expect(Progress.line(bytes: 2_000, total: nil, documents: 10, seconds: 2) == "2.0 kB  1.0 kB/s  10 docs")
        #expect(Amount.short(30_227) == "30 k")
        #expect(Amount.short(1_500_000) == "1.5 M")
    }
}
