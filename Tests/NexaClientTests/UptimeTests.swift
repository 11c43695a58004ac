import NexaClient
import NexaTestSupport
import NexaValue
import TestKit
import Testing

extension ClientTests {
    @Suite struct Uptime {
        /// What PONG says, and what becomes of it. A peer may say anything.
        @Test(
            arguments: [
                (.double(3.5), .seconds(3.5)), (.int(0), .zero), (nil, nil), (.string("long"), nil), (.double(-1), nil),
                (.double(.nan), nil), (.double(.infinity), nil), (.double(1e300), nil), (.int(.max), nil)
            ] as [(Value?, Duration?)])
        func whatTheServerSaysIsTold(_ said: Value?, _ expected: Duration?) async throws {
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive(.ping)
                var fields: Document = ["status": "ok"]
                if let said { fields["uptime"] = .some(said) }
                peer.reply(fields, as: .pong)
                await peer.stall()
            }) { client, _ in
                let uptime = try await client.uptime()
                #expect(uptime == expected)
            }
        }

        #if canImport(NexaServer)
            @Test func aServerCountsFromItsStart() async throws {
                let start = ContinuousClock.now
                try await LiveServer.run { client in
                    let first = try #require(try await client.uptime())
                    let second = try #require(try await client.uptime())
                    #expect(first >= .zero)
                    #expect(second > first)
                    #expect(second <= ContinuousClock.now - start)
                }
            }
        #endif
    }
}
