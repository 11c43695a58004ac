extension NexaServer {
    /// The version of the server software.
    public static let version = "4.0.0"
}
