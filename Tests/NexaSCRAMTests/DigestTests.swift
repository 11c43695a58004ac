import CNexaDigest
import TestKit
import Testing

@testable import NexaSCRAM

/// Known answers of NIST and of the RFCs.
@Suite struct DigestTests {
    static func bytes(_ hex: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = hex.utf8.filter { $0 != UInt8(ascii: " ") }[...]
        while rest.count >= 2 {
            bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        )
    ])
    func sha256OfFIPS180(message: String, digest: String) {
        #expect(SHA256.hash(Array(message.utf8)) == Self.bytes(digest))
    }

    @Test func sha256OfAMillionLetters() {
        #expect(
            SHA256.hash([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
                == Self.bytes("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"))
    }

    @Test func theProcessorsInstructionsDoTheSameAsPlainC() {
        var random = SplitMix64(seed: 7)
        for _ in 0..<200 {
            var left = (0..<8).map { _ in UInt32.random(in: .min ... .max, using: &random) }
            var right = left
            let blocks = (0..<64 * 3).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            nexa_sha256_blocks(&left, blocks, 3)
            nexa_sha256_blocks_portable(&right, blocks, 3)
            #expect(left == right)
        }
    }

    @Test func theRoundsOfPBKDF2DoSoAsWell() {
        var random = SplitMix64(seed: 8)
        for rounds in [0, 1, 2, 3, 7, 100, 1000] as [UInt32] {
            let inner = (0..<8).map { _ in UInt32.random(in: .min ... .max, using: &random) }
            let outer = (0..<8).map { _ in UInt32.random(in: .min ... .max, using: &random) }
            let block = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            var (left, right) = (block, block)
            nexa_pbkdf2_sha256(inner, outer, &left, rounds)
            nexa_pbkdf2_sha256_portable(inner, outer, &right, rounds)
            #expect(left == right)
            #expect((left == block) == (rounds == 0))
        }
    }

    /// RFC 4231, test cases 1, 2, 3 and 6.
    @Test(arguments: [
        (
            String(repeating: "0b", count: 20), "4869205468657265",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            String(repeating: "aa", count: 20), String(repeating: "dd", count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            String(repeating: "aa", count: 131),
            "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        )
    ])
    func hmacOfRFC4231(key: String, message: String, code: String) {
        #expect(HMACSHA256(key: Self.bytes(key)).code(Self.bytes(message)) == Self.bytes(code))
    }

    /// RFC 7914, section 11 (the first 32 bytes of each), and the vectors that RFC 6070 has for SHA-1, with SHA-256.
    @Test(arguments: [
        ("passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"),
        ("Password", "NaCl", 80000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"),
        ("password", "salt", 2, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"),
        ("password", "salt", 4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a")
    ])
    func pbkdf2(password: String, salt: String, iterations: Int, result: String) {
        #expect(
            HMACSHA256(key: Array(password.utf8)).stretched(salt: Array(salt.utf8), iterations: iterations)
                == Self.bytes(result))
    }

    @Test func comparisonLooksAtEveryByte() {
        let bytes = [UInt8](0..<32)
        #expect(ConstantTime.equal(bytes, bytes))
        #expect(!ConstantTime.equal(bytes, Array(bytes.dropLast())))
        for position in 0..<32 {
            var other = bytes
            other[position] ^= 0x80
            #expect(!ConstantTime.equal(bytes, other))
        }
    }

    @Test func base64IsReadInOneFormOnly() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")] {
            #expect(Base64.encode(Array(bytes.utf8)) == text)
            #expect(Base64.decode(text) == Array(bytes.utf8))
        }
        for text in ["Z", "Zg=", "Zh==", "Zg==Zg==", "====", "Zm9v ", "Zm-v", "Z===", "é==="] {
            #expect(Base64.decode(text) == nil, "\(text)")
        }
    }
}

/// A digest of pieces is that of the whole.
@Suite struct DigestStreamTests {
    @Test func divisionDoesNotMatter() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for length in Array(0...130) + [1000, 5000] {
            let bytes = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            var stream = SHA256.Stream()
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...100, using: &random))
                rest = rest.dropFirst(piece.count)
                stream.update(Array(piece))
            }
            #expect(stream.digest() == SHA256.hash(bytes), "\(length) bytes, seed \(seed)")
        }
    }
}
