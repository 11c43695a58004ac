import NexaClient
import NexaProtocol
import NexaValue

/// What it costs to write and read vectors in documents, in this process: `nexa-vector-bench codec`.
///
/// Prints nanoseconds and bytes for one vector of 384 dimensions.
enum CodecBench {
    private struct Note: Codable { var vector: [Float] }
    /// Written and read number by number, as any list is.
    private struct Slow: Codable { var vector: ContiguousArray<Float> }

    static func run() throws {
        let vector = (0..<384).map { Float($0) / 7 }
        let document: Document = ["vector": .vector(vector)]
        let plain = MessagePack.encode(document)
        let packed = encoded(document, packs: true)
        let doubles = MessagePack.encode(["vector": .array(vector.map { .double(Double($0)) })] as Document)
        say("bytes: packed \(packed.count), floats \(plain.count), doubles \(doubles.count)")
        try time("[Float] of a model → packed") {
            encoded(try Document.encode(Note(vector: vector)), packs: true).count
        }
        try time("[Float] of a model → floats") { MessagePack.encode(try Document.encode(Note(vector: vector))).count }
        let slow = Slow(vector: ContiguousArray(vector))
        try time("number by number → doubles") { MessagePack.encode(try Document.encode(slow)).count }
        try time("packed → floats, as the server does") { try PackedVector.unpacking(packed.span.bytes).count }
        try time("copying the floats") { Array(plain[...]).count }
        let read = try MessagePack.decodeDocument(plain)
        try time("floats → Document") { try MessagePack.decodeDocument(plain).count }
        try time("Document → bytes → [Float] of a model") { try read.decode(Note.self).vector.count }
        try time("the same, number by number") { try read.decode(Slow.self).vector.count }
    }

    private static func encoded(_ document: Document, packs: Bool) -> [UInt8] {
        var writer = MessagePackWriter(capacity: 4096)
        writer.packsVectors = packs
        writer.write(document)
        return writer.bytes
    }

    private static func time(_ what: String, _ body: () throws -> Int) throws {
        var best = Double.infinity
        for _ in 0..<20 {
            let start = ContinuousClock.now
            for _ in 0..<200 where try body() == 0 { say("nothing") }
            best = min(best, (ContinuousClock.now - start) / .nanoseconds(1) / 200)
        }
        say("\(what): \(Int(best)) ns")
    }
}
