/// How documents are written.
enum OutputFormat: String, Sendable, CaseIterable {
    /// Indented, keys in alphabetical order, numbered. Rows (indexes, users, …) become a table.
    case pretty
    /// One JSON array.
    case json
    /// One document per line.
    case ndjson
    /// Columns between borders; cut to the screen on a terminal, never cut elsewhere.
    case table
    /// A line for each field.
    case vertical
    /// Comma-separated values (RFC 4180) with a header line.
    case csv
    /// Values separated by tabs; tabs, line feeds and backslashes are escaped.
    case tsv
    /// Token-Oriented Object Notation, for prompts of language models.
    case toon
    /// One id per line.
    case ids
}

/// What of a document is shown, and how single values look.
struct OutputShape: Sendable, Equatable {
    /// The order of keys.
    enum Keys: String, Sendable, CaseIterable {
        /// In alphabetical order.
        case sorted
        /// As the document has them.
        case stored
    }

    /// The paths of the fields to show; empty: all of them.
    var fields: [String] = []
    /// What stands for `null`; `nil`: as the format has it (`null` in tables, nothing in csv and tsv).
    var nullText: String?
    /// Whether csv and tsv begin with the names of the columns.
    var hasHeader = true
    /// The most cells a line of a table may take, also where there is no terminal.
    var maximumWidth: Int?
    /// `nil`: as the format has it (sorted when pretty, else stored).
    var keys: Keys?
    /// The column of csv and tsv for fields that came up after the header was written, as JSON.
    var extraColumn: String?
}
