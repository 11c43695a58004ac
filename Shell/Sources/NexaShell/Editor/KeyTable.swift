/// The keys of the prompt: what `help keys` and the manual page list, and what `LineEditor` binds.
enum KeyTable {
    /// One line of the list.
    struct Row: Sendable, Equatable {
        /// As keyboards and manuals name them.
        var keys: String
        /// What they do.
        var summary: String
        /// What is bound for it. Where it is empty libedit's own binding does it already.
        var bindings: [Binding] = []
    }

    /// A sequence in libedit's notation, and the function behind it.
    struct Binding: Sendable, Equatable {
        /// Where a binding holds.
        enum Map: Sendable, Equatable {
            /// With emacs keys and in both modes of vi.
            case all
            /// Behind ESC. In vi's insert mode ESC itself goes to the command mode, where the rest is bound.
            case escape
            /// With emacs keys only.
            case emacs
            /// In vi's command mode only.
            case viCommand
        }

        var sequence: String
        var function: String
        var map: Map

        init(_ sequence: String, _ function: String, _ map: Map = .all) {
            self.sequence = sequence
            self.function = function
            self.map = map
        }
    }

    private static func escapes(_ sequences: [String], _ function: String) -> [Binding] {
        sequences.map { Binding($0, function, .escape) }
    }

    static let rows: [Row] = [
        Row(keys: "Enter", summary: "run the command, or go on while a bracket is open"),
        Row(
            keys: "Alt-Enter", summary: "begin a new line within the command",
            bindings: [Binding("\u{1B}^M", "nexa-newline", .emacs), Binding("\u{1B}^J", "nexa-newline", .emacs)]),
        Row(
            keys: "Tab", summary: "complete the word; twice: show what fits",
            bindings: [Binding("^I", "nexa-complete")]),
        Row(keys: "Ctrl-_", summary: "take the completion back", bindings: [Binding("^_", "nexa-undo")]),
        Row(keys: "Ctrl-C", summary: "drop the line; stop a running command", bindings: [Binding("^C", "nexa-cancel")]),
        Row(
            keys: "Ctrl-D", summary: "leave (empty line), delete a character, or show what fits (at the end)",
            bindings: [Binding("^D", "nexa-end")]),
        Row(keys: "Ctrl-Z", summary: "stop the shell; fg brings it back", bindings: [Binding("^Z", "nexa-suspend")]),
        Row(
            keys: "Up, Down", summary: "a line up or down, then the commands that begin as typed",
            bindings: escapes(["[A", "OA"], "nexa-up") + escapes(["[B", "OB"], "nexa-down")),
        Row(
            keys: "Ctrl-P, Ctrl-N", summary: "the command before, the command after",
            bindings: [Binding("^P", "nexa-older", .emacs), Binding("^N", "nexa-newer", .emacs)]),
        Row(
            keys: "Ctrl-R, Ctrl-S", summary: "search the history backwards, forwards",
            bindings: [Binding("^R", "em-inc-search-prev"), Binding("^S", "em-inc-search-next")]),
        Row(keys: "Ctrl-G", summary: "leave the search"),
        Row(
            keys: "Ctrl-A, Home", summary: "to the beginning",
            bindings: escapes(["[H", "OH", "[1~", "[7~"], "ed-move-to-beg")),
        Row(
            keys: "Ctrl-E, End", summary: "to the end",
            bindings: escapes(["[F", "OF", "[4~", "[8~"], "ed-move-to-end")),
        Row(
            keys: "Ctrl-B, Left", summary: "a character back",
            bindings: escapes(["[D", "OD"], "ed-prev-char")),
        Row(
            keys: "Ctrl-F, Right", summary: "a character on",
            bindings: escapes(["[C", "OC"], "ed-next-char")),
        Row(
            keys: "Alt-B, Ctrl-Left", summary: "a word back",
            bindings: escapes(["[1;5D", "[5D", "Od"], "ed-prev-word")),
        Row(
            keys: "Alt-F, Ctrl-Right", summary: "a word on",
            bindings: escapes(["[1;5C", "[5C", "Oc"], "em-next-word")),
        Row(
            keys: "Delete", summary: "delete the character at the cursor",
            bindings: escapes(["[3~"], "ed-delete-next-char")),
        Row(
            keys: "Ctrl-W", summary: "cut the word before the cursor",
            bindings: [Binding("^W", "ed-delete-prev-word", .emacs)]),
        Row(keys: "Alt-D", summary: "cut the word behind the cursor"),
        Row(keys: "Ctrl-U", summary: "cut the line"),
        Row(keys: "Ctrl-K", summary: "cut to the end of the line"),
        Row(keys: "Ctrl-Y", summary: "put back what was cut"),
        Row(keys: "Ctrl-L", summary: "clear the screen", bindings: [Binding("^L", "ed-clear-screen")]),
        Row(
            keys: "Ctrl-X Ctrl-E", summary: "edit the line in $VISUAL or $EDITOR (as \\e)",
            bindings: [Binding("\u{18}\u{5}", "nexa-edit", .emacs)]),
        Row(keys: "Ctrl-V", summary: "insert the next character as it is")
    ]

    /// libedit's own functions behind ours, as keys that nobody types.
    static let plainRepeat = "\u{18}3"
    static let plainSearchOlder = "\u{18}4"
    static let plainSearchNewer = "\u{18}5"

    /// Not for a person: pastes, what libedit's vi keys must not do by themselves, and private sequences by which our
    /// functions hand over to libedit's own.
    static let hidden: [Binding] = [
        Binding("[200~", "nexa-paste", .escape),
        Binding("\u{18}1", "ed-prev-line"), Binding("\u{18}2", "ed-next-line"),
        Binding(".", "nexa-repeat", .viCommand), Binding(plainRepeat, "vi-redo", .viCommand),
        Binding("/", "nexa-search-older", .viCommand), Binding(plainSearchOlder, "vi-search-prev", .viCommand),
        Binding("?", "nexa-search-newer", .viCommand), Binding(plainSearchNewer, "vi-search-next", .viCommand),
        Binding("v", "nexa-edit", .viCommand), Binding(":", "ed-unassigned", .viCommand)
    ]

    /// The list as `help keys` prints it.
    static var text: String {
        let width = (rows.map(\.keys.count).max() ?? 0) + 2
        let lines = rows.map { row in
            "  " + row.keys + String(repeating: " ", count: width - row.keys.count) + row.summary
        }
        return (["Keys at the prompt:"] + lines + ["~/.editrc can change them, and choose vi keys: nexa:bind -v"])
            .joined(separator: "\n")
    }
}
