import NexaQuery
import NexaValue
import TestKit
import Testing

@testable import NexaEngine

@Suite struct KeyTests {
    private func key(_ id: Value) throws -> [UInt8] { try DocumentKey.make(7, id) }

    private func randomID(_ random: inout SplitMix64) -> Value {
        switch random.next() % 4 {
        case 0: return .int(Int64(truncatingIfNeeded: random.next()) >> Int64(random.next() % 64))
        case 1:
            // Where doubles grow coarse and where the line ends.
            let anchors: [Int64] = [1 << 53, -(1 << 53), 1 << 62, .max - 3000, .min + 3000, 0, 1 << 54]
            let offset = Int64(random.next() % 6000) - 3000
            return .int(anchors[Int(random.next() % 7)] + offset)
        default:
            let scalars = "\u{0}\u{1}ab\u{7F}é日\u{FFFF}🙂".unicodeScalars.map { $0 }
            var text = String.UnicodeScalarView()
            for _ in 0..<1 + random.next() % 6 { text.append(scalars[Int(random.next() % UInt64(scalars.count))]) }
            return .string(String(text))
        }
    }

    @Test func keysSortAsQueriesCompareAndComeBack() throws {
        let seed: UInt64 = 20_261_121
        var random = SplitMix64(seed: seed)
        for _ in 0..<20_000 {
            let left = randomID(&random)
            let right = randomID(&random)
            let leftKey = try key(left)
            let rightKey = try key(right)
            let order = ValueOrder.compare(left, right)
            let isBefore = leftKey.lexicographicallyPrecedes(rightKey)
            let isAfter = rightKey.lexicographicallyPrecedes(leftKey)
            #expect(isBefore == (order < 0) && isAfter == (order > 0), "seed \(seed): \(left) \(right)")
            let back = leftKey.withUnsafeBytes { DocumentKey.id(in: $0) }
            #expect(back.map(MessagePack.encode) == MessagePack.encode(left), "seed \(seed): \(left)")
        }
    }

    @Test func keysAreTheOneOrderedEncoding() throws {
        var random = SplitMix64(seed: 5)
        let fixed: [Value] = [.int(.min), .int(.max), 0, -1, 1, "a\0b", "\0"]
        for id in fixed + (0..<5000).map({ _ in randomID(&random) }) {
            var expected = DocumentKey.prefix(7)
            OrderedEncoding.append(id, to: &expected)
            #expect(try key(id) == expected, "\(id)")
        }
    }

    @Test func foreignBytesAreNoIDs() {
        var random = SplitMix64(seed: 9)
        for _ in 0..<20_000 {
            let bytes = (0..<random.next() % 20).map { _ in UInt8(truncatingIfNeeded: random.next() % 64) }
            guard let id = bytes.withUnsafeBytes({ DocumentKey.id(in: $0) }) else { continue }
            #expect(id.string != nil || id.int != nil)
        }
    }

    @Test func collectionsDoNotTouch() throws {
        for number in [1, 2, 255, 256, UInt32.max - 1] as [UInt32] {
            for id in ["\u{10FFFF}", .int(.max), "z", .int(.min)] as [Value] {
                let key = try DocumentKey.make(number, id)
                #expect(!key.lexicographicallyPrecedes(DocumentKey.prefix(number)))
                #expect(key.lexicographicallyPrecedes(DocumentKey.end(number)))
            }
            #expect(DocumentKey.end(number).lexicographicallyPrecedes(DocumentKey.prefix(number + 1)))
        }
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000042Z"), (951_782_399, "2000-02-28T23:59:59.000042Z"),
        (951_782_400, "2000-02-29T00:00:00.000042Z"), (1_795_226_455, "2026-11-21T02:00:55.000042Z"),
        (4_102_444_800, "2100-01-01T00:00:00.000042Z"), (-1, "1969-12-31T23:59:59.000042Z")
    ])
    func timesAreGregorian(_ seconds: Int, _ text: String) {
        #expect(String(decoding: WallClock.format(seconds: seconds, microseconds: 42), as: UTF8.self) == text)
    }
}
