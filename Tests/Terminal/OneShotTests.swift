import Glibc
import PTYKit
import TestKit
import Testing

/// `-e` and `-f`: data on standard output, talk on standard error, exit codes that mean something.
@Suite struct OneShotTests {
    @Test func dataAndTalkAreApart() throws {
        let fixture = try ShellFixture()
        let made = try fixture.run(["-e", "use movies", "-e", "create {\"_id\": \"a\", \"z\": 1, \"b\": 2.0}"])
        #expect(made.exitCode == 0)
        #expect(made.errors == "✓ Switched to collection 'movies'\n✓ Document created: a\n")
        #expect(
            made.lines == [
                #"{"collection":"movies","database":"default","document_id":"a","message":"Document inserted"}"#
            ])
        let found = try fixture.run(["--collection", "movies", "-q", "-e", "query --fields z,b"])
        #expect(found.output == #"{"_id":"a","z":1,"b":2.0}"# + "\n")
        #expect(found.errors.isEmpty)
        #expect(try fixture.run(["--collection", "movies", "-e", "count"]).output == "1\n")
        #expect(try fixture.run(["--collection", "movies", "--ids", "-e", "query"]).output == "a\n")
        #expect(try fixture.run(["-e", "collections"]).output == "{\"name\":\"movies\"}\n")
        #expect(try fixture.run(["--ids", "-e", "collections; databases"]).output == "movies\ndefault\n")
        let json = try fixture.run(["--json", "-e", "use movies; query {z: 2}; query --fields z"])
        #expect(json.output == "[]\n[\n{\"_id\":\"a\",\"z\":1}\n]\n")
    }

    @Test func theFirstErrorStops() throws {
        let fixture = try ShellFixture()
        let stopped = try fixture.run(["-e", "use m", "-e", "bogus", "-e", "count"])
        #expect(stopped.exitCode == 3)
        #expect(stopped.output.isEmpty)
        #expect(stopped.errors.contains("✗ Unknown command: bogus\n"))
        let gone = try fixture.run(["--keep-going", "-e", "use m", "-e", "bogus", "-e", "count"])
        #expect(gone.exitCode == 3)
        #expect(gone.output == "0\n")
        let fault = try fixture.run(["-e", "use m", "-e", "query {\"year\" 1}"])
        #expect(fault.exitCode == 3)
        #expect(
            fault.errors.hasSuffix(
                "✗ Error: expected ':' at line 1 column 15\n  query {\"year\" 1}\n                ^\n"
                    + "  did you mean: query {\"year\": 1}\n"))
        #expect(try fixture.run(["-e", "use m", "-e", "read none"]).errors.hasSuffix("✗ Not found\n"))
    }

    @Test func filesOfCommands() throws {
        let fixture = try ShellFixture()
        let script = try fixture.folder.write(
            "script.nexa", "use m\ncreate {\n  _id: 1,\n  a: 'x',\n}\ncount\nquery {a:: 1}\n")
        let outcome = try fixture.run(["-f", script])
        #expect(outcome.exitCode == 3)
        #expect(outcome.lines.last == "1")
        #expect(outcome.errors.contains("✗ \(script):7:10: "))
        #expect(try fixture.run(["-f", "-"], input: "use m; count\n").output == "1\n")
        #expect(try fixture.run(["-f", fixture.folder.path + "/missing"]).exitCode == 5)
        #expect(try fixture.run(["-e", "use m", "-e", "drop_collection m", "-e", "yes"]).exitCode == 0)
        #expect(try fixture.run(["-y", "-e", "create_db x; drop_db x"]).exitCode == 0)
    }

    @Test func importFromAPipeAndExportBack() throws {
        let fixture = try ShellFixture()
        let documents = (0..<2500).map { "{\"_id\":\"d\(10_000 + $0)\",\"n\":\($0),\"t\":\"é\\n\",\"f\":1.0}" }
        let imported = try fixture.run(["-e", "use c", "-e", "import -"], input: documents.joined(separator: "\n"))
        #expect(imported.exitCode == 0)
        #expect(imported.errors.contains("✓ Imported 2500 document(s) into c (0 rejected) in "))
        let exported = try fixture.run(["-e", "export c"])
        #expect(exported.lines.count == 2500)
        #expect(exported.lines.first?.hasPrefix("{\"_id\":\"d10000\",") == true)

        let file = fixture.folder.path + "/out.ndjson"
        let filed = try fixture.run(["-e", "use c", "-e", "export \(file) --filter {n: {$lt: 10}}"])
        #expect(filed.exitCode == 0)
        #expect(filed.output.isEmpty)
        #expect(filed.errors.contains("✓ Exported 10 document(s) from c to \(file) in "))
        let text = try #require(fixture.folder.read("out.ndjson"))
        #expect(text.split(separator: "\n").count == 10)
        #expect(fixture.folder.read("out.ndjson.part") == nil)

        let again = try fixture.run([
            "-e", "import \(file) copy", "-e", "use copy", "-e", "query {_id: 'd10003'} --fields n,t,f"
        ])
        #expect(again.output == "{\"_id\":\"d10003\",\"n\":3,\"t\":\"é\\n\",\"f\":1.0}\n")
    }

    @Test func aScriptMayCarryItsDocuments() throws {
        let lines = try ShellFixture().classic("use c\nimport -\n{\"_id\": 1}\n{\"_id\": 2}\n")
        #expect(lines[1].hasPrefix("✓ Imported 2 document(s) into c (0 rejected)"))
    }

    @Test func aBadLineStopsTheImportAtItsPlace() throws {
        let fixture = try ShellFixture()
        let file = try fixture.folder.write("bad.ndjson", "{\"_id\":1}\n\n{\"_id\":2}\n{\"_id\": é3}\n{\"_id\":4}\n")
        let stopped = try fixture.run(["-e", "use c", "-e", "import \(file)"])
        #expect(stopped.exitCode == 3)
        #expect(stopped.errors.contains("at line 4 column 9 of \(file)\n  {\"_id\": é3}\n          ^\n"))
        #expect(
            stopped.errors.contains(
                "2 document(s) imported into c before line 4. Go on with: import \(file) c --skip 2\n"))
        #expect(try fixture.run(["-e", "use c", "-e", "count"]).output == "2\n")

        let rejects = fixture.folder.path + "/rejects"
        let skipped = try fixture.run(["-e", "use d", "-e", "import \(file) --on-error \(rejects)"])
        #expect(skipped.exitCode == 4)
        #expect(skipped.errors.contains("✓ Imported 3 document(s) into d (1 rejected)"))
        #expect(fixture.folder.read("rejects") == "{\"_id\": é3}\n")
        #expect(fixture.folder.read("rejects.why")?.hasPrefix("line 4: ") == true)
    }

    @Test func aDuplicateIsNamedByItsLine() throws {
        let fixture = try ShellFixture()
        let documents = (1...1500).map { "{\"_id\":\"x\($0 == 1200 ? 7 : $0)\"}\n" }.joined()
        let stopped = try fixture.run(["-e", "use c", "-e", "import -"], input: documents)
        #expect(stopped.exitCode == 3)
        #expect(stopped.errors.contains(" at line 1200\n"), "\(stopped.errors)")
        #expect(stopped.errors.contains("1199 document(s) imported into c before line 1200."), "\(stopped.errors)")
        #expect(try fixture.run(["-e", "use c", "-e", "count"]).output == "1199\n")
        let rest = try fixture.run(["-e", "use c", "-e", "import - --skip 1200"], input: documents)
        #expect(rest.exitCode == 0)
        #expect(try fixture.run(["-e", "use c", "-e", "count"]).output == "1499\n")
        let skipped = try fixture.run(["-e", "use d", "-e", "import - --on-error skip"], input: documents)
        #expect(skipped.exitCode == 4)
        #expect(try fixture.run(["-e", "use d", "-e", "count"]).output == "1499\n")
        let part = try fixture.run(["-e", "use e", "-e", "import - --skip 100 --limit 50"], input: documents)
        #expect(part.exitCode == 0)
        #expect(try fixture.run(["-e", "use e", "-e", "query --limit 1 --sort _id", "--ids"]).output == "x101\n")
        #expect(try fixture.run(["-e", "use e", "-e", "count"]).output == "50\n")
    }

    @Test func exitCodes() throws {
        let fixture = try ShellFixture()
        #expect(try fixture.run(["--bogus"]).exitCode == 2)
        #expect(try fixture.run(["-e", "import /missing/file c"]).exitCode == 5)
        #expect(try fixture.run(["-e", "export c /missing/folder/file.ndjson"]).exitCode == 5)
        #expect(
            try Program.run(
                "/bin/sh", ["-c", "'\(fixture.nexa)' --local '\(fixture.database)' -e databases >/dev/full"]
            ).exitCode == 5)
        #expect(try Program.run(fixture.nexa, ["--port", "1", "-e", "count"]).exitCode == 1)
        #expect(try Program.run(fixture.nexa, ["--version"]).output.hasPrefix("nexa "))
        #expect(try Program.run(fixture.nexa, ["--help"]).exitCode == 0)
        let server = try SilentServer()
        #expect(
            try Program.run(
                fixture.nexa,
                ["--host", "127.0.0.1", "--port", "\(server.port)", "--connect-timeout", "0.2", "-e", "count"]
            ).exitCode == 1)
    }

    @Test func aReaderThatLeavesEndsItSilently() throws {
        let fixture = try ShellFixture()
        let documents = (0..<20_000).map { "{\"_id\":\($0),\"pad\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}\n" }
            .joined()
        #expect(try fixture.run(["-e", "import - c"], input: documents).exitCode == 0)
        let outcome = try fixture.run(["-e", "export c"], closesOutputAfter: 1)
        #expect(outcome.exitCode == 141)
        #expect(outcome.errors.isEmpty)
    }

    @Test func closedStreamsDoNoHarm() throws {
        let fixture = try ShellFixture()
        for closing in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let command = "'\(fixture.nexa)' --local '\(fixture.database)' -e 'use c' -e 'create {a: 1}' \(closing)"
            #expect(try Program.run("/bin/sh", ["-c", command]).exitCode == 0, "\(closing)")
        }
        #expect(try fixture.run(["-e", "use c", "-e", "count"]).output == "4\n")
    }
}

