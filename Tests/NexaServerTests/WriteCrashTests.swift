import Glibc
import NexaProtocol
import NexaValue
import Synchronization
import TestKit
import Testing

/// Writes by filter and atomic bulks, and `kill -9`.
@Suite(.serialized) struct WriteCrashTests {
    private static let accounts = 20

    /// How often every document was touched by UPDATE_MANY.
    private final class Touches: Sendable {
        let acknowledged = Atomic<Int>(0)
        let sent = Atomic<Int>(0)
    }

    private static func inc(_ id: Int, _ amount: Int64) -> Request.Write {
        Request.Write(.id(.string("a\(id)")), .update(encoded(["$inc": ["balance": .int(amount)]])))
    }

    /// Moves amounts from one document to another until the server dies.
    private static func transfer(_ seed: UInt64, port: UInt16) {
        var random = SplitMix64(seed: seed)
        guard let peer = try? Peer(port: port), (try? peer.logIn()) != nil else { return }
        while true {
            let amount = Int64(random.next() % 50)
            let (from, to) = (Int(random.next() % UInt64(accounts)), Int(random.next() % UInt64(accounts)))
            let bulk = Request.BulkWrite(
                namespace: .films, writes: [inc(from, -amount), inc(to, amount)], isAtomic: true)
            guard let reply = try? peer.ask(.bulkWrite(bulk)), reply.type == .success else { return }
        }
    }

    /// Touches all documents until the server dies.
    private static func touch(_ touches: Touches, port: UInt16) {
        guard let peer = try? Peer(port: port), (try? peer.logIn()) != nil else { return }
        let write = Request.Write(
            .filter(encoded([:])), .update(encoded(["$inc": ["touched": 1], "$unset": ["x": ""]])), isMany: true)
        while true {
            touches.sent.add(1, ordering: .relaxed)
            guard let reply = try? peer.ask(.updateMany(.init(namespace: .films, write: write))),
                reply.type == .success, reply.fields["modified"] == .int(Int64(accounts))
            else { return }
            touches.acknowledged.add(1, ordering: .relaxed)
        }
    }

    @Test func whatIsAtomicStaysWholeAndWhatIsAcknowledgedStays() async throws {
        let directory = try TemporaryDirectory()
        let touches = Touches()
        var random = SplitMix64(seed: 9_001)
        for round in 0..<12 {
            let server = try ServerProcess(data: directory.path + "/data")
            let peer = try Peer(port: server.port).logIn()
            if round == 0 {
                let documents = (0..<Self.accounts).map { Value.document(["_id": .string("a\($0)"), "balance": 100]) }
                try peer.ask(.insertMany(.init(namespace: .films, documents: MessagePack.encode(.array(documents)))))
            }
            let stored = try peer.ask(.query(.init(namespace: .films, limit: 0))).fields["documents"]?.array ?? []
            let sum = stored.reduce(0) { $0 + ($1.document?["balance"]?.int ?? 0) }
            try #require(stored.count == Self.accounts && sum == Int64(100 * Self.accounts), "round \(round): \(sum)")
            let least = Int64(touches.acknowledged.load(ordering: .relaxed))
            let most = Int64(touches.sent.load(ordering: .relaxed))
            for document in stored {
                let count = document.document?["touched"]?.int ?? 0
                try #require(least <= count && count <= most, "round \(round): \(count) of \(least)...\(most)")
            }
            let delay = UInt32(20_000 + random.next() % 60_000)
            let seed = random.next()
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask { await onThread { Self.transfer(seed &+ UInt64(writer), port: server.port) } }
                }
                for _ in 0..<2 { group.addTask { await onThread { Self.touch(touches, port: server.port) } } }
                await onThread {
                    // Not before there is something to lose, however busy the machine is.
                    for _ in 0..<2000 where touches.acknowledged.load(ordering: .relaxed) == least { usleep(10_000) }
                    usleep(delay)
                    server.end(with: SIGKILL)
                }
            }
        }
        #expect(touches.acknowledged.load(ordering: .relaxed) > 0)
    }
}
