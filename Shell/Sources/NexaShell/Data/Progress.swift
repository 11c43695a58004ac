import Synchronization

/// Tells on standard error how far a long command is.
final class Progress: Sendable {
    private struct State {
        var bytes = 0
        var documents = 0
        var lastShown = 0.0
        var isShown = false
    }

    private let console: Console
    private let totalBytes: Int?
    private let start = Clock.now
    private let state = Mutex(State())

    /// - Parameter totalBytes: the size of the input, when it is known.
    init(_ console: Console, totalBytes: Int?) {
        self.console = console
        self.totalBytes = totalBytes
    }

    /// Seconds since the beginning.
    var elapsed: Double { Clock.now - start }

    /// Bytes were read.
    func read(_ count: Int) { update { $0.bytes += count } }

    /// Documents are stored, or written out.
    func acknowledged(_ count: Int) { update { $0.documents += count } }

    /// Removes the bar.
    func finish() {
        guard state.withLock({ $0.isShown }), console.presentation.progress == .bar else { return }
        show("\r\u{1B}[K")
    }

    private func update(_ change: (inout State) -> Void) {
        let interval = console.presentation.progress == .lines ? 5.0 : 0.1
        let now = Clock.now
        let line = state.withLock { state -> String? in
            change(&state)
            guard console.presentation.progress != .none, now - max(start, state.lastShown) >= interval,
                now - start >= 0.3
            else { return nil }
            state.lastShown = now
            state.isShown = true
            return Self.line(
                bytes: state.bytes, total: totalBytes, documents: state.documents, seconds: now - start)
        }
        guard let line else { return }
        show(console.presentation.progress == .bar ? "\r\(line)\u{1B}[K" : line + "\n")
    }

    private func show(_ text: String) {
        // Progress that cannot be shown is no reason to stop the work.
        try? console.errors.write(text)
        try? console.errors.flush()
    }

    /// `[=====>    ] 41%  68.0 MB/s  412 k docs  ETA 4 s`; without a known size only the counters.
    static func line(bytes: Int, total: Int?, documents: Int, seconds: Double) -> String {
        let rate = "\(Amount.short(Double(bytes) / max(seconds, 0.001)))B/s"
        let counted = "\(Amount.short(Double(documents)))docs"
        guard let total, total > 0 else {
            return "\(Amount.short(Double(bytes)))B  \(rate)  \(counted)"
        }
        let share = min(1, Double(bytes) / Double(total))
        let filled = Int(share * 10)
        let bar = String(repeating: "=", count: filled) + (filled < 10 ? ">" : "")
        let left = share > 0 ? Int((seconds / share - seconds).rounded(.up)) : 0
        let padding = String(repeating: " ", count: 11 - min(11, bar.count))
        return "[\(bar)\(padding)] \(Int(share * 100))%  \(rate)  \(counted)  ETA \(left) s"
    }
}

/// Numbers as a person reads them.
enum Amount {
    /// `812 `, `30 k`, `6.8 M`: three digits at most, a blank, and the unit.
    static func short(_ value: Double) -> String {
        let units = ["", "k", "M", "G", "T"]
        var value = value
        var unit = 0
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        if unit == 0 || value >= 10 { return "\(Int(value.rounded())) \(units[unit])" }
        return "\((value * 10).rounded() / 10) \(units[unit])"
    }

    /// `3 days 4 hours`, `12 seconds`: the largest two units, without the second where it is none.
    static func words(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        let parts = [
            (seconds / 86_400, "day"), (seconds / 3600 % 24, "hour"), (seconds / 60 % 60, "minute"),
            (seconds % 60, "second")
        ]
        let first = parts.firstIndex { $0.0 > 0 } ?? parts.count - 1
        return parts[first...].prefix(2).enumerated().filter { $0.offset == 0 || $0.element.0 > 0 }
            .map { "\($0.element.0) \($0.element.1)\($0.element.0 == 1 ? "" : "s")" }.joined(separator: " ")
    }

    /// Seconds with one digit behind the point.
    static func seconds(_ value: Double) -> String {
        let parts = value < 0.1 ? 1000.0 : 10
        return "\((value * parts).rounded() / parts) s"
    }
}
