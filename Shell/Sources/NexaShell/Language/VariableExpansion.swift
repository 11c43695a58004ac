import NexaValue

/// A command with its variables replaced, and the way back from places in it to places in what was written.
///
/// A variable is a bare `$name` that stands where an argument or a JSON value stands. It is never replaced inside
/// quotes and never where a key stands, so that field references (`"$city"`) and operators (`{$gte: 1}`) are safe.
/// One variable is one argument or one value: what is in it cannot add flags, further keys or further commands.
struct VariableExpansion: Sendable {
    /// The command with values in the place of variables.
    private(set) var text: String
    /// Where each variable stood, and where its value stands.
    private var pieces: [(written: Range<Int>, expanded: Range<Int>)] = []

    /// Replaces the variables behind the command word.
    ///
    /// - Parameter value: the text of a variable as it was set; `nil` when there is no such variable.
    /// - Throws: `CommandFault` at a variable that is not set.
    init(_ command: String, value: (String) -> String?) throws(CommandFault) {
        text = command
        guard command.utf8.contains(0x24) else { return }
        var scan = VariableScan([UInt8](command.utf8))
        var expanded: [UInt8] = []
        var copied = 0
        while let found = scan.next() {
            guard let value = value(found.name) else {
                throw CommandFault("variable \(found.name) is not set", at: found.range.lowerBound)
            }
            expanded += scan.bytes[copied..<found.range.lowerBound]
            let start = expanded.count
            expanded += [UInt8]((found.isInJSON ? Self.json(value) : Self.argument(value)).utf8)
            pieces.append((found.range, start..<expanded.count))
            copied = found.range.upperBound
        }
        guard !pieces.isEmpty else { return }
        expanded += scan.bytes[copied...]
        text = String(decoding: expanded, as: UTF8.self)
    }

    /// Whether there was nothing to replace.
    var isPlain: Bool { pieces.isEmpty }

    /// The place in `text` of a place outside variables in the written command.
    func expanded(_ offset: Int) -> Int {
        guard let piece = pieces.last(where: { $0.written.upperBound <= offset }) else { return offset }
        return piece.expanded.upperBound + offset - piece.written.upperBound
    }

    /// The place in the written command of a place in `text`; within a value it is that of its variable.
    func written(_ offset: Int) -> Int {
        guard let piece = pieces.last(where: { $0.expanded.lowerBound <= offset }) else { return offset }
        return piece.expanded.contains(offset)
            ? piece.written.lowerBound : piece.written.upperBound + offset - piece.expanded.upperBound
    }

    // MARK: Values

    private static let options = JSON.Options(isRelaxed: true, readsExtendedForms: true)

    private static func decoded(_ text: String) -> Value? { try? JSON.decode(text, options) }

    /// A value within JSON: as it is when it is JSON, else as a string.
    private static func json(_ value: String) -> String {
        guard decoded(value) != nil else { return quoted(value) }
        // A comment or a line feed in it would change what follows it.
        let isPlain = !value.utf8.contains { $0 == 0x2F || $0 == 0x0A }
        return isPlain ? value : decoded(value).flatMap { try? JSON.string($0) } ?? quoted(value)
    }

    private static func quoted(_ value: String) -> String { (try? JSON.string(.string(value))) ?? "\"\"" }

    /// A value as one argument: an array or object as it is, everything else as one word.
    private static func argument(_ value: String) -> String {
        switch value.utf8.first {
        case 0x7B, 0x5B: if decoded(value) != nil { return value }
        default: break
        }
        let word = plainText(value)
        let isPlain = word.utf8.first.map { !plainStoppers.contains($0) } ?? false
        if isPlain, !word.utf8.contains(where: NestingScan.isBlank) { return word }
        return "\"" + word.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// The first bytes that would make a word something else: a quote, a flag, JSON.
    private static let plainStoppers = Set("\"'-{[".utf8)

    /// A value without its quotes.
    static func plainText(_ value: String) -> String {
        switch value.utf8.first {
        case 0x22, 0x27: decoded(value)?.string ?? value
        default: value
        }
    }
}

/// Finds the variables of a command.
struct VariableScan {
    struct Found {
        var name: String
        /// With its `$`.
        var range: Range<Int>
        /// Whether a bracket is open around it.
        var isInJSON: Bool
    }

