/// Makes new inputs of old ones, from a seed.
public struct Mutator {
    private var state: UInt64
    /// Bytes that mean something to the readers.
    private static let notable: [[UInt8]] = [
        [0x4E, 0x45, 0x58, 0x41, 1], [0xFF, 0xFF, 0xFF, 0xFF], [0x80], [0x90], [0xC1], [0xDF, 0xFF, 0xFF, 0xFF, 0xFF],
        [0xDD, 0, 1, 0, 0], [0xDB, 0x7F, 0xFF, 0xFF, 0xFF], [0xC6, 0, 0, 0, 4], [0xCF, 0x80, 0, 0, 0, 0, 0, 0, 0],
        [0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0], [0xCB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0], [0xC7, 12, 0xFF], [0xF0, 0x9F],
        Array("collection".utf8), Array("database".utf8), Array("_id".utf8), Array("nexadb://".utf8), Array("@".utf8),
        Array("%00".utf8), Array("[::1]".utf8), Array("?timeout=".utf8), Array("\\u0000".utf8), Array("1e999".utf8)
    ]

    /// - Parameter seed: the same seed makes the same inputs.
    public init(seed: UInt64) { state = seed }

    /// SplitMix64, https://prng.di.unimi.it/splitmix64.c.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    private mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(bound, 1))) }

    /// Changes an input in a few places; `other` is a second one to take parts of.
    public mutating func mutate(_ input: [UInt8], with other: [UInt8], maximumLength: Int) -> [UInt8] {
        var bytes = input
        for _ in 0...below(4) {
            let position = below(bytes.count + 1)
            switch below(8) {
            case 0 where !bytes.isEmpty: bytes[min(position, bytes.count - 1)] ^= 1 << UInt8(below(8))
            case 1 where !bytes.isEmpty: bytes[min(position, bytes.count - 1)] = UInt8(truncatingIfNeeded: next())
            case 2: bytes.insert(UInt8(truncatingIfNeeded: next()), at: position)
            case 3 where !bytes.isEmpty:
                bytes.removeSubrange(min(position, bytes.count - 1)..<min(bytes.count, position + 1 + below(8)))
            case 4: bytes.insert(contentsOf: Self.notable[below(Self.notable.count)], at: position)
            case 5 where !bytes.isEmpty: bytes.removeLast(min(bytes.count, 1 + below(16)))
            case 6 where !bytes.isEmpty:
                let start = below(bytes.count)
                bytes.insert(contentsOf: bytes[start..<min(bytes.count, start + 1 + below(32))], at: position)
            default:
                let start = below(other.count)
                if start < other.count {
                    bytes.insert(contentsOf: other[start..<min(other.count, start + 1 + below(32))], at: position)
                }
            }
        }
        if bytes.count > maximumLength { bytes.removeLast(bytes.count - maximumLength) }
        return bytes
    }
}
