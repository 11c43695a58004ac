import NexaValue

/// The arguments of `export`.
struct ExportArguments {
    var collection: String?
    /// A path, or `-` for standard output.
    var target = "-"
    var filter = Document()
    var limit: Int?

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
            case "--limit": limit = try QueryArguments.number(arguments.value(of: flag), flag)
            case "--filter":
                let place = arguments.offset()
                guard flag.value == nil, arguments.isAtBracket(),
                    case .document(let document) = try arguments.bracketedJSON()
                else { throw CommandFault("--filter wants a JSON object", at: place) }
                filter = document
            default: throw CommandFault("unknown flag \(flag.name); there are --filter and --limit", at: offset)
            }
        }
        switch words.count {
        case 2: (collection, target) = (words[0], words[1])
        case 1 where words[0] == "-" || words[0].contains(where: { $0 == "." || $0 == "/" }): target = words[0]
        case 1: collection = words[0]
        default: break
        }
    }
}
