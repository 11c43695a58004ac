import NexaProtocol
import NexaValue
import TestKit
import Testing

@Suite struct ChangeMessageTests {
    private static func event(token: [UInt8]?) -> [UInt8] {
        var writer = MessagePackWriter()
        let document = MessagePack.encode(["_id": "a", "n": 1] as Document)
        let updates = MessagePack.encode(["n": 1] as Document)
        let removed = MessagePack.encode(["gone"] as Value)
        Reply.encodeChange(
            .init(operation: "update", database: "shop", collection: "films", timestamp: 1.5, id: "a"),
            document: document.span.bytes, updates: updates.span.bytes, removed: removed.span.bytes, token: token,
            into: &writer)
        return writer.bytes
    }

    @Test(arguments: [nil, [1, 2, 3]] as [[UInt8]?]) func eventsAreReadAsTheyWereWritten(_ token: [UInt8]?) throws {
        let frame = Self.event(token: token)
        let header = try FrameHeader(frame.span.bytes, at: 0)
        #expect(header.type == .changeEvent && header.payloadByteCount == frame.count - FrameHeader.byteCount)
        let payload = Array(frame[FrameHeader.byteCount...])
        let fields = try MessagePack.decodeDocument(payload.span.bytes)
        #expect(fields["ns"] == ["db": token == nil ? "nexadb" : "shop", "coll": "films"])
        let change = try Reply.Change(payload)
        #expect(change.operation == "update" && change.database == "shop" && change.collection == "films")
        #expect(change.id == "a" && change.token == token)
        // Subscribers of 3.0 get the event that they know.
        #expect(change.removed == (token == nil ? [] : ["gone"]))
        #expect(fields["updateDescription"]?.document?.count == (token == nil ? 1 : 2))
        let document = try #require(change.document)
        let updates = try #require(change.updates)
        #expect(try MessagePack.decodeDocument(payload[document].span.bytes) == ["_id": "a", "n": 1])
        #expect(try MessagePack.decodeDocument(payload[updates].span.bytes) == ["n": 1])
    }

    @Test func anEventOfAnOriginalServerNamesNoDatabase() throws {
        let event: Document = [
            "operationType": "dropCollection", "ns": ["db": "nexadb", "coll": "films"], "timestamp": 1
        ]
        let change = try Reply.Change(MessagePack.encode(event))
        #expect(change.database == nil && change.collection == "films" && change.id == nil && change.document == nil)
    }

    /// Cut anywhere, or with any byte changed: an error or some event, never a crash.
    @Test func damagedEventsAreErrorsOrEvents() throws {
        let payload = Array(Self.event(token: [1, 2, 3])[FrameHeader.byteCount...])
        for count in 0..<payload.count {
            #expect(throws: MessagePackError.self) { try Reply.Change(Array(payload[..<count])) }
        }
        var random = SplitMix64(seed: 5)
        for index in payload.indices {
            for _ in 0..<20 {
                var damaged = payload
                damaged[index] = UInt8(truncatingIfNeeded: random.next())
                guard let change = try? Reply.Change(damaged) else { continue }
                for range in [change.document, change.updates].compactMap({ $0 }) {
                    #expect(range.upperBound <= damaged.count)
                }
            }
        }
    }

    @Test func subscriptionsAreReadAsTheyWereWritten() throws {
        let requests: [Request.Subscribe] = [
            .init(), .init(collection: "films", operations: []),
            .init(database: "shop", operations: ["insert"], after: [1, 2], filter: ["n": ["$gt": 1]])
        ]
        for request in requests {
            var writer = MessagePackWriter()
            Request.subscribe(request).encodePayload(into: &writer)
            #expect(try Request(type: .subscribeChanges, payload: writer.span) == .subscribe(request))
        }
        #expect(Request.Subscribe(operations: "insert,delete").selects("delete"))
        #expect(!Request.Subscribe(operations: ["insert"]).selects("delete"))
        for wrong in [["operations": 7], ["collection": 7], ["after": "text"], ["filter": [1]]] as [Document] {
            let payload = MessagePack.encode(wrong)
            #expect(throws: RequestError.self) { try Request(type: .subscribeChanges, payload: payload.span.bytes) }
        }
    }
}