    private struct Level {
        var isObject: Bool
        var awaitsValue: Bool
    }

    let bytes: [UInt8]
    private var position = 0
    private var levels: [Level] = []
    private var wordStart = 0

    /// Starts behind the command word.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        while position < bytes.count, !NestingScan.isBlank(bytes[position]) { position += 1 }
    }

    /// The next variable.
    mutating func next() -> Found? {
        while position < bytes.count {
            let byte = bytes[position]
            let previous = position > 0 ? bytes[position - 1] : 0x20
            if NestingScan.isBlank(previous) { wordStart = position }
            switch byte {
            case _ where (byte == 0x22 || byte == 0x27) && (!levels.isEmpty || NestingScan.isBlank(previous)):
                skipString(byte)
            case 0x2F where !levels.isEmpty && position + 1 < bytes.count: skipComment(bytes[position + 1])
            case 0x24:
                if let found = variable(after: previous) {
                    position = found.range.upperBound
                    return found
                }
                position += 1
            default:
                follow(byte)
                position += 1
            }
        }
        return nil
    }

    private mutating func follow(_ byte: UInt8) {
        switch byte {
        case 0x7B: levels.append(Level(isObject: true, awaitsValue: false))
        case 0x5B: levels.append(Level(isObject: false, awaitsValue: true))
        case 0x7D, 0x5D: _ = levels.popLast()
        case 0x3A: setAwaitsValue(true)
        case 0x2C: setAwaitsValue(false)
        default: break
        }
    }

    private mutating func setAwaitsValue(_ awaits: Bool) {
        guard let last = levels.indices.last, levels[last].isObject else { return }
        levels[last].awaitsValue = awaits
    }

    private mutating func skipString(_ quote: UInt8) {
        position += 1
        while position < bytes.count, bytes[position] != quote {
            if bytes[position] == 0x5C { position += 1 }
            position += 1
        }
        position += 1
    }

    private mutating func skipComment(_ kind: UInt8) {
        position += 1
        guard kind == 0x2F || kind == 0x2A else { return }
        position += 1
        if kind == 0x2F {
            while position < bytes.count, bytes[position] != 0x0A { position += 1 }
        } else {
            while position + 1 < bytes.count, !(bytes[position] == 0x2A && bytes[position + 1] == 0x2F) {
                position += 1
            }
            position += 2
        }
    }

    private func variable(after previous: UInt8) -> Found? {
        var end = position + 1
        while end < bytes.count, Self.isNameByte(bytes[end], isFirst: end == position + 1) { end += 1 }
        guard end > position + 1 else { return nil }
        let next = end < bytes.count ? bytes[end] : 0x20
        if let level = levels.last {
            guard level.awaitsValue, NestingScan.isBlank(previous) || Self.beforeValue.contains(previous),
                NestingScan.isBlank(next) || Self.behindValue.contains(next), !isColonNext(from: end)
            else { return nil }
        } else {
            // `$name` alone, or the value of a flag: `--limit=$name`.
            let isFlag = previous == 0x3D && bytes[wordStart...].starts(with: [0x2D, 0x2D])
            guard NestingScan.isBlank(previous) || isFlag, NestingScan.isBlank(next) else { return nil }
        }
        return Found(
            name: String(decoding: bytes[(position + 1)..<end], as: UTF8.self), range: position..<end,
            isInJSON: !levels.isEmpty)
    }

    private func isColonNext(from start: Int) -> Bool {
        bytes[start...].first { !NestingScan.isBlank($0) } == 0x3A
    }

    private static let beforeValue = Set("[,:/".utf8)
    private static let behindValue = Set(",]}/".utf8)

    static func isNameByte(_ byte: UInt8, isFirst: Bool) -> Bool {
        switch byte {
        case 0x41...0x5A, 0x61...0x7A, 0x5F: true
        case 0x30...0x39: !isFirst
        default: false
        }
    }
}
