import PTYKit
import Testing

/// The lines that scripts written for NexaDB's earlier shells rely on.
@Suite struct ClassicScriptTests {
    @Test func theWholeTranscript() throws {
        let lines = try ShellFixture().classic(
            """
            collections
            create {"a": 1}
            use
            use movies
            create
            CREATE {"_id": "m1", "title": "Alien", "year": 1979, "score": 1.0, "sub": {"z": 1, "b": "日本"}}
            query
            query {"year": {"$gt": 2000}}
            update m1
            update m1 {"year":  1980, "text": "two  blanks"}
            count
            COUNT {"year": 1980}
            collections
            delete
            delete m1
            delete m1
            bogus {"a": 1}
            query {"year" 1}
            exit
            """)
        #expect(
            lines.filter { !$0.contains("_at\"") }
                == """
                ⚠ No collections found
                ✗ No collection selected. Use 'use <collection>' first.
                ✗ Collection name required
                Usage: use <collection>
                ✓ Switched to collection 'movies'
                ✗ JSON data required
                ✓ Document created: m1
                {
                  "collection": "movies",
                  "database": "default",
                  "document_id": "m1",
                  "message": "Document inserted"
                }
                ✓ Found 1 document(s):

                [1]
                {
                  "_id": "m1",
                  "score": 1.0,
                  "sub": {
                    "b": "日本",
                    "z": 1
                  },
                  "title": "Alien",
                  "year": 1979
                }
                ⚠ No documents found
                ✗ Document ID and JSON data required
                Usage: update <doc_id> <json>
                ✓ Document updated: m1
                {
                  "collection": "movies",
                  "database": "default",
                  "document_id": "m1",
                  "message": "Document updated"
                }
                ✓ Document count: 1
                ✓ Document count: 1
                ✓ Found 1 collection(s):
                * [1] movies
                ✗ Document ID required
                Usage: delete <doc_id>
                ✓ Document deleted: m1
                ✗ Error: Not found
                ✗ Unknown command: bogus
                Type 'help' to see available commands
                ✗ Error: expected ':' at line 1 column 15
                Goodbye! 👋
                """.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }

    @Test func databases() throws {
        let lines = try ShellFixture().classic(
            """
            databases
            use_db
            create_db Bad-Name
            create_db staging
            use_db staging
            use things
            create {"_id": 1}
            databases
            drop_db default
            drop_db staging
            no
            drop_db staging
            YES
            databases
            drop_db
            """)
        #expect(
            lines.filter { !$0.hasPrefix(" ") && !$0.hasPrefix("{") && !$0.hasPrefix("}") || $0.contains("[") } == [
                "✓ Found 1 database(s):", "* [1] default", "✗ Database name required", "Usage: use_db <database>",
                "✗ Database name must be lowercase alphanumeric with underscores", "✓ Database created",
                "✓ Switched to database 'staging' (collection reset)", "✓ Switched to collection 'things'",
                "✓ Document created: 1", "✓ Found 2 database(s):", "  [1] default", "* [2] staging",
                "✗ Cannot drop the default database", "⚠ You are about to drop database 'staging'",
                "Type 'yes' to confirm:", "✗ Drop cancelled", "⚠ You are about to drop database 'staging'",
                "Type 'yes' to confirm:", "✓ Database 'staging' dropped successfully", "→ Switched to default database",
                "✓ Found 1 database(s):", "* [1] default", "✗ Database name required", "Usage: drop_db <name>", "",
                "Goodbye! 👋"
            ])
    }

    @Test func queryShowsAHundred() throws {
        let fixture = try ShellFixture()
        let documents = (0..<120).map { "{\"_id\": \"\(1000 + $0)\"}" }.joined(separator: ",")
        let lines = try fixture.classic(
            "use c\ninsert_many [\(documents)]\nquery\nquery --limit 0\nquery {} --limit 2 --skip 1 --sort -_id")
        #expect(lines[1] == "✓ Created 120 document(s)")
        #expect(
            lines.filter { $0.hasPrefix("✓ Found") } == [
                "✓ Found 100 document(s):", "✓ Found 120 document(s):", "✓ Found 2 document(s):"
            ])
        #expect(lines.contains("[120]"))
        #expect(lines.filter { $0.contains("\"_id\"") }.suffix(2) == ["  \"_id\": \"1118\",", "  \"_id\": \"1117\","])
    }

    @Test func theBannerAndTheGreeting() throws {
        let outcome = try ShellFixture().run([], input: "")
        #expect(outcome.exitCode == 0)
        let lines = outcome.lines
        #expect(lines.contains { $0.contains("Database for AI Developers - v") })
        #expect(lines.contains("Type 'help' for commands or 'exit' to quit."))
        let connecting = try #require(lines.firstIndex { $0.hasPrefix("Connecting to ") && $0.hasSuffix("...") })
        #expect(lines[connecting + 1].hasPrefix("✓ Connected to NexaDB v"))
        #expect(Array(lines[(connecting + 2)...]) == ["", "", "Goodbye! 👋"])
        #expect(!outcome.output.contains("\u{1B}"))
        #expect(!outcome.output.contains("nexa>"))
        #expect(outcome.errors.isEmpty)
    }

    @Test func noServer() throws {
        let outcome = try Program.run(
            Products.executable("nexa"), ["--host", "127.0.0.1", "--port", "1"], input: "count\n")
        #expect(outcome.exitCode == 1)
        let last = outcome.lines.suffix(3)
        #expect(last.first?.hasPrefix("✗ Connection failed: ") == true)
        #expect(last.dropFirst() == ["Make sure NexaDB server is running:", "  $ nexadb start"])
        #expect(outcome.lines.contains("Connecting to 127.0.0.1:1..."))
    }

    @Test func exitCodesOfScripts() throws {
        let fixture = try ShellFixture()
        #expect(try fixture.run([], input: "use a\ncount\n").exitCode == 0)
        #expect(try fixture.run([], input: "bogus\nuse a\ncount\n").exitCode == 3)
        #expect(try fixture.run([], input: "bogus\nuse a\ncount\n").output.contains("✓ Document count: 0"))
        #expect(
            try fixture.run(["--stop-on-error"], input: "bogus\nuse a\ncount\n").output.contains("count: 0") == false)
        fixture.environment["NEXA_COMPAT_EXIT"] = "1"
        #expect(try fixture.run([], input: "bogus\n").exitCode == 0)
    }

    @Test func oneBadLineDoesNotSwallowTheRest() throws {
        let lines = try ShellFixture().classic(
            "use m\nquery {\"year\":\ncount\ncreate {\"_id\": 1,\n\"a\": [\n1]}\ncount\n")
        #expect(lines[1] == "✗ Error: the command ends, expected '}' at line 1 column 15")
        #expect(lines[2] == "✓ Document count: 0")
        #expect(lines.suffix(3) == ["✓ Document count: 1", "", "Goodbye! 👋"])
    }

    @Test func commandsWithoutALineEndRunToo() throws {
        #expect(
            try ShellFixture().classic("use m; count; ping").prefix(2) == [
                "✓ Switched to collection 'm'", "✓ Document count: 0"
            ])
    }
}
