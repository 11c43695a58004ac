import NexaTOON
import NexaValue

/// Takes the elements of a TOON text for records: the rows of a table, the items of a list, or a text without either as a
/// whole. The text is an envelope of NexaDB (a document with `documents`) or begins with a list or table.
///
/// That its counts are true shows at its end only; then a wrong one is a fault.
struct TOONScanner: RecordScanner {
    private enum Place {
        /// Before the list.
        case preamble
        case rows
        case items
        /// Behind it.
        case behind
    }

    private(set) var position = 0
    private(set) var start = 0
    private(set) var line = 1
    /// The line that says how many elements follow and what they are, once it was met.
    private(set) var header: (text: [UInt8], line: Int)?
    private var place = Place.preamble
    /// Where the line begins that is looked at, and its number.
    private var lineStart = 0
    private var lineNumber = 1
    /// The item, or the whole text, that may go on.
    private var open: Record?
    private var isRoot = false
    private var declared = 0
    private var found = 0
    /// A blank line between elements: nothing but the end may follow it.
    private var blankLine: Int?

    /// What a line is to the record before it.
    private enum Step {
        case passed(Record?)
        /// It ends that record, and has to be looked at again.
        case ends(Record)
    }

    mutating func next(_ bytes: borrowing [UInt8], isAtEnd: Bool) throws(ScanFault) -> Record? {
        while lineStart < bytes.count {
            var end = bytes.count
            let lineEnd = LineScanner.lineEnd(in: bytes, from: position)
            if let lineEnd {
                end = lineEnd
            } else {
                position = bytes.count
                guard isAtEnd else { return nil }
            }
            let after = min(end + 1, bytes.count)
            if end > lineStart, bytes[end - 1] == 0x0D { end -= 1 }
            switch try take(lineStart..<end, bytes) {
            case .ends(let record):
                open = nil
                (position, start, line) = (lineStart, lineStart, lineNumber)
                return record
            case .passed(let record):
                (position, lineStart) = (after, after)
                lineNumber += 1
                if open == nil { (start, line) = (after, lineNumber) }
                if let record { return record }
            }
        }
        guard isAtEnd else { return nil }
        if let record = open {
            open = nil
            (start, line) = (lineStart, lineNumber)
            if place == .preamble { place = .behind }
            return record
        }
        try endList()
        return nil
    }

    mutating func forget(_ count: Int, of bytes: borrowing [UInt8]) {
        position -= count
        start -= count
        lineStart -= count
        if let record = open { open?.range = record.range.moved(by: -count) }
    }

    // MARK: Lines

    private mutating func take(_ range: Range<Int>, _ bytes: borrowing [UInt8]) throws(ScanFault) -> Step {
        var first = range.lowerBound
        while first < range.upperBound, bytes[first] == 0x20 { first += 1 }
        let indentation = first - range.lowerBound
        if first == range.upperBound {
            if place == .rows || place == .items { blankLine = blankLine ?? lineNumber }
            return .passed(nil)
        }
        if bytes[first] == 0x23 { return .passed(nil) }  // a comment
        switch place {
        case .preamble:
            if indentation == 0, try begin(range, bytes) { return .passed(nil) }
            open = Record(
                range: (open?.range.lowerBound ?? range.lowerBound)..<range.upperBound, line: open?.line ?? lineNumber)
        case .rows, .items:
            // A line that is deeper than an item belongs to it.
            if place == .items, indentation > 2, let record = open {
                open?.range = record.range.lowerBound..<range.upperBound
                blankLine = nil
                return .passed(nil)
            }
            if let record = open { return .ends(record) }
            guard indentation > 0 else {
                try endList()
                try checkEnd(range, bytes)
                return .passed(nil)
            }
            try beginElement()
            let record = Record(range: range, line: lineNumber)
            guard place == .items else { return .passed(record) }
            open = record
        case .behind: try checkEnd(range, bytes)
        }
        return .passed(nil)
    }

    private mutating func beginElement() throws(ScanFault) {
        if let blankLine { throw ScanFault(message: "a blank line cannot stand in a list", line: blankLine) }
        found += 1
        guard found <= declared else {
            throw ScanFault(
                message: "there are more documents than the \(declared) that were announced", line: lineNumber)
        }
    }

