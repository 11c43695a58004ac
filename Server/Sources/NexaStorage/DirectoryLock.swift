import Glibc

/// The exclusive claim of one store on a data directory, released with the object.
///
/// `flock` belongs to the open file, not to the process, so a second store in the same process is
/// refused as well; the kernel lets go of it when the process dies, however it dies. The file holds the
/// holder's process id for the message only.
final class DirectoryLock: Sendable {
    private let file: File

    init(directory: String) throws(StorageError) {
        file = try File(directory + "/LOCK", flags: O_RDWR | O_CREAT)
        var isMine = Self.take(file)
        // Whoever asks whether the directory is in use holds the lock for a moment, too (`nexadb status`).
        for _ in 0..<5 where !isMine && errno == EWOULDBLOCK {
            usleep(2000)
            isMine = Self.take(file)
        }
        guard isMine else {
            guard errno == EWOULDBLOCK else { throw .system("lock", file.path) }
            let holder = String(decoding: try File.contents(of: file.path) ?? [], as: UTF8.self)
            let digits = String(holder.prefix { $0.isNumber })
            let who =
                digits.isEmpty
                ? "another process" : digits == String(getpid()) ? "this process (\(digits))" : "process \(digits)"
            throw StorageError(
                .locked, "The data directory \(directory) is in use by \(who)",
                advice: "Stop that server, or choose another directory with --data-dir")
        }
        guard ftruncate(file.descriptor, 0) == 0 else { throw .system("write to", file.path) }
        let text = [UInt8]("\(getpid())\n".utf8)
        try file.write(text, at: 0)
    }

    private static func take(_ file: File) -> Bool {
        retrying { flock(file.descriptor, LOCK_EX | LOCK_NB) } == 0
    }

    /// Lets go before the object does.
    func release() { _ = flock(file.descriptor, LOCK_UN) }
}

/// The version of the on-disk format, kept in a text file that any tool can read.
enum FormatVersion {
    /// What this code writes and reads.
    static let current = 1
    /// What may be there before the first start is done: the log of `nexadb start` among it.
    private static let ownNames: Set<String> = [
        "LOCK", "FORMAT.new", "lost+found", "nexadb.log", "nexadb.log.1", "nexadb.pid", "nexadb.run"
    ]
    private static let magic = "nexadb format "

    /// Refuses a newer or foreign directory; marks an empty one.
    static func check(directory: String) throws(StorageError) {
        let path = directory + "/FORMAT"
        guard let bytes = try File.contents(of: path) else {
            let others = try File.list(directory).filter { !ownNames.contains($0) }
            guard others.isEmpty else {
                throw StorageError(
                    .notADataDirectory, "\(directory) holds \(others[0]) but no FORMAT file, so it is not NexaDB data",
                    advice: "Choose an empty directory with --data-dir")
            }
            return try File.replace(path, with: Self.text)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasPrefix(magic), let version = Int(text.dropFirst(magic.count).prefix { $0.isNumber }) else {
            throw StorageError(
                .corrupted, "\(path) does not hold a format version", advice: "Restore the file from a backup")
        }
        guard version <= current else { throw tooNew(directory, version) }
    }

    /// The content of the file.
    static let text = "\(magic)\(current)\n"

    static func tooNew(_ directory: String, _ version: Int) -> StorageError {
        StorageError(
            .formatTooNew, "\(directory) has format \(version); this server reads formats up to \(current)",
            advice: "Start a server of the version that wrote the directory, or a newer one")
    }
}
