import CLineEditor
import Glibc

/// What Tab does.
extension LineEditor {
    /// Tab never waits longer than this for an answer of the server.
    private static let patienceMilliseconds = 150.0
    /// Longer lists are only shown when asked for.
    private static let unaskedCount = 100
    /// With so many bytes waiting behind it, a tab was pasted, not pressed.
    private static let pastedBytes: CInt = 16

    /// The line before a completion, for Ctrl-_.
    struct CompletionMemory {
        var before = ""
        var behind = ""
        /// The line as the completion left it.
        var completed: String?
        /// Where Tab found several ways to go on: a second Tab there shows them.
        var ambiguous: (before: String, behind: String)?
    }

    static let complete: nexa_key_function = { handle, _ in
        guard let self = LineEditor.of(handle) else { return UInt8(truncatingIfNeeded: CC_ERROR) }
        return self.completeWord()
    }

    static let undoCompletion: nexa_key_function = { handle, _ in
        guard let self = LineEditor.of(handle), let completed = self.completion.completed,
            completed == self.parts.before + self.parts.behind
        else { return UInt8(truncatingIfNeeded: CC_ERROR) }
        self.replaceLine(with: self.completion.before + self.completion.behind)
        _ = el_cursor(self.editor, -CInt(self.completion.behind.unicodeScalars.count))
        self.completion.completed = nil
        return UInt8(truncatingIfNeeded: CC_REFRESH)
    }

    private func completeWord() -> UInt8 {
        let (before, behind) = parts
        guard let completer, !isAnswer, heldPaste.isEmpty else { return insertTab() }
        let waiting = input.waitingBytes
        let isWordOpen = before.unicodeScalars.last.map { !$0.properties.isWhitespace } ?? false
        if waiting >= Self.pastedBytes || (waiting > 0 && !isWordOpen) { return insertTab() }

        let result = ask(completer, before, behind)
        if let insertion = result.insertion {
            completion.before = before
            completion.behind = behind
            let end = before.unicodeScalars.count - result.replacedScalars
            // What is there already stays: nothing flickers, and the cursor is where it was.
            if String(String.UnicodeScalarView(before.unicodeScalars.dropFirst(end))) != insertion {
                el_deletestr(editor, CInt(result.replacedScalars))
                guard el_insertstr(editor, insertion) == 0 else { return Self.result(CC_ERROR) }
                completion.completed = parts.before + behind
                completion.ambiguous = nil
                if result.shown.count == 1 { return Self.result(CC_REFRESH) }
                completion.ambiguous = (parts.before, behind)
                return Self.result(CC_REFRESH)
            }
        }
        guard result.shown.count > 1 else { return Self.result(CC_ERROR) }
        if let last = completion.ambiguous, last.before == before, last.behind == behind {
            list(result.shown)
            return Self.result(CC_NORM)
        }
        completion.ambiguous = (before, behind)
        return Self.result(CC_ERROR)
    }

    /// Ctrl-D at the end of a line: shows what fits, without changing anything.
    func listCompletions() -> UInt8 {
        let (before, behind) = parts
        guard let completer, !isAnswer, heldPaste.isEmpty else { return Self.result(CC_ERROR) }
        let result = ask(completer, before, behind)
        guard !result.shown.isEmpty else { return Self.result(CC_ERROR) }
        list(result.shown)
        return Self.result(CC_NORM)
    }

    private static func result(_ code: CInt) -> UInt8 { UInt8(truncatingIfNeeded: code) }

    private func insertTab() -> UInt8 { Self.result(el_insertstr(editor, "\t") == 0 ? CC_REFRESH : CC_ERROR) }

    /// Asks, and waits a little for what is on its way; a key that is pressed meanwhile ends the waiting.
    private func ask(_ completer: Completer, _ before: String, _ behind: String) -> Completer.Result {
        let deadline = Clock.now + Self.patienceMilliseconds / 1000
        while true {
            completer.catalog.changed.lower()
            let result = completer.complete(open: openText, before: before, behind: behind, at: location)
            let left = (deadline - Clock.now) * 1000
            guard result.isPending, left > 0 else { return result }
            var ready = [
                pollfd(fd: completer.catalog.changed.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            ]
            let count = poll(&ready, 2, CInt(left) + 1)
            if count > 0, ready[0].revents == 0 { return result }
        }
    }

    /// Shows names in columns below the line, then the line anew.
    private func list(_ names: [String]) {
        moveBelow()
        if names.count > Self.unaskedCount {
            draw("Display all \(names.count)? y/n ")
            let isWanted = askYesOrNo()
            draw("\r\n")
            guard isWanted else {
                _ = nexa_el_refresh(editor)
                return
            }
        }
        let width = Int(nexa_terminal_columns(display))
        draw(ColumnLayout.lines(names, width: width).map { $0 + "\r\n" }.joined())
        _ = nexa_el_refresh(editor)
    }

    /// Reads the answer to a question about the list. What is neither yes nor no rings the bell.
    private func askYesOrNo() -> Bool {
        while true {
            switch input.next() {
            case .scalar("y"), .scalar("Y"), .scalar(" "), .scalar("\t"): return true
            case .scalar("n"), .scalar("N"), .scalar("q"), .scalar("\u{7F}"), .scalar("\u{3}"), .scalar("\u{7}"),
                .scalar("\r"), .scalar("\n"), .scalar("\u{1B}"), .scalar("\u{4}"):
                return false
            case .notice: continue
            case .scalar: draw("\u{7}")
            case .signal(SIGWINCH): el_resize(editor)
            case .signal(let signal):
                pendingSignal = signal
                return false
            case .end, .failure: return false
            }
        }
    }
}
