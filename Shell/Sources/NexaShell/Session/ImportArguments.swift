/// The arguments of `import`.
struct ImportArguments: Equatable {
    /// What becomes of a line that cannot be stored.
    enum Failure: Equatable {
        case stop
        case skip
        /// It is written to this file, and the reason to the file's name with `.why`.
        case file(String)
    }

    /// A path, or `-`.
    var source: String
    var collection: String?
    var onError = Failure.stop
    var skip = 0
    /// `nil`: no limit.
    var limit: Int?

    /// Returns `nil` when no source is given.
    init?(_ arguments: ArgumentReader) throws(CommandFault) {
        var arguments = arguments
        var words: [String] = []
        while !arguments.isAtEnd() {
            let offset = arguments.offset()
            guard let flag = arguments.flag() else {
                if let word = try arguments.word() { words.append(word) }
                if words.count > 2 { throw CommandFault("unexpected argument", at: offset) }
                continue
            }
            let value = try arguments.value(of: flag)
            switch flag.name {
            case "--on-error":
                guard !value.isEmpty else { throw CommandFault("--on-error wants stop, skip or a file", at: offset) }
                onError = value == "stop" ? .stop : value == "skip" ? .skip : .file(value)
            case "--skip": skip = try QueryArguments.number(value, flag)
            case "--limit": limit = try QueryArguments.number(value, flag)
            default:
                throw CommandFault("unknown flag \(flag.name); there are --on-error, --skip and --limit", at: offset)
            }
        }
        guard let first = words.first else { return nil }
        source = first
        collection = words.count > 1 ? words[1] : nil
    }
}
