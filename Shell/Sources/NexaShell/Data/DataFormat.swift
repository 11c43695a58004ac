/// The formats of files of documents.
enum DataFormat: String, Sendable, CaseIterable {
    /// One JSON object on each line.
    case ndjson
    /// A JSON array of objects; objects one behind the other are read as well.
    case json
    /// RFC 4180, with a line that names the columns.
    case csv
    /// Tab-separated values, with a line that names the columns.
    case tsv
    /// MongoDB's Extended JSON, one object on each line; an array is read as well.
    case ejson
    /// TOON: an envelope of NexaDB, a list or table of documents, or one document.
    case toon

    /// The format that the ending of a file's name means; `.gz` behind it does not count.
    init?(fileName: String) {
        var name = fileName.lowercased()
        if name.hasSuffix(".gz") { name.removeLast(3) }
        guard let dot = name.lastIndex(of: ".") else { return nil }
        switch name[name.index(after: dot)...] {
        case "ndjson", "jsonl": self = .ndjson
        case "json": self = .json
        case "csv": self = .csv
        case "tsv", "tab": self = .tsv
        case "ejson": self = .ejson
        case "toon": self = .toon
        default: return nil
        }
    }

    /// The names, for messages.
    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
