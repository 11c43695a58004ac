import Glibc
import NexaEngine
import NexaManual
import NexaServer

@main
enum Main {
    static func main() {
        let options: Options
        do throws(Options.Problem) {
            options = try Options(arguments: Array(CommandLine.arguments.dropFirst())) { name in
                getenv(name).map { String(cString: $0) }
            }
        } catch {
            say("nexadb: \(error.message)\nTry 'nexadb --help'.\n")
            exit(2)
        }
        switch options.action {
        case .help: print(Options.help, terminator: "")
        case .manual: print(Options.manual.manualPage, terminator: "")
        case .completions(let shell): print(Options.manual.completions(for: shell), terminator: "")
        case .version: print("nexadb \(NexaServer.version)")
        case .checkConfiguration: checkConfiguration(options)
        case .run: run(options)
        case .resetRootPassword: resetRootPassword(options)
        case .start, .stop, .status, .restart: exit(Lifecycle(options).run())
        case .backup, .restore, .verify, .check, .compact: exit(Maintenance(options).run())
        }
    }

    private static func run(_ options: Options) {
        // Children inherit nothing of the secret.
        unsetenv("NEXADB_ROOT_PASSWORD")
        signal(SIGPIPE, SIG_IGN)
        // Blocked before the first thread starts, so that only the waiting thread below sees them.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        do throws(ServerError) {
            let server = try NexaServer.startBlocking(configuration(options))
            let detached = options.isDetached ? DetachedServer(options) : nil
            if let detached {
                detached.tell(server)
            } else if let password = server.generatedRootPassword {
                say(passwordNotice(password))
            }
            waitForSignals(signals, server)
            server.waitUntilShutdownRequested()
            // Before the data directory is let go: the next server writes one of its own.
            detached?.removePidFile()
            server.shutdownBlocking()
        } catch {
            say("nexadb: \(error.message)\n")
            exit(1)
        }
    }

    static func passwordNotice(_ password: String) -> String {
        """
        The password of root is \(password)
        It is shown only this once. Set NEXADB_ROOT_PASSWORD before the first start to choose one.

        """
    }

    private static func resetRootPassword(_ options: Options) {
        unsetenv("NEXADB_ROOT_PASSWORD")
        let password: String?
        do throws(SecretPrompt.Problem) {
            if let given = options.rootPassword {
                password = given
            } else {
                password = try SecretPrompt.newPassword(of: Engine.rootName)
            }
        } catch {
            say("nexadb: \(error.message)\n")
            exit(1)
        }
        var engine = EngineOptions()
        engine.logRecovery = options.logRecovery == "strict" ? .strict : .discardAfterDamage
        do throws(ServerError) {
            let generated = try NexaServer.resetRootPassword(
                dataDirectory: options.dataDirectory, password: password, options: engine)
            guard let generated else { return say("The password of root is changed.\n") }
            say("The new password of root, shown only this once:\n")
            print(generated)
        } catch {
            say("nexadb: \(error.message)\n")
            exit(1)
        }
    }

    private static func checkConfiguration(_ options: Options) {
        do throws(ServerError) {
            try NexaServer.check(configuration(options))
        } catch {
            say("nexadb: \(error.message)\n")
            exit(1)
        }
        print(options.effective, terminator: "")
        say("nexadb: the configuration is fine\n")
    }

    /// Not so little that a small machine reads everything from files, and a quarter of a larger one.
    private static var defaultCacheBytes: Int { max(96 << 20, MachineMemory.byteCount / 4) }

    private static func configuration(_ options: Options) -> NexaServer.Configuration {
        var configuration = NexaServer.Configuration(dataDirectory: options.dataDirectory)
        let isSocketOnly = options.socketPath != nil && options.host == nil && options.port == nil
        configuration.host = isSocketOnly ? nil : options.host ?? "127.0.0.1"
        configuration.port = options.port ?? 6970
        configuration.socketPath = options.socketPath
        configuration.tls = options.tlsCertificate.map {
            .init(certificateFile: $0, keyFile: options.tlsKey ?? $0, clientCAFile: options.tlsClientCA)
        }
        configuration.durability = options.durability == "os" ? .os : .sync
        configuration.rootPassword = options.rootPassword
        configuration.insecureDefaults = options.insecureDefaults
        configuration.exitWhenIdle = options.exitWhenIdle
        configuration.engine.logRecovery = options.logRecovery == "strict" ? .strict : .discardAfterDamage
        if let age = options.changeHistoryAge { configuration.engine.changeHistoryAge = age }
        if let bytes = options.changeHistoryBytes { configuration.engine.changeHistoryBytes = bytes }
        let cacheBytes = options.cacheBytes ?? defaultCacheBytes
        configuration.engine.documentCacheBytes = cacheBytes / 3
        configuration.engine.blockCacheBytes = cacheBytes - cacheBytes / 3
        if let reactors = options.reactors { configuration.reactors = reactors }
        configuration.backupDirectory = options.backupDirectory
        configuration.importDirectory = options.importDirectory
        configuration.log = .standardError(minimumLevel: options.isVerbose ? .debug : .info)
        return configuration
    }

    /// A thread that turns SIGTERM and SIGINT into a request to leave; a second one leaves at once. SIGHUP reads the
    /// certificates again; what is wrong with them stands in the log.
    private static func waitForSignals(_ signals: sigset_t, _ server: NexaServer) {
        let waiter = SignalWaiter(signals: signals, onHangup: { try? server.reloadCertificates() }) {
            server.requestShutdown()
        }
        waiter.start()
    }

    static func say(_ text: String) {
        var text = text
        text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
