import Glibc

/// A file that appears under its name only when it is whole: written as `name.part`, synced, then renamed.
///
/// What is no regular file, such as a pipe or a device, has no such moment and is written to directly.
final class ExportFile {
    private let path: String
    /// `nil` for what is written directly.
    private let partPath: String?
    private let descriptor: CInt
    let sink: DescriptorSink
    private var isComplete = false

    /// - Parameter isAtomic: whether a target that cannot appear whole is refused.
    init(_ target: String, isAtomic: Bool = false) throws(ShellError) {
        var status = stat()
        let isThere = stat(target, &status) == 0
        let isDirect = isThere && status.st_mode & S_IFMT != S_IFREG
        if isDirect, status.st_mode & S_IFMT == S_IFDIR {
            throw ShellError("cannot write \(target): it is a folder; export --all writes to folders", exit: .file)
        }
        if isDirect, isAtomic {
            throw ShellError("\(target) is no regular file, so it cannot appear as a whole", exit: .file)
        }
        // A link stays one: what it points to is replaced.
        path = isThere && !isDirect ? Self.resolved(target) : target
        let partPath = isDirect ? nil : path + ".part"
        let flags = partPath == nil ? O_WRONLY | O_CLOEXEC | O_NOCTTY : O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW
        let name = partPath ?? path
        descriptor = open(name, flags, 0o666)
        self.partPath = partPath
        sink = DescriptorSink(descriptor, name: name)
        guard descriptor >= 0 else {
            isComplete = true
            throw ShellError("cannot write \(name): \(systemMessage(errno))", exit: .file)
        }
        guard partPath != nil else { return }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            isComplete = true
            throw ShellError("cannot write \(name): another export is writing it", exit: .file)
        }
        // Something may be left of an export that was killed.
        guard ftruncate(descriptor, 0) == 0 else {
            throw ShellError("cannot write \(name): \(systemMessage(errno))", exit: .file)
        }
    }

    deinit {
        if let partPath, !isComplete { unlink(partPath) }
        if descriptor >= 0 { close(descriptor) }
    }

    /// Makes the file durable and gives it its name.
    func complete() throws(ShellError) {
        try attempt { () throws(OutputError) in try sink.flush() }
        guard let partPath else { return }
        guard fsync(descriptor) == 0, rename(partPath, path) == 0 else {
            throw ShellError("cannot write \(path): \(systemMessage(errno))", exit: .file)
        }
        isComplete = true
        // The new name is durable with its folder; a file system that cannot sync folders has done what it can.
        Self.sync(folder: path.lastIndex(of: "/").map { path[..<$0].isEmpty ? "/" : String(path[..<$0]) } ?? ".")
    }

    static func sync(folder: String) {
        let handle = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard handle >= 0 else { return }
        fsync(handle)
        close(handle)
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }
}
