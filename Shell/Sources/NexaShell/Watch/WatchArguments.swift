import NexaClient
import NexaValue

/// The arguments of `watch`.
struct WatchArguments {
    var collection: String?
    var operations: Set<ChangeKind> = [.insert, .update, .delete]
    var filter = Document()
    /// Ends after so many changes.
    var count: Int?
    /// Ends after so many seconds.
    var seconds: Double?
    /// Begins behind this place.
    var token: ResumeToken?
    /// Whether changes appear above the prompt, at which more can be done.
    var isBackground = false
    /// Whether the watch in the background has to end.
    var endsBackground = false

    /// The words of `--ops`.
    static let words = ["insert", "update", "delete", "drop"]

    init(_ arguments: ArgumentReader) throws(CommandFault) {
        var arguments = arguments
        while !arguments.isAtEnd() {
            let offset = arguments.offset()
            guard let flag = arguments.flag() else {
                var ahead = arguments
                if try ahead.word() == "&", ahead.isAtEnd() {
                    isBackground = true
                    return
                }
                guard collection == nil else { throw CommandFault("unexpected argument", at: offset) }
                collection = try arguments.word()
                guard collection == "-" else { continue }
                guard arguments.isAtEnd() else { throw CommandFault("unexpected argument", at: arguments.offset()) }
                endsBackground = true
                return
            }
            if flag.name == "--filter" {
                let place = arguments.offset()
                guard flag.value == nil, arguments.isAtBracket(),
                    case .document(let document) = try arguments.bracketedJSON()
                else { throw CommandFault("--filter wants a JSON object", at: place) }
                filter = document
            } else {
                try take(flag, try arguments.value(of: flag))
            }
        }
    }

    private mutating func take(_ flag: ArgumentReader.Flag, _ value: String) throws(CommandFault) {
        func wants(_ what: String) -> CommandFault { CommandFault("\(flag.name) wants \(what)", at: flag.offset) }
        switch flag.name {
        case "--ops":
            operations = []
            for word in value.split(separator: ",") {
                switch word.lowercased() {
                case "insert": operations.insert(.insert)
                case "update": operations.insert(.update)
                case "delete": operations.insert(.delete)
                case "drop": operations.formUnion([.dropCollection, .dropDatabase])
                default: throw wants("some of \(Self.words.joined(separator: ","))")
                }
            }
            if operations.isEmpty { throw wants("some of \(Self.words.joined(separator: ","))") }
        case "--count":
            count = try QueryArguments.number(value, flag)
            if count == 0 { throw wants("a number from 1") }
        case "--for":
            guard let number = Double(value), number > 0, number <= 1e9 else { throw wants("seconds") }
            seconds = number
        case "--resume":
            guard let token = ResumeToken(value) else { throw wants("a token, as an earlier event had it") }
            self.token = token
        default: throw CommandFault("unknown flag \(flag.name); help watch shows those there are", at: flag.offset)
        }
    }
}
