/// How one call differs from the client's configuration. Nothing is inherited silently.
public struct CallOptions: Sendable {
    /// How safe a write must be before it is acknowledged.
    public enum Durability: String, Sendable, Hashable {
        /// On the disk: it survives a loss of power.
        case sync
        /// With the operating system: it survives the end of the server process.
        case os
    }

    /// The time for the whole call, waiting and retries included; `nil` for the configuration's `operationTimeout`.
    public var timeout: Duration?
    /// True when executing the call twice does no harm, so that it may be sent again after a lost reply.
    public var isIdempotent: Bool
    /// For writes; `nil` for the server's default.
    public var durability: Durability?
    /// Where the messages about this call go, instead of to the client's log.
    public var log: NexaLog?

    /// Creates options.
    public init(
        timeout: Duration? = nil, isIdempotent: Bool = false, durability: Durability? = nil, log: NexaLog? = nil
    ) {
        self.log = log
        self.timeout = timeout
        self.isIdempotent = isIdempotent
        self.durability = durability
    }

    /// The options of a call that says nothing.
    public static let standard = CallOptions()
}
