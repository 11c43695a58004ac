import Glibc
import PTYKit
import TestKit
import Testing

/// `import` and `export` in every format, as a script uses them.
@Suite struct DataTests {
    /// Documents with everything that formats differ in.
    private static let documents = (0..<1200).map { number in
        let odd = ["a,b", "say \\\"hi\\\"", "two\\nlines", "日本 é", "12", "true", "null", " x "][number % 8]
        let field = number == 1150 ? ",\"late\":1" : ""
        return
            "{\"_id\":\"d\(1000 + number)\",\"n\":\(number),\"d\":\(number).5,\"t\":\"\(odd)\",\"b\":\(number % 2 == 0),"
            + "\"z\":null,\"l\":[\(number),\"x\"],\"o\":{\"k\":\"v\"},\"when\":{\"$date\":\"2020-01-02T03:04:05Z\"}\(field)}"
    }

    private func filled() throws -> ShellFixture {
        let fixture = try ShellFixture()
        let made = try fixture.run(["-e", "import - c"], input: Self.documents.joined(separator: "\n"))
        try #require(made.exitCode == 0, "\(made.errors)")
        return fixture
    }

    /// The documents of a collection in canonical Extended JSON, without the stamps that differ.
    private func content(_ fixture: ShellFixture, _ collection: String) throws -> [String] {
        let fields = "n,d,t,b,z,l,o,when,late"
        return try fixture.run(["-q", "-e", "export \(collection) - --format ejson --fields \(fields) --sort _id"])
            .lines
    }

    @Test func everyFormatIsReadBackAsItWas() throws {
        let fixture = try filled()
        let expected = try content(fixture, "c")
        #expect(expected.count == 1200)
        #expect(expected[3].contains("{\"$numberDouble\":\"3.5\"}"))
        for format in ["ndjson", "json", "csv", "ejson"] {
            let file = fixture.folder["out.\(format)"]
            let filter = format == "csv" ? "--extra-column more" : ""
            let exported = try fixture.run(["-e", "export c \(file) \(filter)"])
            #expect(exported.exitCode == 0, "\(format) \(exported.errors)")
            let imported = try fixture.run(["-e", "import \(file) \(format)"])
            #expect(imported.exitCode == 0, "\(format) \(imported.errors)")
            let back = try content(fixture, format)
            if format == "csv" {
                // The field that came up late is in the extra column.
                #expect(back.enumerated().filter { $1 != expected[$0] }.map(\.offset) == [1150])
            } else {
                #expect(back == expected, "\(format)")
            }
        }
        // TSV cannot tell text from what it looks like, unless it is told.
        let file = fixture.folder["out.tsv"]
        #expect(try fixture.run(["-e", "export c \(file) --fields _id,n,d,t,b,z,l,o,when,late"]).exitCode == 0)
        #expect(try fixture.run(["-e", "import \(file) tsv --types t:string,_id:string"]).exitCode == 0)
        #expect(try content(fixture, "tsv") == expected)
    }

    @Test func fieldsThatComeUpLateAreNotLostInSilence() throws {
        let fixture = try filled()
        let outcome = try fixture.run(["-q", "-e", "export c - --format csv"])
        #expect(outcome.exitCode == 4)
        #expect(outcome.errors.contains("'late'"))
        #expect(outcome.output.hasPrefix("_id,"))
        let chosen = try fixture.run(["-q", "-e", "export c - --format csv --fields n,o.k --sort -n --limit 2"])
        #expect(chosen.exitCode == 0)
        #expect(chosen.output == "n,o.k\n1199,v\n1198,v\n")
        let taken = try fixture.run(["-q", "-e", "export c - --format csv --extra-column n"])
        #expect(taken.exitCode == 3)
    }

    @Test func packedFilesAreReadAndWritten() throws {
        let fixture = try filled()
        let expected = try content(fixture, "c")
        let file = fixture.folder["out.ndjson.gz"]
        #expect(try fixture.run(["-e", "export c \(file) --gzip"]).exitCode == 0)
        #expect(try Program.run("/bin/sh", ["-c", "gzip -dc '\(file)' | wc -l"]).output.contains("1200"))
        #expect(try fixture.run(["-e", "import \(file) back"]).exitCode == 0)
        #expect(try content(fixture, "back") == expected)
        let piped = try Program.run(
            "/bin/sh",
            [
                "-c",
                "cat '\(file)' '\(file)' | '\(fixture.nexa)' --local '\(fixture.database)' -e 'import - twice --on-error skip'"
            ])
        #expect(piped.exitCode == 4)
        #expect(piped.errors.contains("Imported 1200 document(s) into twice (1200 rejected)"), "\(piped.errors)")
        let bytes = Files.read(file)
        try Files.write(Array(bytes.dropLast(20)), to: fixture.folder["cut.gz"])
        let cut = try fixture.run(["-e", "import \(fixture.folder["cut.gz"]) cut --format ndjson"])
        #expect(cut.exitCode == 3)
        #expect(cut.errors.contains("it ends in the middle of its packed data"))
    }

