import NexaValue
import TestKit
import Testing

@Suite struct JSONPropertyTests {
    @Test(arguments: [1, 2, UInt64.random(in: 0 ... .max)])
    func decodingUndoesEncoding(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<1000 {
            let value = Value.random(depth: 0, using: &random)
            let options = JSON.EncodingOptions(isPretty: Bool.random(using: &random))
            let text = try JSON.encode(value, options)
            let back = try JSON.decode(text)
            let same = try back == value && JSON.decode(text, .relaxed) == value && JSON.encode(back, options) == text
            if !same { Issue.record("\(value) comes back as \(back), seed \(seed)") }
        }
    }

    @Test(arguments: [3, UInt64.random(in: 0 ... .max)])
    func doublesRoundTripBitForBit(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<20_000 {
            let number = Double(bitPattern: random.next())
            guard number.isFinite else { continue }
            let back = try JSON.decode(JSON.encode(.double(number)))
            if back.double?.bitPattern != number.bitPattern { Issue.record("\(number), seed \(seed)") }
        }
        for _ in 0..<20_000 {
            // As people write them: few digits, small exponents.
            let text =
                "\(Int32.random(in: 0 ... .max, using: &random)).\(UInt64.random(in: 0..<1 << 40, using: &random))"
                + "e\(Int.random(in: -30...30, using: &random))"
            if try JSON.decode(text).double != Double(text) { Issue.record("\(text), seed \(seed)") }
        }
    }

    /// Any bytes are decoded or refused with a position inside the text, in strict and in relaxed mode,
    /// and what is decoded can be written and read again.
    @Test(arguments: [4, UInt64.random(in: 0 ... .max)])
    func mutatedTextNeverBreaksTheDecoder(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let pieces: [[UInt8]] =
            [
                "\"", "\\", "{", "}", "[", "]", ",", ":", "\\u", "\\ud800", "1e", "-", ".", "00", "//", "/*", "*/", "'",
                "é", "\n",
                "null", "true", "$a", "NaN"
            ].map { Array($0.utf8) } + [[0xFF], [0xE2, 0x82], [0], [0x1F]]
        for round in 0..<5000 {
            let value = Value.random(depth: 0, using: &random)
            var bytes = try JSON.encode(value, .init(isPretty: round % 2 == 0))
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: place)
                case 1: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 0...8, using: &random)))
                default: if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &random) }
                }
            }
            for options in [JSON.Options.strict, .relaxed, JSON.Options(isRelaxed: true, readsExtendedForms: true)] {
                do throws(JSONError) {
                    let decoded = try JSON.decode(bytes, options)
                    let text = try? JSON.encode(decoded, .init(nonFiniteNumbers: .extendedForm))
                    if text.flatMap({ try? JSON.decode($0) }) == nil { Issue.record("seed \(seed), round \(round)") }
                } catch {
                    let before = bytes.prefix(error.offset)
                    let position = (error.offset, error.line)
                    if position != (before.count, before.count { $0 == 0x0A } + 1) {
                        Issue.record("\(error) at byte \(error.offset), seed \(seed), round \(round)")
                    }
                }
            }
        }
    }
}

extension Value {
    /// A value that JSON can carry without loss.
    static func random(depth: Int, using random: inout SplitMix64) -> Value {
        switch Int.random(in: 0..<(depth > 4 ? 7 : 10), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .int(Int64(truncatingIfNeeded: random.next()) >> Int64.random(in: 0...63, using: &random))
        case 3: return Value(random.next())
        case 4:
            return .double(
                Double(Int64(truncatingIfNeeded: random.next())) / Double(1 << Int.random(in: 0...40, using: &random)))
        case 5, 6: return .string(text(using: &random))
        case 7:
            return .array(
                (0..<Int.random(in: 0...6, using: &random)).map { _ in .random(depth: depth + 1, using: &random) })
        default:
            let count = Bool.random(using: &random) ? 3 : 25
            return .document(
                Document(
                    (0..<Int.random(in: 0...count, using: &random)).map { _ in
                        (text(using: &random), .random(depth: depth + 2, using: &random))
                    }))
        }
    }

    private static func text(using random: inout SplitMix64) -> String {
        let alphabet: [String] = [
            "a", "b", "Z", "0", " ", "\"", "\\", "/", "\n", "\u{0}", "\u{1F}", "\u{7F}", "é", "e\u{301}", "€", "𝄞",
            "\r\n"
        ]
        return (0..<Int.random(in: 0...20, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "" }
            .joined()
    }
}
