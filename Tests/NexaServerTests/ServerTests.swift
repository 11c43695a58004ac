import NexaEngine
import NexaProtocol
import NexaServer
import NexaValue
import TestKit
import Testing

/// A running server for one test.
struct Running {
    let directory: TemporaryDirectory
    let server: NexaServer

    static func with(
        _ adjust: (inout NexaServer.Configuration) -> Void = { _ in }, _ body: (NexaServer) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        var configuration = NexaServer.Configuration.ephemeral(dataDirectory: directory.path)
        configuration.durability = .os
        adjust(&configuration)
        let server = try await NexaServer.start(configuration)
        do { try await body(server) } catch {
            await server.shutdown()
            throw error
        }
        await server.shutdown()
        withExtendedLifetime(directory) {}
    }
}

extension NexaServer {
    func peer() throws -> Peer { try Peer(port: try #require(port)) }
}

@Suite struct ServerTests {
    @Test func aDocumentGoesInAndComesBack() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            let document: Document = ["title": "Caught", "year": 1900]
            let inserted = try peer.ask(.insert(.init(namespace: .films, document: encoded(document))))
            #expect(inserted.type == .success)
            #expect(inserted.fields["message"] == "Document inserted")
            let id = try #require(inserted.fields["document_id"])
            let read = try peer.ask(.read(.init(namespace: .films, id: id)))
            let found = try #require(read.fields["document"]?.document)
            #expect(found.keys == ["_id", "_created_at", "_updated_at", "title", "year"])
            #expect(found["_id"] == id)
            let updated = try peer.ask(.update(.init(namespace: .films, id: id, updates: encoded(["year": 1901]))))
            #expect(updated.fields["message"] == "Document updated")
            let query = try peer.ask(.query(.init(namespace: .films, filter: ["year": ["$gte": 1901]])))
            #expect(query.fields["count"] == 1)
            #expect(query.fields["documents"]?.array?.first?.document?["_created_at"] == found["_created_at"])
            #expect(try peer.ask(.delete(.init(namespace: .films, id: id))).fields["message"] == "Document deleted")
            #expect(try peer.ask(.read(.init(namespace: .films, id: id))).type == .notFound)
            #expect(try peer.ask(.delete(.init(namespace: .films, id: id))).fields["error"] == "Not found")
        }
    }

