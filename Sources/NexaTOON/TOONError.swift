import NexaValue

/// Why text is not acceptable TOON, where, and what to do.
///
/// `description` is one clause that ends in the position, and the advice behind it:
/// `expected 3 rows, found 2 at line 4 column 1; …`.
public struct TOONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of fault.
    public enum Reason: Sendable, Hashable {
        /// Something else stands where this was needed.
        case expected(String)
        /// A list, table or keyed table does not hold as much as its header says.
        case count(of: String, declared: Int, found: Int)
        /// A row does not have as many cells as its header has fields.
        case width(declared: Int, found: Int)
        /// A header of a list or table is malformed; the text says in which way.
        case header(String)
        /// A line is indented by other than whole levels, or by a tab.
        case indentation(String)
        /// A line is deeper than the lines that it belongs to.
        case orphanLine
        /// A blank line stands within a list or table.
        case blankLine
        /// Something follows the end of the text's only value.
        case trailingContent
        /// A document has two fields of one name.
        case duplicateKey(String)
        /// A quoted text has no closing quote on its line.
        case unterminatedString
        /// A backslash is followed by a character that makes no escape.
        case invalidEscape
        /// A byte is not part of valid UTF-8.
        case invalidUTF8
        /// No `Double` can hold a number.
        case numberOutOfRange
        /// Lists and documents nest deeper than the limit.
        case tooDeep(limit: Int)
        /// The text is longer than the limit, in bytes.
        case tooLarge(limit: Int)
        /// The headers of the text make far more values than it has bytes.
        case tooManyValues(limit: Int)
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

    /// What is wrong, without position and advice.
    public var message: String {
        switch reason {
        case .expected(let what): "expected \(what)"
        case .count(let what, let declared, let found): "the header says \(declared) \(what), found \(found)"
        case .width(let declared, let found): "the header has \(declared) fields, found \(found) cells"
        case .header(let what): what
        case .indentation(let what): what
        case .orphanLine: "the line is deeper than the line that it belongs to"
        case .blankLine: "a blank line within a list or table"
        case .trailingContent: "more text behind the end of the value"
        case .duplicateKey(let key): "the field '\(key)' is there twice"
        case .unterminatedString: "a quoted text does not end"
        case .invalidEscape: "invalid escape in a quoted text"
        case .invalidUTF8: "invalid UTF-8"
        case .numberOutOfRange: "number out of range"
        case .tooDeep(let limit): "nested deeper than \(limit) levels"
        case .tooLarge(let limit): "longer than \(limit) bytes"
        case .tooManyValues(let limit): "the headers make more than \(limit) values of a text of this size"
        }
    }

    /// What to do about it.
    public var advice: String {
        switch reason {
        case .expected: "quote texts that hold a ':' or begin with a quote"
        case .count: "correct the number in brackets, or see whether the text was cut short"
        case .width: "quote cells that hold the delimiter, and write a null for what is missing"
        case .header: "a header is key[count]: or key[count]{field,field}:, with a tab or '|' behind the count if used"
        case .indentation: "indent by blanks, the same number for each level (2 unless the options say another)"
        case .orphanLine: "indent one level below a line that ends with ':'"
        case .blankLine: "take the line out, or see whether a row is missing"
        case .trailingContent: "put the values into one document or list"
        case .duplicateKey: "rename or remove one of them"
        case .unterminatedString: "close it with '\"'; write a line break as \\n"
        case .invalidEscape: "only \\\\ \\\" \\n \\r \\t and \\uXXXX (no surrogates) are escapes"
        case .invalidUTF8: "convert the text to UTF-8"
        case .numberOutOfRange: "quote it to keep it as text"
        case .tooDeep: "raise the limit if it is below \(JSON.Limits.depthCeiling), or flatten the value"
        case .tooLarge: "split the text, or raise the limit"
        case .tooManyValues: "use fewer nested groups in the header"
        }
    }

    /// What is wrong, where, and what to do.
    public var description: String { "\(message) at line \(line) column \(column); \(advice)" }
}

/// Why a value cannot be written as TOON.
public struct TOONEncodingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of fault.
    public enum Reason: Sendable, Hashable {
        /// Lists and documents nest deeper than `JSON.Limits.depthCeiling`.
        case tooDeep(limit: Int)
        /// The text would be longer than the options allow, in bytes.
        case tooLarge(limit: Int)
        /// A row does not have the fields of its table.
        case fieldsDiffer(row: Int)
        /// A list got more or fewer elements than its header says.
        case count(declared: Int, found: Int)
    }

    /// What is wrong.
    public var reason: Reason

    /// Creates an error.
    public init(_ reason: Reason) { self.reason = reason }

    /// One sentence.
    public var description: String {
        switch reason {
        case .tooDeep(let limit): "the value nests deeper than \(limit) levels; flatten it"
        case .tooLarge(let limit): "the text would be longer than \(limit) bytes; write fewer values or raise the limit"
        case .fieldsDiffer(let row):
            "row \(row) does not have the fields of its table; write the list in list form, or fill what is missing"
        case .count(let declared, let found):
            "the list was announced with \(declared) elements and has \(found); announce the true number"
        }
    }
}
