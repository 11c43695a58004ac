import CLineEditor

/// What libedit's vi keys do that no prompt should: run in circles, run a command that was only looked for, and start
/// programs by themselves.
extension LineEditor {
    /// `.`: what it repeats is typed again by libedit, from a memory that also holds what was typed in insert mode before.
    /// Begins that with another `.`, it would never end, and no key would ever be read again.
    static let repeatChange: nexa_key_function = { handle, _ in
        guard let self = LineEditor.of(handle), !self.isRepeating else { return code(CC_ERROR) }
        self.isRepeating = true
        el_push(self.editor, KeyTable.plainRepeat)
        return code(CC_ARGHACK)  // keeps a count that was typed before
    }

    /// `/` and `?`: libedit takes every key for a part of the pattern, Ctrl-C too, and runs what it found at ESC.
    static let searchOlder: nexa_key_function = { handle, _ in search(handle, KeyTable.plainSearchOlder) }
    static let searchNewer: nexa_key_function = { handle, _ in search(handle, KeyTable.plainSearchNewer) }

    private static func search(_ handle: OpaquePointer?, _ keys: String) -> UInt8 {
        guard let self = LineEditor.of(handle) else { return code(CC_ERROR) }
        self.patternLength = 0
        el_push(self.editor, keys)
        return code(CC_ARGHACK)
    }

    /// Whether a key leaves the pattern of `/` or `?`; otherwise it belongs to it.
    func leavesPattern(_ scalar: Unicode.Scalar) -> Bool {
        guard let length = patternLength else { return false }
        switch scalar {
        case "\u{3}", "\u{7}", "\u{1B}":
            patternLength = nil
            return true
        case "\r", "\n": patternLength = nil
        case "\u{8}", "\u{7F}": patternLength = length > 0 ? length - 1 : nil
        default: patternLength = length + 1
        }
        return false
    }
}
