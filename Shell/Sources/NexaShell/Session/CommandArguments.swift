import Glibc
import NexaValue

/// The arguments of a command, taken apart by what its row of the table says: words and JSON in their order, and flags
/// wherever they stand.
///
/// Where JSON is wanted, `@file` means what the file holds.
struct CommandArguments {
    private enum Item {
        case word(String, offset: Int)
        case json(Value, offset: Int)

        var offset: Int {
            switch self {
            case .word(_, let offset), .json(_, let offset): offset
            }
        }
    }

    private struct Given {
        var offset: Int
        var text: String?
        var json: Value?
    }

    /// A larger file is refused.
    static let maximumFileBytes = 64 << 20
    private let command: CommandSpecification
    private var items: [Item] = []
    private var position = 0
    private var flags: [String: [Given]] = [:]

    /// Takes the arguments of a call apart.
    ///
    /// - Throws: for flags that the command does not have, and for JSON that is none.
    init(_ call: CommandCall) throws(ShellError) {
        command = call.specification
        var reader = call.arguments
        do throws(CommandFault) {
            try read(&reader)
        } catch {
            throw ShellError(error)
        }
    }

    private mutating func read(_ reader: inout ArgumentReader) throws(CommandFault) {
        while !reader.isAtEnd() {
            let offset = reader.offset()
            if reader.isAtBracket() {
                items.append(.json(try reader.bracketedJSON(), offset: offset))
            } else if let flag = reader.flag() {
                flags[flag.name, default: []].append(try given(flag, &reader))
            } else if let word = try reader.word() {
                items.append(.word(word, offset: offset))
            }
        }
    }

    private func given(
        _ flag: ArgumentReader.Flag, _ reader: inout ArgumentReader
    ) throws(CommandFault) -> Given {
        guard let known = command.flags.first(where: { $0.name == flag.name }) else {
            let others = command.flags.map(\.name).joined(separator: ", ")
            throw CommandFault(
                "unknown flag \(flag.name); "
                    + (others.isEmpty ? "\(command.name) has none" : "there are: \(others)"), at: flag.offset)
        }
        guard known.value != nil else {
            guard flag.value == nil else { throw CommandFault("\(flag.name) takes no value", at: flag.offset) }
            return Given(offset: flag.offset)
        }
        if flag.value == nil, reader.isAtBracket() {
            return Given(offset: reader.offset(), json: try reader.bracketedJSON())
        }
        return Given(offset: flag.offset, text: try reader.value(of: flag))
    }

    // MARK: In order

    /// Whether nothing but flags is left.
    var isAtEnd: Bool { position == items.count }

    /// Whether JSON, or a file of it, comes next.
    var isAtJSON: Bool {
        guard position < items.count else { return false }
        switch items[position] {
        case .json: return true
        case .word(let word, _): return word.hasPrefix("@")
        }
    }

    /// Takes the next argument when it is a word.
    mutating func word() -> String? {
        guard position < items.count, case .word(let word, _) = items[position] else { return nil }
        position += 1
        return word
    }

    /// Takes the next argument as JSON; `nil` at the end.
    mutating func json(_ wanted: String) throws(ShellError) -> Value? {
        guard position < items.count else { return nil }
        defer { position += 1 }
        switch items[position] {
        case .json(let value, _): return value
        case .word(let word, let offset):
            guard word.hasPrefix("@"), word.count > 1 else {
                throw ShellError(CommandFault("expected \(wanted)", at: offset))
            }
            return try Self.file(String(word.dropFirst()))
        }
    }

    /// Takes the next argument as a JSON object; `nil` at the end.
    mutating func document(_ wanted: String = "a JSON object") throws(ShellError) -> Document? {
        let offset = position < items.count ? items[position].offset : 0
        guard let value = try json(wanted) else { return nil }
        guard case .document(let document) = value else {
            throw ShellError(CommandFault("expected \(wanted)", at: offset))
        }
        return document
    }

    /// Takes the next argument as a number.
    mutating func number(_ what: String, in range: ClosedRange<Int>) throws(ShellError) -> Int? {
        guard position < items.count else { return nil }
        guard case .word(let word, let offset) = items[position], let number = Int(word), range.contains(number) else {
            throw ShellError(
                CommandFault("\(what) is a number from \(range.lowerBound)", at: items[position].offset))
        }
        _ = offset
        position += 1
        return number
    }

