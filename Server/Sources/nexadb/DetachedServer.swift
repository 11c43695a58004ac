import Glibc
import NexaServer

/// What a server in the background tells: to `nexadb start`, while that waits, and in files among the data afterwards.
///
/// `nexadb.pid` holds its number and is there while it serves; `nexadb.run` holds how it was started.
struct DetachedServer {
    /// Where `nexadb start` listens.
    static let reportDescriptor: CInt = 3
    private let options: Options

    init(_ options: Options) { self.options = options }

    static func pidFile(_ directory: String) -> String { directory + "/nexadb.pid" }
    static func runFile(_ directory: String) -> String { directory + "/nexadb.run" }

    /// Writes the files and tells of the password and the port. Who started it may be gone; the server serves anyway.
    func tell(_ server: NexaServer) {
        let directory = options.dataDirectory
        let record = RunRecord(
            process: getpid(), version: NexaServer.version,
            address: server.port.map { "\(options.host ?? "127.0.0.1"):\($0)" }, socketPath: options.socketPath,
            logFile: options.logFile, options: options.given.filter { $0.flag != "--log-file" })
        do throws(LifecycleFailure) {
            try Self.replace(Self.runFile(directory), with: record.text)
            try Self.replace(Self.pidFile(directory), with: "\(getpid())\n")
        } catch {
            Main.say("nexadb: \(error.message)\n")
        }
        // Not into the log: that is kept.
        if let password = server.generatedRootPassword, !report("password \(password)\n") {
            Main.say("Nobody was there to be told the password of root; nexadb --reset-root-password makes a new one\n")
        }
        _ = report("ready\n")
        close(Self.reportDescriptor)
    }

    func removePidFile() { unlink(Self.pidFile(options.dataDirectory)) }

    private func report(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { write(Self.reportDescriptor, $0.baseAddress, $0.count) == $0.count }
    }

    private static func replace(_ path: String, with text: String) throws(LifecycleFailure) {
        let draft = path + ".new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .system("write", draft) }
        var text = text
        let isWhole = text.withUTF8 { write(descriptor, $0.baseAddress, $0.count) == $0.count }
        guard close(descriptor) == 0, isWhole, rename(draft, path) == 0 else {
            let failure = LifecycleFailure.system("write", path)
            unlink(draft)
            throw failure
        }
    }
}

/// How a server in the background was started: lines of `name value`, with control characters written as `%0A`.
struct RunRecord {
    var process: pid_t
    var version: String
    /// `nil` without TCP.
    var address: String?
    var socketPath: String?
    var logFile: String?
    var options: [Options.Given]

    private static let maximumBytes = 1 << 20

    var text: String {
        var lines = ["process \(process)", "version \(version)"]
        if let address { lines.append("address \(address)") }
        if let socketPath { lines.append("socket \(socketPath)") }
        if let logFile { lines.append("log \(logFile)") }
        lines += options.map { "option \($0.flag)" + ($0.value.map { "=" + $0 } ?? "") }
        return lines.map { Self.escaped($0) + "\n" }.joined()
    }

    init(
        process: pid_t, version: String, address: String?, socketPath: String?, logFile: String?,
        options: [Options.Given]
    ) {
        self.process = process
        self.version = version
        self.address = address
        self.socketPath = socketPath
        self.logFile = logFile
        self.options = options
    }

    /// What was written at the last start in a data directory; `nil` when there is nothing that can be understood.
    init?(directory: String) {
        let descriptor = open(DetachedServer.runFile(directory), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.maximumBytes)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        self.init(process: 0, version: "", address: nil, socketPath: nil, logFile: nil, options: [])
        for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = Self.unescaped(parts[1])
            switch parts[0] {
            case "process": process = pid_t(value) ?? 0
            case "version": version = value
            case "address": address = value
            case "socket": socketPath = value
            case "log": logFile = value
            case "option":
                let pair = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                options.append(.init(flag: pair[0], value: pair.count == 2 ? pair[1] : nil))
            default: break
            }
        }
        guard process > 0 else { return nil }
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.value < 32 || scalar == "%" {
                result += "%" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16, uppercase: true)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func unescaped(_ text: Substring) -> String {
        var parts = text.split(separator: "%", omittingEmptySubsequences: false)
        var result = String(parts.removeFirst())
        for part in parts {
            guard let code = UInt8(part.prefix(2), radix: 16) else { continue }
            result.unicodeScalars.append(Unicode.Scalar(code))
            result += part.dropFirst(2)
        }
        return result
    }
}
