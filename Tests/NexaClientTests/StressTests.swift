import NexaProtocol
import NexaTestSupport
import TestKit
import Testing

@testable import NexaClient

extension ClientTests {
    @Suite struct Stress {
        /// Calls that are cancelled or run out of time at any moment, and their neighbours, which get their own reply.
        @Test(arguments: 1...4 as ClosedRange<UInt64>) func cancellationsAtAnyMomentHarmNobodyElse(seed: UInt64)
            async throws
        {
            try await withScript(
                { peer in
                    try await peer.login()
                    while true {
                        let request = try await peer.receive()
                        peer.reply(["document": ["_id": request.fields["key"] ?? .null]])
                    }
                }, { $0.pool.pipelineDepth = 16 }
            ) { client, _ in
                let things = client.database().collection("things")
                await withTaskGroup(of: [String].self) { group in
                    for worker in 0..<32 {
                        group.addTask {
                            var random = SplitMix64(seed: seed &* 1000 &+ UInt64(worker))
                            var wrong: [String] = []
                            for number in 0..<40 {
                                let id = DocumentID("\(worker)-\(number)")
                                let kind = random.next() % 4
                                let delay = Int(random.next() % 300)
                                let options = CallOptions(timeout: kind == 0 ? .microseconds(delay + 1) : nil)
                                let call = Task { try await things.read(id, options: options) }
                                if kind == 1 {
                                    for _ in 0..<delay / 30 { await Task.yield() }
                                    call.cancel()
                                }
                                switch await call.result {
                                case .success(let found):
                                    if found?["_id"] != .string(id.rawValue) { wrong.append(id.rawValue) }
                                case .failure(let error):
                                    let code = (error as? NexaError)?.code
                                    let isMeant = kind == 0 && code == .timedOut || kind == 1 && code == .cancelled
                                    if !isMeant { wrong.append("\(id.rawValue): \(error)") }
                                }
                            }
                            return wrong
                        }
                    }
                    for await wrong in group { #expect(wrong == [], "seed \(seed)") }
                }
                #expect(client.poolSnapshot.waiters == 0)
                try await client.ping()
            }
        }

        /// A lease with a subscription, a connection that is still being opened, and callers who wait for it.
        @Test func shutdownReturnsInTimeWhateverIsGoingOn() async throws {
            let connections = Counter()
            try await withScript(
                { peer in
                    if connections.next() > 1 { return await peer.stall() }
                    try await peer.login()
                    await peer.stall()
                },
                {
                    $0.pool.maximumConnections = 2
                    $0.pool.acquireTimeout = .seconds(3600)
                    $0.connectTimeout = .seconds(3600)
                    $0.operationTimeout = .seconds(3600)
                }
            ) { client, _ in
                let lease = try await client.core.lease(operation: "watch", options: .standard)
                lease.acceptEvents()
                let events = Task { await failure { () throws(NexaError) in try await lease.nextEvents() } }
                let calls = (0..<4).map { _ in
                    Task { await failure { () throws(NexaError) in try await client.ping() } }
                }
                let borrower = Task { try await client.withConnection { _ in } }
                while client.poolSnapshot.waiters < 5 { await Task.yield() }
                async let first: Void = client.shutdown(drainingFor: .milliseconds(10))
                async let second: Void = client.shutdown(drainingFor: .milliseconds(10))
                _ = await (first, second)
                #expect(await events.value?.code == .shutDown)
                for call in calls { #expect(await call.value?.code == .shutDown) }
                await #expect(throws: NexaError.self) { try await borrower.value }
                #expect(client.poolSnapshot.waiters == 0)
                lease.release()
            }
        }

        /// The calling thread is the client's own, which cannot wait for its own end.
        @Test func shutdownWorksOnTheClientsOwnThread() async throws {
            try await withScript({ peer in
                try await peer.login()
                while true {
                    try await peer.receive()
                    peer.reply([:], as: .pong)
                }
            }) { client, _ in
                try await client.ping()
                await withTaskExecutorPreference(try client.executor) {
                    _ = try? await client.ping()
                    await client.shutdown()
                }
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .shutDown)
            }
        }
    }
}
