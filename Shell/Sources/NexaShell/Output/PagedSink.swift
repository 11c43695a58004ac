import Glibc
import Synchronization

/// Stands between one command and the screen: output that does not fit on the screen goes to a pager.
///
/// Output is held until it is known to be taller than the screen, but never for longer than a person notices: after
/// 30 ms it is shown. When it outgrows the screen later, the pager gets all of it from the beginning. From then on output
/// streams into the pager; quitting that ends the command.
final class PagedSink: ByteSink {
    private enum Stage {
        /// Everything so far may still fit on the screen.
        case measuring
        /// It goes straight to the terminal.
        case direct
        case paging(ReaderProcess)
    }

    private struct State {
        var stage = Stage.measuring
        /// Everything so far; while paging, for as long as the pager may turn out not to be there.
        var held: [UInt8] = []
        /// How much of `held` the terminal has already got.
        var shown = 0
        var height: ScreenHeight
        var timerIsSet = false
        var wasPaged = false
    }

    private enum Way {
        case hold(setsTimer: Bool)
        case terminal
        case pager(ReaderProcess)
        case start
    }

    /// A pipe holds 64 KiB, and `ReaderProcess` 32 more: who took more than that is alive.
    private static let maximumHeld = 128 << 10

    /// What errors call the pager.
    static let name = "the pager"

    private let terminal: any ByteSink
    private let command: String?
    private let prepare: @Sendable () -> Void
    private let state: Mutex<State>
    private let rows: Int

    /// - Parameters:
    ///   - terminal: the sink of standard output.
    ///   - command: the pager's command; `nil`: less.
    ///   - prepare: is called before a pager starts.
    init(
        _ terminal: any ByteSink, screen: (columns: Int, rows: Int), command: String?,
        prepare: @escaping @Sendable () -> Void = {}
    ) {
        self.terminal = terminal
        self.command = command
        self.prepare = prepare
        rows = screen.rows
        state = Mutex(State(height: ScreenHeight(columns: screen.columns)))
    }

    /// Whether a pager was started.
    var wasPaged: Bool { state.withLock { $0.wasPaged } }

    func write(_ bytes: borrowing [UInt8]) throws(OutputError) {
        let bytes = copy bytes
        let rows = rows
        let way = state.withLock { state -> Way in
            switch state.stage {
            case .direct: return .terminal
            case .paging(let pager):
                if state.held.count <= Self.maximumHeld { state.held += bytes }
                return .pager(pager)
            case .measuring:
                state.held += bytes
                state.height.add(bytes)
                if state.height.rows >= rows || state.height.hasWideTable { return .start }
                defer { state.timerIsSet = true }
                return .hold(setsTimer: !state.timerIsSet)
            }
        }
        switch way {
        case .hold(let setsTimer): if setsTimer { setTimer() }
        case .terminal: try terminal.write(bytes)
        case .pager(let pager): try feed(pager, bytes)
        case .start: try startPager()
        }
    }

    private func setTimer() {
        Task { [weak self] in
            do { try await Task.sleep(for: .milliseconds(30)) } catch { return }
            try? self?.flush()
        }
    }

    /// Shows what is held.
    func flush() throws(OutputError) {
        let (waiting, isDirect) = state.withLock { state -> ([UInt8], Bool) in
            guard case .measuring = state.stage else {
                if case .direct = state.stage { return ([], true) }
                return ([], false)
            }
            defer {
                state.shown = state.held.count
                state.timerIsSet = false
            }
            return (Array(state.held[state.shown...]), true)
        }
        guard isDirect else { return }  // a pager takes what comes by itself
        if !waiting.isEmpty { try terminal.write(waiting) }
        try terminal.flush()
    }

    // MARK: The pager

    private func startPager() throws(OutputError) {
        let (held, height) = state.withLock { state in
            state.wasPaged = true
            return (state.held, state.height)
        }
        try terminal.flush()
        prepare()
        // Lines that are wrapped by the terminal are wrapped by less; a table that is too wide moves sideways, and must not
        // be left before somebody could do that.
        let flags = height.hasWideTable ? "RSX" : height.hasWideLine ? "FRX" : "FRSX"
        let variables = ["LESS": flags, "LESSCHARSET": "utf-8"]
        guard command != nil || Self.exists(PagerChoice.less),
            let pager = try? ReaderProcess(command ?? PagerChoice.less, name: Self.name, adding: variables)
        else { return try fallBack() }
        state.withLock { $0.stage = .paging(pager) }
        try feed(pager, held)
        do throws(OutputError) {
            try pager.flush()
        } catch {
            try recover(from: error)
        }
    }

    /// Whether there is a program with this name. Only asked for less, which small systems lack: whoever names a pager hears
    /// from the system that it is missing.
    static func exists(_ name: String) -> Bool {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        return path.split(separator: ":").contains { access("\($0)/\(name)", X_OK) == 0 }
    }

    private func feed(_ pager: ReaderProcess, _ bytes: [UInt8]) throws(OutputError) {
        do throws(OutputError) {
            try pager.write(bytes)
        } catch {
            try recover(from: error)
        }
    }

    /// The pager cannot be written to: it was left, or it was never there.
    private func recover(from error: OutputError) throws(OutputError) {
        guard case .paging(let pager) = state.withLock({ $0.stage }), pager.couldNotRun else { throw error }
        _ = pager.closeAndWait()
        try fallBack()
    }

    /// Without a pager the terminal gets what it has not got yet.
    private func fallBack() throws(OutputError) {
        let rest = state.withLock { state -> [UInt8] in
            state.stage = .direct
            defer { state.held = [] }
            return Array(state.held[state.shown...])
        }
        try terminal.write(rest)
    }

    /// The end of the command: shows what is held, or waits until the pager is left.
    func finish() async throws(OutputError) {
        guard case .paging(let pager) = state.withLock({ $0.stage }) else { return try flush() }
        _ = await pager.close()
        if pager.couldNotRun { try fallBack() }
    }
}

/// How many rows of a terminal text takes.
struct ScreenHeight {
    private let columns: Int
    private var finished = 0
    private var line: [UInt8] = []
    /// Whether a line is wider than the screen.
    private(set) var hasWideLine = false
    /// Whether a line of a table is; it is unreadable when the terminal wraps it.
    private(set) var hasWideTable = false

    init(columns: Int) { self.columns = max(1, columns) }

    /// The rows so far. An open line counts with what it takes at the least.
    var rows: Int { finished + line.count / (4 * columns) }

    mutating func add(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0A) {
            line += rest[..<end]
            endLine()
            rest = rest[(end + 1)...]
        }
        line += rest
    }

    private mutating func endLine() {
        defer { line.removeAll(keepingCapacity: true) }
        guard line.count > columns else {
            finished += 1
            return
        }
        let text = String(decoding: line, as: UTF8.self)
        let width = Self.width(text)
        finished += max(1, (width + columns - 1) / columns)
        guard width > columns else { return }
        hasWideLine = true
        if ["┌", "│", "├", "+-", "|"].contains(where: text.hasPrefix) { hasWideTable = true }
    }

    /// The cells of a line, colours left out.
    private static func width(_ text: String) -> Int {
        var width = 0
        var isInEscape = false
        for scalar in text.unicodeScalars {
            if isInEscape {
                isInEscape = !scalar.properties.isAlphabetic
            } else if scalar == "\u{1B}" {
                isInEscape = true
            } else if scalar == "\t" {
                width += 8 - width % 8
            } else {
                width += CharacterWidth.of(scalar)
            }
        }
        return width
    }
}
