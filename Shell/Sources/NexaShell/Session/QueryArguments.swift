import NexaClient
import NexaValue

/// The arguments of `query`: a filter and flags, the filter first or last.
struct QueryArguments {
    var filter = Document()
    var sort: [Sort] = []
    var skip = 0
    /// 0 means all.
    var limit: Int
    var fields: [String] = []
    /// A projection in MongoDB's language, in place of `fields`.
    var projection = Document()
    /// The index to use.
    var hint: String?

    init(_ arguments: ArgumentReader, defaultLimit: Int) throws(CommandFault) {
        limit = defaultLimit
        var arguments = arguments
        while !arguments.isAtEnd() {
            let offset = arguments.offset()
            if arguments.isAtBracket() {
                guard case .document(let document) = try arguments.bracketedJSON() else {
                    throw CommandFault("expected a JSON object", at: offset)
                }
                filter = document
                continue
            }
            guard let flag = arguments.flag() else {
                // Not JSON either: the parser says what it expected.
                _ = try arguments.remainingJSON()
                throw CommandFault("expected a JSON object", at: offset)
            }
            if flag.name == "--all" {
                limit = 0
                continue
            }
            if flag.name == "--project" {
                let offset = arguments.offset()
                guard arguments.isAtBracket(), case .document(let document) = try arguments.bracketedJSON() else {
                    throw CommandFault("expected a JSON object behind --project", at: offset)
                }
                projection = document
                continue
            }
            let value = try arguments.value(of: flag)
            switch flag.name {
            case "--limit": limit = try Self.number(value, flag)
            case "--skip": skip = try Self.number(value, flag)
            case "--sort":
                sort = value.split(separator: ",").map {
                    $0.hasPrefix("-") ? Sort(String($0.dropFirst()), .descending) : Sort(String($0))
                }
            case "--fields": fields = value.split(separator: ",").map(String.init)
            case "--hint": hint = value
            default:
                throw CommandFault(
                    "unknown flag \(flag.name); there are --sort, --skip, --limit, --all, --fields, --project "
                        + "and --hint",
                    at: offset)
            }
        }
    }

    static func number(_ text: String, _ flag: ArgumentReader.Flag) throws(CommandFault) -> Int {
        guard let number = Int(text), number >= 0 else {
            throw CommandFault("\(flag.name) wants a number from 0", at: flag.offset)
        }
        return number
    }

    /// The query, with `extra` documents above the limit.
    func apply(to collection: NexaCollection<Document>, extra: Int) -> NexaQuery<Document> {
        var query = collection.find(Filter(filter)).skip(skip).sort(sort)
        if limit > 0 { query = query.limit(limit.addingReportingOverflow(extra).overflow ? limit : limit + extra) }
        if let hint { query = query.hint(hint) }
        if !projection.isEmpty { return query.project(projection) }
        return fields.isEmpty ? query : query.select(fields)
    }
}
