import NexaProtocol
import NexaTestSupport
import NexaValue
import TestKit
import Testing

@testable import NexaClient

extension ClientTests {
    /// Against scripted servers: those of 3.0, and those that misbehave.
    @Suite struct ChangeStreams {
        static func event(_ number: Int, token: [UInt8]? = nil) -> Document {
            var fields: Document = [
                "operationType": "insert", "ns": ["db": "nexadb", "coll": "films"], "timestamp": 1.5,
                "documentKey": ["_id": .string("\(number)")], "fullDocument": ["_id": .string("\(number)"), "n": 1]
            ]
            if let token { fields["token"] = .bytes(token) }
            return fields
        }

        @Test func anOriginalServersBreakIsAGap() async throws {
            let connections = Counter()
            try await withScript({ peer in
                let number = connections.next()
                try await peer.login(capabilities: [])
                let request = try await peer.receive(.subscribeChanges)
                #expect(request.fields["collection"] == "films" && request.fields["after"] == nil)
                peer.reply(["subscribed": true])
                peer.reply(Self.event(number * 10), as: .changeEvent)
                peer.reply(Self.event(number * 10 + 1), as: .changeEvent)
                if number == 1 { return peer.cut() }
                await peer.stall()
            }) { client, _ in
                var seen: [String] = []
                for try await (change, token) in client.database().collection("films").watch() {
                    #expect(token == nil)
                    switch change {
                    case .inserted(let id, let document):
                        seen.append(id.rawValue)
                        #expect(document["n"] == 1)
                    case .gap(let since):
                        seen.append("gap")
                        #expect(since == nil)
                    default: Issue.record("\(change)")
                    }
                    if seen.count == 5 { break }
                }
                #expect(seen == ["10", "11", "gap", "20", "21"])
            }
        }

        @Test(arguments: [true, false]) func changeStreamResumed(hasTokens: Bool) async throws {
            let connections = Counter()
            try await withObservedScript({ peer in
                let number = connections.next()
                try await peer.login(capabilities: hasTokens ? Capability.all : [])
                try await peer.receive(.subscribeChanges)
                peer.reply(hasTokens ? ["subscribed": true, "token": .bytes([0])] : ["subscribed": true])
                peer.reply(Self.event(number, token: hasTokens ? [UInt8(number)] : nil), as: .changeEvent)
                if number == 1 { return peer.cut() }
                await peer.stall()
            }) { client, recorder in
                var iterator = client.database().collection("films").watch().makeAsyncIterator()
                _ = try await iterator.next()
                let early = recorder.first { event -> Bool? in
                    if case .changeStreamResumed = event { true } else { nil }
                }
                #expect(early == nil)
                _ = try await iterator.next()
                let hasGap = await recorder.wait { event -> Bool? in
                    if case .changeStreamResumed(let gap) = event { gap } else { nil }
                }
                #expect(hasGap == !hasTokens)
            }
        }

        @Test func whatAnOriginalServerWouldIgnoreIsRefused() async throws {
            try await withScript({ peer in
                try await peer.login(capabilities: [])
                await peer.stall()
            }) { client, _ in
                let films = client.database().collection("films")
                let token = try #require(ResumeToken("0123456789abcdef"))
                for stream in [films.watch(from: .after(token)), films.watch(where: ["year": 1927])] {
                    var iterator = stream.makeAsyncIterator()
                    let error = await failure { () throws(NexaError) in _ = try await iterator.next() }
                    #expect(error?.code == .unsupported)
                }
                var iterator = client.database().watch().makeAsyncIterator()
                let error = await failure { () throws(NexaError) in _ = try await iterator.begin() }
                #expect(error?.code == .unsupported)
            }
        }

