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
    nonisolated(nonsending) func negotiated(options: CallOptions) async throws(NexaError) -> Negotiated {
        if let lease { return lease.server }
        let driver = try driver("connect")
        if let known = driver.state.withLock({ $0.isShutDown ? nil : $0.negotiated }) { return known }
        let call = PendingCall(times(from: .now, options))
        call.prepare(.connection, call.times)
        switch await driver.send(call) {
        case .connected(let server), .reply(_, _, let server): return server
        case .leased(let lease): return lease.server
        case .failed(let error): throw error.during("connect")
        }
    }

    /// When a call that begins now must be over.
    func times(from start: MonotonicInstant, _ options: CallOptions) -> PendingCall.Times {
        .init(
            start: start, deadline: start + (options.timeout ?? configuration.operationTimeout),
            acquireTimeout: configuration.pool.acquireTimeout)
    }

    /// What is known of a request besides its bytes.
    struct Traits {
        var operation: StaticString
        var required: RequiredCapabilities = []
        /// Whether it may be sent twice.
        var isIdempotent = false
        /// Whether anyone looks at what a good reply says, besides that it is one.
        var wantsPayload = true
    }

    /// Sends the frame of a call and waits for its reply, whatever the reply says.
    ///
    /// A call is sent again, within its time, when its connection broke and sending it twice cannot do harm:
    /// nothing of it left, or it only reads, or the caller (or `isIdempotent`) says so.
    nonisolated(nonsending) func send(
        _ call: PendingCall, on driver: ClientDriver, _ traits: Traits, _ options: CallOptions,
        start: MonotonicInstant, attempt: Int = 1, mayHaveRun: Bool = false
    ) async throws(NexaError) -> RawReply {
        var times = times(from: start, options)
        var attempt = attempt
        // What is known of the last attempt is not known of those before it.
        var mayHaveRun = mayHaveRun
        while true {
            if attempt > 1 {
                // A later attempt's time runs from the first one's start, but its wait for a connection from now.
                times = .init(start: .now, deadline: times.deadline, acquireTimeout: configuration.pool.acquireTimeout)
            }
            call.prepare(.reply, requiring: traits.required, wantsPayload: traits.wantsPayload, on: lease, times)
            switch await driver.send(call) {
            case .reply(let type, let payload, let server):
                return RawReply(type: type, payload: payload, server: server, mayHaveRun: mayHaveRun)
            case .connected(let server): throw .connectionLost(nil, delivery: .notSent, endpoint: server.endpoint)
            case .leased(let lease): throw .connectionLost(nil, delivery: .notSent, endpoint: lease.server.endpoint)
            case .failed(let error):
                if error.delivery == .maybeExecuted { mayHaveRun = true }
                guard mayRetry(error, after: attempt, traits.isIdempotent), .now < times.deadline else {
                    throw error.during(traits.operation, mayHaveRun: mayHaveRun)
                }
                attempt += 1
                telemetry.emit(
                    .operationRetried(name: traits.operation, attempt: attempt, after: error), log: options.log)
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

    /// Whether a request may be sent twice.
    func mayRepeat(_ request: Request, _ isIdempotent: Bool, _ options: CallOptions) -> Bool {
        isIdempotent || options.isIdempotent || (configuration.retry.retriesReads && request.isRead)
    }

    /// Makes the request the frame of a call; with a tag and the time that it may take if it may take long.
    func encode(
        _ request: Request, into call: PendingCall, _ operation: StaticString, _ options: CallOptions,
        isTagged: Bool = true
    ) throws(NexaError) {
        if request.carriesCredentials { call.frame.isSecret = true }
        if isTagged, request.mayTakeLong {
            let time = options.timeout ?? configuration.operationTimeout
            let control = RequestControl(
                tag: Self.lastTag.add(1, ordering: .relaxed).newValue,
                maximumMilliseconds: Int(clamping: Int64(clamping: Int128(time / .milliseconds(1)))))
            request.encodeFrame(into: &call.frame, control: control)
            call.tag = control.tag
        } else {
            request.encodeFrame(into: &call.frame)
        }
        guard call.frame.count - FrameHeader.byteCount <= configuration.maximumFrameBytes else {
            throw NexaError(
                .frameTooLarge,
                "The request has \(call.frame.count) bytes, the limit is \(configuration.maximumFrameBytes); send less at once",
                operation: "\(operation)")
        }
    }
}

extension MessageType {
    /// A reply that says no more than that the request was done, to those who do not ask for more.
    var isPlainSuccess: Bool { self == .success || self == .pong || self == .notFound }
}

extension Request {
    /// Whether its frame must not stay in memory.
    var carriesCredentials: Bool {
        switch self {
        case .connect, .createUser, .changePassword: true
        default: false
        }
    }

    /// What the server must have granted for this request, since it would otherwise ignore a part of it.
    var requiredCapabilities: RequiredCapabilities {
        var required: RequiredCapabilities = []
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
