import CLineEditor
import Glibc

/// Reads lines from a terminal with libedit: editing, history, paste, resize, Ctrl-C, Ctrl-D, Ctrl-Z.
///
/// libedit is neither thread-safe nor reentrant: everything here happens on the thread that calls `readLine`.
/// What it does wrong by itself, and what stands against it:
/// - between prompts it returns the terminal to canonical mode, in which the kernel cuts lines at 4,095 bytes, so that
///   mode is replaced before each line;
/// - with `EL_SIGNAL` it sends signals on to the whole process group, so it is off and Ctrl-C is a key;
/// - under `LANG=C` it drops everything beyond ASCII, so the character types are UTF-8 always;
/// - `el_end` throws away what was typed ahead, so it is never called.
final class LineEditor {
    /// How reading a line ended.
    enum Event: Equatable {
        /// Enter was pressed. A large paste makes a line with line feeds in it.
        case line(String)
        /// Ctrl-C; `wasEmpty` tells whether nothing had been typed.
        case interrupted(wasEmpty: Bool)
        /// Ctrl-D on an empty line, or the terminal went away.
        case end
        /// A signal that ends the process.
        case signal(CInt)
    }

    /// A prompt and its colour.
    struct Prompt: Equatable {
        var text: String
        var isColoured = false
    }

    let editor: OpaquePointer
    let searchable: OpaquePointer
    let history: HistoryStore
    /// Where the line is drawn: standard output, or /dev/tty.
    let display: CInt
    var input: TerminalInput
    var promptText: UnsafeMutablePointer<CChar>?
    var promptWidth = 0
    /// A paste too large to draw, kept until Enter.
    var heldPaste = ""
    var isVi = false
    var outcome: Event?
    /// Whether there is no more input.
    var hasEnded = false
    var walk = HistoryWalk()
    /// Whether libedit has the history as it is now; it is only given to it when it is asked for.
    var isSearchable = false
    /// How many entries libedit has, and the last of them.
    private var searchableCount = 0
    private var searchableLast: String?
    /// What Tab asks; `nil`: Tab is a character.
    var completer: Completer?
    /// The lines of the command that were entered before this one, each with its end.
    var openText = ""
    /// Where commands go.
    var location = Location()
    /// Whether the line answers a question: it is no command.
    var isAnswer = false
    var completion = CompletionMemory()
    /// A text that the next line begins with.
    var offered: String?
    /// What is shown above the line while it is edited; `nil`: nothing is.
    var notices: NoticeBoard?
    /// A signal that came while something else was asked.
    var pendingSignal: CInt?
    /// Whether vi's `.` types keys again; the next key of a person ends that.
    var isRepeating = false
    /// How long the pattern of vi's `/` or `?` is; `nil`: none is asked.
    var patternLength: Int?

    /// Takes the terminal of standard input; `nil` when libedit cannot.
    ///
    /// - Parameters:
    ///   - display: the descriptor that prompts and lines are drawn on.
    ///   - signals: readable when a signal was noted (`nexa_signals_install`).
    init?(history: HistoryStore, display: CInt, signals: CInt) {
        guard let editor = nexa_el_open("nexa", display), let searchable = history_init() else { return nil }
        self.editor = editor
        self.searchable = searchable
        self.history = history
        self.display = display
        input = TerminalInput(signals: signals)
        _ = nexa_history_limit(searchable, CInt(HistoryStore.maximumCount))
        // The context is this object; libedit only hands it back inside calls made by this object.
        _ = nexa_el_set_context(editor, Unmanaged.passUnretained(self).toOpaque())
        _ = nexa_el_set_text(editor, EL_EDITOR, "emacs")
        _ = nexa_el_set_number(editor, EL_SIGNAL, 0)
        _ = nexa_el_set_prompt(editor, { LineEditor.of($0)?.promptText }, 1)
        _ = nexa_el_set_history(editor, searchable)
        _ = nexa_el_set_reader(editor, LineEditor.read)
        addFunctions()
        el_source(editor, nil)  // ~/.editrc; it may choose vi keys, which resets the maps, so keys are bound after it
        isVi = nexa_el_is_vi(editor) != 0
        bindKeys()
        // Ctrl-C, Ctrl-Z and Ctrl-S are keys.
        _ = nexa_el_set_modes(editor, "-d", "-isig", "-ixon")
    }

    // Not el_end: it drops what was typed ahead. The terminal is put back by `nexa_terminal_restore`.
    deinit { free(promptText) }

    /// The modes of the terminal while a command runs. Ctrl-C is a signal then, Ctrl-\ is not.
    func setRunningModes() {
        _ = nexa_el_set_modes(editor, "-x", "-icanon", "-echo")
        _ = nexa_el_set_modes(editor, "-x", "quit=", "-echo")
    }

    /// The object behind a libedit callback.
    static func of(_ editor: OpaquePointer?) -> LineEditor? {
        guard let editor, let context = nexa_el_context(editor) else { return nil }
        return Unmanaged<LineEditor>.fromOpaque(context).takeUnretainedValue()
    }

