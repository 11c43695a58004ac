import NexaValue

/// Reads the arguments of a command: words, `--flags` and JSON.
struct ArgumentReader {
    /// `--name` or `--name=value`.
    struct Flag {
        var name: String
        var value: String?
        var offset: Int
    }

    private let bytes: [UInt8]
    private var position = 0

    /// Starts behind the command word.
    init(_ text: String) {
        bytes = [UInt8](text.utf8)
        while position < bytes.count, !NestingScan.isBlank(bytes[position]) { position += 1 }
    }

    private mutating func skipBlanks() {
        while position < bytes.count, NestingScan.isBlank(bytes[position]) { position += 1 }
    }

    /// Whether nothing is left.
    mutating func isAtEnd() -> Bool {
        skipBlanks()
        return position == bytes.count
    }

    /// Whether a JSON array or object comes next.
    mutating func isAtBracket() -> Bool {
        skipBlanks()
        return position < bytes.count && (bytes[position] == 0x7B || bytes[position] == 0x5B)
    }

    /// Takes the next word; a word in quotes may hold blanks. Returns `nil` at the end.
    mutating func word() throws(CommandFault) -> String? {
        skipBlanks()
        guard position < bytes.count else { return nil }
        let start = position
        let quote = bytes[start]
        guard quote == 0x22 || quote == 0x27 else {
            while position < bytes.count, !NestingScan.isBlank(bytes[position]) { position += 1 }
            return String(decoding: bytes[start..<position], as: UTF8.self)
        }
        position += 1
        var text: [UInt8] = []
        while position < bytes.count, bytes[position] != quote {
            if bytes[position] == 0x5C, position + 1 < bytes.count { position += 1 }
            text.append(bytes[position])
            position += 1
        }
        guard position < bytes.count else { throw CommandFault("expected a closing quote", at: start) }
        position += 1
        return String(decoding: text, as: UTF8.self)
    }

    /// Takes the next word if it is a flag (`--name`, `--name=value`).
    mutating func flag() -> Flag? {
        skipBlanks()
        guard position + 2 < bytes.count, bytes[position] == 0x2D, bytes[position + 1] == 0x2D else { return nil }
        let start = position
        while position < bytes.count, !NestingScan.isBlank(bytes[position]) { position += 1 }
        let parts = bytes[start..<position].split(separator: 0x3D, maxSplits: 1, omittingEmptySubsequences: false)
        return Flag(
            name: String(decoding: parts[0], as: UTF8.self),
            value: parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : nil, offset: start)
    }

    /// The value of a flag: what stands behind its `=`, else the next word.
    mutating func value(of flag: Flag) throws(CommandFault) -> String {
        if let value = flag.value { return value }
        guard let word = try word() else { throw CommandFault("\(flag.name) wants a value", at: flag.offset) }
        return word
    }

    /// Takes all that is left as one JSON value.
    mutating func remainingJSON() throws(CommandFault) -> Value {
        skipBlanks()
        defer { position = bytes.count }
        return try decode(position..<bytes.count)
    }

    /// Takes the next JSON array or object and leaves what follows it.
    mutating func bracketedJSON() throws(CommandFault) -> Value {
        skipBlanks()
        let start = position
        var depthScan = NestingScan()
        while position < bytes.count {
            _ = depthScan.consume(bytes[position], at: position)
            position += 1
            if bytes[position - 1] == 0x7D || bytes[position - 1] == 0x5D, depthScan.isBalanced { break }
        }
        return try decode(start..<position)
    }

    private func decode(_ range: Range<Int>) throws(CommandFault) -> Value {
        do throws(JSONError) {
            return try JSON.decode(
                bytes.span.extracting(range).bytes, JSON.Options(isRelaxed: true, readsExtendedForms: true))
        } catch {
            throw CommandFault(error.message, at: range.lowerBound + error.offset)
        }
    }

    /// Everything that is left, without blanks at its ends.
    var rest: String { String(decoding: bytes[position...], as: UTF8.self).trimmed }

    /// The offset of the next argument.
    mutating func offset() -> Int {
        skipBlanks()
        return position
    }
}

extension NestingScan {
    /// Whether no bracket, string or comment is open.
    var isBalanced: Bool { place == .outside && closers.isEmpty && fault == nil }
}
