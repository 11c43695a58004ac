import NexaProtocol
import NexaValue
import TestKit
import Testing

@Suite struct WriteMessageTests {
    private static let place = Request.Namespace(database: "shop", collection: "films")
    private static let filter = MessagePack.encode(["a": ["$gt": 1]] as Document)
    private static let update = MessagePack.encode(["$set": ["a": 1]] as Document)
    private static let document = MessagePack.encode(["a": 1] as Document)
    private static let filters = MessagePack.encode([["x": 1]] as Value)

    private static let writes: [Request.Write] = [
        .init(.filter(filter), .update(update)), .init(.id("5"), .update(update), isUpsert: true),
        .init(.filter(filter), .update(update), isMany: true, isUpsert: true, arrayFilters: filters),
        .init(.id(5), .replace(document)), .init(.filter(MessagePack.encode([:] as Document)), .delete, isMany: true)
    ]

    private func decoded(_ request: Request) throws -> Request {
        var writer = MessagePackWriter()
        request.encodePayload(into: &writer)
        try MessagePack.validate(writer.span)
        return try Request(type: request.type, payload: writer.span)
    }

    @Test(arguments: [nil, .os, .sync] as [Request.Durability?])
    func requestsAreReadAsTheyWereWritten(_ durability: Request.Durability?) throws {
        for write in Self.writes {
            let one = Request.WriteOne(namespace: Self.place, write: write, durability: durability)
            let request: Request = write.action == .delete ? .deleteMany(one) : .updateMany(one)
            #expect(try decoded(request) == request)
            guard !write.isMany else { continue }
            for sort in [Value.null, ["a": -1], [["a", 1]]] {
                let modify = Request.findAndModify(
                    .init(
                        namespace: Self.place, write: write, sort: sort, projection: sort.isNull ? [:] : ["a": 1],
                        returnsAfter: durability == .os, durability: durability))
                #expect(try decoded(modify) == modify)
            }
        }
        let bulk = Request.bulkWrite(
            .init(
                namespace: Self.place, writes: Self.writes + [.init(.filter([]), .insert(Self.document))],
                isOrdered: durability == nil, isAtomic: durability == .os, durability: durability))
        #expect(try decoded(bulk) == bulk)
        #expect(!bulk.isRead && bulk.mayTakeLong)
    }

    @Test(
        arguments: [
            (.updateMany, ["collection": "c", "update": ["$set": [:]]], "Missing 'key' or 'filters' field"),
            (.updateMany, ["collection": "c", "filters": [:]], "A write has one of the fields"),
            (.updateMany, ["collection": "c", "filters": [:], "update": [:], "delete": true], "A write has one of"),
            (.updateMany, ["collection": "c", "filters": [:], "delete": true], "UPDATE_MANY needs 'update'"),
            (.updateMany, ["filters": [:], "update": [:]], "Missing 'collection' field"),
            (.updateMany, ["collection": "c", "filters": 5, "update": [:]], "Field 'filters' must be a document"),
            (.updateMany, ["collection": "c", "filters": [:], "update": []], "Field 'update' must be a document"),
            (
                .updateMany, ["collection": "c", "filters": [:], "update": [:], "array_filters": [:]],
                "Field 'array_filters' must be an array"
            ),
            (.deleteMany, ["collection": "c", "filters": [:], "update": [:]], "DELETE_MANY needs 'delete'"),
            (.deleteMany, ["collection": "c", "delete": true], "Missing 'key' or 'filters' field"),
            (.findAndModify, ["collection": "c", "key": 1, "delete": true, "multi": true], "'multi' is not for it"),
            (
                .findAndModify, ["collection": "c", "key": 1, "delete": true, "return": "both"],
                "Unknown 'return': 'both'"
            ),
            (.findAndModify, ["collection": "c", "document": [:]], "An insert is a CREATE"),
            (.bulkWrite, ["collection": "c"], "Missing 'collection' or 'writes' field"),
            (
                .bulkWrite, ["collection": "c", "writes": [["delete": true]]],
                "Write 0: Missing 'key' or 'filters' field"
            ),
            (.bulkWrite, ["collection": "c", "writes": [5]], "Write 0: Invalid MessagePack")
        ] as [(MessageType, Document, String)])
    func incompleteRequestsAreRefused(type: MessageType, fields: Document, message: String) throws {
        let payload = MessagePack.encode(fields)
        let error = #expect(throws: RequestError.self) { try Request(type: type, payload: payload.span.bytes) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test func tooManyWritesAreRefused() throws {
        let writes = Array(repeating: Value.document(["delete": true, "key": 1]), count: 100_001)
        let payload = MessagePack.encode(["collection": "c", "writes": .array(writes)] as Document)
        let error = #expect(throws: RequestError.self) { try Request(type: .bulkWrite, payload: payload.span.bytes) }
        #expect(error?.code == .limit)
    }

    @Test func outcomesAreReadAsTheyWereWritten() throws {
        let outcomes: [Reply.WriteOutcome] = [
            .done(.init()), .done(.init(matched: 3, modified: 2, deleted: 1, insertedID: 5)),
            .failed(RequestError("no", code: .duplicateID)), .skipped
        ]
        for outcome in outcomes { #expect(Reply.WriteOutcome(outcome.fields) == outcome) }
        let payload = Reply.bulkPayload(Self.place, outcomes)
        let list = try MessagePack.decodeDocument(payload)["outcomes"]?.array ?? []
        #expect(list.map { Reply.WriteOutcome($0.document ?? [:]) } == outcomes)
        let written = Reply.Written(matched: 1, modified: 1)
        let fields = try MessagePack.decodeDocument(written.payload(Self.place, document: Self.document))
        #expect(Reply.Written(fields) == written && fields["document"] == ["a": 1])
    }
}
