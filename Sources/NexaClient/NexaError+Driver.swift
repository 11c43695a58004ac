import NexaProtocol
import NexaTransport

/// The errors that the driver makes, without the name of the operation, which it does not know.
extension NexaError {
    /// The same error, of this operation.
    func during(_ operation: StaticString, mayHaveRun: Bool = false) -> NexaError {
        var error = self
        if mayHaveRun, delivery == .notSent { error.delivery = .maybeExecuted }
        error.operation = "\(operation)"
        return error
    }

    static func cancelled(delivery: Delivery) -> NexaError {
        NexaError(.cancelled, "The task was cancelled", delivery: delivery)
    }

    static func shutDown(delivery: Delivery) -> NexaError {
        NexaError(.shutDown, "The client was shut down; make a new one", delivery: delivery)
    }

    static func connectionLost(_ cause: TransportError?, delivery: Delivery, endpoint: String?) -> NexaError {
        NexaError(
            .connectionLost,
            delivery == .notSent
                ? "The connection ended before the request left; try again"
                : "The connection ended before the reply came; the request may have been executed",
            delivery: delivery, endpoint: endpoint, underlying: cause)
    }

    static func lacking(_ required: RequiredCapabilities, _ server: Negotiated) -> NexaError {
        let names = required.subtracting(server.granted).capabilities.map { "'\($0.rawValue)'" }.sorted()
            .joined(separator: ", ")
        return NexaError(
            .unsupported, "The connected server lacks \(names) and would ignore a part of the request",
            endpoint: server.endpoint)
    }

    static func leaseIsOver(_ server: Negotiated) -> NexaError {
        NexaError(
            .connectionLost, "The connection was given back; use it inside withConnection only",
            endpoint: server.endpoint)
    }

    static func pipelineFull(_ server: Negotiated) -> NexaError {
        NexaError(
            .poolExhausted, "Too many calls at once on one connection (pipelineDepth); wait for some of them",
            endpoint: server.endpoint)
    }

    static var secondConsumer: NexaError {
        NexaError(.invalidRequest, "The events of one subscription go to one task; watch again for another")
    }

    static func notNexaDB(_ what: String, _ endpoint: String) -> NexaError {
        NexaError(
            .protocolViolation, "The server does not speak NexaDB's binary protocol (\(what)); check host and port",
            operation: "connect", endpoint: endpoint)
    }

    static func connectFailed(_ error: TransportError, _ endpoints: [NexaConfiguration.Endpoint]) -> NexaError {
        let names = endpoints.map(\.description).joined(separator: ", ")
        let reason = TransportError.words(for: error.code)
        return NexaError(
            .connectFailed, "Cannot connect to \(names): \(reason); is the server running there?",
            operation: "connect", endpoint: names, underlying: error)
    }

    static func tlsFailed(_ failure: FilterFailure, _ endpoint: String) -> NexaError {
        NexaError(.tlsFailed, failure.message, operation: "connect", endpoint: endpoint, underlying: failure)
    }

    static func plainLoginRefused(_ configuration: NexaConfiguration, _ endpoint: String) -> NexaError {
        let advice =
            configuration.plainLogin == .never
            ? "'plainLogin' forbids to send it"
            : "everybody on the way could read it: use TLS, or allow it with plainLogin=always"
        return NexaError(
            .authenticationFailed,
            "The server does not know SCRAM-SHA-256 and wants the password itself, but \(advice)",
            operation: "connect", endpoint: endpoint)
    }

    static func connectTimedOut(_ configuration: NexaConfiguration) -> NexaError {
        let names = configuration.endpoints.map(\.description).joined(separator: ", ")
        return NexaError(
            .connectFailed, "No server at \(names) let the client in within \(configuration.connectTimeout)",
            operation: "connect", endpoint: names)
    }

    /// Why a call did not get a connection.
    static func refused(_ refusal: Pool.Refusal, _ call: PendingCall, _ lastConnectError: NexaError?) -> NexaError {
        switch refusal {
        case .closed: return .shutDown(delivery: .notSent)
        case .tooManyWaiters:
            return NexaError(
                .poolExhausted, "Too many calls wait for a connection (maxWaiters); send fewer at once")
        case .connectFailed, .timedOut:
            if let lastConnectError { return lastConnectError }
            if call.times.acquireDeadline >= call.times.deadline {
                return NexaError(.timedOut, "The deadline passed while the call waited for a connection")
            }
            return NexaError(
                .poolExhausted,
                "No connection became free in time (acquireTimeout); allow more connections or send fewer calls")
        }
    }

    /// Why a call on a connection ended without a reply.
    static func failed(_ failure: Machine.Failure, _ delivery: Machine.Delivery, endpoint: String?) -> NexaError {
        let delivery: Delivery = delivery == .notSent ? .notSent : .maybeExecuted
        switch failure {
        case .cancelled:
            return NexaError(.cancelled, "The task was cancelled", delivery: delivery, endpoint: endpoint)
        case .timedOut:
            return NexaError(
                .timedOut, "The deadline passed before the reply came", delivery: delivery, endpoint: endpoint)
        case .closed(.requested):
            return NexaError(.shutDown, "The client was shut down", delivery: delivery, endpoint: endpoint)
        case .closed(.replyTooLarge(let byteCount)):
            return NexaError(
                .frameTooLarge,
                "The reply has \(byteCount) bytes, more than maximumFrameBytes; ask for less at once",
                delivery: delivery, endpoint: endpoint)
        case .closed(.protocolViolation(let what)):
            return NexaError(
                .protocolViolation, "The server sent what is not NexaDB's protocol (\(what))", delivery: delivery,
                endpoint: endpoint)
        case .closed(.failed(let code)):
            return .connectionLost(TransportError("connection", code: code), delivery: delivery, endpoint: endpoint)
        case .closed: return .connectionLost(nil, delivery: delivery, endpoint: endpoint)
        }
    }
}

extension Machine.CloseReason {
    /// What is wrong with a frame.
    var words: String {
        switch self {
        case .protocolViolation(let what): what
        case .replyTooLarge(let byteCount): "a frame of \(byteCount) bytes"
        default: "\(self)"
        }
    }
}
