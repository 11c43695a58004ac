import NexaClient
import NexaTestSupport
import NexaTransport
import NexaValue
import TestKit
import Testing

extension ClientTests {
    /// One test for each setting of the configuration and of a call, named after it.
    @Suite struct Knobs {
        /// Answers everything, as what it was.
        static func echo(_ peer: ScriptedPeer) async throws {
            try await peer.login()
            while true {
                let request = try await peer.receive()
                if request.type == .ping { peer.reply([:], as: .pong) } else { peer.reply(["document_id": "x"]) }
            }
        }

        /// Waits for a condition; the suite's time limit ends a wait in vain.
        static func until(_ holds: () -> Bool) async {
            while !holds() { try? await Task.sleep(for: .milliseconds(1)) }
        }

        // MARK: Pool

        @Test func minimumConnections() async throws {
            try await withScript(
                Self.echo,
                {
                    $0.pool.minimumConnections = 2
                    $0.pool.idleTimeout = .milliseconds(20)
                }
            ) { client, server in
                await Self.until { client.poolSnapshot.idle == 2 }
                #expect(server.connectionCount == 2)
                // They outlive the idle timeout.
                try await Task.sleep(for: .milliseconds(60))
                #expect(client.poolSnapshot.idle == 2)
                #expect(server.connectionCount == 2)
            }
        }

        @Test func maximumConnections() async throws {
            let received = Counter()
            let release = Promise<Bool>()
            try await withScript(
                { peer in
                    try await peer.login()
                    while true {
                        try await peer.receive()
                        _ = received.next()
                        _ = await release.value
                        peer.reply([:], as: .pong)
                    }
                }, { $0.pool.maximumConnections = 2 }
            ) { client, server in
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<60 { group.addTask { _ = try? await client.ping() } }
                    await Self.until { client.poolSnapshot.totalConnects == 2 }
                    for _ in 0..<60 { group.addTask { _ = try? await client.ping() } }
                    await Self.until { client.poolSnapshot.active == 2 && received.value == 2 }
                    release.fulfil(true)
                }
                #expect(server.connectionCount == 2)
            }
        }

