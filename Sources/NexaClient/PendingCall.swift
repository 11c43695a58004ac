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
    /// The caller has a connection of its own.
    case leased(ConnectionLease)
    case failed(NexaError)
}

// @unchecked: `place`, `isCancelled` and `continuation` are read and written under the driver's lock only,
// `followers` before the call is handed to the driver.
/// One request on its way, from the caller's task to the connection and back.
final class PendingCall: @unchecked Sendable {
    /// What the caller wants.
    enum Purpose {
        /// The reply to its frame.
        case reply
        /// To know that there is a connection.
        case connection
        /// A connection of its own.
        case lease
    }

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

    let purpose: Purpose
    /// The whole encoded frame; empty when there is nothing to send.
    let frame: [UInt8]
    /// What the server must have granted; otherwise nothing is sent.
    let required: Set<Capability>
    /// When the call was made, by the one clock reading that a call costs.
    let start: ContinuousClock.Instant
    /// When the call must be over.
    let deadline: ContinuousClock.Instant
    /// When waiting for a connection must be over.
    let acquireDeadline: ContinuousClock.Instant
    /// The only connection it may use.
    let lease: ConnectionLease?
    var place = Place.new
    var isCancelled = false
    var continuation: UnsafeContinuation<CallOutcome, Never>?
    /// The calls that are sent right behind this one.
    var followers: [PendingCall] = []
    /// By which the server can be told to stop working on it; `nil` when that is not worth it.
    let tag: UInt64?
    /// The pipeline that it belongs to, and its place there.
    var group: (CallGroup, index: Int)?

    init(
        _ purpose: Purpose, frame: [UInt8] = [], required: Set<Capability> = [], on lease: ConnectionLease? = nil,
        start: ContinuousClock.Instant, deadline: ContinuousClock.Instant, acquireTimeout: Duration, tag: UInt64? = nil
    ) {
        self.tag = tag
        self.purpose = purpose
        self.frame = frame
        self.required = required
        self.lease = lease
        self.start = start
        self.deadline = deadline
        acquireDeadline = min(start + acquireTimeout, deadline)
    }

    var demand: Pool.Demand { purpose == .lease ? .lease : .requests(1 + followers.count) }
}
