import PTYKit
import TestKit
import Testing

/// Commands that change, delete and aggregate documents, through the program and a real server.
@Suite struct DocumentCommandTests {
    private func fixture(_ documents: String) throws -> ShellFixture {
        let fixture = try ShellFixture()
        let made = try fixture.run(["-e", "use m; insert_many \(documents)"])
        try #require(made.exitCode == 0, "\(made.errors)")
        return fixture
    }

    private func found(_ fixture: ShellFixture, _ command: String) throws -> String {
        try fixture.run(["--collection", "m", "-q", "-e", command]).output
    }

    @Test func updatesTakeOperators() throws {
        let fixture = try fixture("[{_id: 'a', n: 1, xs: [1, 5]}]")
        let changed = try fixture.run([
            "--collection", "m", "-e", "update a {$inc: {n: 4}, $push: {xs: 9}}", "-e", "update a {k: 'v'}",
            "-e", "update a {$set: {'xs.$[e]': 0}} --array-filters [{e: {$gte: 5}}]",
            "-e", "update b {$set: {n: 7}} --upsert"
        ])
        #expect(changed.exitCode == 0, "\(changed.errors)")
        #expect(changed.errors.contains("✓ Document updated: a\n"))
        #expect(changed.errors.hasSuffix("✓ Document created: b\n"))
        #expect(
            try found(fixture, "query --fields n,xs,k")
                == "{\"_id\":\"a\",\"n\":5,\"xs\":[1,0,0],\"k\":\"v\"}\n{\"_id\":\"b\",\"n\":7}\n")
        let missing = try fixture.run(["--collection", "m", "-e", "update c {$set: {n: 7}}"])
        #expect(missing.exitCode == 3)
        #expect(missing.errors.hasSuffix("✗ Error: Not found\n"))
        let fields = try fixture.run(["--collection", "m", "-e", "update a {n: 7} --upsert"])
        #expect(fields.exitCode == 3)
        #expect(fields.errors.contains("{$set: {…}}"))
    }

    @Test func manyAreUpdatedByFilter() throws {
        let fixture = try fixture("[{_id: 'a', n: 1}, {_id: 'b', n: 2}, {_id: 'c', n: 3}]")
        let changed = try fixture.run(["--collection", "m", "-e", "update_many {n: {$gte: 2}} {$mul: {n: 10}}"])
        #expect(changed.output == "{\"matched\":2,\"modified\":2}\n")
        #expect(changed.errors == "✓ Matched 2, modified 2 document(s)\n")
        #expect(try found(fixture, "distinct n --bogus").isEmpty)
        #expect(
            try found(fixture, "aggregate [{$sort: {n: -1}}, {$project: {n: 1}}, {$limit: 1}]")
                == "{\"_id\":\"c\",\"n\":30}\n")
        let lines = try fixture.classic(
            "use m\nupdate_many {} {n: 5}\nupdate_many {n: 1}\nupdate_many {n: 99} {$set: {n: 1}} --upsert\n")
        #expect(lines[1] == "✗ Error: 'n' is no update operator; to set fields write {$set: {n: …}}")
        #expect(lines[2] == "✗ Filter and update required")
        #expect(lines[3] == "Usage: update_many <filter> <update> [--upsert]")
        #expect(lines[4] == "✓ Matched 0, modified 0 document(s)")
        #expect(lines[5].hasPrefix("✓ Document created: "))
    }

    @Test func documentsAreReplaced() throws {
        let fixture = try fixture("[{_id: 'a', n: 1, gone: true}]")
        let file = try fixture.folder.write("new.json", "{n: 2,\n // a comment\n t: 'é'}")
        let changed = try fixture.run(["--collection", "m", "-e", "replace a @\(file)"])
        #expect(changed.errors == "✓ Document replaced: a\n")
        #expect(
            changed.output
                == #"{"collection":"m","database":"default","document_id":"a","message":"Document replaced"}"# + "\n")
        #expect(try found(fixture, "query --fields n,t,gone") == "{\"_id\":\"a\",\"n\":2,\"t\":\"é\"}\n")
        let missing = try fixture.run(["--collection", "m", "-e", "replace b {n: 1}"])
        #expect(missing.exitCode == 3)
        #expect(missing.errors.contains("--upsert inserts"))
        #expect(
            try fixture.run(["--collection", "m", "-e", "replace b {n: 1} --upsert"]).errors
                == "✓ Document created: b\n")
    }

    @Test func faultsInFilesAreShownAtTheirPlace() throws {
        let fixture = try fixture("[{_id: 'a'}]")
        let file = try fixture.folder.write("bad.json", "[{$match: {n: 1}},\n {$limit: é}]")
        let failed = try fixture.run(["--collection", "m", "-e", "aggregate @\(file)"])
        #expect(failed.exitCode == 3)
        #expect(
            failed.errors.contains(" at line 2 column 11 of \(file)\n   {$limit: é}]\n            ^\n"),
            "\(failed.errors)")
        #expect(try fixture.run(["--collection", "m", "-e", "aggregate @/no/such/file"]).exitCode == 5)
        #expect(try fixture.run(["--collection", "m", "-e", "aggregate @/dev/zero"]).exitCode == 5)
    }

    @Test func severalAreDeletedByTheirIDs() throws {
        let fixture = try fixture("[{_id: 'a'}, {_id: 'b'}, {_id: 'an id'}, {_id: 'rest'}]")
        let deleted = try fixture.run(["--collection", "m", "-e", "delete a nope b 'an id'"])
        #expect(deleted.exitCode == 3)
        #expect(
            deleted.errors
                == "✓ Document deleted: a\n✓ Document deleted: b\n✓ Document deleted: an id\n✗ Error: Not found: nope\n"
        )
        #expect(try found(fixture, "count") == "1\n")
        #expect(try fixture.run(["--collection", "m", "-e", "delete {a: 1}"]).errors.contains("delete_many <json>"))
    }

    @Test func deletingByFilterAsksFirst() throws {
        let fixture = try fixture("[{n: 1}, {n: 2}, {n: 3}]")
        #expect(
            try fixture.classic(
                "use m\ndelete_many {n: {$gt: 1}}\nno\ndelete_many {n: {$gt: 1}}\nYES\ndelete_many {n: 9}\n")
                == [
                    "✓ Switched to collection 'm'", "⚠ You are about to delete 2 document(s) of collection 'm'",
                    "Type 'yes' to confirm:", "✗ Delete cancelled",
                    "⚠ You are about to delete 2 document(s) of collection 'm'", "Type 'yes' to confirm:",
                    "✓ Deleted 2 document(s)", "✓ Deleted 0 document(s)", "", "Goodbye! 👋"
                ])
        #expect(try fixture.run(["-y", "--collection", "m", "-e", "delete_many {}"]).output == "{\"deleted\":1}\n")
        // Nobody said which documents.
        #expect(try fixture.run(["-y", "--collection", "m", "-e", "delete_many"]).exitCode == 3)
        let session = try fixture.open(["--collection", "m"], prompt: "nexa(m)>")
        session.send("insert {n: 1}\rdelete_many {}\r")
        #expect(session.sees("Type 'yes' to confirm:"))
        session.send("yes\r")
        #expect(session.sees("✓ Deleted 1 document(s)"))
    }

    @Test func oneIsFoundAndModified() throws {
        let fixture = try fixture("[{_id: 'a', p: 2}, {_id: 'b', p: 1}]")
        #expect(
            try found(fixture, "find_and_modify {} {$set: {_updated_at: 'x', q: 1}} --sort p --after").contains(
                "\"_id\":\"b\""))
        let taken = try found(fixture, "find_and_modify {p: 2} --delete")
        #expect(taken.hasPrefix("{\"_id\":\"a\","))
        let none = try fixture.run(["--collection", "m", "-e", "find_and_modify {p: 2} --delete"])
        #expect(none.exitCode == 0)
        #expect(none.errors == "⚠ No documents found\n")
        #expect(none.output.isEmpty)
        #expect(try found(fixture, "find_and_modify {p: 1} {r: 3} --replace --after").contains("\"r\":3"))
        #expect(try fixture.run(["--collection", "m", "-e", "find_and_modify {p: 1} {} --delete"]).exitCode == 3)
    }

    @Test func manyWritesAtOnce() throws {
        let fixture = try ShellFixture()
        let writes =
            "[{insertOne: {document: {_id: 1}}}, {updateOne: {filter: {_id: 2}, update: {$set: {a: 1}}, upsert: true}}]"
        let made = try fixture.run(["--collection", "m", "-e", "bulk_write \(writes)"])
        #expect(
            made.output
                == "{\"inserted_ids\":[\"1\",\"2\"],\"matched\":0,\"modified\":0,\"deleted\":0,\"failures\":[]}\n")
        let again = try fixture.run(["--collection", "m", "-e", "bulk_write \(writes) --unordered"])
        #expect(again.exitCode == 3)
        #expect(again.errors.contains("✗ Error: 1 of 2 write(s) not made; write 1: "))
        #expect(try fixture.run(["--collection", "m", "-e", "bulk_write [{dropAll: {}}]"]).exitCode == 3)
        #expect(try fixture.run(["--collection", "m", "-e", "bulk_write \(writes) --atomic"]).exitCode == 3)
        #expect(try found(fixture, "count") == "2\n")
    }

    @Test func distinctAndAggregateInEveryMode() throws {
        let fixture = try fixture("[{_id: 'a', n: 1, t: ['x', 'é']}, {_id: 'b', n: 2, t: ['x']}]")
        #expect(try found(fixture, "distinct t") == "{\"value\":\"x\"}\n{\"value\":\"é\"}\n")
        #expect(try fixture.run(["--collection", "m", "--ids", "-e", "distinct t {n: 2}"]).output == "x\n")
        #expect(
            try fixture.classic(
                "use m\ndistinct t\ndistinct none\ndistinct\naggregate [{$match: {n: 2}}, {$project: {n: 1}}]\n"
                    + "aggregate {$match: {n: 9}}\naggregate\naggregate [1]\n")
                == [
                    "✓ Switched to collection 'm'", "✓ Found 2 value(s):", "  [1] \"x\"", "  [2] \"é\"",
                    "⚠ No values found", "✗ Field required", "Usage: distinct <field> [json]",
                    "✓ Found 1 document(s):", "", "[1]", "{", "  \"_id\": \"b\",", "  \"n\": 2", "}",
                    "⚠ No documents found", "✗ Stages required", "Usage: aggregate <stages|@file> [--limit N]",
                    "For example: aggregate [{$group: {_id: '$year', films: {$sum: 1}}}]",
                    "✗ Error: expected a list of stages, each a JSON object at line 1 column 11", "", "Goodbye! 👋"
                ])
        let cut = try fixture.run(["--collection", "m", "-e", "aggregate [{$project: {_id: 1}}] --limit 1"])
        #expect(cut.output == "{\"_id\":\"a\"}\n")
        #expect(cut.errors.contains("⚠ Only the first 1 documents are shown"))
        let merged = try fixture.run(["--collection", "m", "-e", "aggregate [{$merge: {into: 'copy'}}]"])
        #expect(merged.errors == "✓ Documents merged\n")
        #expect(try fixture.run(["--collection", "copy", "-e", "count"]).output == "2\n")
        let session = try fixture.open(["--collection", "m"], prompt: "nexa(m)>")
        session.send("aggregate [\r{$count: 'all'}\r]\r")
        #expect(session.sees("\"all\": 2"))
    }

    @Test func unknownFlagsAndLeftoversAreNamed() throws {
        let fixture = try fixture("[{_id: 'a'}]")
        let flag = try fixture.run(["--collection", "m", "-e", "replace a {n: 1} --upset"])
        #expect(flag.exitCode == 3)
        #expect(
            flag.errors
                == "✗ Error: unknown flag --upset; there are: --upsert at line 1 column 18\n  replace a {n: 1} --upset\n"
                + "                   ^\n  did you mean: --upsert\n")
        let left = try fixture.run(["--collection", "m", "-e", "replace a {n: 1} more"])
        #expect(left.errors.hasPrefix("✗ Error: unexpected 'more' at line 1 column 18\n"))
        let value = try fixture.run(["--collection", "m", "-e", "aggregate [] --limit x"])
        #expect(value.errors.hasPrefix("✗ Error: --limit wants a number from 0 at line 1 column 14\n"))
    }
}
