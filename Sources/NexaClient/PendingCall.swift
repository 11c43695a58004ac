import NexaProtocol
import NexaValue

typealias Machine = ConnectionMachine<PendingCall>
typealias Pool = PoolMachine<PendingCall>

/// What a server granted at login. One object per distinct answer, so that comparing is cheap.
final class Negotiated: Sendable {
    let capabilities: Set<Capability>
    let serverVersion: String?
    let username: String
    let role: String
    let endpoint: String

    init(_ reply: Reply.Connected, endpoint: String) {
        capabilities = Set(reply.capabilities)
        serverVersion = reply.serverVersion
        username = reply.username
        role = reply.role
        self.endpoint = endpoint
    }
}

/// How a call ended.
enum CallOutcome: Sendable {
    case reply(type: MessageType, payload: [UInt8], server: Negotiated)
    /// There is a connection; for calls that want nothing else.
    case connected(Negotiated)
    case failed(NexaError)
}

// @unchecked: `place`, `isCancelled` and `continuation` are read and written under the driver's lock only.
/// One request on its way, from the caller's task to the connection and back.
final class PendingCall: @unchecked Sendable {
    enum Place {
        /// Not handed to the driver yet.
        case new
        /// No connection has room.
        case waiting(Pool.WaiterID)
        /// In the pipeline of a connection.
        case submitted(Lane, Machine.SlotID)
        /// Its outcome is decided; the caller has been, or is just being, resumed.
        case finished
    }

    /// The whole encoded frame; empty when the caller only wants to know that there is a connection.
    let frame: [UInt8]
    /// What the server must have granted; otherwise nothing is sent.
    let required: Set<Capability>
    /// When the call must be over.
    let deadline: ContinuousClock.Instant
    /// When waiting for a connection must be over.
    let acquireDeadline: ContinuousClock.Instant
    var place = Place.new
    var isCancelled = false
    var continuation: UnsafeContinuation<CallOutcome, Never>?

    init(
        frame: [UInt8], required: Set<Capability>, deadline: ContinuousClock.Instant,
        acquireDeadline: ContinuousClock.Instant
    ) {
        self.frame = frame
        self.required = required
        self.deadline = deadline
        self.acquireDeadline = min(acquireDeadline, deadline)
    }
}
