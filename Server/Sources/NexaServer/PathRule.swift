import Glibc
import NexaEngine

/// Which paths of the server's machine a client may name: those below a directory that was configured for it.
enum PathRule {
    /// Where a backup may be written.
    ///
    /// - Parameters:
    ///   - root: the directory below which it has to be; a path that is not absolute is meant to begin there.
    ///   - isFree: whether any absolute path will do: the client is the user of the server process itself.
    /// - Throws: `.badRequest` with advice.
    static func target(_ path: String, below root: String?, isFree: Bool) throws(EngineError) -> String {
        let absolute = try absolute(path, below: root, option: "--backup-directory")
        let parent = String(absolute.prefix(upTo: absolute.lastIndex(of: "/") ?? absolute.startIndex))
        let name = String(absolute.dropFirst(parent.count + 1))
        guard !["", ".", ".."].contains(name) else {
            throw EngineError(.badRequest, "'\(path)' does not name a directory for a backup")
        }
        guard let real = resolved(parent.isEmpty ? "/" : parent) else {
            throw EngineError(.badRequest, "There is no directory '\(parent)' on the server", advice: "Make it first")
        }
        let target = (real == "/" ? "" : real) + "/" + name
        // The directory itself may be a link to somewhere else.
        if isFree { return target }
        return try checked(resolved(target) ?? target, path, below: root, option: "--backup-directory")
    }

    /// What may be read.
    ///
    /// - Throws: `.badRequest` with advice.
    static func source(_ path: String, below root: String?, option: String) throws(EngineError) -> String {
        let absolute = try absolute(path, below: root, option: option)
        guard let real = resolved(absolute) else {
            // Not said before it is clear that the path may be asked about.
            _ = try checked(absolute, path, below: root, option: option)
            throw EngineError(.badRequest, "There is no '\(path)' on the server")
        }
        return try checked(real, path, below: root, option: option)
    }

    private static func absolute(_ path: String, below root: String?, option: String) throws(EngineError) -> String {
        guard !path.isEmpty, path.utf8.count < Int(PATH_MAX), !path.utf8.contains(0) else {
            throw EngineError(.badRequest, "The path is empty, too long, or holds a zero byte")
        }
        if path.hasPrefix("/") { return path }
        guard let root else {
            throw EngineError(
                .badRequest, "'\(path)' is not an absolute path",
                advice: "Give one, or start the server with \(option) DIR")
        }
        return root + "/" + path
    }

    private static func checked(
        _ real: String, _ path: String, below root: String?, option: String
    ) throws(EngineError) -> String {
        guard let root else {
            throw EngineError(
                .badRequest, "This server lets clients use none of its directories for this",
                advice: "Start it with \(option) DIR and use a path below DIR")
        }
        guard let realRoot = resolved(root) else {
            throw EngineError(.badRequest, "The directory of \(option) does not exist", advice: "Make it")
        }
        guard real == realRoot || real.hasPrefix(realRoot == "/" ? "/" : realRoot + "/"),
            !real.split(separator: "/").contains("..")
        else {
            throw EngineError(
                .badRequest, "'\(path)' is not below the directory of \(option)", advice: "Use a path below it")
        }
        return real
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
