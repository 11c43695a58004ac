/// Decides what can be completed where a text ends. It reads only the text and the table of commands.
struct CompletionParser {
    private let bytes: [UInt8]
    private var position = 0
    private var context = CompletionContext.nothing
    /// The word before: a variable that the shell reads may have only certain values.
    private var settingName = ""

    /// What can be completed at the end of `text`: the open lines of a command, then the line up to the cursor.
    static func context(of text: String) -> CompletionContext {
        let all = [UInt8](text.utf8)
        var scan = NestingScan()
        var start = 0
        var isRaw = false
        for (index, byte) in all.enumerated() where !isRaw {
            if byte == 0x0A {
                // Where the line before ended whole, a new command begins.
                if scan.endLine(at: index) == .complete {
                    start = index + 1
                    scan = NestingScan()
                }
            } else if scan.consume(byte, at: index) {
                start = index + 1
                scan = NestingScan()
            }
            isRaw = index == start + 1 && byte == 0x21 && all[start] == 0x5C  // \! takes the line as it stands
        }
        var parser = CompletionParser(Array(all[start...]))
        parser.readCommand()
        return parser.context
    }

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var isAtEnd: Bool { position == bytes.count }

    private mutating func skipBlanks() {
        while position < bytes.count, NestingScan.isBlank(bytes[position]) { position += 1 }
    }

    /// Sets what is wanted, for a word that begins at `start` and is read from `textStart` on.
    private mutating func want(
        _ targets: [CompletionContext.Target], prefix: [UInt8], from start: Int, _ style: CompletionContext.Style
    ) {
        context = CompletionContext(
            targets: targets, prefix: String(decoding: prefix, as: UTF8.self), replacedBytes: bytes.count - start,
            style: style)
    }

    // MARK: Words

    private mutating func readCommand() {
        skipBlanks()
        let start = position
        while position < bytes.count, !NestingScan.isBlank(bytes[position]) { position += 1 }
        let word = bytes[start..<position]
        guard !isAtEnd else { return want([.command], prefix: Array(word), from: start, .word(quote: nil)) }
        guard let command = CommandTable.find(String(decoding: word, as: UTF8.self)) else { return }
        if command.isRawLine { return readRaw() }
        readArguments(command)
    }

    /// Only file names, in the words of another language.
    private mutating func readRaw() {
        var start = bytes.count
        while start > position, !NestingScan.isBlank(bytes[start - 1]) { start -= 1 }
        want([.file], prefix: Array(bytes[start...]), from: start, .word(quote: nil))
    }

    private mutating func readArguments(_ command: CommandSpecification) {
        var index = 0
        var flags: [String] = []
        while true {
            skipBlanks()
            let start = position
            var argument =
                command.arguments.isEmpty
                ? nil : command.arguments[min(index, command.arguments.count - 1)]
            if command.name == "\\set", index == 1,
                let special = ShellVariables.specials.first(where: { $0.name == settingName })
            {
                argument = .word(special.choices)
            }
            guard !isAtEnd else {
                var targets = argument.map(Self.targets) ?? []
                if !command.flags.isEmpty { targets.append(.flag(of: command.name, without: flags)) }
                return want(targets, prefix: [], from: start, .word(quote: nil))
            }
            switch bytes[position] {
            case 0x7B, 0x5B:
                if readJSON(argument ?? .json, command) { return }
                index += 1
            case 0x2D where position + 1 < bytes.count && bytes[position + 1] == 0x2D:
                if readFlag(command, &flags) { return }
            case 0x2D where position + 1 == bytes.count:  // a hyphen alone may become a flag, or is standard input
                return want(
                    [.flag(of: command.name, without: flags)], prefix: [0x2D], from: start, .word(quote: nil))
            default:
                let word = readWord()
                guard !word.isFinished else {
                    index += 1
                    settingName = String(decoding: word.text, as: UTF8.self)
                    continue
                }
                var targets = argument.map(Self.targets) ?? []
                if argument == .command, command.arguments == [.command] { targets = [.argument(.command)] }
                return offer(targets, word, from: start)
            }
        }
    }

