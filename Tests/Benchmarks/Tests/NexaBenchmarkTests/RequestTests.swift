import NexaProtocol
import NexaValue
import Testing

@testable import NexaBenchmark

@Suite struct RequestTests {
    private let movies = Movies(synthetic: 50, seed: 7)

    /// What a server would understand.
    private func decoded(_ frame: [UInt8]) throws -> Request {
        let header = try FrameHeader(frame.span.bytes, at: 0)
        #expect(header.payloadByteCount == frame.count - FrameHeader.byteCount)
        return try Request(
            type: header.type, payload: frame.span.bytes.extracting(FrameHeader.byteCount..<frame.count))
    }

    @Test func nexaInsertsCarryFilmIdAndDurability() throws {
        for (operation, durability) in [(Operation.insertSync, Request.Durability.sync), (.insertOS, .os)] {
            let templates = try #require(try NexaWire(password: "").templates(operation, movies))
            guard case .insert(let insert) = try decoded(templates.request(index: 123)) else {
                Issue.record("not an insert")
                return
            }
            #expect(insert.durability == durability)
            #expect(insert.namespace.collection == "inserted")
            let document = try MessagePack.decodeDocument(insert.document.span.bytes)
            #expect(document["_id"] == "m000000123")
            #expect(document["title"] == movies.documents[23]["title"])
            #expect(document.count == movies.documents[23].count + 1)
        }
    }

    @Test func nexaUpdatesReadsAndQueries() throws {
        let wire = NexaWire(password: "")
        let updates = try #require(try wire.templates(.updateSync, movies))
        guard case .update(let update) = try decoded(updates.request(index: 49, number: 1_876_543_210)) else {
            Issue.record("not an update")
            return
        }
        #expect(update.id == "m000000049")
        #expect(update.durability == .sync)
        #expect(try MessagePack.decodeDocument(update.updates.span.bytes) == ["views": 1_876_543_210])

        let reads = try #require(try wire.templates(.read, movies))
        let expected = Request.Read(namespace: update.namespace, id: "m000000007")
        #expect(try decoded(reads.request(index: 7)) == .read(expected))

        let queries = try #require(try wire.templates(.query, movies))
        guard case .query(let query) = try decoded(queries.request(index: 1)) else {
            Issue.record("not a query")
            return
        }
        #expect(query.limit == 0)
        #expect(query.filter == ["year": .int(movies.years[1].year)])
    }

    @Test func redisUpdatesCarryTheChangedFilm() throws {
        let updates = try #require(try RedisWire().templates(.updateOS, movies))
        let request = updates.request(index: 3, number: 1_000_000_007)
        var film = movies.documents[3]
        film["views"] = 1_000_000_007
        let json = try JSON.encode(film)
        let head = "*3\r\n$3\r\nSET\r\n$10\r\nm000000003\r\n$\(json.count)\r\n"
        #expect(request == Array(head.utf8) + json + Array("\r\n".utf8))
        #expect(try RedisWire().templates(.query, movies) == nil)
    }

    @Test func postgresMessagesKeepTheirLengths() throws {
        for operation in Operation.allCases {
            let templates = try #require(try PostgresWire().templates(operation, movies))
            let bytes = templates.request(index: 11, number: 1_000_000_007)
            var types: [UInt8] = []
            var offset = 0
            while let message = try PostgresMessage(in: bytes.span, at: offset) {
                types.append(message.type)
                offset = message.body.upperBound
            }
            #expect(types == Array("BES".utf8))
            #expect(offset == bytes.count)
        }
    }

    @Test func sequencesRepeatForTheSameSeed() throws {
        let templates = try #require(try RedisWire().templates(.read, movies))
        var first = RequestSequence(templates, seed: 5)
        var second = RequestSequence(templates, seed: 5)
        var bytes: ([UInt8], [UInt8]) = ([], [])
        for _ in 0..<1000 {
            first.appendNext(to: &bytes.0)
            second.appendNext(to: &bytes.1)
        }
        #expect(bytes.0 == bytes.1)
        let text = String(decoding: bytes.0, as: UTF8.self)
        for index in 0..<50 { #expect(text.contains("m\(String(1_000_000_000 + index).dropFirst())")) }
        #expect(!text.contains("m000000050"))
    }
}

extension RequestTemplates: Equatable {
    /// Only whether there are any matters here.
    public static func == (left: RequestTemplates, right: RequestTemplates) -> Bool {
        left.request(index: 0) == right.request(index: 0)
    }
}
