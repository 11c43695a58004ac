public import NexaEngine

extension NexaServer {
    /// Gives `root` a new password, in a data directory that no server uses; makes the user when it is missing.
    ///
    /// Whoever may write the directory may do this: it is for an owner who lost the password, or never had one because
    /// an embedded server made the directory.
    ///
    /// - Parameters:
    ///   - dataDirectory: where the documents are; made when it is not there.
    ///   - password: the new password, or `nil` to have one made.
    ///   - options: how the directory is opened.
    /// - Returns: the password that was made, to be shown once; `nil` when one was given.
    /// - Throws: `ServerError` with `.cannotOpenData` when a server has the directory, or the password is unusable.
    public static func resetRootPassword(
        dataDirectory: String, password: String?, options: EngineOptions = EngineOptions()
    ) throws(ServerError) -> String? {
        do throws(EngineError) {
            let engine = try Engine.open(at: dataDirectory, options: options)
            defer { engine.close() }
            return try engine.resetRoot(password: password)
        } catch {
            throw ServerError(.cannotOpenData, error.description)
        }
    }
}
