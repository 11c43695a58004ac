import NexaClient
import NexaValue

extension ShellError {
    /// A word that names no command. The lines are those of the original; what was meant goes to standard error.
    static func unknownCommand(_ word: String, in text: String = "") -> ShellError {
        var error = plain("Unknown command: \(word.lowercased())", hint: "Type 'help' to see available commands")
        error.code = "unknownCommand"
        error.suggestion =
            ForeignCommand.translated(word, text)
            ?? EditDistance.nearest(to: word, among: CommandTable.all.flatMap(\.names))
        return error
    }

    /// A command that writes, in a shell that must not.
    static func readOnly(_ command: CommandSpecification) -> ShellError {
        var error = ShellError("'\(command.name)' writes, and this shell was started with --read-only")
        error.code = "readOnly"
        return error
    }

    /// With the command as it was probably meant, when one character makes its JSON right.
    func suggesting(repairOf text: String) -> ShellError {
        guard suggestion == nil, let offset else { return self }
        var error = self
        error.suggestion = CommandRepair.repaired(text, at: offset)
        return error
    }
}

/// Finds the one character that a broken command lacks or has too many.
enum CommandRepair {
    /// Longer commands are not tried.
    static let maximumBytes = 1024
    private static let candidates = [":", ",", "\"", "}", "]", "}}", "]}", "\"}"].map { [UInt8]($0.utf8) }

    /// The command with the fault at `offset` mended; `nil` when nothing simple mends it, or it has several lines.
    static func repaired(_ text: String, at offset: Int) -> String? {
        let bytes = [UInt8](text.utf8)
        guard bytes.count <= maximumBytes, offset <= bytes.count, !bytes.contains(0x0A),
            let start = bytes.firstIndex(where: { $0 == 0x7B || $0 == 0x5B }), start <= offset
        else { return nil }
        // A missing character belongs behind the last one that is none but a blank.
        var place = offset
        while place > start, NestingScan.isBlank(bytes[place - 1]) { place -= 1 }
        for candidate in candidates {
            for position in place == bytes.count ? [place] : [place, bytes.count] {
                let mended = bytes[..<position] + candidate + bytes[position...]
                if isWhole(mended[start...]) { return String(decoding: mended, as: UTF8.self) }
            }
        }
        if offset < bytes.count {
            let mended = bytes[..<offset] + bytes[(offset + 1)...]
            if isWhole(mended[start...]) { return String(decoding: mended, as: UTF8.self) }
        }
        return nil
    }

    private static func isWhole(_ json: ArraySlice<UInt8>) -> Bool {
        (try? JSON.decode(String(decoding: json, as: UTF8.self), .relaxed)) != nil
    }
}

/// What people type who come from another shell.
enum ForeignCommand {
    private static let words = [
        "select": "query {…}", "update_one": "update", "find_one": "query {…} --limit 1", "tables": "collections",
        "ls": "collections", "dbs": "databases", "\\dt": "collections", "desc": "describe", "clear": "Ctrl-L",
        "cls": "Ctrl-L", "q": "quit", ":q": "quit", "logout": "exit", "bye": "exit", "?": "help", "man": "help",
        "\\h": "help", "let": "\\set", "var": "\\set", "set": "\\set"
    ]

    /// The command that does it here.
    static func translated(_ word: String, _ text: String) -> String? {
        let word = word.lowercased()
        if word == "show" {
            let what = text.split(whereSeparator: \.isWhitespace).dropFirst().first.map { $0.lowercased() } ?? ""
            return ["dbs", "databases", "schemas"].contains(what) ? "databases" : "collections"
        }
        if word.hasPrefix("db.") {
            let name = word.dropFirst(3).prefix { $0 != "." && $0 != "(" }
            let hasCollection = word.dropFirst(3).contains(".") && !name.isEmpty
            return hasCollection
                ? "use \(TerminalText.harmless(String(name))); query {…}" : "use <collection>; query {…}"
        }
        return words[word]
    }
}

/// Finds in a command what the server's words speak of.
enum NamedOperator {
    /// The place of the key that an error names as an operator nobody knows: the first `$word` of the message.
    ///
    /// The suggestion is the server's, which knows what may stand there.
    static func offset(of message: String, in text: String) -> Int? {
        let words = [UInt8](message.utf8)
        guard message.contains("operator"), let start = words.firstIndex(of: 0x24) else { return nil }
        let name = words[start...].prefix { $0 == 0x24 || VariableScan.isNameByte($0, isFirst: false) }
        guard name.count > 1 else { return nil }
        let bytes = [UInt8](text.utf8)
        var index = 0
        while let start = bytes[index...].firstIndex(of: 0x24) {
            var end = start + 1
            while end < bytes.count, VariableScan.isNameByte(bytes[end], isFirst: false) { end += 1 }
            if bytes[start..<end] == name { return start }
            index = end
        }
        return nil
    }
}

