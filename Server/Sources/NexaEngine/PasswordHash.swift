import CArgon2
import Glibc

/// A password as it is stored: Argon2id with a random salt, in the usual `$argon2id$…` text form.
struct PasswordHash: Sendable, Hashable {
    /// Memory in KiB, passes and lanes: OWASP's recommendation of 19 MiB and two passes. About 25 ms.
    private static let memory: UInt32 = 19 * 1024
    private static let passes: UInt32 = 2
    private static let lanes: UInt32 = 1
    private static let saltByteCount = 16
    private static let hashByteCount = 32
    /// A longer password is refused before it costs anything.
    static let maximumPasswordByteCount = 1024

    /// `$argon2id$v=19$m=…,t=…,p=…$salt$hash`
    let encoded: String

    init(encoded: String) { self.encoded = encoded }

    /// Hashes a password; slow by intent, so call it on a worker thread. `nil` when memory or randomness ran out.
    init?(password: String) {
        guard let salt = SystemRandom.bytes(Self.saltByteCount) else { return nil }
        var text = [CChar](
            repeating: 0,
            count: argon2_encodedlen(
                Self.passes, Self.memory, Self.lanes, UInt32(salt.count), UInt32(Self.hashByteCount), Argon2_id))
        let result = Self.withBytes(of: password) { bytes in
            argon2id_hash_encoded(
                Self.passes, Self.memory, Self.lanes, bytes.baseAddress, bytes.count, salt, salt.count,
                Self.hashByteCount, &text, text.count)
        }
        guard result == ARGON2_OK.rawValue else { return nil }
        encoded = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Compares in constant time; as slow as hashing.
    func matches(_ password: String) -> Bool {
        Self.withBytes(of: password) { bytes in
            argon2id_verify(encoded, bytes.baseAddress, bytes.count) == ARGON2_OK.rawValue
        }
    }

    /// A hash to spend the same time on users who do not exist; whatever it matches, nobody gets in.
    static let decoy = PasswordHash(password: "decoy of a user who does not exist") ?? PasswordHash(encoded: "")

    fileprivate static func withBytes<R>(of password: String, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        var password = password
        return password.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}

/// The last password that was found right for a user, as a cheap keyed hash.
///
/// A thousand connections that log in at once would spend 25 ms each on Argon2id; the first pays, the
/// others compare with this. It is lost when the process ends, and whoever could read it from memory could
/// read the passwords on their way as well.
struct VerifiedPassword: Sendable, Hashable {
    /// Random, made once for a process: without it the hash below says nothing.
    private static let key = SystemRandom.bytes(32)

    private let hash: [UInt8]

    /// `nil` when there is no randomness to key it with.
    init?(_ password: String) {
        guard let key = Self.key else { return nil }
        var hash = [UInt8](repeating: 0, count: 32)
        let result = PasswordHash.withBytes(of: password) { bytes in
            // One pass over the least memory that Argon2 allows: a keyed BLAKE2b in effect, some 10 µs.
            argon2id_hash_raw(1, 8, 1, bytes.baseAddress, bytes.count, key, key.count, &hash, hash.count)
        }
        guard result == ARGON2_OK.rawValue else { return nil }
        self.hash = hash
    }

    /// Compares in constant time.
    func matches(_ other: VerifiedPassword) -> Bool {
        var difference: UInt8 = 0
        for (left, right) in zip(hash, other.hash) { difference |= left ^ right }
        return difference == 0
    }
}

/// Random bytes of the operating system.
enum SystemRandom {
    /// `nil` when the system has none, which only happens very early at boot.
    static func bytes(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        guard getentropy(&bytes, count) == 0 else { return nil }
        return bytes
    }

    /// A password that people can type: 20 letters and digits without look-alikes, about 100 bits.
    static func password() -> String? {
        let letters = Array("abcdefghijkmnpqrstuvwxyz23456789")
        return bytes(20).map { bytes in String(bytes.map { letters[Int($0) % letters.count] }) }
    }
}
