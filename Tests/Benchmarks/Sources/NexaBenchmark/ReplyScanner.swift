import NexaProtocol
import NexaValue

/// What became of a request.
enum ReplyOutcome: Sendable, Equatable {
    /// Done, and something was found or changed.
    case success
    /// Refused, or nothing was found or changed; `ReplyScanner.failure` has the words.
    case failure
}

/// Finds replies in bytes that arrive in any pieces, without looking into what they carry.
protocol ReplyScanner: Sendable {
    init()

    /// Why the last failed reply failed.
    var failure: String? { get }

    /// The outcome of the reply at `offset`, which moves behind what was understood; `nil` when more bytes
    /// must come first.
    mutating func next(in bytes: Span<UInt8>, at offset: inout Int) throws(BenchmarkError) -> ReplyOutcome?
}

/// Counts NexaDB's frames.
struct NexaReplyScanner: ReplyScanner {
    private let decoder = FrameDecoder(maximumPayloadByteCount: 256 << 20)
    private(set) var failure: String?

    mutating func next(in bytes: Span<UInt8>, at offset: inout Int) throws(BenchmarkError) -> ReplyOutcome? {
        let frame: Frame
        do throws(FrameError) {
            guard let found = try decoder.frame(in: bytes.bytes, at: offset) else { return nil }
            frame = found
        } catch {
            throw BenchmarkError("not a NexaDB reply: \(error)")
        }
        offset = frame.payload.upperBound
        if frame.header.type == .success || frame.header.type == .pong { return .success }
        let fields = try? MessagePack.decodeDocument(bytes.bytes.extracting(frame.payload))
        failure = "\(frame.header.type): \(fields?["error"]?.string ?? "no text")"
        return .failure
    }
}

/// Counts the replies of Redis: RESP2 without arrays, which no command used here answers with.
struct RedisReplyScanner: ReplyScanner {
    private(set) var failure: String?

    mutating func next(in bytes: Span<UInt8>, at offset: inout Int) throws(BenchmarkError) -> ReplyOutcome? {
        var end = offset
        while end < bytes.count && bytes[end] != UInt8(ascii: "\r") { end += 1 }
        guard end + 1 < bytes.count else { return nil }
        switch bytes[offset] {
        case UInt8(ascii: "+"), UInt8(ascii: ":"):
            offset = end + 2
            return .success
        case UInt8(ascii: "-"):
            failure = text(bytes, offset + 1..<end)
            offset = end + 2
            return .failure
        case UInt8(ascii: "$"):
            if bytes[offset + 1] == UInt8(ascii: "-") {
                failure = "no such key"
                offset = end + 2
                return .failure
            }
            var length = 0
            for position in offset + 1..<end {
                let digit = Int(bytes[position]) - 48
                guard (0...9).contains(digit), length < 1 << 30 else {
                    throw BenchmarkError("not a reply of Redis: a bulk length is not a number")
                }
                length = length * 10 + digit
            }
            guard bytes.count >= end + 2 + length + 2 else { return nil }
            offset = end + 2 + length + 2
            return .success
        default: throw BenchmarkError("not a reply of Redis: it begins with byte \(bytes[offset])")
        }
    }
}

/// Counts the replies of PostgreSQL's protocol 3: one for each ReadyForQuery, which answers a Sync, a Query
/// or the start of a session.
struct PostgresReplyScanner: ReplyScanner {
    private(set) var failure: String?
    private var hasFailed = false

    mutating func next(in bytes: Span<UInt8>, at offset: inout Int) throws(BenchmarkError) -> ReplyOutcome? {
        while let message = try PostgresMessage(in: bytes, at: offset) {
            offset = message.body.upperBound
            switch message.type {
            case UInt8(ascii: "Z"):
                defer { hasFailed = false }
                return hasFailed ? .failure : .success
            case UInt8(ascii: "E"): fail(Self.errorText(bytes, message.body))
            case UInt8(ascii: "C"):
                // The tag ends in the number of rows: "UPDATE 1", "INSERT 0 1", "SELECT 914".
                let end = message.body.upperBound - 1
                if message.body.count > 3, bytes[end - 1] == UInt8(ascii: "0"), bytes[end - 2] == UInt8(ascii: " ") {
                    fail("no row: \(text(bytes, message.body.lowerBound..<end))")
                }
            case UInt8(ascii: "R"):
                guard message.body.count >= 4, bytes[message.body.lowerBound + 3] == 0 else {
                    throw BenchmarkError("PostgreSQL asks for a password; the comparison needs `trust` on loopback")
                }
            default: break
            }
        }
        return nil
    }

    private mutating func fail(_ words: String) {
        hasFailed = true
        failure = words
    }

    /// The human-readable field of an ErrorResponse.
    private static func errorText(_ bytes: Span<UInt8>, _ body: Range<Int>) -> String {
        var position = body.lowerBound
        while position < body.upperBound, bytes[position] != 0 {
            var end = position + 1
            while end < body.upperBound && bytes[end] != 0 { end += 1 }
            if bytes[position] == UInt8(ascii: "M") { return text(bytes, position + 1..<end) }
            position = end + 1
        }
        return "an error without a message"
    }
}

/// One message of PostgreSQL's protocol, found in a buffer.
struct PostgresMessage {
    var type: UInt8
    var body: Range<Int>

    /// `nil` when the message has not arrived whole.
    init?(in bytes: Span<UInt8>, at offset: Int) throws(BenchmarkError) {
        guard bytes.count - offset >= 5 else { return nil }
        var length = 0
        for position in offset + 1...offset + 4 { length = length << 8 | Int(bytes[position]) }
        guard (4...1 << 30).contains(length) else {
            throw BenchmarkError("not a reply of PostgreSQL: a message of \(length) bytes")
        }
        guard bytes.count - offset >= 1 + length else { return nil }
        type = bytes[offset]
        body = offset + 5..<offset + 1 + length
    }
}

/// The bytes of a range as text.
func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    bytes.extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
}
