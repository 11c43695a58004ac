import NexaValue

/// Makes commands out of lines: a command ends with its line, or with `;`, unless a bracket is still open.
struct CommandAssembler {
    /// One command, or text that cannot become one.
    struct Command: Sendable, Equatable {
        /// The text, without blanks around it.
        var text: String
        /// The line it begins on, counted from 1 over everything this assembler was given.
        var line: Int
        /// The column of that line, counted from 1 in Unicode scalars.
        var column = 1
        /// Why it cannot be run.
        var fault: CommandFault?

        /// The command that its first word names.
        var specification: CommandSpecification? { CommandTable.find(word) }
        /// Its first word.
        var word: String { String(text.prefix { !$0.isWhitespace }) }
    }

    /// How broken text ends.
    enum Recovery: Sendable {
        /// At a terminal: what no further line can mend is reported at once.
        case reportAtOnce
        /// In a script: a line that begins with a command word ends the broken command before it.
        case nextCommandWord
    }

    /// A longer command is an error.
    static let maximumByteCount = 64 << 20
    /// Above this size the JSON of an unfinished command is no longer parsed after each line.
    private static let probedByteCount = 64 << 10

    private let recovery: Recovery
    private var bytes: [UInt8] = []
    private var scan = NestingScan()
    private var firstLine = 1
    private var firstColumn = 1
    private var lineCount = 0
    private var isTooLong = false

    init(_ recovery: Recovery) { self.recovery = recovery }

    /// Whether the next line continues a command.
    var isContinuing: Bool { !bytes.isEmpty || isTooLong }

    /// Adds a line (without its end) and returns the commands that it completes.
    mutating func append(_ line: String) -> [Command] {
        lineCount += 1
        var done: [Command] = []
        if !isContinuing, Self.isComment(line) { return [] }
        if isContinuing {
            if recovery == .nextCommandWord, Self.beginsWithCommandWord(line) {
                done.append(take(scan.unfinished(at: bytes.count)))
            } else {
                bytes.append(0x0A)
            }
        }
        if !isContinuing {
            firstLine = lineCount
            firstColumn = 1
        }
        var line = line
        line.withUTF8 { append($0, to: &done) }
        switch scan.endLine(at: bytes.count) {
        case .complete: finish(nil, &done)
        case .wrong(let fault): finish(fault, &done)
        case .incomplete:
            if isTooLong {
                bytes.removeAll()
            } else if let fault = probedFault() {
                finish(fault, &done)
            }
        }
        return done
    }

    /// Ends the input; returns the command that was still open.
    mutating func finish() -> Command? {
        guard isContinuing else { return nil }
        return take(scan.unfinished(at: bytes.count))
    }

    /// Forgets the open command.
    mutating func discard() { _ = take(nil) }

    /// The text of the open command so far.
    var pendingText: String { String(decoding: bytes, as: UTF8.self) }

    private mutating func append(_ line: UnsafeBufferPointer<UInt8>, to done: inout [Command]) {
        if bytes.count + line.count > Self.maximumByteCount { isTooLong = true }
        if !isContinuing, appendRaw(line[...]) { return }
        var column = 1
        for (index, byte) in line.enumerated() {
            if byte & 0xC0 != 0x80 { column += 1 }
            if scan.consume(byte, at: bytes.count) {
                finish(nil, &done)
                firstLine = lineCount
                firstColumn = column
                if appendRaw(line[(index + 1)...]) { return }
            } else if !isTooLong {
                bytes.append(byte)
            }
        }
    }

    /// Takes the rest of a line as it stands if it begins with a command that wants that.
    private mutating func appendRaw(_ rest: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        let text = rest.drop { NestingScan.isBlank($0) }
        guard text.first == 0x5C, !isTooLong else { return false }
        let word = text.prefix { !NestingScan.isBlank($0) }
        if text.starts(with: Self.systemCommand), word.count > Self.systemCommand.count {  // \!ls
            bytes += rest.prefix { NestingScan.isBlank($0) } + Self.systemCommand + [0x20]
            bytes += text.dropFirst(Self.systemCommand.count)
            return true
        }
        guard word.count <= 32, CommandTable.find(String(decoding: word, as: UTF8.self))?.isRawLine == true else {
            return false
        }
        bytes += rest
        return true
    }

    private static let systemCommand = [UInt8]("\\!".utf8)

    /// Whether a line is a comment: it begins with `#` or `//`.
    private static func isComment(_ line: String) -> Bool {
        let text = line.utf8.drop { NestingScan.isBlank($0) }
        return text.first == 0x23 || text.starts(with: [0x2F, 0x2F])
    }

    private mutating func finish(_ fault: CommandFault?, _ done: inout [Command]) {
        let command = take(fault)
        if !command.text.isEmpty || command.fault != nil { done.append(command) }
    }

    /// Takes the command out, blanks cut off at both ends.
    private mutating func take(_ fault: CommandFault?) -> Command {
        var fault = fault
        if isTooLong { fault = CommandFault("a command longer than \(Self.maximumByteCount >> 20) MiB", at: 0) }
        let start = bytes.firstIndex { !NestingScan.isBlank($0) } ?? bytes.endIndex
        let end = bytes.lastIndex { !NestingScan.isBlank($0) }.map { $0 + 1 } ?? start
        if let offset = fault?.offset { fault?.offset = min(max(offset - start, 0), end - start) }
        let column = firstColumn + bytes[..<start].count { $0 & 0xC0 != 0x80 }
        let command = Command(
            text: String(decoding: bytes[start..<end], as: UTF8.self), line: firstLine, column: column, fault: fault)
        bytes = []
        scan = NestingScan()
        isTooLong = false
        return command
    }

    /// What the JSON parser finds wrong, if it is more than a missing end.
    private func probedFault() -> CommandFault? {
        guard recovery == .reportAtOnce, bytes.count <= Self.probedByteCount, let start = scan.firstBracket else {
            return nil
        }
        // Whatever the variables hold, it is a value.
        guard let expansion = try? VariableExpansion(pendingText, value: { _ in "0" }) else { return nil }
        let text = [UInt8](expansion.text.utf8)
        let first = expansion.expanded(start)
        guard first < text.count else { return nil }
        do throws(JSONError) {
            _ = try JSON.decode(text.span.extracting(first..<text.count).bytes, .relaxed)
            return nil
        } catch {
            return error.isIncomplete
                ? nil : CommandFault(error.message, at: expansion.written(first + error.offset))
        }
    }

    private static func beginsWithCommandWord(_ line: String) -> Bool {
        let word = line.utf8.prefix { !NestingScan.isBlank($0) }
        guard (1...32).contains(word.count) else { return false }
        return CommandTable.find(String(decoding: word, as: UTF8.self)) != nil
    }
}
