import CLineEditor
import Glibc
import NexaClient
import NexaManual

/// The program `nexa`: from the words of the command line to the exit code.
public enum Shell {
    /// The version, as `--version` prints it.
    public static let version = "4.0.0"

    /// Runs the program. Returns its exit code, or ends the process by the signal that stopped it.
    ///
    /// Call it once, on the main thread, before any other thread is started.
    public static func main() -> Int32 {
        nexa_fill_standard_streams()
        _ = nexa_use_utf8()
        let signals = nexa_signals_install()
        let environment = takeEnvironment()
        let parsed: InvocationParser.Parsed
        do throws(UsageError) {
            parsed = try InvocationParser.parse(Array(CommandLine.arguments.dropFirst()))
        } catch {
            return complain(error)
        }
        wipeSecrets(parsed.secretPositions)
        let invocation = parsed.invocation
        if invocation.showsHelp { return printLine(OptionTable.helpText) }
        if invocation.showsManual { return write(ShellManual.manual.manualPage) }
        if let shell = invocation.completions { return write(ShellManual.manual.completions(for: shell)) }
        if invocation.showsLicense { return printLine(License.text) }
        if invocation.showsVersion { return printLine("nexa \(version)") }
        do throws(UsageError) {
            let surroundings = Plan.Surroundings(
                inputIsTerminal: isatty(STDIN_FILENO) == 1, outputIsTerminal: isatty(STDOUT_FILENO) == 1,
                errorsAreTerminal: isatty(STDERR_FILENO) == 1, environment: environment)
            let plan = try Plan(invocation, in: surroundings)
            let run = ShellRun(
                invocation, plan, try ConnectionPlan(invocation, environment: environment), environment, signals)
            if parsed.secretPositions.isEmpty == false { run.warnOfVisiblePassword() }
            return run.run()
        } catch {
            return complain(error)
        }
    }

    private static func complain(_ error: UsageError) -> Int32 {
        _ = writeAll(STDERR_FILENO, [UInt8]("nexa: \(error)\nnexa --help shows all options.\n".utf8))
        return ExitCode.usage.rawValue
    }

    private static func printLine(_ text: String) -> Int32 { write(text + "\n") }

    private static func write(_ text: String) -> Int32 {
        let code = writeAll(STDOUT_FILENO, [UInt8](text.utf8))
        guard code != 0 else { return ExitCode.success.rawValue }
        _ = writeAll(STDERR_FILENO, [UInt8]("nexa: cannot write: \(systemMessage(code))\n".utf8))
        return ExitCode.file.rawValue
    }

    /// The environment. The password is taken out of it, so that no child inherits it.
    private static func takeEnvironment() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            entry += 1
            guard let sign = strchr(text, 0x3D) else { continue }
            let bytes = UnsafeRawBufferPointer(
                start: text, count: UnsafePointer(text).distance(to: UnsafePointer(sign)))
            let name = String(decoding: bytes, as: UTF8.self)
            if variables[name] == nil { variables[name] = String(cString: sign + 1) }
        }
        for name in EnvironmentTable.secrets {
            guard let value = getenv(name) else { continue }
            nexa_wipe(value)
            unsetenv(name)
        }
        return variables
    }

    /// Overwrites passwords in the argument vector, which every user of the machine can read.
    private static func wipeSecrets(_ positions: [Int]) {
        for position in positions {
            guard position + 1 < Int(CommandLine.argc), let word = CommandLine.unsafeArgv[position + 1] else {
                continue
            }
            nexa_wipe(word)
        }
    }
}
