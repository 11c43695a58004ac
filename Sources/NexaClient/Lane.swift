import NexaProtocol
import NexaTransport
import NexaValue

// @unchecked: the first group is guarded by the driver's lock, the second belongs to whoever holds the claim
// to write, the third to the reactor's thread.
/// One pipelined connection: its machine, its socket and its buffers.
///
/// Whoever finds bytes in the out buffer and nobody writing becomes the writer, and writes until the buffer
/// is empty: a single caller pays one system call, many callers share one. Only the reactor reads.
final class Lane: EventHandler, @unchecked Sendable {
    static let readsPerTurn = 4
    static let keptBufferBytes = 64 << 10

    let id: Pool.ConnectionID
    /// A cycle until the connection is torn down, which takes the lane out of the driver.
    let driver: ClientDriver

    // Guarded by the driver's lock.
    var machine: Machine
    var out: [UInt8] = []
    /// Someone writes, or waits for the socket to take more.
    var isWriteClaimed = false
    /// The writer is in, or about to make, a system call on the socket.
    var isSending = false
    /// The socket shall be closed, or is.
    var isDead = false
    var negotiated: Negotiated?
    /// Why connecting or logging in failed.
    var connectError: NexaError?
    var isConnectFailureFinal = false
    var wantedDeadline: ContinuousClock.Instant?
    /// It belongs to one user, the `leaseSerial`th.
    var isLeased = false
    var leaseSerial: UInt64 = 0
    /// Where change events go; the connection is of no other use then.
    var events: EventQueue?

    // Owned by the writer.
    var writing: [UInt8] = []
    var written = 0

    // Owned by the reactor's thread. The socket is set once, before the first write.
    var socket: StreamSocket?
    /// The socket behind TLS, when there is TLS.
    var secure: FilteredSocket?
    var connector: Connector?
    var handshake: TLSHandshake?
    var endpoint = ""
    /// Until the server let the client in.
    var login: Login?
    var input = StreamInput()
    var decoder: FrameDecoder
    var timer: Reactor.TimerID?
    var isTornDown = false
    var isReadingPaused = false
    private var isContinueScheduled = false

    init(id: Pool.ConnectionID, machine: Machine, maximumFrameBytes: Int, driver: ClientDriver) {
        self.id = id
        self.machine = machine
        self.driver = driver
        decoder = FrameDecoder(maximumPayloadByteCount: maximumFrameBytes)
    }

    func ready(_ events: Readiness) {
        if events.contains(.writable) { driver.socketIsWritable(self) }
        if !events.isDisjoint(with: [.readable, .hangup]) { readSome(untilEmpty: events.contains(.hangup)) }
    }

    func reactorStopped() {
        driver.reactorStopped(self)
    }

    /// Reads a bounded amount, then lets other connections have their turn.
    private func readSome(untilEmpty: Bool) {
        for _ in 0..<Self.readsPerTurn {
            guard !isTornDown, !isReadingPaused, let socket else { return }
            let result =
                secure.map { input.fill(from: $0, on: driver.reactor) } ?? input.fill(from: socket, on: driver.reactor)
            if secure?.hasPendingOutput == true { driver.reactor.setWriteInterest(socket.descriptor, true) }
            switch result {
            case .moved:
                let consumed = input.withBytes(on: driver.reactor) { driver.received($0, on: self) }
                guard !isTornDown else { return }
                input.consume(consumed, on: driver.reactor)
                // A short read has emptied the socket: what comes later is a new event.
                if input.wasShort && !untilEmpty { return }
            case .wouldBlock: return
            case .endOfStream: return driver.connectionEnded(self, .endOfStream)
            case .failed(let code): return driver.readingFailed(self, code)
            }
        }
        guard !isContinueScheduled else { return }
        isContinueScheduled = true
        driver.reactor.runSoon { [self] in
            isContinueScheduled = false
            readSome(untilEmpty: true)
        }
    }
}
