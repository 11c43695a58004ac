import NexaEngine
import NexaProtocol
import NexaServer
import NexaTOON
import NexaValue
import TestKit
import Testing

@Suite struct TOONTests {
    private static let documents: [Document] = [
        ["_id": "a", "_created_at": "x", "_updated_at": "x", "name": "Ada", "age": 36],
        ["_id": "b", "_created_at": "x", "_updated_at": "x", "name": "Bob, \"é😀\"", "age": 1.5]
    ]

    private static func insert(_ documents: [Document], _ peer: Peer) throws {
        let list = Value.array(documents.map { .document($0) })
        let reply = try peer.ask(.insertMany(.init(namespace: .films, documents: MessagePack.encode(list))))
        try #require(reply.type == .success, "\(reply.fields)")
    }

    private static func export(_ peer: Peer) throws -> Document {
        try peer.ask(.exportTOON(.init(namespace: .films))).fields
    }

    /// What a client of 3.0 gets: the envelope, and the statistics in the terms of 3.0.
    @Test func aClientOf3GetsTheEnvelopeThatItKnows() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn(capabilities: [.clientIDs])
            try Self.insert(Self.documents, peer)
            let reply = try peer.ask(.queryTOON(.init(query: .init(namespace: .films, filter: ["age": ["$gt": 0]]))))
            #expect(reply.type == .success)
            let text = """
                collection: films
                documents[2]{_id,_created_at,_updated_at,name,age}:
                  a,x,x,Ada,36
                  b,x,x,"Bob, \\"é😀\\"",1.5
                count: 2
                """
            #expect(reply.fields["data"]?.string == text)
            #expect(reply.fields.keys == ["database", "collection", "format", "data", "count", "token_stats"])
            #expect(reply.fields["format"] == "TOON" && reply.fields["count"] == 2)
            // len(json.dumps({"documents": [...]})) in Python, and len(text).
            let json =
                #"{"documents": [{"_id": "a", "_created_at": "x", "_updated_at": "x", "name": "Ada", "age": 36}, "#
                + #"{"_id": "b", "_created_at": "x", "_updated_at": "x", "name": "Bob, \"\u00e9\ud83d\ude00\"", "age": 1.5}]}"#
            let reduction = Double(json.count - text.unicodeScalars.count) / Double(json.count) * 100
            #expect(
                reply.fields["token_stats"]?.document == [
                    "json_size": .int(Int64(json.count)), "toon_size": .int(Int64(text.unicodeScalars.count)),
                    "reduction_percent": .double((reduction * 10).rounded() / 10)
                ])
            let exported = try Self.export(peer)
            let last = try #require(exported["data"]?.string?.split(separator: "\n").last)
            #expect(last.hasPrefix("exported_at: 1") || last.hasPrefix("exported_at: 2"))
            let statistics = try #require(exported["token_stats"]?.document)
            #expect(statistics["json_size"] == .int(Int64(json.count - 15)))
            let savings = try #require(statistics["estimated_cost_savings"]?.string)
            #expect(savings.hasPrefix("~") && savings.hasSuffix(".0% less tokens for LLM processing"))
            // What it does not know is not done, and the limit is 100 unless it says another.
            let plain = try peer.ask(
                .queryTOON(
                    .init(
                        query: .init(namespace: .films, limit: 1, skip: 1),
                        format: .init(delimiter: "|", fillsMissingFields: true))))
            #expect(plain.fields["data"]?.string?.contains("documents[1]{_id,_created_at") == true)
            #expect(plain.fields["data"]?.string?.contains("Ada") == true)
        }
    }

    @Test func anEmptyResultHasAnEmptyList() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn(capabilities: [])
            let reply = try peer.ask(.queryTOON(.init(query: .init(namespace: .films))))
            #expect(reply.fields["data"] == "collection: films\ndocuments[0]:\ncount: 0")
            #expect(reply.fields["token_stats"]?.document?["json_size"] == 17)
            #expect(try Self.export(peer)["token_stats"]?.document?["json_size"] == 2)
            for type in [MessageType.queryTOON, .exportTOON, .importTOON] {
                try peer.send(Peer.frame(type: type.rawValue, payload: encoded([:])))
                #expect(try peer.receive()?.fields["error"] == "Missing 'collection' field")
            }
            try peer.send(Peer.frame(type: 0x0D, payload: encoded(["collection": "films"])))
            #expect(try peer.receive()?.fields["error"] == "Missing 'toon_data' field")
        }
    }

    @Test func shapesMakeTables() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            let vector = Value.array((0..<40).map { .double(Double($0) / 8) })
            try Self.insert(
                [
                    ["_id": "a", "tags": ["x", "y"], "home": ["city": "Bonn"], "vector": vector],
                    ["_id": "b", "tags": [], "age": 3]
                ], peer)
            let format = Request.TOONFormat(
                delimiter: "|", flattensDocuments: true, listSeparator: "; ", fillsMissingFields: true,
                maximumVectorLength: 32)
            let reply = try peer.ask(
                .queryTOON(
                    .init(
                        query: .init(
                            namespace: .films, sort: ["_id": -1], projection: ["_created_at": 0, "_updated_at": 0]),
                        format: format)))
            #expect(
                reply.fields["data"]?.string == """
                    collection: films
                    documents[2|]{_id|tags|age|home.city}:
                      b|""|3|null
                      a|x; y|null|Bonn
                    count: 2
                    """)
            #expect(
                reply.fields["toon"]?.document == [
                    "table": true, "flattened": ["home"], "joined": ["tags"], "omitted": ["vector"], "filled": 2
                ])
            let statistics = try #require(reply.fields["token_stats"]?.document)
            #expect(statistics["toon_bytes"]?.int == reply.fields["data"]?.string.map { Int64($0.utf8.count) })
            #expect((statistics["toon_tokens"]?.int ?? 0) > 0)
            #expect((statistics["compact_json_tokens"]?.int ?? 0) > (statistics["toon_tokens"]?.int ?? 0))
        }
    }

    @Test func anExportCanBeImportedAgain() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            var random = SplitMix64(seed: 7)
            let documents = (0..<2500).map { number -> Document in
                var document: Document = ["_id": .string("n\(number)"), "n": .int(Int64(number))]
                if Bool.random(using: &random) { document["list"] = ["a,b", 1, nil, ["x": [1, 2]]] }
                document["text"] = .string(number % 3 == 0 ? "true" : "line\nbreak: \(number)")
                return document
            }
            try Self.insert(documents, peer)
            let text = try #require(try Self.export(peer)["data"]?.string)
            let before = try peer.ask(.query(.init(namespace: .films, limit: 0))).fields["documents"]
            let other = Request.Namespace(collection: "copies")
            let imported = try peer.ask(.importTOON(.init(namespace: other, text: Array(text.utf8))))
            #expect(imported.fields["imported"] == 2500 && imported.fields["replaced"] == false)
            #expect(imported.fields["document_ids"]?.array?.count == 100)
            #expect(imported.fields["message"] == "Successfully imported 2500 documents from TOON format")
            let after = try peer.ask(.query(.init(namespace: other, limit: 0))).fields["documents"]
            #expect(after == before)
            // Again it is refused, and replacing works, as one commit.
            let again = try peer.ask(.importTOON(.init(namespace: other, text: Array(text.utf8))))
            #expect(again.type == .error && again.fields["code"] == "duplicate-id")
            let replaced = try peer.ask(
                .importTOON(.init(namespace: other, text: Array("[1]{_id,a}:\n  x,1".utf8), replaces: true)))
            #expect(replaced.fields["imported"] == 1 && replaced.fields["replaced"] == true)
            let left = try peer.ask(.query(.init(namespace: other))).fields["documents"]?.array ?? []
            #expect(left.map { $0.document?["_id"] } == ["x"])
        }
    }

    /// All or nothing, `replace` too.
    @Test func aFailingImportChangesNothing() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            try Self.insert(Self.documents, peer)
            let bad: [(String, part: String)] = [
                ("[2]{_id,n}:\n  new,1\n  new,2", "new"),
                ("[2]{_id,n}:\n  new,1", "the header says 2 rows, found 1 at line 1 column 1"),
                ("documents[1]{_id}:\n  new\ncount: 2", "'count' says 2, and there are 1 documents"),
                ("[2]: a,b", "element 1 is a string, not a document"),
                ("hello", "not documents"), ("a: \"x", "line 1 column 4"),
                ("[1]{_id,n}:\n  \(String(repeating: "x", count: 2000)),1", "1024")
            ]
            for (text, part) in bad {
                for replaces in [true, false] {
                    let reply = try peer.ask(
                        .importTOON(.init(namespace: .films, text: Array(text.utf8), replaces: replaces)))
                    #expect(reply.type == .error, "\(text)")
                    #expect(reply.fields["error"]?.string?.contains(part) == true, "\(reply.fields)")
                    let left = try peer.ask(.query(.init(namespace: .films))).fields["count"]
                    #expect(left == 2, "\(text)")
                }
            }
        }
    }

    @Test func allFormsOfDocumentsAreImported() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            let forms = [
                "_id: one\nname: Ada", "[1]{_id}:\n  two", "[1]:\n  - _id: three\n    l[1]: a",
                "collection: other\ndocuments[1]{_id,n}:\n  four,1\ncount: 1\nexported_at: 1.5",
                "documents[0]:\ncount: 0"
            ]
            for form in forms {
                let reply = try peer.ask(.importTOON(.init(namespace: .films, text: Array(form.utf8))))
                #expect(reply.type == .success, "\(form): \(reply.fields)")
            }
            // Ids of its own where the text has none.
            let made = try peer.ask(.importTOON(.init(namespace: .films, text: Array("name: Bob".utf8))))
            #expect(made.fields["document_ids"]?.array?.first?.string?.count == 32)
            let lenient = "documents[9]{_id,cast}:\n  five,['a', 'b']\ncount: 9"
            let refused = try peer.ask(.importTOON(.init(namespace: .films, text: Array(lenient.utf8))))
            #expect(refused.type == .error)
            let read = try peer.ask(
                .importTOON(.init(namespace: .films, text: Array(lenient.utf8), isLenient: true)))
            #expect(read.type == .success, "\(read.fields)")
            let five = try peer.ask(.read(.init(namespace: .films, id: "five"))).fields["document"]?.document
            #expect(five?["cast"] == ["a", "b"])
        }
    }

    @Test func aResultBeyondTheLimitNamesIt() async throws {
        try await Running.with {
            $0.maximumResultBytes = 20_000
        } _: { server in
            let peer = try server.peer().logIn()
            try Self.insert((0..<200).map { ["n": .int($0), "a": ["b": ["c": ["d": [1, [2]]]]]] }, peer)
            let reply = try peer.ask(.exportTOON(.init(namespace: .films)))
            #expect(reply.type == .error && reply.fields["code"] == "limit")
            #expect(reply.fields["error"]?.string?.contains("20000 bytes") == true, "\(reply.fields)")
        }
    }

    @Test func aTransactionIsRead() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            try Self.insert(Self.documents, peer)
            try peer.ask(.beginTransaction(.init()))
            try peer.ask(.insert(.init(namespace: .films, document: encoded(["_id": "mine"]))))
            #expect(try Self.export(peer)["count"] == 3)
            let refused = try peer.ask(.importTOON(.init(namespace: .films, text: Array("a: 1".utf8))))
            #expect(refused.fields["error"]?.string?.contains("cannot be part of a transaction") == true)
            try peer.ask(.abortTransaction)
            #expect(try Self.export(peer)["count"] == 2)
        }
    }

    /// As long as Python's json.dumps, for values of every kind.
    @Test func paddedSizesAreThoseOfPython() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn(capabilities: [.clientIDs])
            try Self.insert(
                [
                    [
                        "_id": "i", "_created_at": "", "_updated_at": "", "a": 1e16, "b": 12_345_678_901_234_568.0,
                        "c": 1e-7, "d": -0.0, "e": "\u{7F}\u{1}\n\t\u{8}", "f": [true, nil, false, -10],
                        "g": 9_007_199_254_740_992.0, "h": .uint(.max)
                    ]
                ], peer)
            let json =
                #"[{"_id": "i", "_created_at": "", "_updated_at": "", "a": 1e+16, "b": 1.2345678901234568e+16, "#
                + #""c": 1e-07, "d": -0.0, "e": ""# + "\u{7F}" + #"\u0001\n\t\b", "f": [true, null, false, -10], "#
                + #""g": 9007199254740992.0, "h": 18446744073709551615}]"#
            #expect(try Self.export(peer)["token_stats"]?.document?["json_size"] == .int(Int64(json.count)))
        }
    }
}
