import CLineEditor
import Glibc

/// How a run looks; `Invocation` decides it, and commands such as `\format` change it.
struct Presentation: Sendable, Equatable {
    /// What the program takes itself for.
    enum Mode: Sendable, Equatable {
        /// A person types.
        case interactive
        /// Commands come through a pipe, and the lines are those the original always printed.
        case classicScript
        /// Commands come through a pipe, and a format was asked for.
        case script
        /// Commands came with `-e` or `-f`.
        case oneShot
    }

    /// How long work is reported on standard error.
    enum Progress: Sendable, Equatable {
        case none
        /// One line that is drawn again and again.
        case bar
        /// A line each 5 seconds.
        case lines
    }

    /// When a table becomes one line for each field.
    enum Expansion: String, Sendable, CaseIterable {
        case on, off
        /// When it is wider than the screen.
        case auto
    }

    var mode = Mode.interactive
    var format = OutputFormat.pretty
    /// Whether somebody asked for the format; otherwise a table that is too wide may become vertical by itself.
    var isFormatNamed = false
    var shape = OutputShape()
    /// `nil`: `auto` unless the format was asked for by name.
    var expansion: Expansion?
    /// What standard output is shown on.
    var screen = ScreenKind.none
    var pager = PagerChoice.never
    /// Whether each command says how long it took.
    var showsTiming = false
    var coloursOutput = false
    var coloursErrors = false
    var isQuiet = false
    var progress = Progress.none
    /// Whether errors are JSON objects on standard error.
    var reportsErrorsAsJSON = false
    /// Whether errors show their code, and commands what they took.
    var isVerbose = false

    /// Whether ✓ ✗ ⚠ lines stand among the data on standard output.
    var talksOnOutput: Bool { mode == .interactive || mode == .classicScript }
    /// Whether results have the lines of the original around them.
    var isClassic: Bool { talksOnOutput && format == .pretty }
    /// Whether a fault in a command is shown with a caret under it.
    var showsCaret: Bool { mode != .classicScript }
}

/// What output is shown on.
enum ScreenKind: Sendable, Equatable {
    /// A file or a pipe: nothing is ever cut.
    case none
    /// The terminal behind a descriptor; its size is asked each time.
    case terminal(CInt)
    /// A size that stays, for tests.
    case fixed(columns: Int, rows: Int)

    /// The size in cells; `nil` where there is no screen.
    var size: (columns: Int, rows: Int)? {
        switch self {
        case .none: nil
        case .terminal(let descriptor):
            (Int(nexa_terminal_columns(descriptor)), Int(nexa_terminal_rows(descriptor)))
        case .fixed(let columns, let rows): (columns, rows)
        }
    }
}

/// Whether long output goes through a pager.
enum PagerChoice: Sendable, Equatable {
    case never
    /// Through this command; `nil`: NEXA_PAGER, PAGER or less.
    case command(String?)
}