    /// Shows the prompt and reads a line.
    func readLine(_ prompt: Prompt) -> Event {
        setPrompt(prompt)
        outcome = nil
        heldPaste = ""
        walk = HistoryWalk()
        completion = CompletionMemory()
        isSearchable = false
        hasEnded = false
        patternLength = nil
        // libedit derives this mode anew from the terminal after a suspend, so it is set before each line.
        setRunningModes()
        // A Ctrl-C that came too late for the last command is not meant for the next one; one from here on is.
        nexa_signals_forget_interrupt()
        // libedit would draw the prompt first: a Ctrl-C in what is pasted then would be a signal, and take the rest along.
        _ = nexa_el_set_number(editor, EL_PREP_TERM, 1)
        nexa_terminal_set_bracketed_paste(display, 1)
        var count: CInt = 0
        var code: CInt = 0
        let line = nexa_el_read_line(editor, &count, &code)
        nexa_terminal_set_bracketed_paste(display, 0)
        if let outcome { return outcome }
        guard let line, count > 0 else {
            // libedit reads nothing from a terminal that has gone away, so nothing else would tell of it.
            var modes = termios()
            if hasEnded || tcgetattr(STDIN_FILENO, &modes) != 0 { return .end }
            // A key of libedit's own that leaves at an empty line, such as vi's `x`: only Ctrl-D does here.
            draw("\r")
            return .line("")
        }
        let bytes = UnsafeRawBufferPointer(start: line, count: Int(count))
        var text = heldPaste + String(decoding: bytes, as: UTF8.self)
        while let last = text.unicodeScalars.last, last == "\n" || last == "\r" { text.unicodeScalars.removeLast() }
        completer?.noteUsed(text)
        return .line(text)
    }

    private func setPrompt(_ prompt: Prompt) {
        free(promptText)
        promptWidth = CharacterWidth.of(prompt.text)
        // Escape sequences stand between marker bytes. libedit drops a sequence at the very end, so the colour ends before
        // the last blank.
        let visible = prompt.text.hasSuffix(" ") ? String(prompt.text.dropLast()) : prompt.text
        promptText = strdup(
            prompt.isColoured ? "\u{1}\u{1B}[1;32m\u{1}\(visible)\u{1}\u{1B}[0m\u{1} " : "\(visible) ")
    }

    /// Writes to where the line is drawn.
    func draw(_ text: String) { _ = writeAll(display, [UInt8](text.utf8)) }

    /// Gives the history to libedit, for Ctrl-R and for vi's command mode: what is new since the last time, or all.
    func loadSearchable() {
        let entries = history.entries
        var known = searchableCount
        if known > entries.count || (known > 0 && entries[known - 1] != searchableLast) {
            _ = nexa_history_clear(searchable)
            known = 0
        }
        for entry in entries[known...] { _ = nexa_history_enter(searchable, entry) }
        searchableCount = entries.count
        searchableLast = entries.last
        isSearchable = true
    }

    // MARK: The line being edited

    /// libedit's buffer is not ended behind the last character: stale bytes follow it.
    private func text(from start: UnsafePointer<CChar>?, to end: UnsafePointer<CChar>?) -> String {
        guard let start, let end, end > start else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: end - start), as: UTF8.self)
    }

    /// The text before and behind the cursor.
    var parts: (before: String, behind: String) {
        guard let line = el_line(editor)?.pointee else { return ("", "") }
        return (text(from: line.buffer, to: line.cursor), text(from: line.cursor, to: line.lastchar))
    }

    /// Replaces the whole line; the cursor is behind it.
    func replaceLine(with text: String) {
        let (before, behind) = parts
        _ = el_cursor(editor, CInt(behind.unicodeScalars.count))
        el_deletestr(editor, CInt(before.unicodeScalars.count + behind.unicodeScalars.count))
        if !text.isEmpty { el_insertstr(editor, text) }
    }

    /// Draws the line anew after the terminal changed its width.
    ///
    /// libedit still thinks in the old width while the terminal has already broken the rows anew: the row of the cursor
    /// is computed for the new width, everything from the prompt down is erased, and libedit starts over.
    func redrawAfterResize() {
        erase()
        el_resize(editor)
        _ = nexa_el_refresh(editor)
    }

    /// Shows what came in the background above the prompt, and the line below it anew.
    func showNotices() {
        guard let lines = notices?.take(), !lines.isEmpty else { return }
        erase()
        draw(lines.map { $0 + "\r\n" }.joined())
        _ = nexa_el_refresh(editor)
    }

    /// Removes the prompt and the line from the screen; the cursor is where the prompt began.
    private func erase() {
        let row = row(behind: parts.before)
        draw("\r" + (row > 0 ? "\u{1B}[\(row)A" : "") + "\u{1B}[J")
    }

    /// Moves to the row below the text, for something that stands there; `nexa_el_refresh` then draws the line anew.
    func moveBelow() {
        let (before, behind) = parts
        let rows = row(behind: before + behind) - row(behind: before)
        draw(String(repeating: "\n", count: rows) + "\r\n")
    }

    /// The row, counted from that of the prompt, in which the cursor is behind this text.
    private func row(behind text: String) -> Int {
        let columns = max(2, Int(nexa_terminal_columns(display)))
        var row = 0
        var column = promptWidth
        for scalar in text.unicodeScalars {
            if scalar == "\n" {
                row += 1 + (column > 0 ? (column - 1) / columns : 0)
                column = 0
            } else {
                column += CharacterWidth.of(scalar)
            }
        }
        return row + column / columns
    }
}

/// Where Up and Down are in the history, and what had been typed before.
struct HistoryWalk {
    var position: Int?
    var prefix = ""
    var shown = ""
}
