import CLineEditor
import Glibc

/// Finds the password without ever showing it.
struct PasswordFinder {
    /// A password and whether it is the one every new server has.
    struct Found: Equatable {
        var password: String?
        var isDefault = false
    }

    private static let maximumBytes = 1024
    private static let maximumFileBytes = 256 << 10
    let invocation: Invocation
    let environment: [String: String]
    let standardInput: ByteInput?
    let signals: CInt

    /// Looks where the invocation says, in this order: file, descriptor, standard input, value, prompt, environment,
    /// `~/.nexapass`; then, for root on this machine, the default password of the original.
    func find(_ plan: ConnectionPlan) throws(PasswordError) -> Found {
        if let source = invocation.passwords.min(by: { Self.rank($0) < Self.rank($1) }) {
            return Found(password: try read(source, plan))
        }
        for name in ["NEXADB_PASSWORD_FILE", "NEXA_PASSWORD_FILE"] {
            if let path = environment[name], !path.isEmpty { return Found(password: try secretFile(path, plan)) }
        }
        if let password = environment["NEXADB_PASSWORD"] ?? environment["NEXA_PASSWORD"] {
            return Found(password: password)
        }
        if let home = environment["HOME"], access(home + "/.nexapass", F_OK) == 0 {
            let text = try Self.contents(home + "/.nexapass")
            if let password = PasswordTable.password(in: text, for: plan.passwordKey, isSecretFile: false) {
                return Found(password: password)
            }
        }
        if plan.username == "root", plan.isLoopback { return Found(password: "nexadb123", isDefault: true) }
        return Found(password: nil)
    }

    private static func rank(_ source: Invocation.PasswordSource) -> Int {
        switch source {
        case .file: 0
        case .descriptor: 1
        case .standardInput: 2
        case .value: 3
        case .prompt: 4
        }
    }

    private func read(_ source: Invocation.PasswordSource, _ plan: ConnectionPlan) throws(PasswordError) -> String {
        switch source {
        case .file(let path): return try secretFile(path, plan)
        case .descriptor(let descriptor): return try Self.firstLine(descriptor, "descriptor \(descriptor)")
        case .standardInput:
            guard let standardInput, case .line(let line) = standardInput.next(.answer) else {
                throw .unusable("--password-stdin: standard input holds no line")
            }
            return line
        case .value(let password): return password
        case .prompt: return try Self.prompt("Password: ", signals: signals)
        }
    }

    private func secretFile(_ path: String, _ plan: ConnectionPlan) throws(PasswordError) -> String {
        let text = try Self.contents(path)
        guard let password = PasswordTable.password(in: text, for: plan.passwordKey, isSecretFile: true) else {
            throw .unusable("\(path) holds no password for \(plan.username) at \(plan.display)")
        }
        return password
    }

    /// What is in a regular file that only its owner, who is us, may touch.
    static func contents(_ path: String) throws(PasswordError) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else { throw .unusable("cannot read \(path): \(systemMessage(errno))") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .unusable("\(path) is no regular file")
        }
        guard status.st_uid == geteuid() else { throw .unusable("\(path) belongs to somebody else") }
        guard status.st_mode & 0o077 == 0 else {
            throw .unusable("\(path) can be read by others; run: chmod 600 \(path)")
        }
        guard status.st_size <= maximumFileBytes else { throw .unusable("\(path) is too long for passwords") }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size) + 1)
        defer { for index in bytes.indices { bytes[index] = 0 } }
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw .unusable("cannot read \(path): \(systemMessage(errno))") }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    private static func firstLine(_ descriptor: CInt, _ name: String) throws(PasswordError) -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count <= maximumBytes {
            let count = Glibc.read(descriptor, &byte, 1)
            if count < 0 {
                if errno == EINTR { continue }
                throw .unusable("cannot read \(name): \(systemMessage(errno))")
            }
            if count == 0 || byte == 0x0A { break }
            bytes.append(byte)
        }
        guard bytes.count <= maximumBytes else { throw .unusable("\(name) holds no password: its line is too long") }
        if bytes.last == 0x0D { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Asks on the terminal itself, so that standard input and output may be redirected.
    static func prompt(
        _ label: String, signals: CInt,
        otherWays: String = "--password-file, --password-stdin or NEXADB_PASSWORD"
    ) throws(PasswordError) -> String {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard terminal >= 0, nexa_terminal_begin_secret(terminal) == 0 else {
            if terminal >= 0 { close(terminal) }
            throw .unusable("there is no terminal to ask for the password; use \(otherWays)")
        }
        defer {
            nexa_terminal_end_secret(terminal)
            close(terminal)
        }
        _ = writeAll(terminal, [UInt8](label.utf8))
        defer { _ = writeAll(terminal, [0x0A]) }
        var bytes: [UInt8] = []
        defer { for index in bytes.indices { bytes[index] = 0 } }
        var byte: UInt8 = 0
        while bytes.count < maximumBytes {
            var ready = [
                pollfd(fd: terminal, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            ]
            _ = poll(&ready, nfds_t(signals >= 0 ? 2 : 1), -1)
            let signal = nexa_signals_take()
            if signal != 0, signal != SIGWINCH { throw .signal(signal) }
            guard ready[0].revents != 0 else { continue }
            let count = Glibc.read(terminal, &byte, 1)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            if count <= 0 {
                guard !bytes.isEmpty else { throw .unusable("no password was given") }
                break
            }
            if byte == 0x0A { break }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Why there is no password.
enum PasswordError: Error, Equatable {
    case unusable(String)
    /// Ctrl-C or another signal ended the asking.
    case signal(CInt)
}
