import Glibc
import NexaTransport
import Synchronization

/// Reads a file or a pipe on a thread of its own, a few pieces ahead of whoever takes them.
///
/// A pipe may stay silent for hours; meanwhile replies of the server still have to be taken in, and Ctrl-C has to work.
final class ChunkReader: Sendable {
    private struct State {
        var chunks: [ByteInput.Chunk] = []
        var isDone = false
        var waiter: CheckedContinuation<ByteInput.Chunk, Never>?
    }

    private static let chunkBytes = 256 << 10
    private static let chunksAhead = 4
    private let input: ByteInput
    private let state = Mutex(State())
    /// Readable when reading should stop.
    private let stopSignal = EventFlag()
    /// Readable when there is room for another chunk.
    private let roomSignal = EventFlag()

    /// Starts reading.
    init(_ input: ByteInput) throws(ShellError) {
        self.input = input
        let buffered = input.takeBuffered()
        if !buffered.isEmpty { deliver(.bytes(buffered)) }
        do throws(TransportError) {
            try SystemThread(name: "nexa-import") { self.readAll() }.detach()
        } catch {
            throw ShellError("cannot start a thread: \(error)")
        }
    }

    /// The next bytes; `.stopped` after `stop`.
    func next() async -> ByteInput.Chunk {
        await withCheckedContinuation { continuation in
            let chunk = state.withLock { state -> ByteInput.Chunk? in
                if !state.chunks.isEmpty { return state.chunks.removeFirst() }
                if state.isDone { return .end }
                state.waiter = continuation
                return nil
            }
            guard let chunk else { return }
            roomSignal.raise()
            continuation.resume(returning: chunk)
        }
    }

    /// Ends the reading; what was read ahead is dropped.
    func stop() {
        stopSignal.raise()
        let waiter = state.withLock { state -> CheckedContinuation<ByteInput.Chunk, Never>? in
            state.chunks = [.stopped]
            guard let waiter = state.waiter else { return nil }
            state.waiter = nil
            state.isDone = true
            return waiter
        }
        waiter?.resume(returning: .stopped)
    }

    private func readAll() {
        while waitForRoom() {
            let chunk = input.readMore(stop: stopSignal.descriptor, capacity: Self.chunkBytes)
            if case .stopped = chunk { return }
            deliver(chunk)
            guard case .bytes = chunk else { return }
        }
    }

    private func waitForRoom() -> Bool {
        while state.withLock({ $0.chunks.count >= Self.chunksAhead }) {
            var ready = [
                pollfd(fd: roomSignal.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stopSignal.descriptor, events: Int16(POLLIN), revents: 0)
            ]
            _ = poll(&ready, 2, -1)
            if ready[1].revents != 0 { return false }
            roomSignal.lower()
        }
        return true
    }

    private func deliver(_ chunk: ByteInput.Chunk) {
        let waiter = state.withLock { state -> CheckedContinuation<ByteInput.Chunk, Never>? in
            if case .stopped? = state.chunks.first { return nil }
            if let waiter = state.waiter {
                state.waiter = nil
                return waiter
            }
            state.chunks.append(chunk)
            return nil
        }
        waiter?.resume(returning: chunk)
    }
}