    @Test func modesDecideWhatBecomesOfDocumentsThatAreThere() throws {
        let fixture = try ShellFixture()
        let old = "{\"_id\":1,\"a\":1,\"b\":1}\n{\"_id\":\"x\",\"a\":1}\n"
        let new = "{\"_id\":1,\"a\":2}\n{\"_id\":\"y\",\"a\":2}\n"
        let cases: [(mode: String, exit: CInt, expected: [String])] = [
            ("insert", 4, ["{\"_id\":1,\"a\":1,\"b\":1}", "{\"_id\":\"x\",\"a\":1}", "{\"_id\":\"y\",\"a\":2}"]),
            ("upsert", 0, ["{\"_id\":1,\"a\":2}", "{\"_id\":\"x\",\"a\":1}", "{\"_id\":\"y\",\"a\":2}"]),
            ("replace", 4, ["{\"_id\":1,\"a\":2}", "{\"_id\":\"x\",\"a\":1}"]),
            ("merge", 0, ["{\"_id\":1,\"a\":2,\"b\":1}", "{\"_id\":\"x\",\"a\":1}", "{\"_id\":\"y\",\"a\":2}"])
        ]
        for (mode, exit, expected) in cases {
            #expect(try fixture.run(["-e", "import - \(mode)"], input: old).exitCode == 0)
            let outcome = try fixture.run(["-e", "import - \(mode) --mode \(mode) --on-error skip"], input: new)
            #expect(outcome.exitCode == exit, "\(mode) \(outcome.errors)")
            let back = try fixture.run(["-q", "-e", "export \(mode) - --fields a,b --sort _id"])
            #expect(back.lines == expected, "\(mode)")
        }
        let stopped = try fixture.run(["-e", "import - m --mode replace"], input: "\n{\"_id\":5}\n")
        #expect(stopped.exitCode == 3)
        #expect(stopped.errors.contains("no document has this _id at line 2\n"), "\(stopped.errors)")
    }

