/// Reads the words of a command line by the option table.
enum InvocationParser {
    /// The invocation, and the places of words that hold a password.
    struct Parsed: Sendable, Equatable {
        var invocation = Invocation()
        /// Positions in the arguments whose text should be wiped.
        var secretPositions: [Int] = []
    }

    private static let byName: [String: Option] = {
        var index: [String: Option] = [:]
        for option in OptionTable.sections.flatMap(\.options) {
            for name in option.names { index[name] = option }
        }
        return index
    }()

    /// Parses the arguments behind the program's name.
    static func parse(_ arguments: [String]) throws(UsageError) -> Parsed {
        var parsed = Parsed()
        var position = 0
        // `nexa toon export films films.toon`: the one command that may stand on the command line as it is.
        var command: [String] = []
        while position < arguments.count {
            let word = arguments[position]
            let isOption = word.hasPrefix("-") && word != "-"
            if !isOption || (!command.isEmpty && byName[split(word).name] == nil) {
                guard !command.isEmpty || word == wordOfItsOwn else {
                    throw UsageError("unexpected argument '\(word)': commands are given with -e")
                }
                command.append(word)
                position += 1
                continue
            }
            var (name, value) = split(word)
            guard let option = byName[name] else { throw unknown(name) }
            let place = position
            switch option.argument {
            case .none:
                if value != nil { throw UsageError("\(name) takes no value") }
            case .required(let what):
                if value == nil {
                    position += 1
                    guard position < arguments.count else { throw UsageError("\(name) wants a value: \(name) \(what)") }
                    value = arguments[position]
                }
            case .optional:
                if value == nil, position + 1 < arguments.count, !arguments[position + 1].hasPrefix("-") {
                    position += 1
                    value = arguments[position]
                }
            }
            if option.names.contains("--password"), value != nil { parsed.secretPositions.append(max(place, position)) }
            try option.apply(&parsed.invocation, value ?? "")
            position += 1
        }
        if !command.isEmpty {
            parsed.invocation.sources.append(.command(command.map(commandWord).joined(separator: " ")))
        }
        return parsed
    }

    private static let wordOfItsOwn = "toon"

    /// A word of the command line as a command reads it.
    private static func commandWord(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B...0x2F, 0x3D, 0x5F, 0x80...: true
            default: false
            }
        }
        guard !isPlain || word.isEmpty else { return word }
        return "\"" + word.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// `--name=value` and `-nVALUE` are one word.
    private static func split(_ word: String) -> (name: String, value: String?) {
        if word.hasPrefix("--") {
            guard let equals = word.firstIndex(of: "=") else { return (word, nil) }
            return (String(word[..<equals]), String(word[word.index(after: equals)...]))
        }
        let name = String(word.prefix(2))
        return word.count == 2 ? (word, nil) : (name, String(word.dropFirst(2)))
    }

    private static func unknown(_ name: String) -> UsageError {
        let nearest = byName.keys.map { ($0, EditDistance.between(name, $0)) }.min { ($0.1, $0.0) < ($1.1, $1.0) }
        guard let nearest, nearest.1 <= 2, name.count > 2 else {
            return UsageError("unknown option '\(name)'; nexa --help lists them")
        }
        return UsageError("unknown option '\(name)'; did you mean \(nearest.0)?")
    }
}
