import CLineEditor
import Glibc
import NexaClient

/// The `nexadb` that serves one folder on a socket inside it, for as long as shells use it.
///
/// It is started when none answers, in a process group of its own so that Ctrl-C does not reach it, and it leaves by
/// itself when its last connection closes. It opens no port, and trusts peers of the same user on the socket.
struct LocalServer {
    let socketPath: String
    private let directory: String
    private let program: String
    private let environment: [String: String]
    private let meter: WireMeter?

    private static let startTimeout = 30.0
    private static let socketName = "nexadb.sock"

    /// A server that was started, or found.
    struct Running: Sendable {
        var client: NexaClient
        var info: ServerInfo
        /// The process, when this shell started it.
        var process: pid_t?
        /// Whether nobody knows the password of root: this shell had the folder made.
        var isNewFolder = false
    }

    /// How to open a folder with a server of its own, for which root needs a password.
    static func passwordHint(_ directory: String) -> String {
        "A new folder. To serve it over TCP later, first give root a password: "
            + "nexadb --data-dir \(shellQuoted(directory)) --reset-root-password"
    }

    /// A word as a POSIX shell reads it.
    private static func shellQuoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B...0x2F, 0x3A, 0x5F, 0x40, 0x80...: true
            default: false
            }
        }
        guard !plain else { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    init(_ directory: String, environment: [String: String], meter: WireMeter? = nil) throws(ShellError) {
        self.meter = meter
        try Self.makeFolders(directory)
        guard let resolved = realpath(directory, nil) else {
            throw ShellError("cannot use \(directory): \(systemMessage(errno))", exit: .file)
        }
        defer { free(resolved) }
        self.directory = String(cString: resolved)
        self.environment = environment
        socketPath = "\(self.directory)/\(Self.socketName)"
        program = try Self.findProgram(environment)
    }

    /// Connects to the server of the folder; starts it when there is none.
    ///
    /// - Parameter configuration: everything but the endpoint.
    func connect(_ configuration: NexaConfiguration) async throws(ShellError) -> Running {
        var configuration = configuration
        configuration.endpoints = [.unix(path: socketPath)]
        let deadline = Clock.now + Self.startTimeout
        // What the server says, until it answers. The folder itself must stay as the server wants it.
        let log = nexa_open_nameless(directory)
        guard log >= 0 else { throw ShellError("cannot write to \(directory): \(systemMessage(errno))", exit: .file) }
        defer { close(log) }
        var process: pid_t?
        let isNewFolder = access(directory + "/FORMAT", F_OK) != 0
        while true {
            let attempt = await Self.attempt(configuration, meter)
            switch attempt {
            case .success(let (client, info)):
                return Running(
                    client: client, info: info, process: process, isNewFolder: isNewFolder && process != nil)
            case .failure(let error):
                if error.code == .cancelled { throw ShellError(error) }
                // It listens, but has no time to answer: a busy machine, which is no reason to start another one.
                if error.code == .poolExhausted, Clock.now < deadline { continue }
                guard error.code == .connectFailed || error.code == .connectionLost || error.code == .shutDown else {
                    throw ShellError(error)
                }
            }
            if let running = process {
                var code: CInt = 0
                if nexa_wait_child(running, 0, &code) == 1 {
                    // A server of an earlier shell may still hold the folder while it shuts down: try again until it is gone.
                    // One that ended by itself saw an attempt come and go that had waited long enough.
                    let said = Self.tail(of: log)
                    process = nil
                    guard Clock.now < deadline, code == 0 || Self.saysFolderIsHeld(said) else {
                        throw ShellError("nexadb ended with code \(code)\(said)", exit: .noConnection)
                    }
                    pause(milliseconds: 50)
                }
            } else {
                process = try start(log)
            }
            guard Clock.now < deadline else {
                throw ShellError(
                    "nexadb did not answer on \(socketPath) in time\(Self.tail(of: log))", exit: .noConnection)
            }
            pause(milliseconds: 2)
        }
    }

    private static func attempt(
        _ configuration: NexaConfiguration, _ meter: WireMeter?
    ) async -> Result<(NexaClient, ServerInfo), NexaError> {
        let client = NexaClient(configuration, observer: meter)
        do throws(NexaError) {
            return .success((client, try await client.serverInfo()))
        } catch {
            await client.shutdown(drainingFor: .zero)
            return .failure(error)
        }
    }

    /// Waits for the server to be gone after this shell's connections were closed, so that the folder can be opened at
    /// once. A server that another shell still uses keeps its socket; that one is not waited for.
    static func waitForEnd(_ process: pid_t, socket path: String) {
        let start = Clock.now
        var code: CInt = 0
        while nexa_wait_child(process, 10, &code) == 0 {
            let patience = access(path, F_OK) == 0 ? 0.5 : 5
            if Clock.now - start > patience { return }
        }
    }

    // MARK: Starting

    private func start(_ log: CInt) throws(ShellError) -> pid_t {
        ftruncate(log, 0)
        var kept = environment
        for name in kept.keys where name.hasPrefix("NEXADB_") { kept[name] = nil }
        let arguments = [program, "--data-dir", directory, "--socket", socketPath, "--exit-when-idle"]
        let process = withCStrings(arguments) { arguments in
            withCStrings(kept.map { "\($0.key)=\($0.value)" }) { nexa_spawn(program, arguments, $0, log) }
        }
        guard process > 0 else {
            throw ShellError("cannot start \(program): \(systemMessage(errno))", exit: .noConnection)
        }
        return process
    }

    /// Whether what the server said is that another one has the folder.
    private static func saysFolderIsHeld(_ said: String) -> Bool {
        let said = said.lowercased()
        return said.contains("lock") || said.contains("in use")
    }

    /// The end of what the server said, on lines of its own.
    private static func tail(of log: CInt) -> String {
        let size = lseek(log, 0, SEEK_END)
        var bytes = [UInt8](repeating: 0, count: 2000)
        let count = pread(log, &bytes, bytes.count, max(0, size - bytes.count))
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).trimmed
        return text.isEmpty ? "" : ":\n" + text.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n")
    }

    private func pause(milliseconds: CInt) { _ = poll(nil, 0, milliseconds) }

    /// Creates a folder and those above it.
    private static func makeFolders(_ path: String) throws(ShellError) {
        guard !path.isEmpty else { throw ShellError("--local wants a folder", exit: .usage) }
        var created = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            created += created.isEmpty || created == "/" ? String(part) : "/" + part
            if mkdir(created, 0o700) != 0, errno != EEXIST {
                let code = errno
                var status = stat()
                if stat(created, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { continue }
                throw ShellError("cannot create \(created): \(systemMessage(code))", exit: .file)
            }
        }
    }

    /// `nexadb` beside this program, else `NEXADB_SERVER`, else on the `PATH`.
    private static func findProgram(_ environment: [String: String]) throws(ShellError) -> String {
        var candidates: [String] = []
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        if length > 0 {
            let own = String(decoding: buffer.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
            if let slash = own.lastIndex(of: "/") { candidates.append(String(own[..<slash]) + "/nexadb") }
        }
        if let named = environment["NEXADB_SERVER"], !named.isEmpty { candidates.append(named) }
        for folder in (environment["PATH"] ?? "").split(separator: ":") { candidates.append("\(folder)/nexadb") }
        if let found = candidates.first(where: { access($0, X_OK) == 0 }) { return found }
        throw ShellError(
            "nexadb was not found beside this program, in NEXADB_SERVER or on the PATH", exit: .noConnection)
    }
}

/// Calls `body` with strings for C, ended by a null pointer.
func withCStrings<R>(
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
