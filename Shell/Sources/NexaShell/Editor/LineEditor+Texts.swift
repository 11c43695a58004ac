import CLineEditor
import Glibc

/// Texts that come at once: pastes, and what an editor left.
extension LineEditor {
    /// Texts above either of these are kept aside instead of drawn.
    private static let drawnLines = 20
    private static let drawnBytes = 16 << 10
    /// A larger paste is dropped.
    static let maximumPasteBytes = 64 << 20
    /// Ctrl-C in a paste is text, unless nothing follows it for so long: then the mark of the end was lost.
    private static let lostEndMilliseconds: CInt = 300

    static let paste: nexa_key_function = { handle, _ in
        guard let self = LineEditor.of(handle) else { return code(CC_ERROR) }
        return self.insertPaste(self.readPaste())
    }

    /// Reads up to the end mark of a bracketed paste. Line ends become line feeds, NUL bytes are left out.
    ///
    /// - Returns: `nil` when there is nothing to insert.
    private func readPaste() -> String? {
        input.readsAhead = true
        defer { input.readsAhead = false }
        let mark = [UInt8]("\u{1B}[201~".utf8)
        var text: [UInt8] = []
        var lineEnd: Unicode.Scalar?
        var isTooLong = false
        while true {
            switch input.next() {
            case .scalar(let scalar):
                if scalar == "\u{3}", input.isSilent(milliseconds: Self.lostEndMilliseconds) {
                    abandonLine()
                    return nil
                }
                if scalar == "\r" || scalar == "\n" {
                    // The terminal may exchange the two: a pair is one end in either order.
                    let isSecond = lineEnd != nil && lineEnd != scalar
                    if !isSecond { text.append(0x0A) }
                    lineEnd = isSecond ? nil : scalar
                } else {
                    if scalar != "\0" {
                        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
                    }
                    lineEnd = nil
                }
                if scalar == "~", text.suffix(mark.count).elementsEqual(mark) {
                    guard isTooLong else { return String(decoding: text.dropLast(mark.count), as: UTF8.self) }
                    let limit = Self.maximumPasteBytes >> 20
                    moveBelow()
                    draw("[the paste is larger than \(limit) MiB and was dropped]\r\n")
                    _ = nexa_el_refresh(editor)
                    return nil
                }
                if text.count > Self.maximumPasteBytes {
                    isTooLong = true
                    text.removeFirst(text.count - mark.count)
                }
            case .signal(SIGWINCH), .notice: continue
            case .signal(SIGINT):
                abandonLine()
                return nil
            case .signal(let signal):
                outcome = .signal(signal)
                return nil
            case .end, .failure:
                outcome = .end
                return nil
            }
        }
    }

    private func insertPaste(_ pasted: String?) -> UInt8 {
        if outcome != nil { return Self.code(CC_EOF) }
        guard let pasted else { return Self.code(CC_NORM) }
        let lineCount = Self.lineCount(of: pasted) - (pasted.hasSuffix("\n") ? 1 : 0)
        if !Self.isDrawn(pasted) || !heldPaste.isEmpty {
            let (before, behind) = parts
            moveBelow()
            heldPaste += before + pasted
            replaceLine(with: behind)
            _ = el_cursor(editor, -CInt(behind.unicodeScalars.count))
            announce("pasted", lineCount)
            if isVi { el_push(editor, "a") }
            _ = nexa_el_refresh(editor)
            return Self.code(CC_NORM)
        }
        var text = pasted
        while text.hasSuffix("\n") { text.removeLast() }
        // In vi mode ESC has gone to the command map, one character back: step forward, insert, return.
        if isVi, !parts.behind.isEmpty { _ = el_cursor(editor, 1) }
        if !text.isEmpty { el_insertstr(editor, text) }
        if isVi { el_push(editor, "a") }
        return Self.code(CC_REFRESH)
    }

    /// Says what is kept aside.
    private func announce(_ how: String, _ lineCount: Int) {
        let size = heldPaste.utf8.count
        let amount = size < 10_000 ? "\(size) bytes" : "\(size / 1000) KB"
        draw("[\(how) \(lineCount) line\(lineCount == 1 ? "" : "s"), \(amount): Enter runs, ^C discards]\r\n")
    }

    private static func lineCount(of text: String) -> Int { text.utf8.reduce(1) { $0 + ($1 == 0x0A ? 1 : 0) } }

    private static func isDrawn(_ text: String) -> Bool {
        text.utf8.count <= drawnBytes && lineCount(of: text) <= drawnLines + (text.hasSuffix("\n") ? 1 : 0)
    }

    // MARK: An editor

    /// Ctrl-X Ctrl-E: the whole command, with the lines entered before, in an editor.
    static let editOutside: nexa_key_function = { handle, _ in
        guard let self = LineEditor.of(handle), !self.isAnswer else { return code(CC_ERROR) }
        let (before, behind) = self.parts
        self.moveBelow()
        _ = nexa_el_set_number(self.editor, EL_PREP_TERM, 0)
        nexa_terminal_set_bracketed_paste(self.display, 0)
        let outcome = OutsideEditor(signals: self.input.signals).edit(self.heldPaste + before + behind)
        self.setRunningModes()
        _ = nexa_el_set_number(self.editor, EL_PREP_TERM, 1)
        nexa_terminal_set_bracketed_paste(self.display, 1)
        switch outcome {
        case .signal(let signal):
            self.outcome = .signal(signal)
            return code(CC_EOF)
        case .failure(let reason): self.draw("✗ Error: \(TerminalText.harmless(reason))\r\n")
        case .text(let text):
            self.heldPaste = ""
            self.replaceLine(with: "")
            self.show(text)
        }
        _ = nexa_el_refresh(self.editor)
        return code(CC_NORM)
    }

    /// Puts a text at the cursor: into the line, or aside when it is too large to be drawn.
    func show(_ text: String) {
        if !Self.isDrawn(text) {
            heldPaste = text
            announce("edited", Self.lineCount(of: text))
        } else if !text.isEmpty {
            el_insertstr(editor, text)
        }
    }
}
