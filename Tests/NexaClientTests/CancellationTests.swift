import NexaProtocol
import NexaTestSupport
import TestKit
import Testing

@testable import NexaClient

extension ClientTests {
    @Suite struct Cancellation {
        @Test(arguments: [true, false]) func aCancelledQueryIsCancelledOnTheServerToo(_ isGranted: Bool) async throws {
            let arrived = Promise<Bool>()
            let seen = Collector<String>()
            let capabilities = Capability.all.filter { isGranted || $0 != .cancellation }
            try await withScript({ peer in
                try await peer.login(capabilities: capabilities)
                let query = try await peer.receive(.query)
                arrived.fulfil(true)
                let next = try await peer.receive()
                seen.add("\(next.type)")
                if next.type == .cancel {
                    #expect(next.fields["tag"] == query.fields["tag"] && query.fields["tag"] != nil)
                    #expect((query.fields["max_time_ms"]?.int ?? 0) > 0)
                    peer.reply(["error": "cancelled", "code": "cancelled"], as: .error)
                    _ = try await peer.receive(.ping)
                } else {
                    peer.reply(["documents": [], "count": 0])
                }
                peer.reply([:], as: .pong)
            }) { client, server in
                let task = Task {
                    // When the call ends without having been sent, nobody shall wait for its arrival.
                    defer { arrived.fulfil(false) }
                    return try await client.database().collection("things").find(["a": 1]).collect()
                }
                try #require(await arrived.value)
                task.cancel()
                await #expect { try await task.value } throws: { ($0 as? NexaError)?.code == .cancelled }
                // The connection goes on, with its replies in step.
                _ = try await client.ping()
                #expect(seen.all == [isGranted ? "CANCEL" : "PING"])
                #expect(server.connectionCount == 1)
            }
        }
    }
}
