import Glibc
import NexaTOON
import NexaValue
import TestKit
import Testing

@Suite struct RoundTripTests {
    /// How many values a test writes and reads; `NEXA_TOON_ROUNDS` for long runs.
    static let rounds = getenv("NEXA_TOON_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 400

    @Test(arguments: [1, 2, UInt64.random(in: 0 ... .max)])
    func decodingUndoesEncoding(seed: UInt64) throws {
        var values = RandomValues(seed: seed)
        for _ in 0..<Self.rounds {
            let value = values.value()
            let options = TOON.EncodingOptions(
                delimiter: TOON.Delimiter.allCases[values.below(3)], indentation: 1 + values.below(4))
            let text = try TOON.encode(value, options)
            for isStrict in [true, false] {
                let decoding = TOON.DecodingOptions(isStrict: isStrict, indentation: options.indentation)
                do {
                    let back = try TOON.decode(text, decoding)
                    if !back.isSameJSON(as: value, anyOrder: true) {
                        Issue.record("\(value) comes back as \(back), seed \(seed), strict \(isStrict)")
                        return
                    }
                    if try TOON.encode(back, options) != text {
                        Issue.record("\(value) is written in another way the second time, seed \(seed)")
                        return
                    }
                } catch {
                    Issue.record("\(value): \(error), seed \(seed): \(String(decoding: text, as: UTF8.self))")
                    return
                }
            }
        }
    }

    @Test(arguments: [3, UInt64.random(in: 0 ... .max)])
    func numbersKeepTheirValue(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for round in 0..<20_000 {
            var number = Double(bitPattern: random.next())
            switch round % 4 {
            case 1: number = Double(Int64(truncatingIfNeeded: random.next()) >> 20) / 1000
            case 2: number = Double(random.next() >> 30) * 1e-12
            case 3: number = Double(random.next()) * 100
            default: break
            }
            guard number.isFinite else { continue }
            let text = try TOON.string(.double(number))
            let back = try TOON.decode(text)
            if !back.isSameJSON(as: .double(number)) { Issue.record("\(number): \(text), seed \(seed)") }
            let magnitude = number.magnitude
            if magnitude == 0 || (magnitude >= 1e-6 && magnitude < 1e21), text.contains("e") {
                Issue.record("\(number) has an exponent: \(text)")
            }
            let float = Float(number)
            if float.isFinite {
                let back = try TOON.decode(TOON.string(.vector([float]))).array?.first?.double
                if back.map({ Float($0) }) != float { Issue.record("float \(float), seed \(seed)") }
            }
        }
    }

    @Test func kindsWithoutJSON() throws {
        let value: Value = [
            "when": .timestamp(Timestamp(seconds: 0)), "data": .bytes([1, 2]), "nan": .double(.nan),
            "v": .vector([0.1, -2]), "e": .vector([])
        ]
        let text = try TOON.string(value)
        #expect(
            text
                == """
                when: "1970-01-01T00:00:00Z"
                data:
                  $binary:
                    base64: AQI=
                    subType: "00"
                nan: null
                v[2]: 0.1,-2
                e: []
                """.replacing("  $binary:", with: "  \"$binary\":"))
    }

    /// Everything that a document may nest, and not one level more; on a thread with a small stack.
    @Test func nestingIsBounded() throws {
        func nested(_ depth: Int, asList: Bool) -> Value {
            var value: Value = asList ? [] : [:]
            for _ in 1..<depth { value = asList ? [value] : ["a": value] }
            return value
        }
        for asList in [true, false] {
            let deepest = nested(256, asList: asList)
            let text = try TOON.encode(deepest)
            #expect(try TOON.decode(text).isSameJSON(as: deepest))
            #expect(throws: TOONEncodingError(.tooDeep(limit: 256))) { try TOON.encode(nested(258, asList: asList)) }
            #expect(throws: TOONError.self) {
                try TOON.decode(text, TOON.DecodingOptions(limits: TOON.Limits(maximumDepth: 255)))
            }
        }
        let group = String(repeating: "{a", count: 300) + String(repeating: "}", count: 300)
        #expect(throws: TOONError.self) { try TOON.decode("[1]\(group):\n  1") }
    }

    @Test func textsHaveALimit() throws {
        let rows = Value.array((0..<1000).map { ["n": .int($0)] })
        #expect(throws: TOONEncodingError(.tooLarge(limit: 500))) {
            try TOON.encode(rows, TOON.EncodingOptions(maximumByteCount: 500))
        }
        #expect(throws: TOONError.self) {
            try TOON.decode("a: 1", TOON.DecodingOptions(limits: TOON.Limits(maximumByteCount: 3)))
        }
        // A short row must not make thousands of documents.
        let group = (0..<2000).map { "a\($0){b}" }.joined(separator: ",")
        let text = "[2000]{\(group)}:" + String(repeating: "\n  1", count: 2000)
        #expect(throws: TOONError.self) { try TOON.decode(text, .lenient) }
    }
}
