import Glibc
import NexaClient
import NexaEngine
import NexaServer
import Synchronization

/// The commands beside running a server: `nexadb backup`, `restore`, `verify`, `check` and `compact`.
struct Maintenance {
    private let options: Options

    init(_ options: Options) { self.options = options }

    /// Something failed, in words.
    private struct Failure: Error {
        var message: String
        var code: Int32 = 1
    }

    /// Carries the command out; the result is the exit code.
    func run() -> Int32 {
        do throws(Failure) {
            switch options.action {
            case .backup(let directory): try backUp(to: directory)
            case .restore(let backup): try restore(backup)
            case .verify(let backup): try verify(backup)
            case .check: try check()
            case .compact: try compact()
            default: break
            }
            return 0
        } catch {
            Main.say("nexadb: \(error.message)\n")
            return error.code
        }
    }

    // MARK: Commands

    private func backUp(to directory: String) throws(Failure) {
        if asksServer { return try backUpOnServer(to: directory) }
        do throws(EngineError) {
            let engine = try open()
            defer { engine.close() }
            let meter = ProgressMeter("Checksums")
            let backup = try engine.backUp(to: directory, progress: meter.show)
            meter.end()
            Main.say("Backup of commit \(backup.sequence): \(backup.fileCount) files, \(backup.byteCount) bytes\n")
        } catch {
            guard error.code == .inUse else { throw failure(error) }
            try backUpOnServer(to: directory)
        }
    }

    private func restore(_ backup: String) throws(Failure) {
        do throws(EngineError) {
            let meter = ProgressMeter("Restoring")
            let restored = try Engine.restore(backup, to: options.dataDirectory, progress: meter.show)
            meter.end()
            Main.say("Restored commit \(restored.sequence) to \(options.dataDirectory)\n")
        } catch {
            throw failure(error)
        }
    }

    private func verify(_ backup: String) throws(Failure) {
        do throws(EngineError) {
            let meter = ProgressMeter("Comparing")
            let verified = try Engine.verify(backup: backup, progress: meter.show)
            meter.end()
            Main.say("The backup of commit \(verified.sequence) is whole: \(verified.byteCount) bytes\n")
        } catch {
            throw Failure(message: "\(error)", code: error.code == .storage ? 3 : 1)
        }
    }

    private func check() throws(Failure) {
        do throws(EngineError) {
            let engine = try open()
            defer { engine.close() }
            let meter = ProgressMeter("Reading documents")
            let report = try engine.check(progress: meter.show)
            meter.end()
            for finding in report.findings { print(finding) }
            let numbers =
                "\(report.documents) documents in \(report.collections) collections, \(report.indexes) indexes, "
                + "\(report.commits) commits in the log"
            guard report.findings.isEmpty else {
                throw EngineError(
                    .storage, "\(numbers): \(report.findings.count) findings",
                    advice: "Keep a copy of the data directory, and restore a backup")
            }
            Main.say("All is well: \(numbers)\n")
        } catch {
            throw Failure(message: "\(error)", code: error.code == .storage ? 3 : 1)
        }
    }

    private func compact() throws(Failure) {
        if asksServer { return try compactOnServer() }
        do throws(EngineError) {
            let engine = try open()
            defer { engine.close() }
            let (before, after) = try engine.compact()
            Main.say("Tables: \(before) bytes before, \(after) bytes after\n")
        } catch {
            guard error.code == .inUse else { throw failure(error) }
            try compactOnServer()
        }
    }

    // MARK: The data directory

    /// A command does not make a data directory where there is none.
    private func open() throws(EngineError) -> Engine {
        guard access(options.dataDirectory + "/FORMAT", F_OK) == 0 else {
            throw EngineError(
                .badRequest, "\(options.dataDirectory) is no data directory", advice: "Name one with --data-dir")
        }
        var settings = EngineOptions()
        settings.logRecovery = options.logRecovery == "strict" ? .strict : .discardAfterDamage
        if let age = options.changeHistoryAge { settings.changeHistoryAge = age }
        if let bytes = options.changeHistoryBytes { settings.changeHistoryBytes = bytes }
        settings.onNotice = { Main.say("\($0)\n") }
        return try Engine.open(at: options.dataDirectory, options: settings)
    }

    private func failure(_ error: EngineError) -> Failure { Failure(message: "\(error)") }

    // MARK: A server

    private var asksServer: Bool { options.socketPath != nil || options.host != nil || options.port != nil }

    private func backUpOnServer(to directory: String) throws(Failure) {
        // The server has a working directory of its own.
        var path = directory
        if !path.hasPrefix("/"), let here = getcwd(nil, 0) {
            path = String(cString: here) + "/" + path
            free(here)
        }
        let backup = try ask { [path] (client) throws(NexaError) in try await client.backUp(to: path) }
        Main.say(
            "Backup of commit \(backup.sequence) in \(backup.directory): \(backup.fileCount) files, "
                + "\(backup.byteCount) bytes\n")
    }

    private func compactOnServer() throws(Failure) {
        let (before, after) = try ask { (client) throws(NexaError) in try await client.compact() }
        Main.say("Tables: \(before) bytes before, \(after) bytes after\n")
    }

    private func ask<Answer: Sendable>(
        _ body: @escaping @Sendable (NexaClient) async throws(NexaError) -> Answer
    ) throws(Failure) -> Answer {
        var configuration: NexaConfiguration
        if let path = options.socketPath {
            configuration = NexaConfiguration(unixSocket: path)
        } else {
            configuration = NexaConfiguration(host: options.host ?? "127.0.0.1", port: Int(options.port ?? 6970))
        }
        if let password = options.rootPassword {
            configuration.credentials = .init(username: Engine.rootName, password: password)
        } else if options.socketPath == nil {
            throw Failure(
                message: "A server has the data directory. Ask it with --socket PATH, or with --host and --port "
                    + "and the password of root in NEXADB_ROOT_PASSWORD.")
        }
        let client = NexaClient(configuration)
        let result = Waiting<Result<Answer, NexaError>>()
        Task {
            do throws(NexaError) {
                result.finish(.success(try await body(client)))
            } catch {
                result.finish(.failure(error))
            }
        }
        switch result.wait() {
        case .success(let answer): return answer
        case .failure(let error):
            throw Failure(message: error.serverMessage.map { "The server says: \($0)" } ?? "\(error)")
        }
    }
}

/// A result that the main thread waits for.
private final class Waiting<Result: Sendable>: Sendable {
    private let result = Mutex<Result?>(nil)

    func finish(_ value: Result) { result.withLock { $0 = value } }

    func wait() -> Result {
        // It takes seconds; whoever waits for it does not see these milliseconds.
        while true {
            if let value = result.withLock({ $0 }) { return value }
            usleep(2000)
        }
    }
}

/// How far something is, on standard error: one line that changes on a terminal, a line each tenth elsewhere.
private final class ProgressMeter {
    private let what: String
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var shown = 0

    init(_ what: String) { self.what = what }

    func show(_ done: Int, _ total: Int) {
        guard total > 0 else { return }
        let percent = Int(Double(done) / Double(total) * 100)
        guard isTerminal ? percent > shown : percent / 10 > shown / 10 else { return }
        shown = percent
        Main.say(isTerminal ? "\r\(what): \(percent) %" : "\(what): \(percent) %\n")
    }

    func end() {
        if isTerminal, shown > 0 { Main.say("\r\u{1B}[K") }
    }
}