        @Test(arguments: [1, 3]) func maximumConcurrentConnects(count: Int) async throws {
            let release = Promise<Bool>()
            try await withScript(
                { peer in
                    _ = await release.value
                    try await Self.echo(peer)
                }, { $0.pool.maximumConcurrentConnects = count }
            ) { client, server in
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<60 { group.addTask { _ = try? await client.ping() } }
                    await Self.until { client.poolSnapshot.waiters == 60 && server.connectionCount == count }
                    #expect(client.poolSnapshot.connecting == count)
                    release.fulfil(true)
                }
            }
        }

        @Test func maximumWaiters() async throws {
            try await withScript({ await $0.stall() }, { $0.pool.maximumWaiters = 1 }) { client, _ in
                let first = Task { try await client.ping() }
                await Self.until { client.poolSnapshot.waiters == 1 }
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .poolExhausted)
                first.cancel()
                _ = await first.result
                #expect(client.poolSnapshot.totalCancelledWaits == 1)
            }
        }

        @Test func acquireTimeout() async throws {
            try await withScript({ await $0.stall() }, { $0.pool.acquireTimeout = .milliseconds(20) }) { client, _ in
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .poolExhausted)
                #expect(client.poolSnapshot.totalTimeouts == 1)
            }
        }

        @Test func idleTimeout() async throws {
            try await withScript(Self.echo, { $0.pool.idleTimeout = .milliseconds(20) }) { client, server in
                try await client.ping()
                await Self.until { client.poolSnapshot == Self.empty(after: 1) }
                try await client.ping()
                #expect(server.connectionCount == 2)
            }
        }

        private static func empty(after connects: Int) -> PoolSnapshot {
            var snapshot = PoolSnapshot()
            snapshot.totalConnects = connects
            return snapshot
        }

        @Test func maximumLifetime() async throws {
            try await withScript(Self.echo, { $0.pool.maximumLifetime = .milliseconds(20) }) { client, server in
                while server.connectionCount < 4 { try await client.ping() }
            }
        }

        @Test func keepAliveInterval() async throws {
            let pings = Counter()
            try await withScript(
                { peer in
                    try await peer.login()
                    while true {
                        try await peer.receive(.ping)
                        _ = pings.next()
                        peer.reply([:], as: .pong)
                    }
                }, { $0.pool.keepAliveInterval = .milliseconds(10) }
            ) { client, server in
                _ = try await client.serverInfo()
                await Self.until { pings.value >= 3 }
                #expect(server.connectionCount == 1)
            }
        }

        @Test func pipelineDepth() async throws {
            let received = Counter()
            let release = Promise<Bool>()
            try await withScript(
                { peer in
                    try await peer.login()
                    for _ in 0..<2 {
                        try await peer.receive()
                        _ = received.next()
                    }
                    _ = await release.value
                    for _ in 0..<2 { peer.reply([:], as: .pong) }
                    while true {
                        try await peer.receive()
                        peer.reply([:], as: .pong)
                    }
                },
                {
                    $0.pool.maximumConnections = 1
                    $0.pool.pipelineDepth = 2
                }
            ) { client, _ in
                await withTaskGroup(of: NexaError?.self) { group in
                    for _ in 0..<5 {
                        group.addTask { await failure { () throws(NexaError) in try await client.ping() } }
                    }
                    await Self.until { received.value == 2 && client.poolSnapshot.waiters == 3 }
                    release.fulfil(true)
                    for await error in group { #expect(error == nil) }
                }
            }
        }

        // MARK: Backoff and retry

        /// The pauses that a client announces which cannot reach its server.
        static func pauses(_ change: (inout NexaConfiguration) -> Void) async throws -> [Duration] {
            let server = try ScriptedServer { _ in }
            let port = server.port
            server.stop()
            var configuration = NexaConfiguration(host: "127.0.0.1", port: port)
            change(&configuration)
            let recorder = Recorder()
            let client = NexaClient(configuration, observer: recorder)
            for _ in 0..<10 { _ = try? await client.ping(.init(timeout: .milliseconds(20))) }
            await client.shutdown()
            return recorder.events.compactMap { event in
                if case .connectFailed(_, _, _, let pause) = event { pause } else { nil }
            }
        }

        @Test func initialBackoff() async throws {
            let pauses = try await Self.pauses {
                $0.backoff.initial = .nanoseconds(1)
                $0.backoff.maximum = .seconds(3600)
            }
            #expect(pauses.count > 3)
            // 1, 2, 4, … nanoseconds at most.
            #expect(pauses.prefix(10).allSatisfy { $0 <= .microseconds(1) })
        }

        @Test func maximumBackoff() async throws {
            let pauses = try await Self.pauses {
                $0.backoff.initial = .seconds(3600)
                $0.backoff.maximum = .milliseconds(1)
            }
            #expect(pauses.count > 3)
            #expect(pauses.allSatisfy { $0 <= .milliseconds(1) })
        }

        @Test func failuresUntilBreak() async throws {
            let server = try ScriptedServer(Self.echo)
            let client = NexaClient(
                configuration(server) {
                    $0.backoff.failuresUntilBreak = 2
                    // A caller who waited it out would exceed the time limit of the suite.
                    $0.pool.acquireTimeout = .seconds(3600)
                    $0.operationTimeout = .seconds(3600)
                })
            try await client.ping()
            server.stop()
            for call in 0..<20 {
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .connectFailed)
                // The first may have been sent on the connection that was just ending.
                #expect(error?.delivery == .notSent || call == 0)
            }
            await client.shutdown()
        }

        /// How often a server that answers nothing gets a call.
        static func sendings(
            _ change: (inout NexaConfiguration) -> Void,
            _ call: (NexaCollection<Document>) async throws(NexaError) -> Void
        ) async throws -> Int {
            let count = Counter()
            try await withScript(
                { peer in
                    try await peer.login()
                    try await peer.receive()
                    _ = count.next()
                    peer.cut()
                }, change
            ) { client, _ in
                let things = client.database().collection("things")
                let error = await failure { () throws(NexaError) in try await call(things) }
                #expect(error?.code == .connectionLost)
            }
            return count.value
        }

        @Test func maximumAttempts() async throws {
            for attempts in [1, 2, 5] {
                let count = try await Self.sendings({ $0.retry.maximumAttempts = attempts }) {
                    (things) throws(NexaError) in _ = try await things.read("x")
                }
                #expect(count == attempts)
            }
        }

        @Test func retriesReads() async throws {
            let count = try await Self.sendings({ $0.retry.retriesReads = false }) {
                (things) throws(NexaError) in _ = try await things.read("x")
            }
            #expect(count == 1)
        }

        // MARK: The rest of the configuration

        @Test func endpoints() async throws {
            let gone = try ScriptedServer { _ in }
            gone.stop()
            try await withScript(
                Self.echo, { $0.endpoints.insert(.tcp(host: "127.0.0.1", port: gone.port), at: 0) }
            ) { client, server in
                let info = try await client.serverInfo()
                #expect(info.endpoint == "127.0.0.1:\(server.port)")
            }
        }

        /// What a client says at login.
        static func login(_ change: (inout NexaConfiguration) -> Void) async throws -> Document {
            let seen = Promise<Document>()
            try await withScript(
                { peer in
                    seen.fulfil(try await peer.receive(.connect).fields)
                    peer.sendBytes(ScriptedPeer.loginFrame())
                    await peer.stall()
                }, change
            ) { client, _ in _ = try await client.serverInfo() }
            return await seen.value
        }

        @Test func credentials() async throws {
            let fields = try await Self.login { $0.credentials = .init(username: "ada", password: "lovelace") }
            #expect(fields["username"] == "ada")
        }

        @Test func applicationName() async throws {
            let fields = try await Self.login { $0.applicationName = "till" }
            #expect(fields.contains { $0.value == "till" })
        }

        @Test func database() async throws {
            try await withScript(Self.echo, { $0.database = "shop" }) { client, _ in
                #expect(client.database().name == "shop")
                try await client.withConnection { connection in #expect(connection.database().name == "shop") }
            }
        }

        @Test func connectTimeout() async throws {
            try await withScript({ await $0.stall() }, { $0.connectTimeout = .milliseconds(20) }) { client, _ in
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .connectFailed)
            }
        }

        @Test func operationTimeout() async throws {
            try await withScript(
                { peer in
                    try await peer.login()
                    await peer.stall()
                }, { $0.operationTimeout = .milliseconds(100) }
            ) { client, _ in
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .timedOut)
            }
        }

        @Test func maximumFrameBytes() async throws {
            try await withScript(
                { peer in
                    try await peer.login()
                    while true {
                        let request = try await peer.receive()
                        let size = request.fields["key"] == "big" ? 2000 : 10
                        peer.reply(["document": ["text": .string(String(repeating: "x", count: size))]])
                    }
                }, { $0.maximumFrameBytes = 1000 }
            ) { client, server in
                let things = client.database().collection("things")
                let error = await failure { () throws(NexaError) in try await things["big"] }
                #expect(error?.code == .frameTooLarge)
                let small = try await things["small"]
                #expect(small != nil)
                #expect(server.connectionCount == 2, "it is not tried again")
            }
        }

        // MARK: One call

        @Test func timeoutOfACall() async throws {
            try await withScript({ peer in
                try await peer.login()
                await peer.stall()
            }) { client, _ in
                let error = await failure { () throws(NexaError) in
                    try await client.ping(.init(timeout: .milliseconds(100)))
                }
                #expect(error?.code == .timedOut)
            }
        }

        @Test func isIdempotent() async throws {
            for (isIdempotent, expected) in [(false, 1), (true, 3)] {
                let count = try await Self.sendings({ _ in }) { (things) throws(NexaError) in
                    _ = try await things.delete("x", options: .init(isIdempotent: isIdempotent))
                }
                #expect(count == expected)
            }
        }

        @Test func durability() async throws {
            let seen = Promise<Document>()
            try await withScript({ peer in
                try await peer.login()
                seen.fulfil(try await peer.receive(.delete).fields)
                peer.reply(["document_id": "x"])
                await peer.stall()
            }) { client, _ in
                try await client.database().collection("things").delete("x", options: .init(durability: .os))
            }
            let fields = await seen.value
            #expect(fields["durability"] == "os")
        }

        @Test func durabilityOfAPipeline() async throws {
            let seen = Promise<[Value?]>()
            try await withScript({ peer in
                try await peer.login()
                let (read, delete) = (try await peer.receive(.read), try await peer.receive(.delete))
                seen.fulfil([read.fields["durability"], delete.fields["durability"]])
                await peer.stall()
            }) { client, _ in
                let things = client.database().collection("things").requests
                let call = Task {
                    await client.pipeline(things.read("x"), things.delete("x"), options: .init(durability: .os))
                }
                #expect(await seen.value == [nil, "os"])
                call.cancel()
                _ = await call.value
            }
        }
    }
}
