/// What can be completed at the end of a text, and how the result is written there.
struct CompletionContext: Equatable, Sendable {
    /// What is wanted.
    enum Target: Equatable, Sendable {
        /// A command word.
        case command
        /// A flag of a command, without those that are there already.
        case flag(of: String, without: [String])
        /// An argument that is no JSON.
        case argument(CommandArgument)
        /// A field of the current collection. `parent` is the path of the object around it, with a dot behind it, or
        /// empty.
        case field(parent: String)
        /// An operator: which ones depends on where it stands.
        case keyword(KeywordGroup)
        /// A value of a field.
        case value(of: String)
        /// `"$field"` in a pipeline.
        case fieldReference
        /// `$name`.
        case variable
        /// The name of a file.
        case file
    }

    /// How the word at the cursor is written.
    enum Style: Equatable, Sendable {
        /// A word of the command line, with its quote.
        case word(quote: UInt8?)
        /// A key of JSON, with its quote.
        case key(quote: UInt8?)
        /// A value of JSON, with its quote.
        case value(quote: UInt8?)
        /// As it is, with nothing around it or behind it.
        case plain
    }

    /// Tried together; all that fit are offered.
    var targets: [Target] = []
    /// What is there of the word, without quotes and escapes undone.
    var prefix = ""
    /// How many bytes before the cursor are replaced: the word, its opening quote included.
    var replacedBytes = 0
    var style = Style.word(quote: nil)

    static let nothing = CompletionContext()
}
