import NexaSCRAM
import TestKit
import Testing

@Suite struct ExchangeTests {
    /// The example of RFC 7677, section 3.
    @Test func theExampleOfRFC7677() throws {
        let salt: [UInt8] = [
            0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81
        ]
        let verifier = ScramVerifier(password: "pencil", salt: salt, iterations: 4096)
        var client = ScramClient(username: "user", nonce: "rOprNGfwEbeRWgbNEkqO")
        #expect(client.first == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        var server = try ScramServer(clientFirst: client.first)
        #expect(server.username == "user")
        let first = server.challenge(verifier, nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
        #expect(first == "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        let challenge = try client.challenge(first)
        let keys = ScramKeys(password: "pencil", salt: challenge.salt, iterations: challenge.iterations)
        let proof = client.proof(challenge, keys: keys)
        #expect(
            proof
                == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        )
        let final = try server.finish(proof)
        #expect(final == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        try client.verify(final)
    }

    private static let verifier = ScramVerifier(password: "secret", salt: [1, 2, 3], iterations: 4096)

    /// Runs a login; `change` may alter each message on its way.
    private static func run(
        username: String = "ann", password: String = "secret", verifier: ScramVerifier = verifier,
        change: (Int, String) -> String = { $1 }
    ) throws {
        var client = ScramClient(username: username)
        var server = try ScramServer(clientFirst: change(0, client.first))
        let challenge = try client.challenge(change(1, server.challenge(verifier)))
        let keys = ScramKeys(password: password, salt: challenge.salt, iterations: challenge.iterations)
        let proof = client.proof(challenge, keys: keys)
        try client.verify(change(3, server.finish(change(2, proof))))
        #expect(server.username == username)
    }

    @Test(arguments: ["ann", "a,b=c", "=2C", "Ünïcode 👩‍👩‍👧", "n=x,r=y"])
    func namesOfEveryKind(name: String) throws {
        try Self.run(username: name)
    }

    @Test func anotherPasswordIsRefused() throws {
        for password in ["", "Secret", "secret ", "sécret"] {
            #expect(throws: ScramError.wrongProof) { try Self.run(password: password) }
        }
    }

    @Test func aServerWithoutThePasswordIsFoundOut() throws {
        // It knows the stored key, as one that stole it would, but not the server key.
        let thief = ScramVerifier(
            salt: Self.verifier.salt, iterations: 4096, storedKey: Self.verifier.storedKey,
            serverKey: [UInt8](repeating: 0, count: 32))
        #expect(throws: ScramError.wrongServerSignature) { try Self.run(verifier: thief) }
        #expect(throws: ScramError.self) { try Self.run { $0 == 3 ? "e=other-error" : $1 } }
    }

    @Test func aDecoyLetsNobodyInAndStaysTheSame() throws {
        let secret = [UInt8](0..<32)
        let decoy = ScramVerifier.decoy(for: "bob", secret: secret)
        #expect(decoy == ScramVerifier.decoy(for: "bob", secret: secret))
        #expect(decoy.salt != ScramVerifier.decoy(for: "eve", secret: secret).salt)
        #expect(decoy.salt.count == 16 && decoy.iterations == ScramVerifier.defaultIterations)
        #expect(throws: ScramError.wrongProof) { try Self.run(verifier: decoy) }
    }

    /// No changed message leads to a login, and none crashes anything.
    @Test func everyChangedByteIsNoticed() throws {
        var seed = SystemRandomNumberGenerator()
        let chosen = UInt64.random(in: .min ... .max, using: &seed)
        var random = SplitMix64(seed: chosen)
        for message in 0..<4 {
            for _ in 0..<60 {
                var changed = false
                let isIn =
                    (try? Self.run { index, text in
                        guard index == message else { return text }
                        var bytes = Array(text.utf8)
                        let position = Int.random(in: 0..<bytes.count, using: &random)
                        switch Int.random(in: 0..<3, using: &random) {
                        case 0: bytes[position] ^= UInt8(1 << Int.random(in: 0..<7, using: &random))
                        case 1: bytes.remove(at: position)
                        default: bytes.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: position)
                        }
                        let result = String(decoding: bytes, as: UTF8.self)
                        // A message may carry more attributes at its end, which are ignored: not a change.
                        changed = result != text && !result.hasPrefix(text)
                        return result
                    }) != nil
                #expect(!isIn || !changed, "message \(message), seed \(chosen)")
            }
        }
    }

    @Test(arguments: ["4095", "1000001", "0", "-1", "99999999999999999999", "x"])
    func iterationsOutOfBoundsAreRefused(iterations: String) {
        var client = ScramClient(username: "ann", nonce: "abc")
        #expect(throws: ScramError.self) { try client.challenge("r=abcdef,s=AQID,i=\(iterations)") }
    }

    @Test(arguments: [
        "", "n", "n,,", "n,,n=,r=x", "n,,n=ann", "n,,n=ann,r=", "n,,n=a=b,r=x", "p=tls-unique,,n=ann,r=x",
        "n,a=admin,n=ann,r=x", "y,,n=ann,r=x", "n,,m=1,n=ann,r=x", "n,,n=ann,r=\u{7f}"
    ])
    func malformedBeginnings(message: String) {
        #expect(throws: ScramError.self) { try ScramServer(clientFirst: message) }
    }

    @Test func aLongMessageIsRefused() {
        #expect(throws: ScramError.self) {
            try ScramServer(clientFirst: "n,,n=ann,r=" + String(repeating: "x", count: 5000))
        }
    }
}
