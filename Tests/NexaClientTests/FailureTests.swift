import NexaClient
import NexaProtocol
import NexaTestSupport
import NexaTransport
import NexaValue
import TestKit
import Testing

extension ClientTests {
    @Suite struct Failures {
        /// Answers every READ with the id that was asked for.
        static func answerReads(_ peer: ScriptedPeer) async throws {
            while true {
                let request = try await peer.receive()
                peer.reply(["document": ["_id": request.fields["key"] ?? .null]])
            }
        }

        @Test func aReplyCutAnywhereEndsTheCallOnceAndTruthfully() async throws {
            let reply = ScriptedPeer.frame(["document_id": "x"])
            for cut in 0..<reply.count {
                try await withScript({ peer in
                    try await peer.login()
                    try await peer.receive(.delete)
                    peer.sendBytes(Array(reply.prefix(cut)))
                    peer.cut()
                }) { client, _ in
                    let things = client.database().collection("things")
                    let error = await failure { () throws(NexaError) in try await things.delete("x") }
                    #expect(error?.code == .connectionLost, "cut at byte \(cut)")
                    #expect(error?.delivery == .maybeExecuted, "cut at byte \(cut)")
                }
            }
        }

        @Test func aReadIsRepeatedOnAnotherConnectionAndAWriteIsNot() async throws {
            let attempts = Counter()
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive()
                if attempts.next() == 1 { return peer.cut() }
                peer.reply(["document": ["_id": "x"], "document_id": "x"])
                await peer.stall()
            }) { client, server in
                let things = client.database().collection("things")
                let found = try await things["x"]
                #expect(found?["_id"] == "x")
                #expect(attempts.value == 2)
                #expect(server.connectionCount == 2)
            }
            let writes = Counter()
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive()
                _ = writes.next()
                peer.cut()
            }) { client, _ in
                let things = client.database().collection("things")
                let error = await failure { () throws(NexaError) in try await things.update("x", set: ["a": 1]) }
                #expect(error?.delivery == .maybeExecuted)
                #expect(writes.value == 1)
            }
        }

        /// The first answer is lost; the second one says that the document is there: it is ours.
        @Test(arguments: [MessageType.duplicate, .error]) func anInsertThatHadHappenedIsRecognised(
            type: MessageType
        ) async throws {
            let ids = Collector<Value>()
            try await withScript({ peer in
                try await peer.login()
                while true {
                    let request = try await peer.receive(.create)
                    ids.add(request.fields["data"]?.document?["_id"] ?? .null)
                    if ids.count == 1 { return peer.cut() }
                    peer.reply(["error": "there is one", "code": "duplicate-id"], as: type)
                }
            }) { client, _ in
                let things = client.database().collection("things")
                let id = try await things.insert(["a": 1])
                #expect(ids.all == [.string(id.rawValue), .string(id.rawValue)])
                // Of an id that the caller chose this cannot be known: it is not sent again.
                let error = await failure { () throws(NexaError) in try await things.insert(["_id": "mine"]) }
                #expect(error?.code == .duplicateID)
            }
        }

        @Test func garbageInsteadOfAReplyFailsTheCallAndTheNextOneWorks() async throws {
            let garbage: [[UInt8]] = [
                Array("not a frame at all".utf8),
                // A frame that announces 4 GiB.
                [0x4E, 0x45, 0x58, 0x41, 1, 0x81, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
                // Another version.
                [0x4E, 0x45, 0x58, 0x41, 2, 0x81, 0, 0, 0, 0, 0, 1, 0x80],
                // A change event that nobody subscribed to, and a request.
                ScriptedPeer.frame([:], as: .changeEvent), ScriptedPeer.frame([:], as: .ping)
            ]
            for bytes in garbage {
                let connections = Counter()
                try await withScript({ peer in
                    try await peer.login()
                    if connections.next() == 1 {
                        try await peer.receive()
                        peer.sendBytes(bytes)
                        await peer.stall()
                    } else {
                        try await Self.answerReads(peer)
                    }
                }) { client, _ in
                    let things = client.database().collection("things")
                    let error = await failure { () throws(NexaError) in try await things["x"] }
                    #expect(
                        error?.code
                            == (bytes.suffix(4) == [0xFF, 0xFF, 0xFF, 0xFF] ? .frameTooLarge : .protocolViolation))
                    #expect(error?.delivery == .maybeExecuted)
                    let found = try await things["y"]
                    #expect(found?["_id"] == "y")
                }
            }
        }

        @Test func aReplyThatIsNoMessagePackIsAnErrorOfThatCallOnly() async throws {
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive()
                peer.sendBytes([0x4E, 0x45, 0x58, 0x41, 1, 0x81, 0, 0, 0, 0, 0, 2, 0xDF, 0xFF])
                try await Self.answerReads(peer)
            }) { client, server in
                let things = client.database().collection("things")
                let error = await failure { () throws(NexaError) in try await things["x"] }
                #expect(error?.code == .protocolViolation)
                #expect(error?.delivery == .answered)
                let found = try await things["y"]
                #expect(found?["_id"] == "y")
                #expect(server.connectionCount == 1)
            }
        }

        @Test func aReplyNobodyAskedForEndsTheConnection() async throws {
            let connections = Counter()
            try await withScript({ peer in
                try await peer.login()
                if connections.next() == 1 {
                    let request = try await peer.receive()
                    let reply = ScriptedPeer.frame(["document": ["_id": request.fields["key"] ?? .null]])
                    peer.sendBytes(reply + reply)
                    await peer.stall()
                } else {
                    try await Self.answerReads(peer)
                }
            }) { client, server in
                let things = client.database().collection("things")
                for id in ["a", "b", "c"] {
                    let found = try await things[DocumentID(id)]
                    #expect(found?["_id"] == .string(id), "no call may get another call's reply")
                }
                #expect(server.connectionCount == 2)
            }
        }

        @Test func theDeadlineOfACallEndsItAndItsLateReplyIsPassedOver() async throws {
            let release = Promise<Bool>()
            try await withScript({ peer in
                try await peer.login()
                let slow = try await peer.receive()
                _ = await release.value
                peer.reply(["document": ["_id": slow.fields["key"] ?? .null]])
                try await Self.answerReads(peer)
            }) { client, server in
                let things = client.database().collection("things")
                _ = try await client.serverInfo()
                let error = await failure { () throws(NexaError) in
                    try await things.read("slow", options: .init(timeout: .milliseconds(250)))
                }
                #expect(error?.code == .timedOut)
                #expect(error?.delivery == .maybeExecuted)
                release.fulfil(true)
                let found = try await things["fast"]
                #expect(found?["_id"] == "fast")
                #expect(server.connectionCount == 1)
            }
        }

        @Test func cancellingACallReturnsAtOnceAndItsNeighboursGetTheirOwnReplies() async throws {
            let arrived = Promise<Bool>()
            let release = Promise<Bool>()
            try await withScript(
                { peer in
                    try await peer.login()
                    var held: [ScriptedRequest] = []
                    for _ in 0..<3 { held.append(try await peer.receive()) }
                    arrived.fulfil(true)
                    _ = await release.value
                    for request in held { peer.reply(["document": ["_id": request.fields["key"] ?? .null]]) }
                    try await Self.answerReads(peer)
                }, { $0.pool.maximumConnections = 1 }
            ) { client, _ in
                let things = client.database().collection("things")
                _ = try await client.serverInfo()
                let first = Task { try await things["first"] }
                let second = Task { () -> NexaError? in
                    await failure { () throws(NexaError) in try await things["second"] }
                }
                let third = Task { try await things["third"] }
                _ = await arrived.value
                second.cancel()
                // The server is still silent: the call ends because of the cancellation alone.
                let error = await second.value
                #expect(error?.code == .cancelled)
                #expect(error?.delivery == .maybeExecuted)
                release.fulfil(true)
                let found = (try await first.value, try await third.value)
                #expect(found.0?["_id"] == "first")
                #expect(found.1?["_id"] == "third")
            }
        }

        @Test func aCallInACancelledTaskSendsNothing() async throws {
            try await withScript({ peer in
                try await peer.login()
                let request = try await peer.receive()
                #expect(request.fields["key"] == "after")
                peer.reply(["document": ["_id": "after"]])
                await peer.stall()
            }) { client, _ in
                let things = client.database().collection("things")
                let error = await Task { () -> NexaError? in
                    withUnsafeCurrentTask { $0?.cancel() }
                    return await failure { () throws(NexaError) in try await things["before"] }
                }.value
                #expect(error?.code == .cancelled)
                #expect(error?.delivery == .notSent)
                let found = try await things["after"]
                #expect(found != nil)
            }
        }

        @Test func whatTheServerWouldIgnoreIsNotSent() async throws {
            try await withScript({ peer in
                try await peer.login(capabilities: [], version: nil)
                let request = try await peer.receive()
                #expect(request.type == .ping, "nothing else may arrive")
                peer.reply([:], as: .pong)
                await peer.stall()
            }) { client, _ in
                let things = client.database().collection("things")
                let a = Field<Int>("a")
                let errors = [
                    await failure { () throws(NexaError) in try await things.find().sort(a.ascending).collect() },
                    await failure { () throws(NexaError) in try await things.find().skip(1).collect() },
                    await failure { () throws(NexaError) in try await things.find(a == 1 || a == 2).collect() },
                    await failure { () throws(NexaError) in try await things.find(["a": ["$size": 1]]).collect() },
                    await failure { () throws(NexaError) in try await things.insert(["_id": "mine"]) },
                    await failure { () throws(NexaError) in
                        try await things.insert(["a": 1], options: .init(durability: .os))
                    }
                ]
                for error in errors {
                    #expect(error?.code == .unsupported)
                    #expect(error?.delivery == .notSent)
                }
                try await client.ping()
            }
        }

        @Test func tooManyWaitersFailAtOnceAndTheOthersAreServed() async throws {
            let release = Promise<Bool>()
            try await withScript(
                { peer in
                    _ = await release.value
                    try await peer.login()
                    try await Self.answerReads(peer)
                }, { $0.pool.maximumWaiters = 4 }
            ) { client, _ in
                let things = client.database().collection("things")
                let results = await withTaskGroup(of: NexaError?.self) { group in
                    for number in 0..<10 {
                        group.addTask {
                            await failure { () throws(NexaError) in try await things[DocumentID("\(number)")] }
                        }
                    }
                    var results: [NexaError?] = []
                    for await result in group {
                        results.append(result)
                        if results.count == 6 { release.fulfil(true) }
                    }
                    return results
                }
                #expect(results.count { $0?.code == .poolExhausted } == 6)
                #expect(results.count { $0 == nil } == 4)
            }
        }

        @Test func waitingForAConnectionEndsWithAcquireTimeout() async throws {
            try await withScript(
                { await $0.stall() },
                {
                    $0.pool.acquireTimeout = .milliseconds(30)
                }
            ) { client, _ in
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .poolExhausted)
                #expect(error?.delivery == .notSent)
            }
        }

        @Test func aServerThatComesBackIsFoundByTheCallThatWaits() async throws {
            let first = try ScriptedServer { peer in
                try await peer.login()
                try await Self.answerReads(peer)
            }
            let client = NexaClient(configuration(first))
            let things = client.database().collection("things")
            _ = try await things["a"]
            first.stop()
            let waiting = Task { try await things["b"] }
            // The port is free again; whoever waits must find the new server by itself.
            let second = try ScriptedServer(port: first.port) { peer in
                try await peer.login()
                try await Self.answerReads(peer)
            }
            let found = try await waiting.value
            #expect(found?["_id"] == "b")
            await client.shutdown()
            second.stop()
        }

        @Test func aWaitingCallDoesNotSitOutThePauseOfTheBackoff() async throws {
            let first = try ScriptedServer { peer in try await Self.answerPings(peer) }
            let attempts = Counter()
            struct Observer: NexaObserver {
                let attempts: Counter
                func observe(_ event: NexaEvent) {
                    if case .connectFailed = event { _ = attempts.next() }
                }
            }
            var configuration = NexaConfiguration(host: "127.0.0.1", port: first.port)
            // Without probes the second attempt would come after half an hour.
            configuration.backoff.initial = .seconds(3600)
            configuration.backoff.maximum = .seconds(3600)
            configuration.pool.acquireTimeout = .seconds(600)
            configuration.operationTimeout = .seconds(600)
            let client = NexaClient(configuration, observer: Observer(attempts: attempts))
            try await client.ping()
            first.stop()
            while client.poolSnapshot.idle > 0 { await Task.yield() }
            let call = Task { try await client.ping() }
            while attempts.value < 5 { await Task.yield() }
            let second = try ScriptedServer(port: first.port) { peer in try await Self.answerPings(peer) }
            _ = try await call.value
            await client.shutdown()
            second.stop()
        }

        private static func answerPings(_ peer: ScriptedPeer) async throws {
            try await peer.login()
            while true {
                try await peer.receive(.ping)
                peer.reply([:], as: .pong)
            }
        }

        @Test func bigRequestsAndRepliesPass() async throws {
            try await withScript({ peer in
                try await peer.login()
                while true {
                    let request = try await peer.receive(.create)
                    peer.reply(["document_id": "x", "echo": request.fields["data"] ?? .null])
                }
            }) { client, _ in
                let things = client.database().collection("things")
                let text = String(repeating: "0123456789abcdef", count: 1 << 18)
                await withTaskGroup(of: Bool.self) { group in
                    for _ in 0..<4 { group.addTask { (try? await things.insert(["text": .string(text)])) != nil } }
                    for await isRight in group { #expect(isRight) }
                }
            }
        }

        @Test func aRequestBeyondTheFrameLimitIsRefusedBeforeSending() async throws {
            try await withScript(
                { peer in
                    try await peer.login()
                    await peer.stall()
                }, { $0.maximumFrameBytes = 1000 }
            ) { client, _ in
                let things = client.database().collection("things")
                let text = String(repeating: "x", count: 2000)
                let error = await failure { () throws(NexaError) in
                    try await things.update("x", set: ["t": .string(text)])
                }
                #expect(error?.code == .frameTooLarge)
                #expect(error?.delivery == .notSent)
            }
        }

        @Test func whatAnEarlierAttemptMayHaveDoneIsNotForgotten() async throws {
            let connections = Counter()
            try await withScript(
                { peer in
                    let number = connections.next()
                    try await peer.login()
                    _ = try await peer.receive(.create)
                    // The first reply is lost; the second attempt is refused, which says nothing of the first.
                    if number == 1 { return peer.cut() }
                    peer.reply(["error": "busy", "code": "overloaded"], as: .error)
                }
            ) { client, _ in
                let error = await failure { () throws(NexaError) in
                    try await client.database().collection("things").insert(["a": 1])
                }
                #expect(error?.code == .overloaded)
                #expect(error?.delivery == .maybeExecuted)
            }
        }
    }
}
