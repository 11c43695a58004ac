import NexaClient
import NexaProtocol
import NexaTestSupport
import NexaValue
import TestKit
import Testing

extension ClientTests {
    /// Updates over connections that break, and with servers that do not know them.
    @Suite struct UpdateDelivery {
        enum Call: CaseIterable, Sendable {
            case update, updateMany, replace, deleteMany, findOneAndUpdate, bulk

            func make(_ things: NexaCollection<Document>, _ options: CallOptions) async throws(NexaError) {
                switch self {
                case .update: try await things.update("x", .inc("n", 1), options: options)
                case .updateMany: try await things.updateMany(.all, .inc("n", 1), options: options)
                case .replace: try await things.replace("x", with: ["n": 1], options: options)
                case .deleteMany: try await things.deleteMany(.all, options: options)
                case .findOneAndUpdate: _ = try await things.findOneAndUpdate(.all, .inc("n", 1), options: options)
                case .bulk:
                    let result = try await things.bulk(options: options) { $0.update("x", .inc("n", 1)) }
                    if let error = result.firstError { throw error }
                }
            }
        }

        @Test(arguments: Call.allCases) func aLostReplyIsNotSentAgainUnlessThatDoesNoHarm(_ call: Call) async throws {
            let received = Counter()
            try await withScript({ peer in
                try await peer.login()
                let request = try await peer.receive()
                guard received.next() > 2 else { return peer.cut() }
                #expect(request.fields["durability"] == "os")
                peer.reply(["matched": 1, "modified": 1, "outcomes": [["matched": 1]]])
                await peer.stall()
            }) { client, _ in
                let things = client.database().collection("things")
                let error = await failure { () throws(NexaError) in try await call.make(things, .standard) }
                #expect(error?.code == .connectionLost && error?.delivery == .maybeExecuted)
                #expect(received.value == 1)
                try await call.make(things, CallOptions(isIdempotent: true, durability: .os))
                #expect(received.value == 3)
            }
        }

        @Test(arguments: Call.allCases) func aServerWithoutThemIsNotAsked(_ call: Call) async throws {
            try await withScript({ peer in
                try await peer.login(capabilities: Capability.all.filter { $0 != .updateOperators })
                let request = try await peer.receive()
                Issue.record("\(request.type) was sent")
            }) { client, _ in
                let things = client.database().collection("things")
                let error = await failure { () throws(NexaError) in try await call.make(things, .standard) }
                #expect(error?.code == .unsupported && error?.delivery == .notSent)
                let merge = await failure { () throws(NexaError) in
                    try await things.update("x", set: ["$inc": ["n": 1]])
                }
                #expect(merge?.code == .unsupported)
            }
        }
    }
}
