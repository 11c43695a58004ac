import NexaTLS
import NexaTransport
import TestKit
import Testing

/// TLS without sockets.
@Suite struct TLSSessionTests {
    @Test(arguments: 1...40 as ClosedRange<UInt64>) func bytesSurviveAnyPieces(seed: UInt64) throws {
        let pair = try TLSPair(seed: seed)
        #expect(pair.shakeHands() == (.done, .done), "seed \(seed)")
        for _ in 0..<4 {
            let there = (0..<Int.random(in: 0...100_000, using: &pair.random)).map { UInt8(truncatingIfNeeded: $0) }
            let back = there.reversed() + [1, 2, 3]
            #expect(pair.write(pair.client, there))
            #expect(pair.write(pair.server, back))
            #expect(pair.read(pair.server) == there, "seed \(seed)")
            #expect(pair.read(pair.client) == back, "seed \(seed)")
        }
    }

    @Test(arguments: [
        ("server", "localhost"), ("server", "db.example"), ("server", "DB.EXAMPLE"), ("server", "db.example."),
        ("server", "127.0.0.1"), ("server", "::1"), ("wildcard", "one.db.example"), ("elsewhere", "192.0.2.7")
    ])
    func goodCertificates(certificate: String, name: String) throws {
        let pair = try TLSPair(server: certificate, name: name)
        #expect(pair.shakeHands() == (.done, .done))
        #expect(pair.client.isEstablished && pair.server.isEstablished)
    }

