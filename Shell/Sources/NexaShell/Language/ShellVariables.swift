import NexaValue
import Synchronization

/// The variables of a session: what `\set` and `--set` gave, for `$name` in commands and for settings of the shell.
///
/// Values are kept as they were written; `text` takes the quotes off.
final class ShellVariables: Sendable {
    /// A variable that the shell itself reads.
    struct Special: Sendable {
        var name: String
        /// What may be in it; empty: anything.
        var choices: [String] = []
        /// One line about it, for `help \set`.
        var summary: String
    }

    private struct State {
        var values: [String: String] = [:]
        var generation = 0
    }

    /// A longer name is an error.
    static let maximumNameBytes = 64
    /// A longer value is an error.
    static let maximumValueBytes = 16 << 20
    /// More variables are an error.
    static let maximumCount = 1000

    /// Every special variable.
    static let specials = [
        Special(
            name: "PROMPT1",
            summary: "the prompt: %/ database, %c collection, %n user, %m server, %% a percent sign"),
        Special(name: "HISTFILE", summary: "the file of the history; :DB is the database; empty: none"),
        Special(
            name: "HISTREDACT", choices: ["remove", "mask", "keep"],
            summary: "commands that hold a secret: not remembered, remembered with ***, or as they are"),
        Special(
            name: "SAMPLING", choices: ["on", "off"],
            summary: "whether completion reads documents to know their fields"),
        Special(name: "SHELL_EXIT_CODE", summary: "what the last \\! ended with")
    ]

    private let state = Mutex(State())

    init() {}

    /// How often anything was changed.
    var generation: Int { state.withLock { $0.generation } }

    /// All names, in order.
    var names: [String] { state.withLock { $0.values.keys.sorted() } }

    /// A value as it was written; `nil` when the variable is not set.
    func written(_ name: String) -> String? { state.withLock { $0.values[name] } }

    /// A value without quotes; `nil` when the variable is not set.
    func text(_ name: String) -> String? { written(name).map(VariableExpansion.plainText) }

    /// Sets a variable.
    ///
    /// - Throws: `ShellError` for a name that is none, a value that the shell does not know, or beyond the limits.
    func set(_ name: String, _ value: String) throws(ShellError) {
        guard Self.isName(name) else {
            throw ShellError("'\(name)' is no name of a variable: letters, digits and _, no digit first")
        }
        guard value.utf8.count <= Self.maximumValueBytes else {
            throw ShellError("a variable holds at most \(Self.maximumValueBytes >> 20) MiB")
        }
        if let special = Self.specials.first(where: { $0.name == name }), !special.choices.isEmpty {
            let text = VariableExpansion.plainText(value)
            guard special.choices.contains(text) else {
                throw ShellError("\(name) is one of \(special.choices.joined(separator: ", ")), not '\(text)'")
            }
        }
        let fits = state.withLock { state in
            guard state.values[name] != nil || state.values.count < Self.maximumCount else { return false }
            state.values[name] = value
            state.generation += 1
            return true
        }
        guard fits else { throw ShellError("there are at most \(Self.maximumCount) variables") }
    }

    /// Forgets a variable; returns whether there was one.
    @discardableResult
    func unset(_ name: String) -> Bool {
        state.withLock { state in
            state.generation += 1
            return state.values.removeValue(forKey: name) != nil
        }
    }

    /// Splits `NAME=VALUE`, the form of `--set`; without `=` the value is empty.
    static func assignment(_ text: String) -> (name: String, value: String) {
        guard let equals = text.firstIndex(of: "=") else { return (text, "") }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }

    static func isName(_ name: String) -> Bool {
        (1...maximumNameBytes).contains(name.utf8.count)
            && name.utf8.enumerated().allSatisfy { VariableScan.isNameByte($0.element, isFirst: $0.offset == 0) }
    }

    /// A command with the variables in it replaced.
    func expand(_ command: String) throws(CommandFault) -> VariableExpansion {
        do throws(CommandFault) {
            return try VariableExpansion(command) { written($0) }
        } catch {
            var fault = error
            let rest = command.utf8.dropFirst(error.offset + 1)
            let name = String(decoding: rest.prefix { VariableScan.isNameByte($0, isFirst: false) }, as: UTF8.self)
            fault.suggestion = EditDistance.nearest(to: name, among: names).map { "$\($0)" }
            throw fault
        }
    }
}
