import CNexaProcess
import Glibc

/// Who has a data directory, asked of the lock on it: the kernel lets go of that when its holder ends, however it ends.
///
/// Numbers in files may be those of dead processes, or by now of others: they are believed only of a process that has
/// the locked file open.
enum DirectoryHolder {
    /// Nobody, or there is no data directory.
    case nobody
    case process(pid_t)
    /// A process that cannot be seen from here: in another container, on another machine, of another user.
    case unseen

    /// Who it is now. The question itself holds the lock for a moment, which the server puts up with.
    static func of(_ directory: String) throws(LifecycleFailure) -> DirectoryHolder {
        let path = directory + "/LOCK"
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return .nobody }
            throw .system("open", path)
        }
        defer { close(descriptor) }
        // The holder writes its number right behind taking the lock.
        for _ in 0..<50 {
            if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return .nobody }
            guard errno == EWOULDBLOCK || errno == EINTR else { throw .system("lock", path) }
            if let process = number(in: descriptor), has(process, open: descriptor) { return .process(process) }
            usleep(2000)
        }
        return .unseen
    }

    /// Removes what a dead server has left, unless a living one has the directory.
    static func removeStalePidFile(_ directory: String) {
        let descriptor = open(directory + "/LOCK", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // A server that starts now waits until it is gone, so it is not its own that is removed.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return }
        unlink(DetachedServer.pidFile(directory))
    }

    private static func number(in descriptor: CInt) -> pid_t? {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return pid_t(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self)).flatMap {
            $0 > 0 ? $0 : nil
        }
    }

    /// Whether a process has this very file open.
    private static func has(_ process: pid_t, open file: CInt) -> Bool {
        var wanted = stat()
        guard fstat(file, &wanted) == 0, let folder = opendir("/proc/\(process)/fd") else { return false }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            var found = stat()
            guard name.first != ".", stat("/proc/\(process)/fd/\(name)", &found) == 0 else { continue }
            if found.st_dev == wanted.st_dev, found.st_ino == wanted.st_ino { return true }
        }
        return false
    }
}

/// A process by a descriptor, so that a signal reaches it or nobody.
struct ProcessHandle: ~Copyable {
    private let descriptor: CInt

    /// `nil` when it has ended.
    init?(_ process: pid_t) {
        descriptor = nexadb_process_open(process)
        guard descriptor >= 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// Whether it has ended, after waiting at most that long.
    func hasEnded(within milliseconds: CInt) -> Bool {
        var end = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&end, 1, milliseconds) > 0
    }

    /// Sends a signal; the result is 0 or the number of the error.
    func signal(_ number: CInt) -> CInt { nexadb_process_signal(descriptor, number) == 0 ? 0 : errno }
}

/// Why a command about a server in the background failed.
struct LifecycleFailure: Error {
    var message: String
    var code: Int32 = 1

    init(_ message: String, code: Int32 = 1) {
        self.message = message
        self.code = code
    }

    /// The system call that just failed.
    static func system(_ call: String, _ path: String) -> LifecycleFailure {
        LifecycleFailure("cannot \(call) \(path): \(String(cString: strerror(errno)))")
    }
}
