import PTYKit
import TestKit
import Testing

/// Searches by nearness.
@Suite struct VectorCommandTests {
    private func fixture() throws -> ShellFixture {
        let fixture = try ShellFixture()
        let made = try fixture.run([
            "-e", "create_collection films --dims 3", "-e", "use films", "-e",
            """
            insert_many [{_id: 'a', vector: [1, 0, 0]}, {_id: 'b', vector: [0.9, 0.1, 0]}, \
            {_id: 'c', year: 1979, vector: [0, 0, 1]}, {_id: 'd'}]
            """
        ])
        try #require(made.exitCode == 0, "\(made.errors)")
        #expect(made.errors.hasPrefix("✓ Collection 'films' created with the index vector_hnsw\n"))
        return fixture
    }

    @Test func theClassicLines() throws {
        let lines = try fixture().classic(
            """
            vector_search [1, 0, 0]
            use films
            vector_search
            vector_search [1, 0, 0] 2 3
            similar a 1
            vector_search [0, 0, 1] --filter {year: 1} --exact
            VECTOR_SEARCH [0, 0, 1] 1
            similar
            """)
        #expect(
            lines.filter { !$0.contains("_at\"") } == [
                "✗ No collection selected. Use 'use <collection>' first.", "✓ Switched to collection 'films'",
                "✗ Vector required", "Usage: vector_search [0.1, 0.2, 0.3] [limit] [dimensions]",
                "✓ Found 2 similar document(s):", "", "[1] 100.00% match", "{", "  \"_id\": \"a\",", "}", "",
                "[2] 99.39% match", "{", "  \"_id\": \"b\",", "}", "✓ Found 1 similar document(s):", "",
                "[1] 99.39% match", "{", "  \"_id\": \"b\",", "}", "⚠ No similar documents found",
                "✓ Found 1 similar document(s):", "", "[1] 100.00% match", "{", "  \"_id\": \"c\",", "  \"year\": 1979",
                "}", "✗ Document ID required", "Usage: similar <doc_id> [limit]", "", "Goodbye! 👋"
            ])
    }

    @Test func programsGetTheSimilarityAsAField() throws {
        let fixture = try fixture()
        let found = try fixture.run([
            "--collection", "films", "-q", "-e", "vector_search [0, 0, 2] 1 --fields year", "-e",
            "similar a --min 0.5 --fields _id"
        ])
        #expect(found.output.hasPrefix("{\"_similarity\":1.0,\"_id\":\"c\",\"year\":1979}\n{\"_similarity\":0.99"))
        #expect(found.lines.count == 2)
        #expect(
            try fixture.run(["--collection", "films", "--ids", "-e", "vector_search [1, 0, 0] 2"]).output == "a\nb\n")
    }

    @Test func vectorsComeFromFilesAndVariables() throws {
        let fixture = try fixture()
        let list = try fixture.folder.write("list.json", "[0, 0, 1]")
        let document = try fixture.folder.write("document.json", "{title: 'x', vector: [0, 0, 1]}")
        for argument in ["@" + list, "@" + document] {
            let found = try fixture.run(["--collection", "films", "--ids", "-e", "vector_search \(argument) 1"])
            #expect(found.output == "c\n", "\(found.errors)")
        }
        #expect(
            try fixture.run(["--collection", "films", "--ids", "-e", "\\set v [0,0,1]; vector_search $v 1"]).output
                == "c\n")
        let missing = try fixture.run(["--collection", "films", "-e", "vector_search @/no/such/file"])
        #expect(missing.exitCode == 5)
    }

    @Test func wrongVectorsAreExplained() throws {
        let fixture = try fixture()
        let cases = [
            ("vector_search 0.1", "expected a vector"), ("vector_search [1, 'x', 0]", "expected a vector"),
            ("vector_search []", "expected a vector"), ("vector_search [1, 0]", "3 dimensions"),
            ("vector_search [1, 0, 0] x", "the limit is a number"),
            ("vector_search [1, 0, 0] 1 4", "3 dimensions, not 4"),
            ("vector_search [1, 0, 0] --min much", "--min wants a number"), ("similar none", "no document 'none'"),
            ("create_index v --dims 0", "--dims wants a number"),
            ("create_index v --dims 3 --unique", "has no --unique"),
            ("create_index v --metric l2", "say --dims, too"), ("create_index -v --dims 3", "of one field"),
            ("create_index v --dims 3 --metric far", "cosine, dot, l2"),
            ("build_index nope", "create_index nope --dims"),
            ("create_collection x --metric dot", "say --dims, too")
        ]
        for (command, text) in cases {
            let failed = try fixture.run(["--collection", "films", "-e", command])
            #expect(failed.exitCode == 3, "\(command)")
            #expect(failed.errors.contains(text), "\(command): \(failed.errors)")
        }
    }

    @Test func vectorIndexesAreListedBuiltAndExplained() throws {
        let fixture = try fixture()
        let made = try fixture.run([
            "--collection", "films", "-e", "create_index plot --dims 8 --metric l2 --quantization int8 --m 8 --ef 50",
            "-e",
            "build_index", "-e", "indexes", "-e", "describe"
        ])
        #expect(made.exitCode == 0, "\(made.errors)")
        #expect(made.errors.contains("✓ Index created: plot_hnsw\n✓ Vector index of 'vector' built: 3 vector(s)\n"))
        let vector = #""vector":{"dimensions":8,"metric":"l2","quantization":"int8","m":8,"ef_construction":50}"#
        #expect(made.output.contains(vector), "\(made.output)")
        #expect(made.output.contains(#""vectors":[{"field":"vector","dimensions":3,"metric":"cosine","count":3,"#))
        let session = try fixture.open(["--collection", "films"], prompt: "nexa(films)>")
        session.send("explain vector_search [1, 0, 0] 2\r")
        #expect(session.sees("└─ VECTOR_INDEX walk through the graph of index vector_hnsw"), "\(session.screen.text)")
        session.send("explain aggregate [{$vectorSearch: {queryVector: [1, 0, 0], limit: 2}}, {$limit: 1}]\r")
        #expect(session.sees("Plan of what feeds the pipeline"), "\(session.screen.text)")
        #expect(session.sees("then $limit"), "\(session.screen.text)")
        session.send("\\di\r")
        #expect(session.sees("vectors of 8, l2, int8"))
        session.send("begin\rvector_search [1, 0, 0] 1\rbuild_index\r")
        #expect(session.sees("[1] 100.00% match"))
        #expect(session.sees("✗ build_index cannot be part of a transaction"))
    }
}
