import CNexaProcess
import Glibc

extension Lifecycle {
    /// A log that has grown beyond this is put aside at a start, as `.1`.
    private static let maximumLogBytes = 16 << 20
    private static let shownLogBytes = 4000

    /// Starts a server in a session of its own and returns when it listens.
    func start(with given: [Options.Given]) throws(LifecycleFailure) {
        switch try DirectoryHolder.of(directory) {
        case .process(let process):
            let address = RunRecord(directory: directory).flatMap { $0.process == process ? $0.address : nil }
            return print(
                "nexadb runs already: process \(process)\(address.map { ", \($0)" } ?? ""), data in \(directory)")
        case .unseen: throw unseen
        case .nobody: break
        }
        try Self.makeFolders(directory)
        let directory = Self.absolute(directory)
        DirectoryHolder.removeStalePidFile(directory)
        let logPath =
            given.last { $0.flag == "--log-file" }?.value.map(Self.absolute)
            ?? options.logFile.map(Self.absolute) ?? directory + "/nexadb.log"
        let log = try Self.openLog(logPath)
        defer { close(log) }
        let logStart = lseek(log, 0, SEEK_END)

        var arguments = ["nexadb", "--detached", "--data-dir=\(directory)", "--log-file=\(logPath)"]
        for option in given where option.flag != "--log-file" {
            let isPath = Options.definitions.first { $0.flag == option.flag }?.kind.isPath == true
            let value = isPath ? option.value.map(Self.absolute) : option.value
            arguments.append(option.flag + (value.map { "=" + $0 } ?? ""))
        }
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .system("make", "a pipe") }
        defer { close(ends[0]) }
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        let program = Self.ownProgram
        let process = withCStrings(arguments) { nexadb_spawn_detached(program, $0, environ, log, ends[1]) }
        close(ends[1])
        guard process > 0 else { throw .system("start", "nexadb") }
        try wait(for: process, report: ends[0], log: (logPath, log, logStart))
        let address = RunRecord(directory: directory).flatMap { $0.process == process ? $0 : nil }
        let places = [address?.address, address?.socketPath].compactMap { $0 }.joined(separator: ", ")
        print("nexadb runs: process \(process), \(places), data in \(directory)\nIts log is \(logPath)")
    }

    /// Reads what the server reports until it is ready or ends.
    private func wait(
        for process: pid_t, report: CInt, log: (path: String, file: CInt, start: off_t)
    ) throws(LifecycleFailure) {
        let meter = WaitMeter("Waiting for process \(process) to listen")
        var said: [UInt8] = []
        while true {
            var ready = pollfd(fd: report, events: Int16(POLLIN), revents: 0)
            let isReadable = poll(&ready, 1, 50) > 0
            if isReadable {
                var bytes = [UInt8](repeating: 0, count: 4096)
                let count = read(report, &bytes, bytes.count)
                said += bytes.prefix(max(0, count))
                let lines = String(decoding: said, as: UTF8.self).split(separator: "\n")
                if lines.last == "ready" {
                    meter.end()
                    guard let line = lines.first(where: { $0.hasPrefix("password ") }) else { return }
                    return Main.say(Main.passwordNotice(String(line.dropFirst("password ".count))))
                }
                if count == 0 {
                    meter.end()
                    throw ended(process, log)
                }
            }
            guard meter.seconds < options.patience else {
                meter.end()
                throw LifecycleFailure(
                    "process \(process) does not listen after \(options.patience) s; it goes on starting. "
                        + "Its log is \(log.path)" + Self.tail(of: log.file, from: log.start))
            }
            meter.show()
        }
    }

    /// The server closed its report without being ready: it has ended, or will at once.
    private func ended(_ process: pid_t, _ log: (path: String, file: CInt, start: off_t)) -> LifecycleFailure {
        var code: CInt = 0
        var how = "the server did not start"
        for _ in 0..<500 {
            let answer = nexadb_process_collect(process, &code)
            if answer == 1 { how += code > 128 ? " (signal \(code - 128))" : " (code \(code))" }
            if answer != 0 { break }
            usleep(10_000)
        }
        let end = Self.tail(of: log.file, from: log.start)
        return LifecycleFailure("\(how)\(end.isEmpty ? "; \(log.path) says nothing" : ". \(log.path) says:\(end)")")
    }

    /// By its path: the system names a process after that.
    private static var ownProgram: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        guard length > 0, length < buffer.count else { return "/proc/self/exe" }
        return String(decoding: buffer.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    // MARK: Files

    private static func openLog(_ path: String) throws(LifecycleFailure) -> CInt {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > maximumLogBytes {
            rename(path, path + ".1")
        }
        // Read as well: a failed start shows the end of it.
        let file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0o600)
        guard file >= 0 else { throw .system("write", path) }
        return file
    }

    /// What was written since a start, the end of it, on lines of its own.
    private static func tail(of file: CInt, from start: off_t) -> String {
        let end = lseek(file, 0, SEEK_END)
        var bytes = [UInt8](repeating: 0, count: shownLogBytes)
        let count = pread(file, &bytes, bytes.count, max(start, end - off_t(shownLogBytes)))
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").suffix(20)
            .map { "\n  " + $0 }.joined()
    }

    /// Creates a folder and those above it.
    private static func makeFolders(_ path: String) throws(LifecycleFailure) {
        var created = ""
        for part in path.split(separator: "/") {
            created += "/" + part
            guard mkdir(created, 0o700) != 0, errno != EEXIST else { continue }
            let code = errno
            var status = stat()
            guard stat(created, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR else { continue }
            errno = code
            throw .system("create", created)
        }
    }
}

/// Calls `body` with strings for C, ended by a null pointer.
private func withCStrings<R>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
) -> R {
    let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
    for (index, string) in strings.enumerated() { pointers[index] = strdup(string) }
    pointers[strings.count] = nil
    defer {
        for index in strings.indices { free(pointers[index]) }
        pointers.deallocate()
    }
    return body(pointers)
}
