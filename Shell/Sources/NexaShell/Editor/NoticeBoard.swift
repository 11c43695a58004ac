import Synchronization

/// Lines that come while a person types, from whatever runs in the background: they are shown above the prompt.
///
/// Between two looks at it only so many lines wait; of the others there is a line that says how many they were.
final class NoticeBoard: Sendable {
    /// More lines than this at a time nobody could read.
    static let mostLines = 200

    private struct State {
        var lines: [String] = []
        var passedOver = 0
    }

    /// Readable when there is something to be shown.
    let arrived = EventFlag()
    private let state = Mutex(State())

    /// Adds a line.
    func post(_ line: String) {
        let isFirst = state.withLock { state in
            guard state.lines.count < Self.mostLines else {
                state.passedOver += 1
                return false
            }
            state.lines.append(line)
            return state.lines.count == 1
        }
        if isFirst { arrived.raise() }
    }

    /// Takes all lines that wait.
    func take() -> [String] {
        arrived.lower()
        return state.withLock { state in
            defer { state = State() }
            guard state.passedOver > 0 else { return state.lines }
            return state.lines + ["… and \(state.passedOver) more lines, too fast to be shown"]
        }
    }
}