    private static func targets(_ argument: CommandArgument) -> [CompletionContext.Target] {
        switch argument {
        case .json, .pipeline, .vector, .text: []
        case .file: [.file]
        case .variable: [.variable]
        case .field: [.field(parent: "")]
        case .database, .collection, .documentID, .index, .user, .command, .word: [.argument(argument)]
        }
    }

    private struct Word {
        var text: [UInt8] = []
        var quote: UInt8?
        var isFinished = false
    }

    private mutating func readWord() -> Word {
        var word = Word()
        let first = bytes[position]
        guard first == 0x22 || first == 0x27 else {
            while position < bytes.count, !NestingScan.isBlank(bytes[position]) {
                word.text.append(bytes[position])
                position += 1
            }
            word.isFinished = !isAtEnd
            return word
        }
        word.quote = first
        position += 1
        while position < bytes.count, bytes[position] != first {
            if bytes[position] == 0x5C, position + 1 < bytes.count { position += 1 }
            word.text.append(bytes[position])
            position += 1
        }
        guard !isAtEnd else { return word }
        position += 1
        word.isFinished = true
        return word
    }

    /// Offers what fits an argument that is being written.
    private mutating func offer(_ targets: [CompletionContext.Target], _ word: Word, from start: Int) {
        let isBare = word.quote == nil
        // `$name` stands for any argument, `@file` for JSON and vectors.
        if isBare, word.text.first == 0x24 {
            return want([.variable], prefix: Array(word.text.dropFirst()), from: start + 1, .word(quote: nil))
        }
        if isBare, word.text.first == 0x40 {
            return want([.file], prefix: Array(word.text.dropFirst()), from: start + 1, .word(quote: nil))
        }
        guard targets == [.field(parent: "")], isBare else {
            return want(targets, prefix: word.text, from: start, .word(quote: word.quote))
        }
        // Fields stand in lists, with a hyphen where the order is descending.
        var last = word.text.lastIndex(of: 0x2C).map { $0 + 1 } ?? 0
        if last < word.text.count, word.text[last] == 0x2D { last += 1 }
        want(targets, prefix: Array(word.text[last...]), from: start + last, .word(quote: nil))
    }

    /// Returns whether the text ends within the flag or its value.
    private mutating func readFlag(_ command: CommandSpecification, _ flags: inout [String]) -> Bool {
        let start = position
        while position < bytes.count, !NestingScan.isBlank(bytes[position]), bytes[position] != 0x3D { position += 1 }
        let name = String(decoding: bytes[start..<position], as: UTF8.self)
        guard !isAtEnd else {
            want(
                [.flag(of: command.name, without: flags)], prefix: Array(bytes[start...]), from: start,
                .word(quote: nil))
            return true
        }
        flags.append(name)
        let flag = command.flags.first { $0.name == name }
        let isInline = bytes[position] == 0x3D
        if isInline {
            position += 1
        } else {
            guard flag?.value != nil else { return false }
            skipBlanks()
        }
        let argument = flag?.argument ?? .text
        var targets = Self.targets(argument)
        if targets.isEmpty, let words = flag?.value?.split(separator: "|"), words.count > 1 {
            targets = [.argument(.word(words.map(String.init).filter { $0.lowercased() == $0 }))]
        }
        guard !isAtEnd else {
            want(targets, prefix: [], from: position, .word(quote: nil))
            return true
        }
        if bytes[position] == 0x7B || bytes[position] == 0x5B { return readJSON(argument, command, isFlag: true) }
        let valueStart = position
        let word = readWord()
        if word.isFinished { return false }
        offer(targets, word, from: valueStart)
        return true
    }

    // MARK: JSON

