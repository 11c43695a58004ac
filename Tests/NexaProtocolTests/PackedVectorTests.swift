import NexaProtocol
import NexaValue
import TestKit
import Testing

@Suite struct PackedVectorTests {
    private static let namespace = Request.Namespace(database: "shop", collection: "films")

    private static func decode(
        _ request: Request, unpacking: Bool = true
    ) throws -> Request {
        var writer = MessagePackWriter()
        request.encodePayload(into: &writer)
        var decoder = RequestDecoder()
        decoder.unpacksVectors = unpacking
        return try decoder.decode(request.type, writer.span)
    }

    private static func packed(_ document: Document) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.packsVectors = true
        writer.write(document)
        return writer.bytes
    }

    @Test func aVectorTakesFourBytesForEachComponent() {
        let vector = [Float](repeating: 0.1, count: 384)
        let plain = MessagePack.encode(["v": .vector(vector)] as Document)
        let bytes = Self.packed(["v": .vector(vector)])
        #expect(bytes.count == 3 + 4 + 4 * 384 && plain.count == 3 + 3 + 5 * 384)
        #expect(Array(bytes[3..<7]) == [0xC8, 0x06, 0x00, 0x56])
        // Of nothing but vectors, and of those with components.
        #expect(Self.packed(["v": .vector([]), "l": [0.5]]) == MessagePack.encode(["v": [], "l": [0.5]] as Document))
    }

    /// Wherever in a request it is, a packed vector becomes the bytes of the array that it stands for, and the rest stays.
    @Test func whatIsPackedDecodesAsWhatIsNot() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        func value(_ depth: Int) -> Value {
            switch Int.random(in: 0..<(depth > 3 ? 8 : 10), using: &random) {
            case 0: .null
            case 1: .int(Int64.random(in: .min ... .max, using: &random))
            case 2: .double(.random(in: -1...1, using: &random))
            case 3: .string(String(repeating: "V", count: Int.random(in: 0..<300, using: &random)))
            case 4: .bytes([0xC7, 4, 0x56, 0xCA])
            case 5: .extended(ExtendedValue(type: 7, bytes: [0xD6, 0x56, 1]))
            case 6, 7:
                .vector(
                    (0..<Int.random(in: 0..<70, using: &random)).map { _ in
                        Float(bitPattern: UInt32.random(in: 0 ... .max, using: &random))
                    })
            case 8: .array((0..<Int.random(in: 0..<20, using: &random)).map { _ in value(depth + 1) })
            default:
                .document(
                    Document((0..<Int.random(in: 0..<20, using: &random)).map { ("k\($0)", value(depth + 1)) }))
            }
        }
        for _ in 0..<300 {
            let document: Document = ["a": value(0), "b": value(1), "c": 1]
            let (packed, plain) = (Self.packed(document), MessagePack.encode(document))
            let requests: [(Request, Request)] = [
                (
                    .insert(.init(namespace: Self.namespace, document: packed, durability: .os)),
                    .insert(.init(namespace: Self.namespace, document: plain, durability: .os))
                ),
                (
                    .insertMany(.init(namespace: Self.namespace, documents: [0x92] + packed + packed)),
                    .insertMany(.init(namespace: Self.namespace, documents: [0x92] + plain + plain))
                ),
                (
                    .update(.init(namespace: Self.namespace, id: "x", updates: packed)),
                    .update(.init(namespace: Self.namespace, id: "x", updates: plain))
                ),
                (
                    .updateMany(
                        .init(namespace: Self.namespace, write: .init(.id("x"), .replace(packed), isUpsert: true))),
                    .updateMany(
                        .init(namespace: Self.namespace, write: .init(.id("x"), .replace(plain), isUpsert: true)))
                )
            ]
            for (packed, plain) in requests {
                #expect(try Self.decode(packed) == Self.decode(plain), "seed \(seed)")
                // Who was not granted it sends what it sends.
                #expect(try Self.decode(packed, unpacking: false) == packed, "seed \(seed)")
            }
        }
    }

    @Test func vectorSearchesTakeThemPackedInAnyCase() throws {
        var search = Request.VectorSearch(namespace: Self.namespace, target: .vector([0.25, -1, 3]))
        search.isPacked = true
        var expected = search
        expected.isPacked = false
        #expect(try Self.decode(.vectorSearch(search)) == .vectorSearch(expected))
        #expect(try Self.decode(.vectorSearch(search), unpacking: false) == .vectorSearch(expected))
    }

    /// Every cut of a request, and lengths that cannot be, are refused; nothing traps.
    @Test func hostilePacksAreRefused() throws {
        func refusal(_ vector: [UInt8]) -> String? {
            let document: [UInt8] = [0x81, 0xA1, 0x76] + vector
            do throws(RequestError) {
                var decoder = RequestDecoder()
                decoder.unpacksVectors = true
                var writer = MessagePackWriter()
                Request.insert(.init(namespace: Self.namespace, document: document)).encodePayload(into: &writer)
                _ = try decoder.decode(.create, writer.span)
                return nil
            } catch {
                return error.message
            }
        }
        for length in [1, 2, 3, 5, 7, 255] {
            let told = refusal([0xC7, UInt8(length), 0x56] + [UInt8](repeating: 1, count: length))
            #expect(told == "A packed vector has 4 bytes for each number, and one of \(length) bytes was sent")
        }
        #expect(refusal([0xC9, 0xFF, 0xFF, 0xFF, 0xFF, 0x56, 0, 0])?.hasPrefix("Invalid MessagePack") == true)
        #expect(refusal([0xC8, 0x10, 0x00, 0x56, 0, 0, 0, 0])?.hasPrefix("Invalid MessagePack") == true)
        #expect(refusal([0xC7, 0, 0x56]) == nil, "an empty list")
        #expect(refusal([0xD6, 0x56, 0, 0, 0xC0, 0x7F]) == nil, "whether it may be no number is the index's to say")
        var writer = MessagePackWriter()
        Request.insert(.init(namespace: Self.namespace, document: Self.packed(["v": .vector([1, 2, 3])])))
            .encodePayload(into: &writer)
        let whole = writer.bytes
        for cut in 1..<whole.count {
            var decoder = RequestDecoder()
            decoder.unpacksVectors = true
            #expect(throws: RequestError.self) {
                _ = try decoder.decode(.create, whole.span.bytes.extracting(0..<cut))
            }
        }
    }
}
