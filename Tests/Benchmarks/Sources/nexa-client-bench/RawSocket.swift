import CClientBench
import Glibc
import NexaBenchmark
import NexaProtocol

/// What everything is compared with: a blocking socket and a buffer, on the thread of the caller.
final class RawSocket {
    private let descriptor: CInt
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)

    /// Connects and logs in.
    init(port: UInt16, password: String) throws(BenchmarkError) {
        descriptor = bench_connect(port)
        guard descriptor >= 0 else { throw BenchmarkError("connect: \(String(cString: strerror(errno)))") }
        _ = try reply(to: Frames.connect(password: password))
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    /// Sends a request and reads the reply, of whatever size; returns its size.
    func reply(to request: [UInt8]) throws(BenchmarkError) -> Int {
        try exchange(request, FrameHeader.byteCount)
        let head = UnsafeRawBufferPointer(buffer)[..<FrameHeader.byteCount]
        let size = Int(UInt32(bigEndian: head.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        guard head[5] != MessageType.error.rawValue else { throw BenchmarkError("the server refused a request") }
        try exchange([], size)
        return FrameHeader.byteCount + size
    }

    /// Sends all bytes, then reads so many.
    func exchange(_ bytes: [UInt8], _ expected: Int) throws(BenchmarkError) {
        guard bench_exchange(descriptor, bytes, bytes.count, buffer.baseAddress, buffer.count, expected) == 0 else {
            throw BenchmarkError("the peer closed the connection")
        }
    }
}
