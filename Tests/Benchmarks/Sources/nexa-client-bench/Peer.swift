import CClientBench
import Glibc
import NexaBenchmark
import NexaProtocol
import NexaValue

/// The frames that all measurements send, and what the peer answers.
enum Frames {
    static let namespace = Request.Namespace(database: "bench", collection: "films")
    static let film: Document = [
        "title": "The Great Train Robbery", "year": 1903, "cast": ["Gilbert M. Anderson", "George Barnes"],
        "genres": ["Western"], "rating": 7.2, "extract": "A gang of outlaws holds up and robs a steam train."
    ]
    static let id = "m00000042"

    static var storedFilm: Document {
        var document: Document = ["_id": .string(id)]
        for (key, value) in film { document[key] = value }
        return document
    }

    static func frame(_ request: Request) -> [UInt8] { bytes { request.encodeFrame(into: &$0) } }

    static let ping = frame(.ping)
    static let read = frame(.read(.init(namespace: namespace, id: .string(id))))
    static let subscribe = frame(.subscribe(.init(collection: "films", database: "bench")))

    static func connect(password: String) -> [UInt8] {
        frame(
            .connect(
                .init(
                    username: "root", password: password, capabilities: Capability.all,
                    applicationName: "nexa-client-bench")))
    }

    static let event = bytes { writer in
        let document = MessagePack.encode(storedFilm)
        Reply.encodeChange(
            .init(operation: "insert", database: "bench", collection: "films", timestamp: 1.5, id: .string(id)),
            document: document.span.bytes, updates: [UInt8]().span.bytes,
            removed: [UInt8]().span.bytes, token: Array(0..<16), into: &writer)
    }

    private static func bytes(_ body: (inout MessagePackWriter) -> Void) -> [UInt8] {
        var writer = MessagePackWriter()
        body(&writer)
        return writer.bytes
    }

    /// What each type of request is answered with.
    static var answers: [(type: MessageType, reply: [UInt8])] {
        let stored = MessagePack.encode(storedFilm)
        return [
            (
                .connect,
                bytes {
                    Reply.Connected(
                        username: "root", role: "admin", capabilities: Capability.all, serverVersion: "0.0.0"
                    ).encodeFrame(into: &$0)
                }
            ),
            (.ping, bytes { Reply.encodeFrame(["status": "ok"], as: .pong, into: &$0) }),
            (.read, bytes { Reply.encodeDocument(namespace, stored.span.bytes, into: &$0) }),
            (.create, bytes { Reply.encodeDone(.inserted, namespace, id: .string(id), into: &$0) }),
            (.update, bytes { Reply.encodeDone(.updated, namespace, id: .string(id), into: &$0) }),
            (
                .subscribeChanges,
                bytes { Reply.encodeSubscribed(.init(collection: "films"), token: Array(0..<16), into: &$0) }
            )
        ]
    }
}

/// A process that answers at once; see `peer.c`.
struct Peer {
    private var peer = bench_peer()

    var port: UInt16 { peer.port }

    init() throws(BenchmarkError) {
        // Copied by the fork: the child reads them as long as it lives.
        var answers: [bench_answer] = []
        var memory: [UnsafeMutableRawBufferPointer] = []
        defer { for buffer in memory { buffer.deallocate() } }
        func copy(_ bytes: [UInt8]) -> UnsafeMutableRawBufferPointer {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 16)
            buffer.copyBytes(from: bytes)
            memory.append(buffer)
            return buffer
        }
        let events = copy(Array(repeatElement(Frames.event, count: 256).joined()))
        for (type, reply) in Frames.answers {
            let isStream = type == .subscribeChanges
            answers.append(
                bench_answer(
                    type: type.rawValue, reply: copy(reply).baseAddress, reply_size: reply.count,
                    stream: events.baseAddress, stream_size: isStream ? events.count : 0))
        }
        guard bench_peer_start(&peer, answers, answers.count) == 0 else {
            throw BenchmarkError("the peer does not start: \(String(cString: strerror(errno)))")
        }
    }

    /// Closes the listener and all connections.
    func down() throws(BenchmarkError) {
        var peer = peer
        guard bench_peer_down(&peer) == 0 else { throw BenchmarkError("the peer is gone") }
    }

    /// Listens again; returns the monotonic time, in nanoseconds, of when it did.
    func up() throws(BenchmarkError) -> Int64 {
        var peer = peer
        let time = bench_peer_up(&peer)
        guard time > 0 else { throw BenchmarkError("the peer cannot listen again") }
        return time
    }

    func stop() {
        var peer = peer
        bench_peer_stop(&peer)
    }
}
