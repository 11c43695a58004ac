import NexaProtocol
import NexaValue
import TestKit
import Testing

/// A transaction whose first requests do not wait for its beginning: when there is none, they must not be carried out by
/// themselves.
@Suite struct PipelinedTransactionTests {
    private static let begin = Request.beginTransaction(.init(isPipelined: true))

    private static func insert(_ id: String) -> Request {
        .insert(.init(namespace: .films, document: encoded(["_id": .string(id)])))
    }

    private static func count(_ peer: Peer) throws -> Value? {
        try peer.ask(.query(.init(namespace: .films))).fields["count"]
    }

    private static func replies(_ peer: Peer, to requests: [Request]) throws -> [(type: MessageType, fields: Document)]
    {
        try peer.send(requests.flatMap { Peer.frame($0) })
        return try requests.map { _ in try #require(try peer.receive()) }
    }

    @Test func theFirstRequestsComeAtOnce() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn(capabilities: [.clientIDs, .errorCodes])
            let replies = try Self.replies(
                peer, to: [Self.begin, Self.insert("a"), Self.insert("b"), .commitTransaction(.init())])
            #expect(replies.allSatisfy { $0.type == .success })
            #expect(try Self.count(peer) == 2)
        }
    }

    @Test func whatComesBehindARefusedOneIsRefused() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn(capabilities: [.clientIDs, .errorCodes])
            // The second one cannot begin: its requests belong neither to the first nor to nobody.
            let replies = try Self.replies(
                peer,
                to: [Self.begin, Self.insert("a"), Self.begin, Self.insert("b"), .ping, .commitTransaction(.init())])
            #expect(replies.map(\.type) == [.success, .success, .error, .error, .pong, .error])
            #expect(replies[3].fields["error"] == replies[2].fields["error"])
            #expect(replies[5].fields["error"] == replies[2].fields["error"])
            #expect(try Self.count(peer) == 0, "and the first was not committed by the second's end")
            // It is over with that.
            #expect(try peer.ask(Self.insert("c")).type == .success)
            #expect(try Self.count(peer) == 1)
        }
    }

    @Test func abortEndsARefusedOne() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn(capabilities: [.clientIDs, .errorCodes])
            let replies = try Self.replies(peer, to: [Self.begin, Self.begin, Self.insert("b"), .abortTransaction])
            #expect(replies.map(\.type) == [.success, .error, .error, .success])
            #expect(try peer.ask(.abortTransaction).fields["code"] == "no-transaction")
            #expect(try peer.ask(Self.insert("c")).type == .success)
            #expect(try Self.count(peer) == 1)
        }
    }

    @Test func whoDoesNotAskForItGoesOnByItself() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn(capabilities: [.clientIDs, .errorCodes])
            let begin = Request.beginTransaction(.init())
            let replies = try Self.replies(peer, to: [begin, begin, Self.insert("a"), .commitTransaction(.init())])
            #expect(replies.map(\.type) == [.success, .error, .success, .success])
            #expect(try Self.count(peer) == 1)
        }
    }
}
