import Glibc
import Synchronization

/// The file of `-o` and `\o`.
final class OutputFile: ByteSink {
    /// What becomes of a file that is there, and when it gets its name.
    enum Mode: Sendable {
        /// It is emptied first.
        case replace
        /// What comes stands behind what is there.
        case append
        /// It is written as `name.part`, synced at the end and only then renamed, so that it is never seen half written.
        case atomic
    }

    private let path: String
    private let mode: Mode
    private let descriptor: CInt
    private let sink: DescriptorSink
    private let isClosed = Mutex(false)
    private var writtenPath: String { mode == .atomic ? path + ".part" : path }

    init(_ path: String, _ mode: Mode) throws(ShellError) {
        self.path = path
        self.mode = mode
        let name = mode == .atomic ? path + ".part" : path
        var flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (mode == .append ? O_APPEND : O_TRUNC)
        if mode == .atomic { flags |= O_NOFOLLOW }
        descriptor = open(name, flags, 0o666)
        guard descriptor >= 0 else { throw ShellError("cannot write \(name): \(systemMessage(errno))", exit: .file) }
        sink = DescriptorSink(descriptor, name: name)
    }

    deinit {
        guard !isClosed.withLock({ $0 }) else { return }
        Glibc.close(descriptor)
        if mode == .atomic { unlink(writtenPath) }
    }

    func write(_ bytes: borrowing [UInt8]) throws(OutputError) { try sink.write(bytes) }
    func flush() throws(OutputError) { try sink.flush() }

    /// Ends the file.
    ///
    /// - Parameter isWhole: whether everything that was to be in it is; an atomic file gets its name only then.
    func close(isWhole: Bool) throws(OutputError) {
        let wasClosed = isClosed.withLock { closed in
            defer { closed = true }
            return closed
        }
        guard !wasClosed else { return }
        var code: CInt = 0
        var failure: OutputError?
        do throws(OutputError) { try sink.flush() } catch { failure = error }
        if mode == .atomic, failure == nil, isWhole, fsync(descriptor) != 0 { code = errno }
        if Glibc.close(descriptor) != 0, code == 0 { code = errno }
        if code != 0, failure == nil { failure = OutputError(destination: writtenPath, code: code) }
        guard mode == .atomic else {
            if let failure { throw failure }
            return
        }
        guard failure == nil, isWhole else {
            unlink(writtenPath)
            if let failure { throw failure }
            return
        }
        guard rename(writtenPath, path) == 0 else { throw OutputError(destination: path, code: errno) }
        syncFolder()
    }

    /// The new name is durable with its folder; a file system that cannot sync folders has done what it can.
    private func syncFolder() {
        let folder = path.lastIndex(of: "/").map { path[..<$0].isEmpty ? "/" : String(path[..<$0]) } ?? "."
        let handle = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard handle >= 0 else { return }
        fsync(handle)
        Glibc.close(handle)
    }
}
