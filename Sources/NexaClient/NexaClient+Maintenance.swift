import NexaProtocol
import NexaValue

/// A backup that a server has made.
public struct Backup: Sendable, Hashable {
    /// Where it is, on the machine of the server.
    public var directory: String
    /// The last commit in it.
    public var sequence: Int
    /// The number of its files.
    public var fileCount: Int
    /// The size of all of them, in bytes.
    public var byteCount: Int
}

extension NexaClient {
    /// The time of a call that does something with all the data: an hour, unless the options say otherwise.
    static func patient(_ options: CallOptions) -> CallOptions {
        var options = options
        if options.timeout == nil { options.timeout = .seconds(3600) }
        return options
    }

    /// Has the server make a backup on its own machine, while it goes on serving; for administrators.
    ///
    /// - Parameters:
    ///   - directory: not there yet, or empty; below the server's `--backup-directory`, where a path that is not absolute
    ///     begins. Over a Unix socket the server's own user may name any absolute path.
    /// - Throws: `NexaError` with `.invalidRequest` for a directory that cannot be used; `serverMessage` says why.
    @discardableResult
    public func backUp(
        to directory: String, options: CallOptions = .standard
    ) async throws(NexaError) -> Backup {
        let reply = try await core.reply(
            to: .backup(directory: directory), operation: "backUp", options: Self.patient(options),
            requiring: [.maintenance])
        let fields = try reply.fields()
        return Backup(
            directory: fields["directory"]?.string ?? directory, sequence: Int(fields["sequence"]?.int ?? 0),
            fileCount: Int(fields["files"]?.int ?? 0), byteCount: Int(fields["bytes"]?.int ?? 0))
    }

    /// Has the server rewrite its tables without what was deleted or overwritten; for administrators.
    ///
    /// - Returns: the bytes of the tables before and after.
    /// - Throws: `NexaError`.
    @discardableResult
    public func compact(_ options: CallOptions = .standard) async throws(NexaError) -> (before: Int, after: Int) {
        let reply = try await core.reply(
            to: .compact, operation: "compact", options: Self.patient(options), requiring: [.maintenance])
        let fields = try reply.fields()
        return (Int(fields["bytes_before"]?.int ?? 0), Int(fields["bytes_after"]?.int ?? 0))
    }
}
