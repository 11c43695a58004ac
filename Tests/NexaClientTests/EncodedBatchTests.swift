#if canImport(NexaServer)
    import NexaClient
    import NexaValue
    import TestKit
    import Testing

    /// Documents that are moved without being decoded.
    @Suite struct EncodedBatchTests {
        private func batch(_ lines: [String]) throws -> EncodedBatch {
            var batch = EncodedBatch()
            for line in lines { try batch.append(json: line.utf8Span.span.bytes) }
            return batch
        }

        @Test func aBatchIsInsertedAndPagesComeBack() async throws {
            try await LiveServer.run { client in
                let items = client.database()["items"]
                for part in 0..<3 {
                    var batch = try batch((0..<900).map { "{\"n\":\(part * 900 + $0)}" })
                    batch.append(["_id": .string("own\(part)"), "n": -1])
                    let result = try await items.insert(batch)
                    #expect(result.inserted == 901)
                    #expect(result.failures.isEmpty)
                }
                var numbers: Set<Int64> = []
                var total = 0
                var page = try await items.find().page()
                while true {
                    total += page.count
                    for document in try page.documents() { numbers.insert(document["n"]?.int ?? -2) }
                    var count = 0
                    page.forEach { _ in count += 1 }
                    #expect(count == page.count)
                    if page.isLast { break }
                    page = try await items.find().page(after: page)
                }
                #expect(total == 2703)
                #expect(numbers == Set(-1..<2700))
                let limited = items.find(["n": ["$gte": 0]]).limit(1500)
                let first = try await limited.page()
                let second = try await limited.page(after: first)
                #expect(first.count + second.count == 1500)
                #expect(second.isLast)
                #expect(try await items.find(["n": -5]).page().count == 0)
            }
        }

        @Test func onlyTheDocumentsAtFaultFail() async throws {
            try await LiveServer.run { client in
                let items = client.database()["items"]
                try await items.insert(["_id": "b"])
                let lines = ["{\"_id\":\"a\"}", "{\"_id\":\"b\"}", "{\"x\":1}", "{\"_id\":\"b\"}"]
                let ordered = try await items.insert(try batch(lines))
                #expect(ordered.inserted == 1)
                #expect(ordered.failures.map(\.index) == [1, 2, 3])
                #expect(ordered.failures.map(\.error.delivery) == [.answered, .notSent, .notSent])
                let other = client.database()["others"]
                try await other.insert(["_id": "b"])
                let result = try await other.insert(try batch(lines), ordered: false)
                #expect(result.inserted == 2)
                #expect(result.failures.map(\.index) == [1, 3])
                #expect(try await other.count() == 3)
            }
        }

        @Test func largeBatchesAreSentInParts() async throws {
            try await LiveServer.run { client in
                let items = client.database()["items"]
                let result = try await items.insert(
                    try batch((0..<2500).map { "{\"_id\":\"k\($0 % 2400)\"}" }), ordered: false)
                #expect(result.inserted == 2400)
                #expect(result.failures.map(\.index) == Array(2400..<2500))
            }
        }

        @Test func aFaultLeavesTheBatchAsItWas() throws {
            var batch = try batch(["{\"a\":1}"])
            let size = batch.byteCount
            #expect(throws: JSONError.self) { try batch.append(json: "{\"b\":".utf8Span.span.bytes) }
            #expect(throws: JSONError.self) { try batch.append(json: "[1]".utf8Span.span.bytes) }
            #expect(batch.count == 1)
            #expect(batch.byteCount == size)
        }
    }
#endif
