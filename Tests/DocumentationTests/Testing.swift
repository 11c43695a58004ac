import Foundation
import NexaClient
import NexaServer
import NexaTestSupport
import Testing

@Suite struct TestingYourCode {
    // snippet: service
    struct Visits: Sendable {
        let pages: NexaCollection<Document>

        func mark(_ page: DocumentID) async throws(NexaError) {
            try await pages.update(page, set: ["visited": true], options: CallOptions(isIdempotent: true))
        }
    }
    // end

    // snippet: live
    @Test func aMarkedPageIsVisited() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try await NexaServer.start(.ephemeral(dataDirectory: folder.path, rootPassword: "secret"))
        let client = try NexaClient(uri: "nexadb://root:secret@127.0.0.1:\(server.port ?? 0)")

        let visits = Visits(pages: client.database().collection("pages"))
        let page = try await visits.pages.insert(["path": "/"])
        try await visits.mark(page)
        let marked = try await visits.pages.count(["visited": true])
        #expect(marked == 1)

        await client.shutdown()
        await server.shutdown()
    }
    // end

    // snippet: scripted
    @Test func aLostReplyDoesNotLoseTheMark() async throws {
        let server = try ScriptedServer { peer in
            try await peer.login()
            let request = try await peer.receive()
            #expect(request.fields["collection"] == "pages")
            peer.cut()
        }
        defer { server.stop() }
        let client = try NexaClient(uri: "nexadb://root:secret@127.0.0.1:\(server.port)?maxAttempts=2")

        let visits = Visits(pages: client.database().collection("pages"))
        let error = await #expect(throws: NexaError.self) { try await visits.mark("home") }
        #expect(error?.code == .connectionLost && error?.delivery == .maybeExecuted)
        #expect(server.connectionCount == 2)

        await client.shutdown()
    }
    // end

    // snippet: old
    @Test func anOldServerIsRecognised() async throws {
        let server = try ScriptedServer { peer in
            try await peer.login(capabilities: [], version: nil)
            await peer.stall()
        }
        defer { server.stop() }
        let client = try NexaClient(uri: "nexadb://root:secret@127.0.0.1:\(server.port)")

        let sorted = client["shop"]["pages"].find().sort(Sort("path"))
        let error = await #expect(throws: NexaError.self) { try await sorted.collect() }
        #expect(error?.code == .unsupported)

        await client.shutdown()
    }
    // end

    @Test func errors() {
        // snippet: error
        let lost = NexaError(.connectionLost, "The connection broke", delivery: .maybeExecuted)
        // end
        #expect(!lost.isSafeToRetry)
    }
}
