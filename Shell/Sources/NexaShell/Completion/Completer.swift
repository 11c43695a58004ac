/// Completes the word before the cursor.
///
/// It lives on the main thread; what takes time is done by its sources in the background.
final class Completer {
    /// What Tab does.
    struct Result: Equatable {
        /// How many scalars before the cursor are replaced.
        var replacedScalars = 0
        /// What replaces them; `nil` when nothing is known for sure.
        var insertion: String?
        /// Everything that fits, as it is shown in a list.
        var shown: [String] = []
        /// Whether more will be known soon.
        var isPending = false
    }

    let catalog: CompletionCatalog
    private let sources: [any CompletionSource]
    /// Words that were used, and when: the larger, the later.
    private var used: [String: Int] = [:]
    private var uses = 0
    private static let maximumUsed = 1000

    /// - Parameter sources: beside the catalog and the table of commands.
    init(_ catalog: CompletionCatalog, _ sources: [any CompletionSource] = []) {
        self.catalog = catalog
        self.sources = [TableCompletion(), catalog] + sources
    }

    /// Notes the words of a line, so that they are offered first.
    func noteUsed(_ line: String) {
        guard line.utf8.count <= 4096 else { return }
        for word in line.split(whereSeparator: { " \t\n\"'{}[](),:;".contains($0) }).prefix(100) {
            uses += 1
            used[String(word)] = uses
        }
        if used.count > Self.maximumUsed { used = used.filter { $0.value > uses - Self.maximumUsed / 2 } }
    }

    /// Completes at the end of `before`, which `open` lines of the same command come before.
    func complete(open: String, before: String, behind: String, at location: Location) -> Result {
        let context = CompletionParser.context(of: open + before)
        let bytes = before.utf8.count
        guard !context.targets.isEmpty, context.replacedBytes <= bytes else { return Result() }
        let query = CompletionQuery(location: location, prefix: context.prefix)
        var isPending = false
        var candidates: [CompletionCandidate] = []
        for target in context.targets {
            for source in sources {
                guard let answer = source.answer(target, query) else { continue }
                isPending = isPending || answer.isPending
                candidates += answer.candidates
            }
            // Flags come where no argument is known for the place.
            if context.prefix.isEmpty, !candidates.isEmpty, case .argument = target { break }
        }
        let fitting = CompletionMatch.fitting(candidates, context.prefix, used).filter {
            Self.canBeWritten($0, context)
        }
        var result = Result(isPending: isPending && fitting.isEmpty)
        result.shown = fitting.map { Self.shown($0, context) }
        let replaced = before.utf8.dropFirst(bytes - context.replacedBytes)
        result.replacedScalars = String(decoding: Array(replaced), as: UTF8.self).unicodeScalars.count
        let writer = CompletionWriter(context.style, behind: behind)
        if fitting.count == 1 {
            result.insertion = writer.whole(fitting[0])
        } else if let common = CompletionMatch.common(fitting, context.prefix), common != context.prefix {
            result.insertion = writer.part(common, of: fitting)
        }
        return result
    }

    /// A word of the command line cannot hold control characters.
    private static func canBeWritten(_ candidate: CompletionCandidate, _ context: CompletionContext) -> Bool {
        switch context.style {
        case .key, .value: return true
        case .word, .plain: break
        }
        return candidate.text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    /// Of files only the name is shown.
    private static func shown(_ candidate: CompletionCandidate, _ context: CompletionContext) -> String {
        guard context.targets == [.file] else { return candidate.text }
        let name = candidate.text.lastIndex(of: "/").map { candidate.text[candidate.text.index(after: $0)...] }
        return String(name ?? candidate.text[...]) + (candidate.kind == .folder ? "/" : "")
    }
}
