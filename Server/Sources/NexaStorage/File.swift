import Glibc

/// An open file descriptor, closed with the value's owner. Thin words around the system calls.
final class File: Sendable {
    let descriptor: Int32
    let path: String

    /// Opens a file; `flags` as for `open(2)`, close-on-exec added.
    init(_ path: String, flags: Int32, mode: mode_t = 0o600) throws(StorageError) {
        let descriptor = retrying { open(path, flags | O_CLOEXEC, mode) }
        guard descriptor >= 0 else { throw .system("open", path) }
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    /// The size of the file in bytes.
    func size() throws(StorageError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("read the size of", path) }
        return Int(status.st_size)
    }

    /// Writes all the bytes at an offset.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(StorageError) {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = retrying { pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written)) }
            guard count > 0 else { throw .system("write to", path) }
            written += count
        }
    }

    /// Writes all the bytes at an offset.
    func write(_ bytes: [UInt8], at offset: Int) throws(StorageError) {
        let result = bytes.withUnsafeBytes { buffer -> Result<Void, StorageError> in
            Result { () throws(StorageError) in try write(buffer, at: offset) }
        }
        try result.get()
    }

    /// Fills `buffer` from an offset and returns how much there was.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(StorageError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = retrying { pread(descriptor, rest.baseAddress, rest.count, off_t(offset + filled)) }
            guard count >= 0 else { throw .system("read", path) }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// Waits until everything written is on the device.
    func synchronize() throws(StorageError) {
        guard retrying({ fdatasync(descriptor) }) == 0 else { throw .system("flush", path) }
    }

    /// The whole content of a small file, or `nil` when there is none.
    static func contents(of path: String, limit: Int = 1 << 16) throws(StorageError) -> [UInt8]? {
        guard access(path, F_OK) == 0 else { return nil }
        let file = try File(path, flags: O_RDONLY)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(try file.size(), limit), alignment: 16)
        defer { buffer.deallocate() }
        let count = try file.read(into: buffer, at: 0)
        return [UInt8](buffer[0..<count])
    }

    /// Replaces a small file so that a crash leaves either the old or the new content.
    static func replace(_ path: String, with text: String) throws(StorageError) {
        let temporary = path + ".new"
        do {
            let file = try File(temporary, flags: O_WRONLY | O_CREAT | O_TRUNC)
            let bytes = [UInt8](text.utf8)
            try file.write(bytes, at: 0)
            try file.synchronize()
        }
        guard rename(temporary, path) == 0 else { throw .system("rename", temporary) }
        try synchronizeDirectory(parent(of: path))
    }

    /// Makes creations, renames and removals in a directory durable.
    static func synchronizeDirectory(_ path: String) throws(StorageError) {
        let directory = try File(path, flags: O_RDONLY | O_DIRECTORY)
        guard retrying({ fsync(directory.descriptor) }) == 0 else { throw .system("flush", path) }
    }

    /// Creates a directory and those above it; one that exists is fine.
    static func createDirectory(_ path: String) throws(StorageError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        let above = parent(of: path)
        guard errno == ENOENT, above != path else { throw .system("create directory", path) }
        try createDirectory(above)
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system("create directory", path) }
    }

    /// The names in a directory, sorted, without `.` and `..`.
    static func list(_ path: String) throws(StorageError) -> [String] {
        guard let directory = opendir(path) else { throw .system("list", path) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

/// Repeats a system call that a signal interrupted.
func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

extension StorageError {
    /// The error of the system call that just failed.
    static func system(_ verb: String, _ path: String, number: Int32 = errno) -> StorageError {
        let reason = String(cString: strerror(number))
        let message = "Cannot \(verb) \(path): \(reason)"
        return switch number {
        case ENOSPC, EDQUOT:
            StorageError(.diskFull, message, advice: "Free space on the device and start the server again")
        case EACCES, EPERM, EROFS:
            StorageError(.inputOutput, message, advice: "Give the server's user write permission to the data directory")
        default: StorageError(.inputOutput, message, advice: "Check the device and the kernel log")
        }
    }
}
