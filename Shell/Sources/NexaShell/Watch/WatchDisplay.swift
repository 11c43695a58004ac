import CLineEditor
import Glibc
import NexaClient
import NexaValue
import Synchronization

/// Shows changes as they come, and at a terminal a line below them with how many there were.
///
/// The changes and the line below are written by different tasks.
final class WatchDisplay: Sendable {
    private struct State {
        var count = 0
        var recent = 0
        var recentSince = Clock.now
        var rate = 0.0
        var hasBegun = false
        var hasStatus = false
        var waiting: [UInt8] = []
    }

    private let console: Console
    /// Whether a person reads along.
    let isForPerson: Bool
    private let showsStatus: Bool
    private let namesDatabase: Bool
    private let start = Clock.now
    private let state = Mutex(State())

    init(_ console: Console, namesDatabase: Bool) {
        self.console = console
        self.namesDatabase = namesDatabase
        let isForReading = [.pretty, .table, .vertical].contains(console.presentation.format)
        isForPerson = isForReading && isatty(STDOUT_FILENO) == 1
        showsStatus = isForPerson && console.presentation.progress == .bar
    }

    /// How many changes there were.
    var count: Int { state.withLock { $0.count } }

    /// Shows a change; when no other one has come yet, everything is on its way to the reader afterwards.
    func show(_ change: EncodedChange) throws(ShellError) {
        let columns = isForPerson ? max(20, Int(nexa_terminal_columns(STDOUT_FILENO))) : 0
        let failure = state.withLock { state -> ShellError? in
            if !change.isGap {
                state.count += 1
                state.recent += 1
            }
            do throws(JSONEncodingError) {
                if !isForPerson {
                    try ChangeText.appendJSON(change, to: &state.waiting)
                } else if !change.isGap {
                    let line = ChangeText.line(
                        change, columns: columns, isColoured: console.presentation.coloursOutput,
                        namesDatabase: namesDatabase)
                    append(line, &state)
                } else {
                    append(gapLine("changes may be missing here: read the documents again"), &state)
                }
            } catch {
                return ShellError(error.description)
            }
            guard !change.isFollowed || state.waiting.count >= 64 << 10 else { return nil }
            return send(&state)
        }
        if let failure { throw failure }
    }

    /// Tells of a break in the stream, in its place among the changes. Programs read of it on standard error.
    func tell(_ text: String) {
        guard isForPerson else {
            try? console.errors.write("⚠ \(text)\n")
            try? console.errors.flush()
            return
        }
        _ = state.withLock { state in
            append(gapLine(text), &state)
            return send(&state)
        }
    }

    private func gapLine(_ text: String) -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let line = ChangeText.clock(Double(now.tv_sec) + Double(now.tv_nsec) / 1e9) + " ⚠ " + text
        guard console.presentation.coloursOutput else { return line }
        return "\u{1B}[\(Console.Colour.yellow.rawValue)m\(line)\u{1B}[0m"
    }

    private func append(_ line: String, _ state: inout State) {
        if state.hasStatus {
            state.waiting += "\r\u{1B}[K".utf8
            state.hasStatus = false
        }
        state.waiting += line.utf8
        state.waiting.append(0x0A)
    }

    private func send(_ state: inout State) -> ShellError? {
        let bytes = state.waiting
        state.waiting.removeAll(keepingCapacity: true)
        do throws(OutputError) {
            try console.output.write(bytes)
            try console.output.flush()
            return nil
        } catch {
            return ShellError(error.description, exit: .file)
        }
    }

    /// The server tells of changes from now on.
    func begin() {
        state.withLock { $0.hasBegun = true }
        tick()
    }

    /// Draws the line with the number of changes again.
    func tick() {
        guard showsStatus else { return }
        _ = state.withLock { state -> ShellError? in
            guard state.hasBegun else { return nil }
            let now = Clock.now
            state.rate = Double(state.recent) / max(now - state.recentSince, 0.001)
            state.recent = 0
            state.recentSince = now
            let seconds = Int(now - start)
            let text = "watching: \(state.count) change(s), \(Amount.short(state.rate))/s, \(seconds) s"
            state.waiting += "\r\(text)\u{1B}[K".utf8
            state.hasStatus = true
            return send(&state)
        }
    }

    /// Removes the line with the number.
    func finish() {
        _ = state.withLock { state -> ShellError? in
            if state.hasStatus { state.waiting += "\r\u{1B}[K".utf8 }
            state.hasStatus = false
            return state.waiting.isEmpty ? nil : send(&state)
        }
    }
}