/// The server that a shell starts for a folder.
@Suite struct LocalServerTests {
    @Test func twoShellsShareOneServer() throws {
        let fixture = try ShellFixture()
        let first = try fixture.open()
        first.send("use movies\r")
        #expect(first.prompts("nexa(movies)>"))
        first.send("create {\"_id\": 1}\r")
        #expect(first.sees("✓ Document created: 1"))
        let second = try fixture.run(["-e", "use movies", "-e", "count"])
        #expect(second.output == "1\n")
        first.send("exit\r")
        #expect(first.finish() == 0)
        // It is gone with its last connection, so the folder can be opened at once, again and again.
        for _ in 0..<5 { #expect(try fixture.run(["-e", "use movies", "-e", "count"]).output == "1\n") }
    }

    @Test func killedShellsLeaveNoServerBehind() throws {
        let fixture = try ShellFixture()
        for round in 0..<3 {
            let session = try fixture.open()
            session.send("use c\rcreate {\"_id\": \(round)}\r")
            #expect(session.sees("✓ Document created: \(round)"))
            session.signal(SIGKILL)
            _ = session.finish()
        }
        #expect(try fixture.run(["-e", "use c", "-e", "count"]).output == "3\n")
    }

    @Test func whatTheServerSaidIsShown() throws {
        let fixture = try ShellFixture()
        _ = try fixture.folder.write("precious.txt", "not a database")
        let outcome = try Program.run(fixture.nexa, ["--local", fixture.folder.path, "-e", "databases"])
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("✗ Connection failed: nexadb ended with code"))
        #expect(outcome.errors.contains("precious.txt"))
        #expect(fixture.folder.read("precious.txt") == "not a database")
    }

