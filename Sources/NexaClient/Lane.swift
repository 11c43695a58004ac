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
    static let keptFrames = 512

    let id: Pool.ConnectionID
    /// A cycle until the connection is torn down, which takes the lane out of the driver.
    let driver: ClientDriver
    let startedAt = ContinuousClock.now

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
    /// Nobody listened, so that asking again soon is cheap.
    var isConnectRefused = false
    var wantedDeadline: ContinuousClock.Instant?
    /// It belongs to one user, the `leaseSerial`th.
    var isLeased = false
    /// Whoever leases it left something behind; it is closed instead of given to someone else.
    var isDiscarded = false
    var leaseSerial: UInt64 = 0
    /// Sent right before the next call of the lease, and waited for by nobody.
    var leading: PendingCall?
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
    /// Empty arrays with room, for the next read.
    var spareFrames: [Frame] = []
    var spareCompleted: [ClientDriver.Completion] = []
    var spareActions: [Machine.Action] = []
    var isReadingPaused = false
    private var isContinueScheduled = false

    init(id: Pool.ConnectionID, machine: Machine, maximumFrameBytes: Int, driver: ClientDriver) {
        self.id = id
        self.machine = machine
        self.driver = driver
        decoder = FrameDecoder(maximumPayloadByteCount: maximumFrameBytes)
        driver.telemetry.count(.connections, 1)
    }

    deinit {
        driver.telemetry.count(.connections, -1)
    }

    /// An idle connection needs no memory for what it sends and receives. Under the lock, on the reactor's
    /// thread, while nobody writes.
    func giveBuffersBack() {
        out = []
        writing = []
        spareFrames = []
        spareCompleted = []
        spareActions = []
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

extension Lane: DeferredWork {
    /// Writes what was appended in this turn.
    func runDeferred() { driver.write(self) }
}

extension Lane {
    /// The server, once the connection has been logged in.
    var endpointName: String? { negotiated?.endpoint }

    /// The connection's number in logs.
    var number: Int { Int(id.number) }

    /// Why the connection was lost; `nil` when the client closed it.
    var lossReason: NexaError? {
        switch machine.closeReason {
        case nil, .drained?, .requested?: nil
        case let reason?: endError(reason)
        }
    }

    /// The end of the connection, as the one who takes its events sees it.
    func endError(_ reason: Machine.CloseReason) -> NexaError {
        .failed(.closed(reason), .notSent, endpoint: endpointName)
    }
}
