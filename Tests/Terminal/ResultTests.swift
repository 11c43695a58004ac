import Glibc
import PTYKit
import TestKit
import Testing

/// Results in pipes and files, read by other programs.
@Suite struct ResultTests {
    private func fixture(_ lines: [String]) throws -> ShellFixture {
        let fixture = try ShellFixture()
        let made = try fixture.run(["-e", "import - m"], input: lines.map { $0 + "\n" }.joined())
        try #require(made.exitCode == 0, "\(made.errors)")
        return fixture
    }

    private func python(_ script: String, _ input: String) throws -> Program.Outcome {
        let outcome = try Program.run("/usr/bin/env", ["python3", "-c", script], input: input)
        try #require(outcome.exitCode == 0, "\(outcome.errors)")
        return outcome
    }

    private let documents = [
        #"{"_id":"a","title":"Amélie, \"A\"","year":2001,"tags":["x"],"n":null}"#,
        #"{"_id":"b","title":"two\nlines\u001b[2J","sub":{"k":[1,2.5]}}"#
    ]

    @Test func otherProgramsReadTheFormats() throws {
        let fixture = try fixture(documents)
        func shown(_ format: String) throws -> String {
            let outcome = try fixture.run(["--collection", "m", "--format", format, "-e", "query"])
            #expect(outcome.exitCode == 0)
            return outcome.output
        }
        let titles = "Amélie, \"A\"\ntwo\nlines\u{1B}[2J\n"
        let utf8 = "import sys; sys.stdin.reconfigure(encoding='utf-8', newline=''); "
        #expect(
            try python(utf8 + "import json\nfor d in json.load(sys.stdin): print(d['title'])", shown("json")).output
                == titles)
        #expect(
            try python(utf8 + "import json\nfor l in sys.stdin: print(json.loads(l)['title'])", shown("ndjson")).output
                == titles)
        #expect(
            try python(utf8 + "import csv\nfor d in csv.DictReader(sys.stdin): print(d['title'])", shown("csv")).output
                == titles)
        #expect(try shown("tsv").split(separator: "\n").count == 3)
        #expect(try shown("ids") == "a\nb\n")
        let toon = try fixture.run(["--collection", "m", "--toon", "-e", "query --fields title"])
        #expect(toon.output.hasPrefix("collection: m\ndocuments[2]{_id,title}:\n  a,"))
        #expect(toon.output.hasSuffix("\ncount: 2\n"))
        #expect(toon.errors.hasPrefix("TOON: about "))
        let table = try shown("table")
        #expect(table.contains("| two\\nlines\\u001b[2J |"))
        #expect(!table.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
        #expect(try fixture.run(["--collection", "m", "--json", "-e", "query {_id: 'none'}"]).output == "[]\n")
        #expect(
            try fixture.run(["--table", "-e", "collections"]).output
                == "+------+\n| name |\n+------+\n| m    |\n+------+\n")
    }

    @Test func whatIsShownCanBeChosen() throws {
        let fixture = try fixture(documents)
        func run(_ arguments: [String]) throws -> String {
            try fixture.run(["--collection", "m"] + arguments).output
        }
        #expect(try run(["--csv", "--fields", "year,sub.k", "-e", "query"]) == "year,sub.k\n2001,\n,\"[1,2.5]\"\n")
        #expect(try run(["--tsv", "--no-header", "--null", "-", "-e", "query --fields n,year"]) == "-\t2001\n\t\n")
        #expect(try run(["--fields", "year", "-e", "read a"]) == "{\"_id\":\"a\",\"year\":2001}\n")
        #expect(
            try run(["--keys", "sorted", "--fields", "year,n", "-e", "query {_id: 'a'}"])
                == "{\"_id\":\"a\",\"n\":null,\"year\":2001}\n")
        #expect(try run(["--limit", "1", "--ids", "-e", "query", "-e", "it", "-e", "next"]) == "a\nb\n")
        #expect(try run(["--limit", "1", "--ids", "-e", "query --all"]) == "a\nb\n")
        #expect(try run(["--ids", "-e", "query {_id: 'a'}; \\last csv; \\format tsv; \\last"]).hasPrefix("a\n_id,"))
        let none = try fixture.run(["-e", "it"])
        #expect(none.exitCode == 3)
        #expect(none.errors == "✗ No query yet\nit shows the next page of a query\n")
        #expect(try fixture.run(["--format", "xml"]).exitCode == 2)
        #expect(try fixture.run(["-e", "\\format xml"]).errors.hasPrefix("✗ No such format: xml\n"))
    }

    @Test func resultsInFiles() throws {
        let fixture = try fixture(documents)
        let file = fixture.folder["out"]
        func run(_ arguments: [String], _ input: String? = nil) throws -> Program.Outcome {
            try fixture.run(["--collection", "m"] + arguments, input: input)
        }
        let first = try run(["--ids", "-o", file, "-e", "query"])
        #expect(first.exitCode == 0 && first.output.isEmpty)
        #expect(fixture.folder.read("out") == "a\nb\n")
        _ = try run(["--ids", "--output", file, "--append", "-e", "query {_id: 'a'}"])
        #expect(fixture.folder.read("out") == "a\nb\na\n")
        // A script on standard input is no classic one when its results go to a file.
        let script = try run(["-o", file], "count\nbogus\n")
        #expect(script.exitCode == 3 && script.output.isEmpty)
        #expect(script.errors.contains("✗ Unknown command: bogus"))
        #expect(fixture.folder.read("out") == "2\n")
        // An atomic file stays as it was when something failed.
        #expect(try run(["--ids", "-o", file, "--atomic", "-e", "query", "-e", "bogus"]).exitCode == 3)
        #expect(fixture.folder.read("out") == "2\n")
        #expect(access(file + ".part", F_OK) != 0)
        #expect(try run(["--ids", "-o", file, "--atomic", "-e", "query"]).exitCode == 0)
        #expect(fixture.folder.read("out") == "a\nb\n")
        #expect(access(file + ".part", F_OK) != 0)
        #expect(try run(["-o", "/nowhere/at/all", "-e", "query"]).exitCode == 5)
        #expect(try run(["-o", "/dev/full", "-e", "query"]).exitCode == 5)

        let other = fixture.folder["other"]
        let moved = try run(["--ids", "-e", "\\o \(other)", "-e", "query", "-e", "\\o", "-e", "query {_id: 'b'}"])
        #expect(moved.output == "b\n")
        #expect(fixture.folder.read("other") == "a\nb\n")
        let piped = try run(["--ids", "-e", "\\o | sort -r", "-e", "query", "-e", "\\o", "-e", "count"])
        #expect(piped.output == "b\na\n2\n")
        #expect(try run(["--ids", "-e", "\\o | sort -r", "-e", "query"]).output == "b\na\n")
        #expect(try run(["-e", "\\o | exit 3", "-e", "\\o"]).errors.contains("exit code 3"))
    }

    @Test func fieldsThatComeLateAreReported() throws {
        let lines = (0..<1200).map {
            $0 < 1100 ? "{\"_id\":\"d\(10_000 + $0)\"}" : "{\"_id\":\"d\(10_000 + $0)\",\"late\":\($0)}"
        }
        let fixture = try fixture(lines)
        let lost = try fixture.run(["--collection", "m", "--csv", "--fields", "_id", "-e", "query --all"])
        #expect(lost.exitCode == 0 && lost.lines.count == 1201)
        // The two times are known from the first document on.
        let late = try fixture.run(["--collection", "m", "--csv", "-e", "query --all"])
        #expect(late.exitCode == 4)
        #expect(late.errors.contains("missing: 'late'"))
        #expect(late.lines.count == 1201)
        let kept = try fixture.run(["--collection", "m", "--csv", "--extra-column", "more", "-e", "query --all"])
        #expect(kept.exitCode == 0)
        #expect(kept.lines.last?.hasSuffix(",\"{\"\"late\"\":1199}\"") == true)
    }

    @Test func timing() throws {
        let outcome = try fixture([]).run(["--collection", "m", "--timing", "-e", "count"])
        #expect(outcome.output == "0\n")
        let words = outcome.errors.split(whereSeparator: \.isWhitespace)
        #expect(words.count == 3 && words.first == "Time:" && words.last == "ms" && Double(words[1]) != nil)
    }

    @Test func aLargeResultStreams() throws {
        let text = String(repeating: "some text ", count: 100)
        let fixture = try fixture((0..<30_000).map { "{\"_id\":\"d\(100_000 + $0)\",\"t\":\"\(text)\"}" })
        let peak = fixture.folder["peak"]
        for format in ["ndjson", "json", "csv", "table", "vertical", "pretty"] {
            // The peak of the shell itself, read by the shell's child at its end.
            let command = """
                '\(fixture.nexa)' --local '\(fixture.database)' --collection m --format \(format) \
                -e 'query --all' -e '\\o | grep VmHWM /proc/$PPID/status >\(peak)' -e '\\o' | wc -c
                """
            let outcome = try Program.run("/bin/sh", ["-c", command], environment: fixture.environment)
            #expect(outcome.exitCode == 0)
            let bytes = try #require(Int(outcome.output.split(whereSeparator: \.isWhitespace).first ?? ""))
            #expect(bytes > 30_000_000)
            let words = try #require(fixture.folder.read("peak")).split(whereSeparator: \.isWhitespace)
            let kilobytes = try #require(words.count == 3 ? Int(words[1]) : nil)
            #expect(kilobytes < 64 << 10, "\(format): \(kilobytes) kB for a result of \(bytes) bytes")
        }
    }
}
