import CLineEditor
import Glibc

/// The functions behind keys, and which keys those are.
extension LineEditor {
    func addFunctions() {
        let functions: [(String, String, nexa_key_function)] = [
            ("nexa-cancel", "Drop the line", LineEditor.cancel),
            ("nexa-end", "Leave, or delete forward", LineEditor.endOrDelete),
            (
                "nexa-up", "Line up, or an older entry",
                { handle, _ in LineEditor.move(handle, up: true, withinText: true) }
            ),
            (
                "nexa-down", "Line down, or a newer entry",
                { handle, _ in LineEditor.move(handle, up: false, withinText: true) }
            ),
            ("nexa-older", "An older entry", { handle, _ in LineEditor.move(handle, up: true, withinText: false) }),
            ("nexa-newer", "A newer entry", { handle, _ in LineEditor.move(handle, up: false, withinText: false) }),
            ("nexa-edit", "Edit the line in an editor", LineEditor.editOutside),
            ("nexa-suspend", "Suspend", LineEditor.suspend),
            ("nexa-paste", "Insert a bracketed paste", LineEditor.paste),
            ("nexa-newline", "Insert a line break", LineEditor.insertLineBreak),
            ("nexa-complete", "Complete the word", LineEditor.complete),
            ("nexa-undo", "Take a completion back", LineEditor.undoCompletion),
            ("nexa-repeat", "Repeat the last change (vi)", LineEditor.repeatChange),
            ("nexa-search-older", "Search backwards (vi)", LineEditor.searchOlder),
            ("nexa-search-newer", "Search forwards (vi)", LineEditor.searchNewer)
        ]
        for (name, help, function) in functions { _ = nexa_el_add_function(editor, name, help, function) }
    }

    func bindKeys() {
        // libedit's own commands: it reads what was never written when a quote in one is not closed. vi's `:` stands among
        // the bindings.
        for key in ["\u{1B}x", "\u{1B}X"] where !isVi { _ = nexa_el_bind(editor, nil, key, "ed-unassigned") }
        for binding in KeyTable.rows.flatMap(\.bindings) + KeyTable.hidden {
            switch binding.map {
            case .all:
                _ = nexa_el_bind(editor, nil, binding.sequence, binding.function)
                if isVi { _ = nexa_el_bind(editor, "-a", binding.sequence, binding.function) }
            // In vi's insert map a sequence that begins with ESC would stop ESC from leaving it.
            case .escape where isVi: _ = nexa_el_bind(editor, "-a", binding.sequence, binding.function)
            case .escape: _ = nexa_el_bind(editor, nil, "\u{1B}" + binding.sequence, binding.function)
            case .emacs: if !isVi { _ = nexa_el_bind(editor, nil, binding.sequence, binding.function) }
            case .viCommand: if isVi { _ = nexa_el_bind(editor, "-a", binding.sequence, binding.function) }
            }
        }
    }

    static func code(_ code: CInt) -> UInt8 { UInt8(truncatingIfNeeded: code) }

    /// Ctrl-C. It is a key here: the terminal sends no signals while a line is edited.
    private static let cancel: nexa_key_function = { handle, _ in
        guard let self = LineEditor.of(handle) else { return code(CC_ERROR) }
        self.abandonLine()
        return code(CC_NEWLINE)
    }

    /// Leaves the line on the screen, marked, and ends reading it.
    func abandonLine() {
        let (before, behind) = parts
        outcome = .interrupted(wasEmpty: before.isEmpty && behind.isEmpty && heldPaste.isEmpty)
        if !behind.isEmpty {
            _ = el_cursor(editor, CInt(behind.unicodeScalars.count))
            _ = nexa_el_refresh(editor)
        }
        draw("^C\r\n")
    }