    /// Checks that nothing is left.
    func end() throws(ShellError) {
        guard position < items.count else { return }
        let item = items[position]
        switch item {
        case .word(let word, let offset): throw ShellError(CommandFault("unexpected '\(word)'", at: offset))
        case .json(_, let offset): throw ShellError(CommandFault("unexpected JSON", at: offset))
        }
    }

    // MARK: Flags

    /// Whether a flag was given.
    func has(_ flag: String) -> Bool { flags[flag] != nil }

    /// The value of a flag as text; of several the last.
    func text(of flag: String) throws(ShellError) -> String? { try texts(of: flag).last }

    /// The values of a flag that may be given several times.
    func texts(of flag: String) throws(ShellError) -> [String] {
        var texts: [String] = []
        for given in flags[flag] ?? [] {
            guard let text = given.text else {
                throw ShellError(CommandFault("\(flag) wants a word", at: given.offset))
            }
            texts.append(text)
        }
        return texts
    }

    /// The value of a flag as one of some words.
    func choice<T>(of flag: String, _ read: (String) -> T?, _ words: [String]) throws(ShellError) -> T? {
        guard let text = try text(of: flag) else { return nil }
        let offset = offset(of: flag)
        guard let value = read(text.lowercased()) else {
            throw ShellError(CommandFault("\(flag) is one of: \(words.joined(separator: ", "))", at: offset))
        }
        return value
    }

    /// The value of a flag as a number.
    func number(of flag: String, in range: ClosedRange<Int> = 0...Int.max) throws(ShellError) -> Int? {
        guard let text = try text(of: flag) else { return nil }
        let offset = offset(of: flag)
        guard let number = Int(text), range.contains(number) else {
            let bounds = range.upperBound == .max ? "from \(range.lowerBound)" : "in \(range)"
            throw ShellError(CommandFault("\(flag) wants a number \(bounds)", at: offset))
        }
        return number
    }

    /// The value of a flag as JSON.
    func json(of flag: String) throws(ShellError) -> Value? {
        guard let given = flags[flag]?.last else { return nil }
        if let json = given.json { return json }
        if let text = given.text, text.hasPrefix("@"), text.count > 1 { return try Self.file(String(text.dropFirst())) }
        // Written as --flag={…}.
        guard let text = given.text, let value = try? JSON.decode(text, Self.options) else {
            throw ShellError(CommandFault("\(flag) wants JSON", at: given.offset))
        }
        return value
    }

    /// The value of a flag as a JSON object.
    func document(of flag: String) throws(ShellError) -> Document? {
        guard let value = try json(of: flag) else { return nil }
        let offset = offset(of: flag)
        guard case .document(let document) = value else {
            throw ShellError(CommandFault("\(flag) wants a JSON object", at: offset))
        }
        return document
    }

    /// Where a flag's value stands.
    func offset(of flag: String) -> Int { flags[flag]?.last?.offset ?? 0 }

    // MARK: Files

    private static let options = JSON.Options(isRelaxed: true, readsExtendedForms: true)

    /// The JSON that a regular file holds.
    private static func file(_ path: String) throws(ShellError) -> Value {
        let bytes = try contents(of: path)
        do throws(JSONError) {
            return try JSON.decode(bytes, options)
        } catch {
            let text = String(decoding: bytes, as: UTF8.self)
            let position = TextPosition(of: error.offset, in: text)
            var failure = ShellError("\(error.message) at line \(position.line) column \(position.column) of \(path)")
            failure.pointer = position.pointer(in: text)
            throw failure
        }
    }

    private static func contents(of path: String) throws(ShellError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else { throw ShellError("cannot read \(path): \(systemMessage(errno))", exit: .file) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw ShellError("cannot read \(path): it is no regular file", exit: .file)
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ShellError("cannot read \(path): \(systemMessage(errno))", exit: .file) }
            if count == 0 { return bytes }
            bytes += chunk.prefix(count)
            guard bytes.count <= maximumFileBytes else {
                throw ShellError("cannot read \(path): it is larger than \(maximumFileBytes >> 20) MiB", exit: .file)
            }
        }
    }
}