    @Test(arguments: [
        ("expired", "localhost", "ca.pem", ["certificate of localhost expired on 20"]),
        ("elsewhere", "localhost", "ca.pem", ["is for elsewhere.example, 192.0.2.7;", "serverName"]),
        ("server", "192.0.2.1", "ca.pem", ["is for localhost, db.example, 127.0.0.1, 0:0:0:0:0:0:0:1;"]),
        ("wildcard", "a.b.db.example", "ca.pem", ["is for *.db.example"]),
        ("wildcard", "db.example", "ca.pem", ["is for *.db.example"]),
        ("self", "localhost", "ca.pem", ["unknown authority, 'localhost'", "caFile"]),
        ("server", "localhost", "other.pem", ["unknown authority, 'Test Authority'", "caFile"]),
        ("server", "localhost", "", ["unknown authority, 'Test Authority'", "caFile"])
    ])
    func badCertificates(certificate: String, name: String, caFile: String, words: [String]) throws {
        let pair = try TLSPair(server: certificate, name: name, caFile: caFile.isEmpty ? nil : caFile)
        let progress = pair.shakeHands()
        #expect(progress.client == .failed)
        let message = pair.client.failure?.message ?? ""
        for part in words { #expect(message.contains(part), "\(message)") }
        #expect(!pair.client.isEstablished)
        #expect(pair.client.failure?.mayPass == false)
        // The server hears of it, and nothing can be sent any more.
        #expect(pair.read(pair.server).isEmpty)
        #expect(pair.server.failure?.message.contains("does not trust") == true, "\(pair.server.failure as Any)")
        #expect(!pair.write(pair.client, [1]))
    }

    @Test func aSelfSignedCertificateMayBeTrustedByName() throws {
        let pair = try TLSPair(server: "self", caFile: "self.pem")
        #expect(pair.shakeHands() == (.done, .done))
    }

    @Test(arguments: [nil, "stranger", "server"]) func clientsWithoutTheRightCertificate(own: String?) throws {
        let pair = try TLSPair(clientCA: "ca.pem", client: own)
        #expect(pair.shakeHands().server == .failed)
        #expect(pair.server.failure != nil)
        // In TLS 1.3 the client hears of it behind its own handshake.
        #expect(pair.read(pair.client).isEmpty)
        let message = pair.client.failure?.message ?? ""
        #expect(message.contains("certificate"), "\(message)")
        if own == nil { #expect(message.contains("certificateFile")) }
    }

    @Test func aClientWithTheRightCertificate() throws {
        let pair = try TLSPair(clientCA: "ca.pem", client: "client")
        #expect(pair.shakeHands() == (.done, .done))
        #expect(pair.write(pair.client, [1, 2, 3]))
        #expect(pair.read(pair.server) == [1, 2, 3])
    }

    @Test func theEndIsSaid() throws {
        let pair = try TLSPair()
        _ = pair.shakeHands()
        #expect(pair.write(pair.client, [1]))
        pair.client.endWriting()
        #expect(pair.read(pair.server) == [1])
        var byte: [UInt8] = [0]
        #expect(byte.withUnsafeMutableBytes { pair.server.read(into: $0) } == .endOfStream)
        // The other direction is still open.
        #expect(pair.write(pair.server, [2]))
        #expect(pair.read(pair.client) == [2])
    }

    /// A changed byte after the handshake, or in it, never becomes a byte of the protocol.
    @Test(arguments: 1...60 as ClosedRange<UInt64>) func changedBytesEndTheConnection(seed: UInt64) throws {
        let pair = try TLSPair(seed: seed)
        var random = SplitMix64(seed: seed &* 31)
        var left = Int.random(in: 0...4000, using: &random)
        pair.tamper = { piece in
            guard left >= 0 else { return }
            if left < piece.count { piece[left] ^= 0x40 }
            left -= piece.count
        }
        _ = pair.shakeHands()
        let sent = [UInt8](repeating: 7, count: 5000)
        _ = pair.write(pair.client, sent)
        let arrived = pair.read(pair.server)
        #expect(arrived == sent.prefix(arrived.count)[...].map { $0 }, "seed \(seed)")
        #expect(arrived.count < sent.count || left >= 0 || pair.client.failure == nil, "seed \(seed)")
    }

    @Test(arguments: 1...100 as ClosedRange<UInt64>) func noiseIsRefused(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let pair = try TLSPair()
        // A head that looks like TLS gets further than one that does not.
        var noise: [UInt8] = seed % 2 == 0 ? [22, 3, 1, 1, 0, 1, 0, 0, 252] : []
        noise += (0..<3000).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        for session in [pair.client, pair.server] {
            _ = session.shakeHands()
            noise.withUnsafeBytes { session.feed($0) }
            #expect(session.shakeHands() == .failed, "seed \(seed)")
            #expect(session.failure != nil)
        }
    }

    @Test func theOtherSideSpeaksNoTLS() throws {
        let frame = Array("NEXA\u{1}\u{1}".utf8)
        let pair = try TLSPair()
        frame.withUnsafeBytes { pair.server.feed($0) }
        #expect(pair.server.shakeHands() == .failed)
        var answer: [UInt8] = []
        pair.server.drain(into: &answer)
        #expect(answer == [1, 2, 3], "in the protocol of the client, and nothing of TLS")
        _ = pair.client.shakeHands()
        frame.withUnsafeBytes { pair.client.feed($0) }
        #expect(pair.client.shakeHands() == .failed)
        #expect(pair.client.failure?.message.contains("does not speak TLS") == true)
    }

    @Test func filesThatCannotBeUsed() throws {
        let server = try TestCertificates.file("server.pem")
        let key = try TestCertificates.file("server.key")
        func message(_ body: () throws(TLSConfigurationError) -> TLSContext) -> String {
            do throws(TLSConfigurationError) {
                _ = try body()
                return ""
            } catch {
                return error.message
            }
        }
        #expect(
            message { () throws(TLSConfigurationError) in try .client(caFile: "/nowhere/ca.pem") }
                .contains("/nowhere/ca.pem: No such file"))
        #expect(
            message { () throws(TLSConfigurationError) in try .server(certificateFile: "/nowhere", keyFile: key) }
                .contains("Cannot read a certificate from /nowhere"))
        let locked = try TestCertificates.file("locked.key")
        #expect(
            message { () throws(TLSConfigurationError) in try .server(certificateFile: server, keyFile: locked) }
                .contains("without a password"))
        let other = try TestCertificates.file("client.key")
        #expect(
            message { () throws(TLSConfigurationError) in try .server(certificateFile: server, keyFile: other) }
                .contains("that of the certificate"))
        let both = try TestCertificates.file("both.pem")
        #expect(message { () throws(TLSConfigurationError) in try .server(certificateFile: both, keyFile: both) } == "")
        let context = try TLSContext.client(caFile: TestCertificates.file("ca.pem"))
        for name in ["", ".", "a\0b"] {
            #expect(throws: TLSConfigurationError.self) { try context.connection(to: name) }
        }
    }
}
