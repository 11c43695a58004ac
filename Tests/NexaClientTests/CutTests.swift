import NexaClient
import NexaTestSupport
import NexaTransport
import NexaValue
import Synchronization
import TestKit
import Testing

extension ClientTests {
    /// The server's end, at every byte of everything it says.
    @Suite struct Cuts {
        /// A call, the reply that it expects, and what it says of its outcome.
        struct Exchange: Sendable, CustomTestStringConvertible {
            var testDescription: String
            var reply: [UInt8]
            var run: @Sendable (NexaClient) async throws(NexaError) -> Void
        }

        static func things(_ client: NexaClient) -> NexaCollection<Document> { client.database().collection("things") }

        static let exchanges: [Exchange] = [
            Exchange(testDescription: "ping", reply: ScriptedPeer.frame(["status": "ok"], as: .pong)) {
                (client) throws(NexaError) in _ = try await client.ping()
            },
            Exchange(testDescription: "read", reply: ScriptedPeer.frame(["document": ["_id": "x", "a": 1]])) {
                (client) throws(NexaError) in _ = try await things(client).read("x")
            },
            Exchange(testDescription: "notFound", reply: ScriptedPeer.frame(["error": "no"], as: .notFound)) {
                (client) throws(NexaError) in _ = try await things(client).delete("x")
            },
            Exchange(testDescription: "insert", reply: ScriptedPeer.frame(["document_id": "x"])) {
                (client) throws(NexaError) in _ = try await things(client).insert(["_id": "x"])
            },
            Exchange(testDescription: "update", reply: ScriptedPeer.frame(["document_id": "x"])) {
                (client) throws(NexaError) in _ = try await things(client).update("x", set: ["a": 1])
            },
            Exchange(
                testDescription: "query", reply: ScriptedPeer.frame(["documents": [["_id": "x"]], "count": 1])
            ) { (client) throws(NexaError) in _ = try await things(client).find().limit(1).collect() },
            Exchange(
                testDescription: "error", reply: ScriptedPeer.frame(["error": "no", "code": "bad-request"], as: .error)
            ) { (client) throws(NexaError) in _ = try await things(client).update("x", set: ["a": 1]) },
            Exchange(testDescription: "duplicate", reply: ScriptedPeer.frame(["error": "no"], as: .duplicate)) {
                (client) throws(NexaError) in _ = try await things(client).insert(["_id": "x"])
            },
            Exchange(testDescription: "names", reply: ScriptedPeer.frame(["databases": ["a", "b"]])) {
                (client) throws(NexaError) in _ = try await client.databaseNames()
            }
        ]

        /// The login's reply and the call's reply are cut at every byte. The call ends once; what it says of its
        /// delivery is what the server knows.
        @Test(arguments: exchanges) func everyCutOfAReplyEndsTheCallOnceAndTruthfully(exchange: Exchange) async throws {
            let login = ScriptedPeer.loginFrame()
            for cut in 0...login.count + exchange.reply.count {
                let requests = Counter()
                try await withScript(
                    { peer in
                        try await peer.receive(.connect)
                        peer.sendBytes(Array(login.prefix(cut)))
                        guard cut >= login.count else { return peer.cut() }
                        try await peer.receive()
                        _ = requests.next()
                        peer.sendBytes(Array(exchange.reply.prefix(cut - login.count)))
                        peer.cut()
                    }, { $0.retry.maximumAttempts = 1 }
                ) { client, server in
                    let error = await failure { () throws(NexaError) in try await exchange.run(client) }
                    let executed = requests.value
                    #expect(executed <= 1, "cut at byte \(cut): sent twice")
                    switch error?.delivery {
                    case .notSent: #expect(executed == 0, "cut at byte \(cut): executed, but said not to be sent")
                    case .maybeExecuted:
                        #expect(cut >= login.count && cut < login.count + exchange.reply.count, "cut at byte \(cut)")
                    case .answered, nil:
                        #expect(cut == login.count + exchange.reply.count, "cut at byte \(cut): answered too early")
                    }
                    #expect(server.connectionCount >= 1)
                }
            }
        }

        /// Eight calls in one pipeline of a connection that is cut at every byte of their replies.
        @Test func everyCutOfManyRepliesGivesEachCallItsOwn() async throws {
            let count = 8
            @Sendable func reply(_ id: Value) -> [UInt8] { ScriptedPeer.frame(["document": ["_id": id]]) }
            let size = reply("0").count
            for cut in stride(from: 0, through: size * count, by: 1) {
                try await withScript(
                    { peer in
                        try await peer.login()
                        var bytes: [UInt8] = []
                        for _ in 0..<count { bytes += reply(try await peer.receive(.read).fields["key"] ?? .null) }
                        peer.sendBytes(Array(bytes.prefix(cut)))
                        peer.cut()
                    },
                    {
                        $0.retry.retriesReads = false
                        $0.pool.maximumConnections = 1
                    }
                ) { client, _ in
                    let things = Self.things(client)
                    _ = try await client.serverInfo()
                    let outcomes = await withTaskGroup(of: (Int, Value?, NexaError?).self) { group in
                        for number in 0..<count {
                            group.addTask {
                                do throws(NexaError) {
                                    return (number, try await things.read(DocumentID("\(number)"))?["_id"], nil)
                                } catch {
                                    return (number, nil, error)
                                }
                            }
                        }
                        return await group.reduce(into: []) { $0.append($1) }
                    }
                    #expect(outcomes.count { $0.2 == nil } == cut / size, "cut at byte \(cut)")
                    for (number, id, error) in outcomes {
                        if let error {
                            #expect(error.code == .connectionLost)
                            #expect(error.delivery == .maybeExecuted)
                        } else {
                            #expect(id == .string("\(number)"), "cut at byte \(cut)")
                        }
                    }
                }
            }
        }
    }
}
