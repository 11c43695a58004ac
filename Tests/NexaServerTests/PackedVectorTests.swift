import NexaProtocol
import NexaServer
import NexaValue
import TestKit
import Testing

/// Vectors that travel packed, with `packed-vectors`, are stored and returned as the arrays that they stand for.
@Suite struct PackedVectorTests {
    private static func packed(_ document: Document) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.packsVectors = true
        writer.write(document)
        return writer.bytes
    }

    private static let vector: [Float] = [0.1, -2, 3.5, 1e-9]

    /// The stored bytes of a document behind its identity and its times, as they come.
    private func stored(_ id: String, _ peer: Peer) throws -> [UInt8] {
        try peer.send(.read(.init(namespace: .films, id: .string(id))))
        let reply = try #require(try peer.receiveBytes())
        #expect(reply.type == .success)
        let raw = try RawDocument(reply.payload.span.bytes)
        var document: [UInt8] = []
        if let value = raw.value(forKey: "document") { document = value.bytes.withUnsafeBytes { Array($0) } }
        var start = document.count
        if let value = try RawDocument(document.span.bytes).value(forKey: "title") { start = value.offset }
        #expect(start < document.count, "the document has a title")
        return Array(document[start...])
    }

    @Test func packedAndPlainWritesStoreTheSameBytes() async throws {
        try await Running.with { server in
            let new = try server.peer().logIn()
            let old = try server.peer().logIn(capabilities: [])
            let plain = try server.peer().logIn(capabilities: [.clientIDs, .updateOperators])
            func document(_ id: String) -> Document {
                ["_id": .string(id), "title": "t", "vector": .vector(Self.vector), "in": ["v": .vector([1, 2])]]
            }
            func write(_ peer: Peer, _ name: String, _ encode: (Document) -> [UInt8]) throws {
                let requests: [Request] = [
                    .insert(.init(namespace: .films, document: encode(document(name + "1")))),
                    .insertMany(
                        .init(
                            namespace: .films,
                            documents: [0x92] + encode(document(name + "2")) + encode(document(name + "3")))),
                    .insert(
                        .init(namespace: .films, document: encode(["_id": .string(name + "4"), "title": "t"]))),
                    .update(
                        .init(
                            namespace: .films, id: .string(name + "4"),
                            updates: encode(["vector": .vector(Self.vector), "in": ["v": .vector([1, 2])]]))),
                    .updateMany(
                        .init(
                            namespace: .films,
                            write: .init(
                                .id(.string(name + "5")),
                                .replace(encode(["title": "t", "vector": .vector(Self.vector)])),
                                isUpsert: true)))
                ]
                for request in requests {
                    let reply = try peer.ask(request)
                    #expect(reply.type == .success, "\(reply.fields)")
                }
            }
            try write(new, "new") { Self.packed($0) }
            try write(plain, "plain") { MessagePack.encode($0) }
            for number in 1...5 {
                let bytes = try stored("plain\(number)", old)
                // The list of four floats that a plain client sends.
                #expect(try stored("new\(number)", old) == bytes, "\(number)")
                #expect(try stored("new\(number)", new) == bytes, "replies are the same for all: \(number)")
                let array: [UInt8] = [
                    0x94, 0xCA, 0x3D, 0xCC, 0xCC, 0xCD, 0xCA, 0xC0, 0, 0, 0, 0xCA, 0x40, 0x60, 0, 0, 0xCA
                ]
                // An upsert makes its document of values, and their floats are doubles.
                #expect(number == 5 || bytes.indices.contains { bytes[$0...].starts(with: array) })
            }
            let hits = try new.ask(.vectorSearch(.init(namespace: .films, target: .vector(Self.vector))))
            #expect(hits.fields["results"]?.array?.count == 10)
        }
    }

    @Test func subscribersGetArrays() async throws {
        try await Running.with { server in
            let new = try server.peer().logIn()
            let subscriber = try server.peer().logIn()
            try subscriber.ask(.subscribe(.init(collection: "films")))
            try new.ask(
                .insert(.init(namespace: .films, document: Self.packed(["_id": "a", "vector": .vector([1, 2])]))))
            let event = try #require(try subscriber.receive())
            #expect(event.fields["fullDocument"]?.document?["vector"] == [1.0, 2.0])
        }
    }

    @Test func theExtensionOfAClientThatWasNotGrantedItIsKept() async throws {
        try await Running.with { server in
            let old = try server.peer().logIn(capabilities: [.clientIDs])
            let value = ExtendedValue(type: 0x56, bytes: [1, 2, 3])
            try old.ask(.insert(.init(namespace: .films, document: encoded(["_id": "a", "e": .extended(value)]))))
            let read = try old.ask(.read(.init(namespace: .films, id: "a")))
            #expect(read.fields["document"]?.document?["e"] == .extended(value))
        }
    }

    @Test func hostilePacksAreRefusedAndNothingIsStored() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            let first = Self.packed(["_id": "first", "vector": .vector([1, 2])])
            #expect(try peer.ask(.insert(.init(namespace: .films, document: first))).type == .success)
            func ext(_ bytes: [UInt8]) -> Value { .extended(ExtendedValue(type: 0x56, bytes: bytes)) }
            let one = PackedVector.pack([1]).bytes
            let bad: [(Value, String)] = [
                (ext([1, 2, 3, 4, 5, 6, 7]), "and one of 7 bytes was sent"),
                (ext(one), "expects 2 dimensions, got 1"), (ext(one + one + one), "expects 2 dimensions, got 3"),
                (ext([UInt8](repeating: 0, count: 1 << 20)), "expects 2 dimensions, got 262144"),
                (ext(PackedVector.pack([1, .nan]).bytes), "finite numbers; element 1 is none"),
                (ext(PackedVector.pack([.infinity, 1]).bytes), "finite numbers; element 0 is none")
            ]
            for (value, words) in bad {
                let document = encoded(["_id": "bad", "vector": value])
                let good = encoded(["_id": "good", "vector": ext(one + one)])
                let requests: [Request] = [
                    .insert(.init(namespace: .films, document: document)),
                    .insertMany(.init(namespace: .films, documents: [0x92] + good + document)),
                    .update(.init(namespace: .films, id: "first", updates: encoded(["vector": value])))
                ]
                for request in requests {
                    let reply = try peer.ask(request)
                    #expect(reply.type == .error && reply.fields["error"]?.string?.contains(words) == true, "\(reply)")
                }
            }
            let found = try peer.ask(.query(.init(namespace: .films, filter: [:])))
            #expect(found.fields["documents"]?.array?.map { $0.document?["_id"] } == ["first"])
            #expect(found.fields["documents"]?.array?.first?.document?["vector"] == [1.0, 2.0])
        }
    }
}
