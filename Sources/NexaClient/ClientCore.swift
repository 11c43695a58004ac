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

    /// How often a call is sent at most, the first time included.
    static let maximumAttempts = 3

    let configuration: NexaConfiguration
    private let phase = Mutex(Phase.idle)

    init(_ configuration: NexaConfiguration) {
        self.configuration = configuration
    }

    deinit {
        if case .running(let driver) = phase.withLock({ $0 }) { driver.abandon() }
    }

    private func driver(_ operation: StaticString) throws(NexaError) -> ClientDriver {
        let result = phase.withLock { phase -> Result<ClientDriver, NexaError> in
            switch phase {
            case .running(let driver): return .success(driver)
            case .shutDown: return .failure(.shutDown(delivery: .notSent))
            case .idle:
                do throws(TransportError) {
                    let driver = try ClientDriver(configuration)
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
        let driver = try driver("connect")
        if let known = driver.state.withLock({ $0.isShutDown ? nil : $0.negotiated }) { return known }
        let now = ContinuousClock.now
        let call = PendingCall(
            frame: [], required: [],
            deadline: now + (options.timeout ?? configuration.operationTimeout),
            acquireDeadline: now + configuration.pool.acquireTimeout)
        switch await driver.send(call) {
        case .connected(let server), .reply(_, _, let server): return server
        case .failed(let error): throw error.during("connect")
        }
    }

    /// Sends a request and waits for its reply, whatever the reply says.
    ///
    /// A call is sent again, within its time, when its connection broke and sending it twice cannot do harm:
    /// nothing of it left, or it only reads, or the caller (or `isIdempotent`) says so.
    func call(
        _ request: Request, operation: StaticString, options: CallOptions, requiring more: Set<Capability> = [],
        isIdempotent: Bool = false
    ) async throws(NexaError) -> (type: MessageType, payload: [UInt8], endpoint: String) {
        let driver = try driver(operation)
        let mayRepeat = isIdempotent || options.isIdempotent || request.isRead
        let required = request.requiredCapabilities.union(more)
        let deadline = ContinuousClock.now + (options.timeout ?? configuration.operationTimeout)
        var attempt = 1
        while true {
            var frame = MessagePackWriter()
            request.encodeFrame(into: &frame)
            guard frame.count - FrameHeader.byteCount <= configuration.maximumFrameBytes else {
                throw NexaError(
                    .frameTooLarge,
                    "The request has \(frame.count) bytes, the limit is \(configuration.maximumFrameBytes); send less at once",
                    operation: "\(operation)")
            }
            let call = PendingCall(
                frame: frame.bytes, required: required, deadline: deadline,
                acquireDeadline: .now + configuration.pool.acquireTimeout)
            switch await driver.send(call) {
            case .reply(let type, let payload, let server): return (type, payload, server.endpoint)
            case .connected(let server):
                throw NexaError.connectionLost(nil, delivery: .notSent, endpoint: server.endpoint)
            case .failed(let error):
                let mayHelp = error.code == .connectionLost && attempt < Self.maximumAttempts
                guard mayHelp, mayRepeat || error.delivery == .notSent, ContinuousClock.now < deadline else {
                    throw error.during(operation)
                }
                attempt += 1
            }
        }
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
        default: break
        }
        return required
    }
}
