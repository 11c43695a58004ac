import Glibc

/// A file that appears under its name only when it is whole: written as `name.part`, synced, then renamed.
final class ExportFile {
    private let path: String
    private let partPath: String
    private let descriptor: CInt
    let sink: DescriptorSink
    private var isComplete = false

    init(_ path: String) throws(ShellError) {
        self.path = path
        partPath = path + ".part"
        descriptor = open(partPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else {
            throw ShellError("cannot write \(partPath): \(systemMessage(errno))", exit: .file)
        }
        sink = DescriptorSink(descriptor, name: partPath)
    }

    deinit {
        close(descriptor)
        if !isComplete { unlink(partPath) }
    }

    /// Makes the file durable and gives it its name.
    func complete() throws(ShellError) {
        try attempt { () throws(OutputError) in try sink.flush() }
        guard fsync(descriptor) == 0, rename(partPath, path) == 0 else {
            throw ShellError("cannot write \(path): \(systemMessage(errno))", exit: .file)
        }
        isComplete = true
        // The new name is durable with its folder; a file system that cannot sync folders has done what it can.
        let folder = path.lastIndex(of: "/").map { path[..<$0].isEmpty ? "/" : String(path[..<$0]) } ?? "."
        let handle = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard handle >= 0 else { return }
        fsync(handle)
        close(handle)
    }
}
