/// Follows quotes, brackets and comments through the bytes of a command, one line at a time.
///
/// It answers one question: may the command end here, must it go on, or can no further text make it right? What
/// the brackets hold is the JSON parser's business.
struct NestingScan {
    /// How the text stands at the end of a line.
    enum State: Equatable {
        /// Every bracket is closed: the command is whole.
        case complete
        /// A bracket or a comment is open: more lines may complete it.
        case incomplete
        /// No further text can make it right.
        case wrong(CommandFault)
    }

    /// Deeper nesting is an error. It is the limit of the JSON parser.
    static let maximumDepth = 256

    enum Place: Equatable {
        case outside
        case string(quote: UInt8)
        case lineComment
        case blockComment
    }

    private(set) var place = Place.outside
    /// The closing bracket each open one waits for.
    private(set) var closers: [UInt8] = []
    private var isEscaped = false
    private var previous: UInt8 = 0x20
    private var stringStart = 0
    private(set) var fault: CommandFault?
    /// Where the first bracket stands: there the JSON begins.
    private(set) var firstBracket: Int?

    /// Consumes the byte at an offset of the command; returns true when it is a `;` that ends the command.
    mutating func consume(_ byte: UInt8, at offset: Int) -> Bool {
        guard fault == nil else { return false }
        defer { previous = byte }
        switch place {
        case .string(let quote):
            if isEscaped {
                isEscaped = false
            } else if byte == 0x5C {
                isEscaped = true
            } else if byte == quote {
                place = .outside
            }
        case .lineComment: break
        case .blockComment:
            if byte == 0x2F, previous == 0x2A {
                place = .outside
                previous = 0x20
            }
        case .outside: return consumeOutside(byte, at: offset)
        }
        return false
    }

    private mutating func consumeOutside(_ byte: UInt8, at offset: Int) -> Bool {
        switch byte {
        case 0x22, 0x27:  // an apostrophe within a word is part of the word
            guard !closers.isEmpty || Self.isBlank(previous) else { return false }
            place = .string(quote: byte)
            stringStart = offset
        case 0x7B, 0x5B:
            guard closers.count < Self.maximumDepth else {
                fault = CommandFault("nested deeper than \(Self.maximumDepth) levels", at: offset)
                return false
            }
            closers.append(byte + 2)
            if firstBracket == nil { firstBracket = offset }
        case 0x7D, 0x5D:
            guard let closer = closers.popLast() else { return false }
            if byte != closer { fault = CommandFault("expected '\(Character(Unicode.Scalar(closer)))'", at: offset) }
        case 0x2F where previous == 0x2F && !closers.isEmpty: place = .lineComment
        case 0x2A where previous == 0x2F && !closers.isEmpty: place = .blockComment
        case 0x3B: return closers.isEmpty
        default: break
        }
        return false
    }

    /// Consumes the end of a line, at an offset of the command.
    mutating func endLine(at offset: Int) -> State {
        defer {
            previous = 0x20
            isEscaped = false
        }
        if let fault { return .wrong(fault) }
        switch place {
        case .string:
            // JSON has no raw line feed inside a string, so nothing that follows can close this one.
            return .wrong(CommandFault("expected a closing quote", at: stringStart))
        case .lineComment: place = .outside
        case .blockComment: return .incomplete
        case .outside: break
        }
        return closers.isEmpty ? .complete : .incomplete
    }

    /// What is missing, for a command that ends at an offset although it is not complete.
    func unfinished(at offset: Int) -> CommandFault {
        if let fault { return fault }
        if let closer = closers.last {
            return CommandFault("the command ends, expected '\(Character(Unicode.Scalar(closer)))'", at: offset)
        }
        return CommandFault("the command ends in a comment", at: offset)
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }
}

/// What makes a command wrong, and at which byte of its text.
struct CommandFault: Error, Sendable, Equatable {
    /// One clause, without the position.
    var message: String
    /// The offset in bytes.
    var offset: Int
    /// What was probably meant.
    var suggestion: String?

    init(_ message: String, at offset: Int) {
        self.message = message
        self.offset = offset
    }
}
