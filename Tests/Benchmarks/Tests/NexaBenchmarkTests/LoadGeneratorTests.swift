import Glibc
import NexaProtocol
import NexaTransport
import NexaValue
import Testing

@testable import NexaBenchmark

/// The load generator against servers that misbehave.
@Suite struct LoadGeneratorTests {
    @Test(arguments: [(1, 1), (1, 32), (16, 1), (5, 7)])
    func everyRequestIsAnswered(connections: Int, depth: Int) throws {
        let cell = Cell(operation: .read, connections: connections, depth: depth)
        let result = try Ceiling.measure(cell, seconds: 0.02)
        #expect(result.operations >= connections * depth)
        #expect(result.failures == 0)
        #expect(result.latencies.count == UInt64(result.operations))
        #expect(result.receivedBytes.isMultiple(of: result.operations), "every reply has the same size")
    }

    /// Answers whatever comes first on one connection with `bytes`, and closes it.
    private func run(
        answer bytes: [UInt8], operations: Int, depth: Int = 4
    ) throws -> Result<Measurement, BenchmarkError> {
        let address = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
        let listener = try ListeningSocket(address: address)
        defer { listener.close() }
        let thread = try SystemThread(name: "scripted") {
            var waiting = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 10_000) > 0, case .accepted(let socket, _) = listener.accept() else { return }
            waiting = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, 10_000)
            var request = [UInt8](repeating: 0, count: 1 << 16)
            _ = request.withUnsafeMutableBytes { socket.read(into: $0) }
            if !bytes.isEmpty { _ = bytes.withUnsafeBytes { socket.write($0) } }
            socket.close()
        }
        defer { thread.join() }
        let connection = try Connection<RedisReplyScanner>(port: try #require(listener.address.port))
        let templates = try #require(try RedisWire().templates(.read, Movies(synthetic: 3, seed: 1)))
        var requests = RequestSequence(templates, seed: 1)
        do throws(BenchmarkError) {
            return .success(
                try LoadGenerator.run([connection], depth: depth, requests: &requests, length: .operations(operations)))
        } catch {
            return .failure(error)
        }
    }

    @Test func failuresAreCounted() throws {
        let answer = Array("$1\r\nx\r\n$-1\r\n-ERR no\r\n$1\r\ny\r\n".utf8)
        let result = try run(answer: answer, operations: 4).get()
        #expect(result.operations == 4)
        #expect(result.failures == 2)
        #expect(result.firstFailure == "no such key")
    }

    @Test(arguments: ["", "$1\r\nx\r\n", "nonsense\r\n", "$5\r\nab", "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n"])
    func brokenServersEndInAnError(answer: String) throws {
        #expect(throws: BenchmarkError.self) { try run(answer: Array(answer.utf8), operations: 100).get() }
    }
}
