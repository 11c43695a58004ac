import Glibc

/// Finds where records begin and end in a stream of bytes, without reading what is in them.
///
/// The bytes come in pieces: a scanner is given what is there, remembers how far it looked, and goes on when there is more.
protocol RecordScanner: Sendable {
    /// How far the scanner looked.
    var position: Int { get }
    /// Where the record begins that is not at its end yet; the position when there is none.
    var start: Int { get }
    /// The line of that place, from 1.
    var line: Int { get }

    /// The line that says what the records are, where the scanner is what finds it.
    var header: (text: [UInt8], line: Int)? { get }

    /// The next record, or `nil` when more bytes are needed; with `isAtEnd`, when there is no more.
    mutating func next(_ bytes: borrowing [UInt8], isAtEnd: Bool) throws(ScanFault) -> Record?

    /// The first `count` of the bytes are about to go; they lie before `start`.
    mutating func forget(_ count: Int, of bytes: borrowing [UInt8])
}

extension RecordScanner {
    var header: (text: [UInt8], line: Int)? { nil }
}

/// Where a record lies.
struct Record: Sendable, Equatable {
    /// Its bytes, without a line end.
    var range: Range<Int>
    /// The line it begins on, from 1.
    var line: Int
    /// The column of its first character, from 1.
    var column = 1
}

/// The stream cannot be cut into records any further.
struct ScanFault: Error, Sendable, Equatable {
    var message: String
    /// Where, from 1; `nil` when it is not about a place.
    var line: Int?
    var column: Int?
}

/// Takes every line for a record; empty lines are passed over.
struct LineScanner: RecordScanner {
    /// Whether a line of blanks is empty, too.
    private let ignoresBlanks: Bool
    private(set) var position = 0
    private(set) var start = 0
    private(set) var line = 1

    init(ignoresBlanks: Bool) { self.ignoresBlanks = ignoresBlanks }

    mutating func next(_ bytes: borrowing [UInt8], isAtEnd: Bool) throws(ScanFault) -> Record? {
        while position < bytes.count || (isAtEnd && start < position) {
            let end: Int
            if let found = Self.lineEnd(in: bytes, from: position) {
                end = found
                position = found + 1
            } else {
                position = bytes.count
                guard isAtEnd else { return nil }
                end = position
            }
            let record = trimmed(start..<end, bytes)
            defer {
                start = position
                line += 1
            }
            if let record { return Record(range: record, line: line) }
        }
        return nil
    }

    mutating func forget(_ count: Int, of bytes: borrowing [UInt8]) {
        position -= count
        start -= count
    }

    static func lineEnd(in bytes: borrowing [UInt8], from position: Int) -> Int? {
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress, position < raw.count,
                let found = memchr(base + position, 0x0A, raw.count - position)
            else { return nil }
            return base.distance(to: UnsafeRawPointer(found))
        }
    }

    /// The line without the CR at its end; `nil` when it is blank.
    private func trimmed(_ line: Range<Int>, _ bytes: borrowing [UInt8]) -> Range<Int>? {
        var end = line.upperBound
        if end > line.lowerBound, bytes[end - 1] == 0x0D { end -= 1 }
        guard ignoresBlanks else { return line.lowerBound < end ? line.lowerBound..<end : nil }
        for index in line.lowerBound..<end where !NestingScan.isBlank(bytes[index]) { return line.lowerBound..<end }
        return nil
    }
}

/// Takes every row of CSV for a record: a line end between quotes belongs to the row.
struct RowScanner: RecordScanner {
    private enum Place { case cellStart, cell, quoted, quoteInQuoted }

    private(set) var position = 0
    private(set) var start = 0
    private var place = Place.cellStart
    /// The line of the position.
    private var lastLine = 1
    /// The line on which the row begins.
    private(set) var line = 1
    private var quoteLine = 1

    mutating func next(_ bytes: borrowing [UInt8], isAtEnd: Bool) throws(ScanFault) -> Record? {
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch (place, byte) {
            case (.quoted, 0x22): place = .quoteInQuoted
            case (.quoted, 0x0A): lastLine += 1
            case (.quoted, _): break
            case (.quoteInQuoted, 0x22): place = .quoted
            case (_, 0x2C): place = .cellStart
            case (_, 0x0A):
                lastLine += 1
                if let record = take(start..<position - 1, bytes) { return record }
            case (.cellStart, 0x22):
                place = .quoted
                quoteLine = lastLine
            default: place = .cell
            }
        }
        guard isAtEnd, start < position else { return nil }
        if place == .quoted { throw ScanFault(message: "the quote that opens here is not closed", line: quoteLine) }
        return take(start..<position, bytes)
    }

    mutating func forget(_ count: Int, of bytes: borrowing [UInt8]) {
        position -= count
        start -= count
    }

    /// The row, unless its line is empty.
    private mutating func take(_ range: Range<Int>, _ bytes: borrowing [UInt8]) -> Record? {
        defer {
            start = position
            line = lastLine
            place = .cellStart
        }
        let isReturned = !range.isEmpty && bytes[range.upperBound - 1] == 0x0D
        let range = isReturned ? range.lowerBound..<range.upperBound - 1 : range
        return range.isEmpty ? nil : Record(range: range, line: line)
    }
}