    /// Looks whether a line begins the list of documents.
    private mutating func begin(_ range: Range<Int>, _ bytes: borrowing [UInt8]) throws(ScanFault) -> Bool {
        let key = Array("documents".utf8)
        var text = Array(bytes[range])
        while text.last == 0x20 { text.removeLast() }
        let bracket = text.starts(with: key) ? key.count : 0
        guard bracket > 0 || open == nil else { return false }
        if text[bracket...].elementsEqual((bracket > 0 ? ": []" : "[]").utf8) {
            (place, isRoot, open) = (.behind, bracket == 0, nil)
            return true
        }
        guard let count = TOONRecords.count(in: text, at: bracket) else { return false }
        let rest = text[count.end...].drop { $0 != 0x5D }.dropFirst()
        guard let shape = rest.first, shape == 0x7B || rest.elementsEqual(":".utf8) else {
            throw ScanFault(message: "the documents are neither a table nor a list", line: lineNumber, column: 1)
        }
        // What is wrong with the header itself is told at once.
        do throws(TOONError) {
            _ = try TOON.decode(Array(text[..<(bracket + 1)]) + [0x30] + Array(text[count.end...]))
        } catch {
            throw ScanFault(message: error.message, line: lineNumber, column: error.column)
        }
        header = (text, lineNumber)
        declared = count.value
        isRoot = bracket == 0
        open = nil
        place = shape == 0x7B ? .rows : .items
        return true
    }

    /// The list is at its end.
    private mutating func endList() throws(ScanFault) {
        guard place == .rows || place == .items else { return }
        place = .behind
        blankLine = nil
        guard found == declared else {
            throw ScanFault(
                message: "\(declared) document(s) were announced at line \(header?.line ?? 1), and there are \(found)",
                line: lineNumber)
        }
    }

    /// Looks at a line behind the list.
    private func checkEnd(_ range: Range<Int>, _ bytes: borrowing [UInt8]) throws(ScanFault) {
        let text = bytes[range]
        guard !isRoot, !text.starts(with: "documents".utf8) else {
            throw ScanFault(message: "unexpected text behind the documents", line: lineNumber)
        }
        guard text.starts(with: "count:".utf8) else { return }
        let value = String(decoding: text.dropFirst(6), as: UTF8.self).trimmed
        guard header != nil, let count = Int(value), count != found else { return }
        throw ScanFault(message: "'count' says \(count), and there are \(found) documents", line: lineNumber)
    }
}

/// Makes documents of the records of a TOON text.
struct TOONRecords: Sendable {
    /// What makes a text of one record; empty when the record is one.
    private let prefix: [UInt8]

    /// - Parameter header: the line before the records, if there is one.
    init(header: [UInt8]?) {
        guard let header, let bracket = header.firstIndex(of: 0x5B), let count = Self.count(in: header, at: bracket)
        else {
            prefix = []
            return
        }
        prefix = [0x5B, 0x31] + header[count.end...] + [0x0A]
    }

    /// The count behind a bracket, and the place behind it; `nil` when the brackets are not those of a list.
    static func count(in text: [UInt8], at bracket: Int) -> (value: Int, end: Int)? {
        guard bracket < text.count, text[bracket] == 0x5B else { return nil }
        let digits = text[(bracket + 1)...].prefix(18).prefix { (0x30...0x39).contains($0) }
        guard let value = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
        var end = digits.endIndex
        if end < text.count, text[end] == 0x09 || text[end] == 0x7C { end += 1 }
        return end < text.count && text[end] == 0x5D ? (value, digits.endIndex) : nil
    }

    func document(_ record: ArraySlice<UInt8>) throws(RecordParser.Fault) -> Document {
        let limits = TOON.Limits(maximumByteCount: .max)
        let value: Value
        do throws(TOONError) {
            value = try TOON.decode(prefix + record, TOON.DecodingOptions(limits: limits))
        } catch {
            throw RecordParser.Fault(message: error.message, offset: max(0, error.offset - prefix.count))
        }
        let element = prefix.isEmpty ? value : value.array?.first ?? .null
        guard let document = element.document else {
            throw RecordParser.Fault(message: "expected a document, not a \(element.kindName)")
        }
        return document
    }
}
