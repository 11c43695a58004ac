import NexaProtocol
import NexaTestSupport
import Synchronization
import TestKit
import Testing

@testable import NexaClient
@testable import NexaValue

extension ClientTests {
    /// What carried a password does not stay in the memory that calls and connections use again.
    @Suite struct Secrets {
        private static let secret = "correct horse battery staple"

        /// The memory of the call that is used next, and what was written last on the connection.
        private func remains(of client: NexaClient) throws -> (call: [UInt8], written: [UInt8]) {
            let driver = try client.core.driver("test")
            let call = driver.spareCalls.take(.init(start: .now, deadline: .now, acquireTimeout: .zero))
            let memory = UnsafeRawBufferPointer(start: call.frame.base, count: call.frame.capacity)
            let lane = try #require(driver.state.withLock { $0.lanes.values.first })
            return (Array(memory), lane.writing)
        }

        private func holds(_ bytes: [UInt8], _ text: String) -> Bool {
            String(decoding: bytes, as: UTF8.self).contains(text)
        }

        @Test func framesOfPasswordsAreOverwritten() async throws {
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive(.changePassword)
                peer.reply([:])
                try await peer.receive(.createUser)
                peer.reply([:])
                try await peer.receive(.deleteUser)
                peer.reply([:])
                await peer.stall()
            }) { client, _ in
                try await client.users.changePassword(of: "ann", to: Self.secret)
                var left = try remains(of: client)
                #expect(!holds(left.call, Self.secret))
                #expect(!left.written.isEmpty && left.written.allSatisfy { $0 == 0 })
                try await client.users.create("bob", password: Self.secret)
                left = try remains(of: client)
                #expect(!holds(left.call, Self.secret))
                #expect(left.written.allSatisfy { $0 == 0 })
                // What is no secret is not overwritten: this shows that the look at the memory sees something.
                try await client.users.delete("somebody")
                left = try remains(of: client)
                #expect(holds(left.call, "somebody"))
                #expect(holds(left.written, "somebody"))
            }
        }

        @Test func theLoginIsOverwritten() async throws {
            try await withScript(
                { peer in
                    // A server of 3.0 is sent the password itself.
                    try await peer.receive(.connect)
                    peer.reply(
                        ["error": "Missing 'username' or 'password' field in CONNECT message"], as: .error)
                    let second = try await peer.receive(.connect)
                    #expect(second.fields["password"] == .string(Self.secret))
                    peer.reply(["authenticated": true, "username": "root", "role": "admin"])
                    await peer.stall()
                },
                {
                    $0.credentials?.password = Self.secret
                    $0.plainLogin = .always
                }
            ) { client, _ in
                let lease = try await client.core.lease(operation: "test", options: .standard)
                let driver = try client.core.driver("test")
                let lane = try #require(driver.state.withLock { $0.lanes.values.first })
                #expect(!lane.writing.isEmpty && lane.writing.allSatisfy { $0 == 0 })
                #expect(lane.out.isEmpty)
                lease.release()
            }
        }

        @Test func aCallThatSomeoneStillKnowsIsNotUsedAgain() {
            let spare = SpareCalls()
            let times = PendingCall.Times(start: .now, deadline: .now, acquireTimeout: .zero)
            let known = spare.take(times)
            spare.give(known)
            let next = spare.take(times)
            #expect(next !== known)
            let name = ObjectIdentifier(next)
            spare.give(consume next)
            #expect(ObjectIdentifier(spare.take(times)) == name)
        }
    }
}
