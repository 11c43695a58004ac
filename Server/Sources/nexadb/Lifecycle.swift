import CNexaProcess
import Glibc
import NexaServer

/// A server in the background: `nexadb start`, `stop`, `restart` and `status`.
struct Lifecycle {
    let options: Options
    let directory: String

    init(_ options: Options) {
        self.options = options
        directory = Self.absolute(options.dataDirectory)
    }

    /// Carries the command out; the result is the exit code.
    func run() -> Int32 {
        do throws(LifecycleFailure) {
            switch options.action {
            case .start: try start(with: options.given)
            case .stop: try stop()
            case .restart: try restart()
            case .status: return try status()
            default: break
            }
            return 0
        } catch {
            Main.say("nexadb: \(error.message)\n")
            return error.code
        }
    }

    // MARK: Stop and restart

    private func stop() throws(LifecycleFailure) {
        guard case let holder = try DirectoryHolder.of(directory), case .process(let process) = holder else {
            if case .unseen = try DirectoryHolder.of(directory) { throw unseen }
            DirectoryHolder.removeStalePidFile(directory)
            return print("No server has \(directory)")
        }
        // Between the two questions the number cannot come to mean another process: the handle was there before the second.
        guard let handle = ProcessHandle(process), case .process(process) = try DirectoryHolder.of(directory) else {
            return print("nexadb has stopped (process \(process))")
        }
        // A second SIGTERM makes a server leave without an answer to what it has received.
        if !isStopping(process) {
            let problem = handle.signal(SIGTERM)
            guard problem == 0 || problem == ESRCH else {
                throw LifecycleFailure("cannot stop process \(process): \(String(cString: strerror(problem)))")
            }
        }
        let meter = WaitMeter("Waiting for process \(process) to leave")
        while !handle.hasEnded(within: 50) {
            guard meter.seconds < options.patience else {
                meter.end()
                throw LifecycleFailure(
                    "process \(process) has not left within \(options.patience) s; it still answers what it has received"
                )
            }
            meter.show()
        }
        meter.end()
        print("nexadb has stopped (process \(process))")
    }

    private func restart() throws(LifecycleFailure) {
        let record = RunRecord(directory: directory)
        if case .process(let process) = try DirectoryHolder.of(directory), record?.process != process {
            throw LifecycleFailure(
                "process \(process) was not started by 'nexadb start', so its options are not known: stop it, then start"
            )
        }
        let isGivenAny = options.given.contains { !$0.isOfEnvironment }
        var given = isGivenAny ? options.given : record?.options ?? options.given
        if !isGivenAny, let path = record?.logFile { given.append(.init(flag: "--log-file", value: path)) }
        try stop()
        try start(with: given)
    }

    /// Whether a server that was started by `start` has begun to leave: it has removed its pid file.
    private func isStopping(_ process: pid_t) -> Bool {
        access(DetachedServer.pidFile(directory), F_OK) != 0 && RunRecord(directory: directory)?.process == process
    }

    var unseen: LifecycleFailure {
        LifecycleFailure(
            "\(directory) is in use by a process that cannot be seen from here, perhaps in another container or of "
                + "another user; ask there")
    }

    // MARK: Status

    private func status() throws(LifecycleFailure) -> Int32 {
        let process: pid_t
        switch try DirectoryHolder.of(directory) {
        case .nobody:
            print("No server has \(directory)")
            if access(DetachedServer.pidFile(directory), F_OK) == 0 {
                print("The last one did not leave by itself; its pid file means nobody any more")
            }
            return 3
        case .unseen: throw unseen
        case .process(let found): process = found
        }
        let record = RunRecord(directory: directory).flatMap { $0.process == process ? $0 : nil }
        let isDetached = ProcessFacts.arguments(of: process).contains("--detached")
        let state =
            record == nil ? isDetached ? "starting" : "running" : isStopping(process) ? "stopping" : "running"
        print("nexadb is \(state)")
        func say(_ name: String, _ value: String?) {
            guard let value else { return }
            print("  \(name)\(String(repeating: " ", count: 16 - name.count))\(value)")
        }
        say("process", "\(process)")
        say("up", ProcessFacts.uptime(of: process).map(Self.described))
        say("version", record?.version)
        say("address", record?.address)
        say("socket", record?.socketPath)
        say("data directory", directory)
        say("log", record?.logFile)
        if record == nil, !isDetached { say("started", "not by 'nexadb start', so its address is not known here") }
        return 0
    }

    private static func described(_ seconds: Int) -> String {
        let parts = [
            ("d", seconds / 86_400), ("h", seconds / 3600 % 24), ("min", seconds / 60 % 60), ("s", seconds % 60)
        ]
        guard let first = parts.firstIndex(where: { $0.1 > 0 }) else { return "0 s" }
        return parts[first...].prefix(2).map { "\($0.1) \($0.0)" }.joined(separator: " ")
    }

    // MARK: Paths

    /// A path that means the same in every folder.
    static func absolute(_ path: String) -> String {
        if let resolved = realpath(path, nil) {
            defer { free(resolved) }
            return String(cString: resolved)
        }
        guard !path.hasPrefix("/"), let here = getcwd(nil, 0) else { return path }
        defer { free(here) }
        return String(cString: here) + "/" + path
    }
}

/// What the kernel tells of a process.
enum ProcessFacts {
    /// The words of its command line; none when it cannot be read.
    static func arguments(of process: pid_t) -> [String] {
        text("/proc/\(process)/cmdline").split(separator: "\0").map(String.init)
    }

    /// For how many seconds it has been running.
    static func uptime(of process: pid_t) -> Int? {
        // The name in parentheses may hold anything; the 20th word behind it is the start in ticks since the boot.
        let fields = text("/proc/\(process)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 19, let ticks = Double(fields[19]),
            let now = text("/proc/uptime").split(separator: " ").first.flatMap({ Double($0) })
        else { return nil }
        return max(0, Int(now - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))))
    }

    private static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}

/// How long something has been waited for, on standard error: a line that changes on a terminal, one each 5 s elsewhere.
final class WaitMeter {
    private let what: String
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let start = ContinuousClock.now
    private var shown = 0

    init(_ what: String) { self.what = what }

    /// The whole seconds since the beginning.
    var seconds: Int { Int((ContinuousClock.now - start).components.seconds) }

    func show() {
        let seconds = seconds
        guard seconds >= shown + (isTerminal ? 1 : 5) else { return }
        shown = seconds
        Main.say(isTerminal ? "\r\(what): \(seconds) s" : "\(what): \(seconds) s\n")
    }

    func end() {
        if isTerminal, shown > 0 { Main.say("\r\u{1B}[K") }
    }
}
