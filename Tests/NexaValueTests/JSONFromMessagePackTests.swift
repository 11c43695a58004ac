import NexaValue
import TestKit
import Testing

/// Encoded values are written as the decoded ones would be.
@Suite struct JSONFromMessagePackTests {
    private static let options: [JSON.EncodingOptions] = [
        .init(nonFiniteNumbers: .extendedForm), .init(isPretty: true, nonFiniteNumbers: .null), .relaxedExtended,
        .canonicalExtended
    ]

    /// Any value, those that JSON has no form for among them.
    private static func value(_ random: inout SplitMix64) -> Value {
        let special: [Value] = [
            .bytes([1, 2, 3]), .timestamp(Timestamp(seconds: -5, nanoseconds: 7)), .double(.nan), .double(-.infinity),
            .extended(ExtendedValue(type: 9, bytes: [0])), .vector([0.1, -2])
        ]
        return [.random(depth: 1, using: &random), special.randomElement(using: &random) ?? .null]
    }

    @Test func theTextIsThatOfTheDecodedValue() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<2000 {
            let encoded = MessagePack.encode(Self.value(&random))
            let decoded = try MessagePack.decode(encoded)
            for options in Self.options {
                var text: [UInt8] = Array("before".utf8)
                try JSON.append(messagePack: encoded.span.bytes, to: &text, options)
                let expected = try JSON.encode(decoded, options)
                #expect(Array(text.dropFirst(6)) == expected, "seed \(seed)")
            }
        }
    }

    @Test func bytesThatAreNoValueAreRefusedAndLeaveNothing() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for round in 0..<2000 {
            var encoded = MessagePack.encode(Self.value(&random))
            switch round % 3 {
            case 0: encoded.removeLast(Int.random(in: 1...encoded.count, using: &random))
            case 1: encoded.append(UInt8.random(in: .min ... .max, using: &random))
            default:
                encoded[Int.random(in: 0..<encoded.count, using: &random)] = .random(in: .min ... .max, using: &random)
            }
            var text: [UInt8] = [1, 2, 3]
            do throws(JSONEncodingError) {
                try JSON.append(messagePack: encoded.span.bytes, to: &text, .relaxedExtended)
                #expect(round % 3 == 2, "seed \(seed)")
            } catch {
                #expect(text == [1, 2, 3], "seed \(seed)")
            }
        }
        let deep = [UInt8](repeating: 0x91, count: 5000) + [0xC0]
        var text: [UInt8] = []
        #expect(throws: JSONEncodingError(.tooDeep(limit: 256))) {
            try JSON.append(messagePack: deep.span.bytes, to: &text)
        }
        #expect(throws: JSONEncodingError(.malformed(MessagePackError(.invalidUTF8, at: 1)))) {
            try JSON.append(messagePack: ([0x91, 0xA1, 0xFF] as [UInt8]).span.bytes, to: &text)
        }
    }
}
