import Glibc
import NexaProtocol
import NexaServer
import NexaValue
import TestKit
import Testing

/// Whatever a peer sends: an error or a close, flat memory, and neighbours that notice nothing.
@Suite(.serialized) struct HostilePeerTests {
    static let head: [UInt8] = [0x4E, 0x45, 0x58, 0x41, 1]

    /// The resident memory of this process, which the server runs in.
    static func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, 256, file) != nil else { return 0 }
        let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
    }

    @Test func framesThatLieEndInAnErrorAndAClose() async throws {
        try await Running.with { server in
            let neighbour = try server.peer().logIn()
            let before = Self.residentBytes()
            for isLoggedIn in [false, true] {
                for lie in [
                    Self.head + [9, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], Self.head + [1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFE],
                    Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
                    [0x4E, 0x45, 0x58, 0x41, 2, 9, 0, 0, 0, 0, 0, 1, 0x80]
                ] {
                    for _ in 0..<25 {
                        let peer = try server.peer()
                        if isLoggedIn { try peer.logIn() }
                        try peer.send(lie)
                        #expect(try peer.receive()?.type == .error)
                        #expect(try peer.receive() == nil)
                    }
                }
            }
            #expect(try neighbour.ask(.ping).type == .pong)
            #expect(Self.residentBytes() - before < 64 << 20)
        }
    }

    @Test func malformedPayloadsAreAnsweredAndTheConnectionGoesOn() async throws {
        try await Running.with { server in
            let peer = try server.peer().logIn()
            let deep = [UInt8](repeating: 0x91, count: 256) + [0xC0]
            func insert(_ value: [UInt8]) -> [UInt8] {
                var writer = MessagePackWriter()
                writer.writeMapHead(count: 2)
                writer.write("collection")
                writer.write("c")
                writer.write("data")
                writer.writeRaw(value)
                return writer.bytes
            }
            let payloads: [[UInt8]] = [
                [0xC1], [0x93, 1, 2, 3], [0x81, 0x01, 0x01], [0x81, 0xA1], deep, insert([0x81, 0xA1, 0x61] + deep),
                insert([0x81, 0xA1, 0x61, 0xA2, 0xC3, 0x28]), insert([0x82, 0xA1, 0x61, 1, 0xA1, 0x61, 2]),
                insert([0x93, 1, 2, 3]), [0xDF, 0xFF, 0xFF, 0xFF, 0xFF], [0xDB, 0xFF, 0xFF, 0xFF, 0xFF]
            ]
            for payload in payloads {
                for type: UInt8 in [0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x20, 0x21, 0x42, 0x77] {
                    try peer.send(Peer.frame(type: type, payload: payload))
                    let reply = try #require(try peer.receive())
                    // A query needs no more than the collection, and a listing not even that.
                    #expect(reply.type == .error || type == 0x20 || type == 0x06, "type \(type): \(reply.fields)")
                }
            }
            #expect(try peer.ask(.ping).type == .pong)
            #expect(try peer.ask(.query(.init(namespace: .init(collection: "c")))).fields["count"] == 0)
        }
    }

    @Test func mutePeersAndHalfFramesDisturbNobody() async throws {
        try await Running.with {
            // Long enough for the logins below on a busy machine: hashing a password counts too.
            $0.loginTimeout = .seconds(3)
        } _: { server in
            let neighbour = try server.peer().logIn()
            let half = try server.peer()
            try half.send(Array(Self.head.prefix(3)))
            let mute = try server.peer()
            let halfLoggedIn = try server.peer().logIn()
            try halfLoggedIn.send(Self.head + [2, 0, 0, 0, 0, 1, 0, 0x82])
            #expect(try neighbour.ask(.ping).type == .pong)
            // Who never logs in is told so and closed.
            #expect(try mute.receive()?.type == .error)
            #expect(try mute.receive() == nil)
            #expect(try half.receive()?.type == .error)
            #expect(try half.receive() == nil)
            #expect(try neighbour.ask(.ping).type == .pong)
        }
    }

    @Test func aReaderThatNeverReadsHoldsBackOnlyItself() async throws {
        try await Running.with { server in
            let neighbour = try server.peer().logIn()
            let text = Value.string(String(repeating: "x", count: 100_000))
            try neighbour.ask(.insert(.init(namespace: .films, document: encoded(["_id": "big", "text": text]))))
            let before = Self.residentBytes()
            let glutton = try server.peer().logIn()
            let reads = (0..<200).flatMap { _ in Peer.frame(.read(.init(namespace: .films, id: "big"))) }
            // 20 MB of replies that nobody takes, asked for again and again until the server stops reading.
            var sent = 0
            while sent < 400 {
                let count = reads.withUnsafeBytes {
                    send(glutton.descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { break }
                sent += 1
            }
            for _ in 0..<100 { #expect(try neighbour.ask(.ping).type == .pong) }
            #expect(Self.residentBytes() - before < 96 << 20)
        }
    }

    /// Seeded garbage and mutations of good frames, before and after login.
    @Test func randomBytesNeverHurt() async throws {
        try await Running.with { server in
            let neighbour = try server.peer().logIn()
            var random = SplitMix64(seed: 20_261_121)
            for round in 0..<150 {
                let peer = try server.peer()
                if round % 2 == 0 { try peer.logIn() }
                var bytes: [UInt8] = []
                for _ in 0..<20 {
                    var frame = Peer.frame(.insert(.init(namespace: .films, document: encoded(["a": ["b": [1, 2]]]))))
                    for _ in 0..<(random.next() % 4) {
                        frame[Int(random.next() % UInt64(frame.count))] = UInt8(truncatingIfNeeded: random.next())
                    }
                    bytes += frame
                }
                try? peer.send(bytes)
                shutdown(peer.descriptor, Int32(SHUT_WR))
                while (try? peer.receive()) != nil {}
            }
            #expect(try neighbour.ask(.ping).type == .pong)
        }
    }
}
