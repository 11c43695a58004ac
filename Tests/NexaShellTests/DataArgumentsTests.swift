import NexaClient
import NexaValue
import TestKit
import Testing

@testable import NexaShell

/// The words behind `import`, `export` and `watch`.
@Suite struct DataArgumentsTests {
    @Test func importTakesEveryFlag() throws {
        let given = try #require(
            try ImportArguments(
                ArgumentReader(
                    """
                    import a.csv c --format tsv --mode merge --id-field k --vector-field v --types a:int,b.c:string \
                    --batch 10 --jobs 2 --on-error skip --skip 3 --limit 4 --dry-run --create
                    """)))
        var expected = try #require(try ImportArguments(ArgumentReader("import a.csv c")))
        expected.format = .tsv
        expected.mode = .merge
        expected.idField = "k"
        expected.vectorField = "v"
        expected.types = ["a": .int, "b.c": .string]
        (expected.batchDocuments, expected.jobs) = (10, 2)
        expected.onError = .skip
        (expected.skip, expected.limit) = (3, 4)
        (expected.isDryRun, expected.creates) = (true, true)
        #expect(given == expected)
        #expect(try ImportArguments(ArgumentReader("import a --format auto"))?.format == nil)
        for wrong in [
            "--format xml", "--mode x", "--types a", "--types a:number", "--batch 0", "--batch 100001", "--jobs 0",
            "--jobs 65", "--skip -1", "--bogus 1", "--on-error ''", "b c", "--limit"
        ] {
            #expect(throws: CommandFault.self, "\(wrong)") { try ImportArguments(ArgumentReader("import a \(wrong)")) }
        }
    }

    @Test func exportTakesEveryFlag() throws {
        let given = try ExportArguments(
            ArgumentReader(
                "export c out --format csv --filter {a: 1} --fields a,b --sort a,-b --limit 2 --extra-column x --gzip --atomic"
            ))
        #expect((given.collection, given.target, given.format) == ("c", "out", .csv))
        #expect(given.filter == ["a": 1])
        #expect(given.fields == ["a", "b"])
        #expect(given.sort == [Sort("a"), Sort("b", .descending)])
        #expect((given.limit, given.extraColumn, given.packs, given.isAtomic) == (2, "x", true, true))
        let whole = try ExportArguments(ArgumentReader("export --all dir --gzip"))
        #expect((whole.isWhole, whole.target) == (true, "dir"))
        for wrong in [
            "--format x", "--filter 1", "--all", "--all -", "--all dir --limit 1", "--all dir --format csv", "a b c"
        ] {
            #expect(throws: CommandFault.self, "\(wrong)") { try ExportArguments(ArgumentReader("export \(wrong)")) }
        }
    }

    @Test func watchTakesEveryFlag() throws {
        let given = try WatchArguments(
            ArgumentReader("watch c --ops insert,drop --filter {a: 1} --count 3 --for 1.5 --resume 0aff"))
        #expect(given.collection == "c")
        #expect(given.operations == [.insert, .dropCollection, .dropDatabase])
        #expect((given.filter, given.count, given.seconds) == (["a": 1], 3, 1.5))
        #expect(given.token?.description == "0aff")
    }

    @Test func manifestsAreReadBack() throws {
        let manifest = ExportManifest(
            database: "d",
            entries: [.init(collection: "ä/b", file: "%C3%A4%2Fb.ndjson", documents: 3, bytes: 30, sha256: "00ff")])
        #expect(try ExportManifest(Array(manifest.text.utf8), name: "m") == manifest)
        let long = String(repeating: "x", count: 300)
        #expect(ExportManifest.fileName(of: "ä/b", 1, packed: false) == "%C3%A4%2Fb.ndjson")
        #expect(ExportManifest.fileName(of: "..", 1, packed: true) == "%2E..ndjson.gz")
        #expect(ExportManifest.fileName(of: long, 7, packed: false) == "collection%7.ndjson")
    }

    /// A manifest is somebody else's file: it names nothing outside of its folder.
    @Test func hostileManifestsAreRefused() throws {
        for file in ["../x", "/etc/passwd", "..", ".", "", "a/b", "a\0b"] {
            let manifest = ExportManifest(
                database: "d", entries: [.init(collection: "c", file: file, documents: 1, bytes: 1, sha256: "")])
            #expect(throws: ShellError.self, "\(file)") { try ExportManifest(Array(manifest.text.utf8), name: "m") }
        }
        for text in ["", "{}", "[]", "{\"kind\":\"nexadb-export\",\"version\":2}"] {
            #expect(throws: ShellError.self) { try ExportManifest(Array(text.utf8), name: "m") }
        }
    }

    @Test func linesOfChangesFitTheScreen() {
        #expect(ChangeText.cut("abc", to: 3) == "abc")
        #expect(ChangeText.cut("abcd", to: 3) == "ab…")
        #expect(ChangeText.cut("日本語", to: 5) == "日本…")
        #expect(ChangeText.cut("日本語", to: 4) == "日…")
        #expect(ChangeText.clock(nil) == "--:--:--.---")
        #expect(ChangeText.clock(.nan) == "--:--:--.---")
        #expect(ChangeText.clock(1e300) == "--:--:--.---")
        #expect(ChangeText.clock(0.25).hasSuffix(":00.250"))
    }
}
