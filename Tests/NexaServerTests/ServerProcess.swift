import Glibc
import Testing

/// A `nexadb` in a process of its own, which a test may kill.
final class ServerProcess: Sendable {
    let pid: pid_t
    let port: UInt16
    /// What the server wrote on standard error until it was ready.
    let startText: String
    private let standardError: CInt

    /// The directory of the test program, where the package's executables are too.
    static var binaries: String {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count)
        let text = String(decoding: path.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return text.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    }

    /// Starts a server over a directory and waits until it is ready, or has failed.
    init(data: String, options: [String] = []) throws {
        let (pid, standardError) = try Self.spawn(["--data-dir", data, "--port", "0"] + options)
        self.pid = pid
        self.standardError = standardError
        var text = ""
        var port: UInt16?
        var chunk = [UInt8](repeating: 0, count: 4096)
        while port == nil {
            let count = read(standardError, &chunk, chunk.count)
            guard count > 0 else { break }
            text += String(decoding: chunk[..<count], as: UTF8.self)
            if text.hasSuffix("\n"), let ready = text.split(separator: "\n").first(where: { $0.contains(" ready ") }) {
                port = ready.split(separator: " ").first { $0.hasPrefix("port=") }.flatMap { UInt16($0.dropFirst(5)) }
            }
        }
        startText = text
        guard let port else {
            var status: CInt = 0
            waitpid(pid, &status, 0)
            close(standardError)
            throw Peer.Gone(description: "nexadb did not start: \(text)")
        }
        self.port = port
    }

    /// Ends the process with a signal and waits for it; returns its exit code, or minus the signal.
    @discardableResult
    func end(with signal: CInt) -> CInt {
        kill(pid, signal)
        var status: CInt = 0
        waitpid(pid, &status, 0)
        close(standardError)
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
    }

    /// Runs `nexadb` to its end; returns its exit code and what it wrote on standard error.
    static func run(_ arguments: [String]) throws -> (code: CInt, text: String) {
        let (pid, standardError) = try spawn(arguments)
        var text = ""
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = read(standardError, &chunk, chunk.count), count > 0 {
            text += String(decoding: chunk[..<count], as: UTF8.self)
        }
        var status: CInt = 0
        waitpid(pid, &status, 0)
        close(standardError)
        return ((status >> 8) & 0xFF, text)
    }

    private static func spawn(_ arguments: [String]) throws -> (pid: pid_t, standardError: CInt) {
        var pipe: [CInt] = [0, 0]
        guard Glibc.pipe(&pipe) == 0, fcntl(pipe[0], F_SETFD, FD_CLOEXEC) == 0, fcntl(pipe[1], F_SETFD, FD_CLOEXEC) == 0
        else { throw Peer.Gone(description: "pipe: errno \(errno)") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let path = binaries + "/nexadb"
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup("NEXADB_ROOT_PASSWORD=secret"), nil]
        defer { for word in words + environment { free(word) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, path, &actions, nil, &words, &environment)
        close(pipe[1])
        guard result == 0 else {
            close(pipe[0])
            throw Peer.Gone(description: "cannot start \(path): errno \(result)")
        }
        return (pid, pipe[0])
    }
}
