/// What a command asks of the loop that runs it, because only the main thread can do it.
enum LoopRequest: Sendable, Equatable {
    /// `\i`: runs the commands of a file; a relative name is seen from the current folder, or from the folder of the
    /// file that includes it.
    case include(String, fromIncludingFile: Bool)
    /// `\watch`: repeats the command before it.
    case watch(RepeatArguments)
    /// `\errexit`.
    case stopOnError(Bool)
    /// `\!`: a command of the system's shell; empty: the shell itself.
    case system(String)
    /// `\connect`: another server; `nil`: the same one, anew.
    case connect(String?)
    /// `\e`: a file, or the last command, in an editor; what comes of it stands at the prompt.
    case edit(String?)
    /// `\s`: shows the history, or writes it to a file.
    case history(String?)
    /// `passwd`, `create_user`: asks on the terminal for a new password.
    case newPassword(user: String)
}

/// The arguments of `\watch`.
struct RepeatArguments: Sendable, Equatable {
    /// Between the end of one run and the begin of the next.
    var seconds = 2.0
    /// How often it runs; `nil`: until Ctrl-C.
    var count: Int?
    /// It ends with a run that gives fewer documents.
    var minimum: Int?

    /// The longest time between runs.
    static let maximumSeconds = 86_400.0

    init() {}

    /// Reads `[seconds] [c=N] [m=N]`, in any order.
    init(_ arguments: ArgumentReader) throws(CommandFault) {
        var arguments = arguments
        while !arguments.isAtEnd() {
            let offset = arguments.offset()
            guard let word = try arguments.word() else { break }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            switch (parts.count, parts[0]) {
            case (2, "c"), (2, "count"): count = try Self.number(parts[1], offset)
            case (2, "m"), (2, "min"): minimum = try Self.number(parts[1], offset)
            case (2, "i"), (2, "interval"): seconds = try Self.seconds(parts[1], offset)
            case (1, _): seconds = try Self.seconds(parts[0], offset)
            default: throw CommandFault("expected seconds, c=N or m=N", at: offset)
            }
        }
    }

    private static func number(_ text: Substring, _ offset: Int) throws(CommandFault) -> Int {
        guard let number = Int(text), number > 0 else { throw CommandFault("expected a number from 1", at: offset) }
        return number
    }

    private static func seconds(_ text: Substring, _ offset: Int) throws(CommandFault) -> Double {
        guard let seconds = Double(text), seconds >= 0, seconds <= maximumSeconds else {
            throw CommandFault("expected seconds, from 0 to a day, c=N or m=N", at: offset)
        }
        return seconds
    }
}
