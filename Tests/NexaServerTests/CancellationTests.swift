import NexaEngine
import NexaProtocol
import NexaServer
import NexaValue
import TestKit
import Testing

@Suite struct CancellationTests {
    private static func frame(_ request: Request, _ control: RequestControl) -> [UInt8] {
        var writer = MessagePackWriter()
        request.encodeFrame(into: &writer, control: control)
        return writer.bytes
    }

    private static func cancel(_ tag: UInt64) -> [UInt8] {
        var writer = MessagePackWriter()
        Request.encodeCancel(tag: tag, into: &writer)
        return writer.bytes
    }

    /// A server with enough documents for a query to need a worker.
    private static func withDocuments(_ body: (Peer) throws -> Void) async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            let documents = Value.array((0..<2000).map { .document(["n": .int($0)]) })
            let inserted = try peer.ask(.insertMany(.init(namespace: .films, documents: MessagePack.encode(documents))))
            #expect(inserted.type == .success)
            try body(peer)
        }
    }

    private static let search = Request.query(
        .init(namespace: .films, filter: ["n": ["$lt": 0]], limit: 0, isCountOnly: true))

    @Test func aCancelledQueryEndsAndItsNeighboursDoNot() async throws {
        try await Self.withDocuments { peer in
            // The one before it, the one behind it, and a tag that nobody has: none of them stops.
            try peer.send(
                Self.frame(Self.search, .init(tag: 6)) + Self.frame(Self.search, .init(tag: 7))
                    + Self.frame(Self.search, .init(tag: 8)) + Self.cancel(7) + Self.cancel(99)
                    + Peer.frame(.ping))
            var answers: [String] = []
            for _ in 0..<4 {
                let reply = try #require(try peer.receive())
                answers.append(reply.fields["code"]?.string ?? "\(reply.type)")
            }
            // Its cancel was read while the first was worked on, when there was nothing to cancel yet.
            #expect(answers == ["SUCCESS", "SUCCESS", "SUCCESS", "PONG"] || answers[1] == "cancelled")
        }
    }

    @Test func aCancelRightBehindItsRequestStopsIt() async throws {
        try await Self.withDocuments { peer in
            var stopped = 0
            for tag in 1...20 as ClosedRange<UInt64> {
                try peer.send(Self.frame(Self.search, .init(tag: tag)) + Self.cancel(tag) + Peer.frame(.ping))
                let reply = try #require(try peer.receive())
                if reply.type == .error, reply.fields["code"]?.string == "cancelled" { stopped += 1 }
                #expect(try peer.receive()?.type == .pong)
            }
            // A worker may be quicker than the next line of the reactor, but not each time.
            #expect(stopped > 0)
        }
    }

    @Test func aRequestMayNotTakeLongerThanItSays() async throws {
        try await Self.withDocuments { peer in
            try peer.send(Self.frame(Self.search, .init(maximumMilliseconds: 0)))
            let reply = try #require(try peer.receive())
            #expect(reply.fields["code"]?.string == "cancelled")
            #expect(reply.fields["error"]?.string?.contains("0 ms") == true)
            try peer.send(Self.frame(Self.search, .init(maximumMilliseconds: 60_000)))
            #expect(try peer.receive()?.fields["count"] == 0)
        }
    }

    @Test func muchBehindALongRequestIsKeptForLater() async throws {
        try await Self.withDocuments { peer in
            // More than is read ahead, with a cancel behind it that comes too late to be looked for.
            var bytes = Self.frame(Self.search, .init(tag: 1))
            for _ in 0..<20_000 { bytes += Peer.frame(.ping) }
            try peer.send(bytes + Self.cancel(1))
            #expect(try peer.receive()?.type == .success)
            for _ in 0..<20_000 {
                let type = try peer.receive()?.type
                #expect(type == .pong)
            }
        }
    }
}
