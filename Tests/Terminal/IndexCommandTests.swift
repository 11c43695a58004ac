import PTYKit
import TestKit
import Testing

/// Commands about indexes, plans and what is stored.
@Suite struct IndexCommandTests {
    private func fixture(_ count: Int = 3) throws -> ShellFixture {
        let fixture = try ShellFixture()
        let documents = (0..<count).map { "{\"_id\":\"d\(10_000 + $0)\",\"n\":\($0),\"half\":\($0 % 2)}\n" }.joined()
        let made = try fixture.run(["-e", "import - m"], input: documents)
        try #require(made.exitCode == 0, "\(made.errors)")
        return fixture
    }

    @Test func indexesAreMadeListedAndDropped() throws {
        let fixture = try fixture()
        let made = try fixture.run([
            "--collection", "m", "-e", "create_index n,-half --unique", "-e",
            "create_index {city: 1} --sparse --name town",
            "-e", "create_index seen:-1 --ttl 2h", "-e", "create_index age --partial {n: {$gt: 1}} --no-wait"
        ])
        #expect(made.exitCode == 0, "\(made.errors)")
        #expect(
            made.errors.hasPrefix("✓ Index created: n_1_half_-1\n✓ Index created: town\n✓ Index created: seen_-1\n"))
        #expect(made.lines.first == "{\"name\":\"n_1_half_-1\",\"collection\":\"m\"}")
        let list = try fixture.run(["--collection", "m", "-e", "indexes"])
        #expect(
            Array(list.lines.prefix(3)) == [
                #"{"name":"n_1_half_-1","keys":{"n":1,"half":-1},"unique":true,"sparse":false,"state":"ready"}"#,
                #"{"name":"town","keys":{"city":1},"unique":false,"sparse":true,"state":"ready"}"#,
                #"{"name":"seen_-1","keys":{"seen":-1},"unique":false,"sparse":false,"expire_after":7200,"state":"ready"}"#
            ])
        #expect(list.lines.last?.contains(#""partial":{"n":{"$gt":1}}"#) == true)
        let dropped = try fixture.run(["--collection", "m", "-e", "drop_index town", "-e", "drop_index town"])
        #expect(dropped.exitCode == 3)
        #expect(dropped.errors.hasPrefix("✓ Index dropped: town\n✗ Error: "))
        #expect(dropped.errors.hasSuffix("'indexes' lists the indexes and their names\n"))
        let session = try fixture.open(["--collection", "m"], prompt: "nexa(m)>")
        session.send("\\di\r")
        #expect(session.sees("✓ Found 3 index(es):"))
        #expect(session.sees("expires after 7200 s"))
    }

    @Test func wrongIndexesAreExplained() throws {
        let fixture = try fixture()
        let cases = [
            ("create_index", "Field required"), ("create_index n:2", "write city, -age or age:-1"),
            ("create_index n,", "is no field of an index"),
            ("create_index {n: 3}", "is 1, ascending, or -1, descending"),
            ("create_index n --ttl soon", "--ttl wants a time"), ("create_index n --ttl 0", "--ttl wants a time"),
            ("create_index n --ttl 99999999999999999d", "--ttl wants a time"),
            ("create_index half --unique", "The index was not made"),
            ("create_index n --type btree", "unknown flag --type")
        ]
        for (command, text) in cases {
            let failed = try fixture.run(["--collection", "m", "-e", command])
            #expect(failed.exitCode == 3, "\(command)")
            #expect(failed.errors.contains(text), "\(command): \(failed.errors)")
        }
        #expect(try fixture.run(["--collection", "m", "-e", "indexes none"]).output.isEmpty)
    }

    @Test func plansAreDrawn() throws {
        let fixture = try fixture(2000)
        let lines = try fixture.classic(
            """
            use m
            explain query {n: {$gte: 1990}} --sort half --limit 5
            create_index n
            explain query {n: {$gte: 1990}} --sort half --limit 5
            explain {n: {$gte: 1998}}
            explain delete_many {n: 7}
            explain update_many {n: 7} {$set: {a: 1}}
            explain aggregate [{$match: {n: {$lt: 3}}}, {$sort: {n: -1}}, {$group: {_id: null}}]
            explain distinct half {n: 5}
            explain drop_db x
            explain
            """)
        let text = lines.joined(separator: "\n")
        #expect(text.contains("✓ Plan of query:\n└─ SORT in memory: half\n   └─ COLLSCAN all documents\n5 returned, "))
        #expect(text.contains("No index serves it. Perhaps: create_index n\n"))
        #expect(
            text.contains(
                "└─ SORT in memory: half\n   └─ IXSCAN index n_1, then the documents\n         n:  [1990, all numbers]\n"
            ))
        #expect(text.contains("2 returned, 2 keys examined, 2 documents examined, "))
        #expect(text.contains("✓ Plan of delete_many:\n└─ IXSCAN index n_1, then the documents\n      n:  [7, 7]\n"))
        #expect(text.contains("✓ Plan of what feeds the pipeline (its first 2 stage(s)):\n└─ IXSCAN index n_1"))
        #expect(text.contains("backward, in order\n"))
        #expect(text.contains("✓ Plan of distinct:\n"))
        #expect(text.contains("✗ Error: cannot explain drop_db; it explains query, "))
        #expect(text.contains("✗ Command required\nUsage: explain <command>"))
        let raw = try fixture.run(["--collection", "m", "-e", "explain count {n: 3}"])
        #expect(raw.output.hasPrefix("{\"winning_plan\":{\"stage\":\"IXSCAN\",\"index\":\"n_1\","))
        let hinted = try fixture.run(["--collection", "m", "-e", "explain query {n: 3} --hint _id_"])
        #expect(hinted.output.hasPrefix("{\"winning_plan\":{\"stage\":\"COLLSCAN\""))
    }

    @Test func whatIsStoredIsDescribed() throws {
        let fixture = try fixture(2)
        let more = "[{_id: 'x', n: 'text', v: [1, 2.5, 3, 4, 5, 6, 7, 8], a: {b: 1}}]"
        #expect(try fixture.run(["--collection", "m", "-e", "create_index n; insert_many \(more)"]).exitCode == 0)
        let described = try fixture.run(["-e", "describe m"])
        let text = described.output
        #expect(text.hasPrefix("{\"collection\":\"m\",\"database\":\"default\",\"documents\":3,"))
        #expect(
            text.contains(#""name":"n_1","keys":{"n":1},"unique":false,"sparse":false,"state":"ready","entries":3,"#))
        #expect(text.contains(#"{"field":"n","types":{"integer":2,"string":1},"present":3,"missing":0,"example":0}"#))
        #expect(text.contains(#""present":1,"missing":2,"dimensions":8"#))
        #expect(text.contains(#"{"field":"a.b","types":{"integer":1},"present":1,"missing":2,"example":1}"#))
        let lines = try fixture.classic("\\d m\nstats\nstats none\ndescribe none\ndescribe\n").joined(separator: "\n")
        #expect(lines.contains("✓ Collection 'm' of database 'default'\n  Documents:  3\n"))
        #expect(lines.contains("integer 67 %, string 33 %"))
        #expect(lines.contains("vector of 8"))
        #expect(lines.contains("In all 3 documents, "))
        #expect(lines.contains("⚠ No collections found\n✗ Error: Collection 'none' not found\n"))
        #expect(lines.contains("✗ No collection selected. Use 'use <collection>' first."))
        #expect(try fixture.run(["-e", "stats"]).output.hasPrefix("{\"collection\":\"m\",\"documents\":3,"))
    }

    @Test func theConnectionIsShown() throws {
        let fixture = try ShellFixture()
        let status = try fixture.run(["--collection", "m", "-e", "status"])
        #expect(
            status.output.contains(#""user":"root","role":"admin","database":"default","collection":"m","latency_ms":"#)
        )
        #expect(try fixture.classic("\\conninfo\n").contains("User:        root, role admin"))
        let uptime = try #require(status.output.firstMatch(of: /"uptime_s":([0-9.e-]+)/))
        #expect(Double(uptime.output.1).map { $0 >= 0 && $0 < 86_400 } == true)
        #expect(try fixture.classic("status\n").contains { $0.hasPrefix("Uptime:      up ") && $0.contains("second") })
        let pings = try fixture.classic("ping\nping 3\nping 50\nping 0\n")
        #expect(pings.filter { $0.hasPrefix("✓ Pong (") }.count == 4)
        #expect(pings.contains { $0.hasPrefix("✓ 50 pings: least ") })
        #expect(pings.contains("✗ Error: the number of pings is a number from 1 at line 1 column 6"))
        #expect(try fixture.run(["-e", "ping 5"]).output.hasPrefix("{\"count\":5,"))
    }

    @Test func administratorsKeepTheData() throws {
        let fixture = try fixture()
        let directory = fixture.folder.path + "/backup"
        let made = try fixture.run(["-e", "backup \(directory)", "-e", "compact"])
        #expect(made.exitCode == 0, "\(made.errors)")
        #expect(made.output.hasPrefix("{\"directory\":\"\(directory)\",\"files\":"))
        #expect(made.errors.contains("✓ Compacted: "))
        #expect(try fixture.run(["-e", "backup \(directory)"]).exitCode == 3)
        #expect(try fixture.run(["-e", "backup"]).errors == "✗ Directory required\nUsage: backup <directory>\n")
    }

    @Test func exportsOfMongoDBAreImported() throws {
        let server = try UserServerFixture { ["--import-directory", $0] }
        let made = try Program.run("/bin/mkdir", ["-p", server.folder.path + "/dump/shop"])
        #expect(made.exitCode == 0)
        _ = try server.folder.write(
            "dump/shop/orders.json", "{\"_id\": {\"$oid\": \"507f1f77bcf86cd799439011\"}, \"n\": 1}\n")
        let imported = try server.run("root", "first-password", "import_mongo dump shop", "use orders; count")
        #expect(imported.output == "{\"collection\":\"orders\",\"documents\":1}\n1\n", "\(imported.errors)")
        #expect(imported.errors.contains("✓ Imported 1 document(s) into 1 collection(s)\n"))
        let again = try server.run(
            "root", "first-password", "import_mongo dump shop orders --into copy --drop", "use copy; count")
        #expect(again.output == "{\"collection\":\"copy\",\"documents\":1}\n1\n", "\(again.errors)")
        let incomplete = try server.run("root", "first-password", "import_mongo dump")
        #expect(incomplete.exitCode == 3)
        #expect(incomplete.errors.contains("✗ Directory and database required\n"))
    }
}
