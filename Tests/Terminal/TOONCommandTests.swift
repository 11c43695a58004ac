import PTYKit
import TestKit
import Testing

/// `nexa toon export` and `nexa toon import`, and the same at the prompt.
@Suite struct TOONCommandTests {
    private static let films = """
        create {_id: 'caught', title: 'Caught', year: 1949}
        create {_id: 'gilda', title: 'Gilda, "the" film', year: 1946}
        """

    private func fixture() throws -> ShellFixture {
        let fixture = try ShellFixture()
        let made = try fixture.run(["-q"], input: "use films\n\(Self.films)\n")
        try #require(made.exitCode == 0, "\(made.errors)")
        return fixture
    }

    private func titles(_ fixture: ShellFixture, _ collection: String) throws -> [String] {
        try fixture.run(["-e", "use \(collection)", "-e", "query --sort _id --fields title"]).lines
    }

    @Test func whatIsExportedIsImportedAgain() throws {
        let fixture = try fixture()
        let path = fixture.folder["films of 1940.toon"]
        let exported = try fixture.run(["toon", "export", "films", path])
        #expect(exported.exitCode == 0, "\(exported.errors)")
        #expect(exported.output.isEmpty)
        #expect(exported.errors.contains("✓ Exported 2 document(s) from films to \(path)\n"), "\(exported.errors)")
        #expect(exported.errors.contains("Token reduction: "))
        let text = try #require(fixture.folder.read("films of 1940.toon"))
        #expect(text.hasPrefix("collection: films\n"))
        #expect(text.hasSuffix("\n"))
        #expect(fixture.folder.read("films of 1940.toon.part") == nil)

        let imported = try fixture.run(["toon", "import", path, "copies"])
        #expect(imported.exitCode == 0, "\(imported.errors)")
        #expect(imported.errors.contains("✓ Imported 2 document(s) into copies\n"))
        #expect(try titles(fixture, "copies") == titles(fixture, "films"))

        // The ids are there already: nothing of it is written, unless they are replaced.
        let again = try fixture.run(["toon", "import", path, "copies"])
        #expect(again.exitCode == 3)
        #expect(try fixture.run(["toon", "import", path, "copies", "--replace"]).exitCode == 0)
        #expect(try fixture.run(["toon", "--replace", "import", path, "copies", "-q"]).exitCode == 0)
        #expect(try titles(fixture, "copies").count == 2)
    }

    @Test func streamsOfTheShellWorkAsFiles() throws {
        let fixture = try fixture()
        let exported = try fixture.run(["toon", "export", "films", "-", "--delimiter", "pipe"])
        #expect(exported.exitCode == 0)
        #expect(exported.output.contains("|"))
        let imported = try fixture.run(["toon", "import", "-", "copies"], input: exported.output)
        #expect(imported.exitCode == 0, "\(imported.errors)")
        #expect(try titles(fixture, "copies") == titles(fixture, "films"))
        #expect(try fixture.run(["toon", "export", "films", "-", "--prompt"]).output.contains("{"))
        // The prompt has it, too.
        let classic = try fixture.classic("toon export films \(fixture.folder["a.toon"])\n")
        #expect(classic.contains { $0.hasPrefix("✓ Exported 2 document(s)") }, "\(classic)")
    }

    @Test func mistakesAreNamed() throws {
        let fixture = try fixture()
        for (arguments, code, words) in [
            (["toon"], 3, "wants export or import"), (["toon", "export", "films"], 3, "wants a collection and a file"),
            (["toon", "turn", "a", "b"], 3, "knows export and import"),
            (["toon", "export", "films", "-", "--replace"], 3, "--replace means nothing"),
            (["toon", "export", "films", "-", "--nothing"], 3, "unknown flag --nothing"),
            (["toon", "import", fixture.folder["missing.toon"], "films"], 5, "missing.toon"),
            (["toon", "export", "films", "/nowhere/films.toon"], 5, "/nowhere/films.toon"),
            (["--read-only", "toon", "import", "-", "films"], 3, "--read-only"),
            (["tune", "export"], 2, "unexpected argument 'tune'")
        ] as [([String], Int32, String)] {
            let outcome = try fixture.run(arguments)
            #expect(outcome.exitCode == code, "\(arguments): \(outcome.errors)")
            #expect(outcome.errors.contains(words), "\(arguments): \(outcome.errors)")
        }
        let broken = try fixture.run(["toon", "import", "-", "films"], input: "documents[2]{a}:\n  1\n")
        #expect(broken.exitCode == 3)
        #expect(try titles(fixture, "films").count == 2)
        let bytes = try fixture.folder.write("bytes.toon", "")
        try Files.write([0x61, 0xFF], to: bytes)
        #expect(try fixture.run(["toon", "import", bytes, "films"]).exitCode == 5)
        // Reading stays allowed.
        #expect(try fixture.run(["--read-only", "toon", "export", "films", "-"]).exitCode == 0)
    }

