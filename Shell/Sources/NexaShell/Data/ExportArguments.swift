import NexaClient
import NexaValue

/// The arguments of `export`.
struct ExportArguments {
    var collection: String?
    /// A path, or `-` for standard output.
    var target = "-"
    /// Every collection of the database goes to a folder of this name.
    var isWhole = false
    /// `nil`: what the file's name says, else NDJSON.
    var format: DataFormat?
    var filter = Document()
    var fields: [String] = []
    var sort: [Sort] = []
    var limit: Int?
    /// The column for fields that came too late for one of their own.
    var extraColumn: String?
    var packs = false
    /// Whether the file has to appear whole: refused for what is no regular file.
    var isAtomic = false

    init(_ arguments: ArgumentReader) throws(CommandFault) {
        var arguments = arguments
        var words: [String] = []
        while !arguments.isAtEnd() {
            let offset = arguments.offset()
            guard let flag = arguments.flag() else {
                if let word = try arguments.word() { words.append(word) }
                if words.count > 2 { throw CommandFault("unexpected argument", at: offset) }
                continue
            }
            switch flag.name {
            case "--all": isWhole = true
            case "--gzip": packs = true
            case "--atomic": isAtomic = true
            case "--filter":
                let place = arguments.offset()
                guard flag.value == nil, arguments.isAtBracket(),
                    case .document(let document) = try arguments.bracketedJSON()
                else { throw CommandFault("--filter wants a JSON object", at: place) }
                filter = document
            default: try take(flag, try arguments.value(of: flag))
            }
        }
        try place(words)
    }

    private mutating func take(_ flag: ArgumentReader.Flag, _ value: String) throws(CommandFault) {
        switch flag.name {
        case "--format":
            guard let format = DataFormat(rawValue: value.lowercased()) else {
                throw CommandFault("--format wants one of \(DataFormat.names)", at: flag.offset)
            }
            self.format = format
        case "--fields": fields = value.split(separator: ",").map(String.init)
        case "--sort":
            sort = value.split(separator: ",").map {
                $0.hasPrefix("-") ? Sort(String($0.dropFirst()), .descending) : Sort(String($0))
            }
        case "--limit": limit = try QueryArguments.number(value, flag)
        case "--extra-column": extraColumn = value
        default: throw CommandFault("unknown flag \(flag.name); help export shows those there are", at: flag.offset)
        }
    }

    private mutating func place(_ words: [String]) throws(CommandFault) {
        if isWhole {
            guard words.count == 1, !words[0].isEmpty, words[0] != "-" else {
                throw CommandFault("--all wants a folder", at: 0)
            }
            target = words[0]
            let isPlain = filter.isEmpty && fields.isEmpty && sort.isEmpty && limit == nil && extraColumn == nil
            guard isPlain, format == nil || format == .ndjson else {
                throw CommandFault("--all writes all documents as NDJSON; only --gzip goes with it", at: 0)
            }
            return
        }
        switch words.count {
        case 2: (collection, target) = (words[0], words[1])
        case 1 where words[0] == "-" || words[0].contains(where: { $0 == "." || $0 == "/" }): target = words[0]
        case 1: collection = words[0]
        default: break
        }
    }

    /// The documents that were asked for.
    func query(_ collection: NexaCollection<Document>) -> NexaQuery<Document> {
        var query = collection.find(Filter(filter)).sort(sort)
        if let limit { query = query.limit(limit) }
        return fields.isEmpty ? query : query.select(fields)
    }
}
