import NexaTLS
import NexaTransport
import TestKit

/// A client and a server that talk through memory, in pieces of random size.
final class TLSPair {
    let client: TLSSession
    let server: TLSSession
    var random: SplitMix64
    /// What is on its way to each side.
    private var toServer: [UInt8] = []
    private var toClient: [UInt8] = []
    /// Called with what is about to arrive.
    var tamper: (inout [UInt8]) -> Void = { _ in }

    convenience init(
        server certificate: String = "server", name: String = "localhost", caFile: String? = "ca.pem",
        clientCA: String? = nil, client own: String? = nil, seed: UInt64 = 1
    ) throws {
        let server = try TLSContext.server(
            certificateFile: TestCertificates.file(certificate + ".pem"),
            keyFile: TestCertificates.file(certificate + ".key"),
            clientCAFile: clientCA.map { try TestCertificates.file($0) })
        let client = try TLSContext.client(
            caFile: caFile.map { try TestCertificates.file($0) },
            certificateFile: own.map { try TestCertificates.file($0 + ".pem") },
            keyFile: own.map { try TestCertificates.file($0 + ".key") })
        try self.init(client.connection(to: name), server.acceptedConnection(plaintextAnswer: [1, 2, 3]), seed: seed)
    }

    init(_ client: TLSSession, _ server: TLSSession, seed: UInt64) {
        self.client = client
        self.server = server
        random = SplitMix64(seed: seed)
    }

    /// Moves some bytes in both directions; `false` when there was nothing to move.
    func move() -> Bool {
        client.drain(into: &toServer)
        server.drain(into: &toClient)
        if let piece = cut(&toServer) {
            feed(server, piece)
        } else if let piece = cut(&toClient) {
            feed(client, piece)
        } else {
            return false
        }
        return true
    }

    private func cut(_ bytes: inout [UInt8]) -> [UInt8]? {
        guard !bytes.isEmpty else { return nil }
        var generator = random
        defer { random = generator }
        let most = Bool.random(using: &generator) ? 7 : FilteredSocket.wireChunk
        let count = min(bytes.count, Int.random(in: 1...most, using: &generator))
        defer { bytes.removeFirst(count) }
        return Array(bytes[..<count])
    }

    private func feed(_ session: TLSSession, _ piece: [UInt8]) {
        var piece = piece
        tamper(&piece)
        piece.withUnsafeBytes { session.feed($0) }
    }

    /// Shakes hands until both are done, or nothing moves any more.
    func shakeHands() -> (client: FilterProgress, server: FilterProgress) {
        var progress = (client: FilterProgress.wantsMore, server: FilterProgress.wantsMore)
        repeat {
            progress = (client.shakeHands(), server.shakeHands())
            if progress == (.done, .done) { break }
        } while move()
        return (client.shakeHands(), server.shakeHands())
    }

    /// Reads until there is no more.
    func read(_ session: TLSSession) -> [UInt8] {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: Int.random(in: 1...20_000, using: &random))
        while true {
            switch buffer.withUnsafeMutableBytes({ session.read(into: $0) }) {
            case .moved(let count): result += buffer[..<count]
            case .wantsMore: if !move() { return result }
            case .endOfStream, .failed: return result
            }
        }
    }

    func write(_ session: TLSSession, _ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { session.write($0) } }
}