    @Test func importAndExportKnowTheFormat() throws {
        let fixture = try fixture()
        let path = fixture.folder["films.toon"]
        let exported = try fixture.run(["-e", "export films \(path)"])
        #expect(exported.exitCode == 0, "\(exported.errors)")
        #expect(exported.errors.contains("✓ Exported 2 document(s) from films to \(path)"))
        let text = try #require(fixture.folder.read("films.toon"))
        // What the server writes differs by the time only.
        let other = try fixture.run(["-q", "toon", "export", "films", "-"]).lines.filter {
            !$0.hasPrefix("exported_at")
        }
        #expect(text.split(separator: "\n").map(String.init) == other)
        let piped = try fixture.run(["-e", "import - copies"], input: text)
        #expect(piped.errors.contains("✓ Imported 2 document(s) into copies (0 rejected)"), "\(piped.errors)")
        #expect(try titles(fixture, "copies") == titles(fixture, "films"))
        #expect(try fixture.run(["toon", "import", path, "others"]).exitCode == 0)
        // Packed, sorted, chosen; and a table that wants more than one batch.
        let packed = fixture.folder["p.toon.gz"]
        #expect(try fixture.run(["-e", "export films \(packed) --gzip --sort -_id --fields title"]).exitCode == 0)
        #expect(try fixture.run(["-e", "import \(packed) packed"]).exitCode == 0)
        #expect(try titles(fixture, "packed") == titles(fixture, "films"))
        let rows = (0..<5000).map { "  d\($0),\($0)\n" }.joined()
        let many = "documents[5000]{_id,n}:\n\(rows)count: 5000\n"
        let imported = try fixture.run(["-e", "import - many --format toon --skip 1000"], input: many)
        #expect(imported.errors.contains("✓ Imported 4000 document(s) into many"), "\(imported.errors)")
        // Nothing is written under the name of a file when something fails.
        let failed = try fixture.run(["-e", "export films \(fixture.folder["no.toon"]) --filter {$bogus: 1}"])
        #expect(failed.exitCode == 3)
        #expect(fixture.folder.read("no.toon") == nil && fixture.folder.read("no.toon.part") == nil)
    }

    @Test func anImportSaysWhereATextIsWrong() throws {
        let fixture = try ShellFixture()
        let text = "documents[4]{_id,n}:\n  a,1\n  b\n  c,3\n  a,4\ncount: 4\n"
        let stopped = try fixture.run(["-e", "import - c --format toon"], input: text)
        #expect(stopped.exitCode == 3)
        #expect(stopped.errors.contains("at line 3 column"), "\(stopped.errors)")
        #expect(stopped.errors.contains("1 document(s) imported into c before line 3."))
        let file = fixture.folder["bad.toon"]
        let skipped = try fixture.run(["-e", "import - d --on-error \(file)"], input: text)
        #expect(skipped.exitCode == 4)
        #expect(skipped.errors.contains("Imported 2 document(s) into d (2 rejected)"), "\(skipped.errors)")
        let rejected = try #require(fixture.folder.read("bad.toon")).split(separator: "\n")
        #expect(rejected.first == "documents[4]{_id,n}:" && Set(rejected.dropFirst()) == ["  b", "  a,4"])
        let reasons = try #require(fixture.folder.read("bad.toon.why")).split(separator: "\n").sorted()
        #expect(reasons.map { $0.prefix(8) } == ["line 3: ", "line 5: "])
        let short = try fixture.run(["-e", "import - e"], input: "documents[3]{n}:\n  1\n  2\n")
        #expect(short.exitCode == 3)
        #expect(short.errors.contains("3 document(s) were announced at line 1, and there are 2"), "\(short.errors)")
        #expect(short.errors.contains("2 document(s) imported into e"))
    }
}
