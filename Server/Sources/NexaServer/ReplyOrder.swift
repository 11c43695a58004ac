import NexaProtocol
import NexaValue

/// Which request of a connection may start, and in which order its replies leave. A state machine without I/O.
///
/// Replies leave strictly in the order of the requests. Writes may overlap, so that pipelined writes
/// share one commit; everything else waits until the writes before it are answered, so that a
/// connection always reads what it wrote.
struct ReplyOrder: Sendable {
    /// How a request runs.
    enum Kind: Sendable, Hashable {
        /// It is answered before the next request is looked at.
        case immediate
        /// It is answered after its commit; the next write may start meanwhile.
        case write
        /// It is answered later, and nothing else starts before.
        case exclusive
    }

    /// The place of one reply in the order.
    struct Slot: Sendable, Hashable {
        fileprivate var sequence: UInt64
    }

    /// At most so many writes of one connection wait for their commit.
    static let maximumWritesInFlight = 1024

    /// The replies from `first` on, `nil` while they are awaited.
    private var replies: [PendingReply?] = []
    private var head = 0
    private var first: UInt64 = 0
    private var isExclusive = false

    /// True when no reply is awaited.
    var isIdle: Bool { replies.count == head }

    /// True when a request of this kind may start now.
    func canStart(_ kind: Kind) -> Bool {
        if isExclusive { return false }
        return kind == .write ? replies.count - head < Self.maximumWritesInFlight : isIdle
    }

    /// Reserves the place of a reply; only after `canStart` allowed it.
    mutating func start(_ kind: Kind) -> Slot {
        isExclusive = kind == .exclusive
        replies.append(nil)
        return Slot(sequence: first + UInt64(replies.count - head - 1))
    }

    /// Lets nothing else start before all replies that are awaited have left.
    mutating func holdBack() { isExclusive = !isIdle }

    /// Records a reply. Each slot is completed once; a second completion is ignored.
    mutating func complete(_ slot: Slot, with reply: PendingReply) {
        guard slot.sequence >= first else { return }
        let position = head + Int(slot.sequence - first)
        guard position < replies.count, replies[position] == nil else { return }
        replies[position] = reply
    }

    /// The next reply that may leave, or `nil` when it is still awaited.
    mutating func next() -> PendingReply? {
        guard head < replies.count, let reply = replies[head] else { return nil }
        replies[head] = nil
        head += 1
        first += 1
        if head == replies.count {
            replies.removeAll(keepingCapacity: true)
            head = 0
            isExclusive = false
        } else if head >= 256 {
            replies.removeFirst(head)
            head = 0
        }
        return reply
    }
}

/// A reply that may have to wait for its turn; it is encoded when it leaves.
enum PendingReply: Sendable, Equatable {
    case done(Reply.Verb, Request.Namespace, id: Value)
    case insertedMany(Request.Namespace, ids: [Value])
    case documents(Request.Namespace, QueryResult)
    case fields(Document)
    /// A map that is encoded already.
    case payload([UInt8])
    case connected(Reply.Connected)
    case notFound
    case failure(RequestError)

    /// The result of a query, encoded.
    struct QueryResult: Sendable, Equatable {
        var documents: [UInt8]
        var documentCount: Int
        var count: Int
        var next: [UInt8]?
    }

    /// Appends the reply as a frame.
    func encodeFrame(into writer: inout MessagePackWriter, withErrorCodes: Bool) {
        switch self {
        case .done(let verb, let namespace, let id): Reply.encodeDone(verb, namespace, id: id, into: &writer)
        case .insertedMany(let namespace, let ids): Reply.encodeInsertedMany(namespace, ids: ids, into: &writer)
        case .documents(let namespace, let result):
            Reply.encodeDocuments(
                namespace, documents: result.documents.span.bytes, documentCount: result.documentCount,
                count: result.count, next: result.next, into: &writer)
        case .fields(let fields): Reply.encodeFrame(fields, into: &writer)
        case .payload(let payload): Reply.encodeFrame(payload: payload, into: &writer)
        case .connected(let reply): reply.encodeFrame(into: &writer)
        case .notFound: Reply.encodeNotFound(into: &writer)
        case .failure(let error):
            Reply.encodeError(error.message, code: withErrorCodes ? error.code : nil, into: &writer)
        }
    }
}
