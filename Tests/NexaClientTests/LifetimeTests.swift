import NexaClient
import NexaTestSupport
import TestKit
import Testing

extension ClientTests {
    @Suite struct Lifetime {
        @Test func shutdownLetsCallsOnTheirWayFinish() async throws {
            let arrived = Promise<Bool>()
            let release = Promise<Bool>()
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive()
                arrived.fulfil(true)
                _ = await release.value
                peer.reply(["document": ["_id": "x"]])
                await peer.stall()
            }) { client, _ in
                let things = client.database().collection("things")
                let call = Task { try await things["x"] }
                _ = await arrived.value
                async let end: Void = client.shutdown(drainingFor: .seconds(60))
                // New calls are refused while the old one is still on its way.
                while await failure({ () throws(NexaError) in try await client.ping(.init(timeout: .milliseconds(50))) }
                )?.code != .shutDown {
                    await Task.yield()
                }
                release.fulfil(true)
                let found = try await call.value
                #expect(found?["_id"] == "x")
                await end
            }
        }

        @Test func shutdownReturnsWhenTheGraceTimeIsOver() async throws {
            let arrived = Promise<Bool>()
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive()
                arrived.fulfil(true)
                await peer.stall()
            }) { client, _ in
                let things = client.database().collection("things")
                let call = Task { () -> NexaError? in
                    await failure { () throws(NexaError) in try await things.delete("x") }
                }
                _ = await arrived.value
                await client.shutdown(drainingFor: .milliseconds(20))
                let error = await call.value
                #expect(error?.code == .shutDown)
                #expect(error?.delivery == .maybeExecuted)
            }
        }

        @Test func runShutsDownWhenItsTaskIsCancelled() async throws {
            try await withScript({ peer in
                try await peer.login()
                while true {
                    try await peer.receive(.ping)
                    peer.reply([:], as: .pong)
                }
            }) { client, _ in
                let run = Task { await client.run() }
                try await client.ping()
                run.cancel()
                await run.value
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .shutDown)
            }
        }

        /// In a process of its own, where nobody else opens descriptors or threads.
        @Test func nothingIsLeftAfterShutdownOrAfterDropping() async throws {
            await #expect(processExitsWith: .success) {
                let server = try ScriptedServer { peer in
                    try await peer.login()
                    while true {
                        try await peer.receive(.ping)
                        peer.reply([:], as: .pong)
                    }
                }
                let descriptors = await OwnProcess.settledSockets()
                for round in 0..<20 {
                    let client = NexaClient(configuration(server))
                    await withTaskGroup(of: Void.self) { group in
                        for _ in 0..<50 { group.addTask { _ = try? await client.ping() } }
                    }
                    // Every other client is dropped without a word.
                    if round % 2 == 0 { await client.shutdown() }
                }
                // The server learns of the closed connections a moment later.
                while OwnProcess.openSockets() > descriptors || OwnProcess.threadCount(named: "nexa-client") > 0 {
                    await Task.yield()
                }
                server.stop()
            }
        }

        @Test func aClientThatWasNeverUsedNeedsNoShutdown() async {
            await #expect(processExitsWith: .success) {
                let before = await OwnProcess.settledSockets()
                _ = NexaClient(NexaConfiguration())
                let client = NexaClient(NexaConfiguration())
                #expect(OwnProcess.openSockets() <= before)
                await client.shutdown()
                #expect(OwnProcess.threadCount(named: "nexa-client") == 0)
            }
        }
    }
}
