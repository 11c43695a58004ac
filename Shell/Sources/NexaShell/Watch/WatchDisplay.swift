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
        var hasEnded = false
        var hasStatus = false
        var waiting: [UInt8] = []
    }

    private let console: Console
    /// Whether a person reads along.
    let isForPerson: Bool
    private let showsStatus: Bool
    private let namesDatabase: Bool
    /// Where lines go when the watch is in the background.
    private let board: NoticeBoard?
    /// Opened when the server tells of changes.
    private let begun: Gate?
    private let start = Clock.now
    private let state = Mutex(State())

    init(_ console: Console, namesDatabase: Bool, board: NoticeBoard? = nil, begun: Gate? = nil) {
        self.console = console
        self.namesDatabase = namesDatabase
        self.board = board
        self.begun = begun
        let isForReading = [.pretty, .table, .vertical].contains(console.presentation.format)
        isForPerson = board != nil || isForReading && isatty(STDOUT_FILENO) == 1
        showsStatus = board == nil && isForPerson && console.presentation.progress == .bar
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
        if let board { return board.post(line) }
        if state.hasStatus {
            state.waiting += "\r\u{1B}[K".utf8
            state.hasStatus = false
        }
        state.waiting += line.utf8
        state.waiting.append(0x0A)
    }

    private func send(_ state: inout State) -> ShellError? {
        guard board == nil else { return nil }
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
        begun?.open(true)
        tick()
    }

    /// Whether a watch in the background is over.
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// A watch in the background is over; `farewell` says why.
    func end(_ farewell: String?) {
        state.withLock { state in
            state.hasEnded = true
            if state.hasBegun, let farewell { board?.post(farewell) }
        }
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
