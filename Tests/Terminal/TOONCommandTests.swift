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
}
