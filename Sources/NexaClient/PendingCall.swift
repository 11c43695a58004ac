import NexaProtocol
import NexaValue
import Synchronization

typealias Machine = ConnectionMachine<PendingCall>
typealias Pool = PoolMachine<PendingCall>

/// What a server granted at login. One object per distinct answer, so that comparing is cheap.
final class Negotiated: Sendable {
    let capabilities: Set<Capability>
    /// The same as bits.
    let granted: RequiredCapabilities
    let serverVersion: String?
    let username: String
    let role: String
    let endpoint: String

    init(_ reply: Reply.Connected, endpoint: String) {
        capabilities = Set(reply.capabilities)
        granted = RequiredCapabilities(capabilities)
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

// @unchecked: `place`, `isCancelled` and `continuation` are read and written under the driver's lock only, all else
// before the call is handed to the driver, or after its end by the one who made it.
/// One request on its way, from the caller's task to the connection and back. It can be used again; see `SpareCalls`.
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

    /// When a call began and when what of it must be over.
    struct Times {
        /// When the call was made, by the one clock reading that a call costs.
        let start: MonotonicInstant
        /// When the call must be over.
        let deadline: MonotonicInstant
        /// When waiting for a connection must be over.
        let acquireDeadline: MonotonicInstant

        init(start: MonotonicInstant, deadline: MonotonicInstant, acquireTimeout: Duration) {
            self.start = start
            self.deadline = deadline
            acquireDeadline = min(start + acquireTimeout, deadline)
        }
    }

    // One thread at a time reaches them, as said above; checking that at run time again is what a call would feel.
    @exclusivity(unchecked) private(set) var purpose = Purpose.reply
    /// The whole encoded frame; empty when there is nothing to send.
    @exclusivity(unchecked) var frame = MessagePackWriter()
    /// By which the server can be told to stop working on it; `nil` when that is not worth it.
    @exclusivity(unchecked) var tag: UInt64?
    /// What the server must have granted; otherwise nothing is sent.
    @exclusivity(unchecked) private(set) var required: RequiredCapabilities = []
    /// Whether the caller looks at what a good reply says, besides that it is one.
    @exclusivity(unchecked) private(set) var wantsPayload = true
    @exclusivity(unchecked) private(set) var times: Times
    /// The only connection it may use.
    @exclusivity(unchecked) private(set) var lease: ConnectionLease?
    @exclusivity(unchecked) var place = Place.new
    @exclusivity(unchecked) var isCancelled = false
    @exclusivity(unchecked) var continuation: UnsafeContinuation<CallOutcome, Never>?
    /// The calls that are sent right behind this one.
    @exclusivity(unchecked) var followers: [PendingCall] = []
    /// The pipeline that it belongs to, and its place there.
    @exclusivity(unchecked) var group: (CallGroup, index: Int)?

    init(_ times: Times) { self.times = times }

    /// Makes it a call that has not been sent. Its frame stays.
    func prepare(
        _ purpose: Purpose, requiring required: RequiredCapabilities = [], wantsPayload: Bool = true,
        on lease: ConnectionLease? = nil, _ times: Times
    ) {
        self.purpose = purpose
        self.required = required
        self.wantsPayload = wantsPayload
        self.lease = lease
        self.times = times
        place = .new
        isCancelled = false
    }

    /// Lets go of what it holds, its memory for small frames excepted, which is overwritten if they were secret.
    fileprivate func clear() {
        frame.removeAll(keepingAtMost: SpareCalls.keptBytes)
        tag = nil
        lease = nil
        place = .finished
        continuation = nil
        followers = []
        group = nil
    }

    var demand: Pool.Demand { purpose == .lease ? .lease : .requests(1 + followers.count) }
}

/// Calls that have ended, kept to be used again: a call allocates nothing then.
final class SpareCalls: Sendable {
    static let keptCalls = 128
    /// The memory that each of them keeps for its frame.
    static let keptBytes = 1024

    private let calls = Mutex<[PendingCall]>([])

    /// A call without a frame.
    func take(_ times: PendingCall.Times) -> PendingCall {
        calls.withLock { $0.popLast() } ?? PendingCall(times)
    }

    /// Keeps a call whose caller has been resumed, unless someone else still knows it.
    ///
    /// A thread that knew it may have let it go just now, and what it did with the call before must lie before what is
    /// done here. Letting go is a decrement of the count of references with release ordering, and the count that is
    /// read here is what the last decrement left. How it is read is not documented, so the fence, not the reading,
    /// orders what follows behind all those decrements. Nobody can come by a new reference meanwhile: `call` is the only
    /// one, and there are no weak ones.
    func give(_ ended: consuming PendingCall) {
        var call = ended
        guard isKnownUniquelyReferenced(&call) else { return }
        atomicMemoryFence(ordering: .acquiring)
        call.clear()
        let kept = call
        calls.withLock { if $0.count < Self.keptCalls { $0.append(kept) } }
    }

    /// Lets all of them go.
    func removeAll() { calls.withLock { $0 = [] } }
}
