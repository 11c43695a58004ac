import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// What all values of one client share: the driver, started by the first call.
///
/// The driver's thread and connections keep the driver alive; when the last value that refers to this
/// object is gone, they end.
final class ClientCore: Sendable {
    private enum Phase {
        case idle
        case running(ClientDriver)
        case shutDown
    }

    let configuration: NexaConfiguration
    let telemetry: Telemetry
    /// The one connection that calls through this object may use; `nil` for any.
    let lease: ConnectionLease?
    private let phase: Mutex<Phase>

    init(_ configuration: NexaConfiguration, _ telemetry: Telemetry) {
        self.configuration = configuration
        self.telemetry = telemetry
        lease = nil
        phase = Mutex(.idle)
    }

    /// The same client, on one connection.
    init(_ configuration: NexaConfiguration, on lease: ConnectionLease) {
        self.configuration = configuration
        telemetry = lease.driver.telemetry
        self.lease = lease
        phase = Mutex(.running(lease.driver))
    }

    deinit {
        guard lease == nil, case .running(let driver) = phase.withLock({ $0 }) else { return }
        driver.abandon()
    }

    /// Starts what must run without a call.
    func start() {
        if configuration.pool.minimumConnections > 0 { try? driver("connect").openMinimum() }
    }

    func driver(_ operation: StaticString) throws(NexaError) -> ClientDriver {
        let result = phase.withLock { phase -> Result<ClientDriver, NexaError> in
            switch phase {
            case .running(let driver): return .success(driver)
            case .shutDown: return .failure(.shutDown(delivery: .notSent))
            case .idle:
                do throws(TransportError) {
                    let driver = try ClientDriver(configuration, telemetry)
                    phase = .running(driver)
                    return .success(driver)
                } catch {
                    return .failure(
                        NexaError(
                            .connectFailed, "The system gives the client no thread or descriptor; raise its limits",
                            underlying: error))
                }
            }
        }
        do throws(NexaError) {
            return try result.get()
        } catch {
            throw error.during(operation)
        }
    }

    var poolSnapshot: PoolSnapshot {
        guard case .running(let driver) = phase.withLock({ $0 }) else { return PoolSnapshot() }
        return driver.state.withLock { PoolSnapshot($0.pool) }
    }

    func executor() throws(NexaError) -> any TaskExecutor { try driver("executor").reactor }

    /// Lets calls on their way finish, for `grace` at most, then closes everything.
    func shutdown(drainingFor grace: Duration) async {
        let driver = phase.withLock { phase -> ClientDriver? in
            switch phase {
            case .running(let driver): return driver
            case .idle, .shutDown:
                phase = .shutDown
                return nil
            }
        }
        await driver?.shutdown(drainingFor: grace)
    }

    /// What the server grants; connects when there is no connection yet.
    func negotiated(options: CallOptions) async throws(NexaError) -> Negotiated {
        if let lease { return lease.server }
        let driver = try driver("connect")
        if let known = driver.state.withLock({ $0.isShutDown ? nil : $0.negotiated }) { return known }
        let now = ContinuousClock.now
        let call = PendingCall(
            .connection, start: now, deadline: now + (options.timeout ?? configuration.operationTimeout),
            acquireTimeout: configuration.pool.acquireTimeout)
        switch await driver.send(call) {
        case .connected(let server), .reply(_, _, let server): return server
        case .leased(let lease): return lease.server
        case .failed(let error): throw error.during("connect")
        }
    }