    @Test func documentsCanBeShaped() throws {
        let fixture = try ShellFixture()
        let csv = "isbn,title,v\n1-2,A,\"[1,2.5]\"\n,B,\"[1,2]\"\n3-4,C,\"[1]\"\n"
        let outcome = try fixture.run(
            ["-e", "import - books --format csv --id-field isbn --vector-field v --on-error \(fixture.folder["bad"])"],
            input: csv)
        #expect(outcome.exitCode == 4)
        #expect(fixture.folder.read("bad") == "isbn,title,v\n,B,\"[1,2]\"\n3-4,C,\"[1]\"\n")
        let why = try #require(fixture.folder.read("bad.why"))
        #expect(why.contains("line 3: there is no field 'isbn' to take the _id from"))
        #expect(why.contains("line 4: the vector 'v' has 1 dimensions, those before have 2"))
        #expect(
            try fixture.run(["-q", "-e", "export books - --fields isbn,title,v"]).output
                == "{\"_id\":\"1-2\",\"isbn\":\"1-2\",\"title\":\"A\",\"v\":[1.0,2.5]}\n")
        let checked = try fixture.run(["-e", "import - nothing --dry-run"], input: "{}\n{}\n")
        #expect(checked.errors.contains("✓ Checked 2 document(s) (0 rejected); nothing was written"))
        #expect(try fixture.run(["-e", "import - empty --create"], input: "").exitCode == 0)
        #expect(try fixture.run(["--ids", "-e", "collections"]).output == "books\nempty\n")
    }

    @Test func aJSONArrayStopsAtItsFirstFault() throws {
        let fixture = try ShellFixture()
        let array = "[\n {\"_id\": 1},\n {\"_id\": 2}, {\"é\": tru},\n {\"_id\": 3}]"
        let stopped = try fixture.run(["-e", "import - c"], input: array)
        #expect(stopped.exitCode == 3)
        #expect(stopped.errors.contains(" at line 3 column 20\n  {\"é\": tru}\n"), "\(stopped.errors)")
        #expect(stopped.errors.contains("2 document(s) imported into c before line 3. Go on with: import - c --skip 2"))
        let skipped = try fixture.run(["-e", "import - d --on-error skip"], input: array)
        #expect(skipped.errors.contains("Imported 3 document(s) into d (1 rejected)"))
        let open = try fixture.run(["-e", "import - e"], input: "[{\"_id\":1}, {\"_id\":2}")
        #expect(open.exitCode == 3)
        #expect(open.errors.contains("the array is not closed at line 1 column 22"))
        #expect(try fixture.run(["-e", "use e; count"]).output == "2\n")
    }

    @Test func aWholeDatabaseGoesToAFolderAndBack() throws {
        let fixture = try filled()
        let expected = try content(fixture, "c")
        #expect(try fixture.run(["-e", "import - 'odd näme.x'"], input: "{\"_id\":1}\n").exitCode == 0)
        let folder = fixture.folder["dump"]
        for flags in ["", "--gzip"] {
            let target = folder + flags
            let exported = try fixture.run(["-e", "export --all \(target) \(flags)"])
            #expect(exported.exitCode == 0, "\(exported.errors)")
            #expect(exported.errors.contains("Exported 1201 document(s) of 2 collection(s) to \(target)"))
            #expect(Files.names(in: target).count == 3)
            #expect(!Files.isFolder(target + ".part"))
            #expect(try fixture.run(["-e", "export --all \(target)"]).exitCode == 5)
            let imported = try fixture.run(["-d", "copy\(flags.count)", "-e", "import \(target)"])
            #expect(imported.exitCode == 0, "\(imported.errors)")
            let back = try fixture.run([
                "-q", "-d", "copy\(flags.count)", "-e",
                "export c - --format ejson --fields n,d,t,b,z,l,o,when,late --sort _id"
            ])
            #expect(back.lines == expected)
        }
        // What was changed is not imported.
        let file = folder + "/c.ndjson"
        var bytes = Files.read(file)
        bytes[30] ^= 1
        try Files.write(bytes, to: file)
        let damaged = try fixture.run(["-d", "other", "-e", "import \(folder)"])
        #expect(damaged.exitCode == 3)
        #expect(damaged.errors.contains("is not what was exported"))
        #expect(try fixture.run(["-d", "other", "--ids", "-e", "collections"]).output.isEmpty)
    }

    @Test func targetsThatAreNoFilesAreLeftWhatTheyAre() throws {
        let fixture = try filled()
        #expect(try fixture.run(["-e", "export c /dev/null"]).exitCode == 0)
        var status = stat()
        #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
        #expect(try fixture.run(["-e", "export c /dev/null --atomic"]).exitCode == 5)
        #expect(try fixture.run(["-e", "export c /dev/full"]).exitCode == 5)
        #expect(try fixture.run(["-e", "export c \(fixture.folder.path)/."]).exitCode == 5)
        let link = fixture.folder["link.ndjson"]
        _ = try fixture.folder.write("target.ndjson", "old")
        symlink(fixture.folder["target.ndjson"], link)
        #expect(try fixture.run(["-e", "export c \(link) --limit 1 --filter {n: 7}"]).exitCode == 0)
        #expect(fixture.folder.read("target.ndjson")?.contains("\"n\":7") == true)
        #expect(lstat(link, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
        let shell = try Program.run(
            "/bin/sh",
            ["-c", "'\(fixture.nexa)' --local '\(fixture.database)' -q -e 'export c - --gzip' | gzip -dc | tail -1"])
        #expect(shell.output.contains("\"_id\":\"d2199\""))
    }

    @Test func oddInputIsRefusedOrPassedOverButNeverSwallowed() throws {
        let fixture = try ShellFixture()
        let nexa = "'\(fixture.nexa)' --local '\(fixture.database)' -e"
        func piped(_ producer: String, _ command: String) throws -> Program.Outcome {
            try Program.run("/bin/sh", ["-c", "\(producer) | \(nexa) '\(command)'"], environment: fixture.environment)
        }
        let long = try piped("head -c 70000000 /dev/zero | tr '\\0' x", "import - c")
        #expect(long.exitCode == 3)
        #expect(long.errors.contains("the line is longer than 64 MiB at line 1"), "\(long.errors)")
        let blank = try piped("yes '' | head -1000000", "import - c --format ndjson")
        #expect(blank.exitCode == 0)
        #expect(blank.errors.contains("Imported 0 document(s)"))
        let nul = try piped("printf '{\"a\":\\0}\n'", "import - c")
        #expect(nul.exitCode == 3)
        #expect(nul.errors.contains(" at line 1 column 6"), "\(nul.errors)")
        let binary = try piped("head -c 100000 /dev/urandom", "import - c --format ndjson --on-error skip")
        #expect(binary.exitCode == 4 || binary.exitCode == 3)
        let words = try piped("echo hello", "import - c")
        #expect(words.exitCode == 3)
        #expect(words.errors.contains("the format cannot be told; say --format"))
        for (format, text) in [("csv", "a,b\\n1\\n"), ("csv", "a,a\\n"), ("csv", ""), ("tsv", "a\\t\\n1\\t2\\n")] {
            #expect(try piped("printf '\(text)'", "import - c --format \(format)").exitCode == 3, "\(format) \(text)")
        }
        #expect(try fixture.run(["-e", "import - c --types a:int"], input: "{}\n").exitCode == 3)
        #expect(try fixture.run(["-q", "-e", "use c; count"]).output == "0\n")
    }
}
