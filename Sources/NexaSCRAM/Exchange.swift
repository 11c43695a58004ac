/// The attributes of a SCRAM message: `a=value,b=value`.
struct ScramAttributes {
    /// A longer message is refused before it is looked at.
    static let maximumByteCount = 4096

    private var rest: Substring.UTF8View

    init(_ text: Substring) throws(ScramError) {
        guard text.utf8.count <= Self.maximumByteCount else { throw .malformed("it is too long") }
        rest = text.utf8
    }

    /// The value of the next attribute, which must have this name.
    mutating func next(_ name: Character) throws(ScramError) -> String {
        let part = rest.prefix { $0 != UInt8(ascii: ",") }
        rest = rest.dropFirst(part.count + 1)
        let text = String(Substring(part))
        guard text.utf8.starts(with: "\(name)=".utf8) else { throw .malformed("attribute '\(name)' is missing") }
        return String(text.dropFirst(2))
    }

    mutating func bytes(_ name: Character) throws(ScramError) -> [UInt8] {
        guard let bytes = Base64.decode(try next(name)) else { throw .malformed("attribute '\(name)' is no base64") }
        return bytes
    }
}

/// A nonce: 24 random bytes of the system, as text.
public enum ScramNonce {
    /// A new one.
    public static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return Base64.encode((0..<24).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// Printable ASCII without a comma, and not empty.
    static func isValid(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ",") }
    }
}

/// The client's side of one login (RFC 5802). A state machine without I/O.
///
/// ```
/// client-first →, ← challenge (server-first), proof (client-final) →, ← verify (server-final)
/// ```
public struct ScramClient: Sendable {
    private let nonce: String
    private let firstBare: String
    private var transcript: String?
    private var expectedSignature: [UInt8]?

    /// What the server said: how to make the keys.
    public struct Challenge: Sendable, Hashable {
        /// The salt of the password.
        public let salt: [UInt8]
        /// How often to hash.
        public let iterations: Int
        let nonce: String
    }

    /// Begins a login.
    public init(username: String, nonce: String = ScramNonce.random()) {
        self.nonce = nonce
        var name = ""
        for scalar in username.unicodeScalars {
            switch scalar {
            case ",": name += "=2C"
            case "=": name += "=3D"
            default: name.unicodeScalars.append(scalar)
            }
        }
        firstBare = "n=\(name),r=\(nonce)"
    }

    /// The first message. It holds no secret. Without channel binding (`n,,`): TLS verifies the server by itself.
    public var first: String { "n,,\(firstBare)" }

    /// Reads the server's first message.
    ///
    /// - Throws: `ScramError` when it is malformed, not an answer to `first`, or its iterations are not acceptable.
    public mutating func challenge(_ message: String) throws(ScramError) -> Challenge {
        var attributes = try ScramAttributes(message[...])
        let nonce = try attributes.next("r")
        guard nonce.utf8.count > self.nonce.utf8.count, nonce.utf8.starts(with: self.nonce.utf8),
            ScramNonce.isValid(nonce)
        else { throw .malformed("the nonce is not a continuation of the client's") }
        let salt = try attributes.bytes("s")
        guard !salt.isEmpty else { throw .malformed("the salt is empty") }
        guard let iterations = Int(try attributes.next("i")) else { throw .malformed("'i' is no number") }
        guard (ScramVerifier.minimumIterations...ScramVerifier.maximumIterations).contains(iterations) else {
            throw .iterations(iterations)
        }
        transcript = "\(firstBare),\(message)"
        return Challenge(salt: salt, iterations: iterations, nonce: nonce)
    }

    /// The second message: proves that the client has the keys.
    public mutating func proof(_ challenge: Challenge, keys: ScramKeys) -> String {
        let withoutProof = "c=biws,r=\(challenge.nonce)"
        let message = Array("\(transcript ?? ""),\(withoutProof)".utf8)
        expectedSignature = HMACSHA256(key: keys.serverKey).code(message)
        let signature = HMACSHA256(key: SHA256.hash(keys.clientKey)).code(message)
        return "\(withoutProof),p=\(Base64.encode(zip(keys.clientKey, signature).map { $0 ^ $1 }))"
    }