    /// Sends a request and waits for its reply, whatever the reply says.
    ///
    /// A call is sent again, within its time, when its connection broke and sending it twice cannot do harm:
    /// nothing of it left, or it only reads, or the caller (or `isIdempotent`) says so.
    func call(
        _ request: Request, _ frame: [UInt8], tag: UInt64? = nil, operation: StaticString, options: CallOptions,
        requiring more: Set<Capability> = [], isIdempotent: Bool = false, start: ContinuousClock.Instant,
        attempt: Int = 1, mayHaveRun: Bool = false
    ) async throws(NexaError) -> RawReply {
        let driver = try driver(operation)
        let required = request.requiredCapabilities.union(more)
        let mayRepeat = isIdempotent || options.isIdempotent || (request.isRead && configuration.retry.retriesReads)
        var now = start
        let deadline = now + (options.timeout ?? configuration.operationTimeout)
        var attempt = attempt
        // What is known of the last attempt is not known of those before it.
        var mayHaveRun = mayHaveRun
        // A later attempt's time runs from the first one's start, but its wait for a connection from now.
        if attempt > 1 { now = .now }
        while true {
            let call = PendingCall(
                .reply, frame: frame, required: required, on: lease, start: now, deadline: deadline,
                acquireTimeout: configuration.pool.acquireTimeout, tag: tag)
            switch await driver.send(call) {
            case .reply(let type, let payload, let server):
                return RawReply(type: type, payload: payload, server: server, mayHaveRun: mayHaveRun)
            case .connected(let server): throw .connectionLost(nil, delivery: .notSent, endpoint: server.endpoint)
            case .leased(let lease): throw .connectionLost(nil, delivery: .notSent, endpoint: lease.server.endpoint)
            case .failed(let error):
                now = .now
                if error.delivery == .maybeExecuted { mayHaveRun = true }
                guard mayRetry(error, after: attempt, mayRepeat), now < deadline else {
                    throw error.during(operation, mayHaveRun: mayHaveRun)
                }
                attempt += 1
                telemetry.emit(.operationRetried(name: operation, attempt: attempt, after: error), log: options.log)
            }
        }
    }

    /// Whether a call that ended like this may, and should, be sent once more.
    func mayRetry(_ error: NexaError, after attempt: Int, _ mayRepeat: Bool) -> Bool {
        guard error.code == .connectionLost, lease == nil, attempt < configuration.retry.maximumAttempts else {
            return false
        }
        return mayRepeat || error.delivery == .notSent
    }

    /// The last tag that was given to a request.
    private static let lastTag = Atomic<UInt64>(0)

    /// The request as a frame; with a tag and the time that it may take if it may take long.
    func encoded(
        _ request: Request, _ operation: StaticString, _ options: CallOptions
    ) throws(NexaError) -> (frame: [UInt8], tag: UInt64?) {
        guard request.mayTakeLong else { return (try encoded(request, operation), nil) }
        let time = options.timeout ?? configuration.operationTimeout
        let control = RequestControl(
            tag: Self.lastTag.add(1, ordering: .relaxed).newValue,
            maximumMilliseconds: Int(clamping: Int64(clamping: Int128(time / .milliseconds(1)))))
        return (try encoded(request, operation, control: control), control.tag)
    }

    /// The request as a frame.
    func encoded(
        _ request: Request, _ operation: StaticString, control: RequestControl? = nil
    ) throws(NexaError) -> [UInt8] {
        var frame = MessagePackWriter()
        if let control {
            request.encodeFrame(into: &frame, control: control)
        } else {
            request.encodeFrame(into: &frame)
        }
        guard frame.count - FrameHeader.byteCount <= configuration.maximumFrameBytes else {
            throw NexaError(
                .frameTooLarge,
                "The request has \(frame.count) bytes, the limit is \(configuration.maximumFrameBytes); send less at once",
                operation: "\(operation)")
        }
        return frame.bytes
    }
}

extension Request {
    /// What the server must have granted for this request, since it would otherwise ignore a part of it.
    var requiredCapabilities: Set<Capability> {
        var required: Set<Capability> = []
        switch self {
        case .insert(let insert):
            if insert.durability != nil { required.insert(.durability) }
        case .update(let update):
            if update.durability != nil { required.insert(.durability) }
        case .delete(let delete):
            if delete.durability != nil { required.insert(.durability) }
        case .insertMany(let batch):
            if batch.durability != nil { required.insert(.durability) }
        case .query(let query):
            let usesOptions =
                query.skip != 0 || !query.sort.isNull || !query.projection.isEmpty || query.isCountOnly
                || query.page != nil || query.after != nil || query.limit == 0
            if usesOptions { required.insert(.queryOptions) }
            if Filter(query.filter).usesLogic { required.insert(.filterLogic) }
        case .subscribe(let subscribe):
            let usesTokens =
                subscribe.after != nil || !subscribe.filter.isEmpty
                || subscribe.selects(ChangeKind.dropDatabase.rawValue)
                || (subscribe.database != nil && subscribe.collection == nil)
            if usesTokens { required.insert(.resumeTokens) }
        case .aggregate, .distinct: required.insert(.aggregation)
        case .beginTransaction, .commitTransaction, .abortTransaction: required.insert(.transactions)
        default: break
        }
        return required
    }
}
