import PTYKit
import TestKit
import Testing

/// `begin`, `commit` and `rollback`.
@Suite struct TransactionCommandTests {
    private func count(_ fixture: ShellFixture, _ filter: String = "") throws -> String {
        try fixture.run(["--collection", "m", "-e", "count \(filter)"]).output
    }

    @Test func nothingIsSeenBeforeTheCommit() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open(["--collection", "m"], prompt: "nexa(m)>")
        session.send("begin\r")
        #expect(session.prompts("nexa(m)*>"), "\(session.screen.text)")
        session.send("insert {_id: 'a', n: 1}\r")
        #expect(session.sees("✓ Document created: a"))
        session.send("query {n: 1} --fields _id\r")
        #expect(session.sees("✓ Found 1 document(s):"))
        #expect(try count(fixture) == "0\n")
        session.send("use_db default\ruse m\rcommit\r")
        #expect(session.sees("✓ Transaction committed"))
        #expect(session.prompts("nexa(m)>"))
        #expect(try count(fixture) == "1\n")
        session.send("begin\rdelete a\rrollback\r")
        #expect(session.sees("✓ Transaction rolled back"))
        #expect(try count(fixture) == "1\n")
    }

    @Test func everyDocumentCommandTakesPart() throws {
        let fixture = try ShellFixture()
        let outcome = try fixture.run([
            "-y", "--collection", "m", "-q", "--format", "ndjson", "-e",
            """
            insert_many [{_id: 'a', n: 1}, {_id: 'b', n: 2}]; begin; update a {n: 5}; update_many {} {$inc: {n: 1}}; \
            replace b {k: 1}; insert_many [{_id: 'c'}]; find_and_modify {_id: 'c'} --delete; \
            bulk_write [{insertOne: {document: {_id: 'd'}}}]; distinct n; aggregate [{$count: 'all'}]; \
            delete_many {_id: 'd'}; explain {n: 6}; rollback; query --fields n
            """
        ])
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(outcome.lines.contains("{\"value\":6}"))
        #expect(outcome.lines.contains("{\"all\":3}"))
        #expect(Array(outcome.lines.suffix(2)) == ["{\"_id\":\"a\",\"n\":1}", "{\"_id\":\"b\",\"n\":2}"])
    }

    @Test func whatCannotBePartOfItIsRefused() throws {
        let fixture = try ShellFixture()
        let lines = try fixture.classic(
            "use m\ncommit\nrollback\nbegin\nbegin\ncreate_index n\nimport - m --create\nimport_mongo x m\ndrop_collection m\ncreate_db x\nindexes\ncommit\n"
        )
        #expect(
            lines == [
                "✓ Switched to collection 'm'", "✗ There is no open transaction", "'begin' begins one.",
                "✗ There is no open transaction", "'begin' begins one.", "✓ Transaction begun",
                "✗ There is an open transaction already", "End it with 'commit' or 'rollback' first.",
                "✗ create_index cannot be part of a transaction", "End it with 'commit' or 'rollback' first.",
                "✗ import --create makes a collection, which cannot be part of a transaction",
                "End it with 'commit' or 'rollback' first.",
                "✗ import_mongo cannot be part of a transaction", "End it with 'commit' or 'rollback' first.",
                "✗ drop_collection cannot be part of a transaction", "End it with 'commit' or 'rollback' first.",
                "✗ create_db cannot be part of a transaction", "End it with 'commit' or 'rollback' first.",
                "⚠ No indexes found", "✓ Transaction committed", "", "Goodbye! 👋"
            ])
    }

    @Test func importAndExportArePartOfIt() throws {
        let fixture = try ShellFixture()
        let file = try fixture.folder.write(
            "in.ndjson", (0..<2500).map { "{\"_id\":\"d\($0)\",\"n\":\($0)}\n" }.joined())
        let seen = fixture.folder["seen.ndjson"]
        let outcome = try fixture.run([
            "--collection", "m", "-e",
            """
            begin; import \(file); import \(file) m --mode upsert --jobs 8; export \(seen); export m - --limit 1; \
            export --all \(fixture.folder["all"]); rollback; count
            """
        ])
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(outcome.errors.components(of: "Imported 2500 document(s) into m (0 rejected)") == 2)
        #expect(outcome.lines.first?.hasPrefix("{\"_id\":\"d0\"") == true)
        #expect(outcome.lines.last == "0")
        #expect(fixture.folder.read("seen.ndjson")?.split(separator: "\n").count == 2500)
        #expect(fixture.folder.read("all/manifest.json")?.contains("2500") == true)
        // The folder brings it back, in a transaction that is committed.
        let again = try fixture.run(["-e", "begin; import \(fixture.folder["all"]); commit"])
        #expect(again.exitCode == 0, "\(again.errors)")
        #expect(try count(fixture) == "2500\n")
        // Nobody else sees an import before the commit.
        let session = try fixture.open(["--collection", "k"], prompt: "nexa(k)>")
        session.send("begin\rimport \(file)\r")
        #expect(session.sees("✓ Imported 2500 document(s) into k"))
        #expect(try fixture.run(["-e", "use k; count"]).output == "0\n")
        session.send("commit\r")
        #expect(session.sees("✓ Transaction committed"))
        #expect(try fixture.run(["-e", "use k; count"]).output == "2500\n")
    }

    @Test func anImportThatFailsSaysWhatBecameOfTheTransaction() throws {
        let fixture = try ShellFixture()
        #expect(
            try fixture.run(["--collection", "m", "-e", "insert_many [{_id: 'a', n: 1}, {_id: 'b'}]"]).exitCode == 0)
        let twice = try fixture.folder.write("twice", "{\"_id\":\"x\"}\n{\"_id\":\"a\"}\n{\"_id\":\"y\"}\n")
        // A document that is there already stops the import and leaves the transaction as it is.
        let stopped = try fixture.run([
            "--collection", "m", "--keep-going", "-e", "begin", "-e", "import \(twice)", "-e", "commit"
        ])
        #expect(stopped.errors.contains("1 document(s) imported into m before line 2."), "\(stopped.errors)")
        #expect(try count(fixture) == "3\n")
        let skipped = try fixture.run([
            "--collection", "m", "--keep-going", "-e", "begin", "-e", "import \(twice) --on-error skip", "-e", "commit"
        ])
        #expect(skipped.errors.contains("Imported 1 document(s) into m (2 rejected)"), "\(skipped.errors)")
        #expect(try count(fixture) == "4\n")
        // Another writer was first: nothing of it is left, and nothing says how to go on.
        let session = try fixture.open(["--collection", "m"], columns: 200, prompt: "nexa(m)>")
        session.send("begin\rcount\r")
        #expect(session.sees("✓ Document count: 4"))
        #expect(try fixture.run(["--collection", "m", "-e", "update a {n: 3}"]).exitCode == 0)
        let update = try fixture.folder.write("update", "{\"_id\":\"b\",\"n\":2}\n{\"_id\":\"a\",\"n\":2}\n")
        session.send("import \(update) m --mode upsert\r")
        #expect(session.sees("The transaction was rolled back; 'begin' begins another one."), "\(session.screen.text)")
        #expect(!session.screen.text.contains("Go on with"))
        #expect(session.prompts("nexa(m)>"))
        #expect(try count(fixture, "{n: {$exists: true}}") == "1\n")
    }

    @Test func anImportLargerThanATransactionIsRefused() throws {
        let fixture = try ShellFixture()
        let lines = (0..<100_500).map { "{\"n\":\($0)}\n" }.joined()
        let outcome = try fixture.run(
            ["--collection", "m", "-e", "begin; import - --on-error skip; commit"], input: lines)
        #expect(outcome.exitCode == 3)
        #expect(outcome.errors.contains("100000 documents"), "\(outcome.errors)")
        #expect(try count(fixture) == "0\n")
    }

    @Test func leavingRollsBack() throws {
        let fixture = try ShellFixture()
        for last in ["", "; exit", "; bogus"] {
            let left = try fixture.run(["--collection", "m", "-e", "begin; insert {a: 1}\(last)"])
            #expect(left.errors.hasSuffix("⚠ The open transaction was rolled back\n"), "\(left.errors)")
            #expect(try count(fixture) == "0\n")
        }
        let session = try fixture.open(["--collection", "m"], prompt: "nexa(m)>")
        session.send("begin\rinsert {a: 1}\r")
        #expect(session.sees("✓ Document created"))
        session.send("\u{4}")
        #expect(session.sees("⚠ The open transaction was rolled back"))
        #expect(session.finish() == 0)
        #expect(try count(fixture) == "0\n")
    }

    @Test func whoComesSecondIsToldAndRolledBack() throws {
        let fixture = try ShellFixture()
        #expect(
            try fixture.run(["--collection", "m", "-e", "insert_many [{_id: 'a', n: 1}, {_id: 'b', n: 1}]"]).exitCode
                == 0)
        let session = try fixture.open(["--collection", "m"], columns: 200, prompt: "nexa(m)>")
        session.send("begin\rupdate b {n: 2}\r")
        #expect(session.sees("✓ Document updated: b"))
        #expect(try fixture.run(["--collection", "m", "-e", "update a {n: 3}"]).exitCode == 0)
        session.send("update a {n: 4}\r")
        #expect(session.sees("The transaction was rolled back; 'begin' begins another one."), "\(session.screen.text)")
        #expect(session.prompts("nexa(m)>"))
        #expect(
            try fixture.run(["--collection", "m", "-e", "query --fields n"]).output
                == "{\"_id\":\"a\",\"n\":3}\n{\"_id\":\"b\",\"n\":1}\n")
        session.send("begin\rupdate a {n: 9}\rcommit\r")
        #expect(session.sees("✓ Transaction committed"))
    }

    @Test func aTransactionThatTookTooLongIsOver() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open(["--collection", "m"], columns: 200, prompt: "nexa(m)>")
        session.send("begin --timeout 1\rinsert {a: 1}\r")
        #expect(session.sees("✓ Document created"))
        // The server ends it, and the next command finds out.
        for _ in 0..<100 where !session.sees("took longer", seconds: 0.1) { session.send("count\r") }
        #expect(session.sees("The transaction was rolled back; 'begin' begins another one."), "\(session.screen.text)")
        #expect(session.prompts("nexa(m)>"))
        session.send("commit\r")
        #expect(session.sees("✗ There is no open transaction"))
        #expect(try count(fixture) == "0\n")
    }
}

extension String {
    /// How often a text stands in this one.
    fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}
