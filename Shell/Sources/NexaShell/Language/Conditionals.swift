import Synchronization

/// The `\if` blocks that are open, and whether commands are carried out in them.
///
/// Each file has its own blocks: it can neither end those of the file that includes it nor leave its own open.
final class Conditionals: Sendable {
    private enum Branch {
        /// Its commands run.
        case active
        /// No branch has run yet: a later `\elif` or `\else` may.
        case pending
        /// A branch has run, or the whole block stands in one that does not.
        case over
    }

    private struct Block {
        var branch: Branch
        var hasElse = false
    }

    /// Deeper nesting is an error.
    static let maximumDepth = 100

    private let files = Mutex<[[Block]]>([[]])

    init() {}

    /// Whether commands are passed over.
    var isSkipping: Bool { files.withLock { Self.isSkipping(&$0) } }

    private static func isSkipping(_ files: inout [[Block]]) -> Bool {
        files.contains { blocks in blocks.contains { $0.branch != .active } }
    }

    /// Whether the next `\elif` decides something: only then is its condition looked at.
    var awaitsBranch: Bool { files.withLock { $0.last?.last?.branch == .pending } }

    /// A file begins.
    func beginFile() { files.withLock { $0.append([]) } }

    /// A file ends; returns how many blocks it left open.
    func endFile() -> Int {
        files.withLock { files in
            let open = files.last?.count ?? 0
            if files.count > 1 { files.removeLast() } else { files = [[]] }
            return open
        }
    }

    /// Leaves the innermost block; returns whether there was one.
    func leave() -> Bool {
        files.withLock { files in
            guard let last = files.indices.last else { return false }
            return files[last].popLast() != nil
        }
    }

    /// `\if`; the condition counts for nothing where commands are passed over.
    func begin(_ condition: Bool) throws(ShellError) {
        let fits = files.withLock { files in
            guard let last = files.indices.last, files[last].count < Self.maximumDepth else { return false }
            let branch: Branch = Self.isSkipping(&files) ? .over : condition ? .active : .pending
            files[last].append(Block(branch: branch))
            return true
        }
        guard fits else { throw ShellError("\\if is nested deeper than \(Self.maximumDepth) levels") }
    }

    /// `\elif`.
    func next(_ condition: Bool) throws(ShellError) { try step("\\elif", condition, isElse: false) }

    /// `\else`.
    func otherwise() throws(ShellError) { try step("\\else", true, isElse: true) }

    private func step(_ word: String, _ condition: Bool, isElse: Bool) throws(ShellError) {
        let fault = files.withLock { files -> String? in
            guard let file = files.indices.last, let block = files[file].indices.last else {
                return "\(word) without \\if"
            }
            if files[file][block].hasElse { return "\(word) behind \\else" }
            files[file][block].hasElse = isElse
            switch files[file][block].branch {
            case .active: files[file][block].branch = .over
            case .pending: if condition { files[file][block].branch = .active }
            case .over: break
            }
            return nil
        }
        if let fault { throw ShellError(fault) }
    }

    /// `\endif`.
    func end() throws(ShellError) {
        guard leave() else { throw ShellError("\\endif without \\if") }
    }
}

/// What stands behind `\if`: `VALUE`, `not …`, `defined NAME`, `A = B`, `A != B`.
enum Condition {
    /// Whether it holds.
    ///
    /// - Throws: `ShellError` when it is neither true nor false.
    static func holds(_ words: [String], isDefined: (String) -> Bool) throws(ShellError) -> Bool {
        switch (words.count, words.first?.lowercased()) {
        case (2..., "not"): return try !holds(Array(words.dropFirst()), isDefined: isDefined)
        case (2, "defined"): return isDefined(words[1].hasPrefix("$") ? String(words[1].dropFirst()) : words[1])
        case (3, _) where words[1] == "=" || words[1] == "==": return words[0] == words[2]
        case (3, _) where words[1] == "!=": return words[0] != words[2]
        case (1, let word?):
            switch word {
            case "true", "on", "yes", "1": return true
            case "false", "off", "no", "0": return false
            default: break
            }
        default: break
        }
        throw ShellError(
            "a condition is true or false, 'defined NAME', 'A = B' or 'A != B', or one of these behind 'not'")
    }
}