    @Test func ctrlCDoesNotReachTheServer() throws {
        let session = try ShellFixture().open()
        session.send("use c\r")
        #expect(session.prompts("nexa(c)>"))
        for _ in 0..<3 { session.send("\u{3}") }
        session.signal(SIGINT)
        session.send("count\r")
        #expect(session.sees("✓ Document count: 0"))
    }

    @Test func foldersWithLongPathsWork() throws {
        let fixture = try ShellFixture()
        let deep = fixture.folder.path + String(repeating: "/" + String(repeating: "d", count: 40), count: 5)
        let outcome = try Program.run(fixture.nexa, ["--local", deep, "-e", "use c; create {a: 1}; count"])
        #expect(outcome.lines.last == "1")
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
    }

    /// A server that is busy when a shell comes is waited for, and no second one is started.
    @Test func aServerThatIsSlowToAnswerIsWaitedFor() throws {
        let fixture = try ShellFixture()
        let holder = try fixture.open(["--no-history"])
        let server = try #require(SignalTests.child(of: holder.process))
        SignalTests.stop(server)
        let session = try Session(
            fixture.nexa, ["--local", fixture.database, "-e", "use m", "-e", "count"], environment: fixture.environment)
        // Longer than a single attempt to connect.
        session.wait(seconds: 1) { $0.screen.text.contains("✗") }
        #expect(session.isRunning, "\(session.screen.text)")
        kill(server, SIGCONT)
        #expect(session.finish() == 0, "\(session.screen.text)")
        #expect(session.screen.text.contains("0"))
    }
}
