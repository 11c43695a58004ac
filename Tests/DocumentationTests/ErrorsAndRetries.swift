import NexaClient
import NexaTestSupport
import Synchronization
import Testing

@Suite struct ErrorsAndRetries {
    @Test func codes() async throws {
        try await withServer { client, _ in
            let users = client.database().collection("users")
            try await users.insert(["_id": "ada"])
            // snippet: codes
            do throws(NexaError) {
                try await users.insert(["_id": "ada", "name": "Ada"])
            } catch {
                switch error.code {
                case .duplicateID: print("there is one already")
                case .permissionDenied: print("ask for a role that may write")
                default: throw error
                }
            }
            // end

            // snippet: missing
            let nobody = try await users["bob"]
            let wasThere = try await users.delete("bob")
            // end
            #expect(nobody == nil && !wasThere)
        }
    }

    @Test func delivery() async throws {
        try await withScript({ peer in
            try await peer.login()
            try await peer.receive()
            peer.cut()
        }) { client in
            let accounts = client.database().collection("accounts")
            // snippet: delivery
            do throws(NexaError) {
                try await accounts.update("ada", set: ["balance": 12])
            } catch {
                switch error.delivery {
                case .notSent: print("not executed: try again whenever you like")
                case .maybeExecuted: print("perhaps executed: read the document to find out")
                case .answered: print("refused by the server: \(error)")
                }
            }
            // end

            // snippet: idempotent
            let again = CallOptions(isIdempotent: true)
            // end
            let error = await #expect(throws: NexaError.self) {
                // snippet: update
                try await accounts.update("ada", set: ["balance": 12], options: again)
                // end
            }
            #expect(error?.delivery == .maybeExecuted)
        }
    }

    @Test func inserts() async throws {
        let attempts = Atomic(0)
        try await withScript({ peer in
            try await peer.login()
            try await peer.receive()
            // The first time it is executed, and the reply gets lost.
            if attempts.add(1, ordering: .relaxed).newValue == 1 { return peer.cut() }
            peer.reply(["error": "Document already exists", "code": "duplicate-id"], as: .error)

            await peer.stall()
        }) { client in
            let users = client.database().collection("users")
            // snippet: insert
            let id = try await users.insert(["name": "Ada"])
            // end
            #expect(id.rawValue.count == 32)
        }
        #expect(attempts.load(ordering: .relaxed) == 2)
    }

    @Test func deadlines() async throws {
        try await withScript({ peer in
            try await peer.login()
            await peer.stall()
        }) { client in
            let users = client.database().collection("users")
            // snippet: deadline
            do throws(NexaError) {
                _ = try await users.read("ada", options: CallOptions(timeout: .milliseconds(20)))
            } catch {
                print(error.code, error.delivery)
            }
            // end

            // snippet: cancel
            let reading = Task { try await users.read("ada") }
            reading.cancel()
            let result = await reading.result
            // end
            let error = #expect(throws: NexaError.self) { try result.get() }
            #expect(error?.code == .cancelled)
        }
    }
}
