import NexaClient
import NexaTestSupport
import NexaValue
import TestKit
import Testing

private func value<Success>(_ result: Result<Success, NexaError>) -> Success? { try? result.get() }

extension Result where Failure == NexaError {
    fileprivate var failure: NexaError? { if case .failure(let error) = self { error } else { nil } }
}

extension ClientTests {
    @Suite struct Pipelines {
        struct User: NexaModel, Equatable {
            var name: String
        }

        /// Answers what the tests of this suite ask.
        static func answer(_ peer: ScriptedPeer, _ request: ScriptedRequest) {
            switch request.type {
            case .ping: peer.reply([:], as: .pong)
            case .read: peer.reply(["document": ["name": request.fields["key"] ?? .null]])
            case .create: peer.reply(["document_id": request.fields["data"]?.document?["_id"] ?? .null])
            case .delete: peer.reply([:], as: .notFound)
            case .query: peer.reply(["count": 7])
            default: peer.reply(["error": "no", "code": "bad-request"], as: .error)
            }
        }

        @Test func allRequestsLeaveTogetherAndEachHasItsOwnOutcome() async throws {
            try await withScript({ peer in
                try await peer.login()
                // Nothing is answered before all of them are there.
                var requests: [ScriptedRequest] = []
                for _ in 0..<6 { requests.append(try await peer.receive()) }
                for request in requests { Self.answer(peer, request) }
                await peer.stall()
            }) { client, server in
                let users = client.database().collection("users", of: User.self)
                let requests = users.requests
                let (ping, ada, id, gone, count, refused) = await client.pipeline(
                    .ping, requests.read("ada"), requests.insert(User(name: "Bob")), requests.delete("x"),
                    requests.count(), requests.update("y", set: ["name": "Z"]))
                #expect(value(ping) == true)
                #expect(value(ada) == User(name: "ada"))
                #expect(value(id)?.rawValue.count == 32)
                #expect(value(gone) == false)
                #expect(value(count) == 7)
                #expect(refused.failure?.code == .invalidRequest)
                #expect(server.connectionCount == 1)
            }
        }

        @Test func aRequestThatCannotBeSentLeavesTheOthersAlone() async throws {
            try await withScript({ peer in
                try await peer.login(capabilities: [], version: nil)
                while true { Self.answer(peer, try await peer.receive()) }
            }) { client, _ in
                let things = client.database().collection("things").requests
                // The first needs a server that counts; the third is no update.
                let (count, ping, update) = await client.pipeline(things.count(), .ping, things.update("x", set: [:]))
                #expect(value(ping) == true)
                #expect(count.failure?.code == .unsupported)
                #expect(update.failure?.code == .invalidRequest)
            }
        }

        @Test func whatBreaksIsSentAgainByItselfWhereThatIsSafe() async throws {
            let connections = Counter()
            try await withScript({ peer in
                try await peer.login()
                if connections.next() == 1 {
                    for _ in 0..<3 { try await peer.receive() }
                    peer.reply([:], as: .pong)
                    return peer.cut()
                }
                while true { Self.answer(peer, try await peer.receive()) }
            }) { client, _ in
                let users = client.database().collection("users", of: User.self).requests
                let (ping, read, delete) = await client.pipeline(.ping, users.read("ada"), users.delete("x"))
                #expect(value(ping) == true)
                #expect(value(read)??.name == "ada")
                #expect(delete.failure?.delivery == .maybeExecuted, "a delete is not sent twice")
            }
        }

        @Test func cancellingAPipelineEndsAllOfIt() async throws {
            let arrived = Promise<Bool>()
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive()
                arrived.fulfil(true)
                await peer.stall()
            }) { client, _ in
                let task = Task { await client.pipeline(.ping, .ping) }
                _ = await arrived.value
                task.cancel()
                let (first, second) = await task.value
                #expect(first.failure?.code == .cancelled)
                #expect(second.failure?.code == .cancelled)
            }
        }

        @Test func aPipelineDeeperThanAConnectionTakesMoreThanOneTurn() async throws {
            try await withScript(
                { peer in
                    try await peer.login()
                    while true { Self.answer(peer, try await peer.receive()) }
                }, { $0.pool.pipelineDepth = 2 }
            ) { client, _ in
                let results = await client.pipeline(.ping, .ping, .ping, .ping, .ping)
                #expect(value(results.4) == true)
                try await client.withConnection { connection in
                    let results = await connection.pipeline(.ping, .ping, .ping)
                    #expect(value(results.2) == true)
                }
            }
        }
    }
}
