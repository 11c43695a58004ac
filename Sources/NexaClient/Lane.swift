import Glibc
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
    let startedAt = MonotonicInstant.now

    // Guarded by the driver's lock. Each group has one user at a time, so nothing checks that again at run time.
    @exclusivity(unchecked) var machine: Machine
    @exclusivity(unchecked) var out: [UInt8] = []
    /// A password or the like is among them: to be overwritten when it is sent.
    @exclusivity(unchecked) var isOutSecret = false
    /// Someone writes, or waits for the socket to take more.
    @exclusivity(unchecked) var isWriteClaimed = false
    /// The writer is in, or about to make, a system call on the socket.
    @exclusivity(unchecked) var isSending = false
    /// The socket shall be closed, or is.
    @exclusivity(unchecked) var isDead = false
    @exclusivity(unchecked) var negotiated: Negotiated?
    /// Why connecting or logging in failed.
    @exclusivity(unchecked) var connectError: NexaError?
    @exclusivity(unchecked) var isConnectFailureFinal = false
    /// Nobody listened, so that asking again soon is cheap.
    @exclusivity(unchecked) var isConnectRefused = false
    @exclusivity(unchecked) var wantedDeadline: MonotonicInstant?
    /// It belongs to one user, the `leaseSerial`th.
    @exclusivity(unchecked) var isLeased = false
    /// Whoever leases it left something behind; it is closed instead of given to someone else.
    @exclusivity(unchecked) var isDiscarded = false
    @exclusivity(unchecked) var leaseSerial: UInt64 = 0
    /// Sent right before the next call of the lease, and waited for by nobody.
    @exclusivity(unchecked) var leading: PendingCall?
    /// Where change events go; the connection is of no other use then.
    @exclusivity(unchecked) var events: EventQueue?

    // Owned by the writer.
    @exclusivity(unchecked) var writing: [UInt8] = []
    @exclusivity(unchecked) var isWritingSecret = false
    @exclusivity(unchecked) var written = 0

    // Owned by the reactor's thread. The socket is set once, before the first write.
    @exclusivity(unchecked) var socket: StreamSocket?
    /// The socket behind TLS, when there is TLS.
    @exclusivity(unchecked) var secure: FilteredSocket?
    @exclusivity(unchecked) var connector: Connector?
    @exclusivity(unchecked) var handshake: TLSHandshake?
    @exclusivity(unchecked) var endpoint = ""
    /// Until the server let the client in.
    @exclusivity(unchecked) var login: Login?
    @exclusivity(unchecked) var input = StreamInput()
    @exclusivity(unchecked) var decoder: FrameDecoder
    @exclusivity(unchecked) var timer: Reactor.TimerID?
    @exclusivity(unchecked) var isTornDown = false
    /// Empty arrays with room, for the next read.
    @exclusivity(unchecked) var spareFrames: [Frame] = []
    @exclusivity(unchecked) var spareCompleted: [ClientDriver.Completion] = []
    @exclusivity(unchecked) var spareActions: [Machine.Action] = []
    @exclusivity(unchecked) var isReadingPaused = false
    @exclusivity(unchecked) private var isContinueScheduled = false

    init(id: Pool.ConnectionID, machine: Machine, maximumFrameBytes: Int, driver: ClientDriver) {
        self.id = id
        self.machine = machine
        self.driver = driver
        decoder = FrameDecoder(maximumPayloadByteCount: maximumFrameBytes)
        driver.telemetry.count(.connections, 1)
    }

    deinit {
        if isOutSecret { Self.overwrite(&out) }
        if isWritingSecret { Self.overwrite(&writing) }
        driver.telemetry.count(.connections, -1)
    }

    /// Takes back what was appended last. Under the lock.
    func retract(_ byteCount: Int) {
        if isOutSecret { Self.overwrite(&out, from: out.count - byteCount) }
        out.removeLast(byteCount)
    }

    /// What was written holds nothing secret any more. By the writer.
    func forgetSecrets() {
        guard isWritingSecret else { return }
        Self.overwrite(&writing)
        isWritingSecret = false
    }

    private static func overwrite(_ bytes: inout [UInt8], from start: Int = 0) {
        bytes.withUnsafeMutableBytes { raw in
            if let base = raw.baseAddress { explicit_bzero(base + start, raw.count - start) }
        }
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
