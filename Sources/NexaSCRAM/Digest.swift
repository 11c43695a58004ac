import CNexaDigest

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    /// The length of a digest in bytes.
    public static let byteCount = 32

    static let initialState: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19
    ]

    /// The digest of bytes.
    public static func hash(_ bytes: [UInt8]) -> [UInt8] {
        finish(initialState, behind: 0, bytes)
    }

    /// The digest of bytes behind `prefixByteCount` others that a state has taken in; a multiple of 64.
    static func finish(_ state: [UInt32], behind prefixByteCount: Int, _ bytes: [UInt8]) -> [UInt8] {
        var padded = bytes
        padded.append(0x80)
        while padded.count % 64 != 56 { padded.append(0) }
        let bitCount = UInt64(prefixByteCount + bytes.count) * 8
        for shift in stride(from: 56, through: 0, by: -8) {
            padded.append(UInt8(truncatingIfNeeded: bitCount >> shift))
        }
        var state = state
        nexa_sha256_blocks(&state, padded, padded.count / 64)
        return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) } }
    }
}

/// HMAC with SHA-256 (RFC 2104).
public struct HMACSHA256: Sendable {
    /// The states behind the two padded forms of the key.
    private let inner: [UInt32]
    private let outer: [UInt32]

    /// Prepares a key of any length.
    public init(key: [UInt8]) {
        var block = key.count > 64 ? SHA256.hash(key) : key
        block += [UInt8](repeating: 0, count: 64 - block.count)
        inner = Self.state(behind: block.map { $0 ^ 0x36 })
        outer = Self.state(behind: block.map { $0 ^ 0x5c })
    }

    private static func state(behind block: [UInt8]) -> [UInt32] {
        var state = SHA256.initialState
        nexa_sha256_blocks(&state, block, 1)
        return state
    }

    /// The code of a message.
    public func code(_ message: [UInt8]) -> [UInt8] {
        SHA256.finish(outer, behind: 64, SHA256.finish(inner, behind: 64, message))
    }

    /// PBKDF2 (RFC 8018) with this key as the password and one block of 32 bytes as the result: `Hi` of RFC 5802.
    public func stretched(salt: [UInt8], iterations: Int) -> [UInt8] {
        var block = code(salt + [0, 0, 0, 1])
        nexa_pbkdf2_sha256(inner, outer, &block, UInt32(clamping: max(1, iterations) - 1))
        return block
    }
}

/// Compares secrets.
public enum ConstantTime {
    /// Whether two byte strings are the same; the time says nothing of where they differ.
    public static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && nexa_bytes_equal(left, right, left.count)
    }
}