extension Session {
    /// An error of a command, with its place in what was written and with what was probably meant.
    func explained(
        _ error: ShellError, _ command: CommandSpecification, _ text: String, _ expansion: VariableExpansion?
    ) async -> ShellError {
        var error = error
        if error.offset == nil, error.code == "invalidRequest" || error.code == "server" {
            error.offset = NamedOperator.offset(of: error.message, in: text)
        }
        if error.suggestion == nil { error.suggestion = nearFlag(error, command, text) }
        if error.suggestion == nil { error.suggestion = await nearName(error, command, text) }
        if error.suggestion == nil { error.suggestion = misplacedCollection(error, command, text) }
        if let expansion {
            error.offset = error.offset.map(expansion.written)
            // A repair speaks of what was typed.
            if expansion.text == text, error.code == "syntax", expansion.isPlain {
                error = error.suggesting(repairOf: text)
            }
        }
        return error
    }

    /// The flag that a mistyped one was probably meant for.
    private func nearFlag(_ error: ShellError, _ command: CommandSpecification, _ text: String) -> String? {
        guard let offset = error.offset, error.message.hasPrefix("unknown flag") else { return nil }
        let word = String(
            decoding: text.utf8.dropFirst(offset).prefix { !NestingScan.isBlank($0) && $0 != 0x3D }, as: UTF8.self)
        return EditDistance.nearest(to: word, among: command.flags.map(\.name))
    }

    /// `count movies`: the collection of such a command is the one that `use` chose.
    private func misplacedCollection(_ error: ShellError, _ command: CommandSpecification, _ text: String) -> String? {
        var arguments = ArgumentReader(text)
        guard error.code == "syntax", command.arguments.first == .json, !command.isWrite, !arguments.isAtBracket(),
            let name = try? arguments.word(), let first = name.unicodeScalars.first, first.properties.isAlphabetic,
            name.unicodeScalars.allSatisfy({ $0.properties.isAlphabetic || $0 == "_" || $0 == "-" || ("0"..."9") ~= $0 }
            )
        else { return nil }
        let rest = String(decoding: text.utf8.dropFirst(min(text.utf8.count, arguments.offset())), as: UTF8.self)
        return "use \(name); \(command.name)" + (rest.isEmpty ? "" : " \(rest)")
    }

    /// The collection or database that a name was probably meant for, after a command that found none.
    private func nearName(_ error: ShellError, _ command: CommandSpecification, _ text: String) async -> String? {
        guard error.code == "notFound" || error.message.lowercased().contains("not found") else { return nil }
        return await nearName(command, text)
    }

    private func nearName(_ command: CommandSpecification, _ text: String) async -> String? {
        var arguments = ArgumentReader(text)
        guard let name = try? arguments.word(), let kind = command.arguments.first else { return nil }
        return await nearName(to: name, kind)
    }

    private func nearName(to name: String, _ kind: CommandArgument) async -> String? {
        let client = client
        let names: [String]?
        switch kind {
        case .collection:
            let database = location.database
            names = try? await call { () async throws(NexaError) in
                try await client.database(database).collectionNames(CallOptions(timeout: Self.suggestionTimeout))
            }
        case .database:
            names = try? await call { () async throws(NexaError) in
                try await client.databaseNames(CallOptions(timeout: Self.suggestionTimeout))
            }
        default: return nil
        }
        guard let names, !names.contains(name) else { return nil }
        return EditDistance.nearest(to: name, among: names)
    }

    /// Does what was asked about; of a name that is not there, it is told what it may have meant.
    func doConfirmed(_ question: Confirmable) async throws(ShellError) {
        do throws(ShellError) {
            try await confirmed(question)
        } catch {
            var error = error
            guard error.message.lowercased().contains("not found") else { throw error }
            if case .dropDatabase(let name) = question {
                error.suggestion = await nearName(to: name, .database)
            } else if case .dropCollection(let name) = question {
                error.suggestion = await nearName(to: name, .collection)
            }
            throw error
        }
    }

    /// A suggestion is not worth more waiting.
    private static var suggestionTimeout: Duration { .milliseconds(500) }

    /// A person who goes to a collection or database that is not there is told of one that is nearly so called. It is no
    /// error: a collection comes into being with its first document.
    func hintAtNearName(_ command: CommandSpecification, _ text: String) async {
        guard console.presentation.mode == .interactive, command.name == "use" || command.name == "use_db",
            let name = await nearName(command, text)
        else { return }
        try? console.suggestion("  did you mean: \(command.name) \(name)")
    }
}
