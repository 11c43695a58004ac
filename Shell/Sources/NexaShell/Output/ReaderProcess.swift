import CLineEditor
import Glibc
import Synchronization

/// A program that reads what the shell writes: a pager, or the command of `\o |`.
///
/// While one runs, writing to a pipe that nobody reads is an error instead of the end of the process.
final class ReaderProcess: ByteSink {
    private struct State {
        var descriptor: CInt
        var buffer: [UInt8] = []
        var failure: OutputError?
        var exitCode: CInt?
    }

    private static let count = Mutex(0)
    private static let threshold = 32 << 10

    let process: pid_t
    private let name: String
    private let state: Mutex<State>

    /// Starts `/bin/sh -c command` with these additions to the environment.
    init(_ command: String, name: String, adding variables: [String: String] = [:]) throws(ShellError) {
        self.name = name
        var reading: CInt = -1
        var writing: CInt = -1
        guard nexa_open_pipe(&reading, &writing) == 0 else {
            throw ShellError("cannot start \(command): \(systemMessage(errno))", exit: .file)
        }
        Self.hold(1)
        var environment = Self.environment(adding: variables).map { strdup($0) as UnsafeMutablePointer<CChar>? }
        environment.append(nil)
        let process = nexa_spawn_reader(command, environment, reading)
        let code = errno
        for text in environment { free(text) }
        Glibc.close(reading)
        guard process > 0 else {
            Glibc.close(writing)
            Self.hold(-1)
            throw ShellError("cannot start \(command): \(systemMessage(code))", exit: .file)
        }
        self.process = process
        state = Mutex(State(descriptor: writing))
    }

    private static func hold(_ change: Int) {
        count.withLock { count in
            count += change
            nexa_signals_ignore_pipe(count > 0 ? 1 : 0)
        }
    }

    private static func environment(adding variables: [String: String]) -> [String] {
        var entries: [String] = []
        var entry = environ
        while let text = entry.pointee {
            entries.append(String(cString: text))
            entry += 1
        }
        for (name, value) in variables where !entries.contains(where: { $0.hasPrefix(name + "=") }) {
            entries.append("\(name)=\(value)")
        }
        return entries
    }

    func write(_ bytes: borrowing [UInt8]) throws(OutputError) {
        let failure = state.withLock { state -> OutputError? in
            state.buffer.append(contentsOf: copy bytes)
            if state.buffer.count >= Self.threshold { drain(&state) }
            return state.failure
        }
        if let failure { throw failure }
    }

    func flush() throws(OutputError) {
        let failure = state.withLock { state -> OutputError? in
            drain(&state)
            return state.failure
        }
        if let failure { throw failure }
    }

    private func drain(_ state: inout State) {
        guard state.failure == nil, state.descriptor >= 0, !state.buffer.isEmpty else { return }
        let code = writeAll(state.descriptor, state.buffer)
        state.buffer.removeAll(keepingCapacity: true)
        if code != 0 { state.failure = OutputError(destination: name, code: code) }
    }

    /// Whether the program turned out not to be there: `sh` says so with 126 or 127. Only asked once the pipe is broken or
    /// closed, so there is little to wait for.
    var couldNotRun: Bool {
        let known = state.withLock { $0.exitCode }
        let code = known ?? take(waiting: 1000)
        return code == 126 || code == 127
    }

    private func take(waiting milliseconds: CInt) -> CInt? {
        if let code = state.withLock({ $0.exitCode }) { return code }
        var code: CInt = 0
        switch nexa_wait_child(process, milliseconds, &code) {
        case 0: return nil
        case 1: break
        default: code = 0
        }
        state.withLock { $0.exitCode = code }
        return code
    }

    /// Sends what waits and closes the pipe, then waits for the end of the program.
    ///
    /// - Returns: its exit code, 128 + the signal when it was killed; `nil` when the wait was cancelled.
    func close() async -> CInt? {
        closePipe()
        defer { Self.hold(-1) }
        while true {
            if let code = take(waiting: 0) { return code }
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return nil }
        }
    }

    /// As `close`, on a thread that may wait, and not for longer than some seconds.
    func closeAndWait() -> CInt? {
        closePipe()
        defer { Self.hold(-1) }
        return take(waiting: 10_000)
    }

    private func closePipe() {
        state.withLock { state in
            drain(&state)
            if state.descriptor >= 0 { Glibc.close(state.descriptor) }
            state.descriptor = -1
        }
    }
}