        @Test func aResumedStreamAsksForWhatFollowsItsLastChange() async throws {
            let connections = Counter()
            try await withScript({ peer in
                let number = connections.next()
                try await peer.login()
                let request = try await peer.receive(.subscribeChanges)
                switch number {
                case 1:
                    #expect(request.fields["after"] == nil && request.fields["database"] == "default")
                    peer.reply(["subscribed": true, "token": .bytes([0])])
                    peer.reply(Self.event(1, token: [1]), as: .changeEvent)
                    // Word of how far the stream is counts as well.
                    peer.reply(["token": .bytes([5])], as: .changeEvent)
                    peer.cut()
                case 2:
                    // A break before the answer changes nothing.
                    #expect(request.fields["after"] == .bytes([5]))
                    peer.cut()
                case 3:
                    #expect(request.fields["after"] == .bytes([5]))
                    peer.reply(["subscribed": true, "token": .bytes([5])])
                    peer.reply(Self.event(6, token: [6]), as: .changeEvent)
                    peer.cut()
                default:
                    #expect(request.fields["after"] == .bytes([6]))
                    peer.reply(["error": "gone", "code": "history-lost"], as: .error)
                    await peer.stall()
                }
            }) { client, _ in
                var iterator = client.database().collection("films").watch().makeAsyncIterator()
                let found1 = try await iterator.begin()
                #expect(found1 == ResumeToken("00"))
                let found2 = try await iterator.next()?.token
                #expect(found2 == ResumeToken("01"))
                let found3 = try await iterator.next()?.token
                #expect(found3 == ResumeToken("06"))
                for _ in 0..<2 {
                    let error = await failure { () throws(NexaError) in _ = try await iterator.next() }
                    #expect(error?.code == .changeHistoryLost)
                }
            }
        }

        @Test(arguments: [
            Document(), ["operationType": "explode", "token": .bytes([1])], ["operationType": "insert"],
            ["operationType": "delete", "documentKey": [:]], ["operationType": "insert", "fullDocument": 7]
        ])
        func eventsThatMakeNoSenseAreErrorsOrNothing(_ event: Document) async throws {
            try await withScript({ peer in
                try await peer.login()
                _ = try await peer.receive(.subscribeChanges)
                peer.reply(["subscribed": true, "token": .bytes([0])])
                peer.reply(event, as: .changeEvent)
                peer.reply(Self.event(2, token: [2]), as: .changeEvent)
                await peer.stall()
            }) { client, _ in
                var iterator = client.database().collection("films").watch().makeAsyncIterator()
                do throws(NexaError) {
                    let next = try await iterator.next()
                    #expect(event.isEmpty && next?.token == ResumeToken("02"))
                } catch {
                    #expect(!event.isEmpty && error.code == .protocolViolation)
                }
            }
        }

        @Test func bytesThatAreNoEventEndTheStream() async throws {
            try await withScript({ peer in
                try await peer.login()
                _ = try await peer.receive(.subscribeChanges)
                peer.reply(["subscribed": true, "token": .bytes([0])])
                var writer = MessagePackWriter()
                let start = writer.beginFrame(.changeEvent)
                writer.writeRaw([0x82, 0xA1])
                writer.endFrame(start)
                peer.sendBytes(writer.bytes)
                await peer.stall()
            }) { client, _ in
                var iterator = client.database().collection("films").watch().makeAsyncIterator()
                let error = await failure { () throws(NexaError) in _ = try await iterator.next() }
                #expect(error?.code == .protocolViolation)
            }
        }

        @Test func aCancelledStreamGivesItsConnectionBack() async throws {
            try await withScript({ peer in
                try await peer.login()
                let request = try await peer.receive()
                if request.type == .subscribeChanges { peer.reply(["subscribed": true, "token": .bytes([0])]) }
                await peer.stall()
            }) { client, server in
                let isBegun = Promise<Bool>()
                let task = Task {
                    var iterator = client.database().collection("films").watch().makeAsyncIterator()
                    try await iterator.begin()
                    isBegun.fulfil(true)
                    _ = try await iterator.next()
                }
                _ = await isBegun.value
                #expect(client.poolSnapshot.leased == 1)
                task.cancel()
                let result = await task.result
                #expect((result.failure as? NexaError)?.code == .cancelled)
                #expect(client.poolSnapshot.leased == 0)
            }
        }

        @Test func tokensAreWordsThatCanBeStored() throws {
            let token = try #require(ResumeToken("00ff10aB"))
            #expect(token.description == "00ff10ab" && ResumeToken(token.description) == token)
            for text in ["", "0", "0g", "zz", String(repeating: "00", count: 300)] { #expect(ResumeToken(text) == nil) }
            struct Place: Codable, Equatable { var token: ResumeToken }
            let document = try Document.encode(Place(token: token))
            #expect(document == ["token": "00ff10ab"])
            #expect(try document.decode(Place.self) == Place(token: token))
            #expect(throws: NexaError.self) { try (["token": "x"] as Document).decode(Place.self) }
        }
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}
