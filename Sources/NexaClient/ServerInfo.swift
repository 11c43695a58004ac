public import NexaProtocol

@_exported public import struct NexaProtocol.Capability

/// What the connected server said of itself at login.
public struct ServerInfo: Sendable, Hashable {
    /// The version of the server software; `nil` for an original 3.0 server, which does not say.
    public var version: String?
    /// What it grants beyond the 3.0 protocol. Calls that need more throw `.unsupported` before sending.
    public var capabilities: Set<Capability>
    /// The user of the connection.
    public var username: String
    /// The user's role: `admin`, `write`, `read` or `guest`.
    public var role: String
    /// The server, as `host:port`.
    public var endpoint: String
}