    /// Checks the server's last message.
    ///
    /// - Throws: `ScramError.wrongServerSignature` when the server does not know the password.
    public func verify(_ message: String) throws(ScramError) {
        var attributes = try ScramAttributes(message[...])
        let signature = try attributes.bytes("v")
        guard let expectedSignature, ConstantTime.equal(signature, expectedSignature) else {
            throw .wrongServerSignature
        }
    }
}

/// The server's side of one login (RFC 5802). A state machine without I/O.
public struct ScramServer: Sendable {
    /// Who wants to log in.
    public let username: String
    private let firstBare: String
    private let clientNonce: String
    private var nonce = ""
    private var transcript = ""
    private var verifier: ScramVerifier?

    /// Reads the client's first message.
    public init(clientFirst message: String) throws(ScramError) {
        // "y,,": the client could bind to the channel and believes that this server cannot, which is so.
        guard message.utf8.starts(with: "n,,".utf8) || message.utf8.starts(with: "y,,".utf8) else {
            throw .malformed("channel binding and authorization identities are not supported")
        }
        // The second message repeats this head, and `proof` of `ScramClient` is made for "n,,".
        guard message.utf8.first == UInt8(ascii: "n") else { throw .malformed("send 'n,,' as the head") }
        firstBare = String(message.dropFirst(3))
        var attributes = try ScramAttributes(firstBare[...])
        username = try Self.decoded(try attributes.next("n"))
        clientNonce = try attributes.next("r")
        guard ScramNonce.isValid(clientNonce) else { throw .malformed("the nonce is not printable") }
    }

    private static func decoded(_ name: String) throws(ScramError) -> String {
        var result: [UInt8] = []
        var rest = name.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                result.append(byte)
                continue
            }
            let code = rest.prefix(2)
            rest = rest.dropFirst(2)
            if code.elementsEqual("2C".utf8) {
                result.append(UInt8(ascii: ","))
            } else if code.elementsEqual("3D".utf8) {
                result.append(UInt8(ascii: "="))
            } else {
                throw .malformed("the user name has a '=' that is not '=2C' or '=3D'")
            }
        }
        guard !result.isEmpty else { throw .malformed("the user name is empty") }
        return String(decoding: result, as: UTF8.self)
    }

    /// The first answer: how the client has to make its keys.
    public mutating func challenge(_ verifier: ScramVerifier, nonce: String = ScramNonce.random()) -> String {
        self.verifier = verifier
        self.nonce = clientNonce + nonce
        let message = "r=\(self.nonce),s=\(Base64.encode(verifier.salt)),i=\(verifier.iterations)"
        transcript = "\(firstBare),\(message)"
        return message
    }

    /// Checks the client's second message, and answers with the proof that the server knew the password.
    ///
    /// - Throws: `ScramError.wrongProof` for another password.
    public func finish(_ message: String) throws(ScramError) -> String {
        guard let verifier else { throw .malformed("it comes before the first one") }
        return try finish(message, anyOf: [verifier]).signature
    }

    /// The same where several secrets of the user will do. All have the salt and the iterations of the challenge.
    ///
    /// - Returns: the answer, and the verifier that the proof is right for.
    /// - Throws: `ScramError.wrongProof` when it is right for none.
    public func finish(
        _ message: String, anyOf verifiers: [ScramVerifier]
    ) throws(ScramError) -> (signature: String, verifier: ScramVerifier) {
        guard verifier != nil else { throw .malformed("it comes before the first one") }
        guard let end = message.utf8.lastIndex(of: UInt8(ascii: ",")) else { throw .malformed("'p' is missing") }
        var attributes = try ScramAttributes(message[...])
        guard try attributes.next("c") == "biws" else { throw .malformed("the head differs from the first message") }
        guard try attributes.next("r") == nonce else { throw .malformed("the nonce is not that of the challenge") }
        let proof = try attributes.bytes("p")
        let signed = Array("\(transcript),\(message[..<end])".utf8)
        for verifier in verifiers {
            let signature = HMACSHA256(key: verifier.storedKey).code(signed)
            guard proof.count == signature.count,
                ConstantTime.equal(SHA256.hash(zip(proof, signature).map { $0 ^ $1 }), verifier.storedKey)
            else { continue }
            return ("v=\(Base64.encode(HMACSHA256(key: verifier.serverKey).code(signed)))", verifier)
        }
        throw .wrongProof
    }
}