    private static let endOrDelete: nexa_key_function = { handle, _ in
        guard let self = LineEditor.of(handle) else { return code(CC_ERROR) }
        let (before, behind) = self.parts
        if before.isEmpty, behind.isEmpty {
            guard self.heldPaste.isEmpty else { return code(CC_ERROR) }
            self.outcome = .end
            return code(CC_EOF)
        }
        if behind.isEmpty { return self.listCompletions() }
        _ = el_cursor(self.editor, 1)
        el_deletestr(self.editor, 1)
        return code(CC_REFRESH)
    }

    private static let insertLineBreak: nexa_key_function = { handle, _ in
        guard let self = LineEditor.of(handle) else { return code(CC_ERROR) }
        return code(el_insertstr(self.editor, "\n") == 0 ? CC_REFRESH : CC_ERROR)
    }

    private static let suspend: nexa_key_function = { handle, _ in
        guard let self = LineEditor.of(handle) else { return code(CC_ERROR) }
        _ = nexa_el_set_number(self.editor, EL_PREP_TERM, 0)
        nexa_terminal_suspend()
        self.setRunningModes()
        _ = nexa_el_set_number(self.editor, EL_PREP_TERM, 1)
        return code(CC_REDISPLAY)
    }

    /// Within a text of several lines Up and Down move by line; at its edge they walk through the entries that begin
    /// with what had been typed.
    private static func move(_ handle: OpaquePointer?, up: Bool, withinText: Bool) -> UInt8 {
        guard let self = LineEditor.of(handle) else { return code(CC_ERROR) }
        let (before, behind) = self.parts
        if withinText, !self.isVi, (up ? before : behind).contains("\n") {
            el_push(self.editor, up ? "\u{18}1" : "\u{18}2")
            return code(CC_NORM)
        }
        let now = before + behind
        let entries = self.history.entries
        if self.walk.position == nil || self.walk.shown != now {
            self.walk = HistoryWalk(position: entries.count, prefix: now, shown: now)
        }
        var position = self.walk.position ?? entries.count
        repeat {
            position += up ? -1 : 1
        } while entries.indices.contains(position)
            && (!entries[position].hasPrefix(self.walk.prefix) || entries[position] == now)
        guard position >= 0, position <= entries.count else { return code(CC_ERROR) }
        let text = position == entries.count ? self.walk.prefix : entries[position]
        self.replaceLine(with: text)
        self.walk.position = position
        self.walk.shown = text
        return code(CC_REFRESH)
    }

    /// libedit's source of characters.
    static let read: nexa_read_function = { handle, character in
        guard let self = LineEditor.of(handle) else { return -1 }
        while true {
            // The line is over, but one of libedit's functions that read keys themselves has not told it so.
            if self.outcome != nil { return -1 }
            if let signal = self.pendingSignal {
                self.pendingSignal = nil
                if signal == SIGINT { self.abandonLine() } else { self.outcome = .signal(signal) }
                return -1
            }
            if let text = self.offered {
                self.offered = nil
                self.draw("\r")  // over the prompt that stands there already
                self.show(text)
                _ = nexa_el_refresh(self.editor)
            }
            switch self.input.next(notices: self.notices?.arrived.descriptor ?? -1) {
            case .scalar(let scalar):
                self.isRepeating = false
                if self.leavesPattern(scalar) { return -1 }
                // A NUL would end the line early for everything that reads it as a C string.
                guard scalar != "\0" else { continue }
                // Ctrl-R, Ctrl-S and what follows vi's ESC are libedit's own: it only goes on with a search on keys that
                // are bound to that.
                if scalar == "\u{12}" || scalar == "\u{13}" || (self.isVi && scalar == "\u{1B}"), !self.isSearchable {
                    self.loadSearchable()
                }
                character?.pointee = wchar_t(bitPattern: scalar.value)
                return 1
            case .notice: self.showNotices()
            case .signal(SIGWINCH): self.redrawAfterResize()
            case .signal(SIGINT):
                self.abandonLine()
                return -1
            case .signal(let signal):
                self.outcome = .signal(signal)
                return -1
            case .end:
                self.hasEnded = true
                return 0
            case .failure:
                self.hasEnded = true
                return -1
            }
        }
    }
}
