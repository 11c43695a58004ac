/// The arguments of `import`.
struct ImportArguments: Equatable {
    /// What becomes of a record that cannot be stored.
    enum Failure: Equatable {
        case stop
        case skip
        /// It is written to this file, and the reason to the file's name with `.why`.
        case file(String)
    }

    /// What becomes of documents whose `_id` is there already, and of those whose is not.
    enum Mode: String, Equatable, CaseIterable {
        /// New documents only.
        case insert
        /// A document with the same `_id` is replaced; others are inserted.
        case upsert
        /// A document with the same `_id` is replaced; others are refused.
        case replace
        /// The fields are set in the document with the same `_id`; others are inserted.
        case merge
    }

    static let mostBatchDocuments = 100_000
    static let mostJobs = 64

    /// A path, or `-`.
    var source: String
    var collection: String?
    /// `nil`: what the file's name and its first bytes say.
    var format: DataFormat?
    var mode = Mode.insert
    var idField: String?
    var vectorField: String?
    var types: [String: DelimitedParser.ColumnType] = [:]
    var batchDocuments = RecordReader.Limits().documents
    /// How many batches are worked on at a time.
    var jobs = 4
    var onError = Failure.stop
    var skip = 0
    /// `nil`: no limit.
    var limit: Int?
    var isDryRun = false
    var creates = false

    /// Returns `nil` when no source is given.
    init?(_ arguments: ArgumentReader) throws(CommandFault) {
        var arguments = arguments
        var words: [String] = []
        source = ""
        while !arguments.isAtEnd() {
            let offset = arguments.offset()
            guard let flag = arguments.flag() else {
                if let word = try arguments.word() { words.append(word) }
                if words.count > 2 { throw CommandFault("unexpected argument", at: offset) }
                continue
            }
            switch flag.name {
            case "--dry-run": isDryRun = true
            case "--create": creates = true
            default: try take(flag, try arguments.value(of: flag))
            }
        }
        guard let first = words.first else { return nil }
        source = first
        collection = words.count > 1 ? words[1] : nil
    }

    private mutating func take(_ flag: ArgumentReader.Flag, _ value: String) throws(CommandFault) {
        func wants(_ what: String) -> CommandFault { CommandFault("\(flag.name) wants \(what)", at: flag.offset) }
        switch flag.name {
        case "--format":
            format = value == "auto" ? nil : DataFormat(rawValue: value.lowercased())
            if format == nil, value != "auto" { throw wants("auto, \(DataFormat.names)") }
        case "--mode":
            guard let mode = Mode(rawValue: value.lowercased()) else {
                throw wants(Mode.allCases.map(\.rawValue).joined(separator: ", "))
            }
            self.mode = mode
        case "--id-field": idField = value
        case "--vector-field": vectorField = value
        case "--types": types = try Self.types(value, flag)
        case "--batch":
            batchDocuments = try QueryArguments.number(value, flag)
            guard (1...Self.mostBatchDocuments).contains(batchDocuments) else {
                throw wants("a number from 1 to \(Self.mostBatchDocuments)")
            }
        case "--jobs":
            jobs = try QueryArguments.number(value, flag)
            guard (1...Self.mostJobs).contains(jobs) else { throw wants("a number from 1 to \(Self.mostJobs)") }
        case "--on-error":
            guard !value.isEmpty else { throw wants("stop, skip or a file") }
            onError = value == "stop" ? .stop : value == "skip" ? .skip : .file(value)
        case "--skip": skip = try QueryArguments.number(value, flag)
        case "--limit": limit = try QueryArguments.number(value, flag)
        default: throw CommandFault("unknown flag \(flag.name); help import shows those there are", at: flag.offset)
        }
    }

    /// `year:int,title:string`.
    private static func types(
        _ text: String, _ flag: ArgumentReader.Flag
    ) throws(CommandFault) -> [String: DelimitedParser.ColumnType] {
        var types: [String: DelimitedParser.ColumnType] = [:]
        for pair in text.split(separator: ",") {
            guard let colon = pair.lastIndex(of: ":"), colon > pair.startIndex,
                let type = DelimitedParser.ColumnType(rawValue: pair[pair.index(after: colon)...].lowercased())
            else {
                let names = DelimitedParser.ColumnType.allCases.map(\.rawValue).joined(separator: ", ")
                throw CommandFault(
                    "--types wants column:type,…, and '\(pair)' is none; types are \(names)", at: flag.offset)
            }
            types[String(pair[..<colon])] = type
        }
        return types
    }
}
