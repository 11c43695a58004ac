import Glibc
import NexaEngine
import NexaProtocol
import NexaServer
import NexaValue
import TestKit
import Testing

/// Change events as they are on the wire, for subscribers of 3.0 and for those with `resume-token`.
@Suite struct ChangeStreamTests {
    /// A server with a directory of its own.
    final class Fixture: Sendable {
        let directory: TemporaryDirectory
        let server: NexaServer
        var port: UInt16 { server.port ?? 0 }

        init(_ change: (inout NexaServer.Configuration) -> Void = { _ in }) throws {
            directory = try TemporaryDirectory()
            var configuration = NexaServer.Configuration.ephemeral(dataDirectory: directory.path + "/data")
            configuration.reactors = 2
            change(&configuration)
            server = try NexaServer.startBlocking(configuration)
        }

        deinit { server.shutdownBlocking() }
    }

    private static func insert(_ id: Value, _ fields: Document = [:], into namespace: Request.Namespace = .films)
        -> Request
    {
        var document: Document = ["_id": id]
        for (key, value) in fields { document[key] = value }
        return .insert(.init(namespace: namespace, document: encoded(document)))
    }

    private static func event(_ peer: Peer) throws -> Document {
        let frame = try #require(try peer.receive())
        #expect(frame.type == .changeEvent)
        return frame.fields
    }

