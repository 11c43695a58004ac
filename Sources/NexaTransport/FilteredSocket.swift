import Glibc
import Synchronization

/// A socket behind a filter: bytes of the protocol in and out, with the results of a plain socket.
///
/// Reading happens on the reactor's thread, writing on any one thread at a time: a lock keeps the filter's two
/// directions apart and what it makes in order. The socket never blocks, so neither does the lock for long.
///
/// Memory: at most one chunk of each direction besides what the filter itself holds.
public final class FilteredSocket: Sendable {
    /// Bytes read from the wire at once.
    public static let wireChunk = 16 << 10
    /// Bytes of the protocol that are put through the filter before the wire has to take them.
    static let writeChunk = 64 << 10
    private static let keptOutput = 32 << 10
    /// A peer that makes the filter answer, and takes none of the answers, gets no further than this.
    static let maximumOutput = 512 << 10

    private struct State {
        let filter: any StreamFilter
        /// What the wire has not taken yet.
        var output: [UInt8] = []
        var outputStart = 0
        /// How reading or writing ended.
        var end: TransferResult?

        var hasOutput: Bool { outputStart < output.count }
    }

    /// The socket underneath.
    public let socket: StreamSocket
    private let state: Mutex<State>

    /// Puts a filter on a socket.
    public init(_ socket: StreamSocket, _ filter: any StreamFilter) {
        self.socket = socket
        state = Mutex(State(filter: filter))
    }

    /// Why the filter gave up.
    public var failure: FilterFailure? { state.withLock { $0.filter.failure } }
    /// Whether bytes of the protocol can be written.
    public var isEstablished: Bool { state.withLock { $0.filter.isEstablished } }
    /// Whether bytes wait for the wire: call `flush` when it can take some.
    public var hasPendingOutput: Bool { state.withLock { $0.hasOutput } }

    /// How a flush went.
    public enum Flush: Sendable, Equatable {
        case done
        case blocked
        case failed(CInt)
    }

    /// Gives the wire what waits for it.
    public func flush() -> Flush { state.withLock { flush(&$0) } }

    private func flush(_ state: inout State) -> Flush {
        state.filter.drain(into: &state.output)
        while state.hasOutput {
            let result = state.output.withUnsafeBytes {
                socket.write(UnsafeRawBufferPointer(rebasing: $0[state.outputStart...]))
            }
            switch result {
            case .moved(let count): state.outputStart += count
            case .wouldBlock: return .blocked
            case .endOfStream: return .failed(EPIPE)
            case .failed(let code): return .failed(code)
            }
        }
        state.outputStart = 0
        state.output.removeAll(keepingCapacity: state.output.capacity <= Self.keptOutput)
        return .done
    }

    // MARK: Handshake

    /// How far the handshake is.
    public enum Handshake: Sendable, Equatable {
        case done
        /// Call again when the socket is readable or, if so said, writable.
        case pending(wantsWriting: Bool)
        case failed(CInt)
    }

    /// Goes on with the handshake.
    public func shakeHands() -> Handshake {
        state.withLock { state in
            while true {
                let progress = state.filter.shakeHands()
                switch (flush(&state), progress) {
                case (_, .failed): return .failed(EPROTO)
                case (.failed(let code), _): return .failed(code)
                case (.blocked, _): return .pending(wantsWriting: true)
                case (.done, .done): return .done
                case (.done, .wantsMore): break
                }
                switch receive(&state) {
                case .moved: continue
                case .wouldBlock: return .pending(wantsWriting: false)
                case .endOfStream: return .failed(ECONNRESET)
                case .failed(let code): return .failed(code)
                }
            }
        }
    }

    private func receive(_ state: inout State) -> TransferResult {
        let filter = state.filter
        return withUnsafeTemporaryAllocation(byteCount: Self.wireChunk, alignment: 16) { chunk in
            let result = socket.read(into: chunk)
            if case .moved(let count) = result { filter.feed(UnsafeRawBufferPointer(rebasing: chunk[..<count])) }
            return result
        }
    }

    // MARK: Reading and writing

    /// Reads what is there, at most as much as fits.
    ///
    /// - Returns: the result, and whether more may be there without a new event: room was short, or the end has come.
    public func read(into buffer: UnsafeMutableRawBufferPointer) -> (result: TransferResult, mayHaveMore: Bool) {
        state.withLock { state in
            var total = 0
            var isDry = false
            reading: while total < buffer.count, state.end == nil {
                switch state.filter.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[total...])) {
                case .moved(let count): total += count
                case .endOfStream: state.end = .endOfStream
                case .failed: state.end = .failed(EPROTO)
                case .wantsMore:
                    // What the handshake has to say comes first: the peer may wait for it.
                    _ = flush(&state)
                    if state.output.count - state.outputStart > Self.maximumOutput { state.end = .failed(ENOBUFS) }
                    if isDry { break reading }
                    switch receive(&state) {
                    case .moved(let count): isDry = count < Self.wireChunk
                    case .wouldBlock: break reading
                    // Without the peer's word that this was all, somebody may have cut it off.
                    case .endOfStream: state.end = .failed(ECONNRESET)
                    case .failed(let code): state.end = .failed(code)
                    }
                }
            }
            _ = flush(&state)
            if total > 0 { return (.moved(total), total == buffer.count || state.end != nil) }
            return (state.end ?? .wouldBlock, false)
        }
    }

    /// Writes what the wire takes.
    ///
    /// `.moved` counts bytes of which something may have left: the rest of them is kept, and leaves with the next
    /// write or `flush`. `.wouldBlock` means that none of these bytes were taken.
    public func write(_ bytes: UnsafeRawBufferPointer) -> TransferResult {
        state.withLock { state in
            switch flush(&state) {
            case .done: break
            case .blocked: return .wouldBlock
            case .failed(let code): return .failed(code)
            }
            guard state.filter.isEstablished else {
                return state.filter.failure == nil ? .wouldBlock : .failed(EPROTO)
            }
            let count = min(bytes.count, Self.writeChunk)
            guard state.filter.write(UnsafeRawBufferPointer(rebasing: bytes[..<count])) else { return .failed(EPROTO) }
            state.filter.drain(into: &state.output)
            if case .failed(let code) = flush(&state), state.outputStart == 0 { return .failed(code) }
            return .moved(count)
        }
    }

    /// Tells the peer that no more bytes of the protocol follow, as far as the wire takes that now.
    public func endWriting() {
        state.withLock { state in
            state.filter.endWriting()
            _ = flush(&state)
        }
    }
}
