/// Why text is not acceptable JSON, and where.
///
/// `description` is one clause that ends in the position: `expected ':' at line 1 column 18`.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of fault.
    public enum Reason: Sendable, Hashable {
        /// Something else stands where this was needed.
        case expected(String)
        /// The text ends where this was needed; more text could make it whole.
        case endsBefore(String)
        /// A number starts with a zero that is followed by a digit.
        case leadingZero
        /// A number is too large for any kind.
        case numberOutOfRange
        /// A byte is not part of valid UTF-8.
        case invalidUTF8
        /// A string holds a raw control character; it has to be escaped.
        case controlCharacter(UInt8)
        /// A backslash is followed by a character that makes no escape.
        case invalidEscape
        /// A `\u` escape is half of a surrogate pair, without its other half.
        case loneSurrogate
        /// Arrays and objects nest deeper than the limit.
        case tooDeep(limit: Int)
        /// The text is longer than the limit.
        case tooLarge(limit: Int)
        /// The object written for a value without a JSON form is not whole.
        case invalidExtendedForm(String)
    }

    /// What is wrong.
    public var reason: Reason
    /// The offset in bytes of what is wrong, counted from 0.
    public var offset: Int
    /// The line, counted from 1; lines end with a line feed.
    public var line: Int
    /// The column, counted from 1 in Unicode scalars (not bytes, not screen cells) from the start of the line.
    public var column: Int

    /// Creates an error.
    public init(_ reason: Reason, offset: Int, line: Int, column: Int) {
        self.reason = reason
        self.offset = offset
        self.line = line
        self.column = column
    }

    /// Creates an error and works out line and column of the offset.
    init(_ reason: Reason, at offset: Int, in text: RawSpan) {
        var line = 1
        var column = 1
        for position in 0..<min(offset, text.byteCount) {
            let byte = unsafe text.unsafeLoad(fromByteOffset: position, as: UInt8.self)
            if byte == 0x0A {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {  // a continuation byte belongs to the scalar before it
                column += 1
            }
        }
        self.init(reason, offset: offset, line: line, column: column)
    }

    /// True when the text only ends too early, so that a prompt may ask for the next line.
    public var isIncomplete: Bool {
        if case .endsBefore = reason { true } else { false }
    }

    /// What is wrong, without the position.
    public var message: String {
        switch reason {
        case .expected(let what): "expected \(what)"
        case .endsBefore(let what): "the text ends, expected \(what)"
        case .leadingZero: "a number must not start with 0"
        case .numberOutOfRange: "number out of range"
        case .invalidUTF8: "invalid UTF-8"
        case .controlCharacter(let byte):
            "control character \\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16)) has to be escaped in a string"
        case .invalidEscape: "invalid escape in a string"
        case .loneSurrogate: "a \\u escape is half of a surrogate pair"
        case .tooDeep(let limit): "nested deeper than \(limit) levels"
        case .tooLarge(let limit): "longer than \(limit) bytes"
        case .invalidExtendedForm(let name): "an object with \(name) must be exactly what the encoder writes"
        }
    }

    /// What is wrong and where: `expected ':' at line 1 column 18`.
    public var description: String { "\(message) at line \(line) column \(column)" }
}

/// Why a value cannot be written as JSON.
public struct JSONEncodingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of fault.
    public enum Reason: Sendable, Hashable {
        /// A number is NaN or infinite, which JSON cannot say; choose another `nonFiniteNumbers`.
        case nonFiniteNumber(Double)
        /// Arrays and documents nest deeper than `JSON.Limits.depthCeiling`.
        case tooDeep(limit: Int)
        /// The encoded bytes that were to be written are no value.
        case malformed(MessagePackError)
    }

    /// What is wrong.
    public var reason: Reason

    /// Creates an error.
    public init(_ reason: Reason) { self.reason = reason }

    /// One sentence.
    public var description: String {
        switch reason {
        case .nonFiniteNumber(let number): "JSON has no form for the number \(number)"
        case .tooDeep(let limit): "the value nests deeper than \(limit) levels"
        case .malformed(let error): "the encoded value is malformed: \(error)"
        }
    }
}
