/// Takes every element of a JSON array for a record, or every value of values that stand one behind the other.
///
/// It counts brackets and knows strings, and leaves the rest to the parser of each record: an array of any size is never in
/// memory as a whole.
struct ElementScanner: RecordScanner {
    private enum Place {
        /// Before the first byte that is no blank.
        case begin
        /// In the array, where its first element may begin.
        case firstElement
        /// In the array, behind a comma.
        case nextElement
        /// In the array, behind an element.
        case behindElement
        /// Among values without an array around them.
        case sequence
        /// Behind the array.
        case end
        /// In an object or an array.
        case nested
        case string
        case escape
        /// In a word or a number.
        case word
    }

    private(set) var position = 0
    private(set) var start = 0
    private var place = Place.begin
    private var isInArray = false
    private var depth = 0
    /// The line of the position.
    private var lastLine = 1
    private var firstLine = 1
    private var firstColumn = 1
    /// The column of `mark`; what stands between there and the position was not counted yet.
    private var column = 1
    private var mark = 0

    var line: Int { isInRecord ? firstLine : lastLine }

    private var isInRecord: Bool { place == .nested || place == .string || place == .escape || place == .word }

    mutating func next(_ bytes: borrowing [UInt8], isAtEnd: Bool) throws(ScanFault) -> Record? {
        while position < bytes.count {
            if isInRecord {
                if let record = scanRecord(bytes) { return record }
                continue
            }
            let byte = bytes[position]
            if NestingScan.isBlank(byte) || byte == 0x0A {
                position += 1
                if byte == 0x0A { endLine() }
                start = position
                continue
            }
            try begin(byte, bytes)
        }
        guard isAtEnd else { return nil }
        switch place {
        case .begin, .sequence, .end: return nil
        case .word where !isInArray: return finish()
        case .firstElement, .nextElement, .behindElement:
            throw ScanFault(message: "the array is not closed", line: lastLine, column: columnHere(bytes))
        default:
            throw ScanFault(message: "the value that begins here is not closed", line: firstLine, column: firstColumn)
        }
    }

    mutating func forget(_ count: Int, of bytes: borrowing [UInt8]) {
        if mark < count {
            for index in mark..<count where bytes[index] & 0xC0 != 0x80 { column += 1 }
            mark = count
        }
        position -= count
        start -= count
        mark -= count
    }

    /// A byte that is no blank, outside of records.
    private mutating func begin(_ byte: UInt8, _ bytes: borrowing [UInt8]) throws(ScanFault) {
        switch (place, byte) {
        case (.begin, 0x5B):
            isInArray = true
            place = .firstElement
        case (.firstElement, 0x5D), (.behindElement, 0x5D): place = .end
        case (.behindElement, 0x2C): place = .nextElement
        case (.begin, _), (.sequence, _), (.firstElement, _), (.nextElement, _):
            guard byte != 0x5D, byte != 0x7D, byte != 0x2C else { throw unexpected("a document", bytes) }
            firstLine = lastLine
            firstColumn = columnHere(bytes)
            start = position
            depth = 0
            place = byte == 0x7B || byte == 0x5B ? .nested : byte == 0x22 ? .string : .word
            if place == .nested { depth = 1 }
        case (.behindElement, _): throw unexpected("',' or ']'", bytes)
        default: throw unexpected("the end of the file", bytes)
        }
        position += 1
        if !isInRecord { start = position }
    }

    private func unexpected(_ wanted: String, _ bytes: borrowing [UInt8]) -> ScanFault {
        var scanner = self
        return ScanFault(message: "expected \(wanted)", line: lastLine, column: scanner.columnHere(bytes))
    }

    /// Goes on to the end of the record.
    private mutating func scanRecord(_ bytes: borrowing [UInt8]) -> Record? {
        while position < bytes.count {
            let byte = bytes[position]
            if place == .word, byte == 0x2C || byte == 0x5D || NestingScan.isBlank(byte) || byte == 0x0A {
                return finish()
            }
            position += 1
            if place == .string, byte != 0x22, byte != 0x5C, byte != 0x0A {
                skipText(bytes)
                continue
            }
            if byte == 0x0A { endLine() }
            switch (place, byte) {
            case (.escape, _): place = .string
            case (.string, 0x5C): place = .escape
            case (.string, 0x22):
                place = .nested
                if depth == 0 { return finish() }
            case (.string, _), (.word, _): break
            case (_, 0x22): place = .string
            case (_, 0x7B), (_, 0x5B): depth += 1
            case (_, 0x7D), (_, 0x5D):
                depth -= 1
                if depth == 0 { return finish() }
            default: break
            }
        }
        return nil
    }

    /// Passes over what is neither the end of a string nor of a line.
    private mutating func skipText(_ bytes: borrowing [UInt8]) {
        let span = bytes.span
        var index = position
        while index < span.count, span[index] != 0x22, span[index] != 0x5C, span[index] != 0x0A { index += 1 }
        position = index
    }

    private mutating func finish() -> Record {
        place = isInArray ? .behindElement : .sequence
        defer { start = position }
        return Record(range: start..<position, line: firstLine, column: firstColumn)
    }

    /// The position stands behind a line end.
    private mutating func endLine() {
        lastLine += 1
        column = 1
        mark = position
    }

    /// The column of the position, in characters.
    private mutating func columnHere(_ bytes: borrowing [UInt8]) -> Int {
        for index in mark..<position where bytes[index] & 0xC0 != 0x80 { column += 1 }
        mark = position
        return column
    }
}
