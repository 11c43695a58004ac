import CZlib
import Glibc
import Synchronization

/// Packs what is written by gzip (RFC 1952) and hands it on.
final class GzipSink: ByteSink {
    private struct State {
        /// In a place of its own: zlib remembers where it is.
        let stream: UnsafeMutablePointer<z_stream>
        let isReady: Bool

        init() {
            stream = .allocate(capacity: 1)
            stream.initialize(to: z_stream())
            isReady =
                deflateInit2_(
                    stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                    CInt(MemoryLayout<z_stream>.size)) == Z_OK
        }
    }

    private let target: any ByteSink
    private let state = Mutex(State())

    init(to target: any ByteSink) { self.target = target }

    deinit {
        state.withLock { state in
            if state.isReady { deflateEnd(state.stream) }
            state.stream.deallocate()
        }
    }

    func write(_ bytes: borrowing [UInt8]) throws(OutputError) {
        if !bytes.isEmpty { try pack(copy bytes, Z_NO_FLUSH) }
    }

    /// Does nothing: a packed stream has one end only, which is `finish`.
    func flush() throws(OutputError) {}

    /// Writes the end of the packed stream.
    func finish() throws(OutputError) {
        try pack([], Z_FINISH)
        try target.flush()
    }

    private func pack(_ bytes: [UInt8], _ mode: CInt) throws(OutputError) {
        let packed = state.withLock { state -> [UInt8]? in
            guard state.isReady else { return nil }
            var result: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            bytes.withUnsafeBufferPointer { input in
                // zlib does not write to its input; the type of the field is older than `const`.
                state.stream.pointee.next_in = input.baseAddress.map { UnsafeMutablePointer(mutating: $0) }
                state.stream.pointee.avail_in = UInt32(input.count)
                var made = 0
                repeat {
                    made = piece.withUnsafeMutableBufferPointer { output in
                        state.stream.pointee.next_out = output.baseAddress
                        state.stream.pointee.avail_out = UInt32(output.count)
                        _ = deflate(state.stream, mode)
                        return output.count - Int(state.stream.pointee.avail_out)
                    }
                    result += piece[..<made]
                } while made == piece.count
            }
            return result
        }
        guard let packed else { throw OutputError(destination: "a gzip stream", code: ENOMEM) }
        try target.write(packed)
    }
}