    /// Returns whether the text ends within it.
    private mutating func readJSON(
        _ argument: CommandArgument, _ command: CommandSpecification, isFlag: Bool = false
    ) -> Bool {
        let cursor = JSONCursor(bytes[position...])
        if let end = cursor.end {
            position = end
            return end == bytes.count
        }
        position = bytes.count
        let start = cursor.token?.start ?? bytes.count
        let prefix = cursor.token?.text ?? []
        let quote = cursor.token?.quote
        let form = JSONForm(argument, command, isFlag: isFlag)
        switch cursor.slot {
        case .key: want(form.keys(cursor), prefix: prefix, from: start, .key(quote: quote))
        case .value:
            if quote == nil, prefix.first == 0x24 {
                want([.variable], prefix: Array(prefix.dropFirst()), from: start + 1, .plain)
                return true
            }
            if quote == nil, prefix.first == 0x40 {
                want([.file], prefix: Array(prefix.dropFirst()), from: start + 1, .plain)
                return true
            }
            want(form.values(cursor), prefix: prefix, from: start, .value(quote: quote))
        case .colon, .end, .nowhere: break
        }
        return true
    }
}

/// What JSON means to a command: a filter, a document, an update, a pipeline.
private enum JSONForm {
    case filter, document, update, pipeline, none

    init(_ argument: CommandArgument, _ command: CommandSpecification, isFlag: Bool) {
        switch argument {
        case .pipeline: self = .pipeline
        case .vector: self = .none
        default:
            if isFlag || !command.isWrite || command.name.hasPrefix("delete") {
                self = .filter
            } else {
                self = command.name.hasPrefix("update") ? .update : .document
            }
        }
    }

    /// What a key may be.
    func keys(_ cursor: JSONCursor) -> [CompletionContext.Target] {
        let parent = cursor.path.isEmpty ? "" : cursor.path + "."
        let keys = cursor.keys
        switch self {
        case .none: return []
        case .document: return [.field(parent: parent)]
        case .update:
            if keys.isEmpty { return [.field(parent: ""), .keyword(.update)] }
            return [.field(parent: parent)]
        case .filter: return Self.filterKeys(keys, parent)
        case .pipeline: return Self.pipelineKeys(cursor, parent)
        }
    }

    private static func filterKeys(_ keys: [String], _ parent: String) -> [CompletionContext.Target] {
        switch keys.last {
        case nil, "$and", "$or", "$nor": return [.field(parent: parent), .keyword(.logical)]
        case "$not": return [.keyword(.comparison)]
        case "$elemMatch": return [.field(parent: parent), .keyword(.comparison)]
        case "$expr": return [.keyword(.expression)]
        case .some where keys.contains("$expr"): return [.keyword(.expression)]
        default: return [.keyword(.comparison), .field(parent: parent)]
        }
    }

    private static func pipelineKeys(_ cursor: JSONCursor, _ parent: String) -> [CompletionContext.Target] {
        let keys = cursor.keys
        guard let stage = keys.first else { return [.keyword(.stage)] }
        switch stage {
        case "$match": return filterKeys(Array(keys.dropFirst()), parent)
        case "$group", "$bucket":
            if keys.count == 1 { return [.field(parent: ""), .keyword(.accumulator)] }
            return [.keyword(keys.count == 2 && keys[1] != "_id" ? .accumulator : .expression)]
        case "$facet":
            return keys.count == 1 ? [] : (keys.count == 2 ? [.keyword(.stage)] : [.field(parent: "")])
        case "$project", "$addFields", "$set", "$sort", "$unset":
            if keys.count == 1 { return [.field(parent: "")] }
            return [.keyword(.expression), .field(parent: parent)]
        default: return keys.count == 1 ? [.keyword(.expression)] : [.field(parent: parent), .keyword(.expression)]
        }
    }

    /// What a value may be.
    func values(_ cursor: JSONCursor) -> [CompletionContext.Target] {
        guard self != .none else { return [] }
        if self == .pipeline, cursor.token?.text.first == 0x24, cursor.token?.quote != nil { return [.fieldReference] }
        if self == .pipeline, ["$unset", "$sortByCount", "$unwind", "$count"].contains(cursor.keys.last) {
            return cursor.keys.last == "$unset" ? [.field(parent: "")] : [.fieldReference]
        }
        guard !cursor.path.isEmpty else { return [] }
        return [.value(of: cursor.path)]
    }
}
