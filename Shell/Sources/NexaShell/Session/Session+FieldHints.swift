import Glibc
import NexaClient
import NexaValue

/// Fields that were probably misspelt. A field that no document has is no error, it only finds nothing.
extension Session {
    /// More fields of one command are not looked at.
    private static let mostHints = 3

    /// Tells a person of fields that are nearly called as those of the documents seen up to now: of the filter when a
    /// query found nothing, and of `--sort` and `--fields`.
    func hintAtNearField(_ command: CommandSpecification, _ arguments: ArgumentReader) {
        guard console.presentation.mode == .interactive, command.name == "query", isatty(STDERR_FILENO) == 1,
            let catalog = settings.completion?.catalog,
            let given = try? QueryArguments(arguments, defaultLimit: 0)
        else { return }
        var paths = given.sort.map(\.path) + given.fields
        if documentCount == 0 { paths = Self.fields(of: given.filter) + paths }
        guard !paths.isEmpty else { return }
        let known = catalog.knownFields(at: location)
        var told: Set<String> = []
        for path in paths where !known.contains(path) && told.count < Self.mostHints {
            guard let near = EditDistance.nearest(to: path, among: known), near != path, told.insert(path).inserted
            else { continue }
            let name = TerminalText.harmless(path)
            try? console.suggestion("  no '\(name)' was seen yet; did you mean: \(TerminalText.harmless(near))")
        }
    }

    /// The fields that a filter names, with those in `$and`, `$or` and `$nor`.
    private static func fields(of filter: Document, depth: Int = 0) -> [String] {
        guard depth < 8 else { return [] }
        return filter.flatMap { (key, value) -> [String] in
            guard key.hasPrefix("$") else { return [key] }
            return (value.array ?? []).compactMap(\.document).flatMap { fields(of: $0, depth: depth + 1) }
        }
    }
}
