/// What both sides make of a password: RFC 5802, section 3, with SHA-256 (RFC 7677).
///
/// A password is its bytes of UTF-8. For printable ASCII that is what SASLprep (RFC 4013) makes of it. Other text is not
/// normalised, as in the plain login: it has to be typed in the same form that it was set in.
public struct ScramKeys: Sendable, Hashable {
    /// What proves that the client knows the password.
    public let clientKey: [UInt8]
    /// What proves that the server knew it once.
    public let serverKey: [UInt8]

    /// Stretches the password: some milliseconds for 15 000 iterations, so not on a thread that serves others.
    public init(password: String, salt: [UInt8], iterations: Int) {
        let salted = HMACSHA256(
            key: HMACSHA256(key: Array(password.utf8)).stretched(salt: salt, iterations: iterations))
        clientKey = salted.code(Array("Client Key".utf8))
        serverKey = salted.code(Array("Server Key".utf8))
    }
}

/// What a server keeps of a password. It verifies a login and cannot be used for one.
public struct ScramVerifier: Sendable, Hashable {
    /// The iterations that RFC 7677 demands at least.
    public static let minimumIterations = 4096
    /// What a client accepts from a server at most: a hostile one must not keep it busy for minutes.
    public static let maximumIterations = 1_000_000
    /// What new passwords get.
    public static let defaultIterations = 15_000

    /// Random, for each password.
    public let salt: [UInt8]
    /// How often the password was hashed.
    public let iterations: Int
    /// The hash of the client key.
    public let storedKey: [UInt8]
    /// The server key.
    public let serverKey: [UInt8]

    /// Makes a verifier of a password; as slow as a login.
    public init(password: String, salt: [UInt8], iterations: Int = defaultIterations) {
        let keys = ScramKeys(password: password, salt: salt, iterations: iterations)
        self.init(
            salt: salt, iterations: iterations, storedKey: SHA256.hash(keys.clientKey), serverKey: keys.serverKey)
    }

    /// A verifier as it was stored.
    public init(salt: [UInt8], iterations: Int, storedKey: [UInt8], serverKey: [UInt8]) {
        self.salt = salt
        self.iterations = iterations
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// What an unknown user seems to have: the same salt each time, and keys that no password leads to.
    ///
    /// - Parameter secret: random bytes that only the server knows, the same after each start.
    public static func decoy(
        for username: String, secret: [UInt8], iterations: Int = defaultIterations
    ) -> ScramVerifier {
        let secret = HMACSHA256(key: secret)
        let name = Array(username.utf8)
        return ScramVerifier(
            salt: Array(secret.code([0] + name).prefix(16)), iterations: iterations,
            storedKey: secret.code([1] + name), serverKey: secret.code([2] + name))
    }
}

/// Why an exchange cannot go on.
public enum ScramError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A message is not one of SCRAM-SHA-256.
    case malformed(String)
    /// The server asks for more iterations than a client accepts, or for fewer than are safe.
    case iterations(Int)
    /// The proof is wrong: another password.
    case wrongProof
    /// The server does not know the password either: it is not the one it claims to be.
    case wrongServerSignature

    /// What is wrong.
    public var description: String {
        switch self {
        case .malformed(let what): "malformed SCRAM message: \(what)"
        case .iterations(let count):
            "the server asks for \(count) iterations; accepted are \(ScramVerifier.minimumIterations) to \(ScramVerifier.maximumIterations)"
        case .wrongProof: "the proof of the password is wrong"
        case .wrongServerSignature: "the server does not know the password"
        }
    }
}
