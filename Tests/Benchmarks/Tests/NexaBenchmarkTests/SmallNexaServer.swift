import Glibc
import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// As much of NexaDB as the comparison asks for, in memory: what is tested is the client.
final class SmallNexaServer: Sendable {
    /// A way to be wrong that the comparison must notice.
    enum Fault: Sendable {
        case none
        /// Acknowledges every tenth insert without keeping it.
        case losesInserts
        /// Acknowledges updates without making them.
        case ignoresUpdates
    }

    let port: UInt16
    private let thread: SystemThread

    init(fault: Fault = .none) throws {
        guard let address = SocketAddress(numericHost: "127.0.0.1", port: 0) else {
            throw TransportError("socket address", code: EINVAL)
        }
        let listener = try ListeningSocket(address: address)
        port = listener.address.port ?? 0
        let loop = Mutex(Loop(listener: listener, fault: fault))
        thread = try SystemThread(name: "small-nexadb") { loop.withLock { $0.run() } }
    }

    /// Ends the server; every client must have gone.
    func stop() { thread.join() }

    private struct Loop {
        let listener: ListeningSocket
        let fault: Fault
        var stored: [String: [String: Document]] = [:]
        var insertCount = 0

        /// Serves until the last client has gone, or nobody has come for ten seconds.
        mutating func run() {
            var waiting = [pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)]
            var inputs: [[UInt8]] = [[]]
            var open = 0
            repeat {
                guard poll(&waiting, nfds_t(waiting.count), 10_000) > 0 else { break }
                for index in waiting.indices.dropFirst() where waiting[index].revents != 0 {
                    let socket = StreamSocket(adopting: waiting[index].fd)
                    guard !serve(socket, &inputs[index]) else { continue }
                    socket.close()
                    waiting[index].fd = -1
                    open -= 1
                }
                if waiting[0].revents != 0, case .accepted(let socket, _) = listener.accept() {
                    waiting.append(pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0))
                    inputs.append([])
                    open += 1
                }
            } while open > 0
            listener.close()
        }

        /// False when the connection has ended.
        private mutating func serve(_ socket: StreamSocket, _ input: inout [UInt8]) -> Bool {
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let result = chunk.withUnsafeMutableBytes { socket.read(into: $0) }
            guard case .moved(let count) = result else { return result == .wouldBlock }
            input.append(contentsOf: chunk[..<count])
            var writer = MessagePackWriter()
            var offset = 0
            while let frame = try? FrameDecoder().frame(in: input.span.bytes, at: offset) {
                offset = frame.payload.upperBound
                guard
                    let request = try? Request(
                        type: frame.header.type, payload: input.span.bytes.extracting(frame.payload))
                else { return false }
                answer(request, &writer)
            }
            input.removeFirst(offset)
            var output = writer.bytes[...]
            while !output.isEmpty {
                switch output.withUnsafeBytes({ socket.write($0) }) {
                case .moved(let count): output = output.dropFirst(count)
                case .wouldBlock:
                    var writable = pollfd(fd: socket.descriptor, events: Int16(POLLOUT), revents: 0)
                    guard poll(&writable, 1, 10_000) > 0 else { return false }
                case .endOfStream, .failed: return false
                }
            }
            return true
        }

        private mutating func answer(_ request: Request, _ writer: inout MessagePackWriter) {
            switch request {
            case .connect(let connect):
                Reply.Connected(
                    username: connect.username, role: "admin", capabilities: Capability.all, serverVersion: "test"
                ).encodeFrame(into: &writer)
            case .insert(let insert):
                let document = (try? MessagePack.decodeDocument(insert.document.span.bytes)) ?? [:]
                let id = document["_id"] ?? .null
                insertCount += 1
                if fault != .losesInserts || insert.namespace.collection == "films" || !insertCount.isMultiple(of: 10) {
                    stored[insert.namespace.collection, default: [:]][id.string ?? ""] = document
                }
                Reply.encodeDone(.inserted, insert.namespace, id: id, into: &writer)
            case .read(let read):
                guard let document = stored[read.namespace.collection]?[read.id.string ?? ""] else {
                    return Reply.encodeNotFound(into: &writer)
                }
                Reply.encodeDocument(read.namespace, MessagePack.encode(document).span.bytes, into: &writer)
            case .update(let update):
                let changes = (try? MessagePack.decodeDocument(update.updates.span.bytes)) ?? [:]
                if fault != .ignoresUpdates {
                    for (key, value) in changes {
                        stored[update.namespace.collection]?[update.id.string ?? ""]?[key] = value
                    }
                }
                Reply.encodeDone(.updated, update.namespace, id: update.id, into: &writer)
            case .query(let query):
                let found = (stored[query.namespace.collection] ?? [:]).values.filter { document in
                    query.filter.allSatisfy { document[$0.key] == $0.value }
                }
                let bytes = query.isCountOnly ? [] : found.flatMap { MessagePack.encode($0) }
                Reply.encodeDocuments(
                    query.namespace, documents: bytes.span.bytes, documentCount: query.isCountOnly ? 0 : found.count,
                    count: found.count, next: nil, into: &writer)
            case .listCollections(let database):
                Reply.encodeNames(Array(stored.keys), of: .collections(database: database), into: &writer)
            case .dropCollection(let namespace):
                stored[namespace.collection] = nil
                Reply.encodeFrame(["message": "Collection dropped"], into: &writer)
            default: Reply.encodeFrame(["status": "ok"], into: &writer)
            }
        }
    }
}
