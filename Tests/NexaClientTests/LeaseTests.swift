import NexaProtocol
import NexaTestSupport
import TestKit
import Testing

@testable import NexaClient

extension ClientTests {
    @Suite struct Leases {
        /// Answers PING and READ, the latter with the number of the connection.
        static func serve(_ peer: ScriptedPeer, _ number: Int) async throws {
            while true {
                let request = try await peer.receive()
                if request.type == .ping {
                    peer.reply([:], as: .pong)
                } else {
                    peer.reply(["document": ["n": .int(Int64(number))]])
                }
            }
        }

        @Test func withConnectionKeepsItsCallsOnOneConnectionAndOthersOffIt() async throws {
            let connections = Counter()
            try await withScript({ peer in
                let number = connections.next()
                try await peer.login()
                try await Self.serve(peer, number)
            }) { client, server in
                let things = client.database().collection("things")
                try await client.withConnection { connection in
                    let mine = connection.database().collection("things")
                    let first = try await mine["x"]
                    for _ in 0..<3 {
                        let other = try await things["x"]
                        #expect(other?["n"] != first?["n"])
                        let again = try await mine["x"]
                        #expect(again == first)
                    }
                    #expect(connection.serverInfo.version == "4.0.0")
                    try await connection.ping()
                }
                // It is given back: a second use opens no third connection.
                try await client.withConnection { connection in _ = try await connection.ping() }
                #expect(server.connectionCount == 2)
            }
        }

        @Test func aConnectionUsedAfterItsClosureRefuses() async throws {
            try await withScript({ peer in
                try await peer.login()
                try await Self.serve(peer, 1)
            }) { client, _ in
                let kept = try await client.withConnection { connection in connection }
                let error = await failure { () throws(NexaError) in try await kept.ping() }
                #expect(error?.code == .connectionLost)
                #expect(error?.delivery == .notSent)
            }
        }

        @Test func aBorrowerWaitsForTheOnlyConnectionUntilItsTimeIsOver() async throws {
            try await withScript(
                { peer in
                    try await peer.login()
                    try await Self.serve(peer, 1)
                }, { $0.pool.maximumConnections = 1 }
            ) { client, server in
                let isLent = Promise<Bool>()
                let release = Promise<Bool>()
                let first = Task {
                    try await client.withConnection { _ in
                        isLent.fulfil(true)
                        _ = await release.value
                    }
                }
                _ = await isLent.value
                await #expect(throws: NexaError.self) {
                    try await client.withConnection(.init(timeout: .milliseconds(20))) { _ in }
                }
                let second = Task { try await client.withConnection { connection in _ = try await connection.ping() } }
                let call = Task { try await client.ping() }
                release.fulfil(true)
                _ = try await (first.value, second.value, call.value)
                #expect(server.connectionCount == 1)
            }
        }

        @Test func eventsComeInOrderAndTheConnectionIsNotReused() async throws {
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive(.ping)
                peer.sendBytes(
                    ScriptedPeer.frame(["n": 0], as: .changeEvent) + ScriptedPeer.frame([:], as: .pong)
                        + ScriptedPeer.frame(["n": 1], as: .changeEvent))
                for number in 2..<100 { peer.reply(["n": .int(Int64(number))], as: .changeEvent) }
                await peer.stall()
            }) { client, server in
                let lease = try await client.core.lease(operation: "watch", options: .standard)
                lease.acceptEvents()
                _ = try await lease.core.reply(to: .ping, operation: "watch", options: .standard)
                var numbers: [Int64] = []
                while numbers.count < 100 {
                    for payload in try await lease.nextEvents() {
                        numbers.append(try MessagePackFields.int("n", payload))
                    }
                }
                #expect(numbers == Array(0..<100))
                lease.release()
                let next = try await client.core.lease(operation: "watch", options: .standard)
                #expect(server.connectionCount == 2)
                next.release()
            }
        }

        @Test func theEndOfTheConnectionComesAfterItsEvents() async throws {
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive(.ping)
                peer.reply([:], as: .pong)
                peer.reply(["n": 1], as: .changeEvent)
                peer.cut()
            }) { client, _ in
                let lease = try await client.core.lease(operation: "watch", options: .standard)
                lease.acceptEvents()
                _ = try await lease.core.reply(to: .ping, operation: "watch", options: .standard)
                #expect(try await lease.nextEvents().count == 1)
                let error = await failure { () throws(NexaError) in try await lease.nextEvents() }
                #expect(error?.code == .connectionLost)
                let again = await failure { () throws(NexaError) in try await lease.nextEvents() }
                #expect(again?.code == .connectionLost)
            }
        }

        @Test func waitingForEventsCanBeCancelled() async throws {
            try await withScript({ peer in
                try await peer.login()
                await peer.stall()
            }) { client, _ in
                let lease = try await client.core.lease(operation: "watch", options: .standard)
                lease.acceptEvents()
                let task = Task { await failure { () throws(NexaError) in try await lease.nextEvents() } }
                task.cancel()
                #expect(await task.value?.code == .cancelled)
            }
        }

        @Test func aSlowConsumerStopsTheServerInsteadOfFillingMemory() async throws {
            let sent = Counter()
            let total = 400
            let event = ScriptedPeer.frame(["text": .string(String(repeating: "x", count: 100_000))], as: .changeEvent)
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive(.ping)
                peer.reply([:], as: .pong)
                for _ in 0..<total {
                    await peer.sendAndDrain(event)
                    _ = sent.next()
                }
                await peer.stall()
            }) { client, _ in
                let lease = try await client.core.lease(operation: "watch", options: .standard)
                lease.acceptEvents(buffering: 4)
                _ = try await lease.core.reply(to: .ping, operation: "watch", options: .standard)
                // The server comes to a halt when the buffers between it and us are full.
                var last = -1
                while sent.value != last || last < 4 {
                    last = sent.value
                    try await Task.sleep(for: .milliseconds(50))
                }
                #expect(last < total)
                var received = 0
                while received < total { received += try await lease.nextEvents().count }
                #expect(received == total)
                // The peer counts the last one after it has left.
                while sent.value < total { await Task.yield() }
                #expect(sent.value == total)
            }
        }

        @Test func replaceConnectionsOpensNewOnesAndFailsNoCall() async throws {
            let connections = Counter()
            let arrived = Promise<Bool>()
            let release = Promise<Bool>()
            try await withScript({ peer in
                let number = connections.next()
                try await peer.login()
                if number == 1 {
                    try await peer.receive()
                    arrived.fulfil(true)
                    _ = await release.value
                    peer.reply(["document": ["n": 1]])
                }
                try await Self.serve(peer, number)
            }) { client, server in
                let things = client.database().collection("things")
                let old = Task { try await things["x"] }
                _ = await arrived.value
                client.replaceConnections()
                let new = try await things["x"]
                #expect(new?["n"] == 2)
                release.fulfil(true)
                #expect(try await old.value?["n"] == 1)
                #expect(server.connectionCount == 2)
            }
        }
    }
}
