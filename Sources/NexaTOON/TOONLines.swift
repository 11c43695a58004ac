import Glibc
import NexaValue

/// One line that is neither blank nor a comment.
struct TOONLine {
    /// Where the content begins, behind the indentation.
    var start: Int
    /// Where it ends, before the line break; blanks may stand before it.
    var end: Int
    /// How many levels it is indented.
    var depth: Int
    /// Where the last blank line before it begins, if there is one between it and the line before.
    var blankLine: Int?
}

/// Cuts a text into lines, one ahead.
struct TOONLines {
    let bytes: UnsafeBufferPointer<UInt8>
    private let indentation: Int
    private let isStrict: Bool
    /// Where the line behind the next one begins.
    private var position = 0
    /// The next line; `nil` at the end of the text.
    private(set) var next: TOONLine?
    /// The depth of the outermost list or table that has an element already: within it no blank line may stand.
    var outermostList: Int?

    init(_ bytes: UnsafeBufferPointer<UInt8>, _ options: TOON.DecodingOptions) {
        self.bytes = bytes
        indentation = options.indentation
        isStrict = options.isStrict
        if !isStrict, bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { position = 3 }
    }

    /// Goes to the next line, and reads the one behind it.
    mutating func advance() throws(TOONError) {
        next = nil
        var blankLine: Int?
        while position < bytes.count {
            let lineStart = position
            var end = bytes.count
            if let base = bytes.baseAddress, let found = memchr(base + position, 0x0A, bytes.count - position) {
                end = UnsafeRawPointer(found) - UnsafeRawPointer(base)
            }
            position = end + 1
            if end > lineStart, bytes[end - 1] == 0x0D { end -= 1 }
            var start = lineStart
            while start < end, bytes[start] == 0x20 { start += 1 }
            if start == end {
                blankLine = lineStart
                continue
            }
            var depth: Int
            switch bytes[start] {
            case 0x23: continue
            case 0x09:
                guard let indented = try passTabs(lineStart, &start, end) else {
                    blankLine = lineStart
                    continue
                }
                depth = indented
            default:
                let blanks = start - lineStart
                depth = blanks / indentation
                if isStrict, blanks % indentation != 0 {
                    throw fault(
                        .indentation("\(blanks) blanks are not a multiple of \(indentation)"), at: start)
                }
            }
            next = TOONLine(start: start, end: end, depth: depth, blankLine: blankLine)
            return
        }
    }

    /// Passes over blanks and tabs; `nil` if the line has nothing else. Each tab goes to the next level.
    private func passTabs(_ lineStart: Int, _ start: inout Int, _ end: Int) throws(TOONError) -> Int? {
        var width = 0
        let firstTab = start
        start = lineStart
        while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 {
            width = bytes[start] == 0x20 ? width + 1 : (width / indentation + 1) * indentation
            start += 1
        }
        if start == end { return nil }
        if isStrict { throw fault(.indentation("a tab in the indentation"), at: firstTab) }
        return width / indentation
    }

    /// Takes the next line, whose contents the caller goes on to read.
    mutating func take() throws(TOONError) -> TOONLine? {
        guard let line = next else { return nil }
        if isStrict, let blank = line.blankLine, let outermostList, line.depth >= outermostList {
            throw fault(.blankLine, at: blank)
        }
        try advance()
        return line
    }

    /// The error at an offset, with line and column.
    func fault(_ reason: TOONError.Reason, at offset: Int) -> TOONError {
        let offset = min(offset, bytes.count)
        var line = 1
        var column = 1
        for byte in bytes[..<offset] {
            if byte == 0x0A {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {  // a continuation byte belongs to the scalar before it
                column += 1
            }
        }
        return TOONError(reason, offset: offset, line: line, column: column)
    }
}
