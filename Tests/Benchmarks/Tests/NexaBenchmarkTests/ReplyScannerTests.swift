import NexaProtocol
import NexaValue
import Testing

@testable import NexaBenchmark

/// Feeds bytes as they may arrive, cut at every place, and collects the outcomes.
private func outcomes<Scanner: ReplyScanner>(
    _ scanner: Scanner.Type, _ bytes: [UInt8], pieces: Int
) throws -> [ReplyOutcome] {
    var scanner = Scanner()
    var found: [ReplyOutcome] = []
    var offset = 0
    var end = 0
    while end < bytes.count {
        end = min(bytes.count, end + pieces)
        let received = Array(bytes[..<end])
        while let outcome = try scanner.next(in: received.span, at: &offset) { found.append(outcome) }
        #expect(offset <= end)
    }
    #expect(offset == bytes.count)
    return found
}

@Suite struct ReplyScannerTests {
    @Test(arguments: [1, 2, 3, 7, 1000])
    func redis(pieces: Int) throws {
        let bytes = Array("+OK\r\n$5\r\nab\r\nc\r\n$-1\r\n:12\r\n-ERR no\r\n$0\r\n\r\n".utf8)
        #expect(
            try outcomes(RedisReplyScanner.self, bytes, pieces: pieces)
                == [.success, .success, .failure, .success, .failure, .success])
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func postgres(pieces: Int) throws {
        func message(_ type: Character, _ body: [UInt8]) -> [UInt8] {
            [type.asciiValue ?? 0, 0, 0, 0, UInt8(body.count + 4)] + body
        }
        let ready = message("Z", [UInt8(ascii: "I")])
        let found = message("2", []) + message("D", [0, 1, 0, 0, 0, 1, 0x78]) + message("C", Array("SELECT 10\0".utf8))
        let missing = message("2", []) + message("C", Array("UPDATE 0\0".utf8))
        let refused = message("E", Array("SERROR\0C23505\0Mduplicate key\0\0".utf8))
        let bytes = found + ready + missing + ready + refused + ready + found + ready
        #expect(
            try outcomes(PostgresReplyScanner.self, bytes, pieces: pieces) == [.success, .failure, .failure, .success])
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func nexa(pieces: Int) throws {
        var writer = MessagePackWriter()
        Reply.encodeFrame(["count": 1], into: &writer)
        Reply.encodeNotFound(into: &writer)
        Reply.encodePong(timestamp: 1, into: &writer)
        #expect(
            try outcomes(NexaReplyScanner.self, writer.bytes, pieces: pieces) == [.success, .failure, .success])
    }

    @Test func wordsOfFailures() throws {
        var offset = 0
        var redis = RedisReplyScanner()
        _ = try redis.next(in: Array("-ERR wrong\r\n".utf8).span, at: &offset)
        #expect(redis.failure == "ERR wrong")

        offset = 0
        var nexa = NexaReplyScanner()
        var writer = MessagePackWriter()
        Reply.encodeNotFound(into: &writer)
        _ = try nexa.next(in: writer.bytes.span, at: &offset)
        #expect(nexa.failure?.hasSuffix("Not found") == true)
    }

    @Test func foreignBytesAreAnError() {
        let bytes = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
        #expect(throws: BenchmarkError.self) { try outcomes(RedisReplyScanner.self, bytes, pieces: 1000) }
        #expect(throws: BenchmarkError.self) { try outcomes(PostgresReplyScanner.self, bytes, pieces: 1000) }
        #expect(throws: BenchmarkError.self) { try outcomes(NexaReplyScanner.self, bytes, pieces: 1000) }
    }
}
