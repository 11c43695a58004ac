import NexaProtocol
import NexaValue
import TestKit
import Testing

@Suite struct WireTests {
    static func frame(_ write: (inout MessagePackWriter) -> Void) -> String {
        var writer = MessagePackWriter()
        write(&writer)
        return writer.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The test vectors of the 3.0 protocol.
    @Test func framesEqualThoseOfTheOriginal() {
        #expect(Self.frame { Request.ping.encodeFrame(into: &$0) } == "4e455841010900000000000180")
        let connect = Request.connect(.init(username: "root", password: "nexadb123", capabilities: []))
        #expect(
            Self.frame { connect.encodeFrame(into: &$0) }
                == "4e455841010100000000002282a8757365726e616d65a4726f6f74a870617373776f7264a96e6578616462313233")
        #expect(
            Self.frame { Reply.encodeNotFound(into: &$0) }
                == "4e455841018300000000001181a56572726f72a94e6f7420666f756e64")
        #expect(
            Self.frame { Reply.encodePong(timestamp: 1.5, into: &$0) }
                == "4e455841018800000000001e82a6737461747573a26f6ba974696d657374616d70cb3ff8000000000000")
        #expect(
            Self.frame { Reply.encodePong(timestamp: 1.5, uptime: 2, into: &$0) }
                == "4e455841018800000000002e83a6737461747573a26f6ba974696d657374616d70cb3ff8000000000000"
                + "a6757074696d65cb4000000000000000", "behind what 3.0 says, for those who negotiate")
    }

    static let requests: [Request] = {
        let movies = Request.Namespace(database: "shop", collection: "movies")
        let document = MessagePack.encode(["title": "Caught", "_id": "a"] as Document)
        return [
            .connect(.init(username: "u", password: nil, applicationName: "tests")), .createDatabase("shop"),
            .insert(.init(namespace: movies, document: document, durability: .os)),
            .read(.init(namespace: movies, id: "a")), .read(.init(namespace: movies, id: 7)),
            .update(.init(namespace: movies, id: "a", updates: document)),
            .delete(.init(namespace: movies, id: "a", durability: .sync)),
            .query(
                .init(
                    namespace: movies, filter: ["year": ["$gt": 1950]], limit: 0, skip: 3, sort: [["year", -1]],
                    projection: ["title": 1], isCountOnly: true, page: .init(documents: 10, bytes: 99), after: [1, 2])),
            .insertMany(.init(namespace: movies, documents: MessagePack.encode([["a": 1], ["b": 2]] as Value))),
            .ping, .disconnect, .listCollections(database: "shop"), .listDatabases(viaCollections: true),
            .listDatabases(viaCollections: false), .dropCollection(movies),
            .dropDatabase("shop", viaCollection: true), .dropDatabase("shop", viaCollection: false)
        ]
    }()

    @Test(arguments: requests) func requestsSurviveTheWire(request: Request) throws {
        var writer = MessagePackWriter()
        request.encodeFrame(into: &writer)
        let bytes = writer.bytes
        let decoder = FrameDecoder()
        for cut in 0..<bytes.count {
            #expect(try decoder.frame(in: bytes.span.bytes.extracting(0..<cut), at: 0) == nil)
        }
        let frame = try #require(try decoder.frame(in: bytes.span.bytes, at: 0))
        #expect(frame.payload.upperBound == bytes.count)
        let back = try Request(type: frame.header.type, payload: bytes.span.bytes.extracting(frame.payload))
        #expect(back == request)
    }

    @Test func framesThatLieAreRefusedAtTheHead() {
        let decoder = FrameDecoder(maximumPayloadByteCount: 1024)
        func fault(_ head: [UInt8]) -> FrameError? {
            do throws(FrameError) {
                _ = try decoder.frame(in: head.span.bytes, at: 0)
                return nil
            } catch { return error }
        }
        let good: [UInt8] = [0x4E, 0x45, 0x58, 0x41, 1, 9, 0, 0]
        #expect(fault(good + [0xFF, 0xFF, 0xFF, 0xFF]) == .tooLarge(byteCount: 0xFFFF_FFFF, limit: 1024))
        #expect(fault([0x41, 0x42, 0x43, 0x44] + good[4...] + [0, 0, 0, 0]) == .wrongMagic(0x4142_4344))
        #expect(fault(good[..<4] + [2] + good[5...] + [0, 0, 0, 0]) == .unsupportedVersion(2))
        #expect(FrameError.wrongMagic(0x4142_4344).description == "Invalid protocol magic: 0x41424344")
        #expect(fault(good + [0, 0, 4, 0]) == nil)
    }

    struct Bad: Sendable, CustomStringConvertible {
        var type: MessageType
        var fields: Value
        var message: String
        var description: String { "\(type) \(message)" }
    }

    static let bad: [Bad] = [
        Bad(
            type: .connect, fields: ["client": "x"],
            message: "Missing 'username' or 'password' field in CONNECT message"),
        Bad(type: .create, fields: ["collection": "c", "data": [:]], message: "Missing 'collection' or 'data' field"),
        Bad(type: .create, fields: ["create_database": true], message: "Missing 'database' field"),
        Bad(type: .read, fields: ["collection": "c"], message: "Missing 'collection' or 'key' field"),
        Bad(
            type: .read, fields: ["collection": "c", "key": 1.5],
            message: "A document's id is a string or an integer, not double"),
        Bad(
            type: .update, fields: ["collection": "c", "key": "a"],
            message: "Missing 'collection', 'key', or 'updates' field"),
        Bad(
            type: .batchWrite, fields: ["collection": "c", "documents": []],
            message: "Missing 'collection' or 'documents' field"),
        Bad(type: .query, fields: [:], message: "Missing 'collection' field"),
        Bad(
            type: .query, fields: ["collection": "c", "filters": "x"],
            message: "Field 'filters' must be a document, not string"),
        Bad(
            type: .query, fields: ["collection": "c", "limit": -1],
            message: "Field 'limit' must be a whole number from 0 up"),
        Bad(type: .dropDatabase, fields: [:], message: "Missing 'database' field"),
        Bad(type: MessageType(rawValue: 0x77), fields: [:], message: "Unknown message type: 119"),
        Bad(
            type: MessageType(rawValue: 0x44), fields: [:],
            message: "Unknown message type: 68 (CREATE_COLLECTION is not available in this server)"),
        Bad(type: .vectorSearch, fields: ["collection": "c"], message: "Missing 'collection' or 'vector' field"),
        Bad(
            type: .vectorSearch, fields: ["collection": "c", "vector": [1, "x"]],
            message: "Field 'vector' must be a list of numbers; element 1 is none"),
        Bad(
            type: .vectorSearch, fields: ["collection": "c", "vector": [1], "dimensions": 768],
            message: "Query vector must have 768 dimensions")
    ]

    @Test(arguments: bad) func badRequestsAreToldInKnownWords(bad: Bad) {
        let payload = MessagePack.encode(bad.fields)
        #expect(throws: RequestError.self) { try Request(type: bad.type, payload: payload.span.bytes) }
        do throws(RequestError) {
            _ = try Request(type: bad.type, payload: payload.span.bytes)
        } catch { #expect(error.message == bad.message) }
    }

    @Test func oldClientsAreTolerated() throws {
        func decode(_ type: MessageType, _ fields: Value) throws -> Request {
            try Request(type: type, payload: MessagePack.encode(fields).span.bytes)
        }
        let namespace = Request.Namespace(collection: "c")
        let updates = MessagePack.encode(["a": 1] as Document)
        #expect(
            try decode(.update, ["collection": "c", "document_id": "x", "data": ["a": 1], "database": nil])
                == .update(.init(namespace: namespace, id: "x", updates: updates)))
        #expect(
            try decode(.delete, ["collection": "c", "document_id": "x"])
                == .delete(.init(namespace: namespace, id: "x")))
        #expect(try decode(.listCollections, ["database": 1]) == .listDatabases(viaCollections: true))
        #expect(try decode(.query, ["collection": "c", "filters": []]) == .query(.init(namespace: namespace)))
        #expect(try Request(type: .ping, payload: [UInt8]().span.bytes) == .ping)
        #expect(try Request(type: .ping, payload: [0x93, 1].span.bytes) == .ping)
        #expect(
            try Request(type: .listCollections, payload: [UInt8]().span.bytes) == .listCollections(database: "default"))
    }

    /// Seeded mutations of good requests: an error or a request, never a trap.
    @Test func mutatedPayloadsNeverTrap() {
        var random = SplitMix64(seed: 0x4E45_5841)
        for _ in 0..<20_000 {
            let request = Self.requests[Int(random.next() % UInt64(Self.requests.count))]
            var writer = MessagePackWriter()
            request.encodePayload(into: &writer)
            var bytes = writer.bytes
            for _ in 0...(random.next() % 4) where !bytes.isEmpty {
                let at = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: at)
                default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
                }
            }
            _ = try? Request(type: request.type, payload: bytes.span.bytes)
        }
    }
}
