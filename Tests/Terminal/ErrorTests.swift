import PTYKit
import TestKit
import Testing

/// What is said when something is wrong, and where it is said.
@Suite struct ErrorTests {
    @Test func suggestionsAreNotAmongTheLinesOfTheOriginal() throws {
        let fixture = try ShellFixture()
        let outcome = try fixture.run(
            [], input: "qeury {}\nuse m\nquery {\"year\" {\"$gte\": 2000}}\ncreate {_id: 1}\n")
        let lines = outcome.lines.suffix(15)
        #expect(lines.contains("✗ Unknown command: qeury") && lines.contains("Type 'help' to see available commands"))
        #expect(lines.contains("✗ Error: expected ':' at line 1 column 15"))
        #expect(!outcome.output.contains("did you mean"))
        #expect(
            outcome.errors == "  did you mean: query\n  did you mean: query {\"year\": {\"$gte\": 2000}}\n")
        let flag = try fixture.run(["-e", "use m", "-e", "query --lmit 3"])
        #expect(flag.errors.contains("  query --lmit 3\n        ^\n"))
        #expect(flag.errors.hasSuffix("  did you mean: --limit\n"))
        let help = try fixture.run(["-e", "help cuont"])
        #expect(help.errors.hasSuffix("  did you mean: count\n"))
    }

    /// People who come from MongoDB or SQL are told what does it here.
    @Test func whatOtherShellsCallIt() throws {
        let fixture = try ShellFixture()
        for (typed, meant) in [
            ("show dbs", "databases"), ("SHOW collections", "collections"),
            ("db.movies.find({a: 1})", "use movies; query {…}"), ("select * from movies", "query {…}"),
            ("count movies", "use movies; count"), ("query movies {a: 1}", "use movies; query {a: 1}"), ("?", "help")
        ] {
            let outcome = try fixture.run(["-e", "use m", "-e", typed])
            #expect(outcome.exitCode == 3)
            #expect(outcome.errors.hasSuffix("  did you mean: \(meant)\n"), "\(typed): \(outcome.errors)")
        }
    }

    @Test func operatorsAndNames() throws {
        let fixture = try ShellFixture()
        #expect(try fixture.run(["-e", "use movies; create {_id: 1}; create_db staging"]).exitCode == 0)
        let unknown = try fixture.run(["-e", "use movies", "-e", "query {日本: {$gtee: 1}}"])
        #expect(
            unknown.errors.hasSuffix(
                "✗ Error: unknown operator $gtee; did you mean $gte?\n  query {日本: {$gtee: 1}}\n"
                    + String(repeating: " ", count: 16) + "^\n"), "\(unknown.errors)")
        let collection = try fixture.run(["-y", "-e", "drop_collection moveis"])
        #expect(collection.exitCode == 3)
        #expect(collection.errors.hasSuffix("  did you mean: movies\n"), "\(collection.errors)")
        let database = try fixture.run(["-y", "-e", "drop_db stagign"])
        #expect(database.errors.hasSuffix("  did you mean: staging\n"), "\(database.errors)")
        // Going to a collection that is not there is no error; a person is told all the same.
        let session = try fixture.open()
        session.send("use moveis\r")
        #expect(session.sees("✓ Switched to collection 'moveis'\n  did you mean: use movies\nnexa(moveis)>"))
        session.send("use_db stagin\r")
        #expect(session.sees("  did you mean: use_db staging\n"))
    }

    @Test func fieldsThatNoDocumentHas() throws {
        let fixture = try ShellFixture()
        let made = try fixture.run(["-e", "use m", "-e", "create {_id: 1, year: 1949, cast: {name: 'x'}}"])
        #expect(made.exitCode == 0)
        let session = try fixture.open(["--collection", "m"], columns: 100, prompt: "nexa(m)>")
        session.send("query\r")  // its fields are known from now on
        #expect(session.sees("✓ Found 1 document(s):"))
        session.send("query {$or: [{yaer: 1949}, {other: 1}]}\r")
        #expect(session.sees("⚠ No documents found\n  no 'yaer' was seen yet; did you mean: year\nnexa(m)>"))
        session.send("query {'cast.nmae': 'x'}\r")
        #expect(session.sees("no 'cast.nmae' was seen yet; did you mean: cast.name"))
        session.send("query --fields yeer\r")
        #expect(session.sees("no 'yeer' was seen yet; did you mean: year"))
        session.send("query {year: 3}\r")
        #expect(session.sees("⚠ No documents found\nnexa(m)>"))
        // No program sees any of it.
        let piped = try fixture.run(["--collection", "m", "-e", "query", "-e", "query {yaer: 1949}"])
        #expect(piped.exitCode == 0 && piped.errors.isEmpty, "\(piped.errors)")
    }

    @Test func placesInFiles() throws {
        let fixture = try ShellFixture()
        let path = try fixture.folder.write(
            "script.nexa", "use m;  query {日本 1}\n\n  bogus\nquery {\n  a: 1,\n  é b: 2\n}\nread none\n")
        let outcome = try fixture.run(["--keep-going", "-f", path])
        let errors = outcome.errors.split(separator: "\n").map(String.init)
        #expect(
            errors.filter { $0.hasPrefix("✗") } == [
                "✗ \(path):1:19: expected ':'", "✗ \(path):3: Unknown command: bogus", "✗ \(path):6:5: expected ':'",
                "✗ \(path):8: Not found"
            ])
        #expect(errors.contains("    é b: 2") && errors.contains("      ^"))
    }

    @Test func errorsForPrograms() throws {
        let fixture = try ShellFixture()
        let path = try fixture.folder.write("s.nexa", "use m\nquery {a:: 1}\nbogus\nread none\ncount\n")
        for format in ["json", "ndjson"] {
            let outcome = try fixture.run(["-q", "--format", format, "--keep-going", "-f", path])
            #expect(outcome.output == "0\n")
            #expect(outcome.exitCode == 3)
            #expect(
                outcome.errors.split(separator: "\n").map(String.init) == [
                    #"{"error":{"code":"syntax","message":"expected a value","suggestion":"query {a: 1}","command":2,"#
                        + #""file":"\#(path)","line":2,"column":10}}"#,
                    #"{"error":{"code":"unknownCommand","message":"Unknown command: bogus","#
                        + #""hint":"Type 'help' to see available commands","command":3,"file":"\#(path)","line":3}}"#,
                    #"{"error":{"code":"failed","message":"Not found","command":4,"file":"\#(path)","line":4}}"#
                ])
        }
        // Whoever only pipes the data reads the errors.
        #expect(try fixture.run(["-e", "bogus"]).errors.hasPrefix("✗ Unknown command: bogus\n"))
        let server = try fixture.run(["--json", "-e", "use m; query {a: {$bogus: 1}}"])
        #expect(server.errors.contains(#"{"error":{"code":"invalidRequest","message":"unknown operator $bogus"#))
        #expect(server.errors.contains(#""command":2,"line":1,"column":19}}"#), "\(server.errors)")
    }

    @Test func codesAndWhatCrossesTheWire() throws {
        let fixture = try ShellFixture()
        let outcome = try fixture.run(["-v", "-q", "-e", "use m", "-e", "query {a: {$bogus: 1}}"])
        #expect(outcome.errors.contains(" [invalidRequest]\n"))
        let taken = try #require(outcome.errors.split(separator: "\n").first { $0.hasPrefix("  1 request, ") })
        #expect(taken.contains(" bytes out, ") && taken.contains(" bytes in, ") && taken.hasSuffix(" ms"))
        #expect(try !fixture.run(["-q", "-e", "use m; count"]).errors.contains("request"))
    }

    @Test func whatIsAboutTheProgram() throws {
        let nexa = Products.executable("nexa")
        let license = try Program.run(nexa, ["--license"])
        #expect(license.output.hasPrefix("MIT License\n") && license.exitCode == 0)
        let server = try ServerFixture()
        for name in ["--url", "--uri"] {
            let outcome = try Program.run(
                nexa, [name, "nexa://root@127.0.0.1:\(server.port)/default", "-e", "databases", "--ids"],
                environment: server.environment)
            #expect(outcome.output == "default\n")
        }
    }
}
