import CPTYKit
import Glibc

/// A program that runs beside the test, with files for its standard streams and no terminal.
public final class BackgroundProgram {
    /// The program.
    public let process: pid_t
    private var exitCode: CInt?

    /// Starts a program. Of the environment it gets only what is given, and LANG and PATH.
    ///
    /// - Parameters:
    ///   - output: the file that its standard output goes to; `nil` for /dev/null.
    ///   - errors: the file that its standard error goes to; `nil` for /dev/null.
    public init(
        _ path: String, _ arguments: [String], environment: [String: String], output: String? = nil,
        errors: String? = nil
    ) throws {
        var variables = ["LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"]
        variables.merge(environment) { $1 }
        let argv = CStrings([path] + arguments)
        let envp = CStrings(variables.map { "\($0.key)=\($0.value)" })
        let files = [output, errors].map { file in
            file.map { open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) } ?? -1
        }
        defer { for file in files where file >= 0 { close(file) } }
        process = ptykit_spawn_piped(path, argv.pointers, envp.pointers, -1, files[0], files[1], 1)
        guard process > 0 else { throw PTYError(description: "cannot start \(path)") }
    }

    deinit {
        // A number that is none would mean every process there is.
        if exitCode == nil, process > 0 {
            kill(process, SIGKILL)
            _ = ptykit_wait(process)
        }
    }

    /// Sends it a signal, unless it has ended.
    public func signal(_ number: CInt) {
        if !hasEnded, process > 0 { kill(process, number) }
    }

    /// Whether it has ended.
    public var hasEnded: Bool {
        if exitCode == nil {
            let code = ptykit_poll(process)
            if code >= 0 { exitCode = code }
        }
        return exitCode != nil
    }

    /// Waits for its end: the exit code, or 128 + the signal. `nil` when it does not end.
    public func finish(seconds: Double = 30) -> CInt? {
        var left = seconds
        while !hasEnded, left > 0 {
            usleep(2000)
            left -= 0.002
        }
        return exitCode
    }
}
