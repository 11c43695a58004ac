import NexaValue
import PTYKit
import TestKit
import Testing

@testable import NexaShell

/// csv and tsv, read back by Python.
@Suite struct SeparatedValuesTests {
    private func printed(
        _ documents: [Document], _ format: OutputFormat, change: (inout OutputShape) -> Void = { _ in }
    ) throws -> String {
        let sink = MemorySink()
        var presentation = Presentation()
        presentation.mode = .oneShot
        presentation.format = format
        change(&presentation.shape)
        var printer = DocumentPrinter(Console(output: sink, errors: MemorySink(), presentation: presentation))
        for document in documents { try printer.print(document) }
        do throws(ShellError) {
            try printer.finish()
        } catch {
            throw Failure(error: error, output: sink.text)
        }
        return sink.text
    }

    private struct Failure: Error {
        var error: ShellError
        var output: String
    }

    @Test func quotesAndNulls() throws {
        let documents: [Document] = [
            ["a": "x,y", "_id": 1, "b": "say \"hi\"", "c": "two\nlines"],
            ["_id": 2, "a": "", "b": nil, "c": " blank ", "d": ["k": [1, 2.5]]], ["_id": 3, "a": true, "b": -0.5]
        ]
        #expect(
            try printed(documents, .csv) == #"""
                _id,a,b,c,d
                1,"x,y","say ""hi""","two
                lines",
                2,"",," blank ","{""k"":[1,2.5]}"
                3,true,-0.5,,

                """#)
        #expect(
            try printed(documents, .tsv)
                == "_id\ta\tb\tc\td\n1\tx,y\tsay \"hi\"\ttwo\\nlines\t\n2\t\t\t blank \t{\"k\":[1,2.5]}\n3\ttrue\t-0.5\t\t\n"
        )
        let shaped = try printed([["_id": 1, "a": nil, "b": "NULL"]], .csv) {
            $0.nullText = "NULL"
            $0.hasHeader = false
            $0.fields = ["b", "a", "none"]
        }
        #expect(shaped == "\"NULL\",NULL,\n")
        #expect(try printed([["a\tb": "\\\r"]], .tsv) == "a\\tb\n\\\\\\r\n")
        #expect(try printed([], .csv).isEmpty)
        #expect(try printed([["a": nil], ["a": 1]], .csv) == "a\n\"\"\n1\n")
    }

    @Test func lateFieldsAreNeverLostInSilence() throws {
        var documents: [Document] = (0..<1000).map { ["_id": .int($0), "a": 1] }
        documents.append(["_id": 1000, "a": 2, "late": "x", "later": [1]])
        let failure = try #require(throws: Failure.self) { try printed(documents, .csv) }
        #expect(failure.error.exit == .partial)
        #expect(failure.error.message.hasSuffix("missing: 'late', 'later'"))
        #expect(failure.output.hasSuffix("\n1000,2\n"))
        let extra = try printed(documents, .csv) { $0.extraColumn = "more" }
        #expect(extra.hasPrefix("_id,a,more\n0,1,\n"))
        #expect(extra.hasSuffix("\n1000,2,\"{\"\"late\"\":\"\"x\"\",\"\"later\"\":[1]}\"\n"))
        #expect(try printed(documents, .csv) { $0.fields = ["late"] }.hasSuffix("\"\"\nx\n"))
        #expect(throws: (any Error).self) { try printed(documents, .csv) { $0.extraColumn = "a" } }
    }

    /// What Python's csv module reads is what was written.
    @Test(arguments: [OutputFormat.csv, .tsv]) func pythonReadsTheSame(_ format: OutputFormat) throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let documents = (0..<300).map { number -> Document in
            let length = Int.random(in: 0...20, using: &random)
            // Python's reader takes a carriage return for the end of a line only outside of quotes, as it should.
            return [
                "_id": .int(Int64(number)), "te,xt\"": .string(TableTests.randomText(length, &random)),
                "n": .string("," + TableTests.randomText(length, &random))
            ]
        }
        let folder = try TemporaryDirectory()
        let file = try folder.write("data", try printed(documents, format))
        let script = """
            import csv, json, sys
            sys.stdout.reconfigure(encoding='utf-8', newline='\\n')
            if sys.argv[2] == 'csv':
                rows = list(csv.reader(open(sys.argv[1], encoding='utf-8', newline='')))
            else:
                back = {'t': '\\t', 'n': '\\n', 'r': '\\r', '\\\\': '\\\\'}
                import re
                rows = [[re.sub(r'\\\\(.)', lambda m: back[m[1]], cell) for cell in line.split('\\t')]
                        for line in open(sys.argv[1], encoding='utf-8', newline='').read().split('\\n')[:-1]]
            for row in rows[1:]:
                print(json.dumps(dict(zip(rows[0], row))))
            """
        let outcome = try Program.run("/usr/bin/env", ["python3", "-c", script, file, format.rawValue])
        try #require(outcome.exitCode == 0, "\(outcome.errors)")
        let read = try outcome.lines.map { try JSON.decode($0).document }
        #expect(read.count == documents.count, "seed \(seed)")
        for (document, row) in zip(documents, read) {
            for key in ["te,xt\"", "n"] { #expect(row?[key] == document[key], "seed \(seed)") }
            #expect(row?["_id"]?.string == "\(document["_id"]?.int ?? -1)")
        }
    }
}