    @Test func oldSubscribersGetTheEventsOfOld() throws {
        let fixture = try Fixture()
        let subscriber = try Peer(port: fixture.port).logIn(capabilities: [])
        let reply = try subscriber.ask(.subscribe(.init(collection: "films")))
        #expect(reply.type == .success)
        #expect(
            reply.fields == [
                "subscribed": true, "collection": "films", "operations": ["insert", "update", "delete"],
                "message": "Subscribed to change stream for films"
            ])
        let writer = try Peer(port: fixture.port).logIn()
        let other = Request.Namespace(database: "shop", collection: "films")
        try writer.ask(Self.insert("m1", ["title": "Metropolis", "vector": [1, 2]]))
        try writer.ask(.update(.init(namespace: .films, id: "m1", updates: encoded(["year": 1927]))))
        try writer.ask(Self.insert("m1", into: .init(collection: "books")))
        try writer.ask(Self.insert(7, into: other))
        try writer.ask(.delete(.init(namespace: .films, id: "m1")))
        try writer.ask(.dropCollection(.films))
        var events = try (0..<4).map { _ in try Self.event(subscriber) }
        for index in events.indices {
            let seconds = try #require(events[index]["timestamp"]?.double)
            events[index]["timestamp"] = nil
            #expect(seconds > 1.5e9 && seconds < 1e11)
        }
        let namespace: Value = ["db": "nexadb", "coll": "films"]
        #expect(events[0]["operationType"] == "insert" && events[0]["ns"] == namespace)
        #expect(events[0]["documentKey"] == ["_id": "m1"] && events[0]["database"] == "default")
        let document = try #require(events[0]["fullDocument"]?.document)
        #expect(document["title"] == "Metropolis" && document["_id"] == "m1" && document["_created_at"] != nil)
        #expect(events[1]["operationType"] == "update")
        #expect(events[1]["updateDescription"] == ["updatedFields": ["year": 1927]])
        #expect(events[1]["fullDocument"]?.document?["title"] == "Metropolis")
        #expect(events[2]["database"] == "shop" && events[2]["documentKey"] == ["_id": 7])
        #expect(
            events[3] == [
                "operationType": "delete", "ns": namespace, "documentKey": ["_id": "m1"], "database": "default"
            ])
        #expect(events.allSatisfy { $0["token"] == nil })
    }

    @Test func theRulesOfOldForSubscribing() throws {
        let fixture = try Fixture()
        let peer = try Peer(port: fixture.port).logIn(capabilities: [])
        #expect(
            try peer.ask(.unsubscribe).fields == [
                "unsubscribed": true, "message": "Unsubscribed from change stream"
            ])
        try peer.send(Peer.frame(type: 0x30, payload: encoded(["operations": nil])))
        let refusal = try #require(try peer.receive())
        #expect(refusal.type == .error)
        #expect(refusal.fields["error"]?.string?.contains("can only join an iterable") == true)
        // Nothing, unknown names, and a text in which a name occurs.
        for operations in [[], ["explode"], "insert,dropCollection"] as [Value] {
            let reply = try peer.ask(.subscribe(.init(operations: operations)))
            #expect(reply.fields["operations"] == operations && reply.fields["collection"] == .null)
            #expect(reply.fields["message"] == "Subscribed to change stream for all collections")
        }
        // The last one counts, and the connection still answers in between.
        try peer.perform(Self.insert(1))
        try peer.perform(.update(.init(namespace: .films, id: 1, updates: encoded(["a": 1]))))
        try peer.send(.dropCollection(.films))
        var kinds: [String] = []
        while kinds.last != "dropCollection" {
            let frame = try #require(try peer.receive())
            if frame.type == .changeEvent { kinds.append(frame.fields["operationType"]?.string ?? "?") }
        }
        #expect(kinds.last == "dropCollection" && !kinds.contains("update"))
    }

    @Test func tokensResumeExactlyAlsoAfterARestart() throws {
        let directory = try TemporaryDirectory()
        func start() throws -> NexaServer {
            try NexaServer.startBlocking(.ephemeral(dataDirectory: directory.path + "/data"))
        }
        var server = try start()
        var subscriber = try Peer(port: server.port ?? 0).logIn()
        let reply = try subscriber.ask(.subscribe(.init(collection: "films", database: "default")))
        let first = try #require(reply.fields["token"]?.bytes)
        let writer = try Peer(port: server.port ?? 0).logIn()
        let batch: Value = .array((0..<10).map { ["_id": .int($0)] })
        try writer.perform(.insertMany(.init(namespace: .films, documents: MessagePack.encode(batch))))
        let tokens = try (0..<10).map { number -> [UInt8] in
            let event = try Self.event(subscriber)
            #expect(event["documentKey"] == ["_id": .int(Int64(number))])
            #expect(event["ns"] == ["db": "default", "coll": "films"])
            return try #require(event["token"]?.bytes)
        }
        for isRestarted in [false, true] {
            if isRestarted {
                server.shutdownBlocking()
                server = try start()
            }
            for (token, rest) in [(first, 10), (tokens[3], 6), (tokens[9], 0)] {
                subscriber = try Peer(port: server.port ?? 0).logIn()
                try subscriber.perform(.subscribe(.init(collection: "films", after: token)))
                for number in (10 - rest)..<10 {
                    #expect(try Self.event(subscriber)["documentKey"] == ["_id": .int(Int64(number))])
                }
                // Nothing but what follows: the next frame is the answer to this.
                #expect(try subscriber.ask(.ping).type == .pong)
            }
        }
        for bad in [[], Array(repeating: 0, count: 21), Array(repeating: 1, count: 21)] as [[UInt8]] {
            let answer = try subscriber.ask(.subscribe(.init(after: bad)))
            #expect(answer.type == .error)
            #expect(answer.fields["code"] == (bad.first == 1 ? "history-lost" : "bad-request"))
        }
        server.shutdownBlocking()
    }

    @Test func dropsAndFiltersAndRareEvents() throws {
        let fixture = try Fixture { $0.changeProgressInterval = .milliseconds(50) }
        let subscriber = try Peer(port: fixture.port).logIn()
        let operations: Value = ["insert", "dropCollection", "dropDatabase"]
        try subscriber.perform(
            .subscribe(.init(database: "shop", operations: operations, filter: ["price": ["$gt": 10]]))
        )
        let writer = try Peer(port: fixture.port).logIn()
        let orders = Request.Namespace(database: "shop", collection: "orders")
        try writer.perform(Self.insert(1, ["price": 5], into: orders))
        // No event for a while: the subscriber is told how far it is all the same.
        let progress = try Self.event(subscriber)
        #expect(progress.keys == ["token"])
        try writer.perform(Self.insert(2, ["price": 50], into: orders))
        try writer.perform(.dropDatabase("shop", viaCollection: false))
        let events = try (0..<3).map { _ in try Self.event(subscriber) }
        #expect(events.map { $0["operationType"] } == ["insert", "dropCollection", "dropDatabase"])
        #expect(events[0]["documentKey"] == ["_id": 2] && events[1]["ns"] == ["db": "shop", "coll": "orders"])
        let refusal = try subscriber.ask(.subscribe(.init(filter: ["a": ["$nope": 1]])))
        #expect(refusal.type == .error && refusal.fields["error"]?.string?.contains("$nope") == true)
    }

    @Test func whoMayNotReadSeesNothing() throws {
        let fixture = try Fixture()
        let engine = fixture.server.engine
        try engine.createUser("visitor", password: "secret", role: .guest)
        try engine.createUser("reader", password: "secret", role: .read)
        let visitor = try Peer(port: fixture.port).logIn(username: "visitor")
        #expect(try visitor.ask(.subscribe(.init())).fields["code"] == "permission-denied")
        #expect(try visitor.ask(.subscribe(.init(database: "default"))).fields["code"] == "permission-denied")
        let readers = try (0..<2).map { _ in try Peer(port: fixture.port).logIn(username: "reader") }
        for reader in readers { try reader.perform(.subscribe(.init())) }
        let writer = try Peer(port: fixture.port).logIn()
        try writer.perform(Self.insert(1))
        for reader in readers { #expect(try Self.event(reader)["documentKey"] == ["_id": 1]) }
        // The next change after the rights are gone ends the stream instead of being told.
        try engine.changeUser("reader", role: .guest)
        try writer.perform(Self.insert(2))
        for reader in readers { #expect(try reader.receive() == nil) }
        try engine.dropUser("visitor")
    }

    /// A reader that stops costs nobody anything, and finds every event when it goes on.
    @Test func aSlowReaderHoldsUpNobody() throws {
        let fixture = try Fixture { $0.reactors = 1 }
        let slow = try Peer(port: fixture.port).logIn()
        try slow.perform(.subscribe(.init()))
        let writer = try Peer(port: fixture.port).logIn()
        let padding = Value.string(String(repeating: "p", count: 20_000))
        let count = 1500
        for number in 0..<count {
            let request = Request.insert(
                .init(
                    namespace: .films, document: encoded(["_id": .int(Int64(number)), "padding": padding]),
                    durability: .os))
            try writer.perform(request)
        }
        // 30 MB of events and none of them read, yet others subscribe, see events, and are answered.
        let quick = try Peer(port: fixture.port).logIn()
        try quick.perform(.subscribe(.init()))
        try writer.perform(Self.insert("after"))
        #expect(try Self.event(quick)["documentKey"] == ["_id": "after"])
        for number in 0..<count {
            #expect(try Self.event(slow)["documentKey"] == ["_id": .int(Int64(number))])
        }
        #expect(try Self.event(slow)["documentKey"] == ["_id": "after"])
    }

    /// What a slow reader has not read is in the log, not in memory.
    @Test func aSlowReaderTakesNoMemory() throws {
        let fixture = try Fixture { configuration in
            configuration.durability = .os
            configuration.engine.writeBufferBytes = 4 << 20
            configuration.engine.documentCacheBytes = 1 << 20
            configuration.engine.blockCacheBytes = 8 << 20
        }
        let slow = try (0..<8).map { _ in try Peer(port: fixture.port).logIn() }
        for peer in slow { try peer.perform(.subscribe(.init())) }
        let writer = try Peer(port: fixture.port).logIn()
        try writer.perform(Self.insert(1))
        let updates = encoded(["padding": .string(String(repeating: "p", count: 100_000))])
        let before = Self.residentBytes()
        // Each event has the fields and the whole document: eight readers would have 180 MB each.
        for _ in 0..<900 { try writer.perform(.update(.init(namespace: .films, id: 1, updates: updates))) }
        let grown = Self.residentBytes() - before
        // Other tests of the process take memory meanwhile, too.
        #expect(grown < 1000 << 20, "\(grown >> 20) MiB more than before")
        for peer in slow { #expect(try Self.event(peer)["operationType"] == "insert") }
    }

    private static func residentBytes() -> Int {
        let fields = String(decoding: Files.read("/proc/self/statm"), as: UTF8.self).split(separator: " ")
        return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * 4096
    }

    /// Events of 200 KB between replies: frames never mix.
    @Test func eventsLeaveBetweenFrames() throws {
        let fixture = try Fixture()
        let peer = try Peer(port: fixture.port).logIn()
        try peer.perform(.subscribe(.init()))
        let writer = try Peer(port: fixture.port).logIn()
        let padding = Value.string(String(repeating: "p", count: 200_000))
        var events = 0
        for number in 0..<60 {
            try writer.send(Self.insert(.int(Int64(number)), ["padding": padding]))
            try peer.send(.ping)
            if number % 3 == 0 { try peer.send(Self.insert(.string("mine\(number)"), ["padding": padding])) }
        }
        var replies = 0
        while events < 80 || replies < 80 {
            let frame = try #require(try peer.receive())
            if frame.type == .changeEvent { events += 1 } else { replies += 1 }
        }
        #expect(events == 80 && replies == 80)
    }
}

extension Peer {
    /// Asks for something that has to succeed; events before the answer are dropped.
    func perform(_ request: Request) throws {
        try send(request)
        while let frame = try receive() {
            if frame.type != .changeEvent { return try #require(frame.type == .success, "\(frame.fields)") }
        }
        throw Gone(description: "the server closed the connection")
    }
}