    @Test func aClientsIDIsTheKeyAndRefusedTwice() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            let insert = Request.insert(.init(namespace: .films, document: encoded(["_id": "a", "n": 1])))
            #expect(try peer.ask(insert).fields["document_id"] == "a")
            let again = try peer.ask(insert)
            #expect(again.type == .error)
            #expect(again.fields["code"] == "duplicate-id")
            #expect(again.fields["error"]?.string?.contains("already exists") == true)
            let batch = MessagePack.encode([["_id": "b"], ["_id": "a"]] as Value)
            #expect(try peer.ask(.insertMany(.init(namespace: .films, documents: batch))).type == .error)
            #expect(try peer.ask(.read(.init(namespace: .films, id: "b"))).type == .notFound)
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrderAndReadTheirWrites() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            var bytes: [UInt8] = []
            for number in 0..<500 {
                let id = Value.string("k\(number)")
                bytes += Peer.frame(
                    .insert(
                        .init(
                            namespace: .films, document: encoded(["_id": id, "n": .int(Int64(number))]),
                            durability: number % 7 == 0 ? .sync : .os)))
                bytes += Peer.frame(.read(.init(namespace: .films, id: id)))
                if number % 50 == 0 { bytes += Peer.frame(.query(.init(namespace: .films, filter: ["n": 0]))) }
            }
            try peer.send(bytes)
            for number in 0..<500 {
                #expect(try peer.receive()?.fields["document_id"] == .string("k\(number)"))
                #expect(try peer.receive()?.fields["document"]?.document?["n"] == .int(Int64(number)))
                if number % 50 == 0 { #expect(try peer.receive()?.fields["count"] == 1) }
            }
        }
    }

    @Test func clientsThatNegotiateLearnTheUptime() async throws {
        try await Running.with { server in
            let old = try server.peer()
            _ = try old.ask(.connect(.init(username: "root", password: "secret", capabilities: [])))
            #expect(try old.ask(.ping).fields.map(\.key) == ["status", "timestamp"])
            let new = try server.peer()
            try new.logIn()
            #expect(try new.ask(.ping).fields.map(\.key) == ["status", "timestamp", "uptime"])
        }
    }

    @Test func eightWritersOfOneDocumentLoseNothing() async throws {
        try await Running.with { server in
            let first = try server.peer().logIn()
            try first.ask(.insert(.init(namespace: .films, document: encoded(["_id": "shared"]))))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        let peer = try server.peer().logIn()
                        for field in 0..<100 {
                            let updates = encoded(["w\(writer)f\(field)": .int(Int64(field))])
                            try peer.send(
                                .update(.init(namespace: .films, id: "shared", updates: updates, durability: .sync)))
                        }
                        for _ in 0..<100 { #expect(try peer.receive()?.type == .success) }
                    }
                }
                try await group.waitForAll()
            }
            let document = try first.ask(.read(.init(namespace: .films, id: "shared"))).fields["document"]?.document
            #expect(document?.count == 3 + 800)
        }
    }

    @Test func aThousandConnectionsAreServedAtOnce() async throws {
        try await Running.with { server in
            var peers: [Peer] = []
            for _ in 0..<1000 { peers.append(try server.peer()) }
            for peer in peers {
                try peer.send(.connect(.init(username: "root", password: "secret")))
                try peer.send(.ping)
            }
            for peer in peers {
                #expect(try peer.receive()?.type == .success)
                #expect(try peer.receive()?.type == .pong)
            }
            #expect(server.connectionCount == 1000)
        }
    }

    @Test func theCatalogListsWhatWasMadeAndNothingElse() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            #expect(try peer.ask(.listDatabases(viaCollections: false)).fields["databases"] == ["default"])
            #expect(
                try peer.ask(.query(.init(namespace: .init(database: "nowhere", collection: "c")))).fields["count"] == 0
            )
            #expect(try peer.ask(.createDatabase("shop")).fields["message"] == "Database created")
            #expect(try peer.ask(.createDatabase("shop")).type == .success)
            #expect(try peer.ask(.listDatabases(viaCollections: true)).fields["databases"] == ["default", "shop"])
            let marker: Document = [
                "_nexadb_collection_marker": true, "name": "_collection_marker", "_vector_dimensions": 3
            ]
            let items = Request.Namespace(database: "shop", collection: "items")
            #expect(try peer.ask(.insert(.init(namespace: items, document: encoded(marker)))).type == .success)
            #expect(try peer.ask(.listCollections(database: "shop")).fields["collections"] == ["items"])
            #expect(try peer.ask(.query(.init(namespace: items))).fields["documents"] == [])
            let wrong = try peer.ask(.insert(.init(namespace: items, document: encoded(["vector": [1.0, 2.0]]))))
            #expect(wrong.fields["error"] == "Vector dimension mismatch: collection expects 3 dimensions, got 2")
            #expect(try peer.ask(.dropCollection(items)).fields["message"] == "Collection dropped")
            #expect(
                try peer.ask(.dropCollection(items)).fields["error"]
                    == "Collection 'items' not found in database 'shop'")
            let dropped = try peer.ask(.dropDatabase("shop", viaCollection: true))
            #expect(dropped.fields["success"] == true)
            #expect(dropped.fields["message"] == "Database 'shop' dropped successfully")
            #expect(
                try peer.ask(.dropDatabase("shop", viaCollection: false)).fields["error"] == "Database 'shop' not found"
            )
            #expect(
                try peer.ask(.dropDatabase("default", viaCollection: false)).fields["error"]
                    == "Cannot drop 'default' database")
        }
    }

    @Test func onlyWhoLoggedInIsServed() async throws {
        try await Running.with { server in
            let peer = try server.peer()
            let early = try peer.ask(.ping)
            #expect(early.fields["error"] == "Not authenticated. Send CONNECT message with API key first.")
            let wrong = try peer.ask(.connect(.init(username: "root", password: "guess", capabilities: [])))
            #expect(wrong.fields == ["error": "Invalid username or password"])
            let nobody = try peer.ask(.connect(.init(username: "nobody", password: "secret", capabilities: [])))
            #expect(nobody.fields == ["error": "Invalid username or password"])
            let reply = try peer.ask(.connect(.init(username: "root", password: "secret", capabilities: [])))
            #expect(reply.fields["authenticated"] == true)
            #expect(reply.fields["capabilities"] == nil)
            #expect(reply.fields["role"] == "admin")
            #expect(try peer.ask(.ping).type == .pong)
            #expect(try peer.ask(.disconnect).fields["status"] == "goodbye")
            #expect(try peer.receive() == nil)
        }
    }

    @Test func codesThatAreNotThereAreNamed() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            try peer.send(Peer.frame(type: 0x44, payload: [0x80]))
            let reply = try #require(try peer.receive())
            #expect(reply.type == .error)
            #expect(
                reply.fields["error"] == "Unknown message type: 68 (CREATE_COLLECTION is not available in this server)")
            #expect(try peer.ask(.ping).type == .pong)
        }
    }

    @Test func documentsSurviveARestart() async throws {
        let directory = try TemporaryDirectory()
        for round in 0..<3 {
            let server = try await NexaServer.start(.ephemeral(dataDirectory: directory.path))
            let peer = try server.peer().logIn()
            for earlier in 0..<round {
                #expect(try peer.ask(.read(.init(namespace: .films, id: .int(Int64(earlier))))).type == .success)
            }
            let id = Value.int(Int64(round))
            #expect(try peer.ask(.insert(.init(namespace: .films, document: encoded(["_id": id])))).type == .success)
            await server.shutdown()
        }
    }

    @Test func aSecondServerOnTheSameDataIsRefused() async throws {
        let directory = try TemporaryDirectory()
        let server = try await NexaServer.start(.ephemeral(dataDirectory: directory.path))
        await #expect(throws: ServerError.self) {
            _ = try await NexaServer.start(.ephemeral(dataDirectory: directory.path))
        }
        await server.shutdown()
    }
}
